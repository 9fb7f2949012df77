/* The training of one candidate: epochs, metrics, divergence, checkpoints. Device-independent.
 *
 * A trial is a pure function of plan, recipe, split and (seed, trial): killed anywhere and run again, it goes on from
 * its last checkpoint and ends with the same bits; without a usable checkpoint it starts anew and does so, too. */
#ifndef NASRUN_TRAIN_TRIAL_H
#define NASRUN_TRAIN_TRIAL_H

#include <stdbool.h>

#include "train/backend.h"

/* A mean loss beyond this after an epoch counts as divergence: cross-entropy starts near ln(classes), and a network
 * that far off has no way back that a search would wait for. */
#define TRIAL_MOST_LOSS 1e6

struct epoch_metrics {
    int64_t epoch; /* 1-based */
    double train_loss, validation_loss, validation_accuracy, learning_rate, seconds;
};

/* Called after every epoch, its state already in the checkpoint; false stops the trial there (early stopping). A
 * resumed trial reports the last epoch of its checkpoint again, since the one who was told may have died with it. */
typedef bool trial_on_epoch(void *context, const struct epoch_metrics *metrics);
/* Asked before every few steps (about every 20 ms); true stops the trial at once with NR_INTERRUPTED, its last
 * checkpoint kept. */
typedef bool trial_should_stop(void *context);

struct trial_setup {
    const struct backend *backend;
    struct device *device;
    struct images *images;
    const struct split *split;
    const struct plan *plan;
    const struct recipe *recipe;
    uint64_t seed;
    uint32_t trial;
    const char *checkpoint; /* file that is resumed from where it exists and replaced after every epoch; NULL: none */
    trial_on_epoch *on_epoch;
    trial_should_stop *should_stop;
    void *context;
};

struct trial_result {
    nr_status status;                /* NR_OK, NR_DIVERGED, NR_INTERRUPTED, NR_NO_MEMORY, NR_DEVICE, NR_IO */
    char cause[160];                 /* "loss or gradient not finite at step 412 (epoch 2)"; empty when ok */
    struct epoch_metrics last, best; /* best: highest validation accuracy */
    int64_t epochs;                  /* finished, those before a resume included */
};

/* Runs from the checkpoint or the start to the end of the recipe's epochs. Returns NR_OK when it could be run at all,
 * else why not (no memory, no device); how it went is in `result` in either case. A checkpoint that is damaged or
 * another network's is a warning, and the trial starts anew. After the last epoch the checkpoint holds the weights
 * without the optimizer's state; a trial that ended otherwise keeps its last checkpoint as it is. */
nr_status trial_run(const struct trial_setup *setup, struct log *log, struct trial_result *result) NR_MUST_CHECK;

#endif
