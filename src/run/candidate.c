#include "run/candidate.h"

#include <math.h>

/* Nothing is built for an external study: what is known follows from its expressions. */
static nr_status fill_external(const struct problem *problem, const double *point, struct text *reason,
                               struct candidate *out)
{
    const struct study *study = problem->study;
    nr_status status = problem_check_point(problem, point, reason);
    for (size_t i = 0; i < study->objectives && status == NR_OK; i++)
        out->exact[i] = study->objective[i].exact ? study_exact_value(study, i, point) : NAN;
    problem_point_identity(problem, point, out->identity);
    return status;
}

static nr_status fill_network(const struct problem *problem, const double *point, struct text *reason,
                              struct candidate *out)
{
    const struct study *study = problem->study;
    struct plan *plan;
    struct recipe recipe;
    nr_status status = problem_plan(problem, point, reason, &plan, &recipe);
    if (status != NR_OK)
        return status;
    for (size_t i = 0; i < study_values(study); i++)
        out->exact[i] = problem_exact(study_value_name(study, i), plan, &recipe);
    plan_append_summary(plan, &out->summary);
    problem_identity(plan, &recipe, out->identity);
    plan_destroy(plan);
    return NR_OK;
}

nr_status candidate_create(const struct problem *problem, const double *point, struct text *reason, struct log *log,
                           struct candidate *out)
{
    struct candidate candidate = {0};
    for (size_t i = 0; i < STORE_MAX_VALUES; i++)
        candidate.exact[i] = NAN;
    nr_status status = problem->study->external ? fill_external(problem, point, reason, &candidate)
                                                : fill_network(problem, point, reason, &candidate);
    point_append_text(&problem->study->space, point, &candidate.point);
    if (status == NR_OK && (candidate.point.failed || candidate.summary.failed))
        status = log_no_memory(log, "describing a point");
    if (status == NR_OK)
        *out = candidate;
    else
        candidate_clear(&candidate);
    return status;
}

void candidate_clear(struct candidate *candidate)
{
    text_clear(&candidate->point);
    text_clear(&candidate->summary);
}

struct store_trial candidate_trial(const struct candidate *candidate, int64_t trial, const char *method,
                                   const char *fit, const char *note)
{
    struct store_trial row = {.trial = trial,
                              .status = TRIAL_QUEUED,
                              .cause = "",
                              .owner = "",
                              .point = candidate->point.data ? candidate->point.data : "",
                              .identity = candidate->identity,
                              .summary = candidate->summary.data ? candidate->summary.data : "",
                              .method = method,
                              .fit = fit,
                              .note = note,
                              .attempt = 1,
                              .started = NAN,
                              .ended = NAN};
    for (size_t i = 0; i < STORE_MAX_VALUES; i++)
        row.value[i] = candidate->exact[i];
    return row;
}
