#include "net/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "net/builder.h"

static const char *const operator_names[OP_KINDS] = {
    [OP_DENSE] = "dense",
    [OP_CONV] = "conv",
    [OP_BATCHNORM] = "batchnorm",
    [OP_ACTIVATION] = "activation",
    [OP_MAXPOOL] = "maxpool",
    [OP_AVGPOOL] = "avgpool",
    [OP_GLOBALAVGPOOL] = "globalavgpool",
    [OP_DROPOUT] = "dropout",
    [OP_FLATTEN] = "flatten",
    [OP_ADD] = "add",
};

const char *operator_name(enum operator_kind kind)
{
    return operator_names[kind];
}

const char *activation_name(enum activation_kind kind)
{
    return attribute_specs[ATTR_KIND].choices[kind];
}

static nr_status refuse_value(struct builder *builder, const struct attribute_spec *spec, const char *text,
                              enum attribute_outcome outcome, double value)
{
    if (outcome == ATTRIBUTE_INACTIVE)
        return builder_refuse(builder, "%s=%s names a parameter that is inactive here", spec->name, text);
    if (outcome == ATTRIBUTE_RANGE)
        return builder_refuse(builder, "%s=%s is %g, expected %s from %g to %g%s", spec->name, text, value,
                              spec->type == ATTRIBUTE_REAL ? "a number" : "a whole number", spec->minimum,
                              spec->maximum, spec->open_maximum ? " (excluded)" : "");
    return builder_refuse(builder, "%s=%s is no value of this attribute", spec->name, text);
}

/* Fills in builder->value. A layer that `if` leaves out is not looked at further: its parameters may be inactive. */
static nr_status read_attributes(struct builder *builder, const struct operator_spec *spec)
{
    for (size_t i = spec->attributes; i-- > 0;) { /* `if` is the last */
        const struct operator_attribute *attribute = &spec->attribute[i];
        const struct attribute_spec *kind = &attribute_specs[attribute->id];
        double *value = &builder->value[attribute->id];
        const char *text = builder_given(builder->spec, kind->name);
        *value = attribute->preset == PRESET_VALUE ? attribute->value : (double)NAN;
        if (text) {
            enum attribute_outcome outcome = attribute_value(&builder->scope, kind, text, value);
            if (outcome == ATTRIBUTE_INACTIVE && attribute->id == ATTR_IF)
                *value = 0;
            else if (outcome != ATTRIBUTE_OK)
                return refuse_value(builder, kind, text, outcome, *value);
        } else if (attribute->preset == PRESET_REQUIRED) {
            return builder_refuse(builder, "%s is missing", kind->name);
        }
        if (attribute->id == ATTR_IF && *value == 0)
            return NR_OK;
    }
    return NR_OK;
}

static nr_status build_list(struct builder *builder, const struct layer_list *list, const struct study *study);

static nr_status build_block(struct builder *builder, const struct layer_spec *spec, const struct study *study)
{
    const struct network_template *network = &study->network;
    const struct block_spec *block = NULL;
    for (size_t i = 0; i < network->blocks && !block; i++)
        if (!strcmp(network->block[i].name, spec->kind))
            block = &network->block[i];
    nr_status status = read_attributes(builder, &operator_specs[ROW_BLOCK]);
    if (status != NR_OK || builder->value[ATTR_IF] == 0)
        return status;
    if (!block || builder->scope.element >= 0)
        return builder_refuse(builder, "no such block here");
    int repeat = (int)builder->value[ATTR_REPEAT];
    for (int i = 0; i < repeat && status == NR_OK; i++) {
        builder->scope.element = i;
        status = build_list(builder, &block->layers, study);
    }
    builder->scope.element = -1;
    return status;
}

static nr_status build_list(struct builder *builder, const struct layer_list *list, const struct study *study)
{
    nr_status status = NR_OK;
    for (size_t i = 0; i < list->count && status == NR_OK; i++) {
        const struct layer_spec *spec = builder->spec = &list->layer[i];
        if (spec->is_block) {
            status = build_block(builder, spec, study);
            continue;
        }
        enum operator_row row = operator_find(spec->kind, spec->word);
        if (row == ROW_COUNT)
            return builder_refuse(builder, "unknown operator");
        status = read_attributes(builder, &operator_specs[row]);
        if (status == NR_OK)
            status = layer_build(builder, row);
    }
    return status;
}

static nr_status check_logits(struct builder *builder)
{
    const struct shape *out = &builder->shape;
    const struct plan *plan = builder->plan;
    if (plan->count == 0)
        return builder_refuse(builder, "the network has no layers");
    if (out->channels == plan->classes && out->height == 1 && out->width == 1)
        return NR_OK;
    return builder_refuse(builder, "the network ends with %lldx%lldx%lld values, expected one for each of %lld classes",
                          (long long)out->channels, (long long)out->height, (long long)out->width,
                          (long long)plan->classes);
}

nr_status plan_build(const struct study *study, const double *point, struct shape input, int64_t classes,
                     struct text *reason, struct plan **out)
{
    struct plan *plan = mem_array(1, sizeof *plan);
    if (!plan)
        return NR_NO_MEMORY;
    struct builder builder = {
        .plan = plan,
        .reason = reason,
        .scope = {.space = &study->space, .point = point, .classes = classes, .element = -1},
        .last = PLAN_INPUT,
        .shape = input,
    };
    plan->input = input;
    plan->classes = classes;
    nr_status status = NR_OK;
    if (input.channels < 1 || input.height < 1 || input.width < 1 || shape_size(input) > BUILDER_MOST_VALUES)
        status = builder_refuse(&builder, "the input has no size that a network can read");
    if (status == NR_OK)
        status = build_list(&builder, &study->network.layers, study);
    if (status == NR_OK)
        status = builder_settle(&builder);
    if (status == NR_OK)
        status = check_logits(&builder);
    if (status != NR_OK) {
        plan_destroy(plan);
        return status;
    }
    plan_identify(plan);
    *out = plan;
    return NR_OK;
}

void plan_destroy(struct plan *plan)
{
    if (plan)
        free(plan->layer);
    free(plan);
}

int64_t plan_training_bytes(const struct plan *plan, int64_t batch_size, int64_t slots)
{
    int64_t values, images;
    if (__builtin_mul_overflow(plan->parameters, 2 + slots, &values) ||
        __builtin_mul_overflow(2 * plan->activations + shape_size(plan->input), batch_size, &images) ||
        __builtin_add_overflow(values, images, &values) || __builtin_add_overflow(values, plan->buffers, &values) ||
        __builtin_mul_overflow(values, (int64_t)sizeof(float), &values))
        return INT64_MAX;
    return values;
}

void plan_append_tensor_name(const struct plan *plan, size_t layer, const char *part, struct text *text)
{
    text_format(text, "%zu.%s.%s", layer, operator_name(plan->layer[layer].kind), part);
}
