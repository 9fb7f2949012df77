/* A fiber runs a CUDA thread until that waits or ends; when it has ended, the fiber goes on with the next thread that
 * has not begun, on the same stack. So a kernel without barriers needs one fiber and no switch. */
#include "blockexec/block.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <utility>

bx_thread *bx_self;
uint3 bx_block_index;
dim3 bx_block_dim, bx_grid_dim;

namespace bx
{

enum { STACK_FORGOTTEN = 4 << 10 }; /* of a fiber's stack: what a kernel's own variables may take under TSan */

block current;
static char begin_order, end_order; /* addresses for race_release() */

void fail(const char *format, ...)
{
    const uint3 b = bx_block_index;
    fprintf(stderr, "blockexec: kernel %s, block (%u,%u,%u): ", current.kernel, b.x, b.y, b.z);
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    abort();
}

uint64_t draw(uint64_t below)
{
    current.random = current.random * 6364136223846793005u + 1442695040888963407u; /* Knuth's generator */
    return (current.random >> 33) % below;
}

/* ---- the queue ---- */

static unsigned *queue_at(unsigned i)
{
    return &current.queue[(current.head + i) % MOST_THREADS];
}

static void queue_push(unsigned rank)
{
    *queue_at(current.queued++) = rank;
}

/* By the schedule; NULL if nobody can run. */
static thread *queue_pop(void)
{
    if (current.queued == 0)
        return nullptr;
    current.queued--;
    if (current.schedule == BX_FORWARD) {
        thread *next = &current.threads[*queue_at(0)];
        current.head = (current.head + 1) % MOST_THREADS;
        return next;
    }
    if (current.schedule == BX_RANDOM)
        std::swap(*queue_at(static_cast<unsigned>(draw(current.queued + 1))), *queue_at(current.queued));
    return &current.threads[*queue_at(current.queued)];
}

void block_wake(thread *thread)
{
    thread->state = state::ready;
    queue_push(thread->rank);
}

/* ---- threads ---- */

static void run_threads(void);

static fiber *fiber_of(thread *thread)
{
    if (thread->own == nullptr)
        thread->own = fiber_take(run_threads);
    return thread->own;
}

[[noreturn]] static void report_stuck(void)
{
    const thread *first = nullptr;
    unsigned waiting = 0;
    for (unsigned i = 0; i < current.count; i++) {
        const thread *t = &current.threads[i];
        if (t->state != state::in_block && t->state != state::in_warp)
            continue;
        first = first ? first : t;
        waiting++;
        if (t->state == state::in_warp)
            warp_is_complete(t); /* which may know better */
    }
    fail("stuck: %u of %u threads wait, the first is thread %u at %s:%d (%s, mask %08x); %u have ended", waiting,
         current.count, first->rank, first->file, first->line,
         first->state == state::in_block ? "block barrier" : "warp collective", first->mask, current.ended);
}

/* Leaves fiber `own` for the next thread, or for the outer stack once all have ended. */
static void leave(fiber *own)
{
    thread *next = queue_pop();
    if (next == nullptr && current.ended < current.count)
        report_stuck();
    fiber *to = next ? fiber_of(next) : fiber_outer();
    bx_self = next;
    race_enter(next ? next->race : current.outer_race);
    fiber_switch(own, to);
}

void block_wait(void)
{
    leave(self()->own);
}

/* What every fiber runs, for ever: it is left when a block ends, and begins here again in a later one. */
static void run_threads(void)
{
    fiber_begin();
    for (;;) {
        thread *t = self();
        fiber *own = t->own;
        race_acquire(&begin_order);
        race_new_owner(fiber_top(own) - STACK_FORGOTTEN, STACK_FORGOTTEN);
        (*current.body)();
        race_release(&end_order);
        t->state = state::ended;
        current.ended++;
        fiber_give_back(own); /* a fresh next thread takes this very fiber: no switch */
        leave(own);
    }
}

void block_run(void)
{
    const dim3 block = bx_block_dim;
    shared_refill();
    race_release(&begin_order);
    current.odd = !current.odd;
    current.head = current.queued = current.waiting = current.ended = 0;
    for (unsigned i = 0; i < current.count; i++) {
        thread *t = &current.threads[i];
        t->index = uint3{i % block.x, i / block.x % block.y, i / block.x / block.y};
        t->rank = i;
        t->state = state::fresh;
        t->own = nullptr;
        t->fenced = false;
        t->seen_count = 0;
        current.in_warp[i / 32] = 0;
        t->race = race_thread(i, current.odd);
        queue_push(i);
    }
    leave(fiber_outer());
}

void block_join(void)
{
    race_acquire(&end_order);
}

} // namespace bx
