/* The double of cuDNN: handles and descriptors. What the library reports is returned, so far as its documentation says
 * with which code. */
#include "cudnndouble.h"

#include <cstdlib>
#include <cstring>
#include <string>

using namespace cudadouble;

namespace
{

const char handle_kind[] = "cuDNN handle", tensor_kind[] = "cuDNN tensor descriptor",
           filter_kind[] = "cuDNN filter descriptor", convolution_kind[] = "cuDNN convolution descriptor";

template <class Object> cudnnStatus_t create(Object **out, const char *kind, const char *call)
{
    const cudnnStatus_t code =
        failure(call, CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED, CUDNN_STATUS_EXECUTION_FAILED);
    if (code != CUDNN_STATUS_SUCCESS)
        return code;
    if (!out)
        return CUDNN_STATUS_BAD_PARAM;
    *out = new Object{};
    born(*out, kind);
    return CUDNN_STATUS_SUCCESS;
}

template <class Object> cudnnStatus_t destroy(Object *object, const char *kind, const char *call)
{
    if (!object)
        return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
    died(object, kind, call);
    delete object;
    return CUDNN_STATUS_SUCCESS;
}

template <class Object> Object &open(Object *object, const char *kind, const char *call)
{
    known(object, kind, call);
    return *object;
}

template <class Object> const Object &open_set(Object *object, const char *kind, const char *call)
{
    const Object &open_object = open(object, kind, call);
    if (!open_object.set)
        misuse("%s: a %s that was never set", call, kind);
    return open_object;
}

cudnnStatus_t planned_descriptor(const char *call)
{
    return failure(call, CUDNN_STATUS_BAD_PARAM, CUDNN_STATUS_EXECUTION_FAILED);
}

size_t size_of(cudnnDataType_t type)
{
    return type == CUDNN_DATA_BFLOAT16 ? 2 : 4;
}

bool is_type(cudnnDataType_t type)
{
    return type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_BFLOAT16;
}

/* As the library answers without a device: BAD_PARAM for what is empty, NOT_SUPPORTED for 2^31 elements and more. */
cudnnStatus_t judge_shape(int a, int b, int c, int d)
{
    if (a < 1 || b < 1 || c < 1 || d < 1)
        return CUDNN_STATUS_BAD_PARAM;
    int64_t product;
    const bool fits = !__builtin_mul_overflow(int64_t{a} * b, int64_t{c} * d, &product) && product <= INT32_MAX;
    return fits ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
}

} // namespace

namespace cudadouble
{

bool cudnn_option(const char *word)
{
    const char *value = getenv("NASRUN_DOUBLE_CUDNN");
    const std::string all = value ? "," + std::string(value) + "," : "";
    return all.find("," + std::string(word) + ",") != std::string::npos;
}

cudnnStatus_t enter(cudnnHandle_t handle, const char *call)
{
    const cudnnStatus_t code = failure(call, CUDNN_STATUS_EXECUTION_FAILED, CUDNN_STATUS_EXECUTION_FAILED);
    if (code != CUDNN_STATUS_SUCCESS)
        return code;
    const cudnnContext &context = open(handle, handle_kind, call);
    if (context.device != current_device())
        misuse("%s: a handle of device %d while device %d is current", call, context.device, current_device());
    return CUDNN_STATUS_SUCCESS;
}

const cudnnTensorStruct &tensor(cudnnTensorDescriptor_t descriptor, const char *call)
{
    return open_set(descriptor, tensor_kind, call);
}

const cudnnFilterStruct &filter(cudnnFilterDescriptor_t descriptor, const char *call)
{
    return open_set(descriptor, filter_kind, call);
}

const cudnnConvolutionStruct &convolution(cudnnConvolutionDescriptor_t descriptor, const char *call)
{
    return open_set(descriptor, convolution_kind, call);
}

size_t bytes_of(const cudnnTensorStruct &tensor)
{
    return size_of(tensor.type) * static_cast<size_t>(tensor.n) * static_cast<size_t>(tensor.c) *
           static_cast<size_t>(tensor.h) * static_cast<size_t>(tensor.w);
}

size_t bytes_of(const cudnnFilterStruct &filter)
{
    return size_of(filter.type) * static_cast<size_t>(filter.k) * static_cast<size_t>(filter.c) *
           static_cast<size_t>(filter.h) * static_cast<size_t>(filter.w);
}

} // namespace cudadouble

size_t cudnnGetVersion(void)
{
    return CUDNN_VERSION;
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    switch (status) {
#define NAME(code)                                                                                                     \
    case code:                                                                                                         \
        return #code
        NAME(CUDNN_STATUS_SUCCESS);
        NAME(CUDNN_STATUS_NOT_INITIALIZED);
        NAME(CUDNN_STATUS_BAD_PARAM);
        NAME(CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
        NAME(CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT);
        NAME(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH);
        NAME(CUDNN_STATUS_NOT_SUPPORTED);
        NAME(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE);
        NAME(CUDNN_STATUS_INTERNAL_ERROR);
        NAME(CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED);
        NAME(CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED);
        NAME(CUDNN_STATUS_EXECUTION_FAILED);
        NAME(CUDNN_STATUS_EXECUTION_FAILED_CUDART);
#undef NAME
    default:
        return "CUDNN_UNKNOWN_STATUS";
    }
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    if (unsafe_in_capture())
        return CUDNN_STATUS_EXECUTION_FAILED_CUDART;
    const cudnnStatus_t code = create(handle, handle_kind, "cudnnCreate");
    if (code == CUDNN_STATUS_SUCCESS)
        (*handle)->device = current_device();
    return code;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    return destroy(handle, handle_kind, "cudnnDestroy");
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    const cudnnStatus_t code = enter(handle, "cudnnSetStream");
    if (code != CUDNN_STATUS_SUCCESS)
        return code;
    if (device_of(stream, "cudnnSetStream") != handle->device)
        return CUDNN_STATUS_BAD_PARAM;
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *descriptor)
{
    return create(descriptor, tensor_kind, "cudnnCreateTensorDescriptor");
}

cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor)
{
    return destroy(descriptor, tensor_kind, "cudnnDestroyTensorDescriptor");
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t descriptor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w)
{
    const char *call = "cudnnSetTensor4dDescriptor";
    const cudnnStatus_t code = planned_descriptor(call);
    if (code != CUDNN_STATUS_SUCCESS)
        return code;
    cudnnTensorStruct &object = open(descriptor, tensor_kind, call);
    if (format != CUDNN_TENSOR_NCHW || !is_type(type))
        misuse("%s: format %d, type %d: the double has NCHW in float and bfloat16", call, format, type);
    const cudnnStatus_t verdict = judge_shape(n, c, h, w);
    if (verdict == CUDNN_STATUS_SUCCESS)
        object = {true, type, n, c, h, w};
    return verdict;
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *descriptor)
{
    return create(descriptor, filter_kind, "cudnnCreateFilterDescriptor");
}

cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t descriptor)
{
    return destroy(descriptor, filter_kind, "cudnnDestroyFilterDescriptor");
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t descriptor, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w)
{
    const char *call = "cudnnSetFilter4dDescriptor";
    const cudnnStatus_t code = planned_descriptor(call);
    if (code != CUDNN_STATUS_SUCCESS)
        return code;
    cudnnFilterStruct &object = open(descriptor, filter_kind, call);
    if (format != CUDNN_TENSOR_NCHW || !is_type(type))
        misuse("%s: format %d, type %d: the double has NCHW in float and bfloat16", call, format, type);
    const cudnnStatus_t verdict = judge_shape(k, c, h, w);
    if (verdict == CUDNN_STATUS_SUCCESS)
        object = {true, type, k, c, h, w};
    return verdict;
}

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *descriptor)
{
    const cudnnStatus_t code = create(descriptor, convolution_kind, "cudnnCreateConvolutionDescriptor");
    if (code == CUDNN_STATUS_SUCCESS)
        (*descriptor)->groups = 1;
    return code;
}

cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t descriptor)
{
    return destroy(descriptor, convolution_kind, "cudnnDestroyConvolutionDescriptor");
}

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t descriptor, int pad_h, int pad_w, int u,
                                              int v, int dilation_h, int dilation_w, cudnnConvolutionMode_t mode,
                                              cudnnDataType_t compute)
{
    const char *call = "cudnnSetConvolution2dDescriptor";
    const cudnnStatus_t code = planned_descriptor(call);
    if (code != CUDNN_STATUS_SUCCESS)
        return code;
    cudnnConvolutionStruct &object = open(descriptor, convolution_kind, call);
    if (u != v || dilation_h != 1 || dilation_w != 1 || mode != CUDNN_CROSS_CORRELATION)
        misuse("%s: the double has one stride, no dilation, cross-correlation", call);
    if (pad_h < 0 || pad_w < 0 || u < 1)
        return CUDNN_STATUS_BAD_PARAM;
    object.set = true;
    object.pad_h = pad_h;
    object.pad_w = pad_w;
    object.stride = u;
    object.compute = compute;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t descriptor, int groups)
{
    const char *call = "cudnnSetConvolutionGroupCount";
    const cudnnStatus_t code = planned_descriptor(call);
    if (code != CUDNN_STATUS_SUCCESS)
        return code;
    if (groups < 1)
        return CUDNN_STATUS_BAD_PARAM;
    open(descriptor, convolution_kind, call).groups = groups;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t descriptor, cudnnMathType_t math)
{
    const char *call = "cudnnSetConvolutionMathType";
    const cudnnStatus_t code = planned_descriptor(call);
    if (code != CUDNN_STATUS_SUCCESS)
        return code;
    open(descriptor, convolution_kind, call).math = math;
    return CUDNN_STATUS_SUCCESS;
}
