/* The state of a trial as a safetensors file: one tensor per weight, bias and running statistic under its layer's name,
 * the optimizer's vectors, and metadata (format number, network identity, step, epoch, metrics so far, normalisation, point).
 * Readable by any safetensors library. Documented in src/train/README or checkpoint.c. */
#ifndef NASRUN_TRAIN_CHECKPOINT_H
#define NASRUN_TRAIN_CHECKPOINT_H

#include "train/backend.h"
#include "train/trial.h"

enum { CHECKPOINT_FORMAT = 1 };

struct checkpoint {
    struct trial_state state;
    struct epoch_metrics last, best;
    int64_t epochs; /* finished */
};

/* `with_optimizer`: for going on; without it: weights of a finished member of the front. Written atomically. */
nr_status checkpoint_write(const char *path, const struct checkpoint *checkpoint, const struct plan *plan,
                           const struct split *split, bool with_optimizer, bool durable,
                           struct log *log) NR_MUST_CHECK;
/* NR_INVALID for a file of another network, a newer format or a damaged one (and says which). `state` is allocated here.
 * Optimizer slots that are absent are zero. */
nr_status checkpoint_read(const char *path, const struct plan *plan, int64_t slots, struct log *log,
                          struct checkpoint *out) NR_MUST_CHECK;
void checkpoint_clear(struct checkpoint *checkpoint);

#endif
