#include "run/problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

_Static_assert((int)STUDY_MAX_OBJECTIVES == (int)OPTIM_MAX_OBJECTIVES, "objectives of a study are the optimiser's");
_Static_assert((int)STUDY_MAX_OUTCOME_CONSTRAINTS == (int)OPTIM_MAX_CONSTRAINTS, "and so are outcome constraints");

static void describe_objectives(const struct study *study, struct optim_problem *optim)
{
    static const enum optim_transform transforms[] = {TRANSFORM_AUTO, TRANSFORM_NONE,
                                                      TRANSFORM_HALF_RANK}; /* as enum objective_transform */
    optim->objectives = study->objectives;
    for (size_t i = 0; i < study->objectives; i++) {
        const struct objective *objective = &study->objective[i];
        optim->objective[i] = (struct optim_objective){.maximize = objective->maximize,
                                                       .exact = objective->exact,
                                                       .threshold = objective->threshold,
                                                       .transform = transforms[objective->transform]};
    }
}

/* In the study's order, as replay_result() tells them. */
static void describe_outcome_constraints(const struct study *study, struct optim_problem *optim)
{
    for (size_t i = 0; i < study->constraints; i++)
        if (study->constraint[i].outcome)
            optim->constraint[optim->constraints++] = (struct optim_constraint){
                .at_most = study->constraint[i].relation == RELATION_AT_MOST, .bound = study->constraint[i].bound};
}

void problem_init(struct problem *problem, const struct study *study, struct shape input, int64_t classes,
                  int64_t training_images)
{
    *problem = (struct problem){.study = study, .input = input, .classes = classes, .training_images = training_images};
    problem->optim.space = &study->space;
    problem->optim.admit = problem_admit;
    problem->optim.context = problem;
    describe_objectives(study, &problem->optim);
    describe_outcome_constraints(study, &problem->optim);
}

void problem_init_external(struct problem *problem, const struct study *study)
{
    problem_init(problem, study, (struct shape){0}, 0, 0);
}

double problem_exact(const char *name, const struct plan *plan, const struct recipe *recipe)
{
    if (!strcmp(name, "parameters"))
        return (double)plan->parameters;
    if (!strcmp(name, "macs"))
        return (double)plan->macs;
    if (!strcmp(name, "memory"))
        return (double)plan_training_bytes(plan, recipe->batch_size, recipe_optimizer_slots(recipe));
    return NAN;
}

void problem_identity(const struct plan *plan, const struct recipe *recipe, char out[OPTIM_IDENTITY_SIZE])
{
    char digest[FILE_DIGEST_SIZE];
    struct recipe_identity identity;
    recipe_identify(recipe, &identity);
    digest_bytes(identity.bytes, identity.length, digest);
    memcpy(out, plan->identity, 32);
    memcpy(out + 32, digest, 32);
    out[64] = '\0';
}

void problem_point_identity(const struct problem *problem, const double *point, char out[OPTIM_IDENTITY_SIZE])
{
    _Static_assert((int)FILE_DIGEST_SIZE == (int)OPTIM_IDENTITY_SIZE, "a digest is an identity");
    digest_bytes(point, problem->study->space.count * sizeof *point, out);
}

static void append_place(struct text *reason, const struct constraint *constraint)
{
    config_append_place(reason, constraint->file, constraint->line, "constraints", constraint->name);
}

/* "mnist.ini:40: [constraints] parameters is 5000, more than 4000" */
static void append_breach(struct text *reason, const struct constraint *constraint, double value)
{
    append_place(reason, constraint);
    text_format(reason, " is %.15g, %s %.15g", value,
                constraint->relation == RELATION_AT_MOST ? "more than" : "less than", constraint->bound);
}

static void append_broken(struct text *reason, const struct study *study, const struct constraint *broken,
                          const double *point)
{
    if (broken->relation != RELATION_EXPRESSION) {
        append_breach(reason, broken, study_exact_value(study, broken->value, point));
        return;
    }
    append_place(reason, broken);
    text_append(reason, " does not hold");
}

/* An exact objective that has no value at this point; NULL: all have one. */
static const struct objective *find_undefined(const struct study *study, const double *point)
{
    for (size_t i = 0; i < study->objectives; i++)
        if (study->objective[i].expression && isnan(study_exact_value(study, i, point)))
            return &study->objective[i];
    return NULL;
}

nr_status problem_check_point(const struct problem *problem, const double *point, struct text *reason)
{
    const struct study *study = problem->study;
    const struct constraint *broken = study_broken(study, point);
    const struct objective *undefined = broken ? NULL : find_undefined(study, point);
    if (broken && reason)
        append_broken(reason, study, broken, point);
    if (undefined && reason)
        text_format(reason, "%s has no value: %s", undefined->name, expression_text(undefined->expression));
    return broken || undefined ? NR_INFEASIBLE : NR_OK;
}

static bool within(const struct constraint *constraint, const struct plan *plan, const struct recipe *recipe,
                   struct text *reason)
{
    if (constraint->relation == RELATION_EXPRESSION || constraint->outcome)
        return true; /* seen to by problem_check_point(), or left to the trial */
    double value = problem_exact(constraint->name, plan, recipe);
    if (constraint_holds(constraint, value))
        return true;
    if (reason)
        append_breach(reason, constraint, value);
    return false;
}

nr_status problem_plan(const struct problem *problem, const double *point, struct text *reason, struct plan **plan,
                       struct recipe *recipe)
{
    const struct study *study = problem->study;
    struct plan *built;
    nr_status status = problem_check_point(problem, point, reason);
    if (status == NR_OK)
        status = plan_build(study, point, problem->input, problem->classes, reason, &built);
    if (status != NR_OK)
        return status;
    recipe_from_point(study, point, problem->training_images, recipe);
    for (size_t i = 0; i < study->constraints; i++) {
        if (!within(&study->constraint[i], built, recipe, reason)) {
            plan_destroy(built);
            return NR_INFEASIBLE;
        }
    }
    *plan = built;
    return NR_OK;
}

static bool admit_external(const struct problem *problem, const double *point, struct optim_admission *out)
{
    if (problem_check_point(problem, point, NULL) != NR_OK)
        return false;
    for (size_t i = 0; i < problem->study->objectives; i++)
        out->exact[i] = study_exact_value(problem->study, i, point);
    out->work = 0;
    problem_point_identity(problem, point, out->identity);
    return true;
}

bool problem_admit(void *context, const double *point, struct optim_admission *out)
{
    const struct problem *problem = context;
    struct plan *plan;
    struct recipe recipe;
    if (problem->study->external)
        return admit_external(problem, point, out);
    if (problem_plan(problem, point, NULL, &plan, &recipe) != NR_OK)
        return false;
    for (size_t i = 0; i < problem->study->objectives; i++)
        out->exact[i] =
            problem->study->objective[i].exact ? problem_exact(problem->study->objective[i].name, plan, &recipe) : NAN;
    out->work = (double)plan->macs * (double)problem->training_images * (double)recipe.epochs;
    problem_identity(plan, &recipe, out->identity);
    plan_destroy(plan);
    return true;
}
