/* From a plan's layers to steps and values: which layers share one pass over memory, and who shares whose place. */
#include "train/cuda/network.h"

#include <stdlib.h>

#include "base/memory.h"
#include "train/fusion.h"

/* Most steps and values that a layer makes: its own, a pool, a pointwise step. */
enum { PER_LAYER = 3 };

struct compiler {
    struct network *network;
    const struct plan *plan;
    bool training;
    struct value **of; /* the value of each layer's output; NULL: not made yet, or only exists inside a fused step */
    struct fusion fusion;
    bool *done; /* the layer is part of a step */
};

static const struct plan_layer *layer_of(const struct compiler *c, int index)
{
    return &c->plan->layer[index];
}

static struct value *value_create(struct network *network, struct shape shape)
{
    struct value *value = &network->value[network->values++];
    *value = (struct value){.shape = shape, .features = shape.channels * shape.height * shape.width};
    return value;
}

/* A step whose output has the shape of `layer`'s. */
static struct step *step_create(struct compiler *c, const struct step_kind *kind, int index, struct value *input,
                                bool trained)
{
    struct network *network = c->network;
    struct step *step = &network->step[network->steps++];
    *step = (struct step){.kind = kind,
                          .layer = layer_of(c, index),
                          .index = index,
                          .input = input,
                          .output = value_create(network, layer_of(c, index)->out)};
    step->output->producer = step;
    step->output->wants_gradient = c->training && (trained || input->wants_gradient);
    input->readers++;
    return step;
}

static struct value *input_of(const struct compiler *c, int index)
{
    return index == PLAN_INPUT ? c->network->input : c->of[index];
}

static struct value *gradient_root(struct value *value)
{
    while (value->gradient_storage)
        value = value->gradient_storage;
    return value;
}

/* The two gradients are the same, or the one replaces the other and is not needed any more. */
static void share_gradient(struct value *a, struct value *b)
{
    struct value *from = gradient_root(a), *to = gradient_root(b);
    if (from != to)
        from->gradient_storage = to;
    to->wants_gradient |= from->wants_gradient;
}

/* The parts as far as they are there; what they belong to is `index`. `alone`: nobody else reads x, so that the result
 * may take its place. */
static struct value *pointwise(struct compiler *c, int index, struct value *x, int bias, int activation, int dropout,
                               bool alone)
{
    struct step *step = step_create(c, &step_pointwise, index, x, bias != NOBODY);
    struct pointwise_step *own = &step->own.pointwise;
    *own = (struct pointwise_step){.bias = bias == NOBODY ? NULL : layer_of(c, bias),
                                   .activation = activation == NOBODY ? NULL : layer_of(c, activation),
                                   .dropout = dropout == NOBODY ? NULL : layer_of(c, dropout),
                                   .bias_layer = bias};
    bool from_input = layer_needs_input(own->activation);
    if (from_input && c->training)
        x->kept = true;
    else if (alone && !x->kept)
        step->output->storage = x;
    if (alone)
        share_gradient(step->output, x);
    if (own->activation && !from_input)
        step->output->kept = c->training;
    return step->output;
}

/* Activation and dropout behind layer `index`, whose values are x, and a bias that was not added yet. */
static void finish_pointwise(struct compiler *c, int index, struct value *x, int bias, int activation)
{
    int dropout = NOBODY, last = index,
        next = activation == NOBODY ? fusion_follower(&c->fusion, index, OP_ACTIVATION) : NOBODY;
    if (next != NOBODY) {
        activation = last = next;
        c->done[next] = true;
    }
    next = fusion_follower(&c->fusion, last, OP_DROPOUT);
    if (next != NOBODY) {
        dropout = c->training ? next : NOBODY;
        last = next;
        c->done[next] = true;
    }
    if (bias != NOBODY || activation != NOBODY || dropout != NOBODY)
        x = pointwise(c, index, x, bias, activation, dropout, true);
    c->of[last] = x;
}

/* The pool at `index`, with what may go with it: bias and ReLU before, or a ReLU that stands behind a maximum. */
static void compile_pool_of(struct compiler *c, int index, struct value *x, int bias, int activation)
{
    bool before = activation != NOBODY && layer_is_relu(layer_of(c, activation));
    int last = index, behind = fusion_follower(&c->fusion, index, OP_ACTIVATION);
    bool maximum = layer_of(c, index)->kind == OP_MAXPOOL;
    bool after = maximum && activation == NOBODY && behind != NOBODY && layer_is_relu(layer_of(c, behind));
    struct step *step = step_create(c, &step_pool, index, x, bias != NOBODY);
    step->own.pool = (struct pool_step){.relu = before || after, .bias_layer = bias};
    if (!maximum && step->own.pool.relu)
        x->kept = true;
    c->done[index] = true;
    if (after) {
        c->done[behind] = true;
        last = behind;
    }
    finish_pointwise(c, last, step->output, NOBODY, before ? NOBODY : activation);
}

/* What stands behind layer `index`, whose values are x: a pool that takes bias and activation along, or they alone. */
static void finish_layer(struct compiler *c, int index, struct value *x, int bias)
{
    int activation = fusion_follower(&c->fusion, index, OP_ACTIVATION);
    int pool = fusion_pool_behind(&c->fusion, activation == NOBODY ? index : activation);
    if (pool != NOBODY && activation != NOBODY) {
        const struct plan_layer *layer = layer_of(c, activation);
        if (!layer_is_relu(layer) && !(layer_of(c, pool)->kind == OP_MAXPOOL && layer_is_monotone(layer)))
            pool = NOBODY;
        else
            c->done[activation] = true;
    }
    if (pool != NOBODY)
        compile_pool_of(c, pool, x, bias, activation);
    else
        finish_pointwise(c, index, x, bias, NOBODY);
}

static void compile_dense(struct compiler *c, int index)
{
    const struct plan_layer *layer = layer_of(c, index);
    struct value *x = input_of(c, layer->input);
    struct step *step = step_create(c, &step_dense, index, x, true);
    int activation = fusion_follower(&c->fusion, index, OP_ACTIVATION);
    bool dropped = c->training && activation != NOBODY && fusion_follower(&c->fusion, activation, OP_DROPOUT) != NOBODY;
    x->kept = true;
    x->wants_half |= c->network->setup.recipe->precision == PRECISION_BF16;
    if (layer->bias && activation != NOBODY && layer_is_relu(layer_of(c, activation)) && !dropped) {
        step->own.dense.relu = true;
        step->output->kept = true;
        c->done[activation] = true;
        c->of[activation] = step->output;
    } else {
        finish_pointwise(c, index, step->output, NOBODY, NOBODY);
    }
}

/* What the padding of one side exceeds the other's by. */
static int64_t excess(int64_t side, int64_t other)
{
    return side > other ? side - other : 0;
}

static void compile_conv(struct compiler *c, int index)
{
    const struct plan_layer *layer = layer_of(c, index);
    struct value *x = input_of(c, layer->input);
    struct step *step = step_create(c, &step_conv, index, x, true);
    struct conv_step *own = &step->own.conv;
    *own = (struct conv_step){.half = c->network->setup.recipe->precision == PRECISION_BF16,
                              .top = excess(layer->pad_top, layer->pad_bottom),
                              .bottom = excess(layer->pad_bottom, layer->pad_top),
                              .left = excess(layer->pad_left, layer->pad_right),
                              .right = excess(layer->pad_right, layer->pad_left)};
    own->padded = own->top || own->bottom || own->left || own->right;
    x->kept = true;
    x->wants_half |= own->half && !own->padded;
    finish_layer(c, index, step->output, layer->bias ? index : NOBODY);
}

static void compile_norm(struct compiler *c, int index)
{
    struct value *x = input_of(c, layer_of(c, index)->input);
    struct step *step = step_create(c, &step_norm, index, x, true);
    x->kept = true;
    finish_layer(c, index, step->output, NOBODY);
}

/* One that no layer before took along. */
static void compile_activation(struct compiler *c, int index)
{
    const struct plan_layer *layer = layer_of(c, index);
    struct value *x = input_of(c, layer->input);
    int pool = fusion_pool_behind(&c->fusion, index), last = index,
        dropout = fusion_follower(&c->fusion, index, OP_DROPOUT);
    if (pool != NOBODY &&
        (layer_is_relu(layer) || (layer_of(c, pool)->kind == OP_MAXPOOL && layer_is_monotone(layer)))) {
        compile_pool_of(c, pool, x, NOBODY, index);
        return;
    }
    if (dropout != NOBODY) {
        last = dropout;
        c->done[dropout] = true;
    }
    c->of[last] =
        pointwise(c, index, x, NOBODY, index, c->training ? dropout : NOBODY, fusion_alone(&c->fusion, layer->input));
}

static void compile_dropout(struct compiler *c, int index)
{
    int input = layer_of(c, index)->input;
    struct value *x = input_of(c, input);
    c->of[index] = c->training ? pointwise(c, index, x, NOBODY, NOBODY, index, fusion_alone(&c->fusion, input)) : x;
}

/* The sum may take the place of a term that nobody else reads; its gradient is that term's. */
static void compile_add(struct compiler *c, int index)
{
    const struct plan_layer *layer = layer_of(c, index);
    struct value *x = input_of(c, layer->input), *skip = input_of(c, layer->skip);
    struct step *step = step_create(c, &step_add, index, x, false);
    struct value *alone = fusion_alone(&c->fusion, layer->input)  ? x
                          : fusion_alone(&c->fusion, layer->skip) ? skip
                                                                  : NULL;
    step->skip = skip;
    skip->readers++;
    step->output->wants_gradient |= skip->wants_gradient;
    if (alone && !alone->kept)
        step->output->storage = alone;
    if (alone)
        share_gradient(alone, step->output);
    finish_layer(c, index, step->output, NOBODY);
}

static void compile_layer(struct compiler *c, int index)
{
    switch (layer_of(c, index)->kind) {
    case OP_DENSE:
        compile_dense(c, index);
        break;
    case OP_CONV:
        compile_conv(c, index);
        break;
    case OP_BATCHNORM:
        compile_norm(c, index);
        break;
    case OP_ACTIVATION:
        compile_activation(c, index);
        break;
    case OP_MAXPOOL:
    case OP_AVGPOOL:
    case OP_GLOBALAVGPOOL:
        compile_pool_of(c, index, input_of(c, layer_of(c, index)->input), NOBODY, NOBODY);
        break;
    case OP_DROPOUT:
        compile_dropout(c, index);
        break;
    case OP_FLATTEN: /* the order in memory is that of [C][H][W] anyway */
        c->of[index] = input_of(c, layer_of(c, index)->input);
        break;
    case OP_ADD:
        compile_add(c, index);
        break;
    case OP_KINDS:
        break;
    }
}

/* Backward, the first step to reach a value's gradient writes it, the others add to it. */
static void order_gradients(struct network *network)
{
    for (size_t i = network->steps; i-- > 0;) {
        struct step *step = &network->step[i];
        step->accumulate = step->input->contributed;
        step->input->contributed = true;
        if (step->skip) {
            step->accumulate_skip = step->skip->contributed;
            step->skip->contributed = true;
        }
    }
}

static void find_masks(struct network *network)
{
    for (size_t i = 0; i < network->steps; i++) {
        const struct step *step = &network->step[i];
        struct step *before = step->input->producer;
        if (step->kind == &step_dense && before && before->kind == &step_dense && before->own.dense.relu &&
            step->input->readers == 1)
            before->own.dense.masked = network->setup.training;
    }
}

nr_status network_compile(struct network *network)
{
    const struct plan *plan = network->setup.plan;
    struct compiler c = {.network = network, .plan = plan, .training = network->setup.training};
    nr_status status = NR_NO_MEMORY;
    c.of = mem_array(plan->count, sizeof(struct value *));
    c.done = mem_array(plan->count, sizeof *c.done);
    network->value = mem_array(plan->count * PER_LAYER + 1, sizeof *network->value);
    network->step = mem_array(plan->count * PER_LAYER, sizeof *network->step);
    if (!c.of || !c.done || !network->value || !network->step)
        goto end;
    status = fusion_create(plan, c.training, &c.fusion);
    if (status != NR_OK)
        goto end;
    network->input = value_create(network, plan->input);
    for (int i = 0; i < (int)plan->count; i++)
        if (!c.done[i])
            compile_layer(&c, i);
    network->logits = plan->count ? c.of[plan->count - 1] : network->input;
    order_gradients(network);
    if (c.training) /* the loss writes it, whoever reads it */
        network->logits->wants_gradient = gradient_root(network->logits)->wants_gradient = true;
    find_masks(network);
end:
    free(c.of);
    fusion_clear(&c.fusion);
    free(c.done);
    return status;
}
