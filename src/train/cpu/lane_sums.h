/* Sums of products of planes, the inner loop of the gradient of weights: conv_weights.c, winograd_weights.c.
 *
 * A sum is a vector in memory, one product per lane and position added to it, until lane_sums_reduce() adds up its
 * lanes. */
#ifndef NASRUN_TRAIN_CPU_LANE_SUMS_H
#define NASRUN_TRAIN_CPU_LANE_SUMS_H

#include "train/cpu/lanes.h"

#define lane_sums_add NR_VARIANT(lane_sums_add)
#define lane_sums_reduce NR_VARIANT(lane_sums_reduce)

/* Sizes of a tile: channels * taps sums, the channels' vectors and one of x have to fit the registers. */
#if VEC_REGISTERS == 32
enum { LANE_SUMS_CHANNELS = 4, LANE_SUMS_TAPS = 6 };
#else
enum { LANE_SUMS_CHANNELS = 3, LANE_SUMS_TAPS = 4 };
#endif

struct lane_sums {
    const real *dy; /* [channels] planes */
    size_t dy_plane, dy_row;
    const real *x[LANE_SUMS_TAPS];
    size_t x_row, x_step; /* between rows and between neighbours, as dy steps by one */
    size_t height, width; /* rows and columns of dy to go over */
    real *sums;           /* of channel o and tap k: sums + o * sums_row + k * LANES */
    size_t sums_row;
};

/* sums(o, k) += sum over h, w of dy(o)[h][w] * x(k)[h][w], lane by lane. channels and taps from 1 on. */
void lane_sums_add(size_t channels, size_t taps, const struct lane_sums *tile);

/* to[k] += the sum of the lanes of vector k, k < count. Whole multiples of LANES vectors are read. */
void lane_sums_reduce(const real *sums, size_t count, real *to);

#endif
