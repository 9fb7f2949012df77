/* Visits every point of a finite space once. */
#ifndef NASRUN_OPTIM_WALK_H
#define NASRUN_OPTIM_WALK_H

#include "space/space.h"

/* `point` is canonical and valid during the call; false ends the walk. */
typedef bool walk_visit(void *context, const double *point);

/* True on NR_OK in *complete: every point was visited; false: the visitor ended the walk. The space must be finite
 * (space_size); who calls bounds the work by counting in `visit`. */
nr_status walk_points(const struct space *space, walk_visit *visit, void *context, bool *complete) NR_MUST_CHECK;

#endif
