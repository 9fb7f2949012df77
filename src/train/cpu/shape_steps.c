/* Steps without arithmetic of their own: the two conversions of layout, and the sum that ends a residual. */
#include "train/cpu/network.h"

#include <string.h>

static void to_rows_forward(struct network *network, struct step *step, size_t block)
{
    const struct value *lanes = step->input, *rows = step->output;
    lanes_to_rows(value_data(lanes, block), lanes_in_block(network->count, block), rows->features,
                  value_data(rows, block), rows->pitch);
}

static void to_rows_backward(struct network *network, struct step *step, size_t block, real *target)
{
    const struct value *rows = step->output;
    if (target)
        lanes_from_rows(value_gradient(rows, block), rows->gradient_pitch, lanes_in_block(network->count, block),
                        rows->features, target);
}

static void to_lanes_forward(struct network *network, struct step *step, size_t block)
{
    const struct value *rows = step->input, *lanes = step->output;
    lanes_from_rows(value_data(rows, block), rows->pitch, lanes_in_block(network->count, block), rows->features,
                    value_data(lanes, block));
}

static void to_lanes_backward(struct network *network, struct step *step, size_t block, real *target)
{
    const struct value *lanes = step->output;
    if (target)
        lanes_to_rows(value_gradient(lanes, block), lanes_in_block(network->count, block), lanes->features, target,
                      step->input->gradient_pitch);
}

/* Rows lie one after the other, so that a whole batch of them is a contiguous piece like a block of lanes. */
static size_t extent(const struct network *network, const struct value *value)
{
    return value->lanes ? value_block(value) : network->count * value->pitch;
}

static void add_forward(struct network *network, struct step *step, size_t block)
{
    lanes_add(value_data(step->input, block), value_data(step->skip, block), extent(network, step->output),
              value_data(step->output, block));
}

static void add_backward(struct network *network, struct step *step, size_t block, real *target)
{
    const real *dy = value_gradient(step->output, block);
    size_t count = extent(network, step->output);
    if (target && target != dy)
        memcpy(target, dy, count * sizeof *dy);
    if (!step->skip->wants_gradient)
        return;
    real *skip = value_gradient(step->skip, block);
    if (step->accumulate_skip)
        lanes_add(skip, dy, count, skip);
    else
        memcpy(skip, dy, count * sizeof *dy);
}

const struct step_kind step_to_rows = {.name = "to rows", .forward = to_rows_forward, .backward = to_rows_backward};
const struct step_kind step_to_lanes = {.name = "to lanes", .forward = to_lanes_forward, .backward = to_lanes_backward};
const struct step_kind step_add = {.name = "add", .forward = add_forward, .backward = add_backward};
