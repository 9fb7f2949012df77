/* Points that differ from a given one in a single dimension (and in what its change switches on or off). */
#ifndef NASRUN_OPTIM_NEIGHBOURS_H
#define NASRUN_OPTIM_NEIGHBOURS_H

#include "base/rng.h"
#include "base/status.h"
#include "space/space.h"

struct neighbours {
    const struct space *space;
    double *unit, *moved, *point; /* [space->count] */
};

typedef nr_status neighbours_visitor(void *context, const double *point);

nr_status neighbours_create(const struct space *space, struct neighbours *out) NR_MUST_CHECK;
void neighbours_clear(struct neighbours *neighbours);
/* Numbers and levels: `step` of the unit cube up and down, and one grid step each way where there is a grid.
 * Categories: every other level, or a random few where there are many. A status of the visitor other than NR_OK ends
 * it. */
nr_status neighbours_visit(struct neighbours *neighbours, const double *point, double step, struct rng *rng,
                           neighbours_visitor *visit, void *context) NR_MUST_CHECK;
/* The same for dimension d alone; an inactive one has no neighbours. */
nr_status neighbours_visit_dimension(struct neighbours *neighbours, const double *point, size_t d, double step,
                                     struct rng *rng, neighbours_visitor *visit, void *context) NR_MUST_CHECK;

#endif
