#include "train/cuda/trainer.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "train/cuda/rates.h"

/* ---- what it needs ---- */

/* The share of one rank, and a pass of as many images as an epoch has: what it is unless data.epoch_images says
 * otherwise, and then the difference is a few bytes per image. */
int64_t trainer_memory(const struct device *device, const struct plan *plan, const struct recipe *recipe)
{
    const struct blueprint_setup setup = {.ranks = 1, .images = recipe->epoch_images, .options = &device->options};
    struct blueprint blueprint;
    if (blueprint_create(plan, recipe, &setup, &blueprint) != NR_OK)
        return -1;
    int64_t bytes = (int64_t)(blueprint.bytes + device_workspace(device));
    blueprint_clear(&blueprint);
    return bytes;
}

int64_t trainer_nodes(const struct trainer *trainer)
{
    return (int64_t)trainer->blueprint.full->nodes;
}

void cuda_trainer_list(const struct trainer *trainer, struct text *text)
{
    network_list(trainer->blueprint.full, text);
}

/* ---- memory ---- */

static nr_status allocate(struct trainer *trainer)
{
    struct failure *failure = &trainer->device->failure;
    struct blueprint *blueprint = &trainer->blueprint;
    size_t order = (size_t)(blueprint->slots * blueprint->images) * sizeof(uint32_t);
    nr_status status = device_take_memory(trainer->device, trainer->setup.lane, blueprint->bytes,
                                          sizeof *trainer->pinned + order, &trainer->memory);
    if (status != NR_OK)
        return status;
    trainer->pinned = trainer->memory.pinned;
    blueprint_place(blueprint, trainer->memory.arena);
    for (int i = 0; i < TRAINER_MARKS; i++)
        TRY_CUDA(failure, cudaEventCreateWithFlags(&trainer->mark[i].event, cudaEventDisableTiming));
    return feed_create(&trainer->setup, blueprint, (uint32_t *)(void *)(trainer->pinned + 1), failure, &trainer->feed);
}

/* ---- networks ---- */

static struct k_update describe_update(const struct trainer *trainer, const struct network *network)
{
    const struct vectors *vectors = &trainer->blueprint.vectors;
    struct k_update update = {.count = trainer->blueprint.layout.parameters,
                              .parameter = vectors->parameter,
                              .gradient = vectors->gradient,
                              .slot = {vectors->slot[0], vectors->slot[1]},
                              .rates = vectors->rates,
                              .squares = vectors->squares,
                              .arrived = vectors->arrived,
                              .loss = vectors->loss,
                              .loss_scale = network->setup.ranks,
                              .images = network->setup.whole};
    rates_describe(trainer->setup.recipe, &update);
    return update;
}

static nr_status build_network(struct trainer *trainer, struct network *network)
{
    if (!network)
        return NR_OK;
    network->lane = trainer->lane;
    network->vectors = &trainer->blueprint.vectors;
    network->group = trainer_group(trainer);
    network->images = trainer->images->view;
    network->feed = (struct k_feed){.order = trainer->blueprint.vectors.order,
                                    .count = trainer->blueprint.images,
                                    .slots = trainer->blueprint.slots,
                                    .steps_per_epoch = recipe_steps_per_epoch(trainer->setup.recipe),
                                    .epoch_images = trainer->setup.recipe->epoch_images,
                                    .batch = trainer->setup.recipe->batch_size,
                                    .first = network->setup.first};
    network->update = describe_update(trainer, network);
    return network_build(network);
}

static nr_status build_networks(struct trainer *trainer)
{
    nr_status status = build_network(trainer, trainer->blueprint.full);
    if (status == NR_OK)
        status = build_network(trainer, trainer->blueprint.last);
    return status == NR_OK ? build_network(trainer, trainer->blueprint.evaluation) : status;
}

/* ---- what does not change ---- */

static void fill_constants(const struct trainer *trainer, struct k_rate *rates, float *scale, float *shift)
{
    const struct split *split = trainer->setup.split;
    for (int64_t i = 0; i < trainer->blueprint.steps; i++)
        rates[i] = rates_at(trainer->setup.recipe, i);
    for (int64_t i = 0; i < trainer->setup.plan->input.channels; i++) {
        scale[i] = (float)(1 / (255 * (double)split->deviation[i]));
        shift[i] = (float)(-(double)split->mean[i] / (double)split->deviation[i]);
    }
}

/* Waits: where a device reads the host's pageable memory by itself, it may do so after the call has returned. */
static nr_status copy_constants(struct trainer *trainer, const struct k_rate *rates, const float *scale,
                                const float *shift)
{
    const struct vectors *vectors = &trainer->blueprint.vectors;
    struct failure *failure = &trainer->device->failure;
    cudaStream_t stream = trainer->lane->stream;
    size_t channels = (size_t)trainer->setup.plan->input.channels * sizeof *scale;
    TRY_CUDA(failure, cudaMemsetAsync(trainer->memory.arena, 0, trainer->blueprint.bytes, stream));
    TRY_CUDA(failure, cudaMemcpyAsync(vectors->rates, rates, (size_t)trainer->blueprint.steps * sizeof *rates,
                                      cudaMemcpyHostToDevice, stream));
    TRY_CUDA(failure, cudaMemcpyAsync(vectors->scale, scale, channels, cudaMemcpyHostToDevice, stream));
    TRY_CUDA(failure, cudaMemcpyAsync(vectors->shift, shift, channels, cudaMemcpyHostToDevice, stream));
    return device_wait(trainer->device, stream);
}

static nr_status upload_constants(struct trainer *trainer)
{
    size_t channels = (size_t)trainer->setup.plan->input.channels;
    struct k_rate *rates = mem_array((size_t)trainer->blueprint.steps, sizeof *rates);
    float *scale = mem_array(channels, sizeof *scale), *shift = mem_array(channels, sizeof *shift);
    nr_status status = NR_OK;
    if (!rates || !scale || !shift)
        status = failure_note(&trainer->device->failure, NR_NO_MEMORY, "out of memory for the learning rates");
    if (status == NR_OK) {
        fill_constants(trainer, rates, scale, shift);
        status = copy_constants(trainer, rates, scale, shift);
    }
    free(rates);
    free(scale);
    free(shift);
    return status;
}

/* Every node of a training step once, outside of a capture: there the libraries and the driver load code and connect
 * ranks, which a capture forbids. It works on memory full of zeros (order 0: the first image), before the state of the
 * trial is written over what it leaves. */
static nr_status warm_up(struct trainer *trainer)
{
    nr_status status = network_enqueue(trainer->blueprint.full);
    if (status == NR_OK && trainer->blueprint.last)
        status = network_enqueue(trainer->blueprint.last);
    return status == NR_OK ? device_wait(trainer->device, trainer->lane->stream) : status;
}

static nr_status initialise(struct trainer *trainer)
{
    const struct trainer_setup *setup = &trainer->setup;
    struct trial_state state;
    nr_status status = trial_state_create(setup->plan, recipe_optimizer_slots(setup->recipe), &state);
    if (status != NR_OK)
        return failure_note(&trainer->device->failure, status, "out of memory for the initial weights");
    trial_state_initialise(&state, setup->plan, setup->recipe, setup->seed, setup->trial);
    status = trainer_write_state(trainer, &state);
    trial_state_clear(&state);
    return status == NR_OK ? NR_OK : failure_note(&trainer->device->failure, status, "%s", trainer->cause);
}

/* ---- making and unmaking ---- */

static nr_status check_images(struct device *device, const struct images *images, const struct plan *plan)
{
    const struct shape *expected = &plan->input, *found = &images->shape;
    if (expected->channels == found->channels && expected->height == found->height && expected->width == found->width)
        return NR_OK;
    log_error(device->log, "the network reads images of %lldx%lldx%lld, but the data set's are %lldx%lldx%lld",
              (long long)expected->channels, (long long)expected->height, (long long)expected->width,
              (long long)found->channels, (long long)found->height, (long long)found->width);
    return NR_INVALID;
}

static nr_status check_setup(struct device *device, const struct trainer_setup *setup)
{
    int ranks = setup->ranks > 1 ? setup->ranks : 1;
    if (!device_supports(device, setup->recipe->precision)) {
        log_error(device->log, "%s cannot compute in the precision that the recipe asks for (compute capability %d.%d)",
                  device->name, device->capability / 10, device->capability % 10);
        return NR_INVALID;
    }
    if (ranks > 1 && (!device->group || device->ranks != ranks || device->rank != setup->rank)) {
        log_error(device->log, "rank %d of %d is to be trained on a device that joined as rank %d of %d", setup->rank,
                  ranks, device->rank, device->ranks);
        return NR_INVALID;
    }
    if (setup->lane < 0 || setup->lane >= DEVICE_MOST_LANES) {
        log_error(device->log, "lane %d is asked for: there are %d", setup->lane, DEVICE_MOST_LANES);
        return NR_INVALID;
    }
    return NR_OK;
}

static nr_status plan_trainer(struct trainer *trainer)
{
    const struct trainer_setup *setup = &trainer->setup;
    const struct blueprint_setup blueprint = {.seed = setup->seed,
                                              .trial = setup->trial,
                                              .rank = setup->ranks > 1 ? setup->rank : 0,
                                              .ranks = setup->ranks > 1 ? setup->ranks : 1,
                                              .images = setup->split->trainings,
                                              .options = &trainer->device->options};
    nr_status status = blueprint_create(setup->plan, setup->recipe, &blueprint, &trainer->blueprint);
    return status == NR_OK ? NR_OK
                           : failure_note(&trainer->device->failure, status, "out of memory while planning a trial");
}

static nr_status prepare(struct trainer *trainer)
{
    struct device *device = trainer->device;
    TRY_CUDA(&device->failure, cudaSetDevice(device->number));
    nr_status status = plan_trainer(trainer);
    if (status == NR_OK)
        status = device_make_room(device, trainer->setup.lane, trainer->blueprint.bytes);
    if (status == NR_OK)
        status = device_lane(device, trainer->setup.lane, &trainer->lane);
    if (status == NR_OK)
        status = allocate(trainer);
    if (status == NR_OK)
        status = build_networks(trainer);
    if (status == NR_OK)
        status = upload_constants(trainer);
    if (status == NR_OK)
        status = warm_up(trainer);
    if (status == NR_OK)
        status = graph_capture_all(trainer);
    return status == NR_OK ? initialise(trainer) : status;
}

nr_status trainer_create(struct device *device, struct images *images, const struct trainer_setup *setup,
                         struct trainer **out)
{
    nr_status status = device_check(device);
    if (status != NR_OK)
        return device_report(device, status, "creating a trainer");
    status = check_images(device, images, setup->plan);
    if (status == NR_OK)
        status = check_setup(device, setup);
    if (status != NR_OK)
        return status;
    struct trainer *trainer = mem_array(1, sizeof *trainer);
    if (!trainer)
        return log_no_memory(device->log, "creating a trainer");
    *trainer = (struct trainer){.device = device, .images = images, .setup = *setup, .alive = clock_monotonic()};
    device->trainers[setup->lane]++;
    status = prepare(trainer);
    if (status != NR_OK) {
        status = device_report(device, status, "creating a trainer");
        trainer_leave_group(trainer);
        trainer_destroy(trainer);
        return status;
    }
    *out = trainer;
    return NR_OK;
}

static void destroy_graphs(struct trainer *trainer)
{
    cudaGraphExec_t graphs[] = {trainer->many, trainer->one, trainer->last};
    for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++)
        if (graphs[i])
            cudaGraphExecDestroy(graphs[i]); /* one that runs is let finish */
    trainer->many = trainer->one = trainer->last = NULL;
}

void trainer_leave_group(struct trainer *trainer)
{
    if (!trainer_group(trainer) || device_check(trainer->device) != NR_OK)
        return;
    destroy_graphs(trainer);
    collective_abort(trainer->device->group);
}

/* What is still running is waited for, since it works on the memory that is given back. Of a device that does not
 * answer no memory is given back: the call would wait for ever, and the process is about to end. */
void trainer_destroy(struct trainer *trainer)
{
    if (!trainer)
        return;
    struct device *device = trainer->device;
    if (trainer->lane && device_check(device) == NR_OK && device_wait(device, trainer->lane->stream) != NR_OK) {
        failure_clear(&device->failure);
        trainer_leave_group(trainer);
    }
    if (!device->hung) {
        destroy_graphs(trainer);
        device_return_memory(device, trainer->setup.lane, &trainer->memory);
    }
    blueprint_clear(&trainer->blueprint);
    feed_clear(&trainer->feed);
    for (int i = 0; i < TRAINER_MARKS; i++)
        if (trainer->mark[i].event)
            cudaEventDestroy(trainer->mark[i].event);
    (void)cudaGetLastError();
    device->trainers[trainer->setup.lane]--;
    free(trainer);
}
