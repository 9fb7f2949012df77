/* Kernels with one planted error each, and their sound twins: test_mutants.c runs every one of them and expects the
 * errors to be caught. Never shipped.
 *
 *     mutants NAME SCHEDULE    runs one with its error; SCHEDULE is a number, 0 to 3
 *     mutants sound            runs all twins in all schedules
 *
 * Each leaves 64 values in y; what they should be is checked as a test of a kernel would, so that an error that only
 * shows in the result is one that such a test would see ("wrong result"). */
#include <cstdio>
#include <cstdlib>

#include "kernels/device.h"
#include "kernels/kernel.h"

enum { COUNT = 64 };

static __device__ int at(void)
{
    return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
}

/* ---- out of bounds, misaligned, undefined: ASan and UBSan ---- */

template <bool WRONG> static __global__ void past_the_end(float *y)
{
    if (WRONG ? at() <= COUNT : at() < COUNT)
        y[at()] = 1;
}

template <bool WRONG> static __global__ void shared_past_the_end(float *y)
{
    NR_SHARED(float, tile, COUNT);
    NR_SHARED(float, next, COUNT); /* a neighbour that an overrun would hit */
    next[threadIdx.x] = 0;
    tile[threadIdx.x + WRONG] = 1;
    y[threadIdx.x] = tile[threadIdx.x + WRONG] + next[threadIdx.x];
}

template <bool WRONG> static __global__ void shared_before_the_start(float *y)
{
    NR_SHARED(float, tile, COUNT);
    const int i = at() - (WRONG ? 1 : 0);
    tile[i] = 1;
    y[threadIdx.x] = tile[i];
}

template <bool WRONG> static __global__ void dynamic_past_the_end(float *y)
{
    NR_SHARED_DYNAMIC(float, tile);
    tile[threadIdx.x + WRONG] = 1;
    y[threadIdx.x] = tile[threadIdx.x + WRONG];
}

template <bool WRONG> static __global__ void misaligned(float *y)
{
    if (threadIdx.x < COUNT / 4)
        reinterpret_cast<float4 *>(y)[threadIdx.x] = float4{1, 1, 1, 1};
    if (WRONG && threadIdx.x == 0)
        *reinterpret_cast<float4 *>(y + 1) = float4{1, 1, 1, 1};
}

/* A float array may lie where no float4 may. */
template <bool WRONG> static __global__ void misaligned_shared(float *y)
{
    NR_SHARED(float, narrow, COUNT);
    NR_SHARED(float4, wide, COUNT / 4);
    if (threadIdx.x < COUNT / 4)
        (WRONG ? reinterpret_cast<float4 *>(narrow) : wide)[threadIdx.x] = float4{1, 1, 1, 1};
    __syncthreads();
    y[threadIdx.x] = (WRONG ? narrow : reinterpret_cast<float *>(wide))[threadIdx.x];
}

template <bool WRONG> static __global__ void shift_too_far(float *y)
{
    const unsigned by = threadIdx.x % 32 + WRONG;
    y[threadIdx.x] = 1u << by != 0;
}

/* ---- barriers and collectives: the executor ---- */

template <bool WRONG> static __global__ void divergent_barrier(float *y)
{
    if (!WRONG || threadIdx.x < COUNT / 2)
        __syncthreads();
    y[threadIdx.x] = 1;
}

template <bool WRONG> static __global__ void return_before_barrier(float *y)
{
    y[threadIdx.x] = 1;
    if (WRONG && threadIdx.x >= COUNT / 2)
        return;
    __syncthreads();
}

template <bool WRONG> static __global__ void two_barriers(float *y)
{
    if (WRONG && threadIdx.x < COUNT / 2)
        __syncthreads();
    else
        __syncthreads();
    y[threadIdx.x] = 1;
}

template <bool WRONG> static __global__ void shuffle_in_branch(float *y)
{
    float value = 1;
    if (!WRONG || threadIdx.x % 2 == 0)
        value = __shfl_xor_sync(0xffffffffu, value, 2);
    y[threadIdx.x] = value;
}

template <bool WRONG> static __global__ void not_in_its_mask(float *y)
{
    y[threadIdx.x] = __shfl_xor_sync(WRONG ? 0xffu : 0xffffffffu, 1.0f, 1);
}

/* 40 threads: the second warp has 8. */
template <bool WRONG> static __global__ void mask_of_part_of_a_warp(float *y)
{
    const unsigned mask = threadIdx.x < 32 || WRONG ? 0xffffffffu : 0xffu;
    y[threadIdx.x] = __shfl_xor_sync(mask, 1.0f, 1);
    if (threadIdx.x + 40 < COUNT)
        y[threadIdx.x + 40] = 1;
}

template <bool WRONG> static __global__ void lane_that_returned(float *y)
{
    y[threadIdx.x] = 1;
    if (WRONG && threadIdx.x % 32 == 31)
        return;
    y[threadIdx.x] = __shfl_sync(0xffffffffu, 1.0f, 0);
}

/* Each lane gets the value of a neighbour; the last of a group of 8 would get one from outside of its mask. */
template <bool WRONG> static __global__ void value_of_another_mask(float *y)
{
    const unsigned mask = 0xffu << (threadIdx.x % 32 / 8 * 8);
    y[threadIdx.x] = __shfl_down_sync(mask, 1.0f, 1, WRONG ? 32 : 8);
}

template <bool WRONG> static __global__ void dynamic_without_bytes(float *y)
{
    if (WRONG)
        y[threadIdx.x] = *static_cast<float *>(bx_dynamic_shared(sizeof(float)));
    y[threadIdx.x] = 1;
}

template <bool WRONG> static __global__ void too_much_shared(float *y)
{
    NR_SHARED(float, all, WRONG ? 12289 : 12288);
    all[threadIdx.x] = 1;
    y[threadIdx.x] = all[threadIdx.x];
}

/* ---- order: results in some schedules, TSan in any ---- */

template <bool WRONG> static __global__ void missing_barrier(float *y)
{
    NR_SHARED(float, tile, COUNT);
    tile[threadIdx.x] = 1;
    if (!WRONG)
        __syncthreads();
    y[threadIdx.x] = tile[(threadIdx.x + 1) % COUNT];
}

/* The barrier that keeps the next round's write behind this round's read. */
template <bool WRONG> static __global__ void missing_second_barrier(float *y)
{
    NR_SHARED(float, tile, 1);
    float sum = 0;
    for (int round = 0; round < 2; round++) {
        if (threadIdx.x == 0)
            *tile = static_cast<float>(round);
        __syncthreads();
        sum += *tile;
        if (!WRONG)
            __syncthreads();
    }
    y[threadIdx.x] = sum;
}

template <bool WRONG> static __global__ void missing_syncwarp(float *y)
{
    NR_SHARED(float, tile, COUNT);
    tile[threadIdx.x] = 1;
    if (!WRONG)
        __syncwarp();
    y[threadIdx.x] = tile[threadIdx.x ^ 1];
}

/* A shuffle exchanges values, but orders no memory. */
template <bool WRONG> static __global__ void shuffle_for_a_barrier(float *y)
{
    NR_SHARED(float, tile, COUNT);
    tile[threadIdx.x] = 1;
    if (WRONG)
        __shfl_sync(0xffffffffu, 1.0f, 0);
    else
        __syncwarp();
    y[threadIdx.x] = tile[threadIdx.x ^ 1];
}

/* What the block before it left there. */
template <bool WRONG> static __global__ void shared_not_set(float *y)
{
    NR_SHARED(float, tile, COUNT / 2);
    if (!WRONG || blockIdx.x == 0)
        tile[threadIdx.x] = 1;
    y[at()] = tile[threadIdx.x];
}

template <bool WRONG> static __global__ void blocks_race(float *y)
{
    y[WRONG ? threadIdx.x : static_cast<unsigned>(at())] = 1;
    if (WRONG)
        y[threadIdx.x + COUNT / 2] = 1;
}

template <bool WRONG> static __global__ void plain_counter(float *y)
{
    NR_SHARED(unsigned, count, 1);
    if (threadIdx.x == 0)
        *count = 0;
    __syncthreads();
    if (WRONG)
        *count += 1;
    else
        atomicAdd(count, 1);
    __syncthreads();
    y[threadIdx.x] = static_cast<float>(*count) / COUNT;
}

static __device__ unsigned arrived;

/* The last block to arrive reads what all have written. */
template <bool BEFORE, bool AFTER> static __device__ void last_block(float *y)
{
    NR_SHARED(bool, last, 1);
    const int other = (at() + COUNT / 2) % COUNT;
    y[at()] = 0.5f;
    __syncthreads();
    if (threadIdx.x == 0) {
        if (BEFORE)
            __threadfence();
        *last = atomicInc(&arrived, 1) == 1;
        if (AFTER)
            __threadfence();
    }
    __syncthreads();
    if (!*last)
        return;
    y[at()] += y[other];
    y[other] = y[at()];
}

template <bool WRONG> static __global__ void missing_fence_before(float *y)
{
    last_block<!WRONG, true>(y);
}

template <bool WRONG> static __global__ void missing_fence_after(float *y)
{
    last_block<true, !WRONG>(y);
}

/* ---- the program ---- */

static const struct mutant {
    const char *name;
    void (*wrong)(float *), (*sound)(float *);
    unsigned grid, block;
    size_t shared;
} mutants[] = {
#define MUTANT(kernel, grid, block, shared)                                                                            \
    {                                                                                                                  \
#kernel, kernel < true>, kernel < false>, grid, block, shared                                                  \
    }
    MUTANT(past_the_end, 3, 32, 0),
    MUTANT(shared_past_the_end, 1, COUNT, 0),
    MUTANT(shared_before_the_start, 1, COUNT, 0),
    MUTANT(dynamic_past_the_end, 1, COUNT, COUNT * sizeof(float)),
    MUTANT(misaligned, 1, COUNT, 0),
    MUTANT(misaligned_shared, 1, COUNT, 0),
    MUTANT(shift_too_far, 1, COUNT, 0),
    MUTANT(divergent_barrier, 1, COUNT, 0),
    MUTANT(return_before_barrier, 1, COUNT, 0),
    MUTANT(two_barriers, 1, COUNT, 0),
    MUTANT(shuffle_in_branch, 1, COUNT, 0),
    MUTANT(not_in_its_mask, 1, COUNT, 0),
    MUTANT(mask_of_part_of_a_warp, 1, 40, 0),
    MUTANT(lane_that_returned, 1, COUNT, 0),
    MUTANT(value_of_another_mask, 1, COUNT, 0),
    MUTANT(dynamic_without_bytes, 1, COUNT, 0),
    MUTANT(too_much_shared, 1, COUNT, 0),
    MUTANT(missing_barrier, 1, COUNT, 0),
    MUTANT(missing_second_barrier, 1, COUNT, 0),
    MUTANT(missing_syncwarp, 1, COUNT, 0),
    MUTANT(shuffle_for_a_barrier, 1, COUNT, 0),
    MUTANT(shared_not_set, 2, COUNT / 2, 0),
    MUTANT(blocks_race, 2, COUNT / 2, 0),
    MUTANT(plain_counter, 1, COUNT, 0),
    MUTANT(missing_fence_before, 2, COUNT / 2, 0),
    MUTANT(missing_fence_after, 2, COUNT / 2, 0),
};

/* 1: the result is wrong, or the launch was refused. */
static int run(const struct mutant *mutant, bool wrong)
{
    float *y = static_cast<float *>(device_allocate(COUNT * sizeof *y)), got[COUNT];
    const cudaError_t error = bx_launch(mutant->name, wrong ? mutant->wrong : mutant->sound, mutant->grid,
                                        mutant->block, mutant->shared, device_stream(), y);
    device_read(got, y, sizeof got);
    device_free(y, sizeof got);
    int bad = error != cudaSuccess;
    for (int i = 0; i < COUNT; i++)
        bad |= !(got[i] == 1);
    if (bad)
        printf("%s: wrong result\n", mutant->name);
    return bad;
}

static int run_sound(void)
{
    int bad = 0;
    for (unsigned schedule = 0; schedule < device_schedules(); schedule++)
        for (const struct mutant &mutant : mutants) {
            device_schedule(schedule);
            bad |= run(&mutant, false);
        }
    return bad;
}

int main(int count, char **arguments)
{
    if (count == 2 && !strcmp(arguments[1], "sound"))
        return run_sound();
    for (const struct mutant &mutant : mutants)
        if (count == 3 && !strcmp(arguments[1], mutant.name)) {
            device_schedule(static_cast<unsigned>(atoi(arguments[2])));
            return run(&mutant, true);
        }
    fprintf(stderr, "mutants NAME SCHEDULE, or mutants sound\n");
    return 2;
}
