/* The double of cuDNN: which algorithms a convolution has, what the heuristics say of them, how much workspace they
 * want. The figures are made up; the order is such that the first one is never right. */
#include "cudnndouble.h"

#include <algorithm>

namespace cudadouble
{

namespace
{

struct algorithm {
    int number;
    bool deterministic;
    enum { never, always, plain, winograd, fourier } where; /* plain: one group, stride 1 */
    bool bf16;
    enum { nothing, index, patches, spectrum } workspace;
};

/* In the order of speed that the heuristics claim. Determinism as cuDNN's documentation has it. */
const algorithm forward_algorithms[] = {
    {CUDNN_CONVOLUTION_FWD_ALGO_DIRECT, true, algorithm::never, false, algorithm::nothing},
    {CUDNN_CONVOLUTION_FWD_ALGO_FFT, true, algorithm::fourier, false, algorithm::spectrum},
    {CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD, true, algorithm::winograd, false, algorithm::nothing},
    {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, true, algorithm::always, true, algorithm::index},
    {CUDNN_CONVOLUTION_FWD_ALGO_GEMM, true, algorithm::plain, false, algorithm::patches},
    {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, true, algorithm::always, true, algorithm::nothing},
};
const algorithm data_algorithms[] = {
    {CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, false, algorithm::always, true, algorithm::nothing},
    {CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT, true, algorithm::fourier, false, algorithm::spectrum},
    {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, true, algorithm::always, true, algorithm::index},
};
const algorithm weights_algorithms[] = {
    {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3, false, algorithm::always, true, algorithm::index},
    {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, false, algorithm::always, true, algorithm::nothing},
    {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT, true, algorithm::fourier, false, algorithm::spectrum},
    {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, true, algorithm::always, true, algorithm::index},
};

std::vector<algorithm> algorithms_of(direction which)
{
    switch (which) {
    case direction::forward:
        return {std::begin(forward_algorithms), std::end(forward_algorithms)};
    case direction::data:
        return {std::begin(data_algorithms), std::end(data_algorithms)};
    default:
        return {std::begin(weights_algorithms), std::end(weights_algorithms)};
    }
}

bool supports(const algorithm &algorithm, const convolution_problem &problem)
{
    const bool plain = problem.how.stride == 1 && problem.how.groups == 1;
    if (cudnn_option("none") || cudnn_option("bad"))
        return false;
    if (problem.x.type == CUDNN_DATA_BFLOAT16 && (!algorithm.bf16 || cudnn_option("nobf16")))
        return false;
    switch (algorithm.where) {
    case algorithm::never:
        return false;
    case algorithm::always:
        return true;
    case algorithm::plain:
        return plain;
    case algorithm::winograd:
        return plain && problem.w.h == 3 && problem.w.w == 3;
    default:
        return plain && problem.w.h < problem.x.h && problem.w.w < problem.x.w;
    }
}

size_t workspace_bytes(const algorithm &algorithm, const convolution_problem &problem)
{
    const size_t out = static_cast<size_t>(problem.y.h) * static_cast<size_t>(problem.y.w);
    if (algorithm.workspace == algorithm::nothing)
        return 0;
    if (cudnn_option("large"))
        return size_t{1} << 40;
    switch (algorithm.workspace) {
    case algorithm::index:
        return (out + static_cast<size_t>(problem.w.c * problem.w.h * problem.w.w)) * sizeof(int32_t);
    case algorithm::patches:
        return out * bytes_of(problem.w);
    default:
        return size_t{1} << 30;
    }
}

/* What cudnnGet...Algorithm_v7() answers; Performance is the structure of its direction. */
template <class Performance>
cudnnStatus_t name_algorithms(cudnnHandle_t handle, direction which, cudnnTensorDescriptor_t x,
                              cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t how, cudnnTensorDescriptor_t y,
                              const char *call, int requested, int *returned, Performance *list)
{
    convolution_problem problem;
    cudnnStatus_t code = enter(handle, call);
    if (code == CUDNN_STATUS_SUCCESS)
        code = make_problem(x, w, how, y, call, &problem);
    if (code != CUDNN_STATUS_SUCCESS)
        return code;
    if (requested < 1 || !returned || !list)
        return CUDNN_STATUS_BAD_PARAM;
    if (cudnn_option("failing"))
        return CUDNN_STATUS_NOT_SUPPORTED;
    const bool floats = problem.x.type == CUDNN_DATA_FLOAT;
    *returned = 0;
    for (const bool rounds : {true, false}) {
        if (rounds && floats && problem.how.math == CUDNN_FMA_MATH && !cudnn_option("tf32"))
            continue;
        for (const algorithm &one : algorithms_of(which)) {
            if (*returned == requested || cudnn_option("empty"))
                break;
            const bool possible = supports(one, problem);
            Performance &entry = list[(*returned)++];
            entry = {};
            entry.algo = static_cast<decltype(entry.algo)>(one.number);
            entry.status = possible ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
            entry.time = -1;
            entry.memory = possible ? workspace_bytes(one, problem) : 0;
            entry.determinism = one.deterministic ? CUDNN_DETERMINISTIC : CUDNN_NON_DETERMINISTIC;
            entry.mathType = !rounds ? CUDNN_FMA_MATH : floats ? CUDNN_DEFAULT_MATH : CUDNN_TENSOR_OP_MATH;
        }
    }
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t tell_workspace(cudnnHandle_t handle, direction which, cudnnTensorDescriptor_t x,
                             cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t how, cudnnTensorDescriptor_t y,
                             int algorithm, const char *call, size_t *bytes)
{
    convolution_problem problem;
    cudnnStatus_t code = enter(handle, call);
    if (code == CUDNN_STATUS_SUCCESS)
        code = make_problem(x, w, how, y, call, &problem);
    return code == CUDNN_STATUS_SUCCESS ? workspace_of(problem, which, algorithm, bytes) : code;
}

} // namespace

bool is_deterministic(direction which, int number)
{
    for (const algorithm &one : algorithms_of(which))
        if (one.number == number)
            return one.deterministic;
    return false;
}

cudnnStatus_t workspace_of(const convolution_problem &problem, direction which, int number, size_t *bytes)
{
    for (const algorithm &one : algorithms_of(which))
        if (one.number == number && supports(one, problem)) {
            *bytes = workspace_bytes(one, problem);
            return CUDNN_STATUS_SUCCESS;
        }
    return cudnn_option("bad") ? CUDNN_STATUS_BAD_PARAM : CUDNN_STATUS_NOT_SUPPORTED;
}

} // namespace cudadouble

using namespace cudadouble;

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                     cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t how,
                                                     cudnnTensorDescriptor_t y, int requested, int *returned,
                                                     cudnnConvolutionFwdAlgoPerf_t *list)
{
    return name_algorithms(handle, direction::forward, x, w, how, y, "cudnnGetConvolutionForwardAlgorithm_v7",
                           requested, returned, list);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(cudnnHandle_t handle, cudnnFilterDescriptor_t w,
                                                          cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t how,
                                                          cudnnTensorDescriptor_t dx, int requested, int *returned,
                                                          cudnnConvolutionBwdDataAlgoPerf_t *list)
{
    return name_algorithms(handle, direction::data, dx, w, how, dy, "cudnnGetConvolutionBackwardDataAlgorithm_v7",
                           requested, returned, list);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                            cudnnTensorDescriptor_t dy,
                                                            cudnnConvolutionDescriptor_t how,
                                                            cudnnFilterDescriptor_t dw, int requested, int *returned,
                                                            cudnnConvolutionBwdFilterAlgoPerf_t *list)
{
    return name_algorithms(handle, direction::weights, x, dw, how, dy, "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
                           requested, returned, list);
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                      cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t how,
                                                      cudnnTensorDescriptor_t y, cudnnConvolutionFwdAlgo_t algorithm,
                                                      size_t *bytes)
{
    return tell_workspace(handle, direction::forward, x, w, how, y, algorithm,
                          "cudnnGetConvolutionForwardWorkspaceSize", bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t handle, cudnnFilterDescriptor_t w,
                                                           cudnnTensorDescriptor_t dy, cudnnConvolutionDescriptor_t how,
                                                           cudnnTensorDescriptor_t dx,
                                                           cudnnConvolutionBwdDataAlgo_t algorithm, size_t *bytes)
{
    return tell_workspace(handle, direction::data, dx, w, how, dy, algorithm,
                          "cudnnGetConvolutionBackwardDataWorkspaceSize", bytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnnHandle_t handle, cudnnTensorDescriptor_t x,
                                                             cudnnTensorDescriptor_t dy,
                                                             cudnnConvolutionDescriptor_t how,
                                                             cudnnFilterDescriptor_t dw,
                                                             cudnnConvolutionBwdFilterAlgo_t algorithm, size_t *bytes)
{
    return tell_workspace(handle, direction::weights, x, dw, how, dy, algorithm,
                          "cudnnGetConvolutionBackwardFilterWorkspaceSize", bytes);
}
