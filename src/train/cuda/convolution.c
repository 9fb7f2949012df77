/* cuDNN's own convolution calls: deprecated in version 9 but exported, and usable from C without its graph interface.
 *
 * An algorithm is sought among those that the library's heuristics name, fastest first, then among a few that are known
 * to be deterministic; the first that is allowed and fits into the workspace is taken. */
#include "train/cuda/convolution.h"

#include <limits.h>
#include <stdlib.h>

#include "base/memory.h"

enum { CANDIDATES = 24 }; /* the library names each algorithm once per kind of arithmetic */

struct candidate {
    int algorithm; /* of the direction's own enumeration */
    cudnnMathType_t math;
};

/* One of forward, backward to the data, backward to the weights. */
struct direction {
    cudnnConvolutionDescriptor_t descriptor; /* each its own: the kind of arithmetic is part of the choice */
    int algorithm;
    size_t workspace;
};

struct convolution {
    struct lane *lane;
    struct convolution_setup setup;
    cudnnTensorDescriptor_t x, y;
    cudnnFilterDescriptor_t w;
    struct direction forward, data, weights;
};

static const float one = 1, zero = 0;

/* CUDNN_DEFAULT_MATH lets float32 be rounded to TF32 from Ampere on, CUDNN_FMA_MATH never. */
static cudnnMathType_t wanted_math(enum precision_kind precision)
{
    return precision == PRECISION_FLOAT32 ? CUDNN_FMA_MATH
           : precision == PRECISION_TF32  ? CUDNN_DEFAULT_MATH
                                          : CUDNN_TENSOR_OP_MATH;
}

static bool is_allowed(const struct convolution *convolution, cudnnStatus_t status, cudnnDeterminism_t determinism,
                       cudnnMathType_t math, size_t memory)
{
    return status == CUDNN_STATUS_SUCCESS && determinism == CUDNN_DETERMINISTIC &&
           memory <= convolution->lane->workspace_size &&
           (convolution->setup.precision != PRECISION_FLOAT32 || math == CUDNN_FMA_MATH);
}

/* ---- what differs between the directions: the names of the calls ---- */

/* Fills `list` with what the heuristics name and what is allowed, in their order. */
typedef cudnnStatus_t list_candidates(const struct convolution *convolution, struct candidate list[CANDIDATES],
                                      int *count);
typedef cudnnStatus_t ask_workspace(const struct convolution *convolution, int algorithm, size_t *bytes);

struct route {
    const char *name;
    list_candidates *list;
    ask_workspace *ask;
    int fixed[2], fixed_count; /* algorithms that are deterministic (cuDNN's guide, "Reproducibility") */
};

static cudnnStatus_t list_forward(const struct convolution *convolution, struct candidate list[CANDIDATES], int *count)
{
    cudnnConvolutionFwdAlgoPerf_t named[CANDIDATES];
    int found = 0;
    const cudnnStatus_t code = cudnnGetConvolutionForwardAlgorithm_v7(convolution->lane->dnn, convolution->x,
                                                                      convolution->w, convolution->forward.descriptor,
                                                                      convolution->y, CANDIDATES, &found, named);
    for (int i = 0; code == CUDNN_STATUS_SUCCESS && i < found; i++)
        if (is_allowed(convolution, named[i].status, named[i].determinism, named[i].mathType, named[i].memory))
            list[(*count)++] = (struct candidate){(int)named[i].algo, named[i].mathType};
    return code;
}

static cudnnStatus_t ask_forward(const struct convolution *convolution, int algorithm, size_t *bytes)
{
    return cudnnGetConvolutionForwardWorkspaceSize(convolution->lane->dnn, convolution->x, convolution->w,
                                                   convolution->forward.descriptor, convolution->y,
                                                   (cudnnConvolutionFwdAlgo_t)algorithm, bytes);
}

static const struct route route_forward = {
    .name = "cudnnConvolutionForward",
    .list = list_forward,
    .ask = ask_forward,
    .fixed = {CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM},
    .fixed_count = 2,
};

static cudnnStatus_t list_data(const struct convolution *convolution, struct candidate list[CANDIDATES], int *count)
{
    cudnnConvolutionBwdDataAlgoPerf_t named[CANDIDATES];
    int found = 0;
    const cudnnStatus_t code = cudnnGetConvolutionBackwardDataAlgorithm_v7(convolution->lane->dnn, convolution->w,
                                                                           convolution->y, convolution->data.descriptor,
                                                                           convolution->x, CANDIDATES, &found, named);
    for (int i = 0; code == CUDNN_STATUS_SUCCESS && i < found; i++)
        if (is_allowed(convolution, named[i].status, named[i].determinism, named[i].mathType, named[i].memory))
            list[(*count)++] = (struct candidate){(int)named[i].algo, named[i].mathType};
    return code;
}

static cudnnStatus_t ask_data(const struct convolution *convolution, int algorithm, size_t *bytes)
{
    return cudnnGetConvolutionBackwardDataWorkspaceSize(convolution->lane->dnn, convolution->w, convolution->y,
                                                        convolution->data.descriptor, convolution->x,
                                                        (cudnnConvolutionBwdDataAlgo_t)algorithm, bytes);
}

static const struct route route_data = {
    .name = "cudnnConvolutionBackwardData",
    .list = list_data,
    .ask = ask_data,
    .fixed = {CUDNN_CONVOLUTION_BWD_DATA_ALGO_1},
    .fixed_count = 1,
};

static cudnnStatus_t list_weights(const struct convolution *convolution, struct candidate list[CANDIDATES], int *count)
{
    cudnnConvolutionBwdFilterAlgoPerf_t named[CANDIDATES];
    int found = 0;
    const cudnnStatus_t code = cudnnGetConvolutionBackwardFilterAlgorithm_v7(
        convolution->lane->dnn, convolution->x, convolution->y, convolution->weights.descriptor, convolution->w,
        CANDIDATES, &found, named);
    for (int i = 0; code == CUDNN_STATUS_SUCCESS && i < found; i++)
        if (is_allowed(convolution, named[i].status, named[i].determinism, named[i].mathType, named[i].memory))
            list[(*count)++] = (struct candidate){(int)named[i].algo, named[i].mathType};
    return code;
}

static cudnnStatus_t ask_weights(const struct convolution *convolution, int algorithm, size_t *bytes)
{
    return cudnnGetConvolutionBackwardFilterWorkspaceSize(convolution->lane->dnn, convolution->x, convolution->y,
                                                          convolution->weights.descriptor, convolution->w,
                                                          (cudnnConvolutionBwdFilterAlgo_t)algorithm, bytes);
}

static const struct route route_weights = {
    .name = "cudnnConvolutionBackwardFilter",
    .list = list_weights,
    .ask = ask_weights,
    .fixed = {CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1},
    .fixed_count = 1,
};

/* ---- what they share ---- */

static nr_status describe_tensors(struct convolution *convolution)
{
    const struct convolution_setup *setup = &convolution->setup;
    struct failure *failure = convolution->lane->failure;
    const cudnnDataType_t type = setup->precision == PRECISION_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    const int64_t out_height = (setup->in_height + 2 * setup->pad_height - setup->kernel_height) / setup->stride + 1;
    const int64_t out_width = (setup->in_width + 2 * setup->pad_width - setup->kernel_width) / setup->stride + 1;
    TRY_DNN(failure, cudnnCreateTensorDescriptor(&convolution->x));
    TRY_DNN(failure, cudnnCreateTensorDescriptor(&convolution->y));
    TRY_DNN(failure, cudnnCreateFilterDescriptor(&convolution->w));
    TRY_DNN(failure, cudnnSetTensor4dDescriptor(convolution->x, CUDNN_TENSOR_NCHW, type, (int)setup->images,
                                                (int)setup->in_channels, (int)setup->in_height, (int)setup->in_width));
    TRY_DNN(failure, cudnnSetTensor4dDescriptor(convolution->y, CUDNN_TENSOR_NCHW, type, (int)setup->images,
                                                (int)setup->out_channels, (int)out_height, (int)out_width));
    TRY_DNN(failure, cudnnSetFilter4dDescriptor(convolution->w, type, CUDNN_TENSOR_NCHW, (int)setup->out_channels,
                                                (int)(setup->in_channels / setup->groups), (int)setup->kernel_height,
                                                (int)setup->kernel_width));
    return NR_OK;
}

static nr_status describe_direction(struct convolution *convolution, struct direction *direction)
{
    const struct convolution_setup *setup = &convolution->setup;
    struct failure *failure = convolution->lane->failure;
    TRY_DNN(failure, cudnnCreateConvolutionDescriptor(&direction->descriptor));
    TRY_DNN(failure, cudnnSetConvolution2dDescriptor(direction->descriptor, (int)setup->pad_height,
                                                     (int)setup->pad_width, (int)setup->stride, (int)setup->stride, 1,
                                                     1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    TRY_DNN(failure, cudnnSetConvolutionGroupCount(direction->descriptor, (int)setup->groups));
    TRY_DNN(failure, cudnnSetConvolutionMathType(direction->descriptor, wanted_math(setup->precision)));
    return NR_OK;
}

/* Codes from 2000 and 3000 on: this shape, with this algorithm and arithmetic, is not for the library. All others are
 * failures, after which it would be wrong to go on with second best. */
static bool is_refusal(cudnnStatus_t code)
{
    return code / 1000 == CUDNN_STATUS_BAD_PARAM / 1000 || code / 1000 == CUDNN_STATUS_NOT_SUPPORTED / 1000;
}

/* The first candidate that the library takes within the workspace. It is asked for that again although the heuristics
 * said something: theirs is an estimate. What it answers for the last one is the cause when all are refused. */
static nr_status take_first(const struct convolution *convolution, struct direction *direction,
                            const struct route *route, const struct candidate *list, int count)
{
    struct failure *failure = convolution->lane->failure;
    cudnnStatus_t code = CUDNN_STATUS_SUCCESS;
    size_t bytes = 0;
    for (int i = 0; i < count; i++) {
        TRY_DNN(failure, cudnnSetConvolutionMathType(direction->descriptor, list[i].math));
        code = route->ask(convolution, list[i].algorithm, &bytes);
        if (code == CUDNN_STATUS_SUCCESS && bytes <= convolution->lane->workspace_size) {
            direction->algorithm = list[i].algorithm;
            direction->workspace = bytes;
            return NR_OK;
        }
        if (code != CUDNN_STATUS_SUCCESS && !is_refusal(code))
            break;
    }
    if (is_refusal(code))
        return failure_note(failure, NR_INFEASIBLE, "%s: %s", route->name, cudnnGetErrorString(code));
    if (code != CUDNN_STATUS_SUCCESS)
        return failure_dnn(failure, route->name, code);
    return failure_note(failure, NR_INFEASIBLE, "%s: needs %zu bytes of workspace, a lane has %zu", route->name, bytes,
                        convolution->lane->workspace_size);
}

static nr_status choose(struct convolution *convolution, struct direction *direction, const struct route *route)
{
    struct candidate list[CANDIDATES + 2];
    int count = 0;
    nr_status status = describe_direction(convolution, direction);
    if (status != NR_OK)
        return status;
    const cudnnStatus_t code = route->list(convolution, list, &count);
    if (code != CUDNN_STATUS_SUCCESS && !is_refusal(code))
        return failure_dnn(convolution->lane->failure, route->name, code);
    for (int i = 0; i < route->fixed_count; i++)
        list[count++] = (struct candidate){route->fixed[i], wanted_math(convolution->setup.precision)};
    return take_first(convolution, direction, route, list, count);
}

static nr_status prepare(struct convolution *convolution)
{
    const struct convolution_setup *setup = &convolution->setup;
    nr_status status = describe_tensors(convolution);
    if (status == NR_OK)
        status = choose(convolution, &convolution->forward, &route_forward);
    if (status == NR_OK && setup->training && setup->data_gradient)
        status = choose(convolution, &convolution->data, &route_data);
    if (status == NR_OK && setup->training)
        status = choose(convolution, &convolution->weights, &route_weights);
    return status;
}

/* cuDNN counts in int, and refuses tensors of 2^31 elements. */
static bool is_countable(const struct convolution_setup *setup)
{
    const int64_t sizes[2][4] = {
        {setup->images, setup->in_channels, setup->in_height + 2 * setup->pad_height,
         setup->in_width + 2 * setup->pad_width},
        {setup->images, setup->out_channels, setup->in_height + 2 * setup->pad_height,
         setup->in_width + 2 * setup->pad_width},
    };
    for (int i = 0; i < 2; i++) {
        int64_t product = 1;
        for (int j = 0; j < 4; j++)
            if (__builtin_mul_overflow(product, sizes[i][j], &product) || product > INT_MAX)
                return false;
    }
    return true;
}

nr_status convolution_create(struct lane *lane, const struct convolution_setup *setup, struct convolution **out)
{
    struct convolution *convolution;
    nr_status status = lane_use_dnn(lane);
    if (status != NR_OK)
        return status;
    if (!is_countable(setup))
        return failure_note(lane->failure, NR_INFEASIBLE,
                            "a convolution of %lld images of %lld x %lld: more than cuDNN counts",
                            (long long)setup->images, (long long)setup->in_height, (long long)setup->in_width);
    convolution = mem_array(1, sizeof *convolution);
    if (!convolution)
        return failure_note(lane->failure, NR_NO_MEMORY, "out of memory while preparing a convolution");
    convolution->lane = lane;
    convolution->setup = *setup;
    status = prepare(convolution);
    if (status != NR_OK) {
        convolution_destroy(convolution);
        return status;
    }
    *out = convolution;
    return NR_OK;
}

nr_status convolution_forward(const struct convolution *convolution, const void *x, const void *w, void *y)
{
    const struct direction *direction = &convolution->forward;
    TRY_DNN(convolution->lane->failure,
            cudnnConvolutionForward(convolution->lane->dnn, &one, convolution->x, x, convolution->w, w,
                                    direction->descriptor, (cudnnConvolutionFwdAlgo_t)direction->algorithm,
                                    convolution->lane->workspace, direction->workspace, &zero, convolution->y, y));
    return NR_OK;
}

nr_status convolution_backward_data(const struct convolution *convolution, const void *w, const void *dy, void *dx)
{
    const struct direction *direction = &convolution->data;
    TRY_DNN(convolution->lane->failure,
            cudnnConvolutionBackwardData(convolution->lane->dnn, &one, convolution->w, w, convolution->y, dy,
                                         direction->descriptor, (cudnnConvolutionBwdDataAlgo_t)direction->algorithm,
                                         convolution->lane->workspace, direction->workspace, &zero, convolution->x,
                                         dx));
    return NR_OK;
}

nr_status convolution_backward_weights(const struct convolution *convolution, const void *x, const void *dy, void *dw)
{
    const struct direction *direction = &convolution->weights;
    TRY_DNN(convolution->lane->failure,
            cudnnConvolutionBackwardFilter(convolution->lane->dnn, &one, convolution->x, x, convolution->y, dy,
                                           direction->descriptor, (cudnnConvolutionBwdFilterAlgo_t)direction->algorithm,
                                           convolution->lane->workspace, direction->workspace, &zero, convolution->w,
                                           dw));
    return NR_OK;
}

void convolution_destroy(struct convolution *convolution)
{
    if (!convolution)
        return;
    struct direction *const directions[] = {&convolution->forward, &convolution->data, &convolution->weights};
    for (size_t i = 0; i < sizeof directions / sizeof *directions; i++)
        if (directions[i]->descriptor)
            cudnnDestroyConvolutionDescriptor(directions[i]->descriptor);
    if (convolution->w)
        cudnnDestroyFilterDescriptor(convolution->w);
    if (convolution->y)
        cudnnDestroyTensorDescriptor(convolution->y);
    if (convolution->x)
        cudnnDestroyTensorDescriptor(convolution->x);
    free(convolution);
}
