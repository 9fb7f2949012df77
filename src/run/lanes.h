/* What trains in a worker: the trials that the driver has sent, each in a lane of the device, all on one thread.
 *
 * A trial begins when its lane is free and the device has the memory that it needs, in the order in which they came:
 * nothing overtakes one that waits for memory. One that cannot fit at all ends before it is launched; one that runs out
 * of memory beside others is tried once more alone. */
#ifndef NASRUN_RUN_LANES_H
#define NASRUN_RUN_LANES_H

#include "run/problem.h"
#include "train/trial.h"

struct lanes;

/* What happens, told from within lanes_advance() and lanes_stop(). */
struct lanes_events {
    /* A trial of a group starts from so many epochs: the other ranks are to follow. False: they cannot be told. */
    bool (*start)(void *context, int64_t trial, const char *point, int64_t epochs);
    void (*epoch)(void *context, int64_t trial, const struct epoch_metrics *metrics);
    /* `alone`: nothing else was on the device, so that there is no more memory to be had. */
    void (*end)(void *context, int64_t trial, const struct trial_result *result, bool alone);
    void *context;
};

struct lanes_setup { /* what it points to outlives the lanes */
    const struct backend *backend;
    struct device *device;
    struct images *images;
    const struct split *split;
    const struct problem *problem;
    const char *folder; /* the study's */
    int rank, ranks;
    double patience, checkpoint_interval; /* as in struct trial_setup */
    struct log *log;                      /* keeps its text */
    struct lanes_events events;
};

struct lanes_trial {
    int64_t trial;
    int lane;
    const char *point; /* point_append_text() */
    bool alone;        /* nothing else trains beside it */
    bool follows;      /* as in struct trial_setup */
    int64_t from;
};

enum lanes_turn {
    LANES_WORKED,
    LANES_WAIT, /* the device is busy: look again in a moment */
    LANES_EMPTY,
    LANES_LOST /* the device has failed; lanes_cause() says in which step and call */
};

nr_status lanes_create(const struct lanes_setup *setup, struct lanes **out) NR_MUST_CHECK;
/* A lane that is not free yet is waited for. NR_INVALID: no such point (logged). */
nr_status lanes_take(struct lanes *lanes, const struct lanes_trial *trial) NR_MUST_CHECK;
enum lanes_turn lanes_advance(struct lanes *lanes);
/* Ends every trial with NR_INTERRUPTED, at once. */
void lanes_stop(struct lanes *lanes);
/* Of LANES_LOST: the trial that the failure came with, and what happened. */
int64_t lanes_failed_trial(const struct lanes *lanes);
const char *lanes_cause(const struct lanes *lanes);
/* NULL is fine. After LANES_LOST the trainers are left as they are: calls to a lost device may never return. */
void lanes_destroy(struct lanes *lanes);

#endif
