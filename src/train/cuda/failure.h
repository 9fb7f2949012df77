/* The first failure of a device, and how calls of NVIDIA's libraries report theirs.
 *
 * Every call goes through one of the TRY macros inside a function that returns nr_status and has a `struct failure *`
 * at hand. The first cause stays: what follows from it ("capture invalidated") is not worth telling. */
#ifndef NASRUN_TRAIN_CUDA_FAILURE_H
#define NASRUN_TRAIN_CUDA_FAILURE_H

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <nccl.h>
#include <stdbool.h>

#include "base/status.h"

struct failure {
    nr_status status; /* NR_OK, NR_NO_MEMORY, NR_DEVICE; NR_INFEASIBLE: the library cannot do this shape */
    bool sticky;      /* the context is lost: nothing works in this process any more */
    char text[160];   /* "cudaGraphLaunch(exec, stream): an illegal memory access was encountered" */
};

/* Notes it unless something was noted before (that the context is lost is always noted); returns the status that the
 * code means. A library's code is looked through to the runtime's error behind it, which is thereby cleared. */
nr_status failure_cuda(struct failure *failure, const char *call, cudaError_t code);
nr_status failure_blas(struct failure *failure, const char *call, cublasStatus_t code);
nr_status failure_dnn(struct failure *failure, const char *call, cudnnStatus_t code);
nr_status failure_nccl(struct failure *failure, const char *call, ncclResult_t code);
/* The same for what no library reports: "ncclCommInitRankConfig: rank 1 of 4 waited 30 s for the others". */
nr_status failure_note(struct failure *failure, nr_status status, const char *format, ...) NR_PRINTF(3, 4);
/* What cudaStreamQuery() or cudaEventQuery() said. That work is not done is no error and, says the programming guide,
 * not noted as one; cleared all the same, as others do: the next launch of a kernel would report it. */
static inline cudaError_t failure_query(cudaError_t code)
{
    if (code == cudaErrorNotReady)
        (void)cudaGetLastError();
    return code;
}
/* Forgets a failure that was handled: an allocation or a shape that did not work. A lost context stays lost. */
void failure_clear(struct failure *failure);

#define TRY_CUDA(failure, call)                                                                                        \
    do {                                                                                                               \
        cudaError_t code_ = (call);                                                                                    \
        if (code_ != cudaSuccess)                                                                                      \
            return failure_cuda(failure, #call, code_);                                                                \
    } while (0)
#define TRY_BLAS(failure, call)                                                                                        \
    do {                                                                                                               \
        cublasStatus_t code_ = (call);                                                                                 \
        if (code_ != CUBLAS_STATUS_SUCCESS)                                                                            \
            return failure_blas(failure, #call, code_);                                                                \
    } while (0)
#define TRY_DNN(failure, call)                                                                                         \
    do {                                                                                                               \
        cudnnStatus_t code_ = (call);                                                                                  \
        if (code_ != CUDNN_STATUS_SUCCESS)                                                                             \
            return failure_dnn(failure, #call, code_);                                                                 \
    } while (0)
#define TRY_NCCL(failure, call)                                                                                        \
    do {                                                                                                               \
        ncclResult_t code_ = (call);                                                                                   \
        if (code_ != ncclSuccess && code_ != ncclInProgress)                                                           \
            return failure_nccl(failure, #call, code_);                                                                \
    } while (0)

#endif
