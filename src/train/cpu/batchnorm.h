/* Batch norm in the lanes layout (lanes.h).
 *
 * Training: y = gamma (x - mean) / sqrt(variance + eps) + beta with the mean and the biased variance of the batch over
 * images and positions; running statistics = 0.9 running + 0.1 of the batch, whose variance then is the unbiased one.
 * Evaluation: the same with the running statistics. (Ioffe and Szegedy 2015; constants as in PyTorch.)
 *
 * A step, the executor's calls in order:
 *   batchnorm_start(); batchnorm_observe() for every block of x, in order; batchnorm_finish() gives scale and shift;
 *   batchnorm_forward(), or a pool with the affine map, for every block;
 *   backward: batchnorm_gather() for every block, in order; batchnorm_gradients(); batchnorm_backward() for every block.
 * With `pool` (batch norm, perhaps ReLU, and a maximum pool that is `disjoint`) the backward functions read the
 * gradient of the pool's output and its trace, so the gradient in between never exists in memory.
 *
 * Sums run in the arithmetic type within a lane of one channel of one block, around that lane's first value, and are
 * merged in double (Chan, Golub and LeVeque 1979): a mean far from 0 costs no accuracy. */
#ifndef NASRUN_TRAIN_CPU_BATCHNORM_H
#define NASRUN_TRAIN_CPU_BATCHNORM_H

#include <stdbool.h>

#include "base/memory.h"
#include "net/plan.h"
#include "train/cpu/lanes.h"
#include "train/cpu/pool.h"

#define batchnorm_prepare NR_VARIANT(batchnorm_prepare)
#define batchnorm_start NR_VARIANT(batchnorm_start)
#define batchnorm_observe NR_VARIANT(batchnorm_observe)
#define batchnorm_finish NR_VARIANT(batchnorm_finish)
#define batchnorm_evaluate NR_VARIANT(batchnorm_evaluate)
#define batchnorm_forward NR_VARIANT(batchnorm_forward)
#define batchnorm_gather NR_VARIANT(batchnorm_gather)
#define batchnorm_gradients NR_VARIANT(batchnorm_gradients)
#define batchnorm_backward NR_VARIANT(batchnorm_backward)

struct batchnorm {
    size_t channels, positions; /* positions = height * width */
    bool relu; /* max(0, .) behind it, in the same pass */
    size_t seen; /* values per channel so far */
    /* per channel, of this step */
    double *mean, *squares;               /* of the values seen so far; squares: sum of squared deviations */
    double *gradient_sum, *gradient_dot;  /* sums of g and of g (x - mean) */
    real *scale, *shift;                  /* y = scale x + shift */
    real *centre, *deviation;             /* mean of the batch, 1 / sqrt(variance + eps) */
    real *from_g, *from_x, *constant;     /* dx = from_g g + from_x (x - mean) + constant */
};

/* Of a layer of kind OP_BATCHNORM. Takes the arrays from `arena`, to be called in both of its passes. */
void batchnorm_prepare(const struct plan_layer *layer, bool relu, struct arena *arena, struct batchnorm *out);

void batchnorm_start(struct batchnorm *norm);
/* Takes in `images` images, x the first of their lanes_blocks(images) blocks. */
void batchnorm_observe(struct batchnorm *norm, const real *x, size_t images);
/* Scale and shift of this step; running mean and variance [channels] are moved on, unless NULL. */
void batchnorm_finish(struct batchnorm *norm, const real *gamma, const real *beta, real *running_mean,
                      real *running_variance);
/* Scale and shift of the evaluation mode. */
void batchnorm_evaluate(struct batchnorm *norm, const real *gamma, const real *beta, const real *running_mean,
                        const real *running_variance);

/* y may be x. */
void batchnorm_forward(const struct batchnorm *norm, const real *x, size_t blocks, real *y);

/* Takes in the gradients of `images` images. x is what batchnorm_observe() got; dy the gradient of y or, with a pool
 * (may be NULL), of the pool's output, whose trace belongs to these blocks. ReLU's derivative is applied here. */
void batchnorm_gather(struct batchnorm *norm, const struct pool *pool, const uint8_t *trace, const real *x,
                      const real *dy, size_t blocks);
/* Adds to dgamma and dbeta, and makes ready for batchnorm_backward(). */
void batchnorm_gradients(struct batchnorm *norm, const real *gamma, real *dgamma, real *dbeta);
/* dx of `images` images; lanes without an image become 0. dx may be x, or dy without a pool. */
void batchnorm_backward(const struct batchnorm *norm, const struct pool *pool, const uint8_t *trace, const real *x,
                        const real *dy, size_t images, real *dx);

#endif
