#include "train/tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static struct tensor *append(struct tensors *tensors, float *values, int64_t count)
{
    struct tensor *tensor = &tensors->tensor[tensors->count++];
    tensor->values = values;
    tensor->count = tensor->shape[0] = count;
    tensor->dimensions = 1;
    return tensor;
}

static struct tensor *append_part(struct tensors *tensors, const struct plan *plan, size_t layer, const char *part,
                                  float *values, int64_t count)
{
    struct tensor *tensor = append(tensors, values, count);
    struct text name = {0};
    plan_append_tensor_name(plan, layer, part, &name);
    snprintf(tensor->name, sizeof tensor->name, "%s", name.data ? name.data : "");
    text_clear(&name);
    return tensor;
}

static void shape_weight(struct tensor *tensor, const struct plan_layer *layer)
{
    int64_t outputs = layer->out.channels;
    if (layer->kind == OP_DENSE) {
        tensor->shape[0] = layer->weights / outputs;
        tensor->shape[1] = outputs;
        tensor->dimensions = 2;
    } else if (layer->kind == OP_CONV) {
        int64_t shape[] = {outputs, layer->in.channels / layer->groups, layer->kernel_height, layer->kernel_width};
        memcpy(tensor->shape, shape, sizeof shape);
        tensor->dimensions = 4;
    }
}

static void append_layer(struct tensors *tensors, const struct plan *plan, size_t i, const struct trial_state *state)
{
    const struct plan_layer *layer = &plan->layer[i];
    int64_t half = layer->buffers / 2;
    float *buffer = state->buffer + layer->buffer;
    if (layer->weights)
        shape_weight(append_part(tensors, plan, i, "weight", state->parameter + layer->weight, layer->weights), layer);
    if (layer->biases)
        append_part(tensors, plan, i, "bias", state->parameter + layer->bias_at, layer->biases);
    if (half) {
        append_part(tensors, plan, i, "mean", buffer, half);
        append_part(tensors, plan, i, "variance", buffer + half, half);
    }
}

nr_status tensors_create(const struct plan *plan, const struct trial_state *state, bool with_optimizer,
                         struct tensors *out)
{
    struct tensors tensors = {0};
    size_t slots = with_optimizer ? (size_t)state->slots : 0;
    tensors.tensor = mem_array(4 * plan->count + slots, sizeof *tensors.tensor);
    if (!tensors.tensor)
        return NR_NO_MEMORY;
    for (size_t i = 0; i < plan->count; i++)
        append_layer(&tensors, plan, i, state);
    for (size_t k = 0; k < slots; k++) {
        struct tensor *slot = append(&tensors, state->slot + (int64_t)k * state->parameters, state->parameters);
        snprintf(slot->name, sizeof slot->name, "optimizer.%zu", k);
    }
    *out = tensors;
    return NR_OK;
}

void tensors_clear(struct tensors *tensors)
{
    free(tensors->tensor);
    *tensors = (struct tensors){0};
}
