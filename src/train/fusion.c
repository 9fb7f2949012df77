#include "train/fusion.h"

#include <stdlib.h>

#include "base/memory.h"

static bool is_nothing(const struct fusion *fusion, const struct plan_layer *layer)
{
    return layer->kind == OP_FLATTEN || (layer->kind == OP_DROPOUT && !fusion->keeps_dropout);
}

static void count_readers(struct fusion *fusion)
{
    const struct plan_layer *layer = fusion->plan->layer;
    size_t count = fusion->plan->count;
    int *readers = fusion->readers;
    for (size_t i = 0; i < count; i++) {
        if (layer[i].input != PLAN_INPUT)
            readers[layer[i].input]++;
        if (layer[i].kind == OP_ADD && layer[i].skip != PLAN_INPUT)
            readers[layer[i].skip]++;
    }
    for (size_t i = count; i-- > 0;) /* those of a layer that is nothing read the value that it reads */
        if (is_nothing(fusion, &layer[i]) && layer[i].input != PLAN_INPUT)
            readers[layer[i].input] += readers[i] - 1;
    for (size_t i = 0; i < count; i++) /* and share it with its other readers */
        if (is_nothing(fusion, &layer[i]) && layer[i].input != PLAN_INPUT)
            readers[i] = readers[layer[i].input];
}

nr_status fusion_create(const struct plan *plan, bool keeps_dropout, struct fusion *out)
{
    int *readers = mem_array(plan->count, sizeof *readers);
    if (!readers)
        return NR_NO_MEMORY;
    *out = (struct fusion){.plan = plan, .keeps_dropout = keeps_dropout, .readers = readers};
    count_readers(out);
    return NR_OK;
}

void fusion_clear(struct fusion *fusion)
{
    free(fusion->readers);
    *fusion = (struct fusion){0};
}

int fusion_follower(const struct fusion *fusion, int index, enum operator_kind kind)
{
    const struct plan *plan = fusion->plan;
    int next = index + 1;
    bool follows = next < (int)plan->count && plan->layer[next].kind == kind && plan->layer[next].input == index &&
                   fusion->readers[index] == 1;
    return follows ? next : NOBODY;
}

int fusion_pool_behind(const struct fusion *fusion, int index)
{
    static const enum operator_kind pools[] = {OP_MAXPOOL, OP_AVGPOOL, OP_GLOBALAVGPOOL};
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++)
        if (fusion_follower(fusion, index, pools[i]) != NOBODY)
            return fusion_follower(fusion, index, pools[i]);
    return NOBODY;
}

bool fusion_alone(const struct fusion *fusion, int index)
{
    int source = index;
    while (source != PLAN_INPUT && is_nothing(fusion, &fusion->plan->layer[source]))
        source = fusion->plan->layer[source].input;
    return source != PLAN_INPUT && fusion->readers[index] == 1;
}

bool layer_is_relu(const struct plan_layer *layer)
{
    return layer->kind == OP_ACTIVATION && layer->activation == ACT_RELU;
}

bool layer_is_monotone(const struct plan_layer *activation)
{
    return activation->activation == ACT_RELU || activation->activation == ACT_TANH ||
           activation->activation == ACT_SIGMOID || (activation->activation == ACT_LEAKY_RELU && activation->slope > 0);
}

bool layer_needs_input(const struct plan_layer *activation)
{
    return activation && (activation->activation == ACT_GELU || activation->activation == ACT_SILU ||
                          (activation->activation == ACT_LEAKY_RELU && activation->slope < 0));
}
