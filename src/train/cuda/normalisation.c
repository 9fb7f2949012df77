/* cuDNN's own batch normalisation; deprecated in version 9 but still exported, and of the same definition as the CPU
 * engine's (src/train/cpu/norm_rows.c). The persistent mode is left out: it overflows where values are large. */
#include "train/cuda/normalisation.h"

#include <limits.h>
#include <stdlib.h>

#include "base/memory.h"

struct normalisation {
    struct lane *lane;
    cudnnBatchNormMode_t mode; /* behind dense layers both mean the same; the one by activation reads rows in order */
    cudnnTensorDescriptor_t values, channels;
};

static const double epsilon = 1e-5, share = 0.1; /* running = (1 - share) * running + share * batch */
static const float one = 1, zero = 0;

static nr_status describe(struct normalisation *norm, int images, int channels, int positions)
{
    struct failure *failure = norm->lane->failure;
    TRY_DNN(failure, cudnnCreateTensorDescriptor(&norm->values));
    TRY_DNN(failure, cudnnCreateTensorDescriptor(&norm->channels));
    TRY_DNN(failure, cudnnSetTensor4dDescriptor(norm->values, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, images, channels,
                                                positions, 1));
    TRY_DNN(failure,
            cudnnSetTensor4dDescriptor(norm->channels, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 1, channels, 1, 1));
    return NR_OK;
}

nr_status normalisation_create(struct lane *lane, int64_t images, int64_t channels, int64_t positions,
                               struct normalisation **out)
{
    struct normalisation *norm;
    nr_status status = lane_use_dnn(lane);
    if (status != NR_OK)
        return status;
    if (images > INT_MAX || channels > INT_MAX || positions > INT_MAX)
        return failure_note(lane->failure, NR_INFEASIBLE, "batch norm of %lld x %lld x %lld: more than cuDNN counts",
                            (long long)images, (long long)channels, (long long)positions);
    norm = mem_array(1, sizeof *norm);
    if (!norm)
        return failure_note(lane->failure, NR_NO_MEMORY, "out of memory while preparing a batch norm");
    norm->lane = lane;
    norm->mode = positions == 1 ? CUDNN_BATCHNORM_PER_ACTIVATION : CUDNN_BATCHNORM_SPATIAL;
    status = describe(norm, (int)images, (int)channels, (int)positions);
    if (status != NR_OK) {
        normalisation_destroy(norm);
        return status;
    }
    *out = norm;
    return NR_OK;
}

nr_status normalisation_forward(const struct normalisation *norm, const float *x, const float *gamma, const float *beta,
                                float *y, float *running_mean, float *running_variance, float *saved_mean,
                                float *saved_inverse)
{
    TRY_DNN(norm->lane->failure,
            cudnnBatchNormalizationForwardTraining(norm->lane->dnn, norm->mode, &one, &zero, norm->values, x,
                                                   norm->values, y, norm->channels, gamma, beta, share, running_mean,
                                                   running_variance, epsilon, saved_mean, saved_inverse));
    return NR_OK;
}

nr_status normalisation_evaluate(const struct normalisation *norm, const float *x, const float *gamma,
                                 const float *beta, const float *running_mean, const float *running_variance, float *y)
{
    TRY_DNN(norm->lane->failure, cudnnBatchNormalizationForwardInference(
                                     norm->lane->dnn, norm->mode, &one, &zero, norm->values, x, norm->values, y,
                                     norm->channels, gamma, beta, running_mean, running_variance, epsilon));
    return NR_OK;
}

nr_status normalisation_backward(const struct normalisation *norm, const float *x, const float *dy, const float *gamma,
                                 const float *saved_mean, const float *saved_inverse, float *dx, float *dgamma,
                                 float *dbeta)
{
    TRY_DNN(norm->lane->failure,
            cudnnBatchNormalizationBackward(norm->lane->dnn, norm->mode, &one, &zero, &one, &zero, norm->values, x,
                                            norm->values, dy, norm->values, dx, norm->channels, gamma, dgamma, dbeta,
                                            epsilon, saved_mean, saved_inverse));
    return NR_OK;
}

void normalisation_destroy(struct normalisation *norm)
{
    if (!norm)
        return;
    if (norm->channels)
        cudnnDestroyTensorDescriptor(norm->channels);
    if (norm->values)
        cudnnDestroyTensorDescriptor(norm->values);
    free(norm);
}
