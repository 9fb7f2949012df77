#include "net/builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

int64_t size_product(int64_t a, int64_t b, int64_t c)
{
    int64_t product;
    if (__builtin_mul_overflow(a, b, &product) || __builtin_mul_overflow(product, c, &product))
        return INT64_MAX;
    return product;
}

int64_t shape_size(struct shape shape)
{
    return size_product(shape.channels, shape.height, shape.width);
}

const char *builder_given(const struct layer_spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->attributes; i++)
        if (!strcmp(spec->attribute[i].key, name))
            return spec->attribute[i].value;
    return NULL;
}

nr_status builder_refuse(struct builder *builder, const char *format, ...)
{
    char sentence[256];
    va_list arguments;
    if (!builder->reason)
        return NR_INFEASIBLE;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    const struct layer_spec *spec = builder->spec;
    if (spec && spec->file)
        text_format(builder->reason, "%s:%d: ", spec->file, spec->line);
    if (spec)
        text_format(builder->reason, "%s%s%s: ", spec->kind, spec->word ? " " : "", spec->word ? spec->word : "");
    text_append(builder->reason, sentence);
    return NR_INFEASIBLE;
}

/* Offsets in the flat vectors. Sums cannot overflow: at most BUILDER_MOST_LAYERS terms of a few BUILDER_MOST_VALUES. */
static void place(struct plan *plan, struct plan_layer *layer)
{
    layer->weight = plan->parameters;
    layer->bias_at = layer->weight + layer->weights;
    layer->buffer = plan->buffers;
    plan->parameters = layer->bias_at + layer->biases;
    plan->buffers += layer->buffers;
}

nr_status builder_add(struct builder *builder, struct plan_layer layer, int64_t macs)
{
    struct plan *plan = builder->plan;
    int64_t outputs = shape_size(layer.out);
    if (outputs > BUILDER_MOST_VALUES || layer.weights > BUILDER_MOST_VALUES)
        return builder_refuse(builder, "the layer is too large (more than %lld outputs or weights)",
                              (long long)BUILDER_MOST_VALUES);
    if (__builtin_add_overflow(plan->macs, macs, &plan->macs))
        return builder_refuse(builder, "the network is too large to count its multiplications");
    if (plan->count == BUILDER_MOST_LAYERS)
        return builder_refuse(builder, "the network has more than %d layers", BUILDER_MOST_LAYERS);
    if (mem_grow(&plan->layer, &plan->capacity, plan->count + 1, sizeof *plan->layer) != NR_OK)
        return NR_NO_MEMORY;
    layer.input = builder->last;
    layer.in = builder->shape;
    if (layer.kind != OP_ADD)
        layer.skip = PLAN_INPUT;
    if (layer.kind == OP_DENSE || layer.kind == OP_CONV)
        layer.stream = builder->weight_streams++;
    else if (layer.kind == OP_DROPOUT)
        layer.stream = builder->dropout_streams++;
    place(plan, &layer);
    plan->layer[plan->count] = layer;
    builder->last = (int)plan->count++;
    builder->shape = layer.out;
    if (layer.kind != OP_FLATTEN)
        plan->activations += outputs;
    return NR_OK;
}

nr_status builder_settle(struct builder *builder)
{
    struct shape shape = builder->shape;
    bool image = shape.height > 1 || shape.width > 1;
    bool pending = builder->flattened;
    builder->flattened = false;
    if (!pending || !image)
        return NR_OK;
    struct plan_layer layer = {.kind = OP_FLATTEN, .out = {shape_size(shape), 1, 1}};
    return builder_add(builder, layer, 0);
}
