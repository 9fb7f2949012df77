/* All that a trainer consists of, before it has memory: its networks, what they share, and how many bytes that takes.
 * memory() stops there; create() goes on. */
#ifndef NASRUN_TRAIN_CUDA_BLUEPRINT_H
#define NASRUN_TRAIN_CUDA_BLUEPRINT_H

#include "train/cuda/cuda.h"
#include "train/cuda/network.h"

/* Indices that go to the device in one piece when evaluating. */
enum { EVALUATION_INDICES = 65536 };

struct blueprint {
    const struct recipe *recipe;
    struct layout layout;
    struct network *full;       /* for the batches of an epoch */
    struct network *last;       /* for the short one at its end; NULL where there is none */
    struct network *evaluation; /* of as many rows as its memory allows */
    struct vectors vectors;
    int64_t images; /* of a pass */
    int64_t slots;  /* passes in the ring */
    int64_t steps;  /* of the trial */
    int64_t most_rows;
    size_t bytes;
};

/* What it depends on beside plan and recipe; zero but for ranks = 1 and images for memory(). */
struct blueprint_setup {
    uint64_t seed;
    uint32_t trial;
    int rank, ranks;
    int64_t images; /* of a pass over the training share */
    const struct cuda_options *options;
};

/* NR_NO_MEMORY is the only error. plan and recipe outlive it. */
nr_status blueprint_create(const struct plan *plan, const struct recipe *recipe, const struct blueprint_setup *setup,
                           struct blueprint *out) NR_MUST_CHECK;
/* Gives everything its place in blueprint->bytes bytes at `base`, 256-byte aligned. */
void blueprint_place(struct blueprint *blueprint, void *base);
void blueprint_clear(struct blueprint *blueprint);

#endif
