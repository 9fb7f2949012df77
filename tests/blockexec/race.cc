#include "blockexec/race.h"

#ifdef BX_TSAN

#include <cstdint>
#include <sanitizer/tsan_interface.h>

/* Made for Java's heap, and exported; gcc installs no header that declares them. */
extern "C" void __tsan_java_init(uintptr_t begin, uintptr_t bytes);
extern "C" void __tsan_java_alloc(uintptr_t begin, uintptr_t bytes);

namespace bx
{

static struct alignas(4096) {
    unsigned char stacks[MOST_THREADS][STACK_BYTES];
    unsigned char shared[2 * MOST_SHARED];
} memory;
static void *threads[2][MOST_THREADS];

unsigned char *race_stack(unsigned i)
{
    return memory.stacks[i];
}

unsigned char *race_shared(void)
{
    return memory.shared;
}

void race_new_owner(const void *begin, size_t bytes)
{
    static bool known;
    if (!known)
        __tsan_java_init(reinterpret_cast<uintptr_t>(&memory), sizeof memory);
    known = true;
    if (bytes > 0)
        __tsan_java_alloc(reinterpret_cast<uintptr_t>(begin), (bytes + 7) & ~static_cast<uintptr_t>(7));
}

void *race_thread(unsigned i, bool odd)
{
    void **thread = &threads[odd][i];
    if (*thread == nullptr)
        *thread = __tsan_create_fiber(0);
    return *thread;
}

void *race_current(void)
{
    return __tsan_get_current_fiber();
}

void race_enter(void *thread)
{
    __tsan_switch_to_fiber(thread, __tsan_switch_to_fiber_no_sync);
}

void race_release(const void *address)
{
    __tsan_release(const_cast<void *>(address));
}

void race_acquire(const void *address)
{
    __tsan_acquire(const_cast<void *>(address));
}

} // namespace bx

#endif
