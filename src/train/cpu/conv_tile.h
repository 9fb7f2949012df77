/* The inner loop of convolution: a tile of outputs held in registers. Used by conv.c and conv_data.c for the forward
 * pass and the gradient of the input, which is a convolution too. */
#ifndef NASRUN_TRAIN_CPU_CONV_TILE_H
#define NASRUN_TRAIN_CPU_CONV_TILE_H

#include <stdbool.h>

#include "train/cpu/lanes.h"

#define conv_sweep_run NR_VARIANT(conv_sweep_run)
#define conv_tiling_for NR_VARIANT(conv_tiling_for)

/* How output channels are cut into tiles, and so how weights are packed: `count` tiles of `channels` channels, the
 * first `larger` of which have one more; `positions` neighbours at a time. */
struct conv_tiling {
    size_t count, channels, larger, positions;
};

/* The fastest one. Takes about a microsecond: once per call, not once per sweep. */
struct conv_tiling conv_tiling_for(size_t channels);

VEC_INLINE size_t conv_tile_size(const struct conv_tiling *tiling, size_t tile)
{
    return tiling->channels + (tile < tiling->larger);
}

/* A correlation without padding:
 *   y[o][a][b] = bias[o] + sum over c, i, j of weight[o][c][i][j] * x[c][a * stride + i][b * stride + j]
 * on planes with their own distances, counted in reals. */
struct conv_sweep {
    size_t groups, in_per_group;
    struct conv_tiling tiling; /* of the outputs of a group */
    size_t taps_high, taps_wide;
    size_t stride;
    size_t height, width; /* of the output */
    const real *x;
    size_t x_plane, x_row;
    ptrdiff_t x_top, x_end; /* only rows x_top .. x_end - 1 of x are not zero: where a whole tile can, it leaves out
                               taps on the others */
    const real *weight; /* packed: [group][tile][c][i][j][channels of the tile] */
    const real *bias;   /* [output channels] or NULL */
    bool relu;
    real *y;
    size_t y_plane, y_row, y_step; /* y_step: from b to b + 1 */
};

void conv_sweep_run(const struct conv_sweep *sweep);

#endif
