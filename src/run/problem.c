#include "run/problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

void problem_init(struct problem *problem, const struct study *study, struct shape input, int64_t classes,
                  int64_t training_images)
{
    *problem = (struct problem){.study = study, .input = input, .classes = classes, .training_images = training_images};
    problem->optim.space = &study->space;
    problem->optim.objectives = study->objectives;
    problem->optim.admit = problem_admit;
    problem->optim.context = problem;
    for (size_t i = 0; i < study->objectives; i++) {
        const struct objective *objective = &study->objective[i];
        problem->optim.objective[i] =
            (struct optim_objective){.maximize = objective->maximize,
                                     .exact = objective->exact,
                                     .threshold = objective->threshold,
                                     .transform = objective->exact ? TRANSFORM_NONE : TRANSFORM_HALF_RANK};
    }
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

static bool within(const struct constraint *constraint, const struct plan *plan, const struct recipe *recipe,
                   struct text *reason)
{
    if (constraint->relation == RELATION_EXPRESSION)
        return true; /* study_allows() has seen to it */
    double value = problem_exact(constraint->name, plan, recipe);
    bool at_most = constraint->relation == RELATION_AT_MOST;
    if (at_most ? value <= constraint->bound : value >= constraint->bound)
        return true;
    if (reason) {
        config_append_place(reason, constraint->file, constraint->line, "constraints", constraint->name);
        text_format(reason, " is %.15g, %s %.15g", value, at_most ? "more than" : "less than", constraint->bound);
    }
    return false;
}

nr_status problem_plan(const struct problem *problem, const double *point, struct text *reason, struct plan **plan,
                       struct recipe *recipe)
{
    const struct study *study = problem->study;
    if (!study_allows(study, point)) {
        if (reason)
            text_append(reason, "an expression of [constraints] does not hold");
        return NR_INFEASIBLE;
    }
    struct plan *built;
    nr_status status = plan_build(study, point, problem->input, problem->classes, reason, &built);
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

bool problem_admit(void *context, const double *point, struct optim_admission *out)
{
    const struct problem *problem = context;
    struct plan *plan;
    struct recipe recipe;
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
