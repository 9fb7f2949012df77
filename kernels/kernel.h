/* The header that every .cu includes: one source, two compilers. nvcc makes device code of it; g++ makes host code that
 * tests/blockexec runs, so that sanitizers see every kernel. Beyond these macros a kernel is plain CUDA. */
#ifndef NASRUN_KERNELS_KERNEL_H
#define NASRUN_KERNELS_KERNEL_H

#ifdef __CUDACC__
#include <cuda_runtime.h>
/* Launches; its value is the launch's cudaError_t. */
#define NR_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                      \
    (kernel<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__), cudaGetLastError())
/* Shared memory of a fixed size; of a size that the launch gives. At most one of the second kind per kernel. */
#define NR_SHARED(type, name, count) __shared__ type name[count]
#define NR_SHARED_DYNAMIC(type, name)                                                                                  \
    extern __shared__ __align__(16) unsigned char nr_dynamic[];                                                        \
    type *name = reinterpret_cast<type *>(nr_dynamic)
/* Of loops whose blocks walk over more than one piece of work each. On the host few, so that small tests walk too. */
#define NR_MOST_BLOCKS 4096
/* Before a loop: so many rounds at a time. */
#define NR_PRAGMA(words) _Pragma(#words)
#define NR_UNROLL(rounds) NR_PRAGMA(unroll rounds)
#else
#include <blockexec/blockexec.h> /* of tests/: the way into it is not one of the project's arrows */
#define NR_LAUNCH(kernel, grid, block, shared_bytes, stream, ...)                                                      \
    bx_launch(#kernel, kernel, (grid), (block), (shared_bytes), (stream), __VA_ARGS__)
#define NR_SHARED(type, name, count)                                                                                   \
    type *name = static_cast<type *>(bx_shared(__PRETTY_FUNCTION__, __LINE__, sizeof(type) * (count), alignof(type)))
#define NR_SHARED_DYNAMIC(type, name) type *name = static_cast<type *>(bx_dynamic_shared(alignof(type)))
#define NR_MOST_BLOCKS 4
#define NR_UNROLL(rounds)
#endif

#include "kernels/kernels.h"

#endif
