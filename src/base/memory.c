#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define NR_HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NR_HAVE_ASAN 1
#endif
#endif
#ifdef NR_HAVE_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

enum { ARENA_ALIGNMENT = 64, ARENA_GAP = 64 };
static const size_t huge_page = (size_t)2 << 20;

void *mem_array(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return calloc(1, bytes ? bytes : 1);
}

nr_status mem_grow(void *array, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity)
        return NR_OK;
    size_t count = *capacity ? *capacity : 8;
    while (count < needed)
        if (__builtin_mul_overflow(count, (size_t)2, &count))
            return NR_NO_MEMORY;
    size_t bytes;
    void *old, *grown;
    memcpy(&old, array, sizeof old);
    if (__builtin_mul_overflow(count, size, &bytes) || !(grown = realloc(old, bytes)))
        return NR_NO_MEMORY;
    memcpy(array, &grown, sizeof grown);
    *capacity = count;
    return NR_OK;
}

char *mem_copy_string(const char *string)
{
    return string ? strdup(string) : NULL;
}

/* Bytes that a piece occupies: rounded up to the alignment, and a gap behind it that ASan can poison. The gap also
 * keeps pieces of a power of two from starting at the same cache set. */
static size_t piece_stride(size_t bytes)
{
    return (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT + ARENA_GAP;
}

void *arena_take(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 4 || arena->used > SIZE_MAX / 4) {
        arena->used = SIZE_MAX / 4; /* arena_commit refuses */
        return NULL;
    }
    char *piece = arena->base ? arena->base + arena->used : NULL;
    arena->used += piece_stride(bytes);
    if (!piece || arena->used > arena->size)
        return NULL;
    ASAN_UNPOISON_MEMORY_REGION(piece, bytes);
    return piece;
}

nr_status arena_commit(struct arena *arena)
{
    size_t bytes = arena->used ? arena->used : ARENA_ALIGNMENT;
    if (arena->used >= SIZE_MAX / 4)
        return NR_NO_MEMORY;
    size_t alignment = ARENA_ALIGNMENT;
    if (bytes > huge_page / 2) {
        alignment = huge_page;
        bytes = (bytes + huge_page - 1) / huge_page * huge_page;
    }
    void *base;
    if (posix_memalign(&base, alignment, bytes))
        return NR_NO_MEMORY;
    if (alignment == huge_page)
        (void)madvise(base, bytes, MADV_HUGEPAGE); /* a hint: without it the same code is only slower */
    memset(base, 0, bytes);
    ASAN_POISON_MEMORY_REGION(base, bytes);
    *arena = (struct arena){.base = base, .used = 0, .size = bytes};
    return NR_OK;
}

void arena_clear(struct arena *arena)
{
    if (arena->base)
        ASAN_UNPOISON_MEMORY_REGION(arena->base, arena->size);
    free(arena->base);
    *arena = (struct arena){0};
}
