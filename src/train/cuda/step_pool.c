/* Maximum, average and global average pools, with bias and ReLU before them in the same pass. */
#include "train/cuda/network.h"

static struct k_pool describe(const struct network *network, const struct step *step)
{
    const struct pool_step *own = &step->own.pool;
    const struct plan_layer *layer = step->layer;
    bool global = layer->kind == OP_GLOBALAVGPOOL;
    return (struct k_pool){.maximum = layer->kind == OP_MAXPOOL,
                           .rows = network->setup.rows,
                           .channels = layer->in.channels,
                           .in_height = layer->in.height,
                           .in_width = layer->in.width,
                           .out_height = layer->out.height,
                           .out_width = layer->out.width,
                           .kernel_height = global ? layer->in.height : layer->kernel_height,
                           .kernel_width = global ? layer->in.width : layer->kernel_width,
                           .stride = global ? 1 : layer->stride,
                           .pad_top = global ? 0 : layer->pad_top,
                           .pad_left = global ? 0 : layer->pad_left,
                           .bias = network_bias(network, own->bias_layer),
                           .relu = own->relu};
}

static void place(struct network *network, struct step *step, struct region *region)
{
    if (network->setup.training && step->layer->kind == OP_MAXPOOL)
        step->own.pool.trace = region_take(region, value_count(network, step->output), sizeof(uint16_t));
}

static nr_status run_forward(const struct network *network, const struct node *node)
{
    const struct step *step = node->step;
    const struct k_pool pool = describe(network, step);
    TRY_CUDA(network->lane->failure,
             k_pool_forward(&pool, step->input->data, step->output->data, step->own.pool.trace, network->lane->stream));
    return NR_OK;
}

/* The kernel gives the bias's gradient too. */
static bool sums_bias(const struct step *step)
{
    return step->own.pool.bias_layer >= 0 && step->layer->kind == OP_MAXPOOL;
}

static nr_status run_backward(const struct network *network, const struct node *node)
{
    const struct step *step = node->step;
    const struct k_pool pool = describe(network, step);
    const float *x = !pool.maximum && pool.relu ? step->input->data : NULL;
    float *bias_gradient = sums_bias(step) ? network_bias_gradient(network, step->own.pool.bias_layer) : NULL;
    TRY_CUDA(network->lane->failure, k_pool_backward(&pool, x, step->own.pool.trace, step->output->gradient, node->out,
                                                     bias_gradient, network->lane->stream));
    return NR_OK;
}

static nr_status forward(struct network *network, struct step *step)
{
    return node_add(network, &(struct node){.name = "pool", .run = run_forward, .step = step});
}

static nr_status backward(struct network *network, struct step *step, float *target)
{
    if (!target)
        return NR_OK;
    nr_status status =
        node_add(network, &(struct node){.name = sums_bias(step) ? "pool, gradient, bias gradient" : "pool, gradient",
                                         .run = run_backward,
                                         .step = step,
                                         .out = target});
    if (status == NR_OK && step->own.pool.bias_layer >= 0 && !sums_bias(step))
        status = node_bias_gradient(network, step, step->own.pool.bias_layer, step->input, target);
    return status;
}

const struct step_kind step_pool = {.name = "pool", .place = place, .forward = forward, .backward = backward};
