/* States out of a trainer and into it, and evaluation. All of it waits. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "train/cuda/trainer.h"

static nr_status copy(struct trainer *trainer, void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind)
{
    if (bytes > 0)
        TRY_CUDA(&trainer->device->failure, cudaMemcpyAsync(to, from, bytes, kind, trainer->lane->stream));
    return NR_OK;
}

static nr_status copy_up(struct trainer *trainer, void *to, const void *from, size_t bytes)
{
    return copy(trainer, to, from, bytes, cudaMemcpyHostToDevice);
}

static nr_status copy_down(struct trainer *trainer, void *to, const void *from, size_t bytes)
{
    return copy(trainer, to, from, bytes, cudaMemcpyDeviceToHost);
}

/* ---- states ---- */

/* Vectors in the device's layout, on their way. */
struct passage {
    size_t values, buffers; /* floats: parameters and slots, one behind the other; buffers */
    float *value, *buffer;
};

static nr_status passage_create(const struct trainer *trainer, struct passage *out)
{
    const struct layout *layout = &trainer->blueprint.layout;
    size_t vectors = (size_t)recipe_optimizer_slots(trainer->setup.recipe) + 1;
    *out = (struct passage){.values = vectors * (size_t)layout->parameters, .buffers = (size_t)layout->buffers};
    out->value = mem_array(out->values, sizeof *out->value);
    out->buffer = mem_array(out->buffers, sizeof *out->buffer);
    return out->value && out->buffer ? NR_OK : log_no_memory(trainer->device->log, "copying a trainer's state");
}

static void passage_clear(struct passage *passage)
{
    free(passage->value);
    free(passage->buffer);
}

static nr_status bring(struct trainer *trainer, const struct passage *passage)
{
    const struct vectors *vectors = &trainer->blueprint.vectors;
    nr_status status = copy_down(trainer, passage->value, vectors->parameter, passage->values * sizeof(float));
    if (status == NR_OK)
        status = copy_down(trainer, passage->buffer, vectors->buffer, passage->buffers * sizeof(float));
    return status == NR_OK ? device_wait(trainer->device, trainer->lane->stream) : status;
}

static void collect(const struct trainer *trainer, const struct passage *passage, struct trial_state *state)
{
    const struct layout *layout = &trainer->blueprint.layout;
    layout_collect_parameters(layout, passage->value, state->parameter);
    layout_collect_buffers(layout, passage->buffer, state->buffer);
    for (int64_t i = 0; i < state->slots; i++)
        layout_collect_parameters(layout, passage->value + (i + 1) * layout->parameters,
                                  state->slot + i * state->parameters);
    state->step = trainer->progress.step;
}

nr_status trainer_read_state(struct trainer *trainer, struct trial_state *out)
{
    struct passage passage = {0};
    struct trial_state state = {0};
    nr_status status = trainer_drain(trainer);
    if (status == NR_OK)
        status = passage_create(trainer, &passage);
    if (status == NR_OK) {
        status = bring(trainer, &passage);
        if (status != NR_OK)
            (void)trainer_fail(trainer, status);
    }
    if (status == NR_OK &&
        trial_state_create(trainer->setup.plan, recipe_optimizer_slots(trainer->setup.recipe), &state) != NR_OK)
        status = log_no_memory(trainer->device->log, "reading a trainer's state");
    if (status == NR_OK) {
        collect(trainer, &passage, &state);
        *out = state;
    }
    passage_clear(&passage);
    return status;
}

static void spread(const struct trainer *trainer, const struct trial_state *state, const struct passage *passage)
{
    const struct layout *layout = &trainer->blueprint.layout;
    layout_spread_parameters(layout, state->parameter, passage->value);
    layout_spread_buffers(layout, state->buffer, passage->buffer);
    for (int64_t i = 0; i < state->slots; i++)
        layout_spread_parameters(layout, state->slot + i * state->parameters,
                                 passage->value + (i + 1) * layout->parameters);
}

static nr_status send(struct trainer *trainer, const struct passage *passage, int64_t step)
{
    const struct vectors *vectors = &trainer->blueprint.vectors;
    const struct k_state start = {.step = step, .failed_at = -1};
    nr_status status = copy_up(trainer, vectors->parameter, passage->value, passage->values * sizeof(float));
    if (status == NR_OK)
        status = copy_up(trainer, vectors->buffer, passage->buffer, passage->buffers * sizeof(float));
    if (status == NR_OK)
        status = copy_up(trainer, vectors->state, &start, sizeof start);
    return status == NR_OK ? device_wait(trainer->device, trainer->lane->stream) : status;
}

nr_status trainer_write_state(struct trainer *trainer, const struct trial_state *state)
{
    struct passage passage = {0};
    nr_status status = trainer_drain(trainer);
    if (status == NR_OK)
        status = passage_create(trainer, &passage);
    if (status == NR_OK) {
        spread(trainer, state, &passage);
        status = send(trainer, &passage, state->step);
        if (status != NR_OK)
            (void)trainer_fail(trainer, status);
    }
    passage_clear(&passage);
    if (status != NR_OK)
        return status;
    trainer->submitted = trainer->enqueued = state->step;
    trainer->progress = (struct progress){.step = state->step};
    trainer->resets++;
    feed_restart(&trainer->feed, trainer_position(trainer, state->step));
    return NR_OK;
}

/* ---- evaluation ---- */

/* One batch: `count` indices from place `from` of those that are on the device; the rest of its rows is blank. */
static nr_status evaluate_batch(struct trainer *trainer, const struct images *images, int64_t from, int64_t count)
{
    const struct network *network = trainer->blueprint.evaluation;
    const struct vectors *vectors = &trainer->blueprint.vectors;
    struct failure *failure = &trainer->device->failure;
    cudaStream_t stream = trainer->lane->stream;
    TRY_CUDA(failure, k_gather_indexed(&images->view, vectors->index + from, count, vectors->scale, vectors->shift,
                                       network->setup.rows, network->input->data, vectors->label, stream));
    nr_status status = network_enqueue(network);
    if (status != NR_OK)
        return status;
    TRY_CUDA(failure, k_evaluate(network->logits->data, vectors->label, count, network->logits->features,
                                 vectors->evaluation, stream));
    return NR_OK;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* At most EVALUATION_INDICES images. `logits` [count][classes] may be NULL. */
static nr_status evaluate_piece(struct trainer *trainer, const struct images *images, const uint32_t *indices,
                                int64_t count, float *logits)
{
    const struct network *network = trainer->blueprint.evaluation;
    const struct vectors *vectors = &trainer->blueprint.vectors;
    int64_t classes = network->logits->features, rows = network->setup.rows;
    nr_status status = copy_up(trainer, vectors->index, indices, (size_t)count * sizeof *indices);
    for (int64_t from = 0; status == NR_OK && from < count; from += rows) {
        int64_t taken = smaller(rows, count - from);
        status = evaluate_batch(trainer, images, from, taken);
        if (status == NR_OK && logits)
            status = copy_down(trainer, logits + from * classes, network->logits->data,
                               (size_t)(taken * classes) * sizeof *logits);
    }
    return status == NR_OK ? device_wait(trainer->device, trainer->lane->stream) : status;
}

static nr_status begin_evaluation(struct trainer *trainer)
{
    const struct vectors *vectors = &trainer->blueprint.vectors;
    struct failure *failure = &trainer->device->failure;
    cudaStream_t stream = trainer->lane->stream;
    TRY_CUDA(failure, cudaMemsetAsync(vectors->evaluation, 0, sizeof *vectors->evaluation, stream));
    if (vectors->half)
        TRY_CUDA(failure, k_to_bf16(vectors->parameter, vectors->half, trainer->blueprint.layout.parameters, stream));
    return NR_OK;
}

static nr_status run_evaluation(struct trainer *trainer, const struct images *images, const uint32_t *indices,
                                int64_t count, float *logits)
{
    int64_t classes = trainer->setup.plan->classes;
    nr_status status = begin_evaluation(trainer);
    for (int64_t from = 0; status == NR_OK && from < count; from += EVALUATION_INDICES)
        status = evaluate_piece(trainer, images, indices + from, smaller(EVALUATION_INDICES, count - from),
                                logits ? logits + from * classes : NULL);
    if (status == NR_OK)
        status = copy_down(trainer, &trainer->pinned->evaluation, trainer->blueprint.vectors.evaluation,
                           sizeof(struct k_evaluation));
    if (status == NR_OK)
        status = device_wait(trainer->device, trainer->lane->stream);
    return status == NR_OK ? NR_OK : trainer_fail(trainer, status);
}

nr_status trainer_evaluate(struct trainer *trainer, const struct images *images, const uint32_t *indices, int64_t count,
                           struct evaluation *out)
{
    nr_status status = trainer_drain(trainer);
    if (status == NR_OK)
        status = run_evaluation(trainer, images, indices, count, NULL);
    if (status != NR_OK)
        return status;
    const struct k_evaluation *found = &trainer->pinned->evaluation;
    *out = (struct evaluation){.images = found->images, .correct = found->correct, .loss_sum = found->loss_sum};
    return NR_OK;
}

nr_status trainer_predict(struct trainer *trainer, const struct images *images, const uint32_t *indices, int64_t count,
                          float *logits)
{
    nr_status status = trainer_drain(trainer);
    return status == NR_OK ? run_evaluation(trainer, images, indices, count, logits) : status;
}
