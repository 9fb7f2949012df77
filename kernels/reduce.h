/* Sums over the threads of a warp and of a block, in a fixed order: the same values give the same bits, whoever
 * arrives first. Blocks are of whole warps; every thread takes part and gets the sum. */
#ifndef NASRUN_KERNELS_REDUCE_H
#define NASRUN_KERNELS_REDUCE_H

#include "kernels/kernel.h"

constexpr int WARP = 32;
constexpr unsigned whole_warp = 0xffffffffu;

/* Over groups of `lanes` neighbours, a power of two. */
template <class type> static __device__ inline type group_sum(type value, int lanes)
{
    for (int distance = lanes / 2; distance > 0; distance /= 2)
        value += __shfl_xor_sync(whole_warp, value, distance);
    return value;
}

template <class type> static __device__ inline type warp_sum(type value)
{
    return group_sum(value, WARP);
}

/* Two barriers; `type` is the same wherever one kernel calls it. */
template <class type> static __device__ inline type block_sum(type value)
{
    NR_SHARED(type, of_warp, WARP);
    const unsigned lane = threadIdx.x % WARP, warps = blockDim.x / WARP;
    value = warp_sum(value);
    if (lane == 0)
        of_warp[threadIdx.x / WARP] = value;
    __syncthreads();
    value = warp_sum(lane < warps ? of_warp[lane] : type(0));
    __syncthreads(); /* of_warp may be written again */
    return value;
}

/* Where a thread is in planes of `pieces` each that all threads of a block walk through side by side. */
struct piece_walk {
    int64_t row;
    int piece, pieces, rows_on, pieces_on; /* of one step of the whole block */
};

static __device__ inline struct piece_walk piece_walk_begin(int pieces)
{
    const int thread = static_cast<int>(threadIdx.x), block = static_cast<int>(blockDim.x);
    return {thread / pieces, thread % pieces, pieces, block / pieces, block % pieces};
}

static __device__ inline void piece_walk_on(struct piece_walk *walk)
{
    walk->row += walk->rows_on;
    walk->piece += walk->pieces_on;
    if (walk->piece >= walk->pieces) {
        walk->piece -= walk->pieces;
        walk->row++;
    }
}

#endif
