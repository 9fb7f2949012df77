/* What ThreadSanitizer is told, with -DBX_TSAN; else nothing. The executor itself is compiled without
 * -fsanitize=thread even then: its own bookkeeping is shared by all fibers on purpose. For the same reason it calls
 * no malloc, memset or the like while fibers run, which TSan's run-time library intercepts. */
#ifndef NASRUN_TESTS_BLOCKEXEC_RACE_H
#define NASRUN_TESTS_BLOCKEXEC_RACE_H

#include <cstddef>

namespace bx
{

enum { MOST_THREADS = 1024, MOST_SHARED = 48 << 10 };

#ifdef BX_TSAN

enum { STACK_BYTES = 64 << 10 };
/* Stacks and shared memory change their owner, which TSan must be told of; it wants to know beforehand where such
 * memory lies, and searches all of it for each report. */
unsigned char *race_stack(unsigned i); /* [STACK_BYTES], i < MOST_THREADS */
unsigned char *race_shared(void);      /* [2 * MOST_SHARED] */
/* Forgets who touched the bytes; begin is a multiple of 8. */
void race_new_owner(const void *begin, size_t bytes);

/* The thread that TSan takes number i of a block for. Neighbouring blocks have different ones (`odd`), or races
 * between them would be hidden. */
void *race_thread(unsigned i, bool odd);
void *race_current(void);
void race_enter(void *thread);
/* What was done before a release of an address comes before what is done after a later acquire of it. */
void race_release(const void *address);
void race_acquire(const void *address);

#else

enum { STACK_BYTES = 128 << 10 };
inline void race_new_owner(const void *, size_t)
{
}
inline void *race_thread(unsigned, bool)
{
    return nullptr;
}
inline void *race_current(void)
{
    return nullptr;
}
inline void race_enter(void *)
{
}
inline void race_release(const void *)
{
}
inline void race_acquire(const void *)
{
}

#endif

} // namespace bx

#endif
