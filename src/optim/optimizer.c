#include "optim/optimizer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/evolution.h"
#include "optim/grid.h"
#include "optim/history.h"
#include "optim/propose.h"
#include "optim/sampler.h"
#include "optim/surrogate.h"

struct optimizer {
    struct optim_problem problem;
    struct optim_options options;
    struct log *log;
    struct history history;
    struct sampler sampler;
    struct surrogate *surrogate; /* these two for METHOD_BO only */
    struct proposer *proposer;
    struct evolution *evolution; /* for METHOD_EVOLUTION only */
    struct grid *grid;           /* for METHOD_GRID only */
    uint32_t suggestions;        /* made or restored: the number of the next one */
    double *point;
    struct text fit, note;
};

static nr_status check(const struct optim_problem *problem, const struct optim_options *options, struct log *log)
{
    if (problem->objectives < 1 || problem->objectives > OPTIM_MAX_OBJECTIVES) {
        log_error(log, "search: %zu objectives were given, expected 1 to %d", problem->objectives,
                  OPTIM_MAX_OBJECTIVES);
        return NR_INVALID;
    }
    if (problem->constraints > OPTIM_MAX_CONSTRAINTS) {
        log_error(log, "search: %zu outcome constraints were given, expected at most %d", problem->constraints,
                  OPTIM_MAX_CONSTRAINTS);
        return NR_INVALID;
    }
    if (problem->space->count == 0) {
        log_error(log, "search: the space has no dimension");
        return NR_INVALID;
    }
    for (size_t j = 0; j < problem->objectives; j++) {
        if (problem->objective[j].exact && !problem->admit) {
            log_error(log, "search: objective %zu is exact, but nobody was named who knows its values", j + 1);
            return NR_INVALID;
        }
    }
    if (options->initial < 0) {
        log_error(log, "search: initial = %" PRId64 ", expected 0 or more", options->initial);
        return NR_INVALID;
    }
    return NR_OK;
}

static nr_status create_model(struct optimizer *optimizer)
{
    nr_status status = surrogate_create(&optimizer->problem, &optimizer->options, &optimizer->surrogate);
    if (status == NR_OK)
        status = proposer_create(&optimizer->problem, &optimizer->options, &optimizer->history, &optimizer->sampler,
                                 &optimizer->proposer);
    return status;
}

/* What the method needs beside the sampler. */
static nr_status create_method(struct optimizer *optimizer)
{
    const struct optim_options *options = &optimizer->options;
    switch (options->method) {
    case METHOD_BO:
        return create_model(optimizer);
    case METHOD_EVOLUTION:
        return evolution_create(&optimizer->problem, &optimizer->history, options->seed, (size_t)options->initial,
                                &optimizer->evolution);
    case METHOD_GRID:
        return grid_create(&optimizer->problem, &optimizer->history, options->seed, &optimizer->grid);
    case METHOD_RANDOM:
    case METHOD_SOBOL:
        break;
    }
    return NR_OK;
}

nr_status optimizer_create(const struct optim_problem *problem, const struct optim_options *options, struct log *log,
                           struct optimizer **out)
{
    nr_status status = check(problem, options, log);
    if (status != NR_OK)
        return status;
    struct optimizer *optimizer = mem_array(1, sizeof *optimizer);
    double *point = mem_array(problem->space->count, sizeof *point);
    if (!optimizer || !point)
        goto err_free;
    *optimizer = (struct optimizer){.problem = *problem, .options = *options, .log = log, .point = point};
    optimizer->history.dimensions = problem->space->count;
    if (sampler_create(&optimizer->problem, &optimizer->history, options->seed, &optimizer->sampler) != NR_OK)
        goto err_free;
    if (create_method(optimizer) != NR_OK) {
        optimizer_destroy(optimizer);
        return log_no_memory(log, "creating the optimizer");
    }
    *out = optimizer;
    return NR_OK;

err_free:
    free(point);
    free(optimizer);
    return log_no_memory(log, "creating the optimizer");
}

void optimizer_destroy(struct optimizer *optimizer)
{
    if (!optimizer)
        return;
    grid_destroy(optimizer->grid);
    evolution_destroy(optimizer->evolution);
    proposer_destroy(optimizer->proposer);
    surrogate_destroy(optimizer->surrogate);
    sampler_clear(&optimizer->sampler);
    history_clear(&optimizer->history);
    text_clear(&optimizer->fit);
    text_clear(&optimizer->note);
    free(optimizer->point);
    free(optimizer);
}

static nr_status suggest_sobol(struct optimizer *optimizer, struct optim_admission *admission, struct suggestion *out)
{
    const char *method = "";
    nr_status status = sampler_sobol(&optimizer->sampler, optimizer->log, optimizer->point, admission, &method);
    text_format(&optimizer->fit, "%ssobol=%" PRIu32, optimizer->fit.length ? " " : "", optimizer->sampler.next_sobol);
    snprintf(out->method, sizeof out->method, "%s", method);
    return status;
}

static nr_status suggest_random(struct optimizer *optimizer, struct optim_admission *admission, struct suggestion *out)
{
    const char *method = "";
    nr_status status = sampler_random(&optimizer->sampler, optimizer->suggestions, optimizer->log, optimizer->point,
                                      admission, &method);
    snprintf(out->method, sizeof out->method, "%s", method);
    return status;
}

/* The model's choice, or a Sobol point where there is no model yet or no candidate. */
static nr_status suggest_bo(struct optimizer *optimizer, struct optim_admission *admission, struct suggestion *out)
{
    struct proposal proposal;
    bool refitted;
    nr_status status =
        surrogate_fit(optimizer->surrogate, &optimizer->history, optimizer->suggestions, &refitted, &optimizer->note);
    if (refitted)
        surrogate_append_state(optimizer->surrogate, &optimizer->fit);
    if (status == NR_OK) {
        status = propose(optimizer->proposer, optimizer->surrogate, optimizer->suggestions, &proposal);
        if (status == NR_NO_RESULT)
            text_append(&optimizer->note, "no candidate was both allowed and new");
    }
    if (status == NR_NO_RESULT)
        return suggest_sobol(optimizer, admission, out);
    if (status != NR_OK)
        return status;
    memcpy(optimizer->point, proposal.point, optimizer->problem.space->count * sizeof *optimizer->point);
    *admission = proposal.admission;
    snprintf(out->method, sizeof out->method, "bo");
    out->acquisition = proposal.log_value;
    text_format(&optimizer->note, "best of %zu candidates, log %s %.3g%s", proposal.candidates,
                optimizer->problem.objectives == 1 ? "EI" : "EHVI", proposal.log_value, refitted ? ", refitted" : "");
    return NR_OK;
}

static nr_status suggest_child(struct optimizer *optimizer, struct optim_admission *admission, struct suggestion *out)
{
    struct evolution_child child;
    nr_status status = evolution_breed(optimizer->evolution, optimizer->suggestions, &child);
    if (status == NR_NO_RESULT) {
        text_append(&optimizer->note, "no trial had a child that was both allowed and new");
        return suggest_sobol(optimizer, admission, out);
    }
    if (status != NR_OK)
        return status;
    memcpy(optimizer->point, child.point, optimizer->problem.space->count * sizeof *optimizer->point);
    *admission = child.admission;
    snprintf(out->method, sizeof out->method, "evolution");
    text_format(&optimizer->note, "child of trial %" PRId64 ", %zu mutation%s, population of %zu", child.parent,
                child.mutations, child.mutations == 1 ? "" : "s", child.living);
    return NR_OK;
}

static nr_status suggest_grid(struct optimizer *optimizer, struct optim_admission *admission, struct suggestion *out)
{
    bool exact;
    double points = grid_points(optimizer->grid, &exact);
    nr_status status = grid_next(optimizer->grid, optimizer->log, optimizer->point, admission);
    grid_append_state(optimizer->grid, &optimizer->fit);
    snprintf(out->method, sizeof out->method, "grid");
    text_format(&optimizer->note, "of a grid of %s%.12g points", exact ? "" : "at most ", points);
    return status;
}

static nr_status choose(struct optimizer *optimizer, struct optim_admission *admission, struct suggestion *out)
{
    bool starting = optimizer->suggestions < (uint64_t)optimizer->options.initial;
    switch (optimizer->options.method) {
    case METHOD_RANDOM:
        return suggest_random(optimizer, admission, out);
    case METHOD_SOBOL:
        return suggest_sobol(optimizer, admission, out);
    case METHOD_GRID:
        return suggest_grid(optimizer, admission, out);
    case METHOD_EVOLUTION:
    case METHOD_BO:
        break;
    }
    if (starting) {
        text_format(&optimizer->note, "initial point %" PRIu32 " of %" PRId64, optimizer->suggestions + 1,
                    optimizer->options.initial);
        return suggest_sobol(optimizer, admission, out);
    }
    return optimizer->evolution ? suggest_child(optimizer, admission, out) : suggest_bo(optimizer, admission, out);
}

static void text_reset(struct text *text)
{
    text_clear(text);
    text_append(text, "");
}

nr_status optimizer_suggest(struct optimizer *optimizer, int64_t trial, struct suggestion *out)
{
    struct optim_admission admission;
    struct suggestion suggestion = {.point = optimizer->point, .acquisition = NAN};
    text_reset(&optimizer->fit);
    text_reset(&optimizer->note);
    nr_status status = choose(optimizer, &admission, &suggestion);
    if (status == NR_OK)
        status = history_add(&optimizer->history, trial, optimizer->point, &admission);
    if (status == NR_OK && (optimizer->fit.failed || optimizer->note.failed))
        status = NR_NO_MEMORY;
    if (status == NR_NO_MEMORY)
        return log_no_memory(optimizer->log, "choosing the next point");
    if (status != NR_OK)
        return status;
    optimizer->suggestions++;
    suggestion.fit = optimizer->fit.data;
    suggestion.note = optimizer->note.data;
    *out = suggestion;
    return NR_OK;
}

/* One "key=value" of a recorded state. */
static bool restore_entry(struct optimizer *optimizer, const char *entry)
{
    int64_t next;
    if (text_starts_with(entry, "grid="))
        return optimizer->grid && grid_restore_entry(optimizer->grid, entry);
    if (!text_starts_with(entry, "sobol="))
        return optimizer->surrogate && surrogate_restore_entry(optimizer->surrogate, entry);
    if (!text_to_int(entry + strlen("sobol="), &next) || next < 0 || next > UINT32_MAX)
        return false;
    optimizer->sampler.next_sobol = (uint32_t)next;
    return true;
}

static nr_status restore_state(struct optimizer *optimizer, const char *fit)
{
    char *copy = mem_copy_string(fit), *rest = NULL;
    nr_status status = NR_OK;
    if (!copy)
        return log_no_memory(optimizer->log, "restoring the optimizer");
    for (char *entry = strtok_r(copy, " ", &rest); entry; entry = strtok_r(NULL, " ", &rest)) {
        if (!restore_entry(optimizer, entry)) {
            log_error(optimizer->log, "search: the recorded state \"%s\" is not one that this version writes", entry);
            status = NR_INVALID;
            break;
        }
    }
    free(copy);
    return status;
}

nr_status optimizer_restore(struct optimizer *optimizer, int64_t trial, const double *point, const char *method,
                            const char *fit)
{
    (void)method; /* what it did to the state is in `fit` */
    struct optim_admission admission;
    memcpy(optimizer->point, point, optimizer->problem.space->count * sizeof *point);
    point_canonicalise(optimizer->problem.space, optimizer->point);
    if (!problem_admits(&optimizer->problem, optimizer->point, &admission)) {
        log_error(optimizer->log, "search: the recorded point of trial %" PRId64 " is not allowed by this study",
                  trial);
        return NR_INVALID;
    }
    nr_status status = restore_state(optimizer, fit ? fit : "");
    if (status != NR_OK)
        return status;
    if (history_add(&optimizer->history, trial, optimizer->point, &admission) != NR_OK)
        return log_no_memory(optimizer->log, "restoring the optimizer");
    optimizer->suggestions++;
    return NR_OK;
}

static nr_status find_pending(struct optimizer *optimizer, int64_t id, struct history_trial **out)
{
    struct history_trial *trial = history_find(&optimizer->history, id);
    if (!trial || trial->state != TRIAL_PENDING) {
        log_error(optimizer->log, "search: trial %" PRId64 " %s", id, trial ? "ended already" : "was never suggested");
        return NR_INVALID;
    }
    *out = trial;
    return NR_OK;
}

nr_status optimizer_tell(struct optimizer *optimizer, int64_t id, const struct optim_result *result)
{
    struct history_trial *trial;
    nr_status status = find_pending(optimizer, id, &trial);
    if (status != NR_OK)
        return status;
    trial->result = *result;
    trial->state = TRIAL_FINISHED;
    optimizer->history.ended++;
    return NR_OK;
}

nr_status optimizer_fail(struct optimizer *optimizer, int64_t id)
{
    struct history_trial *trial;
    nr_status status = find_pending(optimizer, id, &trial);
    if (status != NR_OK)
        return status;
    trial->state = TRIAL_FAILED;
    optimizer->history.ended++;
    return NR_OK;
}

const struct optim_problem *optimizer_problem(const struct optimizer *optimizer)
{
    return &optimizer->problem;
}

const struct history *optimizer_history(const struct optimizer *optimizer)
{
    return &optimizer->history;
}

const struct optim_options *optimizer_options(const struct optimizer *optimizer)
{
    return &optimizer->options;
}

void optimizer_append_model(const struct optimizer *optimizer, struct text *text)
{
    if (optimizer->surrogate)
        surrogate_append_state(optimizer->surrogate, text);
}
