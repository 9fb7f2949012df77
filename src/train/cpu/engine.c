/* The variant's table: creating a network, and its state from and to outside. */
#include "train/cpu/engine.h"

#include <stdlib.h>
#include <string.h>

#include "train/cpu/network.h"
#include "train/cpu/variants.h"

#define peak_flops NR_VARIANT(peak_flops)
double peak_flops(double seconds); /* peak.c */

/* Evaluation has no reason for small batches: matrix products like at least so many rows; lanes cost memory per image.
 */
enum { ROWS_TOGETHER = 256, LANES_TOGETHER = 64 };

static void destroy(struct network *network)
{
    if (!network)
        return;
    arena_clear(&network->arena);
    free(network->value);
    free(network->step);
    free(network);
}

static bool has_lanes(const struct network *network)
{
    for (size_t i = 0; i < network->values; i++)
        if (network->value[i].lanes)
            return true;
    return false;
}

/* Compiled, nothing placed. */
static nr_status prepare(const struct network_setup *setup, struct network **out)
{
    struct network *network = mem_array(1, sizeof *network);
    if (!network)
        return NR_NO_MEMORY;
    network->setup = *setup;
    nr_status status = network_compile(network);
    if (status) {
        destroy(network);
        return status;
    }
    size_t together = has_lanes(network) ? LANES_TOGETHER : ROWS_TOGETHER, batch = (size_t)setup->recipe->batch_size;
    network->capacity = round_to_lanes(batch > together ? batch : together);
    network->parameters = round_to_lanes((size_t)setup->plan->parameters);
    network->buffers = round_to_lanes((size_t)setup->plan->buffers);
    network->slots = (size_t)recipe_optimizer_slots(setup->recipe);
    *out = network;
    return NR_OK;
}

static nr_status create(const struct network_setup *setup, struct network **out)
{
    struct network *network;
    nr_status status = prepare(setup, &network);
    if (status)
        return status;
    status = network_place(network);
    if (status) {
        destroy(network);
        return status;
    }
    for (size_t i = 0; i < (size_t)setup->plan->input.channels; i++) {
        network->scale[i] = (real)(1 / (255 * (double)setup->deviation[i]));
        network->shift[i] = (real)(-(double)setup->mean[i] / (double)setup->deviation[i]);
    }
    *out = network;
    return NR_OK;
}

static int64_t bytes(const struct plan *plan, const struct recipe *recipe)
{
    const struct network_setup setup = {.plan = plan, .recipe = recipe};
    struct network *network;
    if (prepare(&setup, &network))
        return -1;
    size_t size = network_measure(network);
    destroy(network);
    return (int64_t)size;
}

static int64_t capacity(const struct network *network)
{
    return (int64_t)network->capacity;
}

static void *vector(struct network *network, enum network_vector which)
{
    switch (which) {
    case NETWORK_PARAMETERS:
        return network->parameter;
    case NETWORK_GRADIENTS:
        return network->gradient;
    case NETWORK_BUFFERS:
        return network->buffer;
    case NETWORK_SLOT_0:
        return network->slot[0];
    case NETWORK_SLOT_1:
        return network->slot[1];
    }
    return NULL;
}

static void to_float(const real *from, int64_t count, float *to)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (float)from[i];
}

static void from_float(const float *from, int64_t count, real *to)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (real)from[i];
}

static void read_state(struct network *network, struct trial_state *out)
{
    to_float(network->parameter, out->parameters, out->parameter);
    to_float(network->buffer, out->buffers, out->buffer);
    for (size_t i = 0; i < network->slots; i++)
        to_float(network->slot[i], out->parameters, out->slot + (int64_t)i * out->parameters);
}

static void write_state(struct network *network, const struct trial_state *state)
{
    from_float(state->parameter, state->parameters, network->parameter);
    from_float(state->buffer, state->buffers, network->buffer);
    for (size_t i = 0; i < network->slots; i++)
        from_float(state->slot + (int64_t)i * state->parameters, state->parameters, network->slot[i]);
}

static bool supported(void)
{
    return cpu_variant_runs(NR_JOIN(CPU, NR_SUFFIX));
}

#define NR_TEXT_(name) #name
#define NR_TEXT(name) NR_TEXT_(name)

const struct cpu_engine NR_VARIANT(cpu_engine) = {
    .name = NR_TEXT(NR_SUFFIX),
    .precision = sizeof(real) == sizeof(double) ? PRECISION_FLOAT64 : PRECISION_FLOAT32,
    .lanes = LANES,
    .supported = supported,
    .create = create,
    .destroy = destroy,
    .bytes = bytes,
    .capacity = capacity,
    .gradient = network_gradient,
    .update = network_update,
    .evaluate = network_evaluate,
    .vector = vector,
    .peak = peak_flops,
    .read = read_state,
    .write = write_state,
};
