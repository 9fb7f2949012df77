/* What the optimiser must know of the world and may not include: which points are allowed, what is known of them before
 * a trial, and which are the same. Made once per search; admits some thousand points per suggestion. */
#ifndef NASRUN_RUN_PROBLEM_H
#define NASRUN_RUN_PROBLEM_H

#include "net/plan.h"
#include "optim/optimizer.h"
#include "space/study.h"
#include "train/recipe.h"

struct problem {
    const struct study *study;
    struct shape input; /* of one image */
    int64_t classes;
    int64_t training_images;
    struct optim_problem optim; /* its callback is problem_admit with this struct as context: do not move it */
};

void problem_init(struct problem *problem, const struct study *study, struct shape input, int64_t classes,
                  int64_t training_images);
/* For a study with external objectives: needs no data. */
void problem_init_external(struct problem *problem, const struct study *study);
optim_admit problem_admit;

/* Whether a point of a study with external objectives may be tried: the constraints that follow from it hold, and its
 * exact objectives have values. NR_INFEASIBLE, with the reason appended to `reason` (may be NULL), where not. */
nr_status problem_check_point(const struct problem *problem, const double *point, struct text *reason) NR_MUST_CHECK;
/* Identity of a point there: equal for equal points, which are canonical. */
void problem_point_identity(const struct problem *problem, const double *point, char out[OPTIM_IDENTITY_SIZE]);

/* Of a study that trains: plan and recipe of a point. NR_INFEASIBLE, with the reason appended to `reason` (may be
 * NULL), where there is no network or a constraint does not hold. */
nr_status problem_plan(const struct problem *problem, const double *point, struct text *reason, struct plan **plan,
                       struct recipe *recipe) NR_MUST_CHECK;
/* "parameters", "macs" or "memory" of a network; NaN for a name that is no exact quantity. */
double problem_exact(const char *name, const struct plan *plan, const struct recipe *recipe);
/* Identity of network and recipe together: equal for trials that would be the same. */
void problem_identity(const struct plan *plan, const struct recipe *recipe, char out[OPTIM_IDENTITY_SIZE]);

#endif
