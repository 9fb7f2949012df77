#include "train/trial.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "train/checkpoint.h"

/* Steps are submitted in portions of about this long: short enough to stop at once, long enough to cost nothing. With
 * two of them in flight a device has work while the host is busy with other lanes, or writes a checkpoint. */
static const double portion_seconds = 0.02;
enum { MOST_PORTION = 4096, MOST_IN_FLIGHT = 2 };

struct portion {
    int64_t end;      /* steps of the trial once it is done */
    double submitted; /* when */
};

struct trial {
    struct trial_setup setup;
    struct log *log;
    struct trial_result *result;
    struct trainer *trainer;
    struct checkpoint checkpoint; /* state, and metrics as of the last finished epoch */
    int64_t portion;              /* steps to submit at a time; has no influence on the result */
    struct portion flight[MOST_IN_FLIGHT];
    int in_flight;
    int64_t submitted;                               /* steps of this epoch */
    int64_t step;                                    /* the last that the device reported */
    double epoch_began, portion_began, moved, saved; /* `moved`: when `step` last changed */
    bool reports;                                    /* the last epoch is to be told before anything is trained */
    bool ended;
};

static nr_status end(struct trial *trial, nr_status status, const char *format, ...) NR_PRINTF(3, 4);

/* Notes how the trial ended, if nothing was noted before; returns the status. */
static nr_status end(struct trial *trial, nr_status status, const char *format, ...)
{
    va_list arguments;
    if (!trial->ended) {
        va_start(arguments, format);
        vsnprintf(trial->result->cause, sizeof trial->result->cause, format, arguments);
        va_end(arguments);
        trial->result->status = status;
    }
    trial->ended = true;
    return status;
}

static int64_t epoch_at_hand(const struct trial *trial)
{
    return trial->checkpoint.epochs + 1;
}

/* What the device says of a failure, or what the status means. */
static const char *cause_of(const struct progress *progress, nr_status status)
{
    return progress->cause && *progress->cause ? progress->cause : status_text(status);
}

static nr_status end_at_step(struct trial *trial, const struct progress *progress)
{
    int64_t step = progress->failed_at, epoch = step / recipe_steps_per_epoch(trial->setup.recipe) + 1;
    const char *cause =
        progress->status == NR_DIVERGED ? "loss or gradient not finite" : cause_of(progress, progress->status);
    return end(trial, progress->status, "%s at step %" PRId64 " (epoch %" PRId64 ")", cause, step, epoch);
}

/* Of a call other than a step; `doing`: "in the validation". */
static nr_status end_in(struct trial *trial, nr_status status, const char *doing)
{
    struct progress progress;
    trial->setup.backend->poll(trial->trainer, &progress);
    return end(trial, status, "%s %s of epoch %" PRId64, cause_of(&progress, status), doing, epoch_at_hand(trial));
}

/* Towards portion_seconds: doubles or halves, but the first steps of a trial grow faster, since a GPU does hundreds of
 * them in that time. */
static void adapt_portion(struct trial *trial, double seconds)
{
    int64_t factor = seconds < portion_seconds / 16 ? 8 : 2;
    if (seconds < portion_seconds / 2 && trial->portion < MOST_PORTION)
        trial->portion *= factor;
    else if (seconds > 2 * portion_seconds && trial->portion > 1)
        trial->portion /= 2;
}

/* Drops the portions that are done; true when one was. */
static bool retire(struct trial *trial, const struct progress *progress)
{
    bool retired = false;
    double now = clock_monotonic();
    while (trial->in_flight && (!progress->busy || progress->step >= trial->flight[0].end)) {
        adapt_portion(trial, now - fmax(trial->portion_began, trial->flight[0].submitted));
        trial->portion_began = now;
        trial->flight[0] = trial->flight[1];
        trial->in_flight--;
        retired = true;
    }
    return retired;
}

static nr_status submit(struct trial *trial, int64_t left)
{
    const struct trial_setup *setup = &trial->setup;
    int64_t steps = trial->portion < left ? trial->portion : left;
    double now = clock_monotonic();
    if (!trial->in_flight)
        trial->moved = now; /* the device had nothing to do: it is not to blame for the time before */
    nr_status status = setup->backend->submit(trial->trainer, steps);
    if (status != NR_OK)
        return end_in(trial, status, "in a step");
    trial->submitted += steps;
    int64_t begin = trial->checkpoint.epochs * recipe_steps_per_epoch(setup->recipe);
    trial->flight[trial->in_flight++] = (struct portion){.end = begin + trial->submitted, .submitted = now};
    return NR_OK;
}

/* A device that finishes no step for so long will not finish any. */
static nr_status check_patience(struct trial *trial, const struct progress *progress)
{
    double now = clock_monotonic();
    if (progress->step != trial->step || !progress->busy)
        trial->moved = now;
    trial->step = progress->step;
    if (trial->setup.patience > 0 && now - trial->moved > trial->setup.patience)
        return end(trial, NR_DEVICE, "no step finished for %.0f s after step %" PRId64 " (epoch %" PRId64 ")",
                   now - trial->moved, trial->step, epoch_at_hand(trial));
    return NR_OK;
}

/* Losses that no step reported as not finite, but that are beyond hope. */
static nr_status check_losses(struct trial *trial, const struct epoch_metrics *metrics)
{
    if (!(metrics->train_loss <= TRIAL_MOST_LOSS))
        return end(trial, NR_DIVERGED, "the training loss is %.3g after epoch %" PRId64 ", beyond %g",
                   metrics->train_loss, metrics->epoch, TRIAL_MOST_LOSS);
    if (!(metrics->validation_loss <= TRIAL_MOST_LOSS))
        return end(trial, NR_DIVERGED, "the validation loss is %.3g after epoch %" PRId64 ", beyond %g",
                   metrics->validation_loss, metrics->epoch, TRIAL_MOST_LOSS);
    return NR_OK;
}

static nr_status measure_epoch(struct trial *trial, const struct progress *progress)
{
    const struct trial_setup *setup = &trial->setup;
    struct checkpoint *checkpoint = &trial->checkpoint;
    struct evaluation evaluation;
    nr_status status = setup->backend->evaluate(trial->trainer, setup->images, setup->split->validation,
                                                setup->split->validations, &evaluation);
    if (status != NR_OK)
        return end_in(trial, status, "in the validation");
    struct epoch_metrics metrics = {
        .epoch = checkpoint->epochs + 1,
        .train_loss = progress->loss_sum / (double)progress->images,
        .validation_loss = evaluation.loss_sum / (double)evaluation.images,
        .validation_accuracy = (double)evaluation.correct / (double)evaluation.images,
        .learning_rate = recipe_learning_rate(setup->recipe, progress->step - 1),
        .seconds = clock_monotonic() - trial->epoch_began,
    };
    status = check_losses(trial, &metrics);
    if (status != NR_OK)
        return status;
    checkpoint->last = metrics;
    if (checkpoint->epochs == 0 || metrics.validation_accuracy > checkpoint->best.validation_accuracy)
        checkpoint->best = metrics;
    checkpoint->epochs++;
    log_debug(trial->log, "trial %" PRIu32 " epoch %" PRId64 ": train loss %.4f, validation loss %.4f, accuracy %.4f",
              setup->trial, metrics.epoch, metrics.train_loss, metrics.validation_loss, metrics.validation_accuracy);
    return NR_OK;
}

static nr_status save(struct trial *trial)
{
    const struct trial_setup *setup = &trial->setup;
    bool finished = trial->checkpoint.epochs == setup->recipe->epochs;
    double now = clock_monotonic();
    if (!setup->checkpoint || setup->rank > 0 || (!finished && now - trial->saved < setup->checkpoint_interval))
        return NR_OK;
    trial->saved = now;
    trial_state_clear(&trial->checkpoint.state); /* of the epoch before */
    nr_status status = setup->backend->read_state(trial->trainer, &trial->checkpoint.state);
    if (status != NR_OK)
        return end_in(trial, status, "while the weights were read for the checkpoint");
    status = checkpoint_write(setup->checkpoint, &trial->checkpoint, setup->plan, setup->split, !finished, finished,
                              trial->log);
    if (status != NR_OK)
        return end(trial, status, "%s while the checkpoint of epoch %" PRId64 " was written", status_text(status),
                   trial->checkpoint.epochs);
    return NR_OK;
}

/* Tells of the last finished epoch; then the trial ends, or the next epoch begins. */
static void report_epoch(struct trial *trial)
{
    const struct trial_setup *setup = &trial->setup;
    bool goes_on = !setup->on_epoch || setup->on_epoch(setup->context, &trial->checkpoint.last);
    trial->reports = false;
    trial->submitted = 0;
    trial->epoch_began = clock_monotonic();
    if (!goes_on || trial->checkpoint.epochs >= setup->recipe->epochs)
        trial->ended = true;
    else
        setup->backend->reset_progress(trial->trainer);
}

static enum trial_turn finish_epoch(struct trial *trial, const struct progress *progress)
{
    nr_status status = measure_epoch(trial, progress);
    if (status == NR_OK)
        status = save(trial);
    if (status == NR_OK)
        report_epoch(trial);
    return trial->ended ? TRIAL_ENDED : TRIAL_WORKED;
}

enum trial_turn trial_advance(struct trial *trial)
{
    struct progress progress;
    if (trial->reports && !trial->ended) {
        report_epoch(trial);
        return trial->ended ? TRIAL_ENDED : TRIAL_WORKED;
    }
    if (trial->ended)
        return TRIAL_ENDED;
    trial->setup.backend->poll(trial->trainer, &progress);
    nr_status status = progress.status == NR_OK ? check_patience(trial, &progress) : end_at_step(trial, &progress);
    if (status != NR_OK)
        return TRIAL_ENDED;
    bool worked = retire(trial, &progress);
    int64_t left = recipe_steps_per_epoch(trial->setup.recipe) - trial->submitted;
    if (left == 0)
        return progress.busy ? TRIAL_WAITS : finish_epoch(trial, &progress);
    if (trial->in_flight == MOST_IN_FLIGHT)
        return worked ? TRIAL_WORKED : TRIAL_WAITS;
    return submit(trial, left) == NR_OK ? TRIAL_WORKED : TRIAL_ENDED;
}

/* Takes up the checkpoint where there is a usable one. Its own log: what is wrong with the file is a warning here. */
static nr_status read_checkpoint(struct trial *trial)
{
    const struct trial_setup *setup = &trial->setup;
    struct log *reasons;
    if (!setup->checkpoint || !file_exists(setup->checkpoint))
        return NR_OK;
    nr_status status = log_create(NULL, LOG_ERROR, &reasons);
    if (status != NR_OK)
        return status;
    log_keep_text(reasons);
    struct checkpoint found;
    status = checkpoint_read(setup->checkpoint, setup->plan, recipe_optimizer_slots(setup->recipe), reasons, &found);
    if (status == NR_OK) {
        checkpoint_clear(&trial->checkpoint);
        trial->checkpoint = found;
    } else if (status != NR_NO_MEMORY) {
        const char *reason = log_text(reasons);
        log_warning(trial->log, "trial %" PRIu32 " starts anew: %.*s", setup->trial, (int)strcspn(reason, "\n"),
                    reason);
        status = NR_OK;
    }
    log_destroy(reasons);
    return status;
}

/* The ranks of a group agree on where to start. */
static nr_status agree(struct trial *trial)
{
    const struct trial_setup *setup = &trial->setup;
    int64_t epochs = trial->checkpoint.epochs;
    if (setup->follows && epochs != setup->from)
        return end(trial, NR_IO, "rank %d finds a checkpoint of %" PRId64 " epochs where rank 0 has one of %" PRId64,
                   setup->rank, epochs, setup->from);
    if (setup->on_start && !setup->on_start(setup->context, epochs))
        return end(trial, NR_INTERRUPTED, "interrupted before the first step");
    return NR_OK;
}

static nr_status make_trainer(struct trial *trial)
{
    const struct trial_setup *setup = &trial->setup;
    const struct trainer_setup trainer = {.plan = setup->plan,
                                          .recipe = setup->recipe,
                                          .split = setup->split,
                                          .seed = setup->seed,
                                          .trial = setup->trial,
                                          .lane = setup->lane,
                                          .rank = setup->rank,
                                          .ranks = setup->ranks ? setup->ranks : 1,
                                          .reduce = setup->reduce,
                                          .reduce_context = setup->reduce_context};
    nr_status status = setup->backend->create(setup->device, setup->images, &trainer, &trial->trainer);
    if (status != NR_OK)
        return end(trial, status, "%s before the first step", status_text(status));
    if (trial->checkpoint.epochs > 0)
        status = setup->backend->write_state(trial->trainer, &trial->checkpoint.state);
    if (status != NR_OK)
        return end_in(trial, status, "while the checkpoint was taken up at the start");
    setup->backend->reset_progress(trial->trainer);
    return NR_OK;
}

nr_status trial_begin(const struct trial_setup *setup, struct log *log, struct trial_result *result, struct trial **out)
{
    *result = (struct trial_result){.status = NR_NO_MEMORY, .cause = "out of memory before the first step"};
    struct trial *trial = mem_array(1, sizeof *trial);
    if (!trial)
        return log_no_memory(log, "beginning a trial");
    *result = (struct trial_result){0};
    trial->setup = *setup;
    trial->log = log;
    trial->result = result;
    trial->portion = 1;
    nr_status status = read_checkpoint(trial);
    if (status != NR_OK)
        (void)end(trial, status, "%s while the checkpoint was read", status_text(status));
    if (status == NR_OK)
        status = agree(trial);
    if (status == NR_OK)
        status = make_trainer(trial);
    if (status != NR_OK) {
        trial_end(trial);
        return status;
    }
    trial->reports = trial->checkpoint.epochs > 0;
    trial->epoch_began = trial->moved = trial->portion_began = trial->saved = clock_monotonic();
    *out = trial;
    return NR_OK;
}

void trial_end(struct trial *trial)
{
    if (!trial)
        return;
    if (!trial->ended)
        (void)end(trial, NR_INTERRUPTED, "interrupted in epoch %" PRId64, epoch_at_hand(trial));
    trial->result->last = trial->checkpoint.last;
    trial->result->best = trial->checkpoint.best;
    trial->result->epochs = trial->checkpoint.epochs;
    if (trial->trainer)
        trial->setup.backend->destroy(trial->trainer);
    checkpoint_clear(&trial->checkpoint);
    free(trial);
}

nr_status trial_run(const struct trial_setup *setup, struct log *log, struct trial_result *result)
{
    const struct timespec pause = {.tv_nsec = 100000}; /* a device is looked at ten times per millisecond */
    struct trial *trial;
    nr_status status = trial_begin(setup, log, result, &trial);
    if (status != NR_OK)
        return status;
    for (enum trial_turn turn = TRIAL_WORKED; turn != TRIAL_ENDED;) {
        turn = trial_advance(trial);
        if (turn == TRIAL_WAITS)
            nanosleep(&pause, NULL);
    }
    trial_end(trial);
    return NR_OK;
}
