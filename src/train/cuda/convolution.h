/* Convolutions by cuDNN, [N][C][H][W], everything fixed before capture. Only deterministic algorithms are taken, and
 * none that uses TF32 where float32 was asked for. Padding is the same on both sides; the caller pads the rest. */
#ifndef NASRUN_TRAIN_CUDA_CONVOLUTION_H
#define NASRUN_TRAIN_CUDA_CONVOLUTION_H

#include <stdbool.h>
#include <stdint.h>

#include "train/cuda/lane.h"
#include "train/recipe.h"

struct convolution_setup {
    int64_t images, in_channels, in_height, in_width, out_channels, kernel_height, kernel_width;
    int64_t stride, pad_height, pad_width, groups;
    enum precision_kind precision; /* bf16: x, w, y, dy, dx, dw are all bf16, sums float32 */
    bool training;                 /* else forward alone */
    bool data_gradient;            /* the input wants one */
};

struct convolution;

/* NR_INFEASIBLE with the library's word in the failure: no such algorithm within the lane's workspace. */
nr_status convolution_create(struct lane *lane, const struct convolution_setup *setup,
                             struct convolution **out) NR_MUST_CHECK;
nr_status convolution_forward(const struct convolution *convolution, const void *x, const void *w,
                              void *y) NR_MUST_CHECK;
nr_status convolution_backward_data(const struct convolution *convolution, const void *w, const void *dy,
                                    void *dx) NR_MUST_CHECK;
nr_status convolution_backward_weights(const struct convolution *convolution, const void *x, const void *dy,
                                       void *dw) NR_MUST_CHECK;
void convolution_destroy(struct convolution *convolution);

#endif
