/* Gradient climbs on the continuous dimensions, from several candidates at once; everything else of a point stays. */
#ifndef NASRUN_OPTIM_REFINE_H
#define NASRUN_OPTIM_REFINE_H

#include "optim/ascent.h"
#include "optim/candidates.h"

enum { REFINE_STARTS = 6 };

struct refiner {
    const struct optim_problem *problem;
    size_t *dimension, count; /* the continuous ones */
    bool slopes;              /* what is known beforehand may change with them */
    struct ascent ascent[REFINE_STARTS];
    double *base;                   /* [REFINE_STARTS][space->count] unit cube, of the start */
    double *point, *gradient;       /* [REFINE_STARTS][space->count] of a round */
    double *shifted, *shifted_unit; /* [space->count] */
    double *x, *by_x;               /* [count] */
    struct admission_slope *slope;  /* [REFINE_STARTS][space->count] */
};

nr_status refiner_create(const struct optim_problem *problem, const struct optim_options *options,
                         struct refiner *out) NR_MUST_CHECK;
void refiner_clear(struct refiner *refiner);
/* Climbs from candidates start[0 .. starts-1], at most `rounds` evaluations each, and adds the points on the way as
 * scored candidates. All candidates must be scored. Known constraints hold for every point: no step leads elsewhere. */
nr_status refine(struct refiner *refiner, struct candidates *candidates, struct surrogate *surrogate,
                 const size_t *start, size_t starts, int rounds) NR_MUST_CHECK;

#endif
