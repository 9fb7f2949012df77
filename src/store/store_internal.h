/* Shared by store.c (the study), store_write.c (the life of trials) and store_read.c. */
#ifndef NASRUN_STORE_STORE_INTERNAL_H
#define NASRUN_STORE_STORE_INTERNAL_H

#include "store/database.h"
#include "store/store.h"

/* Statements that are prepared once. What iterates prepares its own, so that a callback may read too. */
#define STORE_STATEMENTS(X)                                                                                            \
    X(STATEMENT_CHANGED,                                                                                               \
      "UPDATE study_state SET changes = changes + 1, elapsed = coalesce(?2, elapsed) WHERE study = ?1")                \
    X(STATEMENT_STATE, "SELECT state FROM trials WHERE study = ?1 AND trial = ?2")                                     \
    X(STATEMENT_SUGGEST,                                                                                               \
      "INSERT INTO trials (study, trial, state, cause, point, identity, network, method, fit, note, "                  \
      "attempt, owner, suggested) VALUES (?1, ?2, 'queued', '', ?3, ?4, ?5, ?6, ?7, ?8, 1, '', ?9)")                   \
    X(STATEMENT_EVENT, "INSERT INTO events (study, trial, kind, time) VALUES (?1, ?2, ?3, ?4)")                        \
    X(STATEMENT_VALUE, "INSERT INTO objective_values (event, objective, value) VALUES (?1, ?2, ?3)")                   \
    X(STATEMENT_START,                                                                                                 \
      "UPDATE trials SET state = 'running', attempt = ?3, owner = ?4, started = coalesce(started, ?5) "                \
      "WHERE study = ?1 AND trial = ?2")                                                                               \
    X(STATEMENT_EPOCH, "INSERT OR REPLACE INTO epochs (study, trial, epoch, attempt, train_loss, validation_loss, "    \
                       "validation_accuracy, learning_rate, seconds) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")     \
    X(STATEMENT_FINISH, "UPDATE trials SET state = ?3, cause = ?4, seconds = ?5, ended = ?6 "                          \
                        "WHERE study = ?1 AND trial = ?2")                                                             \
    X(STATEMENT_REQUEUE, "UPDATE trials SET state = 'queued', owner = '' WHERE study = ?1 AND trial = ?2")             \
    X(STATEMENT_SET_TEST, "INSERT OR REPLACE INTO tests (study, trial, accuracy, loss, time) "                         \
                          "VALUES (?1, ?2, ?3, ?4, ?5)")                                                               \
    X(STATEMENT_TEST, "SELECT accuracy, loss FROM tests WHERE study = ?1 AND trial = ?2")                              \
    X(STATEMENT_SET_END, "UPDATE study_state SET end_reason = ?2, end_time = ?3 WHERE study = ?1")                     \
    X(STATEMENT_END, "SELECT end_reason FROM study_state WHERE study = ?1")                                            \
    X(STATEMENT_ELAPSED, "SELECT elapsed FROM study_state WHERE study = ?1")                                           \
    X(STATEMENT_SET_CONFIGURATION, "UPDATE studies SET configuration = ?2 WHERE study = ?1")                           \
    X(STATEMENT_VERSION, "SELECT changes FROM study_state WHERE study = ?1")                                           \
    X(STATEMENT_COUNT, "SELECT coalesce(max(trial), 0) FROM trials WHERE study = ?1")                                  \
    X(STATEMENT_NEWEST, "SELECT coalesce(max(number), 0) FROM events WHERE study = ?1")

enum statement {
#define X(name, sql) name,
    STORE_STATEMENTS(X)
#undef X
        STATEMENTS
};

struct store {
    struct database database;
    struct log *log;
    int64_t study;     /* 0 while the store is empty */
    size_t objectives; /* of the study */
    sqlite3_stmt *statement[STATEMENTS];
    int lock;            /* descriptor, -1 when not held */
    bool held;           /* between store_hold() and store_release() */
    bool behind;         /* store_write_behind() */
    double spent, since; /* of a run: wall time of the study at `since` on the monotonic clock; NaN for others */
    char *string[7 + STORE_MAX_VALUES]; /* handed out by store_study() */
    char *end;                          /* ... by store_end() */
};

/* From now on every write records the study's wall time, which is `spent` now. */
void store_run_clock(struct store *store, double spent);
/* A reader's connection is made fresh if need be, and the study is known. NR_NOT_FOUND (logged) in an empty store. */
nr_status store_ready(struct store *store) NR_MUST_CHECK;
/* The statement, prepared; then one step, as database_step(). */
nr_status store_step(struct store *store, enum statement which, const struct cell *cells, size_t count,
                     const char *doing, bool *row) NR_MUST_CHECK;

/* A transaction: store_change(), writes, store_changed(status), which commits when `status` is NR_OK and takes
 * everything back otherwise; it returns `status`, or why the commit failed. While the store is held, both leave the
 * transaction to store_release(). */
nr_status store_change(struct store *store, const char *doing) NR_MUST_CHECK;
nr_status store_changed(struct store *store, nr_status status, const char *doing) NR_MUST_CHECK;

#endif
