/* Reading trials, epochs and the event log. Statements are prepared per reading, so that callbacks may read as well;
 * all of it happens in the snapshot that the outer statement holds. */
#include <math.h>
#include <string.h>

#include "store/store_internal.h"

/* Columns of a trial, read by fill_trial(). A trial's seconds until it has ended are those of its epochs. */
#define TRIAL_COLUMNS                                                                                                  \
    "t.trial, t.state, t.cause, t.point, t.identity, t.network, t.method, t.fit, t.note, t.attempt, "                  \
    "(SELECT count(*) FROM epochs e WHERE e.study = t.study AND e.trial = t.trial), "                                  \
    "CASE WHEN t.ended IS NOT NULL THEN t.seconds ELSE "                                                               \
    "(SELECT total(e.seconds) FROM epochs e WHERE e.study = t.study AND e.trial = t.trial) END, "                      \
    "t.suggested, t.started, t.ended, t.owner"
enum { TRIAL_COLUMN_COUNT = 16 };

/* Values are appended with events, so that the newest of each objective counts; ?3 is the newest event looked at. */
static const char values_sql[] =
    "SELECT v.objective, v.value FROM events e JOIN objective_values v ON v.event = e.number "
    "WHERE e.study = ?1 AND e.trial = ?2 AND e.number <= ?3 ORDER BY e.number";

static enum trial_status state_named(const char *name)
{
    enum trial_status state = TRIAL_QUEUED;
    for (enum trial_status s = 0; s < TRIAL_STATES; s++)
        if (!strcmp(name, trial_status_name(s)))
            state = s;
    return state;
}

static void fill_trial(sqlite3_stmt *row, struct store_trial *trial)
{
    *trial = (struct store_trial){
        .trial = column_whole(row, 0),
        .status = state_named(column_string(row, 1)), /* the table checks that it is one of them */
        .cause = column_string(row, 2),
        .point = column_string(row, 3),
        .identity = column_string(row, 4),
        .summary = column_string(row, 5),
        .method = column_string(row, 6),
        .fit = column_string(row, 7),
        .note = column_string(row, 8),
        .attempt = column_whole(row, 9),
        .epochs = column_whole(row, 10),
        .seconds = column_real(row, 11),
        .suggested = column_real(row, 12),
        .started = column_real(row, 13),
        .ended = column_real(row, 14),
        .owner = column_string(row, 15),
    };
    for (size_t i = 0; i < STORE_MAX_VALUES; i++)
        trial->value[i] = NAN;
}

static nr_status fill_values(struct store *store, sqlite3_stmt *statement, int64_t last_event,
                             struct store_trial *trial)
{
    static const char doing[] = "reading values";
    bool row;
    nr_status status =
        database_step(&store->database, statement,
                      CELLS(cell_whole(store->study), cell_whole(trial->trial), cell_whole(last_event)), doing, &row);
    while (status == NR_OK && row) {
        int64_t objective = column_whole(statement, 0);
        if (objective >= 0 && objective < STORE_MAX_VALUES)
            trial->value[objective] = column_real(statement, 1);
        status = database_next(&store->database, statement, doing, &row);
    }
    sqlite3_reset(statement);
    return status;
}

/* A reading in progress: rows, and beside them the values of each. */
struct reading {
    sqlite3_stmt *rows, *values;
    bool row;
};

static void reading_end(struct reading *reading)
{
    sqlite3_finalize(reading->rows);
    sqlite3_finalize(reading->values);
}

/* ?1 is the study, ?2 and ?3 the arguments. */
static nr_status reading_start(struct store *store, const char *sql, int64_t first, int64_t second, const char *doing,
                               struct reading *out)
{
    *out = (struct reading){0};
    nr_status status = store_ready(store);
    if (status == NR_OK)
        status = database_prepare(&store->database, sql, &out->rows);
    if (status == NR_OK)
        status = database_prepare(&store->database, values_sql, &out->values);
    if (status == NR_OK)
        status =
            database_step(&store->database, out->rows,
                          CELLS(cell_whole(store->study), cell_whole(first), cell_whole(second)), doing, &out->row);
    if (status != NR_OK)
        reading_end(out);
    return status;
}

nr_status store_trials_between(struct store *store, int64_t first, int64_t last, store_on_trial *on_trial,
                               void *context)
{
    static const char doing[] = "reading the trials";
    static const char sql[] =
        "SELECT " TRIAL_COLUMNS " FROM trials t WHERE t.study = ?1 AND t.trial BETWEEN ?2 AND ?3 ORDER BY t.trial";
    struct reading reading;
    struct store_trial trial;
    nr_status status = reading_start(store, sql, first, last, doing, &reading);
    if (status != NR_OK)
        return status;
    while (status == NR_OK && reading.row) {
        fill_trial(reading.rows, &trial);
        status = fill_values(store, reading.values, INT64_MAX, &trial);
        if (status == NR_OK)
            status = on_trial(context, &trial);
        if (status == NR_OK)
            status = database_next(&store->database, reading.rows, doing, &reading.row);
    }
    reading_end(&reading);
    return status;
}

nr_status store_trials(struct store *store, store_on_trial *on_trial, void *context)
{
    return store_trials_between(store, 1, INT64_MAX, on_trial, context);
}

/* As the trial was when it was suggested; what was fixed then stays. */
static void back_to_suggestion(struct store_trial *trial)
{
    trial->status = TRIAL_QUEUED;
    trial->cause = trial->owner = "";
    trial->attempt = 1;
    trial->epochs = 0;
    trial->seconds = 0;
    trial->started = trial->ended = NAN;
}

nr_status store_events(struct store *store, int64_t after, store_on_event *on_event, void *context)
{
    static const char doing[] = "reading the events";
    static const char sql[] = "SELECT " TRIAL_COLUMNS ", v.number, v.kind, v.time FROM events v "
                              "JOIN trials t ON t.study = v.study AND t.trial = v.trial "
                              "WHERE v.study = ?1 AND v.number > ?2 AND v.number <= ?3 ORDER BY v.number";
    struct reading reading;
    struct store_trial trial;
    nr_status status = reading_start(store, sql, after, INT64_MAX, doing, &reading);
    if (status != NR_OK)
        return status;
    while (status == NR_OK && reading.row) {
        struct store_event event = {.number = column_whole(reading.rows, TRIAL_COLUMN_COUNT),
                                    .time = column_real(reading.rows, TRIAL_COLUMN_COUNT + 2)};
        strncpy(event.kind, column_string(reading.rows, TRIAL_COLUMN_COUNT + 1), sizeof event.kind - 1);
        fill_trial(reading.rows, &trial);
        event.trial = trial.trial;
        if (!strcmp(event.kind, "suggest"))
            back_to_suggestion(&trial);
        status = fill_values(store, reading.values, event.number, &trial);
        if (status == NR_OK)
            status = on_event(context, &event, &trial);
        if (status == NR_OK)
            status = database_next(&store->database, reading.rows, doing, &reading.row);
    }
    reading_end(&reading);
    return status;
}

nr_status store_epochs(struct store *store, int64_t trial, store_on_epoch *on_epoch, void *context)
{
    static const char doing[] = "reading the epochs";
    static const char sql[] =
        "SELECT trial, attempt, epoch, train_loss, validation_loss, validation_accuracy, "
        "learning_rate, seconds FROM epochs WHERE study = ?1 AND trial BETWEEN ?2 AND ?3 ORDER BY epoch";
    struct reading reading;
    nr_status status = reading_start(store, sql, trial, trial, doing, &reading);
    if (status != NR_OK)
        return status;
    while (status == NR_OK && reading.row) {
        struct store_epoch epoch = {
            .trial = column_whole(reading.rows, 0),
            .attempt = column_whole(reading.rows, 1),
            .epoch = column_whole(reading.rows, 2),
            .train_loss = column_real(reading.rows, 3),
            .validation_loss = column_real(reading.rows, 4),
            .validation_accuracy = column_real(reading.rows, 5),
            .learning_rate = column_real(reading.rows, 6),
            .seconds = column_real(reading.rows, 7),
        };
        status = on_epoch(context, &epoch);
        if (status == NR_OK)
            status = database_next(&store->database, reading.rows, doing, &reading.row);
    }
    reading_end(&reading);
    return status;
}

nr_status store_test(struct store *store, int64_t trial, double *accuracy, double *loss)
{
    bool row;
    nr_status status = store_ready(store);
    if (status == NR_OK)
        status = store_step(store, STATEMENT_TEST, CELLS(cell_whole(store->study), cell_whole(trial)),
                            "reading a test result", &row);
    if (status != NR_OK)
        return status;
    sqlite3_stmt *statement = store->statement[STATEMENT_TEST];
    *accuracy = row ? column_real(statement, 0) : NAN;
    *loss = row ? column_real(statement, 1) : NAN;
    sqlite3_reset(statement);
    return NR_OK;
}
