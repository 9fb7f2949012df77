/* Covariance functions over mixed features, with one length scale per feature.
 *
 *   k(x,x') = scale * profile(r^2) + additive / D * sum_j profile(r_j^2),   r^2 = sum_j r_j^2,
 *   r_j = (x_j - x'_j) / l_j for numbers,   r_j = [x_j != x'_j] / l_j for categories
 *
 * profile: RBF exp(-r^2/2), or Matern-5/2 (1 + sqrt5 r + 5/3 r^2) exp(-sqrt5 r). A category thus contributes the factor
 * exp(-w [a != b]) to an RBF, w = 1 / (2 l^2). The additive part (Duvenaud et al. 2011, first order, sharing the length
 * scales) lets what is known of one feature hold for all values of the others.
 *
 * Features are stored by column: value[j * stride + i] is feature j of point i. Everything here allocates nothing. */
#ifndef NASRUN_OPTIM_KERNEL_H
#define NASRUN_OPTIM_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

enum { KERNEL_MAX_FEATURES = 1024 };
enum kernel_family { KERNEL_RBF, KERNEL_MATERN52 };

struct kernel {
    enum kernel_family family;
    size_t features;
    const bool *category; /* [features], NULL: all are numbers */
    bool additive;        /* false: the second term is left out */
};

struct kernel_points {
    const double *value;
    size_t count, stride;
};

/* Hyper-parameters as logarithms: theta[0 .. features-1] lengths, theta[features] scale, theta[features+1] additive. */
static inline size_t kernel_parameters(const struct kernel *kernel)
{
    return kernel->features + 2;
}

/* k(x,x): the same for every x. */
double kernel_variance(const struct kernel *kernel, const double *theta);
/* out[i + k * stride] = k(a_i, b_k): one column per point of b. */
void kernel_cross(const struct kernel *kernel, const double *theta, struct kernel_points a, struct kernel_points b,
                  double *out, size_t stride);
/* The lower triangle (i >= k) of k(x_i, x_k), by column. */
void kernel_gram(const struct kernel *kernel, const double *theta, struct kernel_points x, double *out, size_t stride);
/* gradient[t] = sum over all i, k of weight_ik dk(x_i,x_k)/dtheta_t for a symmetric weight of which the lower triangle
 * is given; the additive entry is 0 where the term is left out. */
void kernel_gradient(const struct kernel *kernel, const double *theta, struct kernel_points x, const double *weight,
                     size_t stride, double *gradient);

/* gradient[j] = d/db_j of sum_i weight[i * weight_stride] k(a_i, b_k) for point k of b; 0 for categories. */
void kernel_cross_slope(const struct kernel *kernel, const double *theta, struct kernel_points a,
                        struct kernel_points b, size_t k, const double *weight, size_t weight_stride, double *gradient);

/* x[i] = exp(x[i]) for x in [-708, 708] (smaller ones give about 1e-308), to 2 units in the last place; the same bits
 * on every instruction set. */
void kernel_exp(double *x, size_t count);

#endif
