#include "optim/kernel.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Columns are worked on in pieces that stay on the stack and in the first cache. */
enum { PIECE = 128, LANES = 8 };

typedef double vector_f64 __attribute__((vector_size(64)));
typedef int64_t vector_i64 __attribute__((vector_size(64)));
typedef uint64_t vector_u64 __attribute__((vector_size(64)));

/* exp by x = n ln2 + r, |r| <= ln2/2, and the Taylor polynomial of degree 13 in r (remainder 4e-18); n is found by
 * adding 1.5 * 2^52, which leaves the rounded number in the low bits of the sum. Plain IEEE operations without
 * contraction, so every instruction set gives the same bits. libm's exp, one call per entry, would take most of a
 * suggestion's time. */
static inline __attribute__((always_inline)) void exp_lanes(double *x)
{
    static const double coefficient[] = {
        1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720,
        1.0 / 120,       1.0 / 24,       1.0 / 6,       0.5,          1,           1};
    const vector_f64 lowest = {-708, -708, -708, -708, -708, -708, -708, -708};
    vector_f64 v, result;
    memcpy(&v, x, sizeof v);
    vector_u64 small = (vector_u64)(vector_i64)(v < lowest);
    v = (vector_f64)(((vector_u64)v & ~small) | ((vector_u64)lowest & small));
    vector_f64 rounded = v * 0x1.71547652b82fep0 + 0x1.8p52;
    vector_f64 n = rounded - 0x1.8p52;
    vector_f64 r = v - n * 0x1.62e42fee00000p-1 - n * 0x1.a39ef35793c76p-33; /* ln2 in two parts (Cody, Waite) */
    vector_f64 sum = r * (1.0 / 6227020800);
    sum += coefficient[0];
    for (size_t k = 1; k < sizeof coefficient / sizeof *coefficient; k++)
        sum = sum * r + coefficient[k];
    result = (vector_f64)((vector_u64)sum + ((vector_u64)rounded << 52));
    memcpy(x, &result, sizeof result);
}

static inline __attribute__((always_inline)) void exp_all(double *x, size_t count)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        exp_lanes(x + i);
    double rest[LANES] = {0};
    memcpy(rest, x + i, (count - i) * sizeof *x);
    exp_lanes(rest);
    memcpy(x + i, rest, (count - i) * sizeof *x);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void exp_avx2(double *x, size_t count)
{
    exp_all(x, count);
}

__attribute__((target("avx512f,avx512dq"))) static void exp_avx512(double *x, size_t count)
{
    exp_all(x, count);
}
#endif

void kernel_exp(double *x, size_t count)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512dq")) {
        exp_avx512(x, count);
        return;
    }
    if (__builtin_cpu_supports("avx2")) {
        exp_avx2(x, count);
        return;
    }
#endif
    exp_all(x, count);
}

/* profile(r^2), and slope = -2 d profile / d(r^2), so that d profile / d log l_j = slope * r_j^2. */
static void profile(enum kernel_family family, const double *squared, size_t count, double *value, double *slope)
{
    if (family == KERNEL_RBF) {
        for (size_t i = 0; i < count; i++)
            value[i] = -0.5 * squared[i];
        kernel_exp(value, count);
        if (slope)
            memcpy(slope, value, count * sizeof *value);
        return;
    }
    double root[PIECE], decay[PIECE];
    for (size_t i = 0; i < count; i++) {
        root[i] = sqrt(5 * squared[i]);
        decay[i] = -root[i];
    }
    kernel_exp(decay, count);
    for (size_t i = 0; i < count; i++) {
        value[i] = (1 + root[i] + root[i] * root[i] / 3) * decay[i];
        if (slope)
            slope[i] = 5.0 / 3 * (1 + root[i]) * decay[i];
    }
}

/* Hyper-parameters once per call as the loops want them. */
struct natural {
    double inverse[KERNEL_MAX_FEATURES]; /* 1 / l^2 */
    double unequal[KERNEL_MAX_FEATURES]; /* profile(1 / l^2): of two different categories */
    double scale, share;                 /* share: additive / D, 0 where that term is left out */
};

static void natural_init(struct natural *natural, const struct kernel *kernel, const double *theta)
{
    assert(kernel->features <= KERNEL_MAX_FEATURES);
    for (size_t j = 0; j < kernel->features; j++) {
        natural->inverse[j] = exp(-2 * theta[j]);
        profile(kernel->family, &natural->inverse[j], 1, &natural->unequal[j], NULL);
    }
    natural->scale = exp(theta[kernel->features]);
    natural->share = kernel->additive ? exp(theta[kernel->features + 1]) / (double)kernel->features : 0;
}

/* r_j^2 between points first .. first + count - 1 of a and point k of b. */
static void distance(const struct kernel *kernel, const struct natural *natural, size_t j, struct kernel_points a,
                     size_t first, size_t count, struct kernel_points b, size_t k, double *out)
{
    const double *column = a.value + j * a.stride + first;
    double value = b.value[j * b.stride + k], inverse = natural->inverse[j];
    if (kernel->category && kernel->category[j]) {
        for (size_t i = 0; i < count; i++)
            out[i] = column[i] != value ? inverse : 0;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        double difference = column[i] - value;
        out[i] = difference * difference * inverse;
    }
}

/* profile(r_j^2) for the same; a category has two values only. */
static void factor(const struct kernel *kernel, const struct natural *natural, size_t j, const double *squared,
                   size_t count, double *out)
{
    if (kernel->category && kernel->category[j])
        for (size_t i = 0; i < count; i++)
            out[i] = squared[i] > 0 ? natural->unequal[j] : 1;
    else
        profile(kernel->family, squared, count, out, NULL);
}

/* One piece of one column of the covariance; count <= PIECE. The RBF of all features is the product of the factors that
 * the additive part needs anyway. */
static void entries(const struct kernel *kernel, const struct natural *natural, struct kernel_points a, size_t first,
                    size_t count, struct kernel_points b, size_t k, double *out)
{
    double total[PIECE] = {0}, one[PIECE], value[PIECE], whole[PIECE], sum[PIECE] = {0};
    for (size_t i = 0; i < count; i++)
        whole[i] = natural->scale;
    for (size_t j = 0; j < kernel->features; j++) {
        distance(kernel, natural, j, a, first, count, b, k, one);
        for (size_t i = 0; i < count; i++)
            total[i] += one[i];
        if (!kernel->additive)
            continue;
        factor(kernel, natural, j, one, count, value);
        for (size_t i = 0; i < count; i++) {
            sum[i] += value[i];
            whole[i] *= value[i];
        }
    }
    if (!kernel->additive || kernel->family != KERNEL_RBF) {
        profile(kernel->family, total, count, value, NULL);
        for (size_t i = 0; i < count; i++)
            whole[i] = natural->scale * value[i];
    }
    for (size_t i = 0; i < count; i++)
        out[i] = whole[i] + natural->share * sum[i];
}

double kernel_variance(const struct kernel *kernel, const double *theta)
{
    return exp(theta[kernel->features]) + (kernel->additive ? exp(theta[kernel->features + 1]) : 0);
}

static size_t piece_from(size_t first, size_t end)
{
    return end - first < PIECE ? end - first : PIECE;
}

void kernel_cross(const struct kernel *kernel, const double *theta, struct kernel_points a, struct kernel_points b,
                  double *out, size_t stride)
{
    struct natural natural;
    natural_init(&natural, kernel, theta);
    for (size_t k = 0; k < b.count; k++)
        for (size_t i = 0; i < a.count; i += PIECE)
            entries(kernel, &natural, a, i, piece_from(i, a.count), b, k, out + k * stride + i);
}

void kernel_gram(const struct kernel *kernel, const double *theta, struct kernel_points x, double *out, size_t stride)
{
    struct natural natural;
    natural_init(&natural, kernel, theta);
    for (size_t k = 0; k < x.count; k++)
        for (size_t i = k; i < x.count; i += PIECE)
            entries(kernel, &natural, x, i, piece_from(i, x.count), x, k, out + k * stride + i);
}

/* The part of one piece of a column in the gradient; `weight` holds count entries. */
static void piece_gradient(const struct kernel *kernel, const struct natural *natural, struct kernel_points x,
                           size_t first, size_t count, size_t k, const double *weight, double *gradient)
{
    double total[PIECE] = {0}, one[PIECE], value[PIECE], slope[PIECE], whole[PIECE];
    for (size_t j = 0; j < kernel->features; j++) {
        distance(kernel, natural, j, x, first, count, x, k, one);
        for (size_t i = 0; i < count; i++)
            total[i] += one[i];
    }
    profile(kernel->family, total, count, value, whole);
    for (size_t i = 0; i < count; i++) {
        gradient[kernel->features] += weight[i] * natural->scale * value[i];
        whole[i] *= natural->scale;
    }
    for (size_t j = 0; j < kernel->features; j++) {
        distance(kernel, natural, j, x, first, count, x, k, one);
        double length = 0, additive = 0;
        if (kernel->additive) {
            profile(kernel->family, one, count, value, slope);
            for (size_t i = 0; i < count; i++) {
                length += weight[i] * (whole[i] + natural->share * slope[i]) * one[i];
                additive += weight[i] * value[i];
            }
        } else {
            for (size_t i = 0; i < count; i++)
                length += weight[i] * whole[i] * one[i];
        }
        gradient[j] += length;
        gradient[kernel->features + 1] += natural->share * additive;
    }
}

void kernel_gradient(const struct kernel *kernel, const double *theta, struct kernel_points x, const double *weight,
                     size_t stride, double *gradient)
{
    struct natural natural;
    natural_init(&natural, kernel, theta);
    memset(gradient, 0, kernel_parameters(kernel) * sizeof *gradient);
    double diagonal = 0;
    for (size_t k = 0; k < x.count; k++) {
        const double *column = weight + k * stride;
        diagonal += column[k];
        for (size_t i = k + 1; i < x.count; i += PIECE)
            piece_gradient(kernel, &natural, x, i, piece_from(i, x.count), k, column + i, gradient);
    }
    for (size_t t = 0; t < kernel_parameters(kernel); t++)
        gradient[t] *= 2; /* the upper triangle */
    gradient[kernel->features] += diagonal * natural.scale;
    gradient[kernel->features + 1] += diagonal * natural.share * (double)kernel->features;
}
