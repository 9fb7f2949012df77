/* Convolution by cuDNN; padding that differs from side to side is put around the image by a kernel of ours. Bias and
 * activation are the business of the step behind. */
#include "train/cuda/network.h"

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t padded_height(const struct step *step)
{
    return step->layer->in.height + step->own.conv.top + step->own.conv.bottom;
}

static int64_t padded_width(const struct step *step)
{
    return step->layer->in.width + step->own.conv.left + step->own.conv.right;
}

/* Values of x as the convolution reads it. */
static int64_t input_count(const struct network *network, const struct step *step)
{
    return network->setup.rows * step->layer->in.channels * padded_height(step) * padded_width(step);
}

static void place(struct network *network, struct step *step, struct region *region)
{
    struct conv_step *own = &step->own.conv;
    int64_t inputs = input_count(network, step), outputs = value_count(network, step->output);
    if (own->padded) {
        own->x = region_floats(region, inputs);
        if (network->setup.training)
            network_scratch(network, inputs);
        if (own->half)
            own->x_half = region_take(region, inputs, sizeof *own->x_half);
    }
    if (!own->half)
        return;
    network_half_scratch(network, 0, outputs);
    if (network->setup.training) {
        network_half_scratch(network, 1, inputs);
        network_half_scratch(network, 1, step->layer->weights);
    }
}

static nr_status create(struct network *network, struct step *step)
{
    struct conv_step *own = &step->own.conv;
    const struct plan_layer *layer = step->layer;
    struct convolution_setup setup = {.images = network->setup.rows,
                                      .in_channels = layer->in.channels,
                                      .in_height = padded_height(step),
                                      .in_width = padded_width(step),
                                      .out_channels = layer->out.channels,
                                      .kernel_height = layer->kernel_height,
                                      .kernel_width = layer->kernel_width,
                                      .stride = layer->stride,
                                      .pad_height = smaller(layer->pad_top, layer->pad_bottom),
                                      .pad_width = smaller(layer->pad_left, layer->pad_right),
                                      .groups = layer->groups,
                                      .precision = network->setup.recipe->precision,
                                      .training = network->setup.training,
                                      .data_gradient = step->input->wants_gradient};
    nr_status status = lane_use_dnn(network->lane);
    if (status == NR_OK)
        status = convolution_create(network->lane, &setup, &own->convolution);
    if (status != NR_INFEASIBLE || !own->half)
        return status;
    /* Which bf16 shapes the library has is not documented: those that it lacks are done as TF32. */
    failure_clear(network->lane->failure);
    own->half = false;
    setup.precision = PRECISION_TF32;
    return convolution_create(network->lane, &setup, &own->convolution);
}

/* ---- what it reads ---- */

static const float *input_of(const struct step *step)
{
    return step->own.conv.padded ? step->own.conv.x : step->input->data;
}

static const void *factor_of(const struct step *step)
{
    const struct conv_step *own = &step->own.conv;
    return !own->half ? (const void *)input_of(step) : own->padded ? own->x_half : step->input->half;
}

static const void *weights_of(const struct network *network, const struct step *step)
{
    return step->own.conv.half ? (const void *)network_half_weight(network, step->index)
                               : network_weight(network, step->index);
}

/* ---- nodes: `in` is the output's gradient, as the convolution reads it ---- */

static nr_status run_pad(const struct network *network, const struct node *node)
{
    const struct step *step = node->step;
    const struct conv_step *own = &step->own.conv;
    const struct shape *shape = &step->layer->in;
    TRY_CUDA(network->lane->failure,
             k_pad(step->input->data, network->setup.rows * shape->channels, shape->height, shape->width, own->top,
                   own->bottom, own->left, own->right, node->out, network->lane->stream));
    return NR_OK;
}

static nr_status run_crop(const struct network *network, const struct node *node)
{
    const struct step *step = node->step;
    const struct conv_step *own = &step->own.conv;
    const struct shape *shape = &step->layer->in;
    TRY_CUDA(network->lane->failure,
             k_crop(node->in, network->setup.rows * shape->channels, shape->height, shape->width, own->top, own->bottom,
                    own->left, own->right, node->out, network->lane->stream));
    return NR_OK;
}

static nr_status run_forward(const struct network *network, const struct node *node)
{
    const struct step *step = node->step;
    return convolution_forward(step->own.conv.convolution, factor_of(step), weights_of(network, step), node->out);
}

static nr_status run_weights(const struct network *network, const struct node *node)
{
    (void)network;
    const struct step *step = node->step;
    return convolution_backward_weights(step->own.conv.convolution, factor_of(step), node->in, node->out);
}

static nr_status run_data(const struct network *network, const struct node *node)
{
    const struct step *step = node->step;
    return convolution_backward_data(step->own.conv.convolution, weights_of(network, step), node->in, node->out);
}

static nr_status add(struct network *network, const struct step *step, const char *name, node_run *run, const void *in,
                     void *out)
{
    return node_add(network, &(struct node){.name = name, .run = run, .step = step, .in = in, .out = out});
}

/* A node whose result is bf16 where factors are, and is then widened. */
static nr_status add_widened(struct network *network, const struct step *step, const char *name, node_run *run,
                             const void *in, int which, float *out, int64_t count)
{
    if (!step->own.conv.half)
        return add(network, step, name, run, in, out);
    uint16_t *half = network->half_scratch[which];
    nr_status status = add(network, step, name, run, in, half);
    return status != NR_OK ? status : node_from_half(network, step, half, out, count);
}

static nr_status prepare_input(struct network *network, struct step *step)
{
    const struct conv_step *own = &step->own.conv;
    nr_status status = own->padded ? add(network, step, "pad", run_pad, NULL, own->x) : NR_OK;
    if (status != NR_OK || !own->half)
        return status;
    return own->padded ? node_to_half(network, step, own->x, own->x_half, input_count(network, step))
                       : node_half_value(network, step, step->input);
}

static nr_status forward(struct network *network, struct step *step)
{
    nr_status status = create(network, step);
    if (status == NR_OK)
        status = prepare_input(network, step);
    return status != NR_OK ? status
                           : add_widened(network, step, "convolution", run_forward, NULL, 0, step->output->data,
                                         value_count(network, step->output));
}

static nr_status backward_data(struct network *network, struct step *step, const void *dy, float *target)
{
    float *dx = step->own.conv.padded ? network->scratch : target;
    nr_status status = add_widened(network, step, "convolution, gradient of the input", run_data, dy, 1, dx,
                                   input_count(network, step));
    return status != NR_OK || dx == target ? status : add(network, step, "crop", run_crop, dx, target);
}

static nr_status backward(struct network *network, struct step *step, float *target)
{
    const struct conv_step *own = &step->own.conv;
    const void *dy = step->output->gradient;
    nr_status status = NR_OK;
    if (own->half) {
        status = node_to_half(network, step, step->output->gradient, network->half_scratch[0],
                              value_count(network, step->output));
        dy = network->half_scratch[0];
    }
    if (status == NR_OK)
        status = add_widened(network, step, "convolution, gradient of the weights", run_weights, dy, 1,
                             network_weight_gradient(network, step->index), step->layer->weights);
    return status != NR_OK || !target ? status : backward_data(network, step, dy, target);
}

static void destroy(struct step *step)
{
    convolution_destroy(step->own.conv.convolution);
}

const struct step_kind step_conv = {
    .name = "conv", .place = place, .forward = forward, .backward = backward, .destroy = destroy};
