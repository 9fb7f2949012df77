#include "train/cuda/lane.h"

#include <stdlib.h>

#include "base/memory.h"

static nr_status fill(struct lane *lane)
{
    struct failure *failure = lane->failure;
    TRY_CUDA(failure, cudaStreamCreateWithFlags(&lane->stream, cudaStreamNonBlocking));
    TRY_BLAS(failure, cublasLtCreate(&lane->blas));
    TRY_CUDA(failure, cudaMalloc(&lane->workspace, lane->workspace_size));
    return NR_OK;
}

nr_status lane_create(size_t workspace_size, struct failure *failure, struct lane **out)
{
    struct lane *lane = mem_array(1, sizeof *lane);
    if (!lane)
        return failure_note(failure, NR_NO_MEMORY, "out of memory while making a lane");
    lane->workspace_size = workspace_size;
    lane->failure = failure;
    nr_status status = fill(lane);
    if (status != NR_OK) {
        lane_destroy(lane);
        return status;
    }
    *out = lane;
    return NR_OK;
}

nr_status lane_use_dnn(struct lane *lane)
{
    cudnnHandle_t dnn;
    if (lane->dnn)
        return NR_OK;
    TRY_DNN(lane->failure, cudnnCreate(&dnn));
    cudnnStatus_t code = cudnnSetStream(dnn, lane->stream);
    if (code != CUDNN_STATUS_SUCCESS) {
        cudnnDestroy(dnn);
        return failure_dnn(lane->failure, "cudnnSetStream(dnn, lane->stream)", code);
    }
    lane->dnn = dnn;
    return NR_OK;
}

void lane_destroy(struct lane *lane)
{
    if (!lane)
        return;
    if (lane->dnn)
        cudnnDestroy(lane->dnn);
    if (lane->blas)
        cublasLtDestroy(lane->blas);
    if (lane->workspace)
        cudaFree(lane->workspace);
    if (lane->stream)
        cudaStreamDestroy(lane->stream);
    free(lane);
}
