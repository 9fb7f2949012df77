/* The worker processes of a search: started, told what to train, listened to, replaced when they die.
 *
 * A worker has one device and trains up to `lanes` trials at once. With `ranks` > 1 workers form groups of so many that
 * train one trial together: rank 0 leads, speaks for the group, and is the only one seen from outside of the pool; when
 * one is lost, all are. */
#ifndef NASRUN_RUN_POOL_H
#define NASRUN_RUN_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "run/channel.h"
#include "run/devices.h"
#include "train/backend.h"

enum worker_state {
    WORKER_ABSENT,
    WORKER_STARTING,
    WORKER_MET,     /* ready, of a group that is not complete */
    WORKER_JOINING, /* waits for the other ranks */
    WORKER_SERVING
};

enum { POOL_MOST_LANES = 16 }; /* the key takes no more */

struct pool_worker {
    enum worker_state state;
    pid_t process;
    struct channel channel;
    const struct gpu *gpu; /* NULL on the CPU */
    int rank;
    int lanes;
    int64_t *trial;                   /* [lanes as asked for]: 0: none */
    char device[96];                  /* what it trains on, as its backend describes it: instruction set, libraries */
    char invitation[INVITATION_SIZE]; /* rank 0 of a group */
    double heard;                     /* its last word, or its start; monotonic seconds */
    int losses;           /* of rank 0: of the group, without a finished epoch between; the caller resets it */
    int64_t followed;     /* of rank 0: the last trial that the others were told of, 0: none */
    int64_t failed_trial; /* that it named before it left, 0: none */
    char reason[320];     /* and what it said; "" */
};

struct pool_setup { /* what it points to outlives the pool */
    const struct devices *devices;
    const char *program;       /* executable of the workers: this one */
    const char *log_path;      /* gets their standard error */
    const char *configuration; /* as files_render_configuration() */
    const char *folder;
    int data;        /* descriptor of the data set's shared memory */
    double patience; /* seconds without a word after which a worker with a GPU is killed */
    struct log *log;
};

struct pool {
    struct pool_setup setup;
    struct pool_worker *worker;
    size_t count;
    int starts_without_work; /* workers in a row that died before they were ready */
};

/* Where a trial can train. */
struct pool_place {
    struct pool_worker *worker;
    int lane;
};

/* A worker, or group, has gone, with all that it trained. */
struct pool_loss {
    char who[160];        /* "the worker on device 0 (NVIDIA H100 80GB HBM3)", "a worker" */
    char how[384];        /* "killed by signal 9 (Killed)", or what it said before it left */
    int64_t failed_trial; /* that it named, 0: none */
    const int64_t *trial; /* [trials] */
    size_t trials;
};

/* Cores that this process may use: what `workers = auto` means. */
int64_t pool_automatic_size(void);

nr_status pool_create(const struct pool_setup *setup, struct pool *out) NR_MUST_CHECK;
/* Starts every absent worker. NR_DEVICE when workers keep dying before they can train, or a device keeps losing its
 * worker before an epoch is finished. */
nr_status pool_fill(struct pool *pool) NR_MUST_CHECK;
/* A free lane of the worker that trains least; false when there is none. */
bool pool_idle(struct pool *pool, struct pool_place *out);
size_t pool_busy(const struct pool *pool);  /* trials in training */
size_t pool_lanes(const struct pool *pool); /* trials that can train at most */
/* `alone`: nothing else trains on the device beside it. Failure to reach the worker is not an error here: its death
 * comes out of pool_receive(). */
void pool_train(const struct pool *pool, struct pool_place place, int64_t trial, const char *point, bool alone);
/* Asks every worker to stop at the next step; groups are killed: their last checkpoint is as good. */
void pool_stop(struct pool *pool);

/* Waits up to `milliseconds` for a message or a signal on `signals` (a signalfd, may be -1). Calls back for everything
 * that has come from a worker or the rank 0 of a group, and for every loss. */
struct pool_events {
    nr_status (*message)(void *context, struct pool_worker *worker, const json_t *message);
    nr_status (*gone)(void *context, const struct pool_loss *loss);
    void (*signal)(void *context);
    void *context;
};
nr_status pool_receive(struct pool *pool, int signals, int milliseconds,
                       const struct pool_events *events) NR_MUST_CHECK;

/* Closes the sockets, waits for the workers to leave (kills those that do not within a few seconds). */
void pool_clear(struct pool *pool);

#endif
