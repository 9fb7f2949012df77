#include "report/results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/pareto.h"

static void record_clear(struct record *record)
{
    free(record->cause);
    free(record->owner);
    free(record->point_text);
    free(record->identity);
    free(record->summary);
    free(record->method);
    free(record->fit);
    free(record->note);
    free(record->point);
}

static char *copy(const char *text, bool *complete)
{
    char *copied = mem_copy_string(text ? text : "");
    *complete = *complete && copied;
    return copied;
}

nr_status results_add(struct results *results, const struct store_trial *trial, struct log *log)
{
    const struct space *space = &results->study->space;
    if (trial->trial != (int64_t)results->count + 1) {
        log_error(log, "trial %lld is recorded where trial %zu was expected: the store is damaged",
                  (long long)trial->trial, results->count + 1);
        return NR_STORE;
    }
    if (mem_grow(&results->record, &results->capacity, results->count + 1, sizeof *results->record) != NR_OK)
        return log_no_memory(log, "reading trials");
    bool complete = true;
    struct record record = {.trial = trial->trial,
                            .status = trial->status,
                            .cause = copy(trial->cause, &complete),
                            .owner = copy(trial->owner, &complete),
                            .point_text = copy(trial->point, &complete),
                            .identity = copy(trial->identity, &complete),
                            .summary = copy(trial->summary, &complete),
                            .method = copy(trial->method, &complete),
                            .fit = copy(trial->fit, &complete),
                            .note = copy(trial->note, &complete),
                            .point = mem_array(space->count, sizeof *record.point),
                            .attempt = trial->attempt,
                            .epochs = trial->epochs,
                            .seconds = trial->seconds,
                            .started = trial->started,
                            .ended = trial->ended,
                            .accuracy = NAN};
    memcpy(record.value, trial->value, sizeof record.value);
    nr_status status = complete && record.point ? point_parse(space, record.point_text, log, record.point)
                                                : log_no_memory(log, "reading trials");
    if (status != NR_OK) {
        record_clear(&record);
        return status;
    }
    results->record[results->count++] = record;
    return NR_OK;
}

struct loading {
    struct results *results;
    struct log *log;
};

static nr_status load_trial(void *context, const struct store_trial *trial)
{
    struct loading *loading = context;
    return results_add(loading->results, trial, loading->log);
}

/* A trial that is known already has ended since. */
static nr_status renew_trial(void *context, const struct store_event *event, const struct store_trial *trial)
{
    struct loading *loading = context;
    loading->results->event = event->number;
    if (strcmp(event->kind, "finish") != 0 || trial->trial > (int64_t)loading->results->count)
        return NR_OK;
    struct record *record = &loading->results->record[trial->trial - 1];
    char *cause = mem_copy_string(trial->cause), *owner = mem_copy_string(trial->owner);
    if (!cause || !owner) {
        free(cause);
        free(owner);
        return log_no_memory(loading->log, "reading trials");
    }
    free(record->cause);
    free(record->owner);
    record->cause = cause;
    record->owner = owner;
    record->status = trial->status;
    record->attempt = trial->attempt;
    record->epochs = trial->epochs;
    record->seconds = trial->seconds;
    record->started = trial->started;
    record->ended = trial->ended;
    memcpy(record->value, trial->value, sizeof record->value);
    return NR_OK;
}

nr_status results_follow(struct results *results, struct store *store, struct log *log)
{
    struct loading loading = {results, log};
    int64_t version;
    nr_status status = store_version(store, &version);
    if (status != NR_OK || version == results->version)
        return status;
    if (results->version < 0) /* nothing is known yet: trials are read as they stand, events count from here */
        status = store_newest_event(store, &results->event);
    else
        status = store_events(store, results->event, renew_trial, &loading);
    if (status == NR_OK)
        status = store_trials_between(store, (int64_t)results->count + 1, INT64_MAX, load_trial, &loading);
    if (status == NR_OK)
        results->version = version;
    return status;
}

nr_status results_load(struct store *store, const struct study *study, struct log *log, struct results *out)
{
    struct results results = {.study = study, .version = -1};
    nr_status status = results_follow(&results, store, log);
    if (status != NR_OK) {
        results_clear(&results);
        return status;
    }
    *out = results;
    return NR_OK;
}

void results_clear(struct results *results)
{
    for (size_t i = 0; i < results->count; i++)
        record_clear(&results->record[i]);
    free(results->record);
    *results = (struct results){0};
}

size_t results_count(const struct results *results, enum trial_status status)
{
    size_t count = 0;
    for (size_t i = 0; i < results->count; i++)
        count += results->record[i].status == status;
    return count;
}

nr_status results_front(const struct results *results, size_t *front, size_t *members)
{
    size_t objectives = results->study->objectives, finished = 0;
    double *values = mem_array(results->count * objectives, sizeof *values);
    size_t *index = mem_array(results->count, sizeof *index);
    if (!values || !index) {
        free(values);
        free(index);
        return NR_NO_MEMORY;
    }
    for (size_t i = 0; i < results->count; i++) {
        const struct record *record = &results->record[i];
        if (record->status != TRIAL_DONE || !study_feasible(results->study, record->value))
            continue;
        for (size_t j = 0; j < objectives; j++)
            values[finished * objectives + j] =
                results->study->objective[j].maximize ? record->value[j] : -record->value[j];
        index[finished++] = i;
    }
    *members = pareto_front(values, finished, objectives, front);
    for (size_t i = 0; i < *members; i++)
        front[i] = index[front[i]];
    free(index);
    free(values);
    return NR_OK;
}
