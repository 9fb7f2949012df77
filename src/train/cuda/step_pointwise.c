/* Bias, activation and dropout in one pass over memory. */
#include "kernels/math/random.h"
#include "train/cuda/network.h"

static struct k_pointwise describe(const struct network *network, const struct step *step)
{
    const struct pointwise_step *own = &step->own.pointwise;
    const struct shape *shape = &step->output->shape;
    double rate = own->dropout ? own->dropout->rate : 0;
    return (struct k_pointwise){.rows = network->setup.rows,
                                .channels = shape->channels,
                                .positions = shape->height * shape->width,
                                .bias = network_bias(network, own->bias_layer),
                                .activation =
                                    own->activation ? (enum k_activation)own->activation->activation : K_IDENTITY,
                                .slope = own->activation ? (float)own->activation->slope : 0,
                                .threshold = own->dropout ? random_dropout_threshold(rate) : 0,
                                .scale = (float)(1 / (1 - rate)),
                                .seed = network->setup.seed,
                                .trial = network->setup.trial,
                                .stream = own->dropout ? own->dropout->stream : 0,
                                .first = network->setup.first};
}

/* The derivative wants the activation's input: x is kept, with the bias added to it. */
static bool reads_input(const struct step *step)
{
    const struct plan_layer *activation = step->own.pointwise.activation;
    return activation && (activation->activation == ACT_GELU || activation->activation == ACT_SILU ||
                          (activation->activation == ACT_LEAKY_RELU && activation->slope < 0));
}

static nr_status run_forward(const struct network *network, const struct node *node)
{
    const struct step *step = node->step;
    const struct k_pointwise pointwise = describe(network, step);
    bool stored = network->setup.training && pointwise.bias && reads_input(step);
    TRY_CUDA(network->lane->failure,
             k_pointwise_forward(&pointwise, network->setup.training ? network->vectors->state : NULL,
                                 step->input->data, stored ? step->input->data : NULL, step->output->data,
                                 network->lane->stream));
    return NR_OK;
}

static nr_status run_backward(const struct network *network, const struct node *node)
{
    const struct step *step = node->step;
    const struct k_pointwise pointwise = describe(network, step);
    bool from_input = reads_input(step), from_output = pointwise.activation != K_IDENTITY && !from_input;
    TRY_CUDA(network->lane->failure,
             k_pointwise_backward(&pointwise, network->vectors->state, from_input ? step->input->data : NULL,
                                  from_output ? step->output->data : NULL, step->output->gradient, node->out,
                                  network->lane->stream));
    return NR_OK;
}

static nr_status forward(struct network *network, struct step *step)
{
    return node_add(network, &(struct node){.name = "pointwise", .run = run_forward, .step = step});
}

/* A bias alone hands the gradient on as it is. */
static nr_status backward(struct network *network, struct step *step, float *target)
{
    const struct pointwise_step *own = &step->own.pointwise;
    nr_status status = NR_OK;
    if (own->activation || own->dropout)
        status = node_add(
            network, &(struct node){.name = "pointwise, gradient", .run = run_backward, .step = step, .out = target});
    else if (target != step->output->gradient)
        status = node_copy(network, step, step->output->gradient, target, value_count(network, step->input));
    if (status == NR_OK && own->bias)
        status = node_bias_gradient(network, step, own->bias_layer, step->output, target);
    return status;
}

const struct step_kind step_pointwise = {.name = "pointwise", .forward = forward, .backward = backward};
