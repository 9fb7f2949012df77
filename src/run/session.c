#include "run/session.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "optim/optimizer.h"
#include "report/listing.h"
#include "run/candidate.h"
#include "run/replay.h"
#include "run/session_study.h"

static const char asker_prefix[] = "asked by ";
static const double least_pause = 1;    /* seconds between two writings of the files */
static const double most_writing = 0.1; /* of the time, where writing them takes long */

struct session {
    struct log *log;
    struct session_study source; /* folder, store, study and, once needed, its problem */
    char owner[96];
    struct replay replay; /* optimizer: NULL until the first ask, and after an ask that failed */
    struct results results;
    bool loaded; /* results */
    struct front front;
    int64_t front_version; /* of the results that it was computed from; -1: none */
    bool unwritten;        /* something was recorded that the files lack */
    double wrote, writing; /* when they were written, and how long it took */
};

bool session_is_asker(const char *owner)
{
    return text_starts_with(owner, asker_prefix);
}

nr_status session_open(const struct session_options *options, struct session **out)
{
    struct session *session = mem_array(1, sizeof *session);
    if (!session)
        return log_no_memory(options->log, "opening a study");
    session->log = options->log;
    session->front_version = -1;
    snprintf(session->owner, sizeof session->owner, "%s%s, process %ld", asker_prefix, options->asker, (long)getpid());
    nr_status status = session_study_open(&session->source, options);
    if (status != NR_OK) {
        session_close(session);
        return status;
    }
    session->results.study = session->source.study;
    *out = session;
    return NR_OK;
}

static void forget_optimizer(struct session *session)
{
    optimizer_destroy(session->replay.optimizer);
    session->replay = (struct replay){0};
}

void session_close(struct session *session)
{
    if (!session)
        return;
    if (session->unwritten)
        (void)!session_settle(session, true); /* what fails is logged; the record is whole */
    forget_optimizer(session);
    front_clear(&session->front);
    results_clear(&session->results);
    session_study_close(&session->source);
    free(session);
}

const struct study *session_study(const struct session *session)
{
    return session->source.study;
}

const char *session_folder(const struct session *session)
{
    return session->source.folder;
}

/* Nobody else writes until finish_operation(); and no search is running, since one keeps in its memory what the study
 * was when it began. A search that begins now waits with its first record for us. */
static nr_status begin_operation(struct session *session)
{
    struct store *store = session->source.store;
    nr_status status = store_hold(store);
    if (status != NR_OK)
        return status;
    int64_t holder = store_holder(store);
    if (!holder)
        return NR_OK;
    log_error(session->log, "%s: a search (process %" PRId64 ") is running this study: stop it first, it goes on later",
              session->source.folder, holder);
    return store_release(store, NR_INVALID);
}

static nr_status finish_operation(struct session *session, nr_status status)
{
    status = store_release(session->source.store, status);
    if (status == NR_OK)
        session->unwritten = true;
    return status;
}

/* The optimizer knows the log up to its end. */
static nr_status follow_events(struct session *session)
{
    nr_status status = session_study_prepare(&session->source);
    if (status != NR_OK)
        return status;
    if (!session->replay.optimizer) {
        session->replay = (struct replay){.study = session->source.study,
                                          .store = session->source.store,
                                          .validations = session_study_validations(&session->source),
                                          .log = session->log};
        status = replay_create_optimizer(session->source.problem, session->log, &session->replay.optimizer);
    }
    return status == NR_OK ? replay_all(&session->replay) : status;
}

/* A trial that begins at once: it is with whoever asked. */
static nr_status record_start(struct session *session, const struct candidate *candidate, int64_t trial,
                              const struct suggestion *suggestion)
{
    struct store *store = session->source.store;
    struct store_trial row = candidate_trial(candidate, trial, suggestion->method, suggestion->fit, suggestion->note);
    nr_status status = store_suggest(store, &row);
    return status == NR_OK ? store_start(store, trial, 1, session->owner) : status;
}

static nr_status suggest(struct session *session, int64_t trial)
{
    struct suggestion suggestion;
    struct candidate candidate;
    nr_status status = optimizer_suggest(session->replay.optimizer, trial, &suggestion);
    if (status == NR_OK)
        status = candidate_create(session->source.problem, suggestion.point, NULL, session->log, &candidate);
    if (status != NR_OK)
        return status;
    status = record_start(session, &candidate, trial, &suggestion);
    candidate_clear(&candidate);
    return status;
}

static nr_status suggest_all(struct session *session, int64_t count, int64_t *first, int64_t *given)
{
    struct store *store = session->source.store;
    int64_t trials;
    nr_status status = follow_events(session);
    if (status == NR_OK)
        status = store_count(store, &trials);
    if (status != NR_OK)
        return status;
    *first = trials + 1;
    for (*given = 0; *given < count && status == NR_OK; *given += status == NR_OK)
        status = suggest(session, *first + *given);
    if (status == NR_EXHAUSTED)
        status = NR_OK;
    return status == NR_OK ? store_newest_event(store, &session->replay.seen) : status;
}

nr_status session_ask(struct session *session, int64_t count, int64_t *first, int64_t *given)
{
    int64_t next = 0, got = 0;
    if (count < 1 || count > SESSION_MOST_ASKED) {
        log_error(session->log, "%" PRId64 " trials were asked for; expected 1 to %d", count, SESSION_MOST_ASKED);
        return NR_INVALID;
    }
    nr_status status = begin_operation(session);
    if (status != NR_OK)
        return status;
    status = finish_operation(session, suggest_all(session, count, &next, &got));
    if (status != NR_OK || got < count) /* the optimizer has made or tried suggestions that are not on record */
        forget_optimizer(session);
    if (status != NR_OK)
        return status;
    *first = next;
    *given = got;
    return NR_OK;
}

/* What is on record of a trial whose end is told. */
struct standing {
    bool found, asked;
    enum trial_status status;
    double value[STORE_MAX_VALUES];
};

static nr_status on_standing(void *context, const struct store_trial *trial)
{
    struct standing *standing = context;
    standing->found = true;
    standing->asked = session_is_asker(trial->owner);
    standing->status = trial->status;
    memcpy(standing->value, trial->value, sizeof standing->value);
    return NR_OK;
}

static nr_status refuse_missing(struct session *session, int64_t trial)
{
    int64_t trials;
    nr_status status = store_count(session->source.store, &trials);
    if (status != NR_OK)
        return status;
    if (trials)
        log_error(session->log, "there is no trial %" PRId64 "; expected 1 to %" PRId64, trial, trials);
    else
        log_error(session->log, "there is no trial %" PRId64 ": none has been asked for yet", trial);
    return NR_NOT_FOUND;
}

/* The trial has not ended and is not a search's own. */
static nr_status expect_open(struct session *session, int64_t trial, struct standing *standing)
{
    *standing = (struct standing){0};
    nr_status status = store_trials_between(session->source.store, trial, trial, on_standing, standing);
    if (status != NR_OK)
        return status;
    if (!standing->found)
        return refuse_missing(session, trial);
    if (standing->status != TRIAL_QUEUED && standing->status != TRIAL_RUNNING) {
        log_error(session->log, "trial %" PRId64 " has ended already: it is %s", trial,
                  trial_status_name(standing->status));
        return NR_INVALID;
    }
    if (!session->source.study->external && !standing->asked) {
        log_error(session->log, "trial %" PRId64 " was not asked for: the search itself trains it when it goes on",
                  trial);
        return NR_INVALID;
    }
    return NR_OK;
}

nr_status session_tell(struct session *session, int64_t trial, const struct told *told)
{
    struct standing standing;
    struct told whole = *told;
    nr_status status = begin_operation(session);
    if (status != NR_OK)
        return status;
    status = expect_open(session, trial, &standing);
    if (status == NR_OK)
        status = told_complete(&whole, session->source.study, standing.value, session->log);
    if (status == NR_OK)
        status = store_finish(session->source.store, trial, TRIAL_DONE, "", whole.value, whole.seconds);
    return finish_operation(session, status);
}

nr_status session_fail(struct session *session, int64_t trial, const char *cause)
{
    struct standing standing;
    nr_status status = begin_operation(session);
    if (status != NR_OK)
        return status;
    status = expect_open(session, trial, &standing);
    if (status == NR_OK)
        status = store_finish(session->source.store, trial, TRIAL_FAILED, *cause ? cause : "failed", NULL, NAN);
    return finish_operation(session, status);
}

static nr_status record_told(struct session *session, const struct candidate *candidate, const struct told *told,
                             int64_t *trial)
{
    static const struct suggestion elsewhere = {.method = "told", .fit = "", .note = "a result from elsewhere"};
    struct store *store = session->source.store;
    struct told whole = *told;
    int64_t trials;
    nr_status status = store_count(store, &trials);
    if (status == NR_OK)
        status = told_complete(&whole, session->source.study, candidate->exact, session->log);
    if (status == NR_OK)
        status = record_start(session, candidate, trials + 1, &elsewhere);
    if (status == NR_OK)
        status = store_finish(store, trials + 1, TRIAL_DONE, "", whole.value, whole.seconds);
    if (status == NR_OK)
        *trial = trials + 1;
    return status;
}

nr_status session_tell_point(struct session *session, const double *point, const struct told *told, int64_t *trial)
{
    struct candidate candidate;
    struct text reason = {0};
    nr_status status = session_study_prepare(&session->source);
    if (status != NR_OK)
        return status;
    status = candidate_create(session->source.problem, point, &reason, session->log, &candidate);
    if (status == NR_INFEASIBLE) {
        log_error(session->log, "the study does not allow this point: %s", reason.data ? reason.data : "");
        status = NR_INVALID;
    }
    text_clear(&reason);
    if (status != NR_OK)
        return status;
    status = begin_operation(session);
    if (status == NR_OK)
        status = finish_operation(session, record_told(session, &candidate, told, trial));
    candidate_clear(&candidate);
    return status;
}

nr_status session_results(struct session *session, const struct results **out)
{
    nr_status status =
        session->loaded ? results_follow(&session->results, session->source.store, session->log)
                        : results_load(session->source.store, session->source.study, session->log, &session->results);
    if (status != NR_OK)
        return status;
    session->loaded = true;
    *out = &session->results;
    return NR_OK;
}

nr_status session_front(struct session *session, const struct front **out)
{
    const struct results *results;
    struct front front;
    nr_status status = session_results(session, &results);
    if (status == NR_OK && session->front_version != results->version) {
        status = front_compute(results, session->log, &front);
        if (status == NR_OK) {
            front_clear(&session->front);
            session->front = front;
            session->front_version = results->version;
        }
    }
    if (status == NR_OK)
        *out = &session->front;
    return status;
}

static nr_status write_files(struct session *session)
{
    const struct front *front;
    double start = clock_monotonic();
    nr_status status = session_front(session, &front);
    if (status == NR_OK)
        status = listing_write_files(&session->results, front, session->source.folder, session->log);
    session->wrote = clock_monotonic();
    session->writing = session->wrote - start;
    session->unwritten = false;
    return status;
}

bool session_is_settled(const struct session *session)
{
    return !session->unwritten;
}

nr_status session_settle(struct session *session, bool now)
{
    double pause = fmax(least_pause, session->writing / most_writing);
    nr_status status = store_sync(session->source.store);
    if (status == NR_OK && session->unwritten && (now || clock_monotonic() - session->wrote >= pause))
        status = write_files(session);
    return status;
}
