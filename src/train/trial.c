#include "train/trial.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "train/checkpoint.h"

/* Steps are submitted in portions of about this long: short enough to stop at once, long enough to cost nothing. */
static const double portion_seconds = 0.02;
enum { MOST_PORTION = 1024 };

/* One trial under way. */
struct run {
    const struct trial_setup *setup;
    struct log *log;
    struct trial_result *result;
    struct trainer *trainer;
    struct checkpoint checkpoint; /* state, and metrics as of the last finished epoch */
    int64_t portion;              /* steps to submit at a time; has no influence on the result */
};

static nr_status end(struct run *run, nr_status status, const char *format, ...) NR_PRINTF(3, 4);

/* Notes how the trial ended, if nothing was noted before; returns the status. */
static nr_status end(struct run *run, nr_status status, const char *format, ...)
{
    va_list arguments;
    if (run->result->cause[0] != '\0')
        return status;
    va_start(arguments, format);
    vsnprintf(run->result->cause, sizeof run->result->cause, format, arguments);
    va_end(arguments);
    return status;
}

static nr_status end_at_step(struct run *run, const struct progress *progress)
{
    int64_t step = progress->failed_at, epoch = step / recipe_steps_per_epoch(run->setup->recipe) + 1;
    if (progress->status == NR_DIVERGED)
        return end(run, NR_DIVERGED, "loss or gradient not finite at step %" PRId64 " (epoch %" PRId64 ")", step,
                   epoch);
    return end(run, progress->status, "%s at step %" PRId64 " (epoch %" PRId64 ")", status_text(progress->status), step,
               epoch);
}

/* The CPU is never busy after submit(); a device is looked at ten times per millisecond. */
static void wait_for(struct run *run, struct progress *progress)
{
    const struct timespec pause = {.tv_nsec = 100000};
    for (;;) {
        run->setup->backend->poll(run->trainer, progress);
        if (!progress->busy)
            return;
        nanosleep(&pause, NULL);
    }
}

/* Doubles or halves the portion until it takes about portion_seconds. */
static void adapt_portion(struct run *run, double seconds)
{
    if (seconds < portion_seconds / 2 && run->portion < MOST_PORTION)
        run->portion *= 2;
    else if (seconds > 2 * portion_seconds && run->portion > 1)
        run->portion /= 2;
}

static nr_status train_epoch(struct run *run, struct progress *progress)
{
    const struct trial_setup *setup = run->setup;
    int64_t left = recipe_steps_per_epoch(setup->recipe);
    setup->backend->reset_progress(run->trainer);
    while (left > 0) {
        int64_t steps = run->portion < left ? run->portion : left;
        if (setup->should_stop && setup->should_stop(setup->context))
            return end(run, NR_INTERRUPTED, "interrupted in epoch %" PRId64, run->checkpoint.epochs + 1);
        double start = clock_monotonic();
        nr_status status = setup->backend->submit(run->trainer, steps);
        if (status != NR_OK)
            return end(run, status, "%s in epoch %" PRId64, status_text(status), run->checkpoint.epochs + 1);
        wait_for(run, progress);
        if (progress->status != NR_OK)
            return end_at_step(run, progress);
        adapt_portion(run, clock_monotonic() - start);
        left -= steps;
    }
    return NR_OK;
}

/* Losses that no step reported as not finite, but that are beyond hope. */
static nr_status check_losses(struct run *run, const struct epoch_metrics *metrics)
{
    if (!(metrics->train_loss <= TRIAL_MOST_LOSS))
        return end(run, NR_DIVERGED, "the training loss is %.3g after epoch %" PRId64 ", beyond %g",
                   metrics->train_loss, metrics->epoch, TRIAL_MOST_LOSS);
    if (!(metrics->validation_loss <= TRIAL_MOST_LOSS))
        return end(run, NR_DIVERGED, "the validation loss is %.3g after epoch %" PRId64 ", beyond %g",
                   metrics->validation_loss, metrics->epoch, TRIAL_MOST_LOSS);
    return NR_OK;
}

static nr_status measure_epoch(struct run *run, const struct progress *progress, double start)
{
    const struct trial_setup *setup = run->setup;
    struct checkpoint *checkpoint = &run->checkpoint;
    struct evaluation evaluation;
    nr_status status = setup->backend->evaluate(run->trainer, setup->images, setup->split->validation,
                                                setup->split->validations, &evaluation);
    if (status != NR_OK)
        return end(run, status, "%s in the validation of epoch %" PRId64, status_text(status), checkpoint->epochs + 1);
    struct epoch_metrics metrics = {
        .epoch = checkpoint->epochs + 1,
        .train_loss = progress->loss_sum / (double)progress->images,
        .validation_loss = evaluation.loss_sum / (double)evaluation.images,
        .validation_accuracy = (double)evaluation.correct / (double)evaluation.images,
        .learning_rate = recipe_learning_rate(setup->recipe, progress->step - 1),
        .seconds = clock_monotonic() - start,
    };
    status = check_losses(run, &metrics);
    if (status != NR_OK)
        return status;
    checkpoint->last = metrics;
    if (checkpoint->epochs == 0 || metrics.validation_accuracy > checkpoint->best.validation_accuracy)
        checkpoint->best = metrics;
    checkpoint->epochs++;
    log_debug(run->log, "trial %" PRIu32 " epoch %" PRId64 ": train loss %.4f, validation loss %.4f, accuracy %.4f",
              setup->trial, metrics.epoch, metrics.train_loss, metrics.validation_loss, metrics.validation_accuracy);
    return NR_OK;
}

static nr_status save(struct run *run)
{
    const struct trial_setup *setup = run->setup;
    bool finished = run->checkpoint.epochs == setup->recipe->epochs;
    if (!setup->checkpoint)
        return NR_OK;
    trial_state_clear(&run->checkpoint.state); /* of the epoch before */
    nr_status status = setup->backend->read_state(run->trainer, &run->checkpoint.state);
    if (status == NR_OK)
        status = checkpoint_write(setup->checkpoint, &run->checkpoint, setup->plan, setup->split, !finished, finished,
                                  run->log);
    if (status != NR_OK)
        return end(run, status, "%s while the checkpoint of epoch %" PRId64 " was written", status_text(status),
                   run->checkpoint.epochs);
    return NR_OK;
}

static bool report_epoch(const struct run *run)
{
    const struct trial_setup *setup = run->setup;
    return !setup->on_epoch || setup->on_epoch(setup->context, &run->checkpoint.last);
}

static nr_status train(struct run *run)
{
    struct progress progress = {0};
    if (run->checkpoint.epochs > 0 && !report_epoch(run))
        return NR_OK;
    while (run->checkpoint.epochs < run->setup->recipe->epochs) {
        double start = clock_monotonic();
        nr_status status = train_epoch(run, &progress);
        if (status == NR_OK)
            status = measure_epoch(run, &progress, start);
        if (status == NR_OK)
            status = save(run);
        if (status != NR_OK)
            return status;
        if (!report_epoch(run))
            return NR_OK;
    }
    return NR_OK;
}

/* Takes up the checkpoint where there is a usable one. Its own log: what is wrong with the file is a warning here. */
static nr_status read_checkpoint(struct run *run)
{
    const struct trial_setup *setup = run->setup;
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
        checkpoint_clear(&run->checkpoint);
        run->checkpoint = found;
    } else if (status != NR_NO_MEMORY) {
        const char *reason = log_text(reasons);
        log_warning(run->log, "trial %" PRIu32 " starts anew: %.*s", setup->trial, (int)strcspn(reason, "\n"), reason);
        status = NR_OK;
    }
    log_destroy(reasons);
    return status;
}

static nr_status start(struct run *run)
{
    const struct trial_setup *setup = run->setup;
    const struct trainer_setup trainer = {.plan = setup->plan,
                                          .recipe = setup->recipe,
                                          .split = setup->split,
                                          .seed = setup->seed,
                                          .trial = setup->trial,
                                          .ranks = 1};
    nr_status status = read_checkpoint(run);
    if (status == NR_OK)
        status = setup->backend->create(setup->device, setup->images, &trainer, &run->trainer);
    if (status == NR_OK && run->checkpoint.epochs > 0)
        status = setup->backend->write_state(run->trainer, &run->checkpoint.state);
    if (status != NR_OK)
        return end(run, status, "%s before the first step", status_text(status));
    return NR_OK;
}

nr_status trial_run(const struct trial_setup *setup, struct log *log, struct trial_result *result)
{
    struct run run = {.setup = setup, .log = log, .result = result, .portion = 1};
    *result = (struct trial_result){0};
    nr_status status = start(&run);
    result->status = status == NR_OK ? train(&run) : status;
    result->last = run.checkpoint.last;
    result->best = run.checkpoint.best;
    result->epochs = run.checkpoint.epochs;
    if (run.trainer)
        setup->backend->destroy(run.trainer);
    checkpoint_clear(&run.checkpoint);
    return status;
}
