#include "bench/mixed.h"

#include <math.h>
#include <stddef.h>

enum mixed_dimension { MIXED_WIDTH, MIXED_DEPTH, MIXED_RATE, MIXED_BATCH, MIXED_ACTIVATION, MIXED_NORM };

const char *const mixed_entries[] = {"width",      "int 8..256 log",
                                     "depth",      "int 1..6",
                                     "rate",       "real 1e-4..1e-1 log",
                                     "batch",      "ordered 16, 32, 64, 128, 256",
                                     "activation", "choice relu, gelu, tanh, sigmoid, elu",
                                     "norm",       "bool",
                                     NULL};

bool mixed_evaluate(const double *point, double value[2])
{
    static const struct {
        double error, per_depth, cost;
    } activations[] = {{0.010, 0.004, 0}, {0.018, 0, 0.2}, {0, 0.012, 0.1}, {0.030, 0.030, 0.1}, {0.012, 0.005, 0.2}};
    double width = log2(point[MIXED_WIDTH]) - 3, depth = point[MIXED_DEPTH] - 1;
    double batch = point[MIXED_BATCH], norm = point[MIXED_NORM]; /* the level's index is log2(batch) - 4 */
    size_t activation = (size_t)point[MIXED_ACTIVATION];
    double off = log10(point[MIXED_RATE]) - (-2.6 + 0.5 * norm + 0.15 * batch - 0.08 * depth);
    value[0] = 0.04 + 0.4 * exp(-0.45 * width - 0.8 * depth + 0.07 * depth * depth) + activations[activation].error +
               activations[activation].per_depth * depth + (norm > 0 ? 0.010 : 0.008 * depth) + 0.006 * batch +
               fmin(0.06 * off * off, 0.3);
    value[1] = log2(point[MIXED_WIDTH] * point[MIXED_DEPTH]) + 0.3 * norm + activations[activation].cost - 0.15 * batch;
    return off <= 1;
}

enum { BLOCKS = 4 };
enum conditional_dimension {
    CONDITIONAL_BLOCKS,
    CONDITIONAL_WIDTH, /* of the first of four blocks */
    CONDITIONAL_KERNEL = CONDITIONAL_WIDTH + BLOCKS,
    CONDITIONAL_SKIP = CONDITIONAL_KERNEL + BLOCKS,
    CONDITIONAL_OPTIMIZER,
    CONDITIONAL_MOMENTUM,
    CONDITIONAL_WARMUP,
    CONDITIONAL_RATE
};

const char *const conditional_entries[] = {"blocks",
                                           "int 1..4",
                                           "width[blocks]",
                                           "int 4..64 log",
                                           "kernel[blocks]",
                                           "ordered 1, 3, 5",
                                           "skip",
                                           "bool if blocks > 2",
                                           "optimizer",
                                           "choice sgd, adam",
                                           "momentum",
                                           "real 0..0.99 if optimizer = sgd",
                                           "warmup",
                                           "int 0..8 if optimizer = adam",
                                           "rate",
                                           "real 1e-4..1 log",
                                           NULL};

static double squared(double x)
{
    return x * x;
}

/* What a training that is not the best adds to the error. */
static double training_error(const double *point)
{
    double rate = log10(point[CONDITIONAL_RATE]);
    if (point[CONDITIONAL_OPTIMIZER] == 0)
        return fmin(0.25 * squared(point[CONDITIONAL_MOMENTUM] - 0.9) + 0.04 * squared(rate + 1), 0.3);
    return 0.015 + fmin(0.03 * squared(rate + 3) + 0.002 * squared(point[CONDITIONAL_WARMUP] - 4), 0.3);
}

bool conditional_evaluate(const double *point, double value[2])
{
    static const double gain_of_block[BLOCKS] = {0.9, 0.7, 0.5, 0.4};
    static const double gain_of_kernel[BLOCKS][3] = {{0.3, 0.7, 1}, {0.4, 1, 0.9}, {0.6, 1, 0.7}, {1, 0.9, 0.8}};
    double gain = 0, cost = 0, blocks = point[CONDITIONAL_BLOCKS];
    bool skip = point[CONDITIONAL_SKIP] == 1; /* NaN where it is inactive */
    for (size_t i = 0; i < (size_t)blocks; i++) {
        double width = point[CONDITIONAL_WIDTH + i], kernel = point[CONDITIONAL_KERNEL + i];
        gain += gain_of_block[i] * (log2(width) - 1) / 5 * gain_of_kernel[i][(size_t)kernel];
        cost += width * squared(1 + 2 * kernel) + 30;
    }
    value[0] = 0.03 + 0.57 * exp(-gain) + training_error(point) + (blocks > 2 && !skip ? 0.04 : 0);
    value[1] = log2(cost) + (skip ? 0.2 : 0);
    return true;
}
