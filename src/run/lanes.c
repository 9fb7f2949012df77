#include "run/lanes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/files.h"

/* One trial, in the order of arrival. */
struct entrant {
    struct entrant *next;
    struct lanes *lanes;
    struct lanes_trial told;
    char *point_text, *checkpoint;
    double *point;
    struct plan *plan;
    struct recipe recipe;
    int64_t needed;      /* bytes of the device; 0: not counted yet */
    struct trial *trial; /* NULL: it waits */
    struct trial_result result;
    bool ended;
};

struct lanes {
    struct lanes_setup setup;
    struct entrant *first;
    bool full; /* the first that waits was refused, and no trial has come or stopped since */
    bool lost;
    int64_t failed_trial;
    char cause[sizeof((struct trial_result *)0)->cause];
};

static void entrant_destroy(struct entrant *entrant)
{
    if (!entrant)
        return;
    plan_destroy(entrant->plan);
    free(entrant->point);
    free(entrant->point_text);
    free(entrant->checkpoint);
    free(entrant);
}

nr_status lanes_create(const struct lanes_setup *setup, struct lanes **out)
{
    struct lanes *lanes = mem_array(1, sizeof *lanes);
    if (!lanes)
        return log_no_memory(setup->log, "making room for trials");
    lanes->setup = *setup;
    *out = lanes;
    return NR_OK;
}

nr_status lanes_take(struct lanes *lanes, const struct lanes_trial *told)
{
    const struct space *space = &lanes->setup.problem->study->space;
    struct entrant **end = &lanes->first, *entrant = mem_array(1, sizeof *entrant);
    if (!entrant)
        return log_no_memory(lanes->setup.log, "taking a trial");
    entrant->lanes = lanes;
    entrant->told = *told;
    entrant->point = mem_array(space->count, sizeof *entrant->point);
    entrant->told.point = entrant->point_text = mem_copy_string(told->point);
    entrant->checkpoint = files_checkpoint(lanes->setup.folder, told->trial);
    nr_status status = entrant->point && entrant->point_text && entrant->checkpoint
                           ? point_parse(space, told->point, lanes->setup.log, entrant->point)
                           : log_no_memory(lanes->setup.log, "taking a trial");
    if (status != NR_OK) {
        entrant_destroy(entrant);
        return status;
    }
    while (*end)
        end = &(*end)->next;
    *end = entrant;
    lanes->full = false;
    return NR_OK;
}

static bool on_start(void *context, int64_t epochs)
{
    struct entrant *entrant = context;
    const struct lanes_setup *setup = &entrant->lanes->setup;
    if (setup->ranks == 1 || setup->rank > 0)
        return true;
    return setup->events.start(setup->events.context, entrant->told.trial, entrant->point_text, epochs);
}

static bool on_epoch(void *context, const struct epoch_metrics *metrics)
{
    struct entrant *entrant = context;
    const struct lanes_setup *setup = &entrant->lanes->setup;
    if (setup->rank == 0)
        setup->events.epoch(setup->events.context, entrant->told.trial, metrics);
    return true;
}

/* The last checkpoint of a finished trial is its weights, on disk already: a second name for the file keeps them when
 * the driver deletes the checkpoint, and leaves the checkpoint for a resume should the driver never hear of the end. */
static nr_status keep_weights(const struct entrant *entrant)
{
    const struct lanes_setup *setup = &entrant->lanes->setup;
    nr_status status = NR_OK;
    char *content;
    size_t length;
    char *path = files_weights(setup->folder, entrant->told.trial);
    if (!path)
        return log_no_memory(setup->log, "keeping weights");
    (void)unlink(path);                         /* left by a kill: the same bits */
    if (link(entrant->checkpoint, path) != 0) { /* a file system without hard links: a copy */
        status = file_read(entrant->checkpoint, setup->log, &content, &length);
        if (status == NR_OK) {
            status = file_replace(path, content, length, true, setup->log);
            free(content);
        }
    }
    free(path);
    return status;
}

/* The last line that was logged since the text was cleared; "" when nothing was. */
static void copy_logged(const struct lanes *lanes, char *out, size_t size)
{
    const char *line = log_text(lanes->setup.log);
    for (const char *next = line; *next; next += strcspn(next, "\n"), next += *next == '\n')
        line = next;
    snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line);
}

/* Tells of the end. The entrant is removed by sweep(). */
static void finish(struct entrant *entrant, bool alone)
{
    const struct lanes_setup *setup = &entrant->lanes->setup;
    struct trial_result *result = &entrant->result;
    if (result->status == NR_OK && setup->rank == 0) {
        log_clear_text(setup->log);
        result->status = keep_weights(entrant);
        if (result->status != NR_OK)
            copy_logged(entrant->lanes, result->cause, sizeof result->cause);
    }
    entrant->ended = true;
    setup->events.end(setup->events.context, entrant->told.trial, result, alone);
}

static void fail(struct entrant *entrant, nr_status status, const char *cause, bool alone)
{
    entrant->result = (struct trial_result){.status = status};
    snprintf(entrant->result.cause, sizeof entrant->result.cause, "%s", cause);
    finish(entrant, alone);
}

static void lose(struct entrant *entrant)
{
    struct lanes *lanes = entrant->lanes;
    lanes->lost = true;
    lanes->failed_trial = entrant->told.trial;
    memcpy(lanes->cause, entrant->result.cause, sizeof lanes->cause);
}

/* A trial that has stopped by itself: it failed, or it is done. `others` were training beside it. */
static void settle(struct entrant *entrant, size_t others)
{
    struct log *log = entrant->lanes->setup.log;
    if (entrant->result.status == NR_DEVICE) {
        lose(entrant);
    } else if (entrant->result.status == NR_NO_MEMORY && others) {
        log_warning(log, "trial %" PRId64 ": %s; it is tried once more alone", entrant->told.trial,
                    entrant->result.cause);
        entrant->told.alone = true;
    } else {
        finish(entrant, !others);
    }
}

static nr_status begin_trial(struct entrant *entrant)
{
    const struct lanes_setup *setup = &entrant->lanes->setup;
    const struct trial_setup trial = {.backend = setup->backend,
                                      .device = setup->device,
                                      .images = setup->images,
                                      .split = setup->split,
                                      .plan = entrant->plan,
                                      .recipe = &entrant->recipe,
                                      .seed = study_seed(setup->problem->study),
                                      .trial = (uint32_t)entrant->told.trial,
                                      .lane = entrant->told.lane,
                                      .rank = setup->rank,
                                      .ranks = setup->ranks,
                                      .follows = entrant->told.follows,
                                      .from = entrant->told.from,
                                      .patience = setup->patience,
                                      .checkpoint = entrant->checkpoint,
                                      .checkpoint_interval = setup->checkpoint_interval,
                                      .on_start = on_start,
                                      .on_epoch = on_epoch,
                                      .context = entrant};
    log_clear_text(setup->log);
    return trial_begin(&trial, setup->log, &entrant->result, &entrant->trial);
}

/* Makes plan and recipe, once; false: there is no such network, and the trial has ended. */
static bool make_plan(struct entrant *entrant)
{
    struct text reason = {0};
    if (entrant->plan)
        return true;
    nr_status status =
        problem_plan(entrant->lanes->setup.problem, entrant->point, &reason, &entrant->plan, &entrant->recipe);
    if (status != NR_OK)
        fail(entrant, status, reason.data ? reason.data : status_text(status), false);
    text_clear(&reason);
    return status == NR_OK;
}

/* Whether the device has the memory now. One that cannot fit though nothing else is there has ended. To count means to
 * compile the networks, and to look at the free memory is a call of the driver's: neither is for every turn. */
static bool fits(struct entrant *entrant, size_t others)
{
    const struct lanes_setup *setup = &entrant->lanes->setup;
    int64_t free_bytes = setup->backend->available(setup->device);
    char cause[96];
    if (free_bytes == INT64_MAX)
        return true;
    if (entrant->needed <= 0)
        entrant->needed = setup->backend->memory(setup->device, entrant->plan, &entrant->recipe);
    if (entrant->needed >= 0 && entrant->needed <= free_bytes)
        return true;
    entrant->lanes->full = others > 0;
    if (others)
        return false;
    if (entrant->needed < 0)
        snprintf(cause, sizeof cause, "out of memory while its memory was planned");
    else
        snprintf(cause, sizeof cause, "it needs %.1f MiB, the device has %.1f MiB", (double)entrant->needed / 1048576,
                 (double)free_bytes / 1048576);
    fail(entrant, NR_INFEASIBLE, cause, true);
    return false;
}

/* Puts what the backend logged into a cause that names no call. */
static void explain(struct entrant *entrant)
{
    char logged[sizeof entrant->result.cause];
    copy_logged(entrant->lanes, logged, sizeof logged);
    if (*logged)
        memcpy(entrant->result.cause, logged, sizeof logged);
}

static void begin(struct entrant *entrant, size_t others)
{
    if (!make_plan(entrant) || !fits(entrant, others))
        return;
    nr_status status = begin_trial(entrant);
    if (status == NR_OK)
        return;
    if (status == NR_DEVICE || status == NR_NO_MEMORY || status == NR_INFEASIBLE)
        explain(entrant);
    settle(entrant, others);
}

struct census {
    size_t training;
    bool alone;      /* one that trains is to be alone */
    bool lane_taken; /* one trains in that lane */
};

static struct census count_training(const struct lanes *lanes, int lane)
{
    struct census census = {0};
    for (const struct entrant *entrant = lanes->first; entrant; entrant = entrant->next) {
        if (!entrant->trial || entrant->ended)
            continue;
        census.training++;
        census.alone |= entrant->told.alone;
        census.lane_taken |= entrant->told.lane == lane;
    }
    return census;
}

/* Begins those who wait, until one has to wait on; true when one began or ended. */
static bool begin_waiting(struct lanes *lanes)
{
    bool worked = false;
    for (struct entrant *entrant = lanes->first; entrant && !lanes->lost && !lanes->full; entrant = entrant->next) {
        if (entrant->trial || entrant->ended)
            continue;
        struct census census = count_training(lanes, entrant->told.lane);
        if (census.lane_taken || census.alone || (entrant->told.alone && census.training))
            break;
        begin(entrant, census.training);
        if (!entrant->trial && !entrant->ended)
            break;
        worked = true;
    }
    return worked;
}

static void remove_ended(struct lanes *lanes)
{
    for (struct entrant **place = &lanes->first; *place;) {
        struct entrant *entrant = *place;
        if (entrant->ended) {
            *place = entrant->next;
            entrant_destroy(entrant);
        } else {
            place = &entrant->next;
        }
    }
}

/* One turn of one trial. A lost device is not touched again, not even to end the trial. */
static enum trial_turn advance(struct entrant *entrant)
{
    struct lanes *lanes = entrant->lanes;
    enum trial_turn turn = trial_advance(entrant->trial);
    if (turn != TRIAL_ENDED)
        return turn;
    if (entrant->result.status == NR_DEVICE) {
        lose(entrant);
        return turn;
    }
    size_t others = count_training(lanes, entrant->told.lane).training - 1;
    trial_end(entrant->trial);
    entrant->trial = NULL;
    lanes->full = false;
    settle(entrant, others);
    return turn;
}

enum lanes_turn lanes_advance(struct lanes *lanes)
{
    bool worked = begin_waiting(lanes);
    for (struct entrant *entrant = lanes->first; entrant && !lanes->lost; entrant = entrant->next)
        if (entrant->trial && advance(entrant) != TRIAL_WAITS)
            worked = true;
    if (lanes->lost)
        return LANES_LOST;
    remove_ended(lanes);
    return !lanes->first ? LANES_EMPTY : worked ? LANES_WORKED : LANES_WAIT;
}

void lanes_stop(struct lanes *lanes)
{
    for (struct entrant *entrant = lanes->first; entrant; entrant = entrant->next) {
        if (entrant->trial) {
            trial_end(entrant->trial);
            entrant->trial = NULL;
            finish(entrant, false);
        } else {
            fail(entrant, NR_INTERRUPTED, "interrupted before the first step", false);
        }
    }
    remove_ended(lanes);
}

int64_t lanes_failed_trial(const struct lanes *lanes)
{
    return lanes->failed_trial;
}

const char *lanes_cause(const struct lanes *lanes)
{
    return lanes->cause;
}

void lanes_destroy(struct lanes *lanes)
{
    if (!lanes)
        return;
    for (struct entrant *entrant = lanes->first, *next; entrant; entrant = next) {
        next = entrant->next;
        if (!lanes->lost) {
            trial_end(entrant->trial);
            entrant_destroy(entrant);
        }
    }
    free(lanes);
}
