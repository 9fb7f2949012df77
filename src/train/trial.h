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

/* Called after every epoch, its state already in the checkpoint if one is due; false stops the trial there (early
 * stopping). A resumed trial reports the last epoch of its checkpoint again, since the one who was told may have died
 * with it. */
typedef bool trial_on_epoch(void *context, const struct epoch_metrics *metrics);
/* Called once the checkpoint was read and before the trainer is made, with the epochs that it holds; false ends the
 * trial with NR_INTERRUPTED. Making a trainer of a data-parallel group waits for the other ranks: this is the moment to
 * tell them where to start from. */
typedef bool trial_on_start(void *context, int64_t epochs);
struct trial_setup {
    const struct backend *backend;
    struct device *device;
    struct images *images;
    const struct split *split;
    const struct plan *plan;
    const struct recipe *recipe;
    uint64_t seed;
    uint32_t trial;
    int lane;
    int rank, ranks; /* of a data-parallel group; 0 ranks: alone. All read the checkpoint, rank 0 writes it */
    all_reduce *reduce;
    void *reduce_context;
    bool follows; /* rank 0 starts after `from` epochs: whoever does not find as many ends with NR_IO */
    int64_t from;
    double patience;        /* seconds without a step, after which the device counts as hung (NR_DEVICE); 0: for ever */
    const char *checkpoint; /* file that is resumed from where it exists and replaced after epochs; NULL: none */
    double checkpoint_interval; /* seconds, from one checkpoint on, in which no other is written; but the last always
                                   is. An epoch of a small network on a GPU takes less time than its checkpoint */
    trial_on_start *on_start;
    trial_on_epoch *on_epoch;
    void *context;
};

struct trial_result {
    nr_status status;                /* NR_OK, NR_DIVERGED, NR_INFEASIBLE, NR_INTERRUPTED, NR_NO_MEMORY, NR_DEVICE or
                                        NR_IO */
    char cause[256];                 /* "loss or gradient not finite at step 412 (epoch 2)"; empty when ok */
    struct epoch_metrics last, best; /* best: highest validation accuracy */
    int64_t epochs;                  /* finished, those before a resume included */
};

/* One trial under way, as a machine that is advanced by small turns, so that one thread keeps many lanes busy. The
 * bits of a trial depend neither on how its steps are cut into portions nor on who trains beside it. */
struct trial;

enum trial_turn {
    TRIAL_WORKED, /* something was done */
    TRIAL_WAITS,  /* enough steps are queued on the device: look again in a moment */
    TRIAL_ENDED
};

/* Reads the checkpoint and makes the trainer. What the setup points to, and `result`, outlive the trial. When it cannot
 * be started the status says why, as does `result`, and there is no trial. A checkpoint that is damaged or another
 * network's is a warning, and the trial starts anew. */
nr_status trial_begin(const struct trial_setup *setup, struct log *log, struct trial_result *result,
                      struct trial **out) NR_MUST_CHECK;
/* Keeps two portions of about 20 ms queued on the device; after the last step of an epoch measures, saves and reports.
 * Waits for the device only then; the CPU's steps are done within. */
enum trial_turn trial_advance(struct trial *trial);
/* Gives `result` and destroys the trial (NULL is fine). One that has not ended is stopped at once, with NR_INTERRUPTED
 * and its last checkpoint kept. After the last epoch the checkpoint holds the
 * weights without the optimizer's state; a trial that ended otherwise keeps its last checkpoint as it is. */
void trial_end(struct trial *trial);

/* All of it, for callers that wait for one trial: begins, advances to the end of the recipe's epochs, ends. Returns
 * NR_OK when it could be started at all; how it went is in `result` in either case. */
nr_status trial_run(const struct trial_setup *setup, struct log *log, struct trial_result *result) NR_MUST_CHECK;

#endif
