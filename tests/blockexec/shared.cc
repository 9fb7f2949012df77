/* Shared memory: one allocation per array, of exactly its bytes, so that ASan guards both ends. It is kept from block
 * to block of a launch, and made NaN bytes for each, as what a block finds there is undefined. Under TSan it lies
 * in memory that TSan was told of (race.h), and nothing is freed. */
#include "blockexec/block.h"

#include <cstdio>
#include <cstdlib>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace bx
{

enum { MOST_ARRAYS = 32, DYNAMIC_ALIGNMENT = 16 };

struct array {
    const char *function; /* NULL: the dynamic one */
    int line;
    unsigned char *data;
    size_t bytes;
    void *allocation;
};

static struct {
    array arrays[MOST_ARRAYS];
    unsigned count;
    size_t bytes; /* of all */
    size_t place; /* within race_shared() */
} shared;

static void fill(const array *array)
{
#ifdef BX_TSAN
    for (volatile unsigned char *p = array->data, *end = p + array->bytes; p < end; p++)
        *p = 0xff; /* memset() would be seen */
    race_new_owner(array->data, array->bytes);
#else
    memset(array->data, 0xff, array->bytes);
#endif
}

/* 8 past a multiple of 16 where the type asks for no more: a wider access, which the device may refuse, is then
 * misaligned to UBSan. */
static void allocate(array *array, size_t alignment)
{
    const size_t gap = alignment > 8 ? 0 : 8;
#ifdef BX_TSAN
    const size_t step = alignment > 16 ? alignment : 16;
    const size_t begin = (shared.place + step - 1) / step * step + gap;
    shared.place = begin + array->bytes;
    if (shared.place > 2 * MOST_SHARED)
        fail("more shared memory than blockexec has room for");
    array->data = race_shared() + begin;
#else
    if (posix_memalign(&array->allocation, alignment > 16 ? alignment : 16, gap + array->bytes) != 0)
        fail("no memory for %zu bytes of shared memory", array->bytes);
    array->data = static_cast<unsigned char *>(array->allocation) + gap;
#ifdef __SANITIZE_ADDRESS__
    __asan_poison_memory_region(array->allocation, gap);
#endif
#endif
}

static array *add(const char *function, int line, size_t bytes, size_t alignment)
{
    shared.bytes += bytes;
    if (shared.bytes > MOST_SHARED)
        fail("%zu bytes of shared memory; a block has %d", shared.bytes, MOST_SHARED);
    if (shared.count == MOST_ARRAYS)
        fail("more than %d arrays of shared memory", MOST_ARRAYS);
    array *fresh = &shared.arrays[shared.count++];
    *fresh = array{function, line, nullptr, bytes, nullptr};
    allocate(fresh, alignment);
    fill(fresh);
    return fresh;
}

void shared_open(size_t dynamic_bytes)
{
    shared.count = 0;
    shared.bytes = shared.place = 0;
    if (dynamic_bytes > 0)
        add(nullptr, 0, dynamic_bytes, DYNAMIC_ALIGNMENT);
}

void shared_refill(void)
{
    for (unsigned i = 0; i < shared.count; i++)
        fill(&shared.arrays[i]);
}

void shared_close(void)
{
    for (unsigned i = 0; i < shared.count; i++)
        free(shared.arrays[i].allocation);
    shared.count = 0;
}

} // namespace bx

using namespace bx;

void *bx_shared(const char *function, int line, size_t bytes, size_t alignment)
{
    for (unsigned i = 0; i < shared.count; i++) {
        const array *known = &shared.arrays[i];
        if (known->function && known->line == line && known->bytes == bytes && !strcmp(known->function, function))
            return known->data;
    }
    return add(function, line, bytes, alignment)->data;
}

void *bx_dynamic_shared(size_t alignment)
{
    if (shared.count == 0 || shared.arrays[0].function)
        fail("dynamic shared memory is used, the launch gave none");
    if (alignment > DYNAMIC_ALIGNMENT)
        fail("dynamic shared memory is aligned to %d bytes, not %zu", DYNAMIC_ALIGNMENT, alignment);
    return shared.arrays[0].data;
}
