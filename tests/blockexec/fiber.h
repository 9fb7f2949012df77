/* Fibers: stacks to switch between. Only fiber.cc knows the machine, and how ASan follows a switch. */
#ifndef NASRUN_TESTS_BLOCKEXEC_FIBER_H
#define NASRUN_TESTS_BLOCKEXEC_FIBER_H

namespace bx
{

struct fiber;

/* The stack that the program runs on by itself. */
fiber *fiber_outer(void);
/* One out of use, or a new one, which will begin with `entry`: the same of every call, since a fiber that was given
 * back goes on where it left off. `entry` calls fiber_begin() first and never returns. */
fiber *fiber_take(void (*entry)(void));
void fiber_give_back(fiber *fiber); /* it may still be running, until the next switch */
void fiber_begin(void);
/* Leaves `from`, which is the one that runs; comes back when somebody switches to it. */
void fiber_switch(fiber *from, fiber *to);
/* The byte past the stack, which grows down from there. */
unsigned char *fiber_top(const fiber *fiber);

} // namespace bx

#endif
