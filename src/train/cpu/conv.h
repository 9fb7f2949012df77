/* Convolution in the lanes layout (lanes.h): forward, gradient of the input, gradient of weight and bias.
 *
 *   y[o][h][w] = bias[o] + sum over c, i, j of weight[o][c][i][j] * x[c][h * stride + i - pad_top][w * stride + j - pad_left]
 *
 * with x zero outside of the image and c over the channels of o's group. Any kernel, stride, padding (each side its
 * own) and number of groups; depthwise and 1x1 are the same code with other tiles. Called by the executor for every
 * block of every step; nothing here allocates.
 *
 * A multiply-add takes one vector of LANES images and one weight that is broadcast. A tile of outputs (channels times
 * neighbours in a row) stays in registers over the whole sum. Weights are packed once per step in the order in which
 * the tiles read them. Padding is done by copying the block into a larger plane in scratch memory: one load and store
 * per element, against kernel area times output channels multiply-adds. */
#ifndef NASRUN_TRAIN_CPU_CONV_H
#define NASRUN_TRAIN_CPU_CONV_H

#include <stdbool.h>

#include "net/plan.h"
#include "train/cpu/lanes.h"

#define conv_prepare NR_VARIANT(conv_prepare)
#define conv_pack NR_VARIANT(conv_pack)
#define conv_forward NR_VARIANT(conv_forward)
#define conv_backward_data NR_VARIANT(conv_backward_data)
#define conv_backward_weights NR_VARIANT(conv_backward_weights)

struct conv {
    size_t in_channels, in_height, in_width;
    size_t out_channels, out_height, out_width;
    size_t kernel_height, kernel_width, stride, groups;
    size_t pad_top, pad_bottom, pad_left, pad_right;
    size_t weights;     /* their number */
    bool winograd_forward, winograd_data, winograd_weights; /* 3x3, stride 1, many channels: winograd.h does it */
    size_t packed;      /* reals that conv_pack() writes, 64-byte aligned */
    size_t packed_data; /* where in them the part for the gradient of the input starts */
    size_t scratch;     /* reals of scratch memory of any call, 64-byte aligned; may be shared by all layers */
};

/* Of a layer of kind OP_CONV. */
void conv_prepare(const struct plan_layer *layer, struct conv *out);

/* Must be repeated after every change of the weights. `weight` is the plan's [out][in / groups][height][width]. Without
 * `data_gradient` (evaluation; a first layer, whose input needs no gradient) conv_backward_data() must not be called. */
void conv_pack(const struct conv *conv, const real *weight, bool data_gradient, real *packed);

/* y = conv(x) + bias, or max(0, that) with `relu`; bias may be NULL. x and y are `blocks` blocks each and do not
 * overlap. */
void conv_forward(const struct conv *conv, const real *packed, const real *bias, bool relu, const real *x,
                  size_t blocks, real *y, real *scratch);

/* dx = gradient of the input from dy, the gradient of the output (of the sum before any ReLU); dx is overwritten. */
void conv_backward_data(const struct conv *conv, const real *packed, const real *dy, size_t blocks, real *dx,
                        real *scratch);

/* Adds to dweight (the plan's layout) and, unless NULL, to dbias: the caller zeroes them once per step. More blocks in
 * one call are cheaper. The order of summation is that of the blocks, so the same calls give the same bits. */
void conv_backward_weights(const struct conv *conv, const real *x, const real *dy, size_t blocks, real *dweight,
                           real *dbias, real *scratch);

#endif
