#include "optim/kernel.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "optim/kernel_pieces.h"

void kernel_exp(double *x, size_t count)
{
    kernel_pieces_best()->exponential(x, count);
}

static double profile(enum kernel_family family, double squared)
{
    double distance = family == KERNEL_RBF ? 0 : sqrt(5 * squared);
    double value = family == KERNEL_RBF ? -0.5 * squared : -distance;
    kernel_exp(&value, 1);
    return family == KERNEL_RBF ? value : (1 + distance + distance * distance / 3) * value;
}

static void natural_init(struct kernel_natural *natural, const struct kernel *kernel, const double *theta)
{
    assert(kernel->features <= KERNEL_MAX_FEATURES);
    for (size_t j = 0; j < kernel->features; j++) {
        natural->inverse[j] = exp(-2 * theta[j]);
        natural->unequal[j] =
            kernel->category && kernel->category[j] ? profile(kernel->family, natural->inverse[j]) : 1;
    }
    natural->scale = exp(theta[kernel->features]);
    natural->share = kernel->additive ? exp(theta[kernel->features + 1]) / (double)kernel->features : 0;
}

double kernel_variance(const struct kernel *kernel, const double *theta)
{
    return exp(theta[kernel->features]) + (kernel->additive ? exp(theta[kernel->features + 1]) : 0);
}

void kernel_cross(const struct kernel *kernel, const double *theta, struct kernel_points a, struct kernel_points b,
                  double *out, size_t stride)
{
    const struct kernel_pieces *pieces = kernel_pieces_best();
    struct kernel_natural natural;
    natural_init(&natural, kernel, theta);
    for (size_t k = 0; k < b.count; k++) {
        struct kernel_piece piece = {kernel, &natural, a, b, 0, a.count, k};
        pieces->entries(&piece, out + k * stride);
    }
}

void kernel_gram(const struct kernel *kernel, const double *theta, struct kernel_points x, double *out, size_t stride)
{
    const struct kernel_pieces *pieces = kernel_pieces_best();
    struct kernel_natural natural;
    natural_init(&natural, kernel, theta);
    for (size_t k = 0; k < x.count; k++) {
        struct kernel_piece piece = {kernel, &natural, x, x, k, x.count - k, k};
        pieces->entries(&piece, out + k * stride + k);
    }
}

static double sum_of_lanes(const double *lane)
{
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

void kernel_gradient(const struct kernel *kernel, const double *theta, struct kernel_points x, const double *weight,
                     size_t stride, double *gradient)
{
    const struct kernel_pieces *pieces = kernel_pieces_best();
    size_t features = kernel->features;
    struct kernel_natural natural;
    struct kernel_sums sums;
    natural_init(&natural, kernel, theta);
    memset(sums.lane, 0, kernel_parameters(kernel) * sizeof *sums.lane);
    double diagonal = 0;
    for (size_t k = 0; k < x.count; k++) {
        const double *column = weight + k * stride;
        struct kernel_piece piece = {kernel, &natural, x, x, k + 1, x.count - k - 1, k};
        diagonal += column[k];
        pieces->gradient(&piece, column + k + 1, &sums);
    }
    for (size_t t = 0; t < kernel_parameters(kernel); t++)
        gradient[t] = 2 * sum_of_lanes(sums.lane[t]); /* the upper triangle */
    gradient[features] += diagonal * natural.scale;
    gradient[features + 1] = natural.share * (gradient[features + 1] + diagonal * (double)features);
}

void kernel_cross_slope(const struct kernel *kernel, const double *theta, struct kernel_points a,
                        struct kernel_points b, size_t k, const double *weight, size_t weight_stride, double *gradient)
{
    enum { PIECE = 128 };
    const struct kernel_pieces *pieces = kernel_pieces_best();
    struct kernel_natural natural;
    struct kernel_sums sums;
    double part[PIECE];
    natural_init(&natural, kernel, theta);
    memset(sums.lane, 0, kernel->features * sizeof *sums.lane);
    for (size_t first = 0; first < a.count; first += PIECE) {
        size_t count = a.count - first < PIECE ? a.count - first : PIECE;
        struct kernel_piece piece = {kernel, &natural, a, b, first, count, k};
        for (size_t i = 0; i < count; i++)
            part[i] = weight[(first + i) * weight_stride];
        pieces->slope(&piece, part, &sums);
    }
    for (size_t j = 0; j < kernel->features; j++)
        gradient[j] = sum_of_lanes(sums.lane[j]);
}
