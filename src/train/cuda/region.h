/* Cuts device memory into pieces. With `base` NULL it only measures: the same calls in the same order give the bytes
 * that are needed, then, with that many at `base`, the pieces. */
#ifndef NASRUN_TRAIN_CUDA_REGION_H
#define NASRUN_TRAIN_CUDA_REGION_H

#include <stddef.h>
#include <stdint.h>

enum { REGION_ALIGNMENT = 256 }; /* what cudaMalloc gives, and what cuBLASLt likes best */

struct region {
    char *base;
    size_t used;
};

/* Counts of tensors are far from overflow: what a network may hold is limited in net/builder.h, a batch in keys.c. */
static inline void *region_take(struct region *region, int64_t count, size_t size)
{
    size_t bytes = ((size_t)count * size + REGION_ALIGNMENT - 1) / REGION_ALIGNMENT * REGION_ALIGNMENT;
    void *piece = region->base ? region->base + region->used : NULL;
    region->used += bytes;
    return piece;
}

static inline float *region_floats(struct region *region, int64_t count)
{
    return region_take(region, count, sizeof(float));
}

#endif
