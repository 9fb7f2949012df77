/* Runs CUDA kernels on the host, one block at a time, every thread of a block a fiber, so that ASan, UBSan and TSan see
 * them. kernels/kernel.h includes it where g++ reads a .cu. What it checks by itself:
 *   - the launch's shape, as a device would;
 *   - barriers and warp collectives that not all of their threads reach, or reach at different places, with different
 *     masks, or by lanes that do not exist. Stricter than the device in two things, since the CUDA guide calls both
 *     undefined or leaves them to the architecture: a thread that has returned still counts for __syncthreads(), and a
 *     mask may not name a lane that has returned or never was;
 *   - shared memory is 0xff bytes, NaN as a float, at the start of every block; each array is its own allocation
 *     of exactly its bytes, and aligned no better than its type asks;
 *   - the order of the threads between barriers, and of the blocks, is a schedule: forward, backward, random.
 * Under -fsanitize=thread every CUDA thread is a thread of its own to TSan, ordered by nothing but barriers,
 * __syncwarp, fences and the stream: a missing barrier is a data race with two stack traces.
 *
 * An error of the kernel prints one line and aborts. Blocks run to their end one after another: a kernel that waits in
 * a loop for another thread or block never ends. Launches of several host threads run one at a time. */
#ifndef NASRUN_TESTS_BLOCKEXEC_H
#define NASRUN_TESTS_BLOCKEXEC_H

#include <cuda_runtime_api.h>
#include <vector_functions.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>

#undef __shared__
#define __shared__ _Pragma("GCC error \"kernels take shared memory by NR_SHARED or NR_SHARED_DYNAMIC\"")
#undef __launch_bounds__
#define __launch_bounds__(...)

struct bx_thread {
    uint3 index;
    unsigned rank; /* within the block, x fastest */
};
extern bx_thread *bx_self;
extern uint3 bx_block_index;
extern dim3 bx_block_dim, bx_grid_dim;
#define threadIdx (bx_self->index)
#define blockIdx bx_block_index
#define blockDim bx_block_dim
#define gridDim bx_grid_dim
#define warpSize 32

enum bx_schedule { BX_FORWARD, BX_BACKWARD, BX_RANDOM };
/* Of all launches from now on; seed: of BX_RANDOM. */
void bx_set_schedule(bx_schedule schedule, uint64_t seed);

/* The block's array of `bytes` that is declared in `function` (with the types of its template) at `line`. */
void *bx_shared(const char *function, int line, size_t bytes, size_t alignment);
void *bx_dynamic_shared(size_t alignment);

/* The seam to a double of the CUDA runtime, which defines these; without one: the task runs at once, every pointer is
 * good. bx_submit() puts a launch into its stream or graph; bx_check_argument() is given a kernel's arguments that are
 * pointers. Those within structs nobody sees: a struct's bytes do not say which of them are. */
cudaError_t bx_submit(cudaStream_t stream, const char *kernel, std::function<void()> task);
void bx_check_argument(const char *kernel, int position, const void *pointer);

/* What cudaLaunchKernel would say of it. */
cudaError_t bx_check_shape(dim3 grid, dim3 block, size_t shared_bytes);
/* Runs all blocks; `body` is the kernel with its arguments, called once per thread. */
void bx_run(const char *kernel, dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &body);

template <class T>
void bx_check_value([[maybe_unused]] const char *kernel, [[maybe_unused]] int position, [[maybe_unused]] const T &value)
{
    static_assert(std::is_trivially_copyable_v<T>, "a kernel's arguments are copied as bytes");
    if constexpr (std::is_pointer_v<T>)
        bx_check_argument(kernel, position, value);
}

/* What NR_LAUNCH is on the host. The arguments are copied when it is called, as on the device. */
template <class... P, class... A>
cudaError_t bx_launch(const char *name, void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes,
                      cudaStream_t stream, A... arguments)
{
    static_assert((sizeof(P) + ... + 0) <= 4096, "a kernel takes at most 4 KiB of arguments");
    const cudaError_t error = bx_check_shape(grid, block, shared_bytes);
    if (error != cudaSuccess)
        return error;
    const std::tuple<P...> values(arguments...);
    int position = 0;
    std::apply([&](const P &...value) { (bx_check_value(name, position++, value), ...); }, values);
    return bx_submit(stream, name,
                     [=] { bx_run(name, grid, block, shared_bytes, [&] { std::apply(kernel, values); }); });
}

#include "blockexec/builtins.h"

#endif
