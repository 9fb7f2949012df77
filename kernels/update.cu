/* One optimizer step over the flat vector of parameters, and the end of the step; definitions as in
 * src/train/cpu/optimizer.c. */
#include "kernels/reduce.h"
#include "kernels/walk.h"

#include <math.h>

constexpr int BLOCK = 256;
static_assert(BLOCK == static_cast<int>(K_SQUARES), "every thread of an update takes one partial sum");

/* ---- the norm ---- */

/* Block b of K_SQUARES sums the squares of elements 4 (b * BLOCK + thread) .. + 3, and so on by the whole grid. The
 * partition depends on the count alone, and the sums are double, so that no device differs. Shared memory: that of
 * block_sum(). */
template <int VECTOR>
static __global__ void __launch_bounds__(BLOCK)
    squares(const float *__restrict__ gradient, int64_t count, double *__restrict__ sum)
{
    double own = 0;
    if (static_cast<int64_t>(blockIdx.x) * BLOCK * 4 >= count) { /* the same for the whole block */
        if (threadIdx.x == 0)
            sum[blockIdx.x] = 0;
        return;
    }
    for (int64_t i = walk_first() * 4; i < count; i += walk_stride() * 4) {
        if (VECTOR == 4 && i + 4 <= count) {
            const float4 g = *reinterpret_cast<const float4 *>(gradient + i);
            const double x = g.x, y = g.y, z = g.z, w = g.w;
            own += (x * x + y * y) + (z * z + w * w);
        } else {
            double square[4] = {0, 0, 0, 0};
            for (int j = 0; j < 4 && i + j < count; j++)
                square[j] = static_cast<double>(gradient[i + j]) * static_cast<double>(gradient[i + j]);
            own += (square[0] + square[1]) + (square[2] + square[3]);
        }
    }
    own = block_sum(own);
    if (threadIdx.x == 0)
        sum[blockIdx.x] = own;
}

/* min(1, bound / (norm + 1e-6)); every block computes it for itself, in the same order. */
static __device__ float clipping(const double *squares, double bound)
{
    const double norm = sqrt(block_sum(squares[threadIdx.x])) + 1e-6;
    return bound < norm ? static_cast<float>(bound / norm) : 1.0f;
}

/* ---- one element ---- */

struct factors {
    float rate, epsilon, decoupled, clip;
};

struct element {
    float weight, slot0, slot1;
};

template <enum k_optimizer OPTIMIZER>
static __device__ void advance(const struct k_update &update, const struct factors &by, float gradient,
                               struct element *at)
{
    gradient = gradient * by.clip + update.decay * at->weight;
    if constexpr (OPTIMIZER == K_SGD) {
        at->weight -= by.rate * gradient;
    } else if constexpr (OPTIMIZER == K_ADAM) {
        at->slot0 = update.beta1 * at->slot0 + update.rest1 * gradient;
        at->slot1 = update.beta2 * at->slot1 + update.rest2 * (gradient * gradient);
        at->weight = at->weight * by.decoupled - by.rate * (at->slot0 / (sqrtf(at->slot1) + by.epsilon));
    } else {
        at->slot0 = update.momentum * at->slot0 + gradient;
        at->weight -= by.rate * (OPTIMIZER == K_NESTEROV ? gradient + update.momentum * at->slot0 : at->slot0);
    }
}

/* ---- the vector ---- */

template <int SLOTS, int VECTOR>
static __device__ void load(const struct k_update &update, int64_t i, struct element *element)
{
    if constexpr (VECTOR == 1) {
        element[0] = {update.parameter[i], SLOTS > 0 ? update.slot[0][i] : 0, SLOTS > 1 ? update.slot[1][i] : 0};
    } else {
        const float4 none = {0, 0, 0, 0}, w = *reinterpret_cast<const float4 *>(update.parameter + i);
        const float4 a = SLOTS > 0 ? *reinterpret_cast<const float4 *>(update.slot[0] + i) : none;
        const float4 b = SLOTS > 1 ? *reinterpret_cast<const float4 *>(update.slot[1] + i) : none;
        element[0] = {w.x, a.x, b.x};
        element[1] = {w.y, a.y, b.y};
        element[2] = {w.z, a.z, b.z};
        element[3] = {w.w, a.w, b.w};
    }
}

template <int SLOTS, int VECTOR>
static __device__ void store(const struct k_update &update, int64_t i, const struct element *e)
{
    if constexpr (VECTOR == 1) {
        update.parameter[i] = e->weight;
        if (SLOTS > 0)
            update.slot[0][i] = e->slot0;
        if (SLOTS > 1)
            update.slot[1][i] = e->slot1;
    } else {
        *reinterpret_cast<float4 *>(update.parameter + i) = {e[0].weight, e[1].weight, e[2].weight, e[3].weight};
        if (SLOTS > 0)
            *reinterpret_cast<float4 *>(update.slot[0] + i) = {e[0].slot0, e[1].slot0, e[2].slot0, e[3].slot0};
        if (SLOTS > 1)
            *reinterpret_cast<float4 *>(update.slot[1] + i) = {e[0].slot1, e[1].slot1, e[2].slot1, e[3].slot1};
    }
}

/* Elements i .. i + VECTOR - 1; is one of their gradients not finite? */
template <enum k_optimizer OPTIMIZER, int VECTOR>
static __device__ bool advance_at(const struct k_update &update, const struct factors &by, int64_t i)
{
    constexpr int SLOTS = OPTIMIZER == K_SGD ? 0 : OPTIMIZER == K_ADAM ? 2 : 1;
    struct element element[VECTOR];
    float gradient[VECTOR];
    if constexpr (VECTOR == 1) {
        gradient[0] = update.gradient[i];
    } else {
        const float4 g = *reinterpret_cast<const float4 *>(update.gradient + i);
        gradient[0] = g.x;
        gradient[1] = g.y;
        gradient[2] = g.z;
        gradient[3] = g.w;
    }
    load<SLOTS, VECTOR>(update, i, element);
    bool failed = false;
    for (int j = 0; j < VECTOR; j++) {
        failed = failed || !isfinite(gradient[j]);
        advance<OPTIMIZER>(update, by, gradient[j], &element[j]);
    }
    store<SLOTS, VECTOR>(update, i, element);
    return failed;
}

/* Called by one thread of each block when all of that block have read *state: the last to arrive ends the step and
 * leaves the counters as it found them. arrived[1] counts the blocks that saw a gradient which was not finite. */
static __device__ void step_end(const struct k_update &update, bool failed, struct k_state *state)
{
    if (failed)
        atomicAdd(&update.arrived[1], 1u);
    __threadfence(); /* the count of failures is seen before the arrival */
    if (atomicAdd(&update.arrived[0], 1u) != gridDim.x - 1)
        return;
    __threadfence();
    const bool bad_gradient = atomicExch(&update.arrived[1], 0u) != 0;
    const double loss = static_cast<double>(*update.loss) * update.loss_scale;
    atomicExch(&update.arrived[0], 0u);
    state->loss_sum += loss;
    state->images += update.images;
    if (state->failed_at < 0 && (bad_gradient || !isfinite(loss)))
        state->failed_at = state->step;
    state->step++;
}

/* Four elements a thread, then on by the grid; the last count % 4 one by one. Shared memory: that of block_sum(). */
template <enum k_optimizer OPTIMIZER, int VECTOR>
static __global__ void __launch_bounds__(BLOCK) apply(struct k_update update, struct k_state *state)
{
    const struct k_rate rate = update.rates[state->step];
    const float clip = update.clip_norm > 0 ? clipping(update.squares, update.clip_norm) : 1.0f;
    const struct factors by = {rate.rate, rate.epsilon, rate.decoupled, clip};
    const int64_t groups = update.count / VECTOR, left = groups * VECTOR + walk_first();
    bool failed = false;
    for (int64_t i = walk_first(); i < groups; i += walk_stride())
        failed = advance_at<OPTIMIZER, VECTOR>(update, by, i * VECTOR) || failed;
    if (VECTOR > 1 && left < update.count)
        failed = advance_at<OPTIMIZER, 1>(update, by, left) || failed;
    failed = __syncthreads_or(failed) != 0;
    if (threadIdx.x == 0)
        step_end(update, failed, state);
}

/* ---- launchers ---- */

cudaError_t k_squares(const struct k_update *update, cudaStream_t stream)
{
    if (update->count < 0)
        return cudaErrorInvalidValue;
    if (aligned_for<float4>(update->gradient))
        return NR_LAUNCH(squares<4>, K_SQUARES, BLOCK, 0, stream, update->gradient, update->count, update->squares);
    return NR_LAUNCH(squares<1>, K_SQUARES, BLOCK, 0, stream, update->gradient, update->count, update->squares);
}

static bool in_fours(const struct k_update *update)
{
    return aligned_for<float4>(update->parameter) && aligned_for<float4>(update->gradient) &&
           aligned_for<float4>(update->slot[0]) && aligned_for<float4>(update->slot[1]);
}

template <enum k_optimizer OPTIMIZER>
static cudaError_t launch(const struct k_update *update, struct k_state *state, cudaStream_t stream)
{
    const int64_t fours = (update->count + 3) / 4, ones = update->count; /* nothing to update: a block ends the step */
    if (in_fours(update))
        return NR_LAUNCH((apply<OPTIMIZER, 4>), walk_blocks(fours, BLOCK), BLOCK, 0, stream, *update, state);
    return NR_LAUNCH((apply<OPTIMIZER, 1>), walk_blocks(ones, BLOCK), BLOCK, 0, stream, *update, state);
}

cudaError_t k_update_apply(const struct k_update *update, struct k_state *state, cudaStream_t stream)
{
    if (update->count < 0)
        return cudaErrorInvalidValue;
    switch (update->optimizer) {
    case K_SGD:
        return launch<K_SGD>(update, state, stream);
    case K_MOMENTUM:
        return launch<K_MOMENTUM>(update, state, stream);
    case K_NESTEROV:
        return launch<K_NESTEROV>(update, state, stream);
    case K_ADAM:
        return launch<K_ADAM>(update, state, stream);
    }
    return cudaErrorInvalidValue;
}
