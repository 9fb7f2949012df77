/* What an optimizer step takes beside the gradient, for every step of a trial, made in double as the CPU's engine makes
 * it (src/train/cpu/optimizer.c). */
#ifndef NASRUN_TRAIN_CUDA_RATES_H
#define NASRUN_TRAIN_CUDA_RATES_H

#include "kernels/kernels.h"
#include "train/recipe.h"

struct k_rate rates_at(const struct recipe *recipe, int64_t step);
/* The part of an update that does not change: optimizer, momentum, betas, decay, clip_norm. */
void rates_describe(const struct recipe *recipe, struct k_update *update);

#endif
