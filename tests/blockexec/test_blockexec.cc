/* The executor itself: that kernels get from it what the CUDA guide says, in every schedule. What it reports of wrong
 * kernels is in tests/kernels/test_mutants.c. */
#include <thread>

#include "kernels/kernel.h"
#include "kernels/support.h"

static unsigned volume(dim3 size)
{
    return size.x * size.y * size.z;
}

/* A block's threads, x fastest. */
static __device__ int64_t rank_of(void)
{
    return threadIdx.x + blockDim.x * (threadIdx.y + static_cast<int64_t>(blockDim.y) * threadIdx.z);
}

static const dim3 block_shapes[] = {{1, 1, 1},   {31, 1, 1}, {1, 33, 1},   {1, 1, 64},   {7, 5, 3},
                                    {4, 16, 16}, {32, 8, 1}, {1, 1024, 1}, {1024, 1, 1}, {10, 10, 10}};

/* ---- shapes ---- */

static __global__ void name_threads(int32_t *out)
{
    const int64_t block = blockIdx.x + gridDim.x * (blockIdx.y + static_cast<int64_t>(gridDim.y) * blockIdx.z);
    out[block * blockDim.x * blockDim.y * blockDim.z + rank_of()] += 1;
}

static void every_thread_runs_once(void)
{
    const dim3 grids[] = {{1, 1, 1}, {5, 1, 1}, {3, 2, 4}};
    for (const dim3 block : block_shapes)
        for (const dim3 grid : grids) {
            const int64_t threads = static_cast<int64_t>(volume(grid)) * volume(block);
            shape("%u blocks of %u x %u x %u", volume(grid), block.x, block.y, block.z);
            device_array<int32_t> out(values<int32_t>(threads, 0));
            expect_ok(NR_LAUNCH(name_threads, grid, block, 0, device_stream(), out.data()));
            expect_same("runs", out, values<int32_t>(threads, 1));
        }
}

static void refused_shapes(void)
{
    int32_t *none = nullptr;
    const dim3 one(1, 1, 1);
    const dim3 bad_blocks[] = {{0, 1, 1}, {1025, 1, 1}, {32, 33, 1}, {1, 1, 65}};
    const dim3 bad_grids[] = {{0, 1, 1}, {1, 0, 1}, {0x80000000u, 1, 1}, {1, 65536, 1}, {1, 1, 65536}};
    for (const dim3 block : bad_blocks)
        expect_error(NR_LAUNCH(name_threads, one, block, 0, device_stream(), none), cudaErrorInvalidConfiguration);
    for (const dim3 grid : bad_grids)
        expect_error(NR_LAUNCH(name_threads, grid, one, 0, device_stream(), none), cudaErrorInvalidConfiguration);
    expect_error(NR_LAUNCH(name_threads, one, one, 49153, device_stream(), none), cudaErrorInvalidValue);
}

/* ---- shared memory ---- */

template <class type> static __device__ type first_sight(void)
{
    NR_SHARED(type, seen, 1);
    const type before = *seen;
    __syncthreads();
    *seen = 1; /* every thread the same: a race, harmless, but not to TSan */
    return before;
}

static __global__ void look_at_shared(int32_t *out)
{
    NR_SHARED_DYNAMIC(int32_t, dynamic);
    if (threadIdx.x > 0)
        return;
    const bool first = first_sight<int32_t>() == -1 && first_sight<uint32_t>() == UINT32_MAX && dynamic[3] == -1;
    const bool kept = first_sight<int32_t>() == 1;
    dynamic[3] = 1;
    out[blockIdx.x] = first && kept;
}

/* At the start of each block it is 0xff; instances of a template have their own; it stays within a block. */
static void shared_memory_is_fresh(void)
{
    device_array<int32_t> out(3);
    expect_ok(NR_LAUNCH(look_at_shared, 3, 1, 16, device_stream(), out.data()));
    expect_same("fresh", out, values<int32_t>(3, 1));
}

/* ---- random programs: each thread has a number, and every step mixes it with those of others ---- */

enum operation { TILE, DOWN, UP, EXCLUSIVE, INDEX, BALLOT, COUNT, SOME, ATOMIC, BRANCH, OPERATIONS };

struct step {
    operation what;
    int32_t argument, width;
};

static __device__ unsigned existing_lanes(int64_t rank, int64_t threads)
{
    const int64_t lanes = threads - rank / 32 * 32;
    return lanes < 32 ? (1u << lanes) - 1 : 0xffffffffu;
}

static __device__ uint32_t shuffled(const struct step &step, unsigned mask, uint32_t value)
{
    switch (step.what) {
    case DOWN:
        return __shfl_down_sync(mask, value, static_cast<unsigned>(step.argument), step.width);
    case UP:
        return __shfl_up_sync(mask, value, static_cast<unsigned>(step.argument), step.width);
    case EXCLUSIVE:
        return __shfl_xor_sync(mask, value, step.argument, step.width);
    default:
        return __shfl_sync(mask, value, step.argument, step.width);
    }
}

static __device__ uint32_t mixed(const struct step &step, uint32_t *tile, int64_t rank, int64_t threads, uint32_t value)
{
    const unsigned mask = existing_lanes(rank, threads), half = mask & (step.argument % 2 ? 0xaaaaaaaau : 0x55555555u);
    uint32_t got = 0;
    if (step.what == TILE) {
        tile[rank] = value;
        __syncthreads();
        got = tile[(rank + step.argument) % threads];
        __syncthreads();
    } else if (step.what == BALLOT) {
        got = __ballot_sync(mask, value & 1) +
              static_cast<unsigned>(__any_sync(mask, value & 2) + __all_sync(mask, value & 4));
    } else if (step.what == COUNT) {
        got = static_cast<uint32_t>(__syncthreads_count(value & 1));
    } else if (step.what == SOME) {
        got = static_cast<uint32_t>(__syncthreads_or((value & 255) == 0) + 2 * __syncthreads_and((value & 255) != 1));
    } else if (step.what == ATOMIC) {
        if (rank == 0)
            *tile = 0;
        __syncthreads();
        atomicAdd(tile, value);
        __syncthreads();
        got = *tile;
        __syncthreads();
    } else if (step.what == BRANCH) { /* half of each warp */
        if (half >> rank % 32 & 1)
            got = __shfl_xor_sync(half, value, 2);
    } else {
        got = shuffled(step, mask, value);
    }
    return value * 31 + got;
}

static __global__ void run_program(const struct step *steps, int32_t count, int32_t *out)
{
    NR_SHARED(uint32_t, tile, 1024);
    const int64_t threads = static_cast<int64_t>(blockDim.x) * blockDim.y * blockDim.z, rank = rank_of();
    const int64_t block = blockIdx.x;
    uint32_t value = static_cast<uint32_t>(rank * 2654435761 + block);
    for (int32_t i = 0; i < count; i++)
        value = mixed(steps[i], tile, rank, threads, value);
    out[block * threads + rank] = static_cast<int32_t>(value);
}

/* What lane `lane` of a warp reads, by the guide's table of shuffles; a lane that does not exist: 0xff bytes. */
static uint32_t reference_shuffle(const struct step &step, const uint32_t *warp, int64_t lanes, int64_t lane)
{
    const int64_t first = lane / step.width * step.width, end = first + step.width;
    int64_t from = lane;
    if (step.what == DOWN && lane + step.argument < end)
        from = lane + step.argument;
    else if (step.what == UP && lane - step.argument >= first)
        from = lane - step.argument;
    else if (step.what == EXCLUSIVE && (lane ^ step.argument) < end)
        from = lane ^ step.argument;
    else if (step.what == INDEX)
        from = first + step.argument % step.width;
    return from < lanes ? warp[from] : UINT32_MAX;
}

static uint32_t reference_vote(const uint32_t *warp, int64_t lanes)
{
    uint32_t ballot = 0, any = 0, all = 1;
    for (int64_t i = 0; i < lanes; i++) {
        ballot |= (warp[i] & 1) << i;
        any |= warp[i] >> 1 & 1;
        all &= warp[i] >> 2 & 1;
    }
    return ballot + any + all;
}

static uint32_t reference_block(enum operation what, const values<uint32_t> &all)
{
    uint32_t odd = 0, zero = 0, none_is_one = 1, sum = 0;
    for (const uint32_t value : all) {
        odd += value & 1;
        zero |= (value & 255) == 0;
        none_is_one &= (value & 255) != 1;
        sum += value;
    }
    return what == COUNT ? odd : what == SOME ? zero + 2 * none_is_one : sum;
}

static uint32_t reference_got(const struct step &step, const values<uint32_t> &all, int64_t rank)
{
    const int64_t lane = rank % 32, first = rank - lane;
    const int64_t lanes = all.count() - first < 32 ? all.count() - first : 32;
    const uint32_t *warp = all.data() + first;
    switch (step.what) {
    case TILE:
        return all[(rank + step.argument) % all.count()];
    case BALLOT:
        return reference_vote(warp, lanes);
    case COUNT:
    case SOME:
    case ATOMIC:
        return reference_block(step.what, all);
    case BRANCH:
        if (lane % 2 != step.argument % 2)
            return 0;
        return (lane ^ 2) < lanes ? warp[lane ^ 2] : UINT32_MAX;
    default:
        return reference_shuffle(step, warp, lanes, lane);
    }
}

static void reference_program(const values<struct step> &steps, int64_t block, int64_t threads, values<int32_t> *out)
{
    values<uint32_t> now(threads), next(threads);
    for (int64_t rank = 0; rank < threads; rank++)
        now[rank] = static_cast<uint32_t>(rank * 2654435761 + block);
    for (const struct step &step : steps) {
        for (int64_t rank = 0; rank < threads; rank++)
            next[rank] = now[rank] * 31 + reference_got(step, now, rank);
        now = next;
    }
    for (int64_t rank = 0; rank < threads; rank++)
        (*out)[block * threads + rank] = static_cast<int32_t>(now[rank]);
}

static dim3 random_block(void)
{
    const unsigned most = racing() ? 96 : 1024;
    dim3 block;
    do {
        block = dim3(1 + random_word() % (random_word() % 4 ? 64 : 1024), 1 + random_word() % 8, 1 + random_word() % 4);
    } while (volume(block) > most);
    return block;
}

static void random_programs(void)
{
    const int64_t blocks = 3;
    for (int program = 0; program < (racing() ? 10 : 30); program++) {
        const dim3 block = random_block();
        values<struct step> steps(1 + random_below(16));
        for (struct step &step : steps)
            step = {static_cast<operation>(random_below(OPERATIONS)), static_cast<int32_t>(random_below(32)),
                    1 << random_below(6)};
        shape("program %d: %ld steps, blocks of %u x %u x %u", program, static_cast<long>(steps.count()), block.x,
              block.y, block.z);
        device_array<struct step> on_device(steps);
        device_array<int32_t> out(blocks * volume(block));
        expect_ok(NR_LAUNCH(run_program, static_cast<unsigned>(blocks), block, 0, device_stream(), on_device.data(),
                            static_cast<int32_t>(steps.count()), out.data()));
        values<int32_t> want(out.count());
        for (int64_t i = 0; i < blocks; i++)
            reference_program(steps, i, volume(block), &want);
        expect_same("numbers", out, want);
    }
}

/* ---- threads that leave early, atomics ---- */

/* Only some go on, and none of them waits for those that have left. */
static __global__ void leave_early(int32_t *out)
{
    const unsigned lane = threadIdx.x % 32;
    if (lane >= 16)
        return;
    const int32_t sum = __shfl_xor_sync(0xffffu, static_cast<int32_t>(threadIdx.x), 1);
    __syncwarp(0xffffu);
    out[threadIdx.x / 32 * 16 + lane] = sum;
}

static void threads_leave_early(void)
{
    device_array<int32_t> out(32);
    values<int32_t> want(32);
    for (int32_t i = 0; i < 32; i++)
        want[i] = (i / 16 * 32 + i % 16) ^ 1;
    expect_ok(NR_LAUNCH(leave_early, 1, 64, 0, device_stream(), out.data()));
    expect_same("neighbour", out, want);
}

static __global__ void count_all(int32_t *out, float *real)
{
    const int32_t me = static_cast<int32_t>(blockIdx.x * blockDim.x + threadIdx.x);
    atomicAdd(&out[0], 1);
    atomicMax(&out[1], me);
    atomicMin(&out[2], -me);
    atomicOr(reinterpret_cast<unsigned *>(&out[3]), 1u << me % 16);
    atomicAnd(reinterpret_cast<unsigned *>(&out[4]), ~(1u << me % 16));
    atomicInc(reinterpret_cast<unsigned *>(&out[5]), 6);
    atomicDec(reinterpret_cast<unsigned *>(&out[6]), 6);
    for (int32_t old = out[7], seen; (seen = atomicCAS(&out[7], old, old + 2)) != old;)
        old = seen;
    if (atomicExch(&out[8], 7) == -1)
        atomicXor(reinterpret_cast<unsigned *>(&out[9]), 5u);
    atomicAdd(real, 0.5f);
}

static void atomics(void)
{
    if (racing())
        return; /* the plain read before the first atomicCAS() is a race, and is meant */
    values<int32_t> zero(10, 0), want(10, 0);
    zero[4] = -1;
    zero[8] = -1;
    device_array<int32_t> out(zero);
    device_array<float> real(values<float>(1, 0));
    expect_ok(NR_LAUNCH(count_all, 4, 50, 0, device_stream(), out.data(), real.data()));
    const int32_t numbers[] = {200, 199, -199, 0xffff, -1 - 0xffff, 200 % 7, (7 - 200 % 7) % 7, 400, 7, 5};
    for (int64_t i = 0; i < 10; i++)
        want[i] = numbers[i];
    expect_same("atomics", out, want);
    expect_near("real", real, values<double>(1, 100), 0, 0);
}

/* ---- launches of several threads of the host ---- */

static void launch_often(int32_t *out, int *bad)
{
    for (int i = 0; i < 50; i++)
        *bad += NR_LAUNCH(leave_early, 1, 64, 0, device_stream(), out) != cudaSuccess;
}

static void host_threads(void)
{
    device_array<int32_t> one(32), other(32);
    int bad[2] = {0, 0};
    std::thread first(launch_often, one.data(), &bad[0]), second(launch_often, other.data(), &bad[1]);
    first.join();
    second.join();
    expect_same("what both did", one, other.fetch());
    expect_number("refused", bad[0] + bad[1], 0, 0, 0);
}

static const test_case cases[] = {
    {"every_thread_runs_once", every_thread_runs_once},
    {"refused_shapes", refused_shapes},
    {"shared_memory_is_fresh", shared_memory_is_fresh},
    {"random_programs", random_programs},
    {"threads_leave_early", threads_leave_early},
    {"atomics", atomics},
    {"host_threads", host_threads},
};

TEST_MAIN(cases)
