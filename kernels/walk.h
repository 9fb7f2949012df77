/* How the kernels walk over their elements: as many blocks as there is work for, up to a bound, and each goes on by the
 * whole grid; vectors of four where the addresses allow it; divisions by what is the same for a whole launch. */
#ifndef NASRUN_KERNELS_WALK_H
#define NASRUN_KERNELS_WALK_H

#include "kernels/kernel.h"

/* Blocks of `block` threads for so many threads' work (at least 1). */
static inline unsigned walk_blocks(int64_t work, unsigned block)
{
    const int64_t blocks = work / block + (work % block > 0);
    return static_cast<unsigned>(blocks < 1 ? 1 : blocks < NR_MOST_BLOCKS ? blocks : NR_MOST_BLOCKS);
}

static __device__ inline int64_t walk_first(void)
{
    return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

static __device__ inline int64_t walk_stride(void)
{
    return static_cast<int64_t>(gridDim.x) * blockDim.x;
}

/* May `type`s be read there? NULL may. */
template <class type> static inline bool aligned_for(const void *address)
{
    return reinterpret_cast<uintptr_t>(address) % alignof(type) == 0;
}

/* A divisor; 0 only where there is nothing to divide. Dividends below 2^31 take a multiplication and a shift (Granlund
 * and Montgomery 1994, figure 4.1), larger ones the 64-bit division, which costs about a hundred instructions. */
struct divisor {
    int64_t value;
    uint32_t factor, shift;
};

static inline struct divisor divisor_of(int64_t value)
{
    struct divisor d = {value, 0, 0};
    if (value < 1 || value > INT32_MAX)
        return d;
    while (INT64_C(1) << d.shift < value)
        d.shift++;
    d.factor = static_cast<uint32_t>((((INT64_C(1) << d.shift) - value) << 32) / value + 1);
    return d;
}

static __device__ inline int64_t quotient(int64_t dividend, const struct divisor &d)
{
    if (dividend > INT32_MAX || d.value > INT32_MAX)
        return dividend / d.value;
    const uint32_t small = static_cast<uint32_t>(dividend);
    const uint32_t high = static_cast<uint32_t>(static_cast<uint64_t>(small) * d.factor >> 32);
    return (high + small) >> d.shift;
}

#endif
