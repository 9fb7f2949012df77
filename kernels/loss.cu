/* Softmax cross-entropy of rows of logits; definitions as in src/train/cpu/loss.c. */
#include "kernels/math/elementary.h"
#include "kernels/reduce.h"

#include <math.h>

constexpr int MOST_THREADS = 1024;

/* How a row is spread: `lanes` neighbouring threads work on it, each on every lanes-th class. Where there are fewer
 * rows than places for them the rest have rows of no classes, and take part in the shuffles. */
struct row {
    const float *z;
    int classes;
    int lane, lanes;
};

static __device__ struct row row_of(const float *logits, int64_t number, int64_t rows, int classes, int lanes)
{
    const int here = number < rows ? classes : 0;
    return {logits + (here > 0 ? number * classes : 0), here, static_cast<int>(threadIdx.x) % lanes, lanes};
}

/* The largest logit, known to all lanes; what it is where there are NaNs is of no account. */
static __device__ float row_maximum(const struct row &row)
{
    float most = -INFINITY;
    for (int i = row.lane; i < row.classes; i += row.lanes)
        most = fmaxf(most, row.z[i]);
    for (int distance = row.lanes / 2; distance > 0; distance /= 2)
        most = fmaxf(most, __shfl_xor_sync(whole_warp, most, distance));
    return most;
}

struct largest {
    float value;
    int at;
};

/* The first largest logit, known to all lanes. As a loop from class 0 on would find it: a NaN is never larger, and
 * where class 0 is NaN nothing is. */
static __device__ struct largest row_largest(const struct row &row)
{
    struct largest most = {row.classes > 0 ? row.z[0] : 0, 0};
    for (int i = row.lane; i < row.classes; i += row.lanes)
        if (row.z[i] > most.value)
            most = {row.z[i], i};
    for (int distance = row.lanes / 2; distance > 0; distance /= 2) {
        const float value = __shfl_xor_sync(whole_warp, most.value, distance);
        const int at = __shfl_xor_sync(whole_warp, most.at, distance);
        if (value > most.value || (value == most.value && at < most.at))
            most = {value, at};
    }
    return most;
}

/* Sum of exp(z - most), known to all lanes; NaN if any logit is. */
static __device__ float row_power_sum(const struct row &row, float most)
{
    float sum = 0;
    for (int i = row.lane; i < row.classes; i += row.lanes)
        sum += math_exp(row.z[i] - most);
    return group_sum(sum, row.lanes);
}

static __device__ float row_mean(const struct row &row)
{
    float sum = 0;
    for (int i = row.lane; i < row.classes; i += row.lanes)
        sum += row.z[i];
    return group_sum(sum, row.lanes) / static_cast<float>(row.classes);
}

/* One block does all rows, which needs no second launch for the sum: `lanes` threads (a power of two up to 32, about
 * the classes) a row. The lane that holds the label's class knows the row's loss and adds up those of its rows.
 * Shared memory: that of block_sum(). Meant for batches of some thousand rows at most; correct for any. */
static __global__ void __launch_bounds__(MOST_THREADS)
    loss_gradient(const float *logits, const int32_t *__restrict__ label, int64_t rows, int classes, int lanes,
                  float smoothing, float scale, float *dlogits, float *__restrict__ loss)
{
    const float uniform = smoothing / static_cast<float>(classes), rest = 1 - smoothing;
    const int at_once = static_cast<int>(blockDim.x) / lanes;
    double total = 0;
    for (int64_t first = 0; first < rows; first += at_once) {
        const int64_t number = first + static_cast<int>(threadIdx.x) / lanes;
        const struct row row = row_of(logits, number, rows, classes, lanes);
        const int right = row.classes > 0 ? label[number] : -1;
        const float most = row_maximum(row), sum = row_power_sum(row, most), share = 1 / sum;
        const float log_sum = logf(sum), mean = smoothing > 0 ? row_mean(row) : 0;
        for (int i = row.lane; i < row.classes; i += lanes) { /* dlogits may be logits: what a lane has read itself */
            const float z = row.z[i];
            float gradient = (math_exp(z - most) * share - uniform) * scale;
            if (i == right) {
                gradient -= rest * scale;
                total += static_cast<double>(rest * (log_sum + (most - z)) + smoothing * (log_sum + (most - mean)));
            }
            dlogits[number * classes + i] = gradient;
        }
    }
    total = block_sum(total);
    if (threadIdx.x == 0)
        *loss = static_cast<float>(total);
}

/* As above: one block; numbers of images up to 2^53 are exact as doubles. */
static __global__ void __launch_bounds__(MOST_THREADS)
    evaluate(const float *__restrict__ logits, const int32_t *__restrict__ label, int64_t rows, int classes, int lanes,
             struct k_evaluation *out)
{
    const int at_once = static_cast<int>(blockDim.x) / lanes;
    double total = 0, correct = 0;
    for (int64_t first = 0; first < rows; first += at_once) {
        const int64_t number = first + static_cast<int>(threadIdx.x) / lanes;
        const struct row row = row_of(logits, number, rows, classes, lanes);
        const int right = row.classes > 0 ? label[number] : -1;
        const struct largest most = row_largest(row);
        const float sum = row_power_sum(row, most.value);
        if (row.lane == 0 && right >= 0 && right < classes) {
            total += static_cast<double>(logf(sum) + (most.value - row.z[right]));
            correct += most.at == right;
        }
    }
    total = block_sum(total);
    correct = block_sum(correct);
    if (threadIdx.x == 0) {
        out->loss_sum += total;
        out->images += rows;
        out->correct += static_cast<int64_t>(correct);
    }
}

/* Whole warps; one block's worth of rows at most. */
static unsigned threads_for(int64_t rows, int lanes)
{
    const int64_t most = MOST_THREADS / lanes, threads = (rows < most ? rows : most) * lanes;
    return static_cast<unsigned>(threads < WARP ? WARP : (threads + WARP - 1) / WARP * WARP);
}

static int lanes_for(int64_t classes)
{
    int lanes = 1;
    while (lanes < classes && lanes < WARP)
        lanes *= 2;
    return lanes;
}

cudaError_t k_loss_gradient(const float *logits, const int32_t *label, int64_t rows, int64_t classes, float smoothing,
                            float scale, float *dlogits, float *loss, cudaStream_t stream)
{
    if (rows < 0 || classes < 1 || classes > INT32_MAX / 2)
        return cudaErrorInvalidValue;
    const int lanes = lanes_for(classes);
    return NR_LAUNCH(loss_gradient, 1, threads_for(rows, lanes), 0, stream, logits, label, rows,
                     static_cast<int>(classes), lanes, smoothing, scale, dlogits, loss);
}

cudaError_t k_evaluate(const float *logits, const int32_t *label, int64_t rows, int64_t classes,
                       struct k_evaluation *out, cudaStream_t stream)
{
    if (rows < 0 || classes < 1 || classes > INT32_MAX / 2)
        return cudaErrorInvalidValue;
    if (rows == 0)
        return cudaSuccess;
    const int lanes = lanes_for(classes);
    return NR_LAUNCH(evaluate, 1, threads_for(rows, lanes), 0, stream, logits, label, rows, static_cast<int>(classes),
                     lanes, out);
}
