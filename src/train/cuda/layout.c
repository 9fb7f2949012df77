#include "train/cuda/layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* The place of a tensor at the end of what is placed already. */
static int64_t append(int64_t *used, int64_t count)
{
    int64_t place = *used;
    *used += (count + LAYOUT_ALIGNMENT - 1) / LAYOUT_ALIGNMENT * LAYOUT_ALIGNMENT;
    return place;
}

nr_status layout_create(const struct plan *plan, struct layout *out)
{
    struct layout layout = {.plan = plan, .layer = mem_array(plan->count, sizeof *layout.layer)};
    if (!layout.layer)
        return NR_NO_MEMORY;
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_layer *layer = &plan->layer[i];
        layout.layer[i].weight = append(&layout.parameters, layer->weights);
        layout.layer[i].bias = append(&layout.parameters, layer->biases);
        layout.layer[i].mean = append(&layout.buffers, layer->buffers / 2);
        layout.layer[i].variance = append(&layout.buffers, layer->buffers / 2);
    }
    *out = layout;
    return NR_OK;
}

void layout_clear(struct layout *layout)
{
    free(layout->layer);
    *layout = (struct layout){0};
}

static void copy(float *to, const float *from, int64_t count)
{
    memcpy(to, from, (size_t)count * sizeof *to);
}

void layout_spread_parameters(const struct layout *layout, const float *plan_values, float *device_values)
{
    memset(device_values, 0, (size_t)layout->parameters * sizeof *device_values);
    for (size_t i = 0; i < layout->plan->count; i++) {
        const struct plan_layer *layer = &layout->plan->layer[i];
        copy(device_values + layout->layer[i].weight, plan_values + layer->weight, layer->weights);
        copy(device_values + layout->layer[i].bias, plan_values + layer->bias_at, layer->biases);
    }
}

void layout_collect_parameters(const struct layout *layout, const float *device_values, float *plan_values)
{
    for (size_t i = 0; i < layout->plan->count; i++) {
        const struct plan_layer *layer = &layout->plan->layer[i];
        copy(plan_values + layer->weight, device_values + layout->layer[i].weight, layer->weights);
        copy(plan_values + layer->bias_at, device_values + layout->layer[i].bias, layer->biases);
    }
}

void layout_spread_buffers(const struct layout *layout, const float *plan_values, float *device_values)
{
    memset(device_values, 0, (size_t)layout->buffers * sizeof *device_values);
    for (size_t i = 0; i < layout->plan->count; i++) {
        const struct plan_layer *layer = &layout->plan->layer[i];
        int64_t half = layer->buffers / 2;
        copy(device_values + layout->layer[i].mean, plan_values + layer->buffer, half);
        copy(device_values + layout->layer[i].variance, plan_values + layer->buffer + half, half);
    }
}

void layout_collect_buffers(const struct layout *layout, const float *device_values, float *plan_values)
{
    for (size_t i = 0; i < layout->plan->count; i++) {
        const struct plan_layer *layer = &layout->plan->layer[i];
        int64_t half = layer->buffers / 2;
        copy(plan_values + layer->buffer, device_values + layout->layer[i].mean, half);
        copy(plan_values + layer->buffer + half, device_values + layout->layer[i].variance, half);
    }
}
