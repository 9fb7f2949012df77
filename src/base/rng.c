#include "base/rng.h"

#include <math.h>

struct rng rng_create(uint64_t seed, uint32_t trial, enum random_purpose purpose, uint32_t stream, uint32_t step)
{
    return (struct rng){.seed = seed, .trial = trial, .purpose = purpose, .stream = stream, .step = step};
}

uint32_t rng_word(struct rng *rng)
{
    if (rng->left == 0) {
        random_block(rng->seed, rng->trial, rng->purpose, rng->stream, rng->step, rng->index++, rng->words);
        rng->left = 4;
    }
    return rng->words[4 - rng->left--];
}

double rng_unit(struct rng *rng)
{
    uint64_t high = rng_word(rng) >> 5, low = rng_word(rng) >> 6;
    return (double)(high << 26 | low) * 0x1p-53;
}

double rng_normal(struct rng *rng)
{
    double radius = sqrt(-2 * log1p(-rng_unit(rng))); /* 1 - u is never 0 */
    return radius * cos(6.283185307179586 * rng_unit(rng));
}

uint32_t rng_below(struct rng *rng, uint32_t bound)
{
    uint64_t product = (uint64_t)rng_word(rng) * bound;
    if ((uint32_t)product < bound) {
        uint32_t biased = -bound % bound;
        while ((uint32_t)product < biased)
            product = (uint64_t)rng_word(rng) * bound;
    }
    return (uint32_t)(product >> 32);
}

void rng_shuffle(struct rng *rng, uint32_t *array, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = rng_below(rng, (uint32_t)i);
        uint32_t swapped = array[i - 1];
        array[i - 1] = array[j];
        array[j] = swapped;
    }
}
