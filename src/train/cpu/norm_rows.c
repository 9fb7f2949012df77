/* Batch norm behind a dense layer: every feature over the rows of the batch. */
#include "train/cpu/network.h"

#include <math.h>
#include <string.h>

static const double epsilon = 1e-5, keep = 0.9; /* running = keep * running + (1 - keep) * batch */

static void place(struct network *network, struct step *step, struct arena *arena)
{
    (void)network;
    struct norm_rows_step *state = step->state;
    real **const rows[] = {&state->mean, &state->inverse, &state->scale, &state->shift, &state->sum, &state->product};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        *rows[i] = arena_take(arena, round_to_lanes(step->output->features), sizeof(real));
}

/* Mean and biased variance of the batch in two passes; the running variance takes the unbiased one. */
static void measure(struct network *network, struct step *step)
{
    struct norm_rows_step *state = step->state;
    const struct value *x = step->input;
    size_t count = network->count;
    real *running = network->buffer + step->layer->buffer;
    const vec share = vec_set(1 / (real)count);
    for (size_t i = 0; i < x->pitch; i += LANES) {
        vec mean = vec_zero(), variance = vec_zero();
        for (size_t row = 0; row < count; row++)
            mean += vec_load(x->data + row * x->pitch + i);
        mean *= share;
        for (size_t row = 0; row < count; row++) {
            vec difference = vec_load(x->data + row * x->pitch + i) - mean;
            variance += difference * difference;
        }
        vec_store(state->mean + i, mean);
        vec_store(state->inverse + i, variance * share);
    }
    double unbiased = count > 1 ? (double)count / (double)(count - 1) : 1;
    for (size_t i = 0; i < x->features; i++) {
        real *mean = running + i, *variance = running + x->features + i;
        *mean = (real)(keep * (double)*mean + (1 - keep) * (double)state->mean[i]);
        *variance = (real)(keep * (double)*variance + (1 - keep) * unbiased * (double)state->inverse[i]);
    }
}

static void forward(struct network *network, struct step *step, size_t block)
{
    (void)block;
    struct norm_rows_step *state = step->state;
    const struct value *x = step->input, *y = step->output;
    const real *gamma = network->parameter + step->layer->weight, *beta = network->parameter + step->layer->bias_at;
    const real *running = network->buffer + step->layer->buffer;
    if (network->training) {
        measure(network, step);
    } else {
        memcpy(state->mean, running, x->features * sizeof *running);
        memcpy(state->inverse, running + x->features, x->features * sizeof *running);
    }
    for (size_t i = 0; i < x->features; i++) {
        state->inverse[i] = (real)(1 / sqrt((double)state->inverse[i] + epsilon));
        state->scale[i] = gamma[i] * state->inverse[i];
        state->shift[i] = beta[i] - state->mean[i] * state->scale[i];
    }
    for (size_t row = 0; row < network->count; row++)
        for (size_t i = 0; i < x->pitch; i += LANES)
            vec_store(y->data + row * y->pitch + i,
                      vec_load(x->data + row * x->pitch + i) * vec_load(state->scale + i) + vec_load(state->shift + i));
}

/* dx = scale (dy - mean(dy) - x_hat mean(dy x_hat)) */
static void backward(struct network *network, struct step *step, size_t block, real *target)
{
    (void)block;
    struct norm_rows_step *state = step->state;
    const struct value *x = step->input, *y = step->output;
    const real *dy = y->gradient;
    const vec share = vec_set(1 / (real)network->count);
    for (size_t i = 0; i < x->pitch; i += LANES) {
        const vec mean = vec_load(state->mean + i), inverse = vec_load(state->inverse + i);
        const vec scale = vec_load(state->scale + i);
        vec sum = vec_zero(), product = vec_zero();
        for (size_t row = 0; row < network->count; row++) {
            vec gradient = vec_load(dy + row * y->gradient_pitch + i);
            sum += gradient;
            product += gradient * ((vec_load(x->data + row * x->pitch + i) - mean) * inverse);
        }
        vec_store(state->sum + i, sum);
        vec_store(state->product + i, product);
        sum *= share;
        product *= share;
        for (size_t row = 0; target && row < network->count; row++) {
            vec normal = (vec_load(x->data + row * x->pitch + i) - mean) * inverse;
            vec gradient = vec_load(dy + row * y->gradient_pitch + i);
            vec_store(target + row * x->gradient_pitch + i, scale * (gradient - sum - normal * product));
        }
    }
    memcpy(network->gradient + step->layer->weight, state->product, x->features * sizeof *dy);
    memcpy(network->gradient + step->layer->bias_at, state->sum, x->features * sizeof *dy);
}

const struct step_kind step_norm_rows = {
    .name = "batch norm of rows", .place = place, .forward = forward, .backward = backward};
