/* Where few points are allowed: a point made allowed and new by another value of one dimension. Constraints like
 * "a + b = 256" or "a divides b" leave almost no random point standing, but many are one change away. */
#ifndef NASRUN_OPTIM_REPAIR_H
#define NASRUN_OPTIM_REPAIR_H

#include "base/rng.h"
#include "optim/history.h"

enum { REPAIR_VALUES = 256 }; /* of a dimension that are tried: all, or a random few of more */

struct repair {
    const struct optim_problem *problem;
    const struct history *history;
    uint32_t *order, *value; /* [dimensions], [REPAIR_VALUES] shuffled */
    double *point;           /* [dimensions] the latest result */
};

nr_status repair_create(const struct optim_problem *problem, const struct history *history,
                        struct repair *out) NR_MUST_CHECK;
void repair_clear(struct repair *repair);
/* Tries the dimensions in random order; true with repair->point and its admission on the first that helps. Every
 * question to the problem is counted down in *tries, at 0 it gives up. */
bool repair_point(struct repair *repair, const double *point, struct rng *rng, size_t *tries,
                  struct optim_admission *out);

#endif
