#include "train/cuda/reserve.h"

bool reserve_fits(const struct reserve *lane, size_t arena_bytes)
{
    return arena_bytes <= lane->arena_bytes && lane->arena_bytes / 2 <= arena_bytes;
}

void reserve_release(struct reserve *reserve)
{
    if (reserve->pinned)
        cudaFreeHost(reserve->pinned);
    if (reserve->arena)
        cudaFree(reserve->arena);
    *reserve = (struct reserve){0};
}

nr_status reserve_take(struct reserve *lane, size_t arena_bytes, size_t pinned_bytes, struct failure *failure,
                       struct reserve *out)
{
    if (reserve_fits(lane, arena_bytes) && pinned_bytes <= lane->pinned_bytes) {
        *out = *lane;
        *lane = (struct reserve){0};
        return NR_OK;
    }
    struct reserve taken = {.arena_bytes = arena_bytes, .pinned_bytes = pinned_bytes};
    reserve_release(lane);
    cudaError_t code = cudaMalloc(&taken.arena, arena_bytes);
    if (code == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError();
        return NR_NO_MEMORY;
    }
    if (code != cudaSuccess)
        return failure_cuda(failure, "cudaMalloc(&taken.arena, arena_bytes)", code);
    code = cudaMallocHost(&taken.pinned, pinned_bytes);
    if (code != cudaSuccess) {
        taken.pinned = NULL;
        reserve_release(&taken);
        return failure_cuda(failure, "cudaMallocHost(&taken.pinned, pinned_bytes)", code);
    }
    *out = taken;
    return NR_OK;
}
