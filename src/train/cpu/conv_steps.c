/* Convolution, pooling and batch norm as steps of a network, one block at a time. */
#include "train/cpu/network.h"

#include <string.h>

static void conv_place(struct network *network, struct step *step, struct arena *arena)
{
    struct conv_step *state = step->state;
    conv_prepare(step->layer, &state->conv);
    state->packed = arena_take(arena, state->conv.packed, sizeof(real));
    network_scratch(network, state->conv.scratch);
}

static void conv_begin(struct network *network, struct step *step)
{
    struct conv_step *state = step->state;
    const struct plan_layer *layer = step->layer;
    conv_pack(&state->conv, network->parameter + layer->weight, network->training && step->input->wants_gradient,
              state->packed);
    if (!network->training)
        return;
    memset(network->gradient + layer->weight, 0, (size_t)layer->weights * sizeof(real));
    memset(network->gradient + layer->bias_at, 0, (size_t)layer->biases * sizeof(real));
}

static void conv_step_forward(struct network *network, struct step *step, size_t block)
{
    const struct conv_step *state = step->state;
    conv_forward(&state->conv, state->packed, step->layer->bias ? network->parameter + step->layer->bias_at : NULL,
                 state->relu, value_data(step->input, block), 1, value_data(step->output, block), network->scratch);
}

static void conv_step_backward(struct network *network, struct step *step, size_t block, real *target)
{
    const struct conv_step *state = step->state;
    const struct plan_layer *layer = step->layer;
    const real *dy = value_gradient(step->output, block);
    conv_backward_weights(&state->conv, value_data(step->input, block), dy, 1, network->gradient + layer->weight,
                          layer->bias ? network->gradient + layer->bias_at : NULL, network->scratch);
    if (target)
        conv_backward_data(&state->conv, state->packed, dy, 1, target, network->scratch);
}

static void pool_place(struct network *network, struct step *step, struct arena *arena)
{
    struct pool_step *state = step->state;
    pool_prepare(step->layer, state->pool.relu, &state->pool);
    state->trace = arena_take(arena, network->capacity / LANES * state->pool.trace, 1);
}

static void pool_step_forward(struct network *network, struct step *step, size_t block)
{
    const struct pool_step *state = step->state;
    pool_forward(&state->pool, NULL, NULL, value_data(step->input, block), 1, value_data(step->output, block),
                 network->training ? state->trace + block * state->pool.trace : NULL);
}

static void pool_step_backward(struct network *network, struct step *step, size_t block, real *target)
{
    (void)network;
    const struct pool_step *state = step->state;
    if (target)
        pool_backward(&state->pool, state->trace + block * state->pool.trace, value_gradient(step->output, block), 1,
                      target);
}

/* The state's owner; the others only use it. `layer` of all of them is the batch norm, but that of norm_pool. */
static void observe_place(struct network *network, struct step *step, struct arena *arena)
{
    struct norm_step *state = step->state;
    batchnorm_prepare(step->layer, state->relu, arena, &state->norm);
    if (state->pooled)
        state->trace = arena_take(arena, network->capacity / LANES * state->pool.trace, 1);
}

static void observe_begin(struct network *network, struct step *step)
{
    struct norm_step *state = step->state;
    const struct plan_layer *layer = step->layer;
    if (!network->training)
        return;
    batchnorm_start(&state->norm);
    memset(network->gradient + layer->weight, 0, (size_t)layer->weights * sizeof(real));
    memset(network->gradient + layer->bias_at, 0, (size_t)layer->biases * sizeof(real));
}

static void observe_forward(struct network *network, struct step *step, size_t block)
{
    struct norm_step *state = step->state;
    if (network->training)
        batchnorm_observe(&state->norm, value_data(step->input, block), lanes_in_block(network->count, block));
}

static void observe_backward(struct network *network, struct step *step, size_t block, real *target)
{
    const struct norm_step *state = step->state;
    if (target)
        batchnorm_backward(&state->norm, state->pooled ? &state->pool : NULL,
                           state->pooled ? state->trace + block * state->pool.trace : NULL,
                           value_data(step->input, block), value_gradient(step->output, block),
                           lanes_in_block(network->count, block), target);
}

static void finish_forward(struct network *network, struct step *step, size_t block)
{
    (void)block;
    struct norm_step *state = step->state;
    const struct plan_layer *layer = step->layer;
    const real *gamma = network->parameter + layer->weight, *beta = network->parameter + layer->bias_at;
    real *mean = network->buffer + layer->buffer, *variance = mean + layer->in.channels;
    if (network->training)
        batchnorm_finish(&state->norm, gamma, beta, mean, variance);
    else
        batchnorm_evaluate(&state->norm, gamma, beta, mean, variance);
}

static void finish_backward(struct network *network, struct step *step, size_t block, real *target)
{
    (void)block;
    (void)target;
    struct norm_step *state = step->state;
    const struct plan_layer *layer = step->layer;
    batchnorm_gradients(&state->norm, network->parameter + layer->weight, network->gradient + layer->weight,
                        network->gradient + layer->bias_at);
}

static void apply_forward(struct network *network, struct step *step, size_t block)
{
    (void)network;
    const struct norm_step *state = step->state;
    batchnorm_forward(&state->norm, value_data(step->input, block), 1, value_data(step->output, block));
}

static void norm_pool_forward(struct network *network, struct step *step, size_t block)
{
    const struct norm_step *state = step->state;
    pool_forward(&state->pool, state->norm.scale, state->norm.shift, value_data(step->input, block), 1,
                 value_data(step->output, block), network->training ? state->trace + block * state->pool.trace : NULL);
}

/* Of apply and norm_pool. */
static void gather_backward(struct network *network, struct step *step, size_t block, real *target)
{
    (void)network;
    (void)target;
    struct norm_step *state = step->state;
    batchnorm_gather(&state->norm, state->pooled ? &state->pool : NULL,
                     state->pooled ? state->trace + block * state->pool.trace : NULL, value_data(step->input, block),
                     value_gradient(step->output, block), 1);
}

const struct step_kind step_conv = {.name = "conv",
                                    .place = conv_place,
                                    .begin = conv_begin,
                                    .forward = conv_step_forward,
                                    .backward = conv_step_backward};
const struct step_kind step_pool = {
    .name = "pool", .place = pool_place, .forward = pool_step_forward, .backward = pool_step_backward};
const struct step_kind step_norm_observe = {.name = "batch norm: observe",
                                            .place = observe_place,
                                            .begin = observe_begin,
                                            .forward = observe_forward,
                                            .backward = observe_backward};
const struct step_kind step_norm_finish = {
    .name = "batch norm: finish", .forward = finish_forward, .backward = finish_backward};
const struct step_kind step_norm_apply = {
    .name = "batch norm: apply", .forward = apply_forward, .backward = gather_backward};
const struct step_kind step_norm_pool = {
    .name = "batch norm: pool", .forward = norm_pool_forward, .backward = gather_backward};
