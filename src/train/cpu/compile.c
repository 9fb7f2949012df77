/* From a plan's layers to steps and values: layouts, conversions, and which layers share one pass over memory. */
#include "train/cpu/network.h"

#include <stdlib.h>

#include "train/fusion.h"

/* Most steps and values that a layer makes: a conversion, three of batch norm, a pool, a pointwise step. */
enum { PER_LAYER = 6 };

struct compiler {
    struct network *network;
    const struct plan *plan;
    struct value **of; /* the value of each layer's output; NULL: not made yet, or only exists inside a fused step */
    struct fusion fusion;
    bool *done; /* the layer is part of a step */
    struct value *input;
};

static const struct plan_layer *layer_of(const struct compiler *c, int index)
{
    return &c->plan->layer[index];
}

static struct value *value_create(struct compiler *c, struct shape shape, bool lanes)
{
    struct value *value = &c->network->value[c->network->values++];
    *value = (struct value){
        .shape = shape, .lanes = lanes, .features = (size_t)(shape.channels * shape.height * shape.width)};
    return value;
}

/* `output` may exist already (later steps of a batch norm). The value knows the step that came last. */
static struct step *step_create(struct compiler *c, const struct step_kind *kind, const struct plan_layer *layer,
                                struct value *input, struct value *output, bool whole)
{
    struct step *step = &c->network->step[c->network->steps++];
    *step = (struct step){.kind = kind, .layer = layer, .input = input, .output = output, .whole = whole};
    step->state = &step->own;
    bool trained = layer && (layer->weights || layer->biases);
    output->wants_gradient |= trained || (input && input->wants_gradient);
    return step;
}

static struct value *convert(struct compiler *c, struct value *value, bool lanes)
{
    if (value->lanes == lanes)
        return value;
    if (!value->converted) {
        value->converted = value_create(c, value->shape, lanes);
        step_create(c, lanes ? &step_to_lanes : &step_to_rows, NULL, value, value->converted, false);
    }
    return value->converted;
}

static struct value *input_of(const struct compiler *c, int index)
{
    return index == PLAN_INPUT ? c->input : c->of[index];
}

/* `alone`: nobody else reads x, so that the result may take its place, and the gradients share one anyway. */
static struct value *pointwise(struct compiler *c, struct value *x, const struct plan_layer *bias,
                               const struct plan_layer *activation, const struct plan_layer *dropout, bool alone)
{
    struct value *y = value_create(c, x->shape, x->lanes);
    struct step *step = step_create(c, &step_pointwise, NULL, x, y, !x->lanes);
    step->own.pointwise = (struct pointwise_step){.bias = bias, .activation = activation, .dropout = dropout};
    y->wants_gradient |= bias != NULL;
    bool from_input = layer_needs_input(activation);
    if (from_input)
        x->kept = true;
    else if (alone && !x->kept)
        y->storage = x;
    if (alone)
        y->gradient_storage = x;
    if (activation && !from_input)
        y->kept = true;
    return y;
}

/* Activation and dropout behind layer `index`, whose values are x, and its own bias if that was not added yet. An
 * activation in front of a pool is left to compile_activation(). */
static void finish_layer(struct compiler *c, int index, struct value *x, const struct plan_layer *bias,
                         const struct plan_layer *activation)
{
    const struct plan_layer *dropout = NULL;
    int last = index, next = activation ? NOBODY : fusion_follower(&c->fusion, index, OP_ACTIVATION);
    if (next != NOBODY && !(x->lanes && fusion_pool_behind(&c->fusion, next) != NOBODY)) {
        activation = layer_of(c, next);
        c->done[next] = true;
        last = next;
    }
    next = fusion_follower(&c->fusion, last, OP_DROPOUT);
    if (next != NOBODY) {
        dropout = layer_of(c, next);
        c->done[next] = true;
        last = next;
    }
    struct step *producer = &c->network->step[c->network->steps - 1];
    if (bias || activation || dropout) {
        x = pointwise(c, x, bias, activation, dropout, true);
        if (producer->kind == &step_conv && activation && layer_is_relu(activation) && !dropout)
            producer->own.conv.relu = producer[1].own.pointwise.forwarded = true;
    }
    c->of[last] = x;
}

static void compile_dense(struct compiler *c, int index)
{
    const struct plan_layer *layer = layer_of(c, index);
    struct value *x = convert(c, input_of(c, layer->input), false);
    struct value *y = value_create(c, layer->out, false);
    x->kept = true;
    step_create(c, &step_dense, layer, x, y, true);
    finish_layer(c, index, y, layer->bias ? layer : NULL, NULL);
}

static void compile_conv(struct compiler *c, int index)
{
    const struct plan_layer *layer = layer_of(c, index);
    struct value *x = convert(c, input_of(c, layer->input), true);
    struct value *y = value_create(c, layer->out, true);
    x->kept = true;
    step_create(c, &step_conv, layer, x, y, false);
    finish_layer(c, index, y, NULL, NULL);
}

static struct value *pool(struct compiler *c, int index, struct value *x, bool relu)
{
    struct value *y = value_create(c, layer_of(c, index)->out, true);
    struct step *step = step_create(c, &step_pool, layer_of(c, index), x, y, false);
    step->own.pool.pool.relu = relu;
    c->done[index] = true;
    return y;
}

static void compile_pool(struct compiler *c, int index)
{
    struct value *x = convert(c, input_of(c, layer_of(c, index)->input), true);
    finish_layer(c, index, pool(c, index, x, false), NULL, NULL);
}

static void compile_activation(struct compiler *c, int index)
{
    const struct plan_layer *layer = layer_of(c, index);
    struct value *x = input_of(c, layer->input);
    int next = x->lanes ? fusion_pool_behind(&c->fusion, index) : NOBODY;
    if (next != NOBODY && layer_is_relu(layer)) {
        finish_layer(c, next, pool(c, next, x, true), NULL, NULL);
    } else if (next != NOBODY && layer_of(c, next)->kind == OP_MAXPOOL && layer_is_monotone(layer)) {
        finish_layer(c, next, pool(c, next, x, false), NULL, layer);
    } else {
        bool alone = fusion_alone(&c->fusion, layer->input);
        int last = fusion_follower(&c->fusion, index, OP_DROPOUT);
        c->of[last == NOBODY ? index : last] =
            pointwise(c, x, NULL, layer, last == NOBODY ? NULL : layer_of(c, last), alone);
        if (last != NOBODY)
            c->done[last] = true;
    }
}

static void compile_dropout(struct compiler *c, int index)
{
    const struct plan_layer *layer = layer_of(c, index);
    bool alone = fusion_alone(&c->fusion, layer->input);
    c->of[index] = pointwise(c, input_of(c, layer->input), NULL, NULL, layer, alone);
}

/* The three steps of batch norm (see struct norm_step), with the ReLU and the maximum pool behind it where there are.
 */
static void compile_norm_lanes(struct compiler *c, int index, struct value *x)
{
    const struct plan_layer *layer = layer_of(c, index), *activation = NULL;
    int next = fusion_follower(&c->fusion, index, OP_ACTIVATION), last = index;
    bool relu = next != NOBODY && layer_is_relu(layer_of(c, next));
    struct norm_step state = {.relu = relu};
    int behind = next != NOBODY && layer_is_monotone(layer_of(c, next)) ? next : index;
    int pooling = fusion_follower(&c->fusion, behind, OP_MAXPOOL);
    if (pooling != NOBODY) {
        pool_prepare(layer_of(c, pooling), relu, &state.pool);
        state.pooled = state.pool.disjoint;
    }
    if (state.pooled) {
        activation = behind != index && !relu ? layer_of(c, behind) : NULL;
        last = pooling;
        c->done[behind] = c->done[pooling] = true;
    } else if (relu) {
        last = next;
        c->done[next] = true;
    }
    struct value *y = value_create(c, layer_of(c, last)->out, true);
    struct step *observe = step_create(c, &step_norm_observe, layer, x, y, false);
    observe->own.norm = state;
    step_create(c, &step_norm_finish, layer, x, y, true)->state = observe->state;
    step_create(c, state.pooled ? &step_norm_pool : &step_norm_apply, layer, x, y, false)->state = observe->state;
    finish_layer(c, last, y, NULL, activation);
}

static void compile_batchnorm(struct compiler *c, int index)
{
    const struct plan_layer *layer = layer_of(c, index);
    struct value *x = input_of(c, layer->input);
    x = convert(c, x, x->lanes || layer->in.height * layer->in.width > 1);
    x->kept = true;
    if (x->lanes) {
        compile_norm_lanes(c, index, x);
        return;
    }
    struct value *y = value_create(c, layer->out, false);
    step_create(c, &step_norm_rows, layer, x, y, true);
    finish_layer(c, index, y, NULL, NULL);
}

static void compile_add(struct compiler *c, int index)
{
    const struct plan_layer *layer = layer_of(c, index);
    struct value *x = input_of(c, layer->input), *skip = input_of(c, layer->skip);
    skip = convert(c, skip, x->lanes);
    struct value *y = value_create(c, layer->out, x->lanes);
    struct step *step = step_create(c, &step_add, layer, x, y, !x->lanes);
    step->skip = skip;
    y->wants_gradient |= skip->wants_gradient;
    finish_layer(c, index, y, NULL, NULL);
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
        compile_batchnorm(c, index);
        break;
    case OP_ACTIVATION:
        compile_activation(c, index);
        break;
    case OP_MAXPOOL:
    case OP_AVGPOOL:
    case OP_GLOBALAVGPOOL:
        compile_pool(c, index);
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

/* Lanes when the first layer that cares wants lanes. */
static bool begins_with_lanes(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_layer *layer = &plan->layer[i];
        bool cares = layer->kind != OP_ACTIVATION && layer->kind != OP_DROPOUT && layer->kind != OP_FLATTEN &&
                     layer->kind != OP_ADD;
        if (cares)
            return layer->kind != OP_DENSE && (layer->kind != OP_BATCHNORM || layer->in.height * layer->in.width > 1);
    }
    return false;
}

/* Backward, the first step to reach a value's gradient writes it, the others add to it. */
static void order_gradients(struct network *network)
{
    for (size_t i = network->steps; i-- > 0;) {
        struct step *step = &network->step[i];
        step->backward = step->output->wants_gradient;
        if (step->kind == &step_norm_finish || step->kind == &step_norm_apply || step->kind == &step_norm_pool)
            continue; /* the gradient comes from step_norm_observe */
        if (step->input) {
            step->accumulate = step->input->contributed;
            step->input->contributed = true;
        }
        if (step->skip) {
            step->accumulate_skip = step->skip->contributed;
            step->skip->contributed = true;
        }
    }
}

static void touch(struct value *value, int segment)
{
    if (!value)
        return;
    if (!value->touched || segment < value->first_segment)
        value->first_segment = segment;
    if (!value->touched || segment > value->last_segment)
        value->last_segment = segment;
    value->touched = true;
}

static void cut_segments(struct network *network)
{
    int segment = 0;
    for (size_t i = 0; i < network->steps; i++) {
        struct step *step = &network->step[i];
        if (i && (step->whole || network->step[i - 1].whole))
            segment++;
        step->segment = segment;
        touch(step->input, segment);
        touch(step->skip, segment);
        touch(step->output, segment);
    }
}

nr_status network_compile(struct network *network)
{
    const struct plan *plan = network->setup.plan;
    struct compiler c = {.network = network, .plan = plan};
    nr_status status = NR_NO_MEMORY;
    c.of = mem_array(plan->count, sizeof(struct value *));
    c.done = mem_array(plan->count, sizeof *c.done);
    network->value = mem_array(plan->count * PER_LAYER + PER_LAYER, sizeof *network->value);
    network->step = mem_array(plan->count * PER_LAYER + PER_LAYER, sizeof *network->step);
    if (!c.of || !c.done || !network->value || !network->step)
        goto end;
    status = fusion_create(plan, true, &c.fusion);
    if (status != NR_OK)
        goto end;
    bool lanes = begins_with_lanes(plan);
    c.input = value_create(&c, plan->input, lanes);
    step_create(&c, &step_input, NULL, NULL, c.input, !lanes);
    for (int i = 0; i < (int)plan->count; i++)
        if (!c.done[i])
            compile_layer(&c, i);
    network->logits = convert(&c, plan->count ? c.of[plan->count - 1] : c.input, false);
    order_gradients(network);
    network->logits->wants_gradient = true; /* the loss writes it, whoever reads it */
    cut_segments(network);
end:
    free(c.of);
    fusion_clear(&c.fusion);
    free(c.done);
    return status;
}
