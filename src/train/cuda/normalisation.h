/* Batch normalisation by cuDNN over [images][channels][positions]; constants as in the CPU engine: epsilon 1e-5,
 * running = 0.9 running + 0.1 of the batch, unbiased variance. A single value per channel is not cuDNN's: see
 * k_norm_single_forward(). */
#ifndef NASRUN_TRAIN_CUDA_NORMALISATION_H
#define NASRUN_TRAIN_CUDA_NORMALISATION_H

#include <stdint.h>

#include "train/cuda/lane.h"

struct normalisation;

nr_status normalisation_create(struct lane *lane, int64_t images, int64_t channels, int64_t positions,
                               struct normalisation **out) NR_MUST_CHECK;
/* saved_mean, saved_inverse [channels]: for backward. */
nr_status normalisation_forward(const struct normalisation *norm, const float *x, const float *gamma, const float *beta,
                                float *y, float *running_mean, float *running_variance, float *saved_mean,
                                float *saved_inverse) NR_MUST_CHECK;
nr_status normalisation_evaluate(const struct normalisation *norm, const float *x, const float *gamma,
                                 const float *beta, const float *running_mean, const float *running_variance,
                                 float *y) NR_MUST_CHECK;
/* dx is overwritten (it must not be dy), so are dgamma and dbeta. */
nr_status normalisation_backward(const struct normalisation *norm, const float *x, const float *dy, const float *gamma,
                                 const float *saved_mean, const float *saved_inverse, float *dx, float *dgamma,
                                 float *dbeta) NR_MUST_CHECK;
void normalisation_destroy(struct normalisation *norm);

#endif
