/* The state of a trial: vectors in the plan's layout, and what they hold before the first step. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "kernels/math/random.h"
#include "train/backend.h"

nr_status trial_state_create(const struct plan *plan, int64_t slots, struct trial_state *out)
{
    struct trial_state state = {.parameters = plan->parameters, .buffers = plan->buffers, .slots = slots};
    size_t slot_values;
    if (__builtin_mul_overflow((size_t)slots, (size_t)plan->parameters, &slot_values))
        return NR_NO_MEMORY;
    state.parameter = mem_array((size_t)plan->parameters, sizeof *state.parameter);
    state.buffer = mem_array((size_t)plan->buffers, sizeof *state.buffer);
    state.slot = mem_array(slot_values, sizeof *state.slot);
    if (!state.parameter || !state.buffer || !state.slot) {
        trial_state_clear(&state);
        return NR_NO_MEMORY;
    }
    *out = state;
    return NR_OK;
}

void trial_state_clear(struct trial_state *state)
{
    free(state->parameter);
    free(state->buffer);
    free(state->slot);
    *state = (struct trial_state){0};
}

/* Bound of the uniform distribution: variance 2 / fan_in (He et al. 2015), 2 / (fan_in + fan_out) (Glorot and Bengio
 * 2010), or 1 / (3 fan_in), PyTorch's default; a uniform distribution on [-b, b] has the variance b^2 / 3. */
static double weight_bound(const struct plan_layer *layer, enum initialisation_kind kind)
{
    int64_t outputs = layer->out.channels;
    double area = layer->kind == OP_CONV ? (double)layer->kernel_height * (double)layer->kernel_width : 1;
    double fan_in = (double)layer->weights / (double)outputs;
    double fan_out = layer->kind == OP_CONV ? (double)outputs / (double)layer->groups * area : (double)outputs;
    if (kind == INITIALISATION_SMALL)
        return sqrt(1 / fan_in);
    return sqrt(6 / (kind == INITIALISATION_HE ? fan_in : fan_in + fan_out));
}

/* Uniform and not normal: it takes nothing but exact arithmetic and one square root, so that the initial weights are
 * the same bits with every compiler, mathematical library and device. Element e takes word e % 4 of block e / 4. */
static void fill_weights(float *weight, const struct plan_layer *layer, double bound, uint64_t seed, uint32_t trial)
{
    uint32_t words[4];
    for (int64_t e = 0; e < layer->weights; e++) {
        if (e % 4 == 0)
            random_block(seed, trial, RANDOM_INITIAL, layer->stream, 0, (uint32_t)(e / 4), words);
        double unit = ((double)(words[e % 4] >> 8) + 0.5) * 0x1p-24; /* symmetric within (0,1) */
        weight[e] = (float)((2 * unit - 1) * bound);
    }
}

static void fill(float *array, int64_t count, float value)
{
    for (int64_t i = 0; i < count; i++)
        array[i] = value;
}

void trial_state_initialise(struct trial_state *state, const struct plan *plan, const struct recipe *recipe,
                            uint64_t seed, uint32_t trial)
{
    state->step = 0;
    memset(state->slot, 0, (size_t)state->slots * (size_t)state->parameters * sizeof *state->slot);
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_layer *layer = &plan->layer[i];
        float *weight = state->parameter + layer->weight;
        if (layer->kind == OP_BATCHNORM) {
            fill(weight, layer->weights, 1);
            fill(state->buffer + layer->buffer, layer->buffers / 2, 0);
            fill(state->buffer + layer->buffer + layer->buffers / 2, layer->buffers / 2, 1);
        } else if (layer->weights) {
            fill_weights(weight, layer, weight_bound(layer, recipe->initialisation), seed, trial);
        }
        fill(state->parameter + layer->bias_at, layer->biases, 0);
    }
}
