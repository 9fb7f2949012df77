/* Running a network: segments of steps, forward and backward. */
#include "train/cpu/network.h"

#include <string.h>

static size_t blocks_of(const struct network *network)
{
    return lanes_blocks(network->count);
}

static void forward(struct network *network)
{
    size_t next;
    for (size_t i = 0; i < network->steps; i = next) {
        for (next = i + 1; next < network->steps && network->step[next].segment == network->step[i].segment;)
            next++;
        size_t blocks = network->step[i].whole ? 1 : blocks_of(network);
        for (size_t block = 0; block < blocks; block++)
            for (size_t j = i; j < next; j++)
                network->step[j].kind->forward(network, &network->step[j], block);
    }
}

static void backward_step(struct network *network, struct step *step, size_t block)
{
    const struct value *input = step->input;
    if (!step->backward || !step->kind->backward)
        return;
    real *gradient = input && input->wants_gradient ? value_gradient(input, block) : NULL;
    if (!gradient || !step->accumulate) {
        step->kind->backward(network, step, block, gradient);
        return;
    }
    step->kind->backward(network, step, block, network->addend);
    size_t count = !step->whole || input->lanes ? value_block(input) : network->count * input->gradient_pitch;
    lanes_add(gradient, network->addend, count, gradient);
}

static void backward(struct network *network)
{
    size_t first;
    for (size_t i = network->steps; i > 0; i = first) {
        for (first = i - 1; first > 0 && network->step[first - 1].segment == network->step[i - 1].segment;)
            first--;
        size_t blocks = network->step[i - 1].whole ? 1 : blocks_of(network);
        for (size_t block = 0; block < blocks; block++)
            for (size_t j = i; j > first; j--)
                backward_step(network, &network->step[j - 1], block);
    }
}

static void begin(struct network *network, const struct batch *batch, bool training)
{
    network->batch = batch;
    network->count = (size_t)batch->count;
    network->training = training;
    for (size_t i = 0; i < network->steps; i++)
        if (network->step[i].kind->begin)
            network->step[i].kind->begin(network, &network->step[i]);
}

double network_gradient(struct network *network, const struct batch *batch)
{
    if (batch->count == 0) { /* a rank without images in a short batch */
        memset(network->gradient, 0, network->parameters * sizeof *network->gradient);
        return 0;
    }
    begin(network, batch, true);
    forward(network);
    double loss = loss_gradient(network);
    backward(network);
    for (size_t i = 0; i < network->steps; i++)
        if (network->step[i].kind->end)
            network->step[i].kind->end(network, &network->step[i]);
    return loss;
}

void network_evaluate(struct network *network, const struct batch *batch, struct evaluation *out, double *logits)
{
    begin(network, batch, false);
    forward(network);
    loss_evaluate(network, out, logits);
}
