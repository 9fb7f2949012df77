#include "train/cuda/feed.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

nr_status feed_create(const struct trainer_setup *setup, const struct blueprint *blueprint, uint32_t *pinned,
                      struct failure *failure, struct feed *feed)
{
    *feed = (struct feed){.count = blueprint->images,
                          .slots = blueprint->slots,
                          .ring = blueprint->vectors.order,
                          .pinned = pinned,
                          .failure = failure};
    feed->slot = mem_array((size_t)feed->slots, sizeof *feed->slot);
    if (!feed->slot ||
        order_create(setup->seed, setup->trial, setup->split->training, setup->split->trainings, &feed->order) != NR_OK)
        return failure_note(failure, NR_NO_MEMORY, "out of memory for the order of the images");
    for (int64_t i = 0; i < feed->slots; i++)
        TRY_CUDA(failure, cudaEventCreateWithFlags(&feed->slot[i].copied, cudaEventDisableTiming));
    return NR_OK;
}

void feed_clear(struct feed *feed)
{
    for (int64_t i = 0; feed->slot && i < feed->slots; i++)
        if (feed->slot[i].copied)
            cudaEventDestroy(feed->slot[i].copied);
    free(feed->slot);
    order_clear(&feed->order);
    *feed = (struct feed){0};
}

void feed_restart(struct feed *feed, int64_t position)
{
    feed->next = position / feed->count;
    feed->made = false;
    for (int64_t i = 0; i < feed->slots; i++)
        feed->slot[i].pending = false;
}

/* Makes pass feed->next unless it is there or its memory is still being copied from. */
static nr_status make(struct feed *feed)
{
    int64_t number = feed->next % feed->slots;
    struct feed_slot *slot = &feed->slot[number];
    if (slot->pending) {
        cudaError_t code = failure_query(cudaEventQuery(slot->copied));
        if (code == cudaErrorNotReady)
            return NR_OK;
        if (code != cudaSuccess)
            return failure_cuda(feed->failure, "cudaEventQuery(slot->copied)", code);
        slot->pending = false;
    }
    if (!feed->made)
        order_take(&feed->order, feed->next * feed->count, feed->count, feed->pinned + number * feed->count, NULL);
    feed->made = true;
    return NR_OK;
}

static nr_status copy(struct feed *feed, cudaStream_t stream)
{
    int64_t number = feed->next % feed->slots, offset = number * feed->count;
    struct feed_slot *slot = &feed->slot[number];
    TRY_CUDA(feed->failure, cudaMemcpyAsync(feed->ring + offset, feed->pinned + offset,
                                            (size_t)feed->count * sizeof *feed->ring, cudaMemcpyHostToDevice, stream));
    TRY_CUDA(feed->failure, cudaEventRecord(slot->copied, stream));
    slot->pending = true;
    feed->made = false;
    feed->next++;
    return NR_OK;
}

nr_status feed_advance(struct feed *feed, int64_t from, int64_t to, cudaStream_t stream, bool *ready)
{
    int64_t last = (to - 1) / feed->count;
    *ready = false;
    assert(last - from / feed->count < feed->slots);
    (void)from;
    while (feed->next <= last) {
        nr_status status = make(feed);
        if (status == NR_OK && !feed->made)
            return NR_OK;
        if (status == NR_OK)
            status = copy(feed, stream);
        if (status != NR_OK)
            return status;
    }
    *ready = true;
    return NR_OK;
}

nr_status feed_prepare(struct feed *feed)
{
    return feed->made ? NR_OK : make(feed);
}
