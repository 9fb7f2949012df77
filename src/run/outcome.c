/* What workers report, and what follows from it: records, retries, kept weights, tables. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "report/listing.h"
#include "report/phrase.h"
#include "run/files.h"
#include "run/replay.h"
#include "run/state.h"

static struct record *record_of(struct search *search, int64_t trial)
{
    return trial >= 1 && trial <= (int64_t)search->results.count ? &search->results.record[trial - 1] : NULL;
}

static void remove_file(char *path)
{
    if (path)
        unlink(path); /* already gone is as good */
    free(path);
}

nr_status search_keep_files(struct search *search, int64_t trial)
{
    if (mem_grow(&search->kept, &search->kept_capacity, search->kepts + 1, sizeof *search->kept) != NR_OK)
        return log_no_memory(search->log, "keeping weights");
    search->kept[search->kepts++] = trial;
    return NR_OK;
}

void search_prune_files(struct search *search)
{
    const struct results *results = &search->results;
    size_t members = 0, left = 0, *front = mem_array(results->count, sizeof *front);
    if (front && results_front(results, front, &members) == NR_OK) {
        for (size_t i = 0; i < search->kepts; i++) {
            bool on_front = false;
            for (size_t j = 0; j < members; j++)
                on_front |= results->record[front[j]].trial == search->kept[i];
            if (on_front)
                search->kept[left++] = search->kept[i];
            else
                remove_file(files_weights(search->folder, search->kept[i]));
        }
        search->kepts = left;
    }
    free(front);
}

nr_status search_on_epoch(struct search *search, struct pool_worker *worker, const json_t *message)
{
    struct store_epoch epoch = {.trial = channel_get_int(message, "trial"),
                                .epoch = channel_get_int(message, "epoch"),
                                .train_loss = channel_get_real(message, "train_loss"),
                                .validation_loss = channel_get_real(message, "validation_loss"),
                                .validation_accuracy = channel_get_real(message, "validation_accuracy"),
                                .learning_rate = channel_get_real(message, "learning_rate"),
                                .seconds = channel_get_real(message, "seconds")};
    struct record *record = record_of(search, epoch.trial);
    if (!record)
        return NR_OK;
    epoch.attempt = record->attempt;
    if (epoch.epoch > record->epochs) { /* a resumed trial reports its last finished epoch again */
        record->epochs = epoch.epoch;
        record->seconds += isnan(epoch.seconds) ? 0 : epoch.seconds;
        worker->losses = 0;
    }
    record->accuracy = epoch.validation_accuracy;
    return store_record_epoch(search->store, &epoch);
}

/* The objectives' values: exact ones are known since the suggestion, trained ones come with the message. */
static void take_values(const struct search *search, const json_t *message, double *value)
{
    bool best = study_choice(search->study, KEY_REPORT, NULL) == 1;
    for (size_t i = 0; i < study_values(search->study); i++) {
        char key[64];
        if (!study_value_is_told(search->study, i))
            continue;
        snprintf(key, sizeof key, "%s%s", best ? "best_" : "", study_value_name(search->study, i));
        value[i] = channel_get_real(message, key);
    }
}

static nr_status fail_trial(struct search *search, struct record *record, const char *cause)
{
    char *copy = mem_copy_string(cause);
    if (!copy)
        return log_no_memory(search->log, "recording a failed trial");
    free(record->cause);
    record->cause = copy;
    record->status = TRIAL_FAILED;
    record->ended = clock_wall();
    log_info(search->log, "trial %lld failed: %s", (long long)record->trial, cause);
    nr_status status = optimizer_fail(search->optimizer, record->trial);
    if (status == NR_OK)
        status = store_finish(search->store, record->trial, TRIAL_FAILED, cause, record->value, record->seconds);
    return status;
}

static void log_done(const struct search *search, const struct record *record)
{
    struct text values = {0};
    phrase_append_values(&values, search->study, record->value);
    log_info(search->log, "trial %lld done in %.2f s: %s", (long long)record->trial, record->seconds,
             values.data ? values.data : "");
    text_clear(&values);
}

static nr_status finish_trial(struct search *search, struct record *record, const json_t *message)
{
    take_values(search, message, record->value);
    for (size_t i = 0; i < study_values(search->study); i++)
        if (isnan(record->value[i]))
            return fail_trial(search, record, "an objective is not a number");
    struct optim_result result =
        replay_result(search->study, search->preparation.split->validations, record->value, record->seconds);
    nr_status status = store_finish(search->store, record->trial, TRIAL_DONE, "", record->value, record->seconds);
    if (status == NR_OK)
        status = optimizer_tell(search->optimizer, record->trial, &result);
    if (status != NR_OK)
        return status;
    record->status = TRIAL_DONE;
    record->ended = clock_wall();
    log_done(search, record);
    return NR_OK;
}

/* Once more on another worker, from its last checkpoint; a trial that keeps losing its worker has failed. */
static nr_status retry(struct search *search, struct record *record, const char *cause)
{
    if (record->attempt >= SEARCH_MOST_ATTEMPTS) {
        char text[512];
        snprintf(text, sizeof text, "%s (%d attempts)", cause, SEARCH_MOST_ATTEMPTS);
        return fail_trial(search, record, text);
    }
    log_warning(search->log, "trial %lld: %s; it goes on from its last checkpoint", (long long)record->trial, cause);
    record->attempt++;
    record->status = TRIAL_QUEUED;
    nr_status status = store_requeue(search->store, record->trial);
    return status == NR_OK ? search_wait_for(search, record->trial) : status;
}

/* After the outcome was recorded: what follows from it when the trial has ended. The checkpoint goes last of what a
 * kill could leave behind, so that a trial whose end is not on record still has it. */
static nr_status settle(struct search *search, const struct record *record)
{
    if (record->status != TRIAL_DONE && record->status != TRIAL_FAILED)
        return NR_OK; /* it goes on */
    remove_file(files_checkpoint(search->folder, record->trial));
    nr_status status = record->status == TRIAL_DONE ? search_keep_files(search, record->trial) : NR_OK;
    if (status != NR_OK)
        return status;
    search_prune_files(search);
    search_show_end(search, record);
    return search_write_tables(search, false);
}

/* A trial that was told to stop. When the search was not, a signal met the worker alone: the trial goes on elsewhere.
 */
static nr_status requeue(struct search *search, struct record *record)
{
    record->status = TRIAL_QUEUED;
    nr_status status = store_requeue(search->store, record->trial);
    return status == NR_OK && !search->stopping ? search_wait_for(search, record->trial) : status;
}

nr_status search_on_end(struct search *search, const json_t *message)
{
    struct record *record = record_of(search, channel_get_int(message, "trial"));
    const char *cause = channel_get_text(message, "cause");
    if (!record || record->status != TRIAL_RUNNING)
        return NR_OK;
    nr_status ended = (nr_status)channel_get_int(message, "status"), status;
    switch (ended) {
    case NR_OK:
        status = finish_trial(search, record, message);
        break;
    case NR_INTERRUPTED:
        return requeue(search, record);
    case NR_NO_MEMORY: /* that others hold now, other programs too, unless a second attempt was alone */
        if (json_is_true(json_object_get(message, "alone")) && search->devices.gpus &&
            (record->attempt > 1 || search->devices.ranks > 1))
            status = fail_trial(search, record, cause);
        else
            status = retry(search, record, *cause ? cause : "out of memory");
        break;
    case NR_DIVERGED:
    case NR_INFEASIBLE:
        status = fail_trial(search, record, cause);
        break;
    default: /* a folder or the device: nothing that another trial would survive */
        log_error(search->log, "trial %lld: %s", (long long)record->trial, *cause ? cause : status_text(ended));
        status = store_requeue(search->store, record->trial);
        record->status = TRIAL_QUEUED;
        return status == NR_OK ? ended : status;
    }
    return status == NR_OK ? settle(search, record) : status;
}

/* An attempt is counted against the trial that the worker named, or against all that it had when it named none. */
static nr_status lose_trial(struct search *search, const struct pool_loss *loss, struct record *record)
{
    char cause[448];
    if (search->stopping) /* it went with the interrupt: an attempt is not lost by that */
        return requeue(search, record);
    if (loss->failed_trial && loss->failed_trial != record->trial) {
        log_info(search->log, "trial %lld was trained beside it; it goes on from its last checkpoint",
                 (long long)record->trial);
        return requeue(search, record);
    }
    snprintf(cause, sizeof cause, "its worker was lost: %s", loss->how);
    nr_status status = retry(search, record, cause);
    return status == NR_OK ? settle(search, record) : status;
}

nr_status search_on_lost(struct search *search, const struct pool_loss *loss)
{
    nr_status status = NR_OK;
    for (size_t i = 0; i < loss->trials && status == NR_OK; i++) {
        struct record *record = record_of(search, loss->trial[i]);
        if (record && record->status == TRIAL_RUNNING)
            status = lose_trial(search, loss, record);
    }
    return status;
}

nr_status search_write_tables(struct search *search, bool now)
{
    if (!now && clock_monotonic() - search->wrote_csv < 1)
        return NR_OK;
    struct front front;
    nr_status status = front_compute(&search->results, search->log, &front);
    if (status != NR_OK)
        return status;
    search->wrote_csv = clock_monotonic();
    status = listing_write_files(&search->results, &front, search->folder, search->log);
    front_clear(&front);
    return status;
}
