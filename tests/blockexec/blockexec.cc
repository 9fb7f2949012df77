#include "blockexec/blockexec.h"

#include <mutex>

#include "blockexec/block.h"

using namespace bx;

void bx_set_schedule(bx_schedule schedule, uint64_t seed)
{
    current.schedule = schedule;
    current.random = seed;
}

/* The limits of the guide's table of technical specifications, the same for all devices from sm_75 on. */
cudaError_t bx_check_shape(dim3 grid, dim3 block, size_t shared_bytes)
{
    const uint64_t threads = static_cast<uint64_t>(block.x) * block.y * block.z;
    if (threads == 0 || threads > MOST_THREADS || block.x > 1024 || block.y > 1024 || block.z > 64)
        return cudaErrorInvalidConfiguration;
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
        return cudaErrorInvalidConfiguration;
    return shared_bytes > MOST_SHARED ? cudaErrorInvalidValue : cudaSuccess;
}

static uint64_t divisor(uint64_t a, uint64_t b)
{
    return b == 0 ? a : divisor(b, a % b);
}

/* Blocks too run in the schedule's order: at random, a step that has no divisor with their number in common leads
 * through all of them without a list. */
static void run_blocks(dim3 grid)
{
    const uint64_t count = static_cast<uint64_t>(grid.x) * grid.y * grid.z;
    uint64_t at = 0, step = 1;
    if (current.schedule == BX_BACKWARD) {
        at = count - 1;
        step = count - 1;
    } else if (current.schedule == BX_RANDOM) {
        at = draw(count);
        step = 1 + draw(count);
        while (divisor(step, count) != 1)
            step++;
    }
    for (uint64_t i = 0; i < count; i++) {
        bx_block_index.x = static_cast<unsigned>(at % grid.x);
        bx_block_index.y = static_cast<unsigned>(at / grid.x % grid.y);
        bx_block_index.z = static_cast<unsigned>(at / grid.x / grid.y);
        block_run();
        at = (at + step) % count;
    }
}

void bx_run(const char *kernel, dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &body)
{
    static std::mutex one_at_a_time;
    static thread_local bool inside;
    if (inside)
        fail("it launches kernel %s", kernel);
    const std::lock_guard<std::mutex> lock(one_at_a_time);
    inside = true;
    current.kernel = kernel;
    current.body = &body;
    current.count = block.x * block.y * block.z;
    current.outer_race = race_current();
    bx_grid_dim = grid;
    bx_block_dim = block;
    shared_open(shared_bytes);
    run_blocks(grid);
    block_join();
    shared_close();
    inside = false;
}

__attribute__((weak)) cudaError_t bx_submit(cudaStream_t, const char *, std::function<void()> task)
{
    task();
    return cudaSuccess;
}

__attribute__((weak)) void bx_check_argument(const char *, int, const void *)
{
}
