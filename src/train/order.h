/* The order of the images: an endless sequence of passes over the training share, each a permutation of its own.
 * Position p of the sequence is a pure function of (seed, trial, p), so that any step can be resumed at. */
#ifndef NASRUN_TRAIN_ORDER_H
#define NASRUN_TRAIN_ORDER_H

#include <stdint.h>

#include "base/status.h"

struct order {
    uint64_t seed;
    uint32_t trial;
    const uint32_t *images; /* [count]: the training share; not owned */
    int64_t count;
    int64_t pass;          /* whose permutation is at hand, -1: none yet */
    uint32_t *permutation; /* [count] of image indices */
};

nr_status order_create(uint64_t seed, uint32_t trial, const uint32_t *images, int64_t count,
                       struct order *out) NR_MUST_CHECK;
/* Image indices at positions [position, position + n) into `out`; `pass_of` (may be NULL) gets each one's pass, which
 * augmentation draws from. */
void order_take(struct order *order, int64_t position, int64_t n, uint32_t *out, uint32_t *pass_of);
void order_clear(struct order *order);

#endif
