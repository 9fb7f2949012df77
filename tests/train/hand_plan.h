/* Plans written by hand, layer by layer, for tests of the backends: no study, no template. */
#ifndef NASRUN_TESTS_HAND_PLAN_H
#define NASRUN_TESTS_HAND_PLAN_H

#include "net/plan.h"

enum { HAND_LAYERS = 32 };

struct hand_plan {
    struct plan plan;
    struct plan_layer layer[HAND_LAYERS];
    uint32_t streams;
};

static inline struct plan_layer *hand_add(struct hand_plan *hand, enum operator_kind kind)
{
    int index = (int)hand->plan.count++;
    struct plan_layer *layer = &hand->layer[index];
    *layer = (struct plan_layer){.kind = kind, .input = index - 1, .skip = PLAN_INPUT};
    hand->plan.layer = hand->layer;
    layer->in = layer->out = index ? hand->layer[index - 1].out : hand->plan.input;
    return layer;
}

static inline void hand_begin(struct hand_plan *hand, int64_t channels, int64_t side, int64_t classes)
{
    *hand = (struct hand_plan){.plan = {.input = {channels, side, side}, .classes = classes}};
    hand->plan.layer = hand->layer;
}

static inline void hand_parameters(struct hand_plan *hand, struct plan_layer *layer, int64_t weights, int64_t biases)
{
    layer->weight = hand->plan.parameters;
    layer->weights = weights;
    layer->bias_at = layer->weight + weights;
    layer->biases = biases;
    hand->plan.parameters += weights + biases;
}

static inline void hand_dense(struct hand_plan *hand, int64_t units)
{
    struct plan_layer *layer = hand_add(hand, OP_DENSE);
    layer->out = (struct shape){units, 1, 1};
    layer->bias = true;
    hand_parameters(hand, layer, layer->in.channels * layer->in.height * layer->in.width * units, units);
}

static inline struct plan_layer *hand_window(struct hand_plan *hand, enum operator_kind kind, int64_t channels,
                                             int64_t kernel, int64_t stride, int64_t padding)
{
    struct plan_layer *layer = hand_add(hand, kind);
    layer->kernel_height = layer->kernel_width = kernel;
    layer->stride = stride;
    layer->groups = 1;
    layer->pad_top = layer->pad_bottom = layer->pad_left = layer->pad_right = padding;
    layer->out = (struct shape){channels, (layer->in.height + 2 * padding - kernel) / stride + 1,
                                (layer->in.width + 2 * padding - kernel) / stride + 1};
    return layer;
}

static inline void hand_conv(struct hand_plan *hand, int64_t channels, int64_t kernel, int64_t stride, int64_t padding,
                             int64_t groups, bool bias)
{
    struct plan_layer *layer = hand_window(hand, OP_CONV, channels, kernel, stride, padding);
    layer->groups = groups;
    layer->bias = bias;
    hand_parameters(hand, layer, channels * layer->in.channels / groups * kernel * kernel, bias ? channels : 0);
}

static inline void hand_pool(struct hand_plan *hand, enum operator_kind kind, int64_t size)
{
    struct plan_layer *layer = hand_add(hand, kind);
    hand->plan.count--;
    layer = hand_window(hand, kind, layer->in.channels, size, size, 0);
}

static inline void hand_global(struct hand_plan *hand)
{
    struct plan_layer *layer = hand_add(hand, OP_GLOBALAVGPOOL);
    layer->out = (struct shape){layer->in.channels, 1, 1};
}

static inline void hand_norm(struct hand_plan *hand)
{
    struct plan_layer *layer = hand_add(hand, OP_BATCHNORM);
    hand_parameters(hand, layer, layer->in.channels, layer->in.channels);
    layer->buffer = hand->plan.buffers;
    layer->buffers = 2 * layer->in.channels;
    hand->plan.buffers += layer->buffers;
}

static inline void hand_act(struct hand_plan *hand, enum activation_kind kind)
{
    struct plan_layer *layer = hand_add(hand, OP_ACTIVATION);
    layer->activation = kind;
    layer->slope = 0.01;
}

static inline void hand_dropout(struct hand_plan *hand, double rate)
{
    struct plan_layer *layer = hand_add(hand, OP_DROPOUT);
    layer->rate = rate;
    layer->stream = hand->streams++;
}

static inline void hand_flatten(struct hand_plan *hand)
{
    struct plan_layer *layer = hand_add(hand, OP_FLATTEN);
    layer->out = (struct shape){layer->in.channels * layer->in.height * layer->in.width, 1, 1};
}

/* Adds the output of layer `skip` to what is at hand. */
static inline void hand_join(struct hand_plan *hand, int skip)
{
    hand_add(hand, OP_ADD)->skip = skip;
}

#endif
