#include "blockexec/fiber.h"

#include "blockexec/race.h"

#include <cstdio>
#include <cstdlib>
#include <sys/mman.h>

#if !defined(__x86_64__) && !defined(BX_UCONTEXT)
#define BX_UCONTEXT /* slower by two system calls a switch */
#endif
#ifdef BX_UCONTEXT
#include <ucontext.h>
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

namespace bx
{

struct fiber {
    unsigned char *stack; /* its lowest byte; NULL before the first use */
#ifdef BX_UCONTEXT
    ucontext_t context;
#else
    void *stack_pointer;
#endif
#ifdef __SANITIZE_ADDRESS__
    void *fake_stack;
    const void *bottom;
    size_t bytes;
#endif
};

/* Fixed arrays: nothing may be allocated while fibers run (race.h). */
static struct {
    fiber outer, all[MOST_THREADS];
    fiber *idle[MOST_THREADS], *left; /* left: whom the last switch left */
    unsigned used, idles;
} fibers;

fiber *fiber_outer(void)
{
    return &fibers.outer;
}

unsigned char *fiber_top(const fiber *fiber)
{
    return fiber->stack + STACK_BYTES;
}

/* The first thing after a switch. ASan says where the stack lay that was left: so the bounds of the outer one are
 * known, whichever thread of the host it belongs to. */
static void arrive(void *fake_stack)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(fake_stack, &fibers.left->bottom, &fibers.left->bytes);
#endif
    (void)fake_stack;
}

void fiber_begin(void)
{
    arrive(nullptr);
}

#ifndef BX_UCONTEXT
/* Saves what the ABI says a call keeps, and the stack pointer; loads another's. */
extern "C" void bx_switch(void **save, void *load);
__asm__(".text\n.globl bx_switch\n.hidden bx_switch\n.type bx_switch,@function\nbx_switch:\n"
        "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
        "movq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
        "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n"
        ".size bx_switch,.-bx_switch\n");
#endif

void fiber_switch(fiber *from, fiber *to)
{
    if (from == to)
        return; /* to's stack pointer would be read before it is saved */
    fibers.left = from;
    void *fake_stack = nullptr;
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&from->fake_stack, to->bottom, to->bytes);
#endif
#ifdef BX_UCONTEXT
    swapcontext(&from->context, &to->context);
#else
    bx_switch(&from->stack_pointer, to->stack_pointer);
#endif
#ifdef __SANITIZE_ADDRESS__
    fake_stack = from->fake_stack;
#endif
    arrive(fake_stack);
}

static unsigned char *make_stack(void)
{
#ifdef BX_TSAN
    return race_stack(fibers.used);
#else
    const size_t guard = 4096;
    void *memory = mmap(nullptr, guard + STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, guard, PROT_NONE) != 0) {
        perror("blockexec: a fiber's stack");
        abort();
    }
    return static_cast<unsigned char *>(memory) + guard;
#endif
}

static void prepare(fiber *fiber, void (*entry)(void))
{
    fiber->stack = make_stack();
#ifdef __SANITIZE_ADDRESS__
    fiber->bottom = fiber->stack;
    fiber->bytes = STACK_BYTES;
#endif
#ifdef BX_UCONTEXT
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    fiber->context.uc_link = nullptr;
    makecontext(&fiber->context, entry, 0);
#else
    void **top = reinterpret_cast<void **>(fiber_top(fiber));
    *--top = nullptr; /* a return address: at entry the ABI wants the stack pointer 8 past a multiple of 16 */
    *--top = reinterpret_cast<void *>(entry);
    for (int i = 0; i < 6; i++)
        *--top = nullptr;
    fiber->stack_pointer = top;
#endif
}

fiber *fiber_take(void (*entry)(void))
{
    if (fibers.idles > 0)
        return fibers.idle[--fibers.idles];
    fiber *fresh = &fibers.all[fibers.used];
    prepare(fresh, entry);
    fibers.used++;
    return fresh;
}

void fiber_give_back(fiber *fiber)
{
    fibers.idle[fibers.idles++] = fiber;
}

} // namespace bx
