/* The lanes layout: how the convolutional part of a network keeps its tensors during a step.
 *
 *   [blocks][channels][height][width][LANES], image i of the batch in block i / LANES, lane i % LANES
 *
 * so that a vector register holds one position of LANES images. Any channel count and any width is as fast as any
 * other, nothing is gathered (no im2col), and pooling, ReLU and batch norm are plain vector code. Tensors are dense:
 * no halo, no padding of channels; every vector is aligned. Flattened in this order a block is [C * H * W][LANES], so
 * the step to the rows of a dense layer is one transpose.
 *
 * All functions here and in conv.h, pool.h and batchnorm.h take pointers to the first of `blocks` consecutive blocks,
 * so that the executor can take one block through several layers while it is in the cache.
 *
 * The last block may have fewer images than lanes. Lanes without an image
 *   - hold finite values that mean nothing in activations (0 at the input of the network),
 *   - hold 0 in every gradient: then they add nothing to the gradients of parameters. Functions for which 0 in does
 *     not give 0 out are told the number of images. */
#ifndef NASRUN_TRAIN_CPU_LANES_H
#define NASRUN_TRAIN_CPU_LANES_H

#include "train/cpu/vector.h"

#define lanes_from_rows NR_VARIANT(lanes_from_rows)
#define lanes_to_rows NR_VARIANT(lanes_to_rows)
#define lanes_add NR_VARIANT(lanes_add)

/* Blocks that `images` images take. */
VEC_INLINE size_t lanes_blocks(size_t images)
{
    return (images + LANES - 1) / LANES;
}

/* Images of block `block` of a batch of `images`: LANES but for the last. */
VEC_INLINE size_t lanes_in_block(size_t images, size_t block)
{
    size_t before = block * LANES;
    return images <= before ? 0 : images - before < LANES ? images - before : LANES;
}

/* rows[i * stride + f], i < images, f < features  ->  lanes[lanes_blocks(images)][features][LANES]; lanes without an
 * image become 0. Rows need no alignment. */
void lanes_from_rows(const real *rows, size_t stride, size_t images, size_t features, real *lanes);
/* The way back; nothing but the `images` rows is written. */
void lanes_to_rows(const real *lanes, size_t images, size_t features, real *rows, size_t stride);

/* sum[i] = a[i] + b[i], count a multiple of LANES; sum may be a or b. The end of a residual, and where the gradients
 * of a tensor with two readers meet. */
void lanes_add(const real *a, const real *b, size_t count, real *sum);

#endif
