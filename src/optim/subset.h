/* Which results a model takes where there are many, and in which order.
 *
 * The order is by importance, so that a leading part is the best choice of that size: in turns, the next best result
 * (by layers of the front), the one farthest in the space from all chosen before, and the newest. The worst of each
 * objective come early too: the reference point is theirs. Called once per suggestion. */
#ifndef NASRUN_OPTIM_SUBSET_H
#define NASRUN_OPTIM_SUBSET_H

#include "base/status.h"
#include "optim/kernel.h"

struct subset_rows {
    struct kernel_points x; /* oldest first */
    size_t features;
    const bool *category; /* [features] */
    const double *upward; /* [x.count][objectives], maximised */
    size_t objectives;
};

/* Writes the numbers of `most` different rows (all, where there are fewer) to chosen[], most important first. */
nr_status subset_choose(const struct subset_rows *rows, size_t most, size_t *chosen) NR_MUST_CHECK;

#endif
