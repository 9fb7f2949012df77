/* Softmax cross-entropy with label smoothing, on the rows of logits. */
#ifdef NR_DOUBLE
#define NR_MATH_DOUBLE
#endif
#include "kernels/math/elementary.h"
#include "train/cpu/network.h"

#include <math.h>

/* exp(z - max) into `power`; the sum of it. Padding columns become 0. A NaN anywhere makes the sum NaN. */
static real softmax_sum(const real *z, size_t classes, size_t pitch, real *power, real *most)
{
    real high = z[0];
    for (size_t i = 1; i < classes; i++)
        high = z[i] > high ? z[i] : high;
    vec sum = vec_zero(), top = vec_set(high);
    for (size_t i = 0; i < pitch; i += LANES) {
        real lane[LANES];
        vec_store_unaligned(lane, vec_load(z + i) - top);
        for (size_t j = 0; j < LANES; j++)
            lane[j] = math_exp(lane[j]);
        vec powers = vec_load_unaligned(lane);
        if (i + LANES > classes)
            powers = vec_keep(vmask_first(classes > i ? classes - i : 0), powers);
        vec_store(power + i, powers);
        sum += powers;
    }
    *most = high;
    return vec_sum(sum);
}

/* loss = -sum_k q_k log p_k with q = (1 - e) one-hot + e / K; dz = (p - q) * scale. */
double loss_gradient(struct network *network)
{
    const struct value *logits = network->logits;
    const struct batch *batch = network->batch;
    size_t classes = logits->features, pitch = logits->pitch;
    double smoothing = network->setup.recipe->label_smoothing, total = 0;
    const real factor = (real)batch->gradient_scale, uniform = (real)(smoothing / (double)classes);
    for (size_t row = 0; row < network->count; row++) {
        const real *z = logits->data + row * pitch;
        real *dz = logits->gradient + row * logits->gradient_pitch, most;
        size_t label = batch->labels[batch->image[row]];
        double sum = (double)softmax_sum(z, classes, pitch, dz, &most);
        double log_sum = (double)most + log(sum), loss = log_sum - (double)z[label];
        if (smoothing > 0) {
            double mean = 0;
            for (size_t i = 0; i < classes; i++)
                mean += (double)z[i];
            loss = (1 - smoothing) * loss + smoothing * (log_sum - mean / (double)classes);
        }
        total += loss;
        const real share = (real)(1 / sum);
        for (size_t i = 0; i < classes; i++)
            dz[i] = (dz[i] * share - uniform) * factor;
        dz[label] -= (real)(1 - smoothing) * factor;
    }
    return total;
}

void loss_evaluate(struct network *network, struct evaluation *out, double *logits_out)
{
    const struct value *logits = network->logits;
    const struct batch *batch = network->batch;
    size_t classes = logits->features;
    for (size_t row = 0; row < network->count; row++) {
        const real *z = logits->data + row * logits->pitch;
        size_t label = batch->labels[batch->image[row]], best = 0;
        double sum = 0;
        for (size_t i = 1; i < classes; i++)
            if (z[i] > z[best])
                best = i;
        for (size_t i = 0; i < classes; i++)
            sum += (double)math_exp(z[i] - z[best]);
        out->images++;
        out->correct += best == label;
        out->loss_sum += log(sum) + (double)z[best] - (double)z[label];
        for (size_t i = 0; logits_out && i < classes; i++)
            logits_out[row * classes + i] = (double)z[i];
    }
}
