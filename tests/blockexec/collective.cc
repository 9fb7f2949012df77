/* Where threads of a block meet: barriers, votes, shuffles, fences. */
#include "blockexec/block.h"

#include <cstring>

namespace bx
{

/* Addresses that TSan orders by. Barriers alternate between two: with one, a thread that is already at the next barrier
 * would be ordered before another that has yet to leave this one, and a real race between them would be hidden. For the
 * same reason neighbouring blocks have other ones; blocks of the same parity are the same threads to TSan anyway. */
static struct {
    char block[2][2], warp[2][MOST_THREADS / 32][2];
    unsigned blocks, warps[MOST_THREADS / 32]; /* barriers so far */
} order;

static bool same_place(const thread *a, const thread *b)
{
    return a->op == b->op && a->line == b->line && (a->file == b->file || !strcmp(a->file, b->file));
}

static void complete_block(thread *last)
{
    unsigned count = 0;
    for (unsigned i = 0; i < current.count; i++) {
        const thread *t = &current.threads[i];
        if (!same_place(t, last))
            fail("divergent barrier: thread %u at %s:%d, thread %u at %s:%d", last->rank, last->file, last->line,
                 t->rank, t->file, t->line);
        count += t->value != 0;
    }
    current.waiting = 0;
    order.blocks++;
    for (unsigned i = 0; i < current.count; i++) {
        current.threads[i].result = count;
        block_wake(&current.threads[i]);
    }
}

/* What lane `lane` gets of the values of its warp (PTX ISA, shfl.sync). A lane outside the mask gives an undefined
 * value: 0xff bytes. */
static uint64_t received(const thread *warp, int lane, unsigned mask)
{
    const thread *t = &warp[lane];
    const int first = lane & ~(t->width - 1), end = first + t->width;
    int from = lane;
    if (t->op == BX_DOWN && lane + t->argument < end)
        from = lane + t->argument;
    else if (t->op == BX_UP && lane - t->argument >= first)
        from = lane - t->argument;
    else if (t->op == BX_XOR && (lane ^ t->argument) < end) /* groups before the own one are in reach */
        from = lane ^ t->argument;
    else if (t->op == BX_INDEX)
        from = first + (t->argument & (t->width - 1));
    return mask >> from & 1 ? warp[from].value : ~uint64_t{0};
}

static void complete_warp(thread *warp, unsigned mask)
{
    unsigned ballot = 0;
    for (unsigned lane = 0; lane < 32; lane++)
        if (mask >> lane & 1 && warp[lane].value)
            ballot |= 1u << lane;
    for (unsigned lane = 0; lane < 32; lane++) {
        if (!(mask >> lane & 1))
            continue;
        current.in_warp[warp->rank / 32] &= ~(1u << lane);
        warp[lane].result = warp[lane].op == BX_BALLOT ? ballot : received(warp, static_cast<int>(lane), mask);
        block_wake(&warp[lane]);
    }
}

/* Whether all lanes of t's mask wait as t does; fails where they never can. A lane that waits for others, t not among
 * them, may come later: a warp may split and meet again. */
bool warp_is_complete(const thread *t)
{
    const thread *warp = t - t->rank % 32;
    bool all = true;
    for (unsigned lane = 0; lane < 32; lane++) {
        const thread *other = &warp[lane];
        if (!(t->mask >> lane & 1))
            continue;
        if (other->state == state::ended)
            fail("%s:%d: mask %08x of thread %u names lane %u, which has ended", t->file, t->line, t->mask, t->rank,
                 lane);
        const bool alike = other->state == state::in_warp && other->mask == t->mask && same_place(other, t);
        if (!alike && other->state == state::in_warp && other->mask >> t->rank % 32 & 1)
            fail("divergent warp collective: thread %u at %s:%d with mask %08x, thread %u at %s:%d with mask %08x",
                 t->rank, t->file, t->line, t->mask, other->rank, other->file, other->line, other->mask);
        all = all && alike;
    }
    return all;
}

static void check_mask(const thread *t, unsigned lane)
{
    const unsigned lanes = current.count - (t->rank - lane) < 32 ? current.count - (t->rank - lane) : 32;
    if (!(t->mask >> lane & 1))
        fail("%s:%d: thread %u is not in its own mask %08x", t->file, t->line, t->rank, t->mask);
    if (lanes < 32 && t->mask >> lanes)
        fail("%s:%d: mask %08x names lanes that do not exist: the warp of thread %u has %u", t->file, t->line, t->mask,
             t->rank, lanes);
    if (t->width < 1 || t->width > 32 || (t->width & (t->width - 1)) != 0)
        fail("%s:%d: the width %d is no power of two up to 32", t->file, t->line, t->width);
    if (t->argument < 0 || (t->op != BX_INDEX && t->argument > 31))
        fail("%s:%d: a shuffle by %d lanes", t->file, t->line, t->argument);
}

} // namespace bx

using namespace bx;

unsigned bx_block_collective(bx_op op, bool predicate, const char *file, int line)
{
    thread *t = self();
    t->state = state::in_block;
    t->op = op, t->file = file, t->line = line, t->value = predicate, t->mask = 0;
    char *at = &order.block[current.odd][order.blocks % 2];
    race_release(at);
    if (++current.waiting == current.count)
        complete_block(t); /* and waits itself, or the last to arrive would always lead */
    block_wait();
    race_acquire(at);
    return static_cast<unsigned>(t->result);
}

uint64_t bx_warp_collective(bx_op op, unsigned mask, uint64_t value, int argument, int width, const char *file,
                            int line)
{
    thread *t = self();
    const unsigned lane = t->rank % 32, number = t->rank / 32;
    t->op = op, t->mask = mask, t->value = value, t->argument = argument, t->width = width;
    t->file = file, t->line = line;
    check_mask(t, lane);
    t->state = state::in_warp;
    current.in_warp[number] |= 1u << lane;
    char *at = &order.warp[current.odd][number][order.warps[number] % 2];
    if (op == BX_SYNC) /* the others exchange values, but order no memory */
        race_release(at);
    if ((mask & ~current.in_warp[number]) == 0 && warp_is_complete(t)) {
        order.warps[number] += op == BX_SYNC;
        complete_warp(t - lane, mask);
    }
    block_wait();
    if (op == BX_SYNC)
        race_acquire(at);
    return t->result;
}

/* Two threads are ordered as the PTX memory model has it: one writes, fences, does an atomic; another does an atomic at
 * the same address later, fences, reads. TSan is told a little more than that: what the first wrote between its fence
 * and its atomic is ordered too. */
void bx_atomic_order(const void *address)
{
    thread *t = self();
    if (t->fenced)
        race_release(address);
    if (t->seen_count == sizeof t->seen / sizeof *t->seen)
        race_acquire(t->seen[--t->seen_count]); /* too many to remember: as if fenced */
    t->seen[t->seen_count++] = address;
}

void bx_fence(void)
{
    thread *t = self();
    while (t->seen_count > 0)
        race_acquire(t->seen[--t->seen_count]);
    t->fenced = true;
}

void bx_trap(const char *file, int line)
{
    fail("thread %u: trap at %s:%d", self()->rank, file, line);
}
