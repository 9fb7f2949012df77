/* The worker processes of a search: started, told what to train, listened to, replaced when they die. */
#ifndef NASRUN_RUN_POOL_H
#define NASRUN_RUN_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "run/channel.h"

enum worker_state { WORKER_ABSENT, WORKER_STARTING, WORKER_IDLE, WORKER_BUSY };

struct pool_worker {
    enum worker_state state;
    pid_t process;
    struct channel channel;
    int64_t trial;   /* 0: none */
    char device[96]; /* what it trains on, as its backend describes it: instruction set, library versions */
};

struct pool {
    struct pool_worker *worker;
    size_t count;
    struct log *log;
    const char *program;       /* executable of the workers: this one */
    const char *log_path;      /* gets their standard error */
    const char *configuration; /* as files_render_configuration() */
    const char *folder;
    int data;                /* descriptor of the data set's shared memory */
    int starts_without_work; /* workers in a row that died before they were ready */
};

/* Cores that this process may use: what `workers = auto` means. */
int64_t pool_automatic_size(void);

nr_status pool_create(size_t count, const char *program, const char *log_path, const char *configuration,
                      const char *folder, int data, struct log *log, struct pool *out) NR_MUST_CHECK;
/* Starts every absent worker. NR_DEVICE when workers keep dying before they can train. */
nr_status pool_fill(struct pool *pool) NR_MUST_CHECK;
/* An idle worker, NULL when there is none. */
struct pool_worker *pool_idle(struct pool *pool);
size_t pool_busy(const struct pool *pool);
/* Failure to reach the worker is not an error here: its death comes out of pool_receive(). */
void pool_train(struct pool_worker *worker, int64_t trial, const char *point);
void pool_stop(struct pool *pool); /* asks every busy worker to stop at the next step */

/* Waits up to `milliseconds` for a message or a signal on `signals` (a signalfd, may be -1). Calls back for everything
 * that has come. `gone` reports the end of a worker's process: how it ended in words, and the trial that it leaves
 * behind (0: none). */
struct pool_events {
    nr_status (*message)(void *context, struct pool_worker *worker, const json_t *message);
    nr_status (*gone)(void *context, int64_t trial, const char *how);
    void (*signal)(void *context);
    void *context;
};
nr_status pool_receive(struct pool *pool, int signals, int milliseconds,
                       const struct pool_events *events) NR_MUST_CHECK;

/* Closes the sockets, waits for the workers to leave (kills those that do not within a few seconds). */
void pool_clear(struct pool *pool);

#endif
