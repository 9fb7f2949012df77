/* From steps to nodes: a whole training step, or the forward pass of an evaluation. */
#include <stdlib.h>

#include "base/memory.h"
#include "train/cuda/network.h"

nr_status network_create(const struct network_setup *setup, struct network **out)
{
    struct network *network = mem_array(1, sizeof *network);
    if (!network)
        return NR_NO_MEMORY;
    network->setup = *setup;
    nr_status status = network_compile(network);
    if (status != NR_OK) {
        network_destroy(network);
        return status;
    }
    *out = network;
    return NR_OK;
}

void network_destroy(struct network *network)
{
    if (!network)
        return;
    for (size_t i = 0; i < network->steps; i++)
        if (network->step[i].kind->destroy)
            network->step[i].kind->destroy(&network->step[i]);
    free(network->value);
    free(network->step);
    free(network->node);
    free(network);
}

/* ---- where a layer's tensors lie ---- */

static const struct layout_places *places(const struct network *network, int layer)
{
    return &network->setup.layout->layer[layer];
}

float *network_weight(const struct network *network, int layer)
{
    return network->vectors->parameter + places(network, layer)->weight;
}

float *network_weight_gradient(const struct network *network, int layer)
{
    return network->vectors->gradient + places(network, layer)->weight;
}

float *network_bias(const struct network *network, int layer)
{
    return layer < 0 ? NULL : network->vectors->parameter + places(network, layer)->bias;
}

float *network_bias_gradient(const struct network *network, int layer)
{
    return network->vectors->gradient + places(network, layer)->bias;
}

const uint16_t *network_half_weight(const struct network *network, int layer)
{
    return network->vectors->half + places(network, layer)->weight;
}

/* ---- nodes of the whole network ---- */

static nr_status run_gather(const struct network *network, const struct node *node)
{
    const struct vectors *vectors = network->vectors;
    const struct recipe *recipe = network->setup.recipe;
    const struct k_augmentation augmentation = {.seed = network->setup.seed,
                                                .trial = network->setup.trial,
                                                .shift = recipe->shift,
                                                .erase = recipe->erase,
                                                .flip = recipe->flip};
    TRY_CUDA(network->lane->failure,
             k_gather(&network->images, &network->feed, &augmentation, vectors->scale, vectors->shift, vectors->state,
                      network->setup.rows, node->out, vectors->label, network->lane->stream));
    return NR_OK;
}

/* The gradient of the mean over the whole batch, as a mean over ranks of what each has of it. */
static nr_status run_loss(const struct network *network, const struct node *node)
{
    const struct network_setup *setup = &network->setup;
    const struct value *logits = network->logits;
    float scale = (float)((double)setup->ranks / (double)setup->whole);
    (void)node;
    TRY_CUDA(network->lane->failure, k_loss_gradient(logits->data, network->vectors->label, setup->rows,
                                                     logits->features, (float)setup->recipe->label_smoothing, scale,
                                                     logits->gradient, network->vectors->loss, network->lane->stream));
    return NR_OK;
}

/* Running statistics weigh by the rank's share of the batch, which makes their mean over the ranks that over rows. */
static nr_status run_weigh(const struct network *network, const struct node *node)
{
    const struct network_setup *setup = &network->setup;
    double share = (double)setup->rows * (double)setup->ranks / (double)setup->whole;
    TRY_CUDA(network->lane->failure, k_scale(node->out, (float)share, node->count, network->lane->stream));
    return NR_OK;
}

static nr_status run_mean(const struct network *network, const struct node *node)
{
    return collective_mean(network->group, node->out, node->count, network->lane->stream);
}

static nr_status run_squares(const struct network *network, const struct node *node)
{
    (void)node;
    TRY_CUDA(network->lane->failure, k_squares(&network->update, network->lane->stream));
    return NR_OK;
}

static nr_status run_update(const struct network *network, const struct node *node)
{
    (void)node;
    TRY_CUDA(network->lane->failure, k_update_apply(&network->update, network->vectors->state, network->lane->stream));
    return NR_OK;
}

/* ---- passes ---- */

static nr_status forward(struct network *network)
{
    nr_status status = NR_OK;
    for (size_t i = 0; status == NR_OK && i < network->steps; i++)
        status = network->step[i].kind->forward(network, &network->step[i]);
    return status;
}

static nr_status backward_step(struct network *network, struct step *step)
{
    struct value *input = step->input;
    float *gradient = input->wants_gradient ? input->gradient : NULL;
    if (!step->output->wants_gradient)
        return NR_OK;
    if (!gradient || !step->accumulate || step->kind->accumulates)
        return step->kind->backward(network, step, gradient);
    nr_status status = step->kind->backward(network, step, network->addend);
    return status != NR_OK ? status
                           : node_sum(network, step, gradient, network->addend, gradient, value_count(network, input));
}

static nr_status backward(struct network *network)
{
    nr_status status = node_add(network, &(struct node){.name = "loss and gradient", .run = run_loss});
    for (size_t i = network->steps; status == NR_OK && i-- > 0;)
        status = backward_step(network, &network->step[i]);
    return status;
}

/* Everything from the images to the gradients of this rank. */
static nr_status gradients(struct network *network, int64_t reduced)
{
    nr_status status;
    if (network->setup.rows == 0) /* a rank without images in a short batch */
        return node_zero(network, network->vectors->gradient, reduced);
    status = node_add(network, &(struct node){.name = "gather", .run = run_gather, .out = network->input->data});
    if (status == NR_OK && network->vectors->half)
        status = node_to_half(network, NULL, network->vectors->parameter, network->vectors->half,
                              network->setup.layout->parameters);
    if (status == NR_OK)
        status = forward(network);
    return status == NR_OK ? backward(network) : status;
}

static nr_status mean_over_ranks(struct network *network, int64_t reduced)
{
    const struct network_setup *setup = &network->setup;
    int64_t buffers = setup->layout->buffers;
    nr_status status = NR_OK;
    if (buffers > 0 && setup->rows > 0 && setup->rows * setup->ranks != setup->whole)
        status = node_add(network, &(struct node){.name = "share of the running statistics",
                                                  .run = run_weigh,
                                                  .out = network->vectors->buffer,
                                                  .count = buffers});
    return status != NR_OK ? status
                           : node_add(network, &(struct node){.name = "mean over the ranks",
                                                              .run = run_mean,
                                                              .out = network->vectors->gradient,
                                                              .count = reduced});
}

nr_status network_build(struct network *network)
{
    const struct layout *layout = network->setup.layout;
    int64_t reduced = layout->parameters + layout->buffers + 1; /* and the loss */
    if (!network->setup.training)
        return forward(network);
    nr_status status = gradients(network, reduced);
    if (status == NR_OK && network->group)
        status = mean_over_ranks(network, reduced);
    if (status == NR_OK && network->setup.recipe->clip_norm > 0)
        status = node_add(network, &(struct node){.name = "norm of the gradient", .run = run_squares});
    if (status == NR_OK)
        status = node_add(network, &(struct node){.name = "update", .run = run_update});
    return status;
}
