/* Pooling in the lanes layout (lanes.h): maximum, average, global average; with what usually stands before it, an
 * affine map per channel (batch norm) and ReLU, done on the way in.
 *
 *   v = x                                 as it is
 *   v = scale[c] * x + shift[c]           with `affine`
 *   v = max(0, v)                         with `relu`
 *   y = maximum or mean of v over the window
 *
 * Maximum: positions in the padding do not take part; the first maximum in row-major order takes the gradient, and
 * nothing does where ReLU gave 0. Average: positions in the padding count as 0 and are counted in the divisor, the
 * whole window's size (PyTorch's count_include_pad=True).
 *
 * What the backward pass needs is kept in `trace`, bytes that the forward pass writes: where the maximum was (one byte
 * per output, two for windows over 255), or which inputs ReLU let through (one bit per input). x may be forgotten. */
#ifndef NASRUN_TRAIN_CPU_POOL_H
#define NASRUN_TRAIN_CPU_POOL_H

#include <stdbool.h>

#include "net/plan.h"
#include "train/cpu/lanes.h"

#define pool_prepare NR_VARIANT(pool_prepare)
#define pool_forward NR_VARIANT(pool_forward)
#define pool_backward NR_VARIANT(pool_backward)

struct pool {
    bool maximum; /* else average; global average is one window */
    bool relu;
    size_t channels, in_height, in_width, out_height, out_width;
    size_t kernel_height, kernel_width, stride, pad_top, pad_left;
    size_t trace; /* bytes of trace per block, a multiple of 64; 0: none needed */
    bool disjoint; /* maximum, every input in at most one window, none in the padding, window at most 255: batch norm's
                      backward pass can be fused with this one's */
};

/* Of a layer of kind OP_MAXPOOL, OP_AVGPOOL or OP_GLOBALAVGPOOL, preceded by ReLU or not. */
void pool_prepare(const struct plan_layer *layer, bool relu, struct pool *out);

/* scale and shift [channels], or both NULL. trace (`blocks` times pool->trace bytes, 64-byte aligned) may be NULL in
 * evaluation. */
void pool_forward(const struct pool *pool, const real *scale, const real *shift, const real *x, size_t blocks,
                  real *y, uint8_t *trace);

/* dv, the gradient before ReLU (and behind the affine map); overwritten. */
void pool_backward(const struct pool *pool, const uint8_t *trace, const real *dy, size_t blocks, real *dv);

#endif
