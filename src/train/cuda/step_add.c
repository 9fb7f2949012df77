/* The end of a residual: the sum of two values. */
#include "train/cuda/network.h"

static nr_status forward(struct network *network, struct step *step)
{
    return node_sum(network, step, step->input->data, step->skip->data, step->output->data,
                    value_count(network, step->output));
}

/* Its gradient is that of either term; one of them may lie in the same place. */
static nr_status contribute(struct network *network, struct step *step, const struct value *value, bool accumulate)
{
    const float *dy = step->output->gradient;
    int64_t count = value_count(network, value);
    if (!value->wants_gradient || value->gradient == dy)
        return NR_OK;
    return accumulate ? node_sum(network, step, value->gradient, dy, value->gradient, count)
                      : node_copy(network, step, dy, value->gradient, count);
}

static nr_status backward(struct network *network, struct step *step, float *target)
{
    (void)target;
    nr_status status = contribute(network, step, step->input, step->accumulate);
    return status != NR_OK ? status : contribute(network, step, step->skip, step->accumulate_skip);
}

const struct step_kind step_add = {.name = "add", .forward = forward, .backward = backward, .accumulates = true};
