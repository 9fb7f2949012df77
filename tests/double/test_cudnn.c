/* What the double of cuDNN promises to catch: without it the tests of src/train/cuda would prove little. */
#include "double/child.h"

#include <cudnn.h>

/* 2 images of 3 channels, 4 x 4; a kernel of 3 x 3 with padding 1 to 2 channels. */
struct bench {
    cudaStream_t stream;
    cudnnHandle_t handle;
    cudnnTensorDescriptor_t x_is, y_is;
    cudnnFilterDescriptor_t w_is;
    cudnnConvolutionDescriptor_t how;
    float *x, *w, *y, *workspace;
};
enum { X = 2 * 3 * 16, W = 2 * 3 * 9, Y = 2 * 2 * 16, WORKSPACE = 128, WORKSPACE_BYTES = 4 * WORKSPACE };

static const float one = 1, zero = 0;

/* Values 0.1, 0.2, ...: not exact, so that rounding shows. */
static float *new_values(cudaStream_t stream, size_t count)
{
    void *memory;
    float values[X + W + Y];
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(i + 1) * 0.1f;
    DO(cudaMalloc(&memory, count * sizeof(float)));
    DO(cudaMemcpyAsync(memory, values, count * sizeof(float), cudaMemcpyHostToDevice, stream));
    return memory;
}

static struct bench new_bench(void)
{
    struct bench bench = {.stream = new_stream()};
    DO(cudnnCreate(&bench.handle));
    DO(cudnnSetStream(bench.handle, bench.stream));
    DO(cudnnCreateTensorDescriptor(&bench.x_is));
    DO(cudnnCreateTensorDescriptor(&bench.y_is));
    DO(cudnnCreateFilterDescriptor(&bench.w_is));
    DO(cudnnCreateConvolutionDescriptor(&bench.how));
    DO(cudnnSetTensor4dDescriptor(bench.x_is, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 2, 3, 4, 4));
    DO(cudnnSetTensor4dDescriptor(bench.y_is, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 2, 2, 4, 4));
    DO(cudnnSetFilter4dDescriptor(bench.w_is, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, 2, 3, 3, 3));
    DO(cudnnSetConvolution2dDescriptor(bench.how, 1, 1, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    DO(cudnnSetConvolutionMathType(bench.how, CUDNN_FMA_MATH));
    bench.x = new_values(bench.stream, X);
    bench.w = new_values(bench.stream, W);
    bench.y = new_values(bench.stream, Y);
    bench.workspace = new_values(bench.stream, WORKSPACE);
    return bench;
}

static void close_bench(const struct bench *bench)
{
    DO(cudaFree(bench->x));
    DO(cudaFree(bench->w));
    DO(cudaFree(bench->y));
    DO(cudaFree(bench->workspace));
    DO(cudnnDestroyConvolutionDescriptor(bench->how));
    DO(cudnnDestroyFilterDescriptor(bench->w_is));
    DO(cudnnDestroyTensorDescriptor(bench->y_is));
    DO(cudnnDestroyTensorDescriptor(bench->x_is));
    DO(cudnnDestroy(bench->handle));
    DO(cudaStreamDestroy(bench->stream));
}

static cudnnStatus_t forward(const struct bench *bench, const float *x, size_t workspace_bytes)
{
    return cudnnConvolutionForward(bench->handle, &one, bench->x_is, x, bench->w_is, bench->w, bench->how,
                                   CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, bench->workspace, workspace_bytes,
                                   &zero, bench->y_is, bench->y);
}

static cudnnStatus_t backward_filter(const struct bench *bench, cudnnConvolutionBwdFilterAlgo_t algorithm)
{
    return cudnnConvolutionBackwardFilter(bench->handle, &one, bench->x_is, bench->x, bench->y_is, bench->y, bench->how,
                                          algorithm, bench->workspace, WORKSPACE_BYTES, &zero, bench->w_is, bench->w);
}

/* ---- what is returned ---- */

static void body_codes(void)
{
    const struct bench bench = new_bench();
    size_t bytes;
    DO(cudnnGetConvolutionForwardWorkspaceSize(bench.handle, bench.x_is, bench.w_is, bench.how, bench.y_is,
                                               CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, &bytes));
    CHECK(bytes > 0);
    DO(forward(&bench, bench.x, bytes));
    CHECK(forward(&bench, bench.x, bytes - 1) == CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT);
    CHECK(forward(&bench, NULL, bytes) == CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
    CHECK(backward_filter(&bench, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD) == CUDNN_STATUS_NOT_SUPPORTED);
    DO(cudnnSetConvolutionGroupCount(bench.how, 3));
    CHECK(forward(&bench, bench.x, bytes) == CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH);
    DO(cudnnSetConvolutionGroupCount(bench.how, 1));
    DO(cudnnSetTensor4dDescriptor(bench.y_is, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 2, 2, 4, 3));
    CHECK(forward(&bench, bench.x, bytes) == CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH);
    DO(cudnnSetTensor4dDescriptor(bench.y_is, CUDNN_TENSOR_NCHW, CUDNN_DATA_BFLOAT16, 2, 2, 4, 4));
    CHECK(forward(&bench, bench.x, bytes) == CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE);
    CHECK(cudnnSetTensor4dDescriptor(bench.y_is, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 2, 0, 4, 4) ==
          CUDNN_STATUS_BAD_PARAM);
    CHECK(cudnnSetTensor4dDescriptor(bench.y_is, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 1 << 16, 1 << 15, 1, 1) ==
          CUDNN_STATUS_NOT_SUPPORTED);
    DO(cudaStreamSynchronize(bench.stream));
    close_bench(&bench);
}

/* Weights' gradients of the same values, read back. */
static void run_filter(const struct bench *bench, cudnnConvolutionBwdFilterAlgo_t algorithm, float dw[W])
{
    DO(backward_filter(bench, algorithm));
    DO(cudaMemcpyAsync(dw, bench->w, W * sizeof *dw, cudaMemcpyDeviceToHost, bench->stream));
    DO(cudaStreamSynchronize(bench->stream));
}

static void body_wrong_choices_show(void)
{
    const struct bench bench = new_bench();
    float dw[3][W];
    for (int i = 0; i < 2; i++)
        run_filter(&bench, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, dw[i]);
    CHECK(memcmp(dw[0], dw[1], sizeof dw[0]) == 0);
    run_filter(&bench, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, dw[1]);
    run_filter(&bench, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, dw[2]);
    CHECK(memcmp(dw[0], dw[1], sizeof dw[0]) != 0 && memcmp(dw[1], dw[2], sizeof dw[0]) != 0);
    DO(cudnnSetConvolutionMathType(bench.how, CUDNN_DEFAULT_MATH));
    run_filter(&bench, CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, dw[1]);
    CHECK(memcmp(dw[0], dw[1], sizeof dw[0]) != 0);
    float scratch;
    DO(cudaMemcpy(&scratch, bench.workspace, sizeof scratch, cudaMemcpyDeviceToHost));
    CHECK(isnan(scratch)); /* the workspace is used */
    close_bench(&bench);
}

static void test_what_is_returned(void **state)
{
    (void)state;
    passes(body_codes, NULL);
    passes(body_wrong_choices_show, NULL);
}

/* ---- what ends the process ---- */

static void body_descriptor_never_set(void)
{
    struct bench bench = new_bench();
    DO(cudnnCreateTensorDescriptor(&bench.x_is));
    (void)forward(&bench, bench.x, WORKSPACE_BYTES);
}

static void body_destroyed_descriptor(void)
{
    const struct bench bench = new_bench();
    DO(cudnnDestroyFilterDescriptor(bench.w_is));
    (void)forward(&bench, bench.x, WORKSPACE_BYTES);
}

static void body_destroyed_handle(void)
{
    const struct bench bench = new_bench();
    DO(cudnnDestroy(bench.handle));
    (void)forward(&bench, bench.x, WORKSPACE_BYTES);
}

static void body_too_short(void)
{
    const struct bench bench = new_bench();
    (void)forward(&bench, bench.w, WORKSPACE_BYTES); /* 54 floats for 96 */
}

static void body_misaligned(void)
{
    const struct bench bench = new_bench();
    (void)cudnnConvolutionForward(bench.handle, &one, bench.x_is, bench.x, bench.w_is, bench.w, bench.how,
                                  CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, NULL, 0, &zero, bench.y_is, bench.y + 1);
}

static void body_host_memory(void)
{
    const struct bench bench = new_bench();
    float x[X] = {0};
    (void)forward(&bench, x, WORKSPACE_BYTES);
}

static void body_no_stream(void)
{
    const struct bench bench = new_bench();
    struct bench other = bench;
    DO(cudnnCreate(&other.handle));
    (void)forward(&other, bench.x, WORKSPACE_BYTES);
}

static void body_other_device(void)
{
    const struct bench bench = new_bench();
    DO(cudaSetDevice(1));
    (void)forward(&bench, bench.x, WORKSPACE_BYTES);
}

static void body_gradient_in_place(void)
{
    const struct bench bench = new_bench();
    cudnnTensorDescriptor_t channels;
    DO(cudnnCreateTensorDescriptor(&channels));
    DO(cudnnSetTensor4dDescriptor(channels, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 1, 2, 1, 1));
    (void)cudnnBatchNormalizationBackward(bench.handle, CUDNN_BATCHNORM_SPATIAL, &one, &zero, &one, &zero, bench.y_is,
                                          bench.x, bench.y_is, bench.y, bench.y_is, bench.y, channels, bench.w,
                                          bench.w + 4, bench.w + 8, 1e-5, NULL, NULL);
}

static void test_what_ends_the_process(void **state)
{
    (void)state;
    caught(body_descriptor_never_set, "cudnnConvolutionForward: a cuDNN tensor descriptor that was never set", NULL);
    caught(body_destroyed_descriptor, "cudnnConvolutionForward: 0x", NULL);
    caught(body_destroyed_handle, "cudnnConvolutionForward: 0x", NULL);
    caught(body_too_short, "cudnnConvolutionForward: x needs 384 bytes", NULL);
    caught(body_misaligned, "cudnnConvolutionForward: y", NULL);
    caught(body_host_memory, "cudnnConvolutionForward: x", NULL);
    caught(body_no_stream, "on the legacy stream", NULL);
    caught(body_other_device, "a handle of device 0 while device 1 is current", ENVIRONMENT("NASRUN_DOUBLE_DEVICES=2"));
    caught(body_gradient_in_place, "cudnnBatchNormalizationBackward: dx is dy", NULL);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(test_what_is_returned),
    cmocka_unit_test(test_what_ends_the_process),
};

TEST_MAIN(cases)
