/* The points that a suggestion is chosen from: allowed, of no network in the history, scored in batches. */
#ifndef NASRUN_OPTIM_CANDIDATES_H
#define NASRUN_OPTIM_CANDIDATES_H

#include "optim/surrogate.h"

struct candidates {
    const struct optim_problem *problem;
    const struct history *history;
    double *points; /* [count][space->count] */
    struct optim_admission *admission;
    struct score *score; /* [scored] */
    size_t count, scored;
    size_t points_capacity, admission_capacity, score_capacity;
};

void candidates_clear(struct candidates *candidates);
static inline const double *candidates_point(const struct candidates *candidates, size_t index)
{
    return candidates->points + index * candidates->problem->space->count;
}
/* Takes a canonical point when it is allowed and new. `context` is the struct candidates: also a neighbours_visitor. */
nr_status candidates_add(void *context, const double *point) NR_MUST_CHECK;
/* Takes one that is known to be. */
nr_status candidates_add_admitted(struct candidates *candidates, const double *point,
                                  const struct optim_admission *admission) NR_MUST_CHECK;
/* Scores those that were added since. */
nr_status candidates_score(struct candidates *candidates, struct surrogate *surrogate) NR_MUST_CHECK;
/* The best scored one from index `first` on; SIZE_MAX when there is none. */
size_t candidates_best(const struct candidates *candidates, size_t first);

#endif
