/* Bias, activation and dropout in one pass, forward and backward; definitions as in src/train/cpu/pointwise.c. Memory
 * is the limit of large layers, the start of the launch that of small ones. */
#include "kernels/math/activation.h"
#include "kernels/math/random.h"
#include "kernels/walk.h"

constexpr int BLOCK = 256;
constexpr int GROUP = 8; /* elements of a thread: what one block of random numbers serves */

/* A leaky ReLU of negative slope: its output does not show the sign of its input. */
constexpr int FOLDED = K_IDENTITY + 1;

static __host__ __device__ constexpr bool from_input(int kind)
{
    return kind == K_GELU || kind == K_SILU || kind == FOLDED;
}

template <int KIND> static __device__ inline float activate(float x, float slope)
{
    if constexpr (KIND == K_RELU)
        return activation_relu(x);
    else if constexpr (KIND == K_LEAKY_RELU || KIND == FOLDED)
        return activation_leaky_relu(x, slope);
    else if constexpr (KIND == K_GELU)
        return activation_gelu(x);
    else if constexpr (KIND == K_SILU)
        return activation_silu(x);
    else if constexpr (KIND == K_TANH)
        return math_tanh(x);
    else if constexpr (KIND == K_SIGMOID)
        return math_logistic(x);
    else
        return x;
}

/* `y` is the activation's output, before dropout. */
template <int KIND> static __device__ inline float derivative(float x, float y, float slope)
{
    if constexpr (KIND == K_RELU)
        return activation_relu_slope(y);
    else if constexpr (KIND == K_LEAKY_RELU)
        return activation_leaky_relu_slope(y, slope);
    else if constexpr (KIND == FOLDED)
        return activation_leaky_relu_slope(x, slope);
    else if constexpr (KIND == K_GELU)
        return activation_gelu_slope(x);
    else if constexpr (KIND == K_SILU)
        return activation_silu_slope(x);
    else if constexpr (KIND == K_TANH)
        return activation_tanh_slope(y);
    else if constexpr (KIND == K_SIGMOID)
        return activation_logistic_slope(y);
    else
        return 1;
}

/* The elements in the order that random.h numbers them. This rank's begin at number `lead` of block `first_block`,
 * so that group g holds elements g * GROUP - lead .. + 7 of this rank, those of them that there are. */
struct pointwise_layout {
    struct divisor positions, channels;
    int64_t count, groups, first_block;
    int lead;
    bool fours; /* groups are two aligned vectors of four, but for the first and the last */
};

/* One thread's elements: `from` .. `to` - 1 of value[]; value[0] is element `at`. */
struct group {
    int64_t at;
    int from, to;
};

static __device__ inline struct group group_of(const struct pointwise_layout &layout, int64_t number)
{
    const int64_t at = number * GROUP - layout.lead, behind = layout.count - at;
    return {at, at < 0 ? layout.lead : 0, behind < GROUP ? static_cast<int>(behind) : GROUP};
}

static __device__ inline bool in_fours(const struct pointwise_layout &layout, const struct group &group)
{
    return layout.fours && group.from == 0 && group.to == GROUP;
}

static __device__ inline void load(const float *x, const struct group &group, bool fours, float value[GROUP])
{
    if (fours) {
        const float4 low = *reinterpret_cast<const float4 *>(x + group.at);
        const float4 high = *reinterpret_cast<const float4 *>(x + group.at + 4);
        value[0] = low.x, value[1] = low.y, value[2] = low.z, value[3] = low.w;
        value[4] = high.x, value[5] = high.y, value[6] = high.z, value[7] = high.w;
    } else {
        NR_UNROLL(GROUP)
        for (int i = 0; i < GROUP; i++)
            value[i] = group.from <= i && i < group.to ? x[group.at + i] : 0;
    }
}

static __device__ inline void store(float *x, const struct group &group, bool fours, const float value[GROUP])
{
    if (fours) {
        *reinterpret_cast<float4 *>(x + group.at) = {value[0], value[1], value[2], value[3]};
        *reinterpret_cast<float4 *>(x + group.at + 4) = {value[4], value[5], value[6], value[7]};
    } else {
        NR_UNROLL(GROUP)
        for (int i = 0; i < GROUP; i++)
            if (group.from <= i && i < group.to)
                x[group.at + i] = value[i];
    }
}

/* value += bias of each one's channel: one division for the first, then counting. */
static __device__ inline void add_bias(const float *__restrict__ bias, const struct pointwise_layout &layout,
                                       const struct group &group, float value[GROUP])
{
    const int64_t first = group.at + group.from, plane = quotient(first, layout.positions);
    int64_t position = first - plane * layout.positions.value;
    int64_t channel = plane - quotient(plane, layout.channels) * layout.channels.value;
    NR_UNROLL(GROUP)
    for (int i = 0; i < GROUP; i++) {
        if (i < group.from || i >= group.to)
            continue;
        value[i] += bias[channel];
        if (++position == layout.positions.value) {
            position = 0;
            channel = channel + 1 == layout.channels.value ? 0 : channel + 1;
        }
    }
}

/* What each element is multiplied by: scale where it is kept, else 0. */
static __device__ inline void draw(const struct k_pointwise &pointwise, const struct pointwise_layout &layout,
                                   int64_t step, int64_t number, float factor[GROUP])
{
    uint32_t words[4];
    random_block(pointwise.seed, pointwise.trial, RANDOM_DROPOUT, pointwise.stream, static_cast<uint32_t>(step),
                 static_cast<uint32_t>(layout.first_block + number), words);
    NR_UNROLL(GROUP)
    for (int i = 0; i < GROUP; i++) {
        const uint32_t half_word = i % 2 ? words[i / 2] >> 16 : words[i / 2] & 0xffff;
        factor[i] = half_word >= pointwise.threshold ? pointwise.scale : 0;
    }
}

/* A thread does eight elements, then goes on by the grid. x, before and y may be the same: all of a group is read
 * before any of it is written. */
template <int KIND, bool DROPPED>
static __global__ void __launch_bounds__(BLOCK)
    pointwise_forward(struct k_pointwise pointwise, struct pointwise_layout layout, const struct k_state *state,
                      const float *x, float *before, float *y)
{
    const int64_t step = DROPPED ? state->step : 0;
    for (int64_t number = walk_first(); number < layout.groups; number += walk_stride()) {
        const struct group group = group_of(layout, number);
        const bool fours = in_fours(layout, group);
        float value[GROUP], factor[GROUP];
        load(x, group, fours, value);
        if (DROPPED)
            draw(pointwise, layout, step, number, factor);
        if (pointwise.bias)
            add_bias(pointwise.bias, layout, group, value);
        if (before)
            store(before, group, fours, value);
        NR_UNROLL(GROUP)
        for (int i = 0; i < GROUP; i++) {
            value[i] = activate<KIND>(value[i], pointwise.slope);
            if (DROPPED)
                value[i] *= factor[i];
        }
        store(y, group, fours, value);
    }
}

/* `known` is what the derivative is computed from: before or y. dx may be dy. */
template <int KIND, bool DROPPED>
static __global__ void __launch_bounds__(BLOCK)
    pointwise_backward(struct k_pointwise pointwise, struct pointwise_layout layout, const struct k_state *state,
                       const float *__restrict__ known, const float *dy, float *dx)
{
    const int64_t step = DROPPED ? state->step : 0;
    const float inverse = DROPPED && !from_input(KIND) ? 1 / pointwise.scale : 1;
    for (int64_t number = walk_first(); number < layout.groups; number += walk_stride()) {
        const struct group group = group_of(layout, number);
        const bool fours = in_fours(layout, group);
        float gradient[GROUP], value[GROUP], factor[GROUP];
        load(dy, group, fours, gradient);
        if (KIND != K_IDENTITY)
            load(known, group, fours, value);
        if (DROPPED)
            draw(pointwise, layout, step, number, factor);
        NR_UNROLL(GROUP)
        for (int i = 0; i < GROUP; i++) {
            if (DROPPED)
                gradient[i] *= factor[i];
            if (KIND != K_IDENTITY)
                gradient[i] *= derivative<KIND>(value[i], value[i] * inverse, pointwise.slope);
        }
        store(dx, group, fours, gradient);
    }
}

/* ---- launchers ---- */

static bool is_valid(const struct k_pointwise *pointwise)
{
    const int64_t rows = pointwise->rows, channels = pointwise->channels, positions = pointwise->positions;
    return rows >= 0 && channels >= 0 && positions >= 0 && pointwise->first >= 0 && pointwise->activation >= 0 &&
           pointwise->activation <= K_IDENTITY;
}

static struct pointwise_layout layout_of(const struct k_pointwise *pointwise, bool dropped, bool aligned)
{
    const int64_t features = pointwise->channels * pointwise->positions;
    const int64_t first = dropped ? pointwise->first * features : 0;
    struct pointwise_layout layout = {};
    layout.positions = divisor_of(pointwise->positions);
    layout.channels = divisor_of(pointwise->channels);
    layout.count = pointwise->rows * features;
    layout.lead = static_cast<int>(first % GROUP);
    layout.groups = (layout.lead + layout.count + GROUP - 1) / GROUP;
    layout.first_block = first / GROUP;
    layout.fours = aligned && layout.lead % 4 == 0;
    return layout;
}

template <int KIND, bool DROPPED>
static cudaError_t forward(const struct k_pointwise *pointwise, const struct k_state *state, const float *x,
                           float *before, float *y, cudaStream_t stream)
{
    const bool aligned = aligned_for<float4>(x) && aligned_for<float4>(before) && aligned_for<float4>(y);
    const struct pointwise_layout layout = layout_of(pointwise, DROPPED, aligned);
    return NR_LAUNCH((pointwise_forward<KIND, DROPPED>), walk_blocks(layout.groups, BLOCK), BLOCK, 0, stream,
                     *pointwise, layout, state, x, before, y);
}

template <int KIND, bool DROPPED>
static cudaError_t backward(const struct k_pointwise *pointwise, const struct k_state *state, const float *before,
                            const float *y, const float *dy, float *dx, cudaStream_t stream)
{
    const float *known = from_input(KIND) ? before : KIND == K_IDENTITY ? nullptr : y;
    if (!known && KIND != K_IDENTITY)
        return cudaErrorInvalidValue;
    const bool aligned = aligned_for<float4>(known) && aligned_for<float4>(dy) && aligned_for<float4>(dx);
    const struct pointwise_layout layout = layout_of(pointwise, DROPPED, aligned);
    return NR_LAUNCH((pointwise_backward<KIND, DROPPED>), walk_blocks(layout.groups, BLOCK), BLOCK, 0, stream,
                     *pointwise, layout, state, known, dy, dx);
}

static int kind_of(const struct k_pointwise *pointwise)
{
    const bool folded = pointwise->activation == K_LEAKY_RELU && pointwise->slope < 0;
    return folded ? FOLDED : static_cast<int>(pointwise->activation);
}

/* [kind][dropped], in the order of enum k_activation. */
#define EVERY_KIND(launch)                                                                                             \
    {                                                                                                                  \
        {launch<K_RELU, false>, launch<K_RELU, true>}, {launch<K_LEAKY_RELU, false>, launch<K_LEAKY_RELU, true>},      \
            {launch<K_GELU, false>, launch<K_GELU, true>}, {launch<K_SILU, false>, launch<K_SILU, true>},              \
            {launch<K_TANH, false>, launch<K_TANH, true>}, {launch<K_SIGMOID, false>, launch<K_SIGMOID, true>},        \
            {launch<K_IDENTITY, false>, launch<K_IDENTITY, true>}, {launch<FOLDED, false>, launch<FOLDED, true>},      \
    }

cudaError_t k_pointwise_forward(const struct k_pointwise *pointwise, const struct k_state *state, const float *x,
                                float *before, float *y, cudaStream_t stream)
{
    static constexpr decltype(&forward<K_RELU, false>) launches[][2] = EVERY_KIND(forward);
    if (!is_valid(pointwise))
        return cudaErrorInvalidValue;
    if (pointwise->rows * pointwise->channels * pointwise->positions == 0)
        return cudaSuccess;
    const bool dropped = state && pointwise->threshold > 0;
    return launches[kind_of(pointwise)][dropped](pointwise, state, x, before, y, stream);
}

cudaError_t k_pointwise_backward(const struct k_pointwise *pointwise, const struct k_state *state, const float *before,
                                 const float *y, const float *dy, float *dx, cudaStream_t stream)
{
    static constexpr decltype(&backward<K_RELU, false>) launches[][2] = EVERY_KIND(backward);
    if (!is_valid(pointwise))
        return cudaErrorInvalidValue;
    if (pointwise->rows * pointwise->channels * pointwise->positions == 0)
        return cudaSuccess;
    const bool dropped = state && pointwise->threshold > 0;
    return launches[kind_of(pointwise)][dropped](pointwise, state, before, y, dy, dx, stream);
}
