/* Free lanes get trials: ones that wait, or new ones from the optimiser. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "run/candidate.h"
#include "run/state.h"

/* Asks the optimiser for one more trial and records it; NR_EXHAUSTED when there is none. */
static nr_status suggest(struct search *search, int64_t *trial)
{
    struct suggestion suggestion;
    struct candidate candidate;
    int64_t number = (int64_t)search->results.count + 1;
    double start = clock_monotonic();
    nr_status status = optimizer_suggest(search->optimizer, number, &suggestion);
    search->suggesting += clock_monotonic() - start;
    if (status == NR_OK)
        status = candidate_create(&search->preparation.problem, suggestion.point, NULL, search->log, &candidate);
    if (status != NR_OK)
        return status;
    struct store_trial row = candidate_trial(&candidate, number, suggestion.method, suggestion.fit, suggestion.note);
    status = store_suggest(search->store, &row);
    if (status == NR_OK)
        status = results_add(&search->results, &row, search->log);
    *trial = number;
    candidate_clear(&candidate);
    return status;
}

/* "process 4711, device 0, lane 3, NVIDIA H100 80GB HBM3, ..." */
static void describe_place(const struct pool_place *place, char *out, size_t size)
{
    const struct pool_worker *worker = place->worker;
    int length = snprintf(out, size, "process %ld, ", (long)worker->process);
    if (worker->gpu && length > 0 && (size_t)length < size)
        length +=
            snprintf(out + length, size - (size_t)length, "device %d, lane %d, ", worker->gpu->number, place->lane);
    if (length > 0 && (size_t)length < size)
        snprintf(out + length, size - (size_t)length, "%s", worker->device);
}

/* The last attempt of a trial is made alone: whether it is the one that costs the workers is known after that. */
static nr_status start_trial(struct search *search, struct pool_place place, int64_t trial)
{
    struct record *record = &search->results.record[trial - 1];
    char owner[192];
    describe_place(&place, owner, sizeof owner);
    nr_status status = store_start(search->store, trial, record->attempt, owner);
    if (status != NR_OK)
        return status;
    record->status = TRIAL_RUNNING;
    if (isnan(record->started))
        record->started = clock_wall();
    log_info(search->log, "trial %lld starts on %s: %s (%s)", (long long)trial, owner, record->point_text,
             record->method);
    pool_train(&search->pool, place, trial, record->point_text, record->attempt >= SEARCH_MOST_ATTEMPTS);
    return NR_OK;
}

nr_status search_assign(struct search *search)
{
    int64_t most = study_int(search->study, KEY_TRIALS, NULL);
    struct pool_place place;
    while (!search->stopping && pool_idle(&search->pool, &place)) {
        int64_t trial;
        if (search->waitings) {
            trial = search->waiting[0];
            memmove(search->waiting, search->waiting + 1, --search->waitings * sizeof *search->waiting);
        } else if ((int64_t)search->results.count < most && !search->exhausted) {
            nr_status status = suggest(search, &trial);
            if (status == NR_EXHAUSTED) {
                search->exhausted = true;
                return NR_OK;
            }
            if (status != NR_OK)
                return status;
        } else {
            return NR_OK;
        }
        nr_status status = start_trial(search, place, trial);
        if (status != NR_OK)
            return status;
    }
    return NR_OK;
}
