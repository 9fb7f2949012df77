/* What a device could do at the most, from what the runtime tells of it: the yardstick of `nasrun bench`. */
#ifndef NASRUN_TRAIN_CUDA_LIMITS_H
#define NASRUN_TRAIN_CUDA_LIMITS_H

#include "train/recipe.h"

/* FLOP per second of dense products, a multiply-add counting two: multiprocessors * clock * what one of them does in a
 * cycle by NVIDIA's tables of arithmetic throughput (float32: CUDA cores; tf32 and bf16: tensor cores with float32
 * sums, of the data-centre boards). clock_khz: the highest, cudaDevAttrClockRate. 0: a compute capability that is not
 * in the table, or that lacks the precision. */
double limits_peak(int major, int minor, int multiprocessors, int clock_khz, enum precision_kind precision);

#endif
