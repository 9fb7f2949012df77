/* The order of the images on its way to the device: a ring of passes, each a permutation that the host makes
 * (train/order.h) in pinned memory and copies in the trainer's stream, behind the steps that still read what lay there.
 * One pass is made ahead while the device works. */
#ifndef NASRUN_TRAIN_CUDA_FEED_H
#define NASRUN_TRAIN_CUDA_FEED_H

#include "train/cuda/blueprint.h"
#include "train/order.h"

struct feed_slot {
    cudaEvent_t copied; /* out of the pinned memory */
    bool pending;
};

struct feed {
    struct order order;
    int64_t count, slots;   /* images of a pass; passes in the ring */
    uint32_t *ring;         /* device memory, [slots][count] */
    uint32_t *pinned;       /* the same of the host */
    struct feed_slot *slot; /* [slots] */
    int64_t next;           /* the first pass that was not copied yet */
    bool made;              /* it lies in the pinned memory */
    struct failure *failure;
};

/* pinned: [slots][count], not owned. On an error feed_clear() is to be called all the same. */
nr_status feed_create(const struct trainer_setup *setup, const struct blueprint *blueprint, uint32_t *pinned,
                      struct failure *failure, struct feed *feed) NR_MUST_CHECK;
/* Starts over with the pass that `position` of the sequence lies in; nothing may be running. */
void feed_restart(struct feed *feed, int64_t position);
/* Enqueues the copies that steps over positions [from, to) need. *ready is false when the memory of one is still being
 * copied from: ask again later. The caller asks for no more than the ring was made for, and in ascending order. */
nr_status feed_advance(struct feed *feed, int64_t from, int64_t to, cudaStream_t stream, bool *ready) NR_MUST_CHECK;
/* Makes the next pass, if its memory is free: for a host that waits anyway. */
nr_status feed_prepare(struct feed *feed) NR_MUST_CHECK;
void feed_clear(struct feed *feed);

#endif
