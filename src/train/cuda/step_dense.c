/* Dense layers: three products. Row-major x [rows][in], W [in][out], y [rows][out] are column-major [in][rows],
 * [out][in], [out][rows] to the library (product.h):
 *
 *   y  = W x          m = out, n = rows, k = in
 *   dW = dy x^T       m = out, n = in,   k = rows; its first factor's sum over k is the bias's gradient
 *   dx = W^T dy       m = in,  n = rows, k = out
 *
 * Bias and ReLU go along as epilogues. ReLU's derivative goes along with the gradient of the input of the dense layer
 * behind, and the gradient of the bias with that. Where the library has no such epilogue for a shape, kernels of ours
 * do the same. */
#include "train/cuda/network.h"

enum { FORWARD, WEIGHTS, DATA };

static int64_t inputs_of(const struct step *step)
{
    return step->input->features;
}

static int64_t outputs_of(const struct step *step)
{
    return step->output->features;
}

static bool is_half(const struct network *network)
{
    return network->setup.recipe->precision == PRECISION_BF16;
}

static void place(struct network *network, struct step *step, struct region *region)
{
    struct dense_step *own = &step->own.dense;
    if (own->masked)
        own->mask = region_take(region, network->setup.rows, (size_t)product_mask_bits(outputs_of(step)) / 8);
    if (is_half(network) && network->setup.training)
        network_half_scratch(network, 0, value_count(network, step->output));
}

static const void *weights_of(const struct network *network, const struct step *step)
{
    return is_half(network) ? (const void *)network_half_weight(network, step->index)
                            : network_weight(network, step->index);
}

/* Adds the product, if the library has it, to step and nodes; *done tells. */
static nr_status try_product(struct network *network, struct step *step, int which, const struct product_setup *setup,
                             bool *done)
{
    struct product **product = &step->own.dense.product[which];
    *done = false;
    if (setup->epilogue != PRODUCT_PLAIN && !network->setup.epilogues)
        return NR_OK;
    nr_status status = product_create(network->lane, setup, product);
    if (status == NR_INFEASIBLE && setup->epilogue != PRODUCT_PLAIN)
        return NR_OK;
    if (status == NR_INFEASIBLE)
        return failure_note(network->lane->failure, status, "cuBLASLt has no product of %lld x %lld x %lld",
                            (long long)setup->m, (long long)setup->n, (long long)setup->k);
    if (status != NR_OK)
        return status;
    *done = true;
    return node_product(network, step, setup->epilogue, *product);
}

/* The first of the epilogues that works; the last is PRODUCT_PLAIN, without which there is no network. */
static nr_status first_product(struct network *network, struct step *step, int which, struct product_setup *setup,
                               const enum product_epilogue *epilogue)
{
    bool done = false;
    for (size_t i = 0; !done; i++) {
        setup->epilogue = epilogue[i];
        nr_status status = try_product(network, step, which, setup, &done);
        if (status != NR_OK)
            return status;
    }
    return NR_OK;
}

/* ---- what the epilogues do, in kernels of ours ---- */

static struct k_pointwise describe(const struct network *network, const struct step *step)
{
    return (struct k_pointwise){.rows = network->setup.rows,
                                .channels = outputs_of(step),
                                .positions = 1,
                                .bias = step->layer->bias ? network_bias(network, step->index) : NULL,
                                .activation = step->own.dense.relu ? K_RELU : K_IDENTITY,
                                .scale = 1};
}

static nr_status run_forward(const struct network *network, const struct node *node)
{
    const struct k_pointwise pointwise = describe(network, node->step);
    float *y = node->step->output->data;
    TRY_CUDA(network->lane->failure, k_pointwise_forward(&pointwise, NULL, y, NULL, y, network->lane->stream));
    return NR_OK;
}

static nr_status run_relu_gradient(const struct network *network, const struct node *node)
{
    const struct k_pointwise pointwise = describe(network, node->step);
    const struct value *y = node->step->output;
    TRY_CUDA(network->lane->failure, k_pointwise_backward(&pointwise, network->vectors->state, NULL, y->data,
                                                          y->gradient, y->gradient, network->lane->stream));
    return NR_OK;
}

/* ---- nodes ---- */

static nr_status forward(struct network *network, struct step *step)
{
    struct dense_step *own = &step->own.dense;
    int64_t in = inputs_of(step), out = outputs_of(step);
    static const enum product_epilogue masked[] = {PRODUCT_RELU_AUX_BIAS, PRODUCT_RELU_BIAS, PRODUCT_PLAIN},
                                       relu[] = {PRODUCT_RELU_BIAS, PRODUCT_PLAIN},
                                       bias[] = {PRODUCT_BIAS, PRODUCT_PLAIN}, plain[] = {PRODUCT_PLAIN};
    nr_status status = is_half(network) ? node_half_value(network, step, step->input) : NR_OK;
    if (status != NR_OK)
        return status;
    struct product_setup setup = {.m = out,
                                  .n = network->setup.rows,
                                  .k = in,
                                  .lda = out,
                                  .ldb = in,
                                  .ldd = out,
                                  .precision = network->setup.recipe->precision,
                                  .a = weights_of(network, step),
                                  .b = is_half(network) ? (const void *)step->input->half : step->input->data,
                                  .d = step->output->data,
                                  .vector = step->layer->bias ? network_bias(network, step->index) : NULL,
                                  .mask = own->mask,
                                  .mask_bits = product_mask_bits(out)};
    status = first_product(network, step, FORWARD, &setup,
                           own->masked         ? masked
                           : own->relu         ? relu
                           : step->layer->bias ? bias
                                               : plain);
    own->mask_written = setup.epilogue == PRODUCT_RELU_AUX_BIAS;
    if (status != NR_OK || setup.epilogue != PRODUCT_PLAIN || !step->layer->bias)
        return status;
    return node_add(network,
                    &(struct node){.name = own->relu ? "bias, relu" : "bias", .run = run_forward, .step = step});
}

/* Also the bias's gradient, unless the step behind gave it. */
static nr_status backward_weights(struct network *network, struct step *step, const void *dy)
{
    static const enum product_epilogue summing[] = {PRODUCT_BGRADA, PRODUCT_PLAIN}, plain[] = {PRODUCT_PLAIN};
    int64_t in = inputs_of(step), out = outputs_of(step);
    bool biased = step->layer->bias && !step->own.dense.bias_done;
    struct product_setup setup = {.transpose_b = true,
                                  .m = out,
                                  .n = in,
                                  .k = network->setup.rows,
                                  .lda = out,
                                  .ldb = in,
                                  .ldd = out,
                                  .precision = network->setup.recipe->precision,
                                  .a = dy,
                                  .b = is_half(network) ? (const void *)step->input->half : step->input->data,
                                  .d = network_weight_gradient(network, step->index),
                                  .vector = biased ? network_bias_gradient(network, step->index) : NULL};
    nr_status status = first_product(network, step, WEIGHTS, &setup, biased ? summing : plain);
    if (status != NR_OK || !biased || setup.epilogue == PRODUCT_BGRADA)
        return status;
    return node_bias_gradient(network, step, step->index, step->output, step->output->gradient);
}

/* The gradient of the input, before the ReLU of the dense layer `before` where its mask was written. */
static nr_status backward_data(struct network *network, struct step *step, const void *dy, float *target)
{
    static const enum product_epilogue deriving[] = {PRODUCT_DRELU_BGRAD, PRODUCT_DRELU, PRODUCT_PLAIN},
                                       plain[] = {PRODUCT_PLAIN};
    int64_t in = inputs_of(step), out = outputs_of(step);
    struct step *before = step->input->producer;
    bool masked = before && before->kind == &step_dense && before->own.dense.mask_written;
    struct product_setup setup = {.transpose_a = true,
                                  .m = in,
                                  .n = network->setup.rows,
                                  .k = out,
                                  .lda = out,
                                  .ldb = out,
                                  .ldd = in,
                                  .precision = network->setup.recipe->precision,
                                  .a = weights_of(network, step),
                                  .b = dy,
                                  .d = target,
                                  .vector = masked ? network_bias_gradient(network, before->index) : NULL,
                                  .mask = masked ? before->own.dense.mask : NULL,
                                  .mask_bits = product_mask_bits(in)};
    nr_status status = first_product(network, step, DATA, &setup, masked ? deriving : plain);
    if (masked) {
        before->own.dense.relu_done = setup.epilogue != PRODUCT_PLAIN;
        before->own.dense.bias_done = setup.epilogue == PRODUCT_DRELU_BGRAD;
    }
    return status;
}

static nr_status backward(struct network *network, struct step *step, float *target)
{
    struct dense_step *own = &step->own.dense;
    const void *dy = step->output->gradient;
    nr_status status = NR_OK;
    if (own->relu && !own->relu_done)
        status = node_add(network, &(struct node){.name = "relu, gradient", .run = run_relu_gradient, .step = step});
    if (status == NR_OK && is_half(network)) {
        status = node_to_half(network, step, step->output->gradient, network->half_scratch[0],
                              value_count(network, step->output));
        dy = network->half_scratch[0];
    }
    if (status == NR_OK)
        status = backward_weights(network, step, dy);
    return status != NR_OK || !target ? status : backward_data(network, step, dy, target);
}

static void destroy(struct step *step)
{
    for (int i = 0; i < 3; i++)
        product_destroy(step->own.dense.product[i]);
}

const struct step_kind step_dense = {
    .name = "dense", .place = place, .forward = forward, .backward = backward, .destroy = destroy};
