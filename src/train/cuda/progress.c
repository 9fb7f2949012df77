/* Submitting steps and asking how far they are; neither waits. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "train/cuda/trainer.h"

/* Graphs to a portion: the device must not run dry between two looks of the host, a millisecond apart at times, nor
 * have more ahead than can be waited for after a stop. */
enum { PORTION = 64 };

int64_t trainer_position(const struct trainer *trainer, int64_t step)
{
    const struct recipe *recipe = trainer->setup.recipe;
    int64_t per_epoch = recipe_steps_per_epoch(recipe);
    return step / per_epoch * recipe->epoch_images + step % per_epoch * recipe->batch_size;
}

nr_status trainer_fail(struct trainer *trainer, nr_status status)
{
    struct device *device = trainer->device;
    struct progress *progress = &trainer->progress;
    if (status == NR_INFEASIBLE)
        status = NR_DEVICE;
    trainer_leave_group(trainer);
    trainer->submitted = trainer->enqueued;
    if (progress->status == NR_DEVICE || progress->status == NR_NO_MEMORY)
        return progress->status;
    progress->status = status;
    progress->failed_at = progress->step;
    snprintf(trainer->cause, sizeof trainer->cause, "%s",
             device->failure.text[0] ? device->failure.text : status_text(status));
    progress->cause = trainer->cause;
    if (device_check(device) == NR_OK)
        failure_clear(&device->failure);
    return status;
}

/* ---- enqueueing ---- */

/* As many steps as the order of the images is there for, PORTION graphs at the most. */
static nr_status enqueue_graphs(struct trainer *trainer)
{
    struct failure *failure = &trainer->device->failure;
    cudaStream_t stream = trainer->lane->stream;
    for (int i = 0; i < PORTION && trainer->enqueued < trainer->submitted; i++) {
        int64_t step = trainer->enqueued, steps;
        bool ready;
        cudaGraphExec_t graph = graph_choose(trainer, step, trainer->submitted - step, &steps);
        nr_status status = feed_advance(&trainer->feed, trainer_position(trainer, step),
                                        trainer_position(trainer, step + steps), stream, &ready);
        if (status != NR_OK || !ready)
            return status;
        TRY_CUDA(failure, cudaGraphLaunch(graph, stream));
        trainer->enqueued += steps;
    }
    return NR_OK;
}

static nr_status set_mark(struct trainer *trainer, int number)
{
    struct failure *failure = &trainer->device->failure;
    struct mark *mark = &trainer->mark[number];
    cudaStream_t stream = trainer->lane->stream;
    TRY_CUDA(failure, cudaMemcpyAsync(&trainer->pinned->state[number], trainer->blueprint.vectors.state,
                                      sizeof(struct k_state), cudaMemcpyDeviceToHost, stream));
    TRY_CUDA(failure, cudaEventRecord(mark->event, stream));
    mark->pending = true;
    mark->resets = trainer->resets;
    return NR_OK;
}

/* The number of a free mark; -1: all are pending. */
static int free_mark(const struct trainer *trainer)
{
    for (int i = 0; i < TRAINER_MARKS; i++) {
        int number = (trainer->first + i) % TRAINER_MARKS;
        if (!trainer->mark[number].pending)
            return number;
    }
    return -1;
}

static nr_status pump(struct trainer *trainer)
{
    int number;
    while (trainer->enqueued < trainer->submitted && (number = free_mark(trainer)) >= 0) {
        int64_t before = trainer->enqueued;
        nr_status status = enqueue_graphs(trainer);
        if (status == NR_OK && trainer->enqueued > before)
            status = set_mark(trainer, number);
        if (status != NR_OK || trainer->enqueued == before)
            return status;
    }
    return NR_OK;
}

nr_status trainer_submit(struct trainer *trainer, int64_t steps)
{
    int64_t most = trainer->blueprint.steps;
    if (trainer->progress.status != NR_OK)
        return NR_OK; /* poll() tells */
    if (device_check(trainer->device) != NR_OK) {
        (void)trainer_fail(trainer, NR_DEVICE);
        return NR_OK;
    }
    if (trainer->submitted + steps > most) {
        log_error(trainer->device->log, "step %" PRId64 " is asked for, but the recipe ends after %" PRId64 " steps",
                  trainer->submitted + steps, most);
        return NR_INVALID;
    }
    if (trainer->submitted == trainer->progress.step)
        trainer->alive = clock_monotonic();
    trainer->submitted += steps;
    nr_status status = pump(trainer);
    if (status != NR_OK)
        (void)trainer_fail(trainer, status);
    return NR_OK;
}

/* ---- looking ---- */

static void take_state(struct trainer *trainer, const struct mark *mark, const struct k_state *state)
{
    struct progress *progress = &trainer->progress;
    progress->step = state->step;
    if (mark->resets == trainer->resets) {
        progress->loss_sum = state->loss_sum;
        progress->images = state->images;
    }
    if (state->failed_at < 0 || progress->status != NR_OK)
        return;
    progress->status = NR_DIVERGED;
    progress->step = progress->failed_at = state->failed_at;
    trainer->submitted = trainer->enqueued;
}

/* Takes in the marks that were reached. */
static nr_status collect(struct trainer *trainer)
{
    struct mark *mark;
    while ((mark = &trainer->mark[trainer->first])->pending) {
        cudaError_t code = failure_query(cudaEventQuery(mark->event));
        if (code == cudaErrorNotReady)
            return NR_OK;
        if (code != cudaSuccess)
            return failure_cuda(&trainer->device->failure, "cudaEventQuery(mark->event)", code);
        mark->pending = false;
        trainer->alive = clock_monotonic();
        take_state(trainer, mark, &trainer->pinned->state[trainer->first]);
        trainer->first = (trainer->first + 1) % TRAINER_MARKS;
    }
    return NR_OK;
}

static bool is_busy(const struct trainer *trainer)
{
    return trainer->mark[trainer->first].pending || trainer->enqueued < trainer->submitted;
}

static nr_status look(struct trainer *trainer)
{
    struct device *device = trainer->device;
    nr_status status = device_check(device);
    if (status == NR_OK)
        status = collect(trainer);
    if (status != NR_OK || trainer->progress.status != NR_OK || !is_busy(trainer))
        return status;
    if (trainer_group(trainer))
        status = collective_check(device->group);
    if (status == NR_OK)
        status = pump(trainer);
    if (status == NR_OK)
        status = feed_prepare(&trainer->feed);
    if (status == NR_OK && clock_monotonic() - trainer->alive > device->options.patience)
        status = device_hangs(device, "cudaEventQuery(mark->event)");
    return status;
}

void trainer_poll(struct trainer *trainer, struct progress *out)
{
    nr_status status = trainer->progress.status == NR_OK ? look(trainer) : NR_OK;
    if (status != NR_OK)
        (void)trainer_fail(trainer, status);
    *out = trainer->progress;
    out->busy = trainer->progress.status == NR_OK && is_busy(trainer);
}

/* In the stream's order: what was enqueued before still counts to the old sum, which nobody asked for any more. */
void trainer_reset_progress(struct trainer *trainer)
{
    struct k_state *state = trainer->blueprint.vectors.state;
    trainer->resets++;
    trainer->progress.loss_sum = 0;
    trainer->progress.images = 0;
    if (trainer->progress.status != NR_OK)
        return;
    cudaError_t code =
        cudaMemsetAsync(&state->loss_sum, 0, sizeof state->loss_sum + sizeof state->images, trainer->lane->stream);
    if (code != cudaSuccess)
        (void)trainer_fail(trainer, failure_cuda(&trainer->device->failure, "cudaMemsetAsync(&state->loss_sum)", code));
}

nr_status trainer_drain(struct trainer *trainer)
{
    const struct timespec pause = {.tv_nsec = 20000};
    struct progress progress;
    for (;;) {
        trainer_poll(trainer, &progress);
        if (progress.status == NR_DEVICE || progress.status == NR_NO_MEMORY)
            return progress.status;
        if (!progress.busy)
            break;
        nanosleep(&pause, NULL);
    }
    nr_status status = device_wait(trainer->device, trainer->lane->stream);
    for (int i = 0; i < TRAINER_MARKS; i++)
        trainer->mark[i].pending = false;
    return status == NR_OK ? NR_OK : trainer_fail(trainer, status);
}
