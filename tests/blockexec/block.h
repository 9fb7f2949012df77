/* The threads of one block: who runs, who waits, who comes next. Shared by the files of the executor. */
#ifndef NASRUN_TESTS_BLOCKEXEC_BLOCK_H
#define NASRUN_TESTS_BLOCKEXEC_BLOCK_H

#include "blockexec/blockexec.h"
#include "blockexec/fiber.h"
#include "blockexec/race.h"

namespace bx
{

enum class state { fresh, ready, in_block, in_warp, ended };

struct thread : bx_thread {
    bx::state state;
    fiber *own; /* NULL before it first runs */
    void *race;
    /* of the barrier or collective that it waits in */
    bx_op op;
    unsigned mask;
    uint64_t value, result;
    int argument, width, line;
    const char *file;
    /* of its fences: whether there was one; where it did atomics since the last */
    bool fenced;
    unsigned seen_count;
    const void *seen[8];
};

struct block {
    const char *kernel;
    const std::function<void()> *body;
    thread threads[MOST_THREADS];
    unsigned count;
    unsigned queue[MOST_THREADS], head, queued; /* a ring of those that are fresh or ready */
    unsigned waiting, ended;                    /* in the block's barrier; for good */
    unsigned in_warp[MOST_THREADS / 32];        /* bits: the lanes of a warp that wait in one of its collectives */
    bool odd;                                   /* of two that follow each other, one is */
    void *outer_race;
    bx_schedule schedule;
    uint64_t random;
};
extern block current;

/* Prints the kernel, the block and the text; aborts. */
[[noreturn]] __attribute__((format(printf, 1, 2))) void fail(const char *format, ...);

uint64_t draw(uint64_t below);

inline thread *self(void)
{
    return static_cast<thread *>(bx_self);
}

/* Runs the block of bx_block_index to its end. */
void block_run(void);
/* After the last block: what the kernel did comes before what its caller does. Not after each: blocks have no order. */
void block_join(void);
/* Puts a thread that waited into the queue. */
void block_wake(thread *thread);
/* Lets others run; comes back when this thread is woken and its turn comes. */
void block_wait(void);

/* Of a thread that waits in a collective of its warp: whether it can go on; fails with the reason if it never can. */
bool warp_is_complete(const thread *thread);

/* Shared memory: of a launch; of each of its blocks. */
void shared_open(size_t dynamic_bytes);
void shared_refill(void);
void shared_close(void);

} // namespace bx

#endif
