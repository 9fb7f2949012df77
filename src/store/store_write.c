/* The life of trials. Every call is one short transaction; the state that it starts from is checked inside of it. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "store/store_internal.h"

/* The trial's state; NR_NOT_FOUND when there is no such trial. */
static nr_status find_state(struct store *store, int64_t trial, enum trial_status *out)
{
    bool row;
    nr_status status = store_step(store, STATEMENT_STATE, CELLS(cell_whole(store->study), cell_whole(trial)),
                                  "looking for a trial", &row);
    if (status != NR_OK)
        return status;
    sqlite3_stmt *statement = store->statement[STATEMENT_STATE];
    status = NR_NOT_FOUND;
    for (enum trial_status s = 0; row && s < TRIAL_STATES; s++) {
        if (!strcmp(column_string(statement, 0), trial_status_name(s))) {
            *out = s;
            status = NR_OK;
        }
    }
    sqlite3_reset(statement);
    return status;
}

/* The trial is in one of the states (a set of bits); logs what it is otherwise. */
static nr_status expect_state(struct store *store, int64_t trial, unsigned allowed, const char *doing)
{
    enum trial_status state;
    nr_status status = find_state(store, trial, &state);
    if (status == NR_NOT_FOUND)
        log_error(store->log, "%s: %s: there is no trial %" PRId64, store->database.path, doing, trial);
    if (status != NR_OK || (allowed & 1u << state))
        return status;
    log_error(store->log, "%s: %s: trial %" PRId64 " is %s already", store->database.path, doing, trial,
              trial_status_name(state));
    return NR_INVALID;
}

/* Appends an event with the values that became known with it. */
static nr_status append_event(struct store *store, int64_t trial, const char *kind, const double *value,
                              const char *doing)
{
    nr_status status = store_step(
        store, STATEMENT_EVENT,
        CELLS(cell_whole(store->study), cell_whole(trial), cell_string(kind), cell_real(clock_wall())), doing, NULL);
    int64_t event = sqlite3_last_insert_rowid(store->database.connection);
    for (size_t i = 0; status == NR_OK && value && i < store->objectives; i++)
        if (!isnan(value[i]))
            status = store_step(store, STATEMENT_VALUE,
                                CELLS(cell_whole(event), cell_whole((int64_t)i), cell_real(value[i])), doing, NULL);
    return status;
}

static nr_status insert_trial(struct store *store, const struct store_trial *trial, const char *doing)
{
    enum trial_status state;
    nr_status status = find_state(store, trial->trial, &state);
    if (status == NR_OK) {
        log_error(store->log, "%s: %s: there is a trial %" PRId64 " already", store->database.path, doing,
                  trial->trial);
        return NR_INVALID;
    }
    if (status != NR_NOT_FOUND)
        return status;
    status = store_step(store, STATEMENT_SUGGEST,
                        CELLS(cell_whole(store->study), cell_whole(trial->trial), cell_string(trial->point),
                              cell_string(trial->identity), cell_string(trial->summary), cell_string(trial->method),
                              cell_string(trial->fit), cell_string(trial->note), cell_real(clock_wall())),
                        doing, NULL);
    return status == NR_OK ? append_event(store, trial->trial, "suggest", trial->value, doing) : status;
}

nr_status store_suggest(struct store *store, const struct store_trial *trial)
{
    static const char doing[] = "recording a suggestion";
    nr_status status = store_ready(store);
    if (status == NR_OK)
        status = store_change(store, doing);
    if (status != NR_OK)
        return status;
    return store_changed(store, insert_trial(store, trial, doing), doing);
}

nr_status store_start(struct store *store, int64_t trial, int64_t attempt, const char *owner)
{
    static const char doing[] = "recording the start of a trial";
    nr_status status = store_ready(store);
    if (status == NR_OK)
        status = store_change(store, doing);
    if (status != NR_OK)
        return status;
    status = expect_state(store, trial, 1u << TRIAL_QUEUED, doing);
    if (status == NR_OK)
        status = store_step(store, STATEMENT_START,
                            CELLS(cell_whole(store->study), cell_whole(trial), cell_whole(attempt), cell_string(owner),
                                  cell_real(clock_wall())),
                            doing, NULL);
    return store_changed(store, status, doing);
}

static nr_status insert_epoch(struct store *store, const struct store_epoch *epoch, const char *doing)
{
    nr_status status = store_change(store, doing);
    if (status != NR_OK)
        return status;
    status = expect_state(store, epoch->trial, 1u << TRIAL_RUNNING, doing);
    if (status == NR_OK)
        status = store_step(store, STATEMENT_EPOCH,
                            CELLS(cell_whole(store->study), cell_whole(epoch->trial), cell_whole(epoch->epoch),
                                  cell_whole(epoch->attempt), cell_real(epoch->train_loss),
                                  cell_real(epoch->validation_loss), cell_real(epoch->validation_accuracy),
                                  cell_real(epoch->learning_rate), cell_real(epoch->seconds)),
                            doing, NULL);
    return store_changed(store, status, doing);
}

/* Epochs come often and are lost only with the power, when they would be trained again anyway: they do not wait for the
 * disk. The next commit of another kind writes them out with itself, since a WAL is synchronised as a whole: a finished
 * trial never lacks an epoch. */
nr_status store_record_epoch(struct store *store, const struct store_epoch *epoch)
{
    static const char doing[] = "recording an epoch";
    nr_status status = store_ready(store);
    if (status == NR_OK)
        status = database_synchronous(&store->database, false);
    if (status != NR_OK)
        return status;
    status = insert_epoch(store, epoch, doing);
    nr_status restored = database_synchronous(&store->database, !store->behind);
    return status != NR_OK ? status : restored;
}

nr_status store_finish(struct store *store, int64_t trial, enum trial_status state, const char *cause,
                       const double *value, double seconds)
{
    static const char doing[] = "recording the end of a trial";
    if (state != TRIAL_DONE && state != TRIAL_STOPPED && state != TRIAL_FAILED) {
        log_error(store->log, "%s: trial %" PRId64 " cannot end as \"%s\"", store->database.path, trial,
                  trial_status_name(state));
        return NR_INVALID;
    }
    nr_status status = store_ready(store);
    if (status == NR_OK)
        status = store_change(store, doing);
    if (status != NR_OK)
        return status;
    status = expect_state(store, trial, 1u << TRIAL_RUNNING | 1u << TRIAL_QUEUED, doing);
    if (status == NR_OK)
        status = store_step(store, STATEMENT_FINISH,
                            CELLS(cell_whole(store->study), cell_whole(trial), cell_string(trial_status_name(state)),
                                  cell_string(cause), cell_real(seconds), cell_real(clock_wall())),
                            doing, NULL);
    if (status == NR_OK)
        status = append_event(store, trial, "finish", value, doing);
    return store_changed(store, status, doing);
}

nr_status store_requeue(struct store *store, int64_t trial)
{
    static const char doing[] = "giving a trial back";
    nr_status status = store_ready(store);
    if (status == NR_OK)
        status = store_change(store, doing);
    if (status != NR_OK)
        return status;
    status = expect_state(store, trial, 1u << TRIAL_RUNNING | 1u << TRIAL_QUEUED, doing);
    if (status == NR_OK)
        status = store_step(store, STATEMENT_REQUEUE, CELLS(cell_whole(store->study), cell_whole(trial)), doing, NULL);
    return store_changed(store, status, doing);
}

nr_status store_record_test(struct store *store, int64_t trial, double accuracy, double loss)
{
    static const char doing[] = "recording a test result";
    enum trial_status state;
    nr_status status = store_ready(store);
    if (status == NR_OK)
        status = store_change(store, doing);
    if (status != NR_OK)
        return status;
    status = find_state(store, trial, &state);
    if (status == NR_NOT_FOUND)
        log_error(store->log, "%s: %s: there is no trial %" PRId64, store->database.path, doing, trial);
    if (status == NR_OK)
        status = store_step(store, STATEMENT_SET_TEST,
                            CELLS(cell_whole(store->study), cell_whole(trial), cell_real(accuracy), cell_real(loss),
                                  cell_real(clock_wall())),
                            doing, NULL);
    return store_changed(store, status, doing);
}
