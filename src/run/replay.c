#include "run/replay.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

nr_status replay_create_optimizer(const struct problem *problem, struct log *log, struct optimizer **out)
{
    static const enum optim_model models[] = {MODEL_AUTO, MODEL_DENSE, MODEL_SPARSE}; /* in the key's order */
    const struct study *study = problem->study;
    struct optim_options options = {.method = (enum optim_method)study_choice(study, KEY_METHOD, NULL),
                                    .seed = study_seed(study),
                                    .initial = study_int(study, KEY_INITIAL, NULL),
                                    .model = models[study_choice(study, KEY_MODEL, NULL)],
                                    .cost_aware = study_choice(study, KEY_COST, NULL) == 1};
    return optimizer_create(&problem->optim, &options, log, out);
}

/* Value number i of a trial becomes an outcome. An accuracy is a share of `validations` images: its variance is known.
 */
static void put_outcome(struct optim_result *result, size_t outcome, const struct study *study, int64_t validations,
                        const double *value, size_t i)
{
    result->value[outcome] = value[i];
    if (validations > 0 && !strcmp(study_value_name(study, i), "val_accuracy"))
        result->variance[outcome] = value[i] * (1 - value[i]) / (double)validations;
}

/* Objectives, then outcome constraints in the study's order, as struct optim_problem has them. */
struct optim_result replay_result(const struct study *study, int64_t validations, const double *value, double seconds)
{
    struct optim_result result = {.seconds = seconds};
    for (size_t i = 0; i < OPTIM_MAX_OUTCOMES; i++)
        result.value[i] = result.variance[i] = NAN;
    size_t outcome = 0;
    for (size_t i = 0; i < study->objectives; i++)
        put_outcome(&result, outcome++, study, validations, value, i);
    for (size_t i = 0; i < study->constraints; i++)
        if (study->constraint[i].outcome)
            put_outcome(&result, outcome++, study, validations, value, study->constraint[i].value);
    return result;
}

/* A replay in progress; one that ends before the log does is ended by a status of its own, put right by follow(). */
struct following {
    struct replay *replay;
    double *point;
    int64_t stop_before; /* this trial's suggestion; 0: never */
    bool stopped;
};

static nr_status on_suggest(struct following *following, const struct store_event *event,
                            const struct store_trial *trial)
{
    struct replay *replay = following->replay;
    if (event->trial == following->stop_before) {
        following->stopped = true;
        return NR_INTERRUPTED;
    }
    nr_status status = point_parse(&replay->study->space, trial->point, replay->log, following->point);
    if (status == NR_OK)
        status = optimizer_restore(replay->optimizer, event->trial, following->point, trial->method, trial->fit);
    return status;
}

static nr_status on_finish(struct following *following, const struct store_trial *trial)
{
    struct replay *replay = following->replay;
    if (trial->status != TRIAL_DONE)
        return optimizer_fail(replay->optimizer, trial->trial);
    struct optim_result result = replay_result(replay->study, replay->validations, trial->value, trial->seconds);
    return optimizer_tell(replay->optimizer, trial->trial, &result);
}

static nr_status on_event(void *context, const struct store_event *event, const struct store_trial *trial)
{
    struct following *following = context;
    nr_status status = NR_OK;
    if (!strcmp(event->kind, "suggest"))
        status = on_suggest(following, event, trial);
    else if (!strcmp(event->kind, "finish"))
        status = on_finish(following, trial);
    if (status == NR_OK)
        following->replay->seen = event->number;
    return status;
}

static nr_status follow(struct replay *replay, int64_t stop_before, bool *stopped)
{
    struct following following = {.replay = replay, .stop_before = stop_before};
    following.point = mem_array(replay->study->space.count, sizeof *following.point);
    if (!following.point)
        return log_no_memory(replay->log, "following the event log");
    nr_status status = store_events(replay->store, replay->seen, on_event, &following);
    free(following.point);
    *stopped = following.stopped;
    return following.stopped ? NR_OK : status;
}

nr_status replay_all(struct replay *replay)
{
    bool stopped;
    return follow(replay, 0, &stopped);
}

nr_status replay_before(struct replay *replay, int64_t trial)
{
    bool stopped;
    nr_status status = follow(replay, trial, &stopped);
    if (status != NR_OK || stopped)
        return status;
    log_error(replay->log, "there is no trial %" PRId64 ": it was never suggested", trial);
    return NR_NOT_FOUND;
}
