/* Allocation with overflow-checked sizes, and an arena for what is planned once and lives together. */
#ifndef NASRUN_BASE_MEMORY_H
#define NASRUN_BASE_MEMORY_H

#include <stddef.h>

#include "base/status.h"

/* Zeroed array of `count` elements of `size` bytes; NULL when out of memory or when the product overflows.
 * Released with free(). A count of 0 gives a valid pointer. */
void *mem_array(size_t count, size_t size) NR_MUST_CHECK;
/* Grows *array (capacity *capacity) until it holds `needed` elements; the new part is not initialised. */
nr_status mem_grow(void *array, size_t *capacity, size_t needed, size_t size) NR_MUST_CHECK;
/* Copy of a string; NULL in, NULL out. */
char *mem_copy_string(const char *string) NR_MUST_CHECK;

/* One block of memory from which pieces are cut and never given back singly. Used by trainers: everything is
 * planned and placed before the first step, so that nothing is allocated inside one.
 *
 * Two passes with the same calls: with `base` NULL, arena_take() only adds up; arena_commit() then allocates that
 * many bytes (zeroed, huge pages where the kernel gives them) and the second pass hands them out. Every piece is
 * 64-byte aligned; under AddressSanitizer the gaps between pieces are poisoned. */
struct arena {
    char *base;
    size_t used;
    size_t size;
};

void *arena_take(struct arena *arena, size_t count, size_t size); /* NULL in the counting pass */
nr_status arena_commit(struct arena *arena) NR_MUST_CHECK;
void arena_clear(struct arena *arena);

#endif
