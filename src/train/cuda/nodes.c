/* The nodes that belong to no single operator. */
#include "base/memory.h"
#include "train/cuda/network.h"

nr_status node_add(struct network *network, const struct node *node)
{
    if (mem_grow(&network->node, &network->node_capacity, network->nodes + 1, sizeof *network->node) != NR_OK)
        return failure_note(network->lane->failure, NR_NO_MEMORY, "out of memory while writing down a network's nodes");
    network->node[network->nodes++] = *node;
    return NR_OK;
}

static nr_status run_product(const struct network *network, const struct node *node)
{
    (void)network;
    return product_run(node->in);
}

nr_status node_product(struct network *network, const struct step *step, enum product_epilogue epilogue,
                       const struct product *product)
{
    static const char *const names[] = {
        [PRODUCT_PLAIN] = "product",
        [PRODUCT_BIAS] = "product, bias",
        [PRODUCT_RELU_BIAS] = "product, bias, relu",
        [PRODUCT_RELU_AUX_BIAS] = "product, bias, relu with mask",
        [PRODUCT_DRELU] = "product, relu's derivative",
        [PRODUCT_DRELU_BGRAD] = "product, relu's derivative, bias gradient",
        [PRODUCT_BGRADA] = "product, bias gradient",
    };
    return node_add(network, &(struct node){.name = names[epilogue], .run = run_product, .step = step, .in = product});
}

static nr_status run_sum(const struct network *network, const struct node *node)
{
    TRY_CUDA(network->lane->failure, k_add(node->in, node->other, node->out, node->count, network->lane->stream));
    return NR_OK;
}

nr_status node_sum(struct network *network, const struct step *step, const float *a, const float *b, float *y,
                   int64_t count)
{
    return node_add(
        network,
        &(struct node){.name = "sum", .run = run_sum, .step = step, .in = a, .other = b, .out = y, .count = count});
}

static nr_status run_copy(const struct network *network, const struct node *node)
{
    TRY_CUDA(network->lane->failure, cudaMemcpyAsync(node->out, node->in, (size_t)node->count * sizeof(float),
                                                     cudaMemcpyDeviceToDevice, network->lane->stream));
    return NR_OK;
}

nr_status node_copy(struct network *network, const struct step *step, const float *from, float *to, int64_t count)
{
    return node_add(
        network, &(struct node){.name = "copy", .run = run_copy, .step = step, .in = from, .out = to, .count = count});
}

static nr_status run_zero(const struct network *network, const struct node *node)
{
    TRY_CUDA(network->lane->failure,
             cudaMemsetAsync(node->out, 0, (size_t)node->count * sizeof(float), network->lane->stream));
    return NR_OK;
}

nr_status node_zero(struct network *network, float *values, int64_t count)
{
    return node_add(network, &(struct node){.name = "zero", .run = run_zero, .out = values, .count = count});
}

static nr_status run_to_half(const struct network *network, const struct node *node)
{
    TRY_CUDA(network->lane->failure, k_to_bf16(node->in, node->out, node->count, network->lane->stream));
    return NR_OK;
}

nr_status node_to_half(struct network *network, const struct step *step, const float *from, uint16_t *to, int64_t count)
{
    return node_add(
        network,
        &(struct node){.name = "to bf16", .run = run_to_half, .step = step, .in = from, .out = to, .count = count});
}

static nr_status run_from_half(const struct network *network, const struct node *node)
{
    TRY_CUDA(network->lane->failure, k_from_bf16(node->in, node->out, node->count, network->lane->stream));
    return NR_OK;
}

nr_status node_from_half(struct network *network, const struct step *step, const uint16_t *from, float *to,
                         int64_t count)
{
    return node_add(
        network,
        &(struct node){.name = "from bf16", .run = run_from_half, .step = step, .in = from, .out = to, .count = count});
}

nr_status node_half_value(struct network *network, const struct step *step, struct value *value)
{
    if (value->half_made)
        return NR_OK;
    value->half_made = true;
    return node_to_half(network, step, value->data, value->half, value_count(network, value));
}

/* `other`: the value, for its shape. */
static nr_status run_bias_gradient(const struct network *network, const struct node *node)
{
    const struct value *value = node->other;
    TRY_CUDA(network->lane->failure,
             k_channel_sums(node->in, network->setup.rows, value->shape.channels,
                            value->shape.height * value->shape.width, node->out, network->lane->stream));
    return NR_OK;
}

nr_status node_bias_gradient(struct network *network, const struct step *step, int layer, const struct value *value,
                             const float *gradient)
{
    return node_add(network, &(struct node){.name = "bias gradient",
                                            .run = run_bias_gradient,
                                            .step = step,
                                            .in = gradient,
                                            .other = value,
                                            .out = network_bias_gradient(network, layer)});
}

void network_list(const struct network *network, struct text *text)
{
    for (size_t i = 0; i < network->nodes; i++) {
        const struct node *node = &network->node[i];
        text_format(text, "%3zu  ", i + 1);
        if (node->step)
            text_format(text, "%s %d: ", operator_name(node->step->layer->kind), node->step->index + 1);
        text_format(text, "%s\n", node->name);
    }
}

nr_status network_enqueue(const struct network *network)
{
    for (size_t i = 0; i < network->nodes; i++) {
        nr_status status = network->node[i].run(network, &network->node[i]);
        if (status != NR_OK)
            return status;
    }
    return NR_OK;
}
