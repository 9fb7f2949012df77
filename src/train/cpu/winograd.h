/* 3x3 convolution with stride 1 by Winograd's F(2x2, 3x3): 16 multiply-adds for 4 outputs instead of 36. (Winograd 1980;
 * Lavin and Gray 2016, section 4.) Used by conv.c where there are channels enough to pay for the transforms.
 *
 *   y = A' [ (G g G') o (B' d B) ] A        per 2x2 outputs, summed over the input channels inside of the bracket
 *
 * d is a 4x4 tile of the input, g the 3x3 weights, o the product by elements. All factors are 0, 1, -1 and 1/2, so a
 * result loses about one bit against the direct sum; F(4x4, 3x3) would lose four. */
#ifndef NASRUN_TRAIN_CPU_WINOGRAD_H
#define NASRUN_TRAIN_CPU_WINOGRAD_H

#include <stdbool.h>

#include "train/cpu/lanes.h"

#define winograd_pays NR_VARIANT(winograd_pays)
#define winograd_packed NR_VARIANT(winograd_packed)
#define winograd_scratch NR_VARIANT(winograd_scratch)
#define winograd_pack NR_VARIANT(winograd_pack)
#define winograd_run NR_VARIANT(winograd_run)
#define winograd_gradient NR_VARIANT(winograd_gradient)
#define winograd_gradient_scratch NR_VARIANT(winograd_gradient_scratch)

/* y[o][h][w] = bias[o] + sum over c, i, j of weight[o][c][i][j] * x[c][h + i - pad_top][w + j - pad_left], one block. */
struct winograd {
    size_t in_channels, out_channels;
    size_t in_height, in_width, out_height, out_width;
    size_t pad_top, pad_left;
    const real *packed;
    const real *bias; /* or NULL */
    bool relu;
};

/* Whether it is faster than the direct sum. */
bool winograd_pays(size_t in_channels, size_t out_channels);
/* Reals of packed weights and of scratch memory. */
size_t winograd_packed(size_t in_channels, size_t out_channels);
size_t winograd_scratch(size_t in_channels, size_t out_channels);

/* The weight of output o, input c, tap (i, j) is weight[o * out_distance + c * in_distance + 3 * i + j], or with
 * `reversed` the tap (2 - i, 2 - j), as the gradient of the input wants it. */
void winograd_pack(size_t in_channels, size_t out_channels, const real *weight, size_t out_distance, size_t in_distance,
                   bool reversed, real *packed);

void winograd_run(const struct winograd *winograd, const real *x, real *y, real *scratch);

/* The gradient of the weights by the same identity read backwards,
 *   dg = G' [ (A dy A') o (B' d B) ] G         summed over tiles and images inside of the bracket
 * added to dweight [out][in][3][3]. packed, bias and relu are not used. */
void winograd_gradient(const struct winograd *winograd, const real *x, const real *dy, size_t blocks, real *dweight,
                      real *scratch);
size_t winograd_gradient_scratch(const struct winograd *winograd);

#endif
