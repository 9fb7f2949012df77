/* Maximum and average over windows, with bias and ReLU before them in the same pass; definitions as in
 * src/train/cpu/pool.c, but that a NaN is the largest of a window. Memory is the limit of large layers; what
 * neighbouring windows share comes from the first-level cache. */
#include "kernels/reduce.h"
#include "kernels/walk.h"

#include <limits.h>
#include <math.h>

constexpr int BLOCK = 256;
constexpr int NONE = 0xffff;
constexpr int LARGE_WINDOW = 64; /* places; from here on a warp works on one output */

/* What a launch needs, computed once. Positions of a plane with its padding fit 31 bits. */
struct pool_shape {
    int in_height, in_width, out_height, out_width, kernel_height, kernel_width, stride, pad_top, pad_left;
    bool relu;
    const float *bias;
    int64_t inputs, outputs;
    struct divisor in_plane, by_in_width, out_plane, by_out_width, by_channels, by_stride, by_kernel_width;
};

/* One position of one plane. */
struct pool_place {
    int64_t plane;
    int y, x;
    float bias;
};

static __device__ inline struct pool_place place_of(const struct pool_shape &shape, int64_t number,
                                                    const struct divisor &plane_size, const struct divisor &width)
{
    const int64_t plane = quotient(number, plane_size), position = number - plane * plane_size.value;
    const int64_t y = quotient(position, width), x = position - y * width.value;
    const float bias =
        shape.bias ? shape.bias[plane - quotient(plane, shape.by_channels) * shape.by_channels.value] : 0;
    return {plane, static_cast<int>(y), static_cast<int>(x), bias};
}

/* ---- forward ---- */

/* The largest value of a window so far and its place, NONE: there was no place yet. An average keeps the sum here. */
struct most {
    float value;
    int place;
};

/* Places come in order: the first of equal ones stays, and so does the first NaN. */
template <bool MAXIMUM> static __device__ inline void take(struct most *most, float value, int place, bool relu)
{
    if (!MAXIMUM)
        most->value += relu && value < 0 ? 0 : value;
    else if (most->place == NONE || value > most->value || (isnan(value) && !isnan(most->value)))
        *most = {value, place};
}

/* Of the window of one output, alone. */
template <bool MAXIMUM>
static __device__ inline struct most window_of(const struct pool_shape &shape, const struct pool_place &at,
                                               const float *__restrict__ x)
{
    const int top = at.y * shape.stride - shape.pad_top, left = at.x * shape.stride - shape.pad_left;
    const int bottom = min(top + shape.kernel_height, shape.in_height);
    const int right = min(left + shape.kernel_width, shape.in_width);
    const float *plane = x + at.plane * shape.in_plane.value;
    struct most most = {0, NONE};
    for (int h = max(top, 0); h < bottom; h++)
        for (int w = max(left, 0); w < right; w++)
            take<MAXIMUM>(&most, plane[h * shape.in_width + w] + at.bias, (h - top) * shape.kernel_width + w - left,
                          shape.relu);
    return most;
}

/* Of every 32nd place of the window of one output. */
template <bool MAXIMUM>
static __device__ inline struct most window_share(const struct pool_shape &shape, const struct pool_place &at,
                                                  const float *__restrict__ x)
{
    const int top = at.y * shape.stride - shape.pad_top, left = at.x * shape.stride - shape.pad_left;
    const float *plane = x + at.plane * shape.in_plane.value;
    struct most most = {0, NONE};
    NR_UNROLL(1) /* more would spill around the division of large numbers */
    for (int place = static_cast<int>(threadIdx.x) % WARP; place < shape.kernel_height * shape.kernel_width;
         place += WARP) {
        const int row = static_cast<int>(quotient(place, shape.by_kernel_width)), h = top + row,
                  w = left + place - row * shape.kernel_width;
        if (h >= 0 && h < shape.in_height && w >= 0 && w < shape.in_width)
            take<MAXIMUM>(&most, plane[h * shape.in_width + w] + at.bias, place, shape.relu);
    }
    return most;
}

/* Whether `other` is the one to keep of the two; what take() does, for places in any order. */
static __device__ inline bool beats(const struct most &other, const struct most &mine)
{
    if (other.place == NONE || mine.place == NONE)
        return other.place != NONE;
    if (isnan(other.value) != isnan(mine.value))
        return isnan(other.value);
    const bool equal = other.value == mine.value || isnan(mine.value);
    return other.value > mine.value || (equal && other.place < mine.place);
}

template <bool MAXIMUM> static __device__ inline struct most join_shares(struct most mine)
{
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        const struct most other = {__shfl_xor_sync(whole_warp, mine.value, distance),
                                   __shfl_xor_sync(whole_warp, mine.place, distance)};
        if (!MAXIMUM)
            mine.value += other.value;
        else if (beats(other, mine))
            mine = other;
    }
    return mine;
}

template <bool MAXIMUM>
static __device__ inline void put(const struct pool_shape &shape, int64_t number, struct most most, float *y,
                                  uint16_t *trace)
{
    if (!MAXIMUM) {
        y[number] = most.value * (1.0f / static_cast<float>(shape.kernel_height * shape.kernel_width));
        return;
    }
    if (shape.relu && most.value <= 0)
        most = {0, NONE};
    y[number] = most.value;
    if (trace)
        trace[number] = static_cast<uint16_t>(most.place);
}

/* A thread does one output, then goes on by the grid; trace may be NULL. */
template <bool MAXIMUM>
static __global__ void __launch_bounds__(BLOCK) pool_forward(struct pool_shape shape, const float *__restrict__ x,
                                                             float *__restrict__ y, uint16_t *__restrict__ trace)
{
    for (int64_t number = walk_first(); number < shape.outputs; number += walk_stride()) {
        const struct pool_place at = place_of(shape, number, shape.out_plane, shape.by_out_width);
        put<MAXIMUM>(shape, number, window_of<MAXIMUM>(shape, at, x), y, trace);
    }
}

/* The same for large windows, global averages above all: a warp does one output. */
template <bool MAXIMUM>
static __global__ void __launch_bounds__(BLOCK) pool_forward_warps(struct pool_shape shape, const float *__restrict__ x,
                                                                   float *__restrict__ y, uint16_t *__restrict__ trace)
{
    for (int64_t number = walk_first() / WARP; number < shape.outputs; number += walk_stride() / WARP) {
        const struct pool_place at = place_of(shape, number, shape.out_plane, shape.by_out_width);
        const struct most most = join_shares<MAXIMUM>(window_share<MAXIMUM>(shape, at, x));
        if (threadIdx.x % WARP == 0)
            put<MAXIMUM>(shape, number, most, y, trace);
    }
}

/* ---- backward ---- */

/* What the maximum pool of a bias hands on to it: the gradients of a channel's outputs that have a place. A block does
 * a channel, VECTOR neighbouring outputs a thread. */
struct pool_sums {
    int64_t rows, channels;
    unsigned blocks; /* the first of the grid; 0: no sums are wanted */
    int pieces;      /* of VECTOR outputs, in a plane */
    float *sum;
};

template <int VECTOR>
static __device__ inline void sum_channel(const struct pool_sums &sums, int64_t channel,
                                          const uint16_t *__restrict__ trace, const float *__restrict__ dy)
{
    float part[4] = {0, 0, 0, 0};
    NR_UNROLL(4)
    for (struct piece_walk walk = piece_walk_begin(sums.pieces); walk.row < sums.rows; piece_walk_on(&walk)) {
        const int64_t group = (walk.row * sums.channels + channel) * sums.pieces + walk.piece;
        if constexpr (VECTOR == 4) {
            const float4 four = reinterpret_cast<const float4 *>(dy)[group];
            const ushort4 place = reinterpret_cast<const ushort4 *>(trace)[group];
            part[0] += place.x == NONE ? 0 : four.x;
            part[1] += place.y == NONE ? 0 : four.y;
            part[2] += place.z == NONE ? 0 : four.z;
            part[3] += place.w == NONE ? 0 : four.w;
        } else {
            part[0] += trace[group] == NONE ? 0 : dy[group];
        }
    }
    const double total = block_sum(static_cast<double>((part[0] + part[1]) + (part[2] + part[3])));
    if (threadIdx.x == 0)
        sums.sum[channel] = static_cast<float>(total);
}

/* A thread does one input: the sum over the windows that it lies in, those below and to the right first. The first
 * blocks sum up channels instead, beside the others, so that the bias costs no node. Shared memory: block_sum()'s. */
template <bool MAXIMUM, int VECTOR>
static __global__ void __launch_bounds__(BLOCK)
    pool_backward(struct pool_shape shape, struct pool_sums sums, const float *__restrict__ x,
                  const uint16_t *__restrict__ trace, const float *__restrict__ dy, float *__restrict__ dx)
{
    if (MAXIMUM && blockIdx.x < sums.blocks) {
        for (int64_t channel = blockIdx.x; channel < sums.channels; channel += sums.blocks)
            sum_channel<VECTOR>(sums, channel, trace, dy);
        return;
    }
    const float share = 1.0f / static_cast<float>(shape.kernel_height * shape.kernel_width);
    const int64_t before = static_cast<int64_t>(sums.blocks) * BLOCK;
    for (int64_t number = walk_first() - before; number < shape.inputs; number += walk_stride() - before) {
        const struct pool_place at = place_of(shape, number, shape.in_plane, shape.by_in_width);
        const bool passes = MAXIMUM || !shape.relu || x[number] + at.bias > 0;
        const int y = at.y + shape.pad_top, column = at.x + shape.pad_left;
        const int last_a = min(static_cast<int>(quotient(y, shape.by_stride)), shape.out_height - 1);
        const int last_b = min(static_cast<int>(quotient(column, shape.by_stride)), shape.out_width - 1);
        float sum = 0;
        for (int a = last_a; a >= 0 && y - a * shape.stride < shape.kernel_height; a--)
            for (int b = last_b; b >= 0 && column - b * shape.stride < shape.kernel_width; b--) {
                const int64_t window = at.plane * shape.out_plane.value + a * shape.out_width + b;
                const int place = (y - a * shape.stride) * shape.kernel_width + column - b * shape.stride;
                if (!MAXIMUM || trace[window] == place)
                    sum += dy[window];
            }
        dx[number] = MAXIMUM ? sum : passes ? sum * share : 0;
    }
}

/* ---- launchers ---- */

static bool fits(int64_t value, int64_t least)
{
    return value >= least && value <= INT_MAX;
}

/* All positions, also those of padding, as int. */
static bool is_valid(const struct k_pool *pool)
{
    const bool each = pool->rows >= 0 && fits(pool->channels, 0) && fits(pool->in_height, 0) &&
                      fits(pool->in_width, 0) && fits(pool->out_height, 0) && fits(pool->out_width, 0) &&
                      fits(pool->kernel_height, 1) && fits(pool->kernel_width, 1) && fits(pool->stride, 1) &&
                      fits(pool->pad_top, 0) && fits(pool->pad_left, 0);
    return each && fits(pool->in_height * pool->in_width, 0) && fits(pool->out_height * pool->out_width, 0) &&
           fits(pool->kernel_height * pool->kernel_width, 1) &&
           fits(pool->out_height * pool->stride + pool->kernel_height, 0) &&
           fits(pool->out_width * pool->stride + pool->kernel_width, 0) && fits(pool->in_height + pool->pad_top, 0) &&
           fits(pool->in_width + pool->pad_left, 0) &&
           (!pool->maximum || pool->kernel_height * pool->kernel_width <= UINT16_MAX);
}

static bool is_empty(const struct k_pool *pool)
{
    return pool->rows * pool->channels * pool->out_height * pool->out_width == 0;
}

static struct pool_shape shape_of(const struct k_pool *pool)
{
    struct pool_shape shape = {};
    const int64_t in_plane = pool->in_height * pool->in_width, out_plane = pool->out_height * pool->out_width;
    shape.in_height = static_cast<int>(pool->in_height);
    shape.in_width = static_cast<int>(pool->in_width);
    shape.out_height = static_cast<int>(pool->out_height);
    shape.out_width = static_cast<int>(pool->out_width);
    shape.kernel_height = static_cast<int>(pool->kernel_height);
    shape.kernel_width = static_cast<int>(pool->kernel_width);
    shape.stride = static_cast<int>(pool->stride);
    shape.pad_top = static_cast<int>(pool->pad_top);
    shape.pad_left = static_cast<int>(pool->pad_left);
    shape.relu = pool->relu;
    shape.bias = pool->bias;
    shape.inputs = pool->rows * pool->channels * in_plane;
    shape.outputs = pool->rows * pool->channels * out_plane;
    shape.in_plane = divisor_of(in_plane);
    shape.by_in_width = divisor_of(pool->in_width);
    shape.out_plane = divisor_of(out_plane);
    shape.by_out_width = divisor_of(pool->out_width);
    shape.by_channels = divisor_of(pool->channels);
    shape.by_stride = divisor_of(pool->stride);
    shape.by_kernel_width = divisor_of(pool->kernel_width);
    return shape;
}

template <bool MAXIMUM>
static cudaError_t forward(const struct pool_shape &shape, const float *x, float *y, uint16_t *trace,
                           cudaStream_t stream)
{
    if (shape.kernel_height * shape.kernel_width < LARGE_WINDOW)
        return NR_LAUNCH(pool_forward<MAXIMUM>, walk_blocks(shape.outputs, BLOCK), BLOCK, 0, stream, shape, x, y,
                         trace);
    return NR_LAUNCH(pool_forward_warps<MAXIMUM>, walk_blocks(shape.outputs, BLOCK / WARP), BLOCK, 0, stream, shape, x,
                     y, trace);
}

cudaError_t k_pool_forward(const struct k_pool *pool, const float *x, float *y, uint16_t *trace, cudaStream_t stream)
{
    if (!is_valid(pool))
        return cudaErrorInvalidValue;
    if (is_empty(pool))
        return cudaSuccess;
    const struct pool_shape shape = shape_of(pool);
    return pool->maximum ? forward<true>(shape, x, y, trace, stream) : forward<false>(shape, x, y, trace, stream);
}

/* The first blocks of a grid that does the sums too. */
static struct pool_sums sums_of(const struct k_pool *pool, float *bias_gradient, int vector)
{
    const int pieces = static_cast<int>(pool->out_height * pool->out_width) / vector;
    const unsigned blocks = bias_gradient ? walk_blocks(pool->channels, 1) : 0;
    return {pieces > 0 ? pool->rows : 0, pool->channels, blocks, pieces > 0 ? pieces : 1, bias_gradient};
}

template <bool MAXIMUM, int VECTOR>
static cudaError_t backward(const struct k_pool *pool, const float *x, const uint16_t *trace, const float *dy,
                            float *dx, float *bias_gradient, cudaStream_t stream)
{
    const struct pool_shape shape = shape_of(pool);
    const struct pool_sums sums = sums_of(pool, bias_gradient, VECTOR);
    return NR_LAUNCH((pool_backward<MAXIMUM, VECTOR>), sums.blocks + walk_blocks(shape.inputs, BLOCK), BLOCK, 0, stream,
                     shape, sums, x, trace, dy, dx);
}

cudaError_t k_pool_backward(const struct k_pool *pool, const float *x, const uint16_t *trace, const float *dy,
                            float *dx, float *bias_gradient, cudaStream_t stream)
{
    if (!is_valid(pool) || (pool->maximum ? !trace : bias_gradient || (pool->relu && !x)))
        return cudaErrorInvalidValue;
    if (pool->rows * pool->channels * pool->in_height * pool->in_width == 0 && (!bias_gradient || !pool->channels))
        return cudaSuccess;
    const bool fours =
        pool->out_height * pool->out_width % 4 == 0 && aligned_for<float4>(dy) && aligned_for<ushort4>(trace);
    const auto chosen = !pool->maximum ? backward<false, 1> : fours ? backward<true, 4> : backward<true, 1>;
    return chosen(pool, x, trace, dy, dx, bias_gradient, stream);
}
