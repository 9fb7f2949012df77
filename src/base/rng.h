/* A sequential stream of random numbers over the counter-based generator of kernels/math/random.h.
 *
 * Two streams that differ in any of seed, trial, purpose, stream or step are independent; the same five give the same
 * numbers on every machine. */
#ifndef NASRUN_BASE_RNG_H
#define NASRUN_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/math/random.h"

struct rng {
    uint64_t seed;
    uint32_t trial, stream, step;
    enum random_purpose purpose;
    uint32_t index;    /* next block */
    uint32_t words[4]; /* of the last block */
    unsigned left;     /* words of it not handed out yet */
};

struct rng rng_create(uint64_t seed, uint32_t trial, enum random_purpose purpose, uint32_t stream, uint32_t step);
uint32_t rng_word(struct rng *rng);
double rng_unit(struct rng *rng);                        /* [0,1), 53 bits */
double rng_normal(struct rng *rng);                      /* N(0,1), Box-Muller without the second value */
uint32_t rng_below(struct rng *rng, uint32_t bound);     /* [0,bound), unbiased (Lemire 2019); bound > 0 */
void rng_shuffle(struct rng *rng, uint32_t *array, size_t count); /* Fisher-Yates; count < 2^32 */

#endif
