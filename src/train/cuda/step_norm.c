/* Batch norm: cuDNN's, or a kernel of ours for a batch with a single value per channel. */
#include "train/cuda/network.h"

static const float momentum = 0.1f; /* running += momentum * (batch - running) */

static bool is_single(const struct network *network, const struct step *step)
{
    const struct shape *shape = &step->layer->in;
    return network->setup.training && network->setup.rows * shape->height * shape->width == 1;
}

static void place(struct network *network, struct step *step, struct region *region)
{
    struct norm_step *own = &step->own.norm;
    if (!network->setup.training)
        return;
    own->mean = region_floats(region, step->layer->in.channels);
    own->inverse = region_floats(region, step->layer->in.channels);
    if (!step->input->wants_gradient)
        network_scratch(network, value_count(network, step->input));
}

static float *running_mean(const struct network *network, const struct step *step)
{
    return network->vectors->buffer + network->setup.layout->layer[step->index].mean;
}

static float *running_variance(const struct network *network, const struct step *step)
{
    return network->vectors->buffer + network->setup.layout->layer[step->index].variance;
}

static nr_status run_single_forward(const struct network *network, const struct node *node)
{
    const struct step *step = node->step;
    TRY_CUDA(network->lane->failure,
             k_norm_single_forward(step->input->data, network_bias(network, step->index), step->layer->in.channels,
                                   momentum, step->output->data, running_mean(network, step),
                                   running_variance(network, step), network->lane->stream));
    return NR_OK;
}

static nr_status run_forward(const struct network *network, const struct node *node)
{
    const struct step *step = node->step;
    const struct norm_step *own = &step->own.norm;
    return normalisation_forward(own->norm, step->input->data, network_weight(network, step->index),
                                 network_bias(network, step->index), step->output->data, running_mean(network, step),
                                 running_variance(network, step), own->mean, own->inverse);
}

static nr_status run_evaluate(const struct network *network, const struct node *node)
{
    const struct step *step = node->step;
    return normalisation_evaluate(step->own.norm.norm, step->input->data, network_weight(network, step->index),
                                  network_bias(network, step->index), running_mean(network, step),
                                  running_variance(network, step), step->output->data);
}

static nr_status run_single_backward(const struct network *network, const struct node *node)
{
    const struct step *step = node->step;
    TRY_CUDA(network->lane->failure,
             k_norm_single_backward(step->output->gradient, step->layer->in.channels, node->out,
                                    network_weight_gradient(network, step->index),
                                    network_bias_gradient(network, step->index), network->lane->stream));
    return NR_OK;
}

static nr_status run_backward(const struct network *network, const struct node *node)
{
    const struct step *step = node->step;
    const struct norm_step *own = &step->own.norm;
    return normalisation_backward(own->norm, step->input->data, step->output->gradient,
                                  network_weight(network, step->index), own->mean, own->inverse, node->out,
                                  network_weight_gradient(network, step->index),
                                  network_bias_gradient(network, step->index));
}

static nr_status forward(struct network *network, struct step *step)
{
    const struct shape *shape = &step->layer->in;
    if (is_single(network, step))
        return node_add(network, &(struct node){.name = "norm of one value", .run = run_single_forward, .step = step});
    nr_status status = lane_use_dnn(network->lane);
    if (status == NR_OK)
        status = normalisation_create(network->lane, network->setup.rows, shape->channels, shape->height * shape->width,
                                      &step->own.norm.norm);
    if (status != NR_OK)
        return status;
    return node_add(
        network,
        &(struct node){.name = "norm", .run = network->setup.training ? run_forward : run_evaluate, .step = step});
}

static nr_status backward(struct network *network, struct step *step, float *target)
{
    bool single = is_single(network, step);
    return node_add(network, &(struct node){.name = single ? "norm of one value, gradient" : "norm, gradient",
                                            .run = single ? run_single_backward : run_backward,
                                            .step = step,
                                            .out = target ? target : network->scratch});
}

static void destroy(struct step *step)
{
    normalisation_destroy(step->own.norm.norm);
}

const struct step_kind step_norm = {
    .name = "norm", .place = place, .forward = forward, .backward = backward, .destroy = destroy};
