#include "train/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

nr_status order_create(uint64_t seed, uint32_t trial, const uint32_t *images, int64_t count, struct order *out)
{
    uint32_t *permutation = mem_array((size_t)count, sizeof *permutation);
    if (!permutation)
        return NR_NO_MEMORY;
    *out = (struct order){
        .seed = seed, .trial = trial, .images = images, .count = count, .pass = -1, .permutation = permutation};
    return NR_OK;
}

/* Every pass starts from the same list, so that it can be entered without those before it. */
static void enter_pass(struct order *order, int64_t pass)
{
    if (order->pass == pass)
        return;
    struct rng rng = rng_create(order->seed, order->trial, RANDOM_ORDER, 0, (uint32_t)pass);
    memcpy(order->permutation, order->images, (size_t)order->count * sizeof *order->permutation);
    rng_shuffle(&rng, order->permutation, (size_t)order->count);
    order->pass = pass;
}

void order_take(struct order *order, int64_t position, int64_t n, uint32_t *out, uint32_t *pass_of)
{
    while (n > 0) {
        int64_t pass = position / order->count, start = position % order->count;
        int64_t taken = order->count - start < n ? order->count - start : n;
        enter_pass(order, pass);
        memcpy(out, order->permutation + start, (size_t)taken * sizeof *out);
        for (int64_t i = 0; pass_of && i < taken; i++)
            pass_of[i] = (uint32_t)pass;
        out += taken;
        pass_of = pass_of ? pass_of + taken : NULL;
        position += taken;
        n -= taken;
    }
}

void order_clear(struct order *order)
{
    free(order->permutation);
    *order = (struct order){0};
}
