/* The event log played back: an optimizer is brought to where the one was that made the log, so that the next
 * suggestion is the one that would have come. Used where a search resumes, where several programs drive one study and
 * follow each other's events, and to look again at how a point was chosen. Linear in the number of events. */
#ifndef NASRUN_RUN_REPLAY_H
#define NASRUN_RUN_REPLAY_H

#include "optim/optimizer.h"
#include "run/problem.h"
#include "store/store.h"

/* Filled in by the caller, none of it owned. */
struct replay {
    const struct study *study;
    struct store *store;
    struct optimizer *optimizer; /* fresh when `seen` is 0, else where that event left it */
    int64_t validations;         /* images that val_accuracy is measured on; 0: unknown */
    struct log *log;
    int64_t seen; /* number of the newest event that the optimizer knows of */
};

/* An optimizer that knows no trial yet, as [search] and the seed say. `problem` outlives it and does not move. */
nr_status replay_create_optimizer(const struct problem *problem, struct log *log, struct optimizer **out) NR_MUST_CHECK;

/* Tells the optimizer all events after `seen`. After an error its state is undefined. */
nr_status replay_all(struct replay *replay) NR_MUST_CHECK;
/* Those before the suggestion of `trial`: optimizer_suggest() then chooses it again. NR_NOT_FOUND when no event after
 * `seen` suggests it. */
nr_status replay_before(struct replay *replay, int64_t trial) NR_MUST_CHECK;

/* What the optimizer is told of a finished trial: its values by outcome, what is known of their noise, its seconds. */
struct optim_result replay_result(const struct study *study, int64_t validations, const double *value, double seconds);

#endif
