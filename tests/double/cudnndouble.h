/* What the files of cuDNN's double share: the objects behind the handles, and a convolution once it has been checked.
 *
 * NASRUN_DOUBLE_CUDNN=word,... (read at every call):
 *   tf32     the heuristics name algorithms that round to TF32 first, although CUDNN_FMA_MATH was asked for
 *   empty    the heuristics name nothing
 *   failing  the heuristics fail
 *   large    every algorithm with a workspace needs 2^40 bytes
 *   none     no algorithm is supported
 *   bad      the parameters are wrong for every algorithm
 *   nobf16   none is for bfloat16
 * Whatever is said there, the heuristics name first what is not deterministic, and what needs much memory. */
#ifndef CUDNNDOUBLE_H
#define CUDNNDOUBLE_H

#include "doublework.h"

#include <cudnn.h>

#include <cstdint>
#include <vector>

struct cudnnContext {
    int device;
    cudaStream_t stream;
};

struct cudnnTensorStruct { /* [n][c][h][w], dense */
    bool set;
    cudnnDataType_t type;
    int n, c, h, w;
};

struct cudnnFilterStruct { /* [k][c][h][w], c of one group */
    bool set;
    cudnnDataType_t type;
    int k, c, h, w;
};

struct cudnnConvolutionStruct {
    bool set;
    int pad_h, pad_w, stride, groups;
    cudnnMathType_t math;
    cudnnDataType_t compute;
};

namespace cudadouble
{

bool cudnn_option(const char *word);

/* The first lines of a call: null pointers, foreign handles, a planned failure; `call` as failure() wants it. */
cudnnStatus_t enter(cudnnHandle_t handle, const char *call);
const cudnnTensorStruct &tensor(cudnnTensorDescriptor_t descriptor, const char *call);
const cudnnFilterStruct &filter(cudnnFilterDescriptor_t descriptor, const char *call);
const cudnnConvolutionStruct &convolution(cudnnConvolutionDescriptor_t descriptor, const char *call);

size_t bytes_of(const cudnnTensorStruct &tensor);
size_t bytes_of(const cudnnFilterStruct &filter);

enum class direction { forward, data, weights };

/* Everything that a convolution is, by value: what a captured call keeps. */
struct convolution_problem {
    cudnnTensorStruct x, y;
    cudnnFilterStruct w;
    cudnnConvolutionStruct how;
};

/* CUDNN_STATUS_BAD_PARAM where the descriptors do not fit each other, NOT_SUPPORTED where no algorithm does that. */
cudnnStatus_t make_problem(cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t how,
                           cudnnTensorDescriptor_t y, const char *call, convolution_problem *out);

bool is_deterministic(direction which, int algorithm);
/* Success and the bytes, or NOT_SUPPORTED. */
cudnnStatus_t workspace_of(const convolution_problem &problem, direction which, int algorithm, size_t *bytes);

/* Values as float, rounded as the arithmetic rounds its factors: to TF32 where `tf32`. */
std::vector<float> load(const void *from, cudnnDataType_t type, size_t count, bool tf32);
/* to = alpha * values + beta * to */
void store(void *to, cudnnDataType_t type, const std::vector<double> &values, float alpha, float beta);

} // namespace cudadouble

#endif
