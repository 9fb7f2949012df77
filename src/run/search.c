#include "run/search.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "run/files.h"
#include "run/interrupt.h"
#include "run/recorded.h"
#include "run/replay.h"
#include "run/session.h"
#include "run/state.h"

enum { REFRESH_MS = 200, STOP_PATIENCE_S = 20, FAILURES_LOOKED_AT = 10 };
static const double most_failures = 0.8; /* of the ended trials: more than that is no search */

const char *search_end_name(enum search_end end)
{
    static const char *const names[] = {
#define X(name, word, text) word,
        SEARCH_END_LIST(X)
#undef X
    };
    return names[end];
}

const char *search_end_text(enum search_end end)
{
    static const char *const texts[] = {
#define X(name, word, text) text,
        SEARCH_END_LIST(X)
#undef X
    };
    return texts[end];
}

double search_elapsed(const struct search *search)
{
    return search->spent + (clock_monotonic() - search->began);
}

nr_status search_wait_for(struct search *search, int64_t trial)
{
    if (mem_grow(&search->waiting, &search->waiting_capacity, search->waitings + 1, sizeof *search->waiting) != NR_OK)
        return log_no_memory(search->log, "queueing a trial");
    search->waiting[search->waitings++] = trial;
    return NR_OK;
}

/* Workers stop at their next step and keep their checkpoints; the loop ends when the last has answered. */
static void stop(struct search *search, enum search_end why)
{
    if (search->stopping)
        return;
    search->end = why;
    search->stopping = true;
    search->stop_asked = clock_monotonic();
    pool_stop(&search->pool);
}

static nr_status on_message(void *context, struct pool_worker *worker, const json_t *message)
{
    struct search *search = context;
    const char *type = channel_get_text(message, "type");
    if (!strcmp(type, "epoch"))
        return search_on_epoch(search, worker, message);
    if (!strcmp(type, "end"))
        return search_on_end(search, message);
    return NR_OK;
}

static nr_status on_gone(void *context, const struct pool_loss *loss)
{
    struct search *search = context;
    if (!search->stopping && loss->failed_trial)
        log_warning(search->log, "%s was lost with trial %" PRId64 ": %s", loss->who, loss->failed_trial, loss->how);
    else if (!search->stopping)
        log_warning(search->log, "%s %s", loss->who, loss->how);
    return search_on_lost(search, loss);
}

static void on_signal(void *context)
{
    struct search *search = context;
    if (search->stopping)
        search->stop_asked = clock_monotonic() - STOP_PATIENCE_S; /* the second time: at once */
    stop(search, SEARCH_INTERRUPTED);
}

static bool too_many_failures(const struct search *search)
{
    size_t failed = results_count(&search->results, TRIAL_FAILED);
    size_t ended = failed + results_count(&search->results, TRIAL_DONE);
    return ended >= FAILURES_LOOKED_AT && (double)failed > most_failures * (double)ended;
}

/* Whether nothing is left to do though nobody stops the search; sets why. */
static bool finished(struct search *search)
{
    int64_t most = study_int(search->study, KEY_TRIALS, NULL);
    if (search->waitings || pool_busy(&search->pool))
        return false;
    if ((int64_t)search->results.count >= most)
        search->end = SEARCH_TRIALS;
    else if (search->exhausted)
        search->end = SEARCH_EXHAUSTED;
    else
        return false;
    return true;
}

static nr_status loop(struct search *search, int signals)
{
    const struct pool_events events = {.message = on_message, .gone = on_gone, .signal = on_signal, .context = search};
    double most_time = study_real(search->study, KEY_MAX_TIME, NULL);
    for (;;) {
        nr_status status = search->stopping ? NR_OK : pool_fill(&search->pool);
        if (status == NR_OK)
            status = search_assign(search);
        if (status != NR_OK)
            return status;
        if (search->stopping && (!pool_busy(&search->pool) || clock_monotonic() - search->stop_asked > STOP_PATIENCE_S))
            return NR_OK;
        if (!search->stopping && finished(search))
            return NR_OK;
        status = pool_receive(&search->pool, signals, REFRESH_MS, &events);
        if (status != NR_OK)
            return status;
        if (most_time > 0 && search_elapsed(search) >= most_time)
            stop(search, SEARCH_TIME);
        if (too_many_failures(search))
            stop(search, SEARCH_FAILURES);
        search_show_progress(search);
    }
}

/* Trials that a run would go on with: not those that somebody else was given. */
static size_t count_unfinished(const struct results *results)
{
    size_t count = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct record *record = &results->record[i];
        count +=
            (record->status == TRIAL_QUEUED || record->status == TRIAL_RUNNING) && !session_is_asker(record->owner);
    }
    return count;
}

/* Whether there is nothing left to do for a study that was run before. One that was killed between its last trial and
 * its end still lacks its tables. */
static bool complete(const struct search *search, const char *end)
{
    if (!*end)
        return false;
    size_t unfinished = count_unfinished(&search->results);
    double most_time = study_real(search->study, KEY_MAX_TIME, NULL);
    if (unfinished == 0 && (int64_t)search->results.count >= study_int(search->study, KEY_TRIALS, NULL))
        return true;
    if (unfinished == 0 && !strcmp(end, search_end_name(SEARCH_EXHAUSTED)))
        return true;
    return !strcmp(end, search_end_name(SEARCH_TIME)) && most_time > 0 && search->spent >= most_time;
}

static enum search_end end_by_name(const char *name)
{
    for (enum search_end end = 0; end < SEARCH_ENDS; end++)
        if (!strcmp(name, search_end_name(end)))
            return end;
    return SEARCH_TRIALS;
}

/* A finished study said again prints its result, without data, workers or a single write. */
static nr_status show_if_complete(struct search *search, bool *shown)
{
    struct store_study recorded;
    struct store *store = NULL;
    char *path = file_join(search->folder, STUDY_DATABASE);
    if (!path)
        return log_no_memory(search->log, search->folder);
    nr_status status = file_exists(path) ? store_open(path, true, search->log, &store) : NR_NOT_FOUND;
    free(path);
    if (status == NR_OK)
        status = store_study(store, &recorded);
    if (status == NR_OK)
        status = recorded_compare(search->study, &recorded, search->folder, search->log);
    if (status == NR_OK)
        status = results_load(store, search->study, search->log, &search->results);
    if (status == NR_OK)
        status = store_elapsed(store, &search->spent);
    if (status == NR_OK && complete(search, store_end(store))) {
        search->end = end_by_name(store_end(store));
        *shown = true;
    } else {
        results_clear(&search->results);
        search->results.study = search->study;
    }
    store_close(store);
    return status == NR_NOT_FOUND ? NR_OK : status;
}

/* --fresh: an old run is kept beside. Only a study is moved, whatever else a mistyped --out may name, and only one that
 * nobody runs: its driver would go on in the folder of the new one. */
static nr_status move_old_run(const struct search *search)
{
    char *moved, *database = file_join(search->folder, STUDY_DATABASE);
    if (!database)
        return log_no_memory(search->log, search->folder);
    bool exists = file_exists(database);
    int64_t holder = exists ? store_holder_of(database) : 0;
    free(database);
    if (!exists)
        return NR_OK;
    if (holder) {
        log_error(search->log, "%s: another nasrun (process %" PRId64 ") is running this study; stop it before --fresh",
                  search->folder, holder);
        return NR_INVALID;
    }
    nr_status status = files_move_aside(search->folder, search->log, &moved);
    if (status != NR_OK)
        return status;
    if (!search->options->quiet)
        fprintf(search->options->out, "%s: the old run was moved to %s\n", search->folder, moved);
    free(moved);
    return NR_OK;
}

/* The folder, the store in it and the lock. */
static nr_status open_folder(struct search *search)
{
    nr_status status = search->options->fresh ? move_old_run(search) : NR_OK;
    static const char *const parts[] = {"", "checkpoints", "weights"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts && status == NR_OK; i++) {
        char *part = file_join(search->folder, parts[i]);
        status = part ? file_make_folder(part, search->log) : log_no_memory(search->log, search->folder);
        free(part);
    }
    char *path = file_join(search->folder, STUDY_DATABASE);
    if (status == NR_OK)
        status =
            path ? store_open(path, false, search->log, &search->store) : log_no_memory(search->log, search->folder);
    if (status == NR_OK)
        status = store_lock(search->store);
    free(path);
    return status;
}

/* What fails at the start is input: nothing has been trained yet, and saying it again would not help. */
static nr_status at_start(nr_status status)
{
    return status == NR_IO || status == NR_STORE ? NR_INVALID : status;
}

/* No more than there are trials for. */
static size_t workers(const struct search *search)
{
    size_t ranks = (size_t)search->devices.ranks, groups = search->devices.workers / ranks;
    int64_t left = study_int(search->study, KEY_TRIALS, NULL) - (int64_t)search->results.count;
    left += (int64_t)search->waitings;
    return ranks * ((int64_t)groups < left ? groups : left > 0 ? (size_t)left : 1);
}

static void record_elapsed(struct search *search)
{
    if (store_set_elapsed(search->store, search_elapsed(search)) != NR_OK)
        log_warning(search->log, "the time spent could not be recorded");
}

static void hide_progress(void *context)
{
    struct search *search = context;
    progress_hide(search->progress);
}

static nr_status train_all(struct search *search)
{
    char *configuration = files_render_configuration(search->study);
    char *log_path = file_join(search->folder, STUDY_LOG);
    nr_status status = configuration && log_path ? log_add_file(search->log, log_path)
                                                 : log_no_memory(search->log, "starting workers");
    search->devices.workers = workers(search);
    const struct pool_setup pool = {.devices = &search->devices,
                                    .program = search->options->program,
                                    .log_path = log_path,
                                    .configuration = configuration,
                                    .folder = search->folder,
                                    .data = search->preparation.dataset->descriptor,
                                    .patience = study_real(search->study, KEY_PATIENCE, NULL),
                                    .log = search->log};
    if (status == NR_OK)
        status = pool_create(&pool, &search->pool);
    if (status == NR_OK)
        status = store_set_end(search->store, "");
    if (status == NR_OK) {
        int signals = interrupt_open();
        search_announce(search);
        status = progress_create(search->options->out, NULL, search->options->quiet, &search->progress);
        if (status == NR_OK) {
            log_before_console(search->log, hide_progress, search);
            status = loop(search, signals);
            hide_progress(search);
            log_before_console(search->log, NULL, NULL);
        }
        pool_clear(&search->pool);
        close(signals);
    }
    record_elapsed(search);
    free(log_path);
    free(configuration);
    return status;
}

static nr_status finish(struct search *search)
{
    nr_status status = search_write_tables(search, true);
    if (status == NR_OK) /* last: a study without it has its tables written again by the next run */
        status = store_set_end(search->store, search_end_name(search->end));
    log_info(search->log, "ended: %s; %zu trials done, %zu failed; %.1f s, of which the optimiser took %.3f s",
             search_end_text(search->end), results_count(&search->results, TRIAL_DONE),
             results_count(&search->results, TRIAL_FAILED), clock_monotonic() - search->began, search->suggesting);
    return status;
}

static nr_status verdict(const struct search *search)
{
    if (search->end == SEARCH_INTERRUPTED)
        return NR_INTERRUPTED;
    if (search->end == SEARCH_FAILURES || results_count(&search->results, TRIAL_DONE) == 0)
        return NR_NO_RESULT;
    return NR_OK;
}

static nr_status run(struct search *search)
{
    bool shown = false;
    nr_status status = preparation_require_training(search->study, search->log);
    if (status == NR_OK)
        status = template_check(search->study, search->log);
    if (status == NR_OK)
        status = recorded_check(search->study, search->log);
    if (status == NR_OK && !search->options->fresh)
        status = show_if_complete(search, &shown);
    if (status != NR_OK)
        return at_start(status);
    if (!shown) {
        study_warn_idle(search->study, search->log);
        status = preparation_create(search->study, search->log, &search->preparation);
        if (status == NR_OK)
            status = devices_choose(search->study, &search->preparation, search->options->program, search->log,
                                    &search->devices);
        if (status == NR_OK)
            status = open_folder(search);
        status = at_start(status);
        if (status == NR_OK)
            status = replay_create_optimizer(&search->preparation.problem, search->log, &search->optimizer);
        if (status == NR_OK)
            status = search_restore(search);
        if (status == NR_OK)
            status = train_all(search);
        if (status == NR_OK)
            status = finish(search);
    }
    if (status == NR_OK)
        status = search_summarise(search);
    return status == NR_OK ? verdict(search) : status;
}

nr_status search_run(const struct study *study, const struct search_options *options)
{
    struct search search = {.study = study,
                            .options = options,
                            .log = options->log,
                            .folder = options->folder ? mem_copy_string(options->folder) : files_default_folder(study),
                            .results.study = study,
                            .began = clock_monotonic(),
                            .end = SEARCH_TRIALS};
    nr_status status = search.folder ? run(&search) : log_no_memory(options->log, "starting the search");
    progress_destroy(search.progress);
    optimizer_destroy(search.optimizer);
    store_close(search.store);
    results_clear(&search.results);
    devices_clear(&search.devices);
    preparation_clear(&search.preparation);
    free(search.kept);
    free(search.waiting);
    free(search.begun_on);
    free(search.folder);
    return status;
}
