/* One lane of a device: what a trial that trains beside others must have for itself. A stream, the libraries' handles
 * bound to it, and a workspace of fixed size, so that a trial's bits do not depend on who trains beside it. Made when
 * first used, kept until the device is closed: cuDNN's handle alone takes a tenth of a second. */
#ifndef NASRUN_TRAIN_CUDA_LANE_H
#define NASRUN_TRAIN_CUDA_LANE_H

#include <stddef.h>

#include "train/cuda/failure.h"

struct lane {
    cudaStream_t stream;
    cublasLtHandle_t blas;
    cudnnHandle_t dnn; /* NULL until lane_use_dnn(): networks of dense layers alone never load cuDNN's kernels */
    void *workspace;
    size_t workspace_size;   /* bytes */
    struct failure *failure; /* the device's */
};

nr_status lane_create(size_t workspace_size, struct failure *failure, struct lane **out) NR_MUST_CHECK;
nr_status lane_use_dnn(struct lane *lane) NR_MUST_CHECK;
void lane_destroy(struct lane *lane); /* NULL is fine */

#endif
