/* The double of cuDNN: the convolutions themselves, by plain loops with sums in double. What an algorithm does that
 * should not have been chosen shows: TF32 rounds the factors, and one that is not deterministic is off by a little that
 * differs from call to call. The workspace is overwritten. */
#include "cudnndouble.h"

#include <algorithm>
#include <cstring>

namespace cudadouble
{

namespace
{

float from_bfloat16(uint16_t bits)
{
    const uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/* Keeps the upper bits, to nearest, ties to even; NaN stays NaN. */
uint32_t round_bits(float value, int dropped)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value != value)
        return bits;
    const uint32_t half = (1u << (dropped - 1)) - 1 + ((bits >> dropped) & 1);
    return (bits + half) & ~((1u << dropped) - 1);
}

} // namespace

std::vector<float> load(const void *from, cudnnDataType_t type, size_t count, bool tf32)
{
    std::vector<float> values(count);
    if (type == CUDNN_DATA_BFLOAT16) {
        const uint16_t *bits = static_cast<const uint16_t *>(from);
        std::transform(bits, bits + count, values.begin(), from_bfloat16);
        return values;
    }
    memcpy(values.data(), from, count * sizeof(float));
    if (tf32)
        for (float &value : values) {
            const uint32_t bits = round_bits(value, 13);
            memcpy(&value, &bits, sizeof value);
        }
    return values;
}

void store(void *to, cudnnDataType_t type, const std::vector<double> &values, float alpha, float beta)
{
    float *wide = static_cast<float *>(to);
    uint16_t *narrow = static_cast<uint16_t *>(to);
    for (size_t i = 0; i < values.size(); i++) {
        double value = static_cast<double>(alpha) * values[i];
        if (beta != 0) /* else what lies there is not read */
            value += static_cast<double>(beta) *
                     static_cast<double>(type == CUDNN_DATA_BFLOAT16 ? from_bfloat16(narrow[i]) : wide[i]);
        if (type == CUDNN_DATA_BFLOAT16)
            narrow[i] = static_cast<uint16_t>(round_bits(static_cast<float>(value), 16) >> 16);
        else
            wide[i] = static_cast<float>(value);
    }
}

cudnnStatus_t make_problem(cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w, cudnnConvolutionDescriptor_t how,
                           cudnnTensorDescriptor_t y, const char *call, convolution_problem *out)
{
    const convolution_problem problem = {tensor(x, call), tensor(y, call), filter(w, call), convolution(how, call)};
    const int groups = problem.how.groups, stride = problem.how.stride;
    const int out_h = (problem.x.h + 2 * problem.how.pad_h - problem.w.h) / stride + 1;
    const int out_w = (problem.x.w + 2 * problem.how.pad_w - problem.w.w) / stride + 1;
    if (problem.x.c != problem.w.c * groups || problem.w.k % groups != 0 || problem.y.n != problem.x.n ||
        problem.y.c != problem.w.k || problem.y.h != out_h || problem.y.w != out_w ||
        problem.w.h > problem.x.h + 2 * problem.how.pad_h || problem.w.w > problem.x.w + 2 * problem.how.pad_w)
        return CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH;
    if (problem.x.type != problem.w.type || problem.x.type != problem.y.type || problem.how.compute != CUDNN_DATA_FLOAT)
        return CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE;
    *out = problem;
    return CUDNN_STATUS_SUCCESS;
}

namespace
{

/* One row of the output against the row of the input that a kernel's place (row r, column s) takes it from. */
struct row_pair {
    size_t out, in; /* where the first of `count` elements lie; the input's are `stride` apart */
    int count;
};

/* Calls `at` with (index into w, rows) for all products of image n: y[out + i] += w * x[in + i * stride]. */
template <class At> void for_all_rows(const convolution_problem &p, int n, int k, At at)
{
    const int per_group = p.w.k / p.how.groups, first_channel = k / per_group * p.w.c, stride = p.how.stride;
    for (int c = 0; c < p.w.c; c++)
        for (int r = 0; r < p.w.h; r++)
            for (int s = 0; s < p.w.w; s++) {
                const size_t weight = static_cast<size_t>(((k * p.w.c + c) * p.w.h + r) * p.w.w + s);
                const int shift = s - p.how.pad_w; /* column in x = column in y * stride + shift */
                const int from = shift < 0 ? (-shift + stride - 1) / stride : 0;
                const int last = p.x.w - 1 - shift;
                const int to = last < 0 ? 0 : std::min(p.y.w, last / stride + 1);
                for (int row = 0; row < p.y.h && from < to; row++) {
                    const int in_row = row * stride + r - p.how.pad_h;
                    if (in_row < 0 || in_row >= p.x.h)
                        continue;
                    at(weight, row_pair{static_cast<size_t>(((n * p.y.c + k) * p.y.h + row) * p.y.w + from),
                                        static_cast<size_t>(((n * p.x.c + first_channel + c) * p.x.h + in_row) * p.x.w +
                                                            from * stride + shift),
                                        to - from});
                }
            }
}

/* Same, over all images and output channels. */
template <class At> void for_all(const convolution_problem &p, At at)
{
    for (int n = 0; n < p.x.n; n++)
        for (int k = 0; k < p.y.c; k++)
            for_all_rows(p, n, k, at);
}

std::vector<double> run_forward(const convolution_problem &p, const std::vector<float> &x, const std::vector<float> &w)
{
    std::vector<double> y(bytes_of(p.y) / (p.y.type == CUDNN_DATA_BFLOAT16 ? 2 : 4));
    const size_t stride = static_cast<size_t>(p.how.stride);
    for_all(p, [&](size_t weight, const row_pair &rows) {
        const double factor = static_cast<double>(w[weight]);
        for (size_t i = 0; i < static_cast<size_t>(rows.count); i++)
            y[rows.out + i] += factor * static_cast<double>(x[rows.in + i * stride]);
    });
    return y;
}

std::vector<double> run_data(const convolution_problem &p, const std::vector<float> &w, const std::vector<float> &dy)
{
    std::vector<double> dx(bytes_of(p.x) / (p.x.type == CUDNN_DATA_BFLOAT16 ? 2 : 4));
    const size_t stride = static_cast<size_t>(p.how.stride);
    for_all(p, [&](size_t weight, const row_pair &rows) {
        const double factor = static_cast<double>(w[weight]);
        for (size_t i = 0; i < static_cast<size_t>(rows.count); i++)
            dx[rows.in + i * stride] += factor * static_cast<double>(dy[rows.out + i]);
    });
    return dx;
}

std::vector<double> run_weights(const convolution_problem &p, const std::vector<float> &x, const std::vector<float> &dy)
{
    std::vector<double> dw(bytes_of(p.w) / (p.w.type == CUDNN_DATA_BFLOAT16 ? 2 : 4));
    const size_t stride = static_cast<size_t>(p.how.stride);
    for_all(p, [&](size_t weight, const row_pair &rows) {
        double sum = 0;
        for (size_t i = 0; i < static_cast<size_t>(rows.count); i++)
            sum += static_cast<double>(x[rows.in + i * stride]) * static_cast<double>(dy[rows.out + i]);
        dw[weight] += sum;
    });
    return dw;
}

/* What one of the three calls was given, checked, for the work to keep. */
struct operation {
    convolution_problem problem;
    direction which;
    const void *first, *second; /* (x, w), (w, dy), (x, dy) */
    void *result;
    float alpha, beta;
    void *workspace;
    size_t workspace_bytes;
    bool deterministic;
};

void perturb(std::vector<double> &values)
{
    static unsigned calls;
    const double factor = 1 + 1e-6 * static_cast<double>(++calls % 7);
    for (double &value : values)
        value *= factor;
}

void run(const operation &todo)
{
    const convolution_problem &p = todo.problem;
    const size_t width = p.x.type == CUDNN_DATA_BFLOAT16 ? 2 : 4;
    const size_t x = bytes_of(p.x) / width, y = bytes_of(p.y) / width, w = bytes_of(p.w) / width;
    const bool tf32 = p.how.math != CUDNN_FMA_MATH;
    const size_t sizes[3][2] = {{x, w}, {w, y}, {x, y}};
    const int which = static_cast<int>(todo.which);
    const std::vector<float> first = load(todo.first, p.x.type, sizes[which][0], tf32);
    const std::vector<float> second = load(todo.second, p.x.type, sizes[which][1], tf32);
    if (todo.workspace_bytes > 0)
        memset(todo.workspace, 0xff, todo.workspace_bytes);
    std::vector<double> result = todo.which == direction::forward ? run_forward(p, first, second)
                                 : todo.which == direction::data  ? run_data(p, first, second)
                                                                  : run_weights(p, first, second);
    if (!todo.deterministic)
        perturb(result);
    store(todo.result, p.x.type, result, todo.alpha, todo.beta);
}

struct pointers {
    const void *first, *second;
    void *result;
    const void *alpha, *beta;
    void *workspace;
    size_t workspace_bytes;
};

/* Checks and queues; `names` are those of first, second and result. */
cudnnStatus_t submit(cudnnHandle_t handle, direction which, cudnnTensorDescriptor_t x, cudnnFilterDescriptor_t w,
                     cudnnConvolutionDescriptor_t how, cudnnTensorDescriptor_t y, int algorithm, const pointers &given,
                     const char *call, const char *const names[3])
{
    convolution_problem problem;
    size_t bytes = 0;
    cudnnStatus_t code = enter(handle, call);
    if (code == CUDNN_STATUS_SUCCESS)
        code = make_problem(x, w, how, y, call, &problem);
    if (code == CUDNN_STATUS_SUCCESS)
        code = workspace_of(problem, which, algorithm, &bytes);
    if (code != CUDNN_STATUS_SUCCESS)
        return code;
    if (!given.first || !given.second || !given.result || !given.alpha || !given.beta)
        return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
    if (given.workspace_bytes < bytes || (bytes > 0 && !given.workspace))
        return CUDNN_STATUS_BAD_PARAM_SIZE_INSUFFICIENT;
    const size_t sizes[3][3] = {{bytes_of(problem.x), bytes_of(problem.w), bytes_of(problem.y)},
                                {bytes_of(problem.w), bytes_of(problem.y), bytes_of(problem.x)},
                                {bytes_of(problem.x), bytes_of(problem.y), bytes_of(problem.w)}};
    const void *const data[3] = {given.first, given.second, given.result};
    for (int i = 0; i < 3; i++) /* its kernels read 16 bytes at a time */
        need(data[i], sizes[static_cast<int>(which)][i], 16, call, names[i]);
    need(given.workspace, given.workspace_bytes, 16, call, "workSpace");
    const operation todo = {problem,
                            which,
                            given.first,
                            given.second,
                            given.result,
                            *static_cast<const float *>(given.alpha),
                            *static_cast<const float *>(given.beta),
                            given.workspace,
                            bytes,
                            is_deterministic(which, algorithm)};
    return enqueue(handle->stream, call, [todo] { run(todo); }) == cudaSuccess ? CUDNN_STATUS_SUCCESS
                                                                               : CUDNN_STATUS_EXECUTION_FAILED;
}

} // namespace

} // namespace cudadouble

using namespace cudadouble;

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha, cudnnTensorDescriptor_t x_is,
                                      const void *x, cudnnFilterDescriptor_t w_is, const void *w,
                                      cudnnConvolutionDescriptor_t how, cudnnConvolutionFwdAlgo_t algorithm,
                                      void *workspace, size_t workspace_bytes, const void *beta,
                                      cudnnTensorDescriptor_t y_is, void *y)
{
    static const char *const names[] = {"x", "w", "y"};
    return submit(handle, direction::forward, x_is, w_is, how, y_is, algorithm,
                  {x, w, y, alpha, beta, workspace, workspace_bytes}, "cudnnConvolutionForward", names);
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void *alpha, cudnnFilterDescriptor_t w_is,
                                           const void *w, cudnnTensorDescriptor_t dy_is, const void *dy,
                                           cudnnConvolutionDescriptor_t how, cudnnConvolutionBwdDataAlgo_t algorithm,
                                           void *workspace, size_t workspace_bytes, const void *beta,
                                           cudnnTensorDescriptor_t dx_is, void *dx)
{
    static const char *const names[] = {"w", "dy", "dx"};
    return submit(handle, direction::data, dx_is, w_is, how, dy_is, algorithm,
                  {w, dy, dx, alpha, beta, workspace, workspace_bytes}, "cudnnConvolutionBackwardData", names);
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void *alpha, cudnnTensorDescriptor_t x_is,
                                             const void *x, cudnnTensorDescriptor_t dy_is, const void *dy,
                                             cudnnConvolutionDescriptor_t how,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void *workspace,
                                             size_t workspace_bytes, const void *beta, cudnnFilterDescriptor_t dw_is,
                                             void *dw)
{
    static const char *const names[] = {"x", "dy", "dw"};
    return submit(handle, direction::weights, x_is, dw_is, how, dy_is, algorithm,
                  {x, dy, dw, alpha, beta, workspace, workspace_bytes}, "cudnnConvolutionBackwardFilter", names);
}
