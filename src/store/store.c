#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/schema.h"
#include "store/store_internal.h"

enum { ONLY_STUDY = 1 };

static const char *const statement_sql[STATEMENTS] = {
#define X(name, sql) [name] = sql,
    STORE_STATEMENTS(X)
#undef X
};

const char *trial_status_name(enum trial_status status)
{
    static const char *const names[TRIAL_STATES] = {"queued", "running", "done", "stopped", "failed"};
    return names[status];
}

void store_run_clock(struct store *store, double spent)
{
    store->spent = spent;
    store->since = clock_monotonic();
}

static void forget_statements(struct store *store)
{
    for (size_t i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(store->statement[i]);
        store->statement[i] = NULL;
    }
}

/* Which study this is, if there is one. */
static nr_status find_study(struct store *store)
{
    int64_t objectives, studies;
    nr_status status = database_whole(&store->database, "SELECT count(*) FROM studies", &studies);
    if (status == NR_OK)
        status = database_whole(&store->database, "SELECT count(*) FROM objectives WHERE study = 1", &objectives);
    if (status != NR_OK)
        return status;
    store->study = studies ? ONLY_STUDY : 0;
    store->objectives = (size_t)objectives;
    return NR_OK;
}

static nr_status prepare_to_write(struct store *store)
{
    int64_t damaged;
    nr_status status = database_start_writing(&store->database);
    if (status == NR_OK)
        status = schema_migrate(&store->database);
    if (status == NR_OK) /* before anything is built on it */
        status = database_whole(&store->database, "SELECT quick_check <> 'ok' FROM pragma_quick_check(1)", &damaged);
    if (status == NR_OK && damaged) {
        log_error(store->log, "%s: the database is damaged (restore it from a copy, or start anew with --fresh)",
                  store->database.path);
        return NR_STORE;
    }
    return status;
}

nr_status store_open(const char *path, bool read_only, struct log *log, struct store **out)
{
    bool empty;
    nr_status status = NR_NO_MEMORY;
    struct store *store = mem_array(1, sizeof *store);
    if (!store)
        return log_no_memory(log, "opening the store");
    store->log = log;
    store->lock = -1;
    store->spent = NAN;
    status = database_open(path, read_only, log, &store->database);
    if (status != NR_OK)
        goto err_free;
    status = schema_check(&store->database, &empty);
    if (status == NR_OK && read_only && empty) {
        log_error(log, "%s: the store is empty: no study has begun here", path);
        status = NR_NOT_FOUND;
    }
    if (status == NR_OK && !read_only)
        status = prepare_to_write(store);
    if (status == NR_OK)
        status = find_study(store);
    if (status != NR_OK)
        goto err_database;
    *out = store;
    return NR_OK;

err_database:
    store->database.read_only = true; /* leaves a file that was refused as it is */
    database_close(&store->database);
err_free:
    free(store);
    return status;
}

static void forget_strings(struct store *store)
{
    for (size_t i = 0; i < sizeof store->string / sizeof *store->string; i++) {
        free(store->string[i]);
        store->string[i] = NULL;
    }
}

void store_close(struct store *store)
{
    if (!store)
        return;
    forget_statements(store);
    database_close(&store->database);
    if (store->lock >= 0)
        close(store->lock);
    forget_strings(store);
    free(store->end);
    free(store);
}

nr_status store_ready(struct store *store)
{
    bool reopened;
    nr_status status = database_refresh(&store->database, &reopened);
    if (status != NR_OK)
        return status;
    if (reopened)
        forget_statements(store);
    if (!store->study)
        status = find_study(store);
    if (status == NR_OK && !store->study) {
        log_error(store->log, "%s: the store is empty: no study has begun here", store->database.path);
        status = NR_NOT_FOUND;
    }
    return status;
}

nr_status store_step(struct store *store, enum statement which, const struct cell *cells, size_t count,
                     const char *doing, bool *row)
{
    nr_status status = NR_OK;
    if (!store->statement[which])
        status = database_prepare(&store->database, statement_sql[which], &store->statement[which]);
    if (status == NR_OK)
        status = database_step(&store->database, store->statement[which], cells, count, doing, row);
    return status;
}

nr_status store_change(struct store *store, const char *doing)
{
    return store->held ? NR_OK : database_execute(&store->database, "BEGIN IMMEDIATE", doing);
}

static nr_status end_transaction(struct store *store, nr_status status, const char *doing)
{
    if (status == NR_OK)
        status = database_execute(&store->database, "COMMIT", doing);
    if (status != NR_OK && !sqlite3_get_autocommit(store->database.connection))
        sqlite3_exec(store->database.connection, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

nr_status store_changed(struct store *store, nr_status status, const char *doing)
{
    if (status == NR_OK)
        status = store_step(store, STATEMENT_CHANGED,
                            CELLS(cell_whole(ONLY_STUDY), cell_real(store->spent + clock_monotonic() - store->since)),
                            doing, NULL);
    return store->held ? status : end_transaction(store, status, doing);
}

nr_status store_hold(struct store *store)
{
    nr_status status = database_hold(&store->database, "waiting for others");
    store->held = status == NR_OK;
    return status;
}

nr_status store_release(struct store *store, nr_status status)
{
    store->held = false;
    return end_transaction(store, status, "recording");
}

nr_status store_write_behind(struct store *store)
{
    store->behind = true;
    return database_synchronous(&store->database, false);
}

nr_status store_sync(struct store *store)
{
    return store->behind ? database_sync(&store->database) : NR_OK;
}

/* One step of a statement that is used once. */
static nr_status once(struct store *store, const char *sql, const struct cell *cells, size_t count, const char *doing)
{
    sqlite3_stmt *statement;
    nr_status status = database_prepare(&store->database, sql, &statement);
    if (status != NR_OK)
        return status;
    status = database_step(&store->database, statement, cells, count, doing, NULL);
    sqlite3_finalize(statement);
    return status;
}

static nr_status insert_study(struct store *store, const struct store_study *study, const char *doing)
{
    nr_status status = once(store,
                            "INSERT INTO studies (study, name, identity, configuration, version, device, data_name, "
                            "data_digest, seed, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                            CELLS(cell_whole(ONLY_STUDY), cell_string(study->name), cell_string(study->identity),
                                  cell_string(study->configuration), cell_string(study->version),
                                  cell_string(study->device), cell_string(study->data_name),
                                  cell_string(study->data_digest), cell_whole(study->seed), cell_real(clock_wall())),
                            doing);
    if (status == NR_OK)
        status = once(store, "INSERT INTO study_state (study, changes, end_reason, elapsed) VALUES (?1, 0, '', 0)",
                      CELLS(cell_whole(ONLY_STUDY)), doing);
    for (size_t i = 0; status == NR_OK && i < STORE_MAX_VALUES && study->objective[i]; i++)
        status = once(store, "INSERT INTO objectives (study, objective, name) VALUES (?1, ?2, ?3)",
                      CELLS(cell_whole(ONLY_STUDY), cell_whole((int64_t)i), cell_string(study->objective[i])), doing);
    return status;
}

nr_status store_begin(struct store *store, const struct store_study *study)
{
    static const char doing[] = "beginning the study";
    if (!study->objective[0]) {
        log_error(store->log, "%s: a study without objectives cannot begin", store->database.path);
        return NR_INVALID;
    }
    nr_status status = store_change(store, doing);
    if (status != NR_OK)
        return status;
    status = find_study(store); /* within the transaction: another driver may have been faster */
    if (status == NR_OK && store->study) {
        log_error(store->log, "%s: a study has begun here already", store->database.path);
        status = NR_INVALID;
    }
    if (status == NR_OK)
        status = insert_study(store, study, doing);
    status = store_changed(store, status, doing);
    return status == NR_OK ? find_study(store) : status;
}

/* Copies the columns of the current row that are strings; the first is put at `at`. */
static nr_status keep_strings(struct store *store, sqlite3_stmt *statement, int columns, size_t at)
{
    for (int i = 0; i < columns; i++) {
        store->string[at + (size_t)i] = mem_copy_string(column_string(statement, i));
        if (!store->string[at + (size_t)i])
            return log_no_memory(store->log, "reading the study");
    }
    return NR_OK;
}

static nr_status read_objectives(struct store *store, size_t at)
{
    sqlite3_stmt *statement;
    bool row;
    nr_status status = database_prepare(&store->database,
                                        "SELECT name FROM objectives WHERE study = ?1 ORDER BY objective", &statement);
    if (status != NR_OK)
        return status;
    status = database_step(&store->database, statement, CELLS(cell_whole(ONLY_STUDY)), "reading the study", &row);
    for (size_t i = 0; status == NR_OK && row && i < STORE_MAX_VALUES; i++) {
        status = keep_strings(store, statement, 1, at + i);
        if (status == NR_OK)
            status = database_next(&store->database, statement, "reading the study", &row);
    }
    sqlite3_finalize(statement);
    return status;
}

nr_status store_study(struct store *store, struct store_study *out)
{
    enum { STRINGS = 7, SEED = 7 };
    static const char doing[] = "reading the study";
    sqlite3_stmt *statement;
    int64_t seed = 0;
    bool row;
    nr_status status = store->study ? store_ready(store) : find_study(store);
    if (status != NR_OK || !store->study)
        return status != NR_OK ? status : NR_NOT_FOUND;
    status = database_prepare(&store->database,
                              "SELECT name, identity, configuration, version, device, data_name, data_digest, seed "
                              "FROM studies WHERE study = ?1",
                              &statement);
    if (status != NR_OK)
        return status;
    forget_strings(store);
    status = database_step(&store->database, statement, CELLS(cell_whole(ONLY_STUDY)), doing, &row);
    if (status == NR_OK)
        status = keep_strings(store, statement, STRINGS, 0);
    if (status == NR_OK)
        seed = column_whole(statement, SEED);
    sqlite3_finalize(statement);
    if (status == NR_OK)
        status = read_objectives(store, STRINGS);
    if (status != NR_OK)
        return status;
    char **s = store->string;
    *out = (struct store_study){.name = s[0],
                                .identity = s[1],
                                .configuration = s[2],
                                .version = s[3],
                                .device = s[4],
                                .data_name = s[5],
                                .data_digest = s[6],
                                .seed = seed};
    for (size_t i = 0; i < STORE_MAX_VALUES; i++)
        out->objective[i] = s[STRINGS + i];
    return NR_OK;
}

nr_status store_set_end(struct store *store, const char *reason)
{
    static const char doing[] = "recording the end of the run";
    nr_status status = store_ready(store);
    if (status == NR_OK)
        status = store_change(store, doing);
    if (status != NR_OK)
        return status;
    status = store_step(store, STATEMENT_SET_END,
                        CELLS(cell_whole(store->study), cell_string(reason), cell_real(clock_wall())), doing, NULL);
    return store_changed(store, status, doing);
}

nr_status store_set_elapsed(struct store *store, double seconds)
{
    static const char doing[] = "recording the time spent";
    nr_status status = store_ready(store);
    if (status == NR_OK)
        status = store_change(store, doing);
    if (status != NR_OK)
        return status;
    store_run_clock(store, seconds);
    return store_changed(store, NR_OK, doing);
}

nr_status store_elapsed(struct store *store, double *out)
{
    bool row;
    nr_status status = store_ready(store);
    if (status == NR_OK)
        status = store_step(store, STATEMENT_ELAPSED, CELLS(cell_whole(store->study)), "reading the time spent", &row);
    if (status != NR_OK)
        return status;
    *out = column_real(store->statement[STATEMENT_ELAPSED], 0);
    sqlite3_reset(store->statement[STATEMENT_ELAPSED]);
    return NR_OK;
}

nr_status store_set_configuration(struct store *store, const char *configuration)
{
    static const char doing[] = "recording the configuration";
    nr_status status = store_ready(store);
    if (status == NR_OK)
        status = store_change(store, doing);
    if (status != NR_OK)
        return status;
    status = store_step(store, STATEMENT_SET_CONFIGURATION, CELLS(cell_whole(store->study), cell_string(configuration)),
                        doing, NULL);
    return store_changed(store, status, doing);
}

const char *store_end(struct store *store)
{
    bool row = false;
    free(store->end);
    store->end = NULL;
    if (store_ready(store) != NR_OK)
        return "";
    nr_status status =
        store_step(store, STATEMENT_END, CELLS(cell_whole(store->study)), "reading why the run ended", &row);
    if (status == NR_OK && row)
        store->end = mem_copy_string(column_string(store->statement[STATEMENT_END], 0));
    if (store->statement[STATEMENT_END])
        sqlite3_reset(store->statement[STATEMENT_END]);
    return store->end ? store->end : "";
}

/* The whole number that a statement about the study gives. */
static nr_status read_whole(struct store *store, enum statement which, const char *doing, int64_t *out)
{
    bool row;
    nr_status status = store_ready(store);
    if (status == NR_OK)
        status = store_step(store, which, CELLS(cell_whole(store->study)), doing, &row);
    if (status != NR_OK)
        return status;
    *out = column_whole(store->statement[which], 0);
    sqlite3_reset(store->statement[which]);
    return NR_OK;
}

nr_status store_version(struct store *store, int64_t *out)
{
    return read_whole(store, STATEMENT_VERSION, "reading the version", out);
}

nr_status store_newest_event(struct store *store, int64_t *out)
{
    return read_whole(store, STATEMENT_NEWEST, "reading the events", out);
}

nr_status store_count(struct store *store, int64_t *out)
{
    return read_whole(store, STATEMENT_COUNT, "counting the trials", out);
}
