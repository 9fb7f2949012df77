/* The record of a study: trials, their points, metrics per epoch, causes, and an append-only event log from which every
 * decision of the optimiser can be replayed. One interface; SQLite in the study's folder, PostgreSQL later.
 *
 * Whoever writes holds short transactions; `kill -9` loses nothing that a call has returned from. The tables are
 * documented in schema.h (people query them with sqlite3). */
#ifndef NASRUN_STORE_STORE_H
#define NASRUN_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"

enum { STORE_SCHEMA_VERSION = 1, STORE_MAX_VALUES = 8 };

enum trial_status { TRIAL_QUEUED, TRIAL_RUNNING, TRIAL_DONE, TRIAL_STOPPED, TRIAL_FAILED, TRIAL_STATES };
const char *trial_status_name(enum trial_status status); /* "queued", "running", "done", "stopped", "failed" */

struct store;

/* What is fixed for a study when it begins. */
struct store_study {
    const char *objective[STORE_MAX_VALUES]; /* names of the values in the study's order, objectives before outcome
                                              * constraints, NULL after the last; at least one */
    const char *name;
    const char *identity;      /* study_identity(): compared when the study goes on */
    const char *configuration; /* in force: overrides applied, paths absolute; readers build the study from it */
    const char *version;       /* of the program */
    const char *device;        /* the backend's description of it; "" while none has trained */
    const char *data_name, *data_digest; /* "" where nothing is trained */
    int64_t seed;
};

struct store_epoch {
    int64_t trial, attempt, epoch;
    double train_loss, validation_loss, validation_accuracy, learning_rate, seconds;
};

struct store_trial {
    int64_t trial; /* 1, 2, ... */
    enum trial_status status;
    const char *cause;               /* "" or why it stopped or failed */
    const char *point;               /* point_append_text() */
    const char *identity;            /* of network and recipe */
    const char *summary;             /* the network in one line */
    const char *method, *fit, *note; /* of the suggestion */
    const char *owner;               /* who runs it or ran it last, "" before */
    int64_t attempt;                 /* 1, 2, ...: starts after a lost worker count, resumes do not */
    int64_t epochs;                  /* finished */
    double value[STORE_MAX_VALUES]; /* by outcome in the study's order; NaN unknown (exact ones known from the start) */
    double seconds;                 /* of training, all epochs; NaN: unknown (told without) */
    double suggested, started, ended; /* seconds since 1970, NaN when not */
};

/* Opens or creates. `path` is the database file; its folder exists. NR_INVALID for a newer schema, or a file that is no
 * store: it is left as it was.
 * `read_only` changes nothing (NR_NOT_FOUND when there is no store), works beside a running driver, and in a folder
 * that may not be written. */
nr_status store_open(const char *path, bool read_only, struct log *log, struct store **out) NR_MUST_CHECK;
void store_close(struct store *store);

/* Records the study in an empty store. NR_INVALID when there is one already. */
nr_status store_begin(struct store *store, const struct store_study *study) NR_MUST_CHECK;
/* NR_NOT_FOUND in an empty store (not logged: a driver then begins). Strings belong to the store, until the next call.
 */
nr_status store_study(struct store *store, struct store_study *out) NR_MUST_CHECK;
/* Why the last run ended ("trials", "time", "interrupted", ...); "" while it runs or when it was killed: a driver sets
 * "" when it starts. */
nr_status store_set_end(struct store *store, const char *reason) NR_MUST_CHECK;
/* Wall time of the study in seconds, all runs: what [run] max_time counts. Once the lock is held every write brings it
 * up to date, so that it survives a kill; setting it sets the clock right. */
nr_status store_set_elapsed(struct store *store, double seconds) NR_MUST_CHECK;
nr_status store_elapsed(struct store *store, double *out) NR_MUST_CHECK;
/* A study goes on with other values of [run] and study.trials. */
nr_status store_set_configuration(struct store *store, const char *configuration) NR_MUST_CHECK;
/* Belongs to the store, until the next call; "" also when it cannot be read (logged). */
const char *store_end(struct store *store);
/* Only one driver works on a study: takes an exclusive lock that dies with this process (it is not inherited by fork),
 * or with store_close(). NR_INVALID (and who holds it) when another process has it. Once per process and study. */
nr_status store_lock(struct store *store) NR_MUST_CHECK;
/* The process that holds the lock, 0 when nobody does: "is it running?" for readers. */
int64_t store_holder(struct store *store);
/* The same of a database that is not open, or none at all: before it is moved out of the way. */
int64_t store_holder_of(const char *path);

/* From now on a call that writes does not wait for the disk: what it recorded survives the death of every process at
 * once, and the loss of power after store_sync() or store_close(). For programs that tell thousands of results. */
nr_status store_write_behind(struct store *store) NR_MUST_CHECK;
nr_status store_sync(struct store *store) NR_MUST_CHECK;

/* Several calls as one: from store_hold() to store_release() nobody else writes, and all of it is recorded or, where
 * `status` is not NR_OK, nothing. store_hold() waits up to two minutes for others, which may be choosing many points;
 * store_release() returns `status`, or why the record failed. */
nr_status store_hold(struct store *store) NR_MUST_CHECK;
nr_status store_release(struct store *store, nr_status status) NR_MUST_CHECK;

/* All in one transaction each, on disk before they return, except store_record_epoch(): it survives the death of every
 * process, but a power loss may take epochs since the last other call.
 * NR_NOT_FOUND: no such trial; NR_INVALID: not in its state. */
/* A new trial, queued, with the exact values; event. `status`, `attempt`, `epochs`, times and seconds are not looked
 * at. */
nr_status store_suggest(struct store *store, const struct store_trial *trial) NR_MUST_CHECK;
/* queued -> running. */
nr_status store_start(struct store *store, int64_t trial, int64_t attempt, const char *owner) NR_MUST_CHECK;
/* Of a running trial; replaces the same epoch of the trial. */
nr_status store_record_epoch(struct store *store, const struct store_epoch *epoch) NR_MUST_CHECK;
/* running or queued -> done, stopped or failed; event. Refused (NR_INVALID) when the trial has ended already. `value`:
 * one per outcome of the study (those known at the suggestion may be NaN), NULL when nothing new is known; `seconds`
 * may be NaN. */
nr_status store_finish(struct store *store, int64_t trial, enum trial_status status, const char *cause,
                       const double *value, double seconds) NR_MUST_CHECK;
/* running (or queued) -> queued, for another attempt or after an interrupt. Epochs stay. */
nr_status store_requeue(struct store *store, int64_t trial) NR_MUST_CHECK;
/* Results of `nasrun test`. */
nr_status store_record_test(struct store *store, int64_t trial, double accuracy, double loss) NR_MUST_CHECK;
nr_status store_test(struct store *store, int64_t trial, double *accuracy, double *loss) NR_MUST_CHECK; /* NaN: none */

/* Reading calls back per row; strings live during the call, which may read more from the store but not write to it.
 * What it returns other than NR_OK ends the reading and is returned. */

/* The event log in order, after event number `after`: everything the optimiser decided from.
 *   "suggest": `trial` as it was suggested: queued, with the exact values only;
 *   "finish":  `trial` as it ended (a failed one too), with everything. */
struct store_event {
    int64_t number; /* rising, from 1 */
    int64_t trial;
    char kind[16];
    double time;
};
typedef nr_status store_on_event(void *context, const struct store_event *event, const struct store_trial *trial);
nr_status store_events(struct store *store, int64_t after, store_on_event *on_event, void *context) NR_MUST_CHECK;
/* Number of the newest event, 0 when there is none. */
nr_status store_newest_event(struct store *store, int64_t *out) NR_MUST_CHECK;

typedef nr_status store_on_trial(void *context, const struct store_trial *trial);
nr_status store_trials(struct store *store, store_on_trial *on_trial, void *context) NR_MUST_CHECK; /* by number */
/* How many there are: their numbers are 1 to that. */
nr_status store_count(struct store *store, int64_t *out) NR_MUST_CHECK;
/* Those of numbers first..last only. */
nr_status store_trials_between(struct store *store, int64_t first, int64_t last, store_on_trial *on_trial,
                               void *context) NR_MUST_CHECK;
typedef nr_status store_on_epoch(void *context, const struct store_epoch *epoch);
nr_status store_epochs(struct store *store, int64_t trial, store_on_epoch *on_epoch, void *context) NR_MUST_CHECK;

/* Rises with every change by anyone: a cheap way to see whether there is news. */
nr_status store_version(struct store *store, int64_t *out) NR_MUST_CHECK;

#endif
