/* Counter-based random numbers, the same in C and in CUDA: Philox4x32-10 (Salmon et al. 2011, Random123).
 *
 * key     = the study's seed
 * counter = {index, step, purpose + stream, trial}
 *
 * A number depends on what it is for and not on what was drawn before it, so that a trial is the same bits on every
 * backend, after every resume, and whatever else runs beside it. `stream` tells uses of one purpose apart (the layer of
 * a dropout mask, say) and stays below 2^24. */
#ifndef NASRUN_KERNELS_MATH_RANDOM_H
#define NASRUN_KERNELS_MATH_RANDOM_H

#include <Random123/philox.h>
#include <stdint.h>

#ifdef __CUDACC__
#define NR_HOST_DEVICE __host__ __device__
#else
#define NR_HOST_DEVICE
#endif

enum random_purpose { /* the top byte of the third counter word; never renumber: recorded studies depend on it */
                      RANDOM_SPLIT = 1, /* which images validate, which are used at all */
                      RANDOM_INITIAL,   /* initial weights; stream = layer */
                      RANDOM_ORDER,     /* order of the images; step = pass over the data */
                      RANDOM_AUGMENT,   /* shifts, flips, erased boxes; step = pass, index = image */
                      RANDOM_DROPOUT,   /* masks; stream = layer, step = optimizer step, index = element / 8 (16 bits
                                           each) */
                      RANDOM_SEARCH,    /* the optimiser: scrambling, candidates, multi-starts; trial = number of the
                                           suggestion */
                      RANDOM_TEST,      /* tests and generated data */
};

/* Four independent 32-bit words. */
static inline NR_HOST_DEVICE void random_block(uint64_t seed, uint32_t trial, enum random_purpose purpose,
                                               uint32_t stream, uint32_t step, uint32_t index, uint32_t out[4])
{
    philox4x32_ctr_t counter = {{index, step, ((uint32_t)purpose << 24) + stream, trial}};
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t words = philox4x32(counter, key);
    for (int i = 0; i < 4; i++)
        out[i] = words.v[i];
}

/* In [0,1), 24 bits: exact in float. */
static inline NR_HOST_DEVICE float random_unit_float(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24f;
}

/* Dropout: element e of a layer is kept where its 16-bit number is at least this threshold, i.e. with probability
 * 1 - rate to within 2^-17; element e takes half-word e % 8 of the block of index e / 8, low half first. Elements
 * are counted as sample-of-the-batch * elements-per-sample + element in [C,H,W] order, whatever the layout in memory.
 */
static inline NR_HOST_DEVICE uint32_t random_dropout_threshold(double rate)
{
    return (uint32_t)(rate * 65536.0 + 0.5);
}

#endif
