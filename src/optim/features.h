/* Points as the kernel sees them: one feature per dimension that can vary.
 *
 * Numbers and ordered levels lie in [0,1] as point_to_unit() places them (whole numbers are rounded before the kernel
 * sees them, since points are canonical). Categories are their level. An inactive dimension has one value that says so:
 * the middle for numbers, -1 for categories; between two points in which it is inactive it contributes nothing. Leaving
 * it out also between an active and an inactive one would not be a positive definite kernel; there the condition's own
 * dimension differs as well. */
#ifndef NASRUN_OPTIM_FEATURES_H
#define NASRUN_OPTIM_FEATURES_H

#include "base/status.h"
#include "space/space.h"

struct features {
    const struct space *space;
    size_t count;
    size_t *dimension; /* [count] */
    bool *category;    /* [count] */
    double *unit;      /* [space->count] work */
};

nr_status features_create(const struct space *space, struct features *out) NR_MUST_CHECK;
void features_clear(struct features *features);
/* Writes feature j of the point to column[j * stride]. */
void features_of(struct features *features, const double *point, double *column, size_t stride);

#endif
