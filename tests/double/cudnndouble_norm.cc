/* The double of cuDNN: batch normalisation of [n][c][h][w], sums in double. By activation it is the same with one set
 * of constants per (c, h, w), so both are a [n][groups][positions] here. */
#include "cudnndouble.h"

#include <cmath>

using namespace cudadouble;

namespace
{

struct extent {
    size_t images, groups, positions; /* x[(image * groups + group) * positions + position] */

    size_t values() const
    {
        return images * groups * positions;
    }
};

struct constants {
    float alpha, beta;
};

/* What the three calls have in common; on success `out` says how the values lie. */
cudnnStatus_t check(cudnnHandle_t handle, cudnnBatchNormMode_t mode, cudnnTensorDescriptor_t x_is,
                    cudnnTensorDescriptor_t y_is, cudnnTensorDescriptor_t channels_is, double epsilon, const char *call,
                    extent *out)
{
    const cudnnStatus_t code = enter(handle, call);
    if (code != CUDNN_STATUS_SUCCESS)
        return code;
    const cudnnTensorStruct &x = tensor(x_is, call), &y = tensor(y_is, call), &channels = tensor(channels_is, call);
    const bool spatial = mode == CUDNN_BATCHNORM_SPATIAL;
    if (!spatial && mode != CUDNN_BATCHNORM_PER_ACTIVATION)
        misuse("%s: mode %d: the double has the spatial one and the one by activation", call, mode);
    if (x.type != CUDNN_DATA_FLOAT || y.type != CUDNN_DATA_FLOAT || channels.type != CUDNN_DATA_FLOAT)
        return CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE;
    if (x.n != y.n || x.c != y.c || x.h != y.h || x.w != y.w || channels.n != 1 || channels.c != x.c ||
        channels.h != (spatial ? 1 : x.h) || channels.w != (spatial ? 1 : x.w) || epsilon < CUDNN_BN_MIN_EPSILON)
        return CUDNN_STATUS_BAD_PARAM;
    const size_t places = static_cast<size_t>(x.h) * static_cast<size_t>(x.w);
    *out = {static_cast<size_t>(x.n), static_cast<size_t>(x.c) * (spatial ? 1 : places), spatial ? places : 1};
    return CUDNN_STATUS_SUCCESS;
}

constants host_constants(const void *alpha, const void *beta)
{
    return {*static_cast<const float *>(alpha), *static_cast<const float *>(beta)};
}

void need_floats(const void *p, size_t count, const char *call, const char *argument)
{
    need(p, count * sizeof(float), sizeof(float), call, argument);
}

/* to = alpha * value + beta * to */
void blend(float &to, double value, constants by)
{
    const double before = by.beta != 0 ? static_cast<double>(by.beta) * static_cast<double>(to) : 0;
    to = static_cast<float>(static_cast<double>(by.alpha) * value + before);
}

template <class At> void for_group(const extent &size, size_t group, At at)
{
    for (size_t image = 0; image < size.images; image++)
        for (size_t position = 0; position < size.positions; position++)
            at((image * size.groups + group) * size.positions + position);
}

struct moments {
    double mean, variance; /* of the batch, biased */
};

moments measure(const extent &size, size_t group, const float *x)
{
    const double count = static_cast<double>(size.images * size.positions);
    double mean = 0, variance = 0;
    for_group(size, group, [&](size_t i) { mean += static_cast<double>(x[i]); });
    mean /= count;
    for_group(size, group, [&](size_t i) {
        const double difference = static_cast<double>(x[i]) - mean;
        variance += difference * difference;
    });
    return {mean, variance / count};
}

struct forward_work {
    extent size;
    constants by;
    const float *x, *gamma, *beta;
    float *y;
    double share, epsilon;
    float *running_mean, *running_variance, *saved_mean, *saved_inverse;

    void operator()() const
    {
        for (size_t group = 0; group < size.groups; group++) {
            const moments batch = measure(size, group, x);
            const double inverse = 1 / std::sqrt(batch.variance + epsilon);
            const double count = static_cast<double>(size.images * size.positions);
            for_group(size, group, [&](size_t i) {
                const double normal = (static_cast<double>(x[i]) - batch.mean) * inverse;
                blend(y[i], static_cast<double>(gamma[group]) * normal + static_cast<double>(beta[group]), by);
            });
            if (running_mean) /* a single value has no unbiased variance: 0 / 0 */
                track(group, batch.mean, batch.variance * (count / (count - 1)));
            if (saved_mean) {
                saved_mean[group] = static_cast<float>(batch.mean);
                saved_inverse[group] = static_cast<float>(inverse);
            }
        }
    }

    void track(size_t group, double mean, double unbiased) const
    {
        running_mean[group] = static_cast<float>(static_cast<double>(running_mean[group]) * (1 - share) + mean * share);
        running_variance[group] =
            static_cast<float>(static_cast<double>(running_variance[group]) * (1 - share) + unbiased * share);
    }
};

struct inference_work {
    extent size;
    constants by;
    const float *x, *gamma, *beta, *mean, *variance;
    float *y;
    double epsilon;

    void operator()() const
    {
        for (size_t group = 0; group < size.groups; group++) {
            const double inverse = 1 / std::sqrt(static_cast<double>(variance[group]) + epsilon);
            for_group(size, group, [&](size_t i) {
                const double normal = (static_cast<double>(x[i]) - static_cast<double>(mean[group])) * inverse;
                blend(y[i], static_cast<double>(gamma[group]) * normal + static_cast<double>(beta[group]), by);
            });
        }
    }
};

struct backward_work {
    extent size;
    constants data, parameters;
    const float *x, *dy, *gamma, *saved_mean, *saved_inverse;
    float *dx, *dgamma, *dbeta;
    double epsilon;

    void operator()() const
    {
        const double count = static_cast<double>(size.images * size.positions);
        for (size_t group = 0; group < size.groups; group++) {
            const moments batch = saved_mean ? moments{} : measure(size, group, x);
            const double mean = saved_mean ? static_cast<double>(saved_mean[group]) : batch.mean;
            const double inverse =
                saved_mean ? static_cast<double>(saved_inverse[group]) : 1 / std::sqrt(batch.variance + epsilon);
            double sum = 0, product = 0;
            for_group(size, group, [&](size_t i) {
                sum += static_cast<double>(dy[i]);
                product += static_cast<double>(dy[i]) * (static_cast<double>(x[i]) - mean) * inverse;
            });
            for_group(size, group, [&](size_t i) {
                const double normal = (static_cast<double>(x[i]) - mean) * inverse;
                blend(dx[i],
                      static_cast<double>(gamma[group]) * inverse *
                          (static_cast<double>(dy[i]) - sum / count - normal * product / count),
                      data);
            });
            blend(dgamma[group], product, parameters);
            blend(dbeta[group], sum, parameters);
        }
    }
};

template <class Work> cudnnStatus_t submit(cudnnHandle_t handle, const char *call, const Work &work)
{
    return enqueue(handle->stream, call, work) == cudaSuccess ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED;
}

} // namespace

cudnnStatus_t cudnnBatchNormalizationForwardTraining(cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void *alpha,
                                                     const void *beta, cudnnTensorDescriptor_t x_is, const void *x,
                                                     cudnnTensorDescriptor_t y_is, void *y,
                                                     cudnnTensorDescriptor_t channels_is, const void *scale,
                                                     const void *bias, double share, void *running_mean,
                                                     void *running_variance, double epsilon, void *saved_mean,
                                                     void *saved_inverse)
{
    const char *call = "cudnnBatchNormalizationForwardTraining";
    extent size;
    const cudnnStatus_t code = check(handle, mode, x_is, y_is, channels_is, epsilon, call, &size);
    if (code != CUDNN_STATUS_SUCCESS)
        return code;
    if (!alpha || !beta || !x || !y || !scale || !bias || !running_mean != !running_variance ||
        !saved_mean != !saved_inverse)
        return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
    need_floats(x, size.values(), call, "x");
    need_floats(y, size.values(), call, "y");
    const struct {
        const void *p;
        const char *name;
    } vectors[] = {{scale, "bnScale"},
                   {bias, "bnBias"},
                   {running_mean, "resultRunningMean"},
                   {running_variance, "resultRunningVariance"},
                   {saved_mean, "resultSaveMean"},
                   {saved_inverse, "resultSaveInvVariance"}};
    for (const auto &vector : vectors)
        need_floats(vector.p, vector.p ? size.groups : 0, call, vector.name);
    return submit(handle, call,
                  forward_work{size, host_constants(alpha, beta), static_cast<const float *>(x),
                               static_cast<const float *>(scale), static_cast<const float *>(bias),
                               static_cast<float *>(y), share, epsilon, static_cast<float *>(running_mean),
                               static_cast<float *>(running_variance), static_cast<float *>(saved_mean),
                               static_cast<float *>(saved_inverse)});
}

cudnnStatus_t cudnnBatchNormalizationForwardInference(cudnnHandle_t handle, cudnnBatchNormMode_t mode,
                                                      const void *alpha, const void *beta, cudnnTensorDescriptor_t x_is,
                                                      const void *x, cudnnTensorDescriptor_t y_is, void *y,
                                                      cudnnTensorDescriptor_t channels_is, const void *scale,
                                                      const void *bias, const void *mean, const void *variance,
                                                      double epsilon)
{
    const char *call = "cudnnBatchNormalizationForwardInference";
    extent size;
    const cudnnStatus_t code = check(handle, mode, x_is, y_is, channels_is, epsilon, call, &size);
    if (code != CUDNN_STATUS_SUCCESS)
        return code;
    if (!alpha || !beta || !x || !y || !scale || !bias || !mean || !variance)
        return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
    need_floats(x, size.values(), call, "x");
    need_floats(y, size.values(), call, "y");
    need_floats(scale, size.groups, call, "bnScale");
    need_floats(bias, size.groups, call, "bnBias");
    need_floats(mean, size.groups, call, "estimatedMean");
    need_floats(variance, size.groups, call, "estimatedVariance");
    return submit(handle, call,
                  inference_work{size, host_constants(alpha, beta), static_cast<const float *>(x),
                                 static_cast<const float *>(scale), static_cast<const float *>(bias),
                                 static_cast<const float *>(mean), static_cast<const float *>(variance),
                                 static_cast<float *>(y), epsilon});
}

cudnnStatus_t cudnnBatchNormalizationBackward(cudnnHandle_t handle, cudnnBatchNormMode_t mode, const void *alpha_data,
                                              const void *beta_data, const void *alpha_parameters,
                                              const void *beta_parameters, cudnnTensorDescriptor_t x_is, const void *x,
                                              cudnnTensorDescriptor_t dy_is, const void *dy,
                                              cudnnTensorDescriptor_t dx_is, void *dx,
                                              cudnnTensorDescriptor_t channels_is, const void *scale, void *dscale,
                                              void *dbias, double epsilon, const void *saved_mean,
                                              const void *saved_inverse)
{
    const char *call = "cudnnBatchNormalizationBackward";
    extent size;
    cudnnStatus_t code = check(handle, mode, x_is, dy_is, channels_is, epsilon, call, &size);
    if (code != CUDNN_STATUS_SUCCESS)
        return code;
    const cudnnTensorStruct &dx_tensor = tensor(dx_is, call);
    if (bytes_of(dx_tensor) != size.values() * sizeof(float))
        return CUDNN_STATUS_BAD_PARAM;
    if (!alpha_data || !beta_data || !alpha_parameters || !beta_parameters || !x || !dy || !dx || !scale || !dscale ||
        !dbias || !saved_mean != !saved_inverse)
        return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
    if (dx == dy || dx == x)
        misuse("%s: dx is %s, of which nothing says that it may be", call, dx == x ? "x" : "dy");
    need_floats(x, size.values(), call, "x");
    need_floats(dy, size.values(), call, "dy");
    need_floats(dx, size.values(), call, "dx");
    need_floats(scale, size.groups, call, "bnScale");
    need_floats(dscale, size.groups, call, "dBnScaleResult");
    need_floats(dbias, size.groups, call, "dBnBiasResult");
    need_floats(saved_mean, saved_mean ? size.groups : 0, call, "savedMean");
    need_floats(saved_inverse, saved_inverse ? size.groups : 0, call, "savedInvVariance");
    return submit(
        handle, call,
        backward_work{size, host_constants(alpha_data, beta_data), host_constants(alpha_parameters, beta_parameters),
                      static_cast<const float *>(x), static_cast<const float *>(dy), static_cast<const float *>(scale),
                      static_cast<const float *>(saved_mean), static_cast<const float *>(saved_inverse),
                      static_cast<float *>(dx), static_cast<float *>(dscale), static_cast<float *>(dbias), epsilon});
}
