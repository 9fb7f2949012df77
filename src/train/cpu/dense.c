/* Dense layers: three matrix products. The bias belongs to the pointwise step behind. */
#include "train/cpu/gemm.h"
#include "train/cpu/network.h"

static void forward(struct network *network, struct step *step, size_t block)
{
    const struct value *x = step->input, *y = step->output;
    gemm(false, false, network->count, y->features, x->features, value_data(x, block), x->pitch,
         network->parameter + step->layer->weight, y->features, value_data(y, block), y->pitch);
}

static void backward(struct network *network, struct step *step, size_t block, real *target)
{
    const struct value *x = step->input, *y = step->output;
    const real *dy = value_gradient(y, block);
    gemm(true, false, x->features, y->features, network->count, value_data(x, block), x->pitch, dy, y->gradient_pitch,
         network->gradient + step->layer->weight, y->features);
    if (target)
        gemm(false, true, network->count, x->features, y->features, dy, y->gradient_pitch,
             network->parameter + step->layer->weight, y->features, target, x->gradient_pitch);
}

const struct step_kind step_dense = {.name = "dense", .forward = forward, .backward = backward};
