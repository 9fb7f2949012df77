/* Batch norm of a single value per channel: its variance is 0, so it is its own mean. */
#include "kernels/walk.h"

constexpr int BLOCK = 128;

/* A thread does a channel. What is not finite stays visible: beta + (x - x). */
static __global__ void __launch_bounds__(BLOCK)
    norm_single_forward(const float *x, const float *__restrict__ beta, int64_t channels, float momentum, float *y,
                        float *__restrict__ running_mean, float *__restrict__ running_variance)
{
    for (int64_t c = walk_first(); c < channels; c += walk_stride()) {
        const float value = x[c];
        y[c] = beta[c] + (value - value);
        running_mean[c] += momentum * (value - running_mean[c]);
        running_variance[c] -= momentum * running_variance[c];
    }
}

cudaError_t k_norm_single_forward(const float *x, const float *beta, int64_t channels, float momentum, float *y,
                                  float *running_mean, float *running_variance, cudaStream_t stream)
{
    if (channels < 0)
        return cudaErrorInvalidValue;
    if (channels == 0)
        return cudaSuccess;
    return NR_LAUNCH(norm_single_forward, walk_blocks(channels, BLOCK), BLOCK, 0, stream, x, beta, channels, momentum,
                     y, running_mean, running_variance);
}

static __global__ void __launch_bounds__(BLOCK)
    norm_single_backward(const float *dy, int64_t channels, float *dx, float *__restrict__ dgamma,
                         float *__restrict__ dbeta)
{
    for (int64_t c = walk_first(); c < channels; c += walk_stride()) {
        dbeta[c] = dy[c];
        dgamma[c] = 0;
        if (dx)
            dx[c] = 0;
    }
}

cudaError_t k_norm_single_backward(const float *dy, int64_t channels, float *dx, float *dgamma, float *dbeta,
                                   cudaStream_t stream)
{
    if (channels < 0)
        return cudaErrorInvalidValue;
    if (channels == 0)
        return cudaSuccess;
    return NR_LAUNCH(norm_single_backward, walk_blocks(channels, BLOCK), BLOCK, 0, stream, dy, channels, dx, dgamma,
                     dbeta);
}
