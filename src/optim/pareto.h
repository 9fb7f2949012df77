/* Dominance, fronts and hypervolume. Everything is maximised here; callers negate what they minimise. */
#ifndef NASRUN_OPTIM_PARETO_H
#define NASRUN_OPTIM_PARETO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* `a` is at least as good everywhere and better somewhere. */
bool pareto_dominates(const double *a, const double *b, size_t objectives);
/* Indices of the points [count][objectives] that no other dominates, best first objective first; of equal points the
 * first only. NaN points are never in it. `front` has room for `count`; returns the number of members. */
size_t pareto_front(const double *points, size_t count, size_t objectives, size_t *front);
/* Volume dominated by the points above the reference point, 1 to 4 objectives (2: sweep; more: WFG, While et al. 2012).
 * Points not above the reference in every objective contribute nothing. */
nr_status pareto_hypervolume(const double *points, size_t count, size_t objectives, const double *reference,
                             double *out) NR_MUST_CHECK;

#endif
