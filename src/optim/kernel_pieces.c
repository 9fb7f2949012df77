#include "optim/kernel_pieces.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { LANES = KERNEL_LANES, WIDE = 4 /* vectors at once: as many independent chains of operations */ };

typedef double vector_f64 __attribute__((vector_size(64)));
typedef int64_t vector_i64 __attribute__((vector_size(64)));
typedef uint64_t vector_u64 __attribute__((vector_size(64)));

static const vector_f64 zero = {0}, one = {1, 1, 1, 1, 1, 1, 1, 1};

/* In what follows `v` is an array of `wide` vectors, wide being WIDE or 1 and known to the compiler. */

/* exp by x = n ln2 + r, |r| <= ln2/2, and the Taylor polynomial of degree 13 in r (remainder 4e-18); n is found by
 * adding 1.5 * 2^52, which leaves the rounded number in the low bits of the sum. libm's exp, one call per entry, would
 * take most of a suggestion's time. */
INLINE void exponentiate(vector_f64 *v, size_t wide)
{
    static const double coefficient[] = {
        1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720,
        1.0 / 120,       1.0 / 24,       1.0 / 6,       0.5,          1,           1};
    const vector_f64 lowest = {-708, -708, -708, -708, -708, -708, -708, -708};
    vector_f64 rounded[WIDE], r[WIDE], sum[WIDE];
    for (size_t w = 0; w < wide; w++) {
        vector_u64 small = (vector_u64)(vector_i64)(v[w] < lowest);
        vector_f64 x = (vector_f64)(((vector_u64)v[w] & ~small) | ((vector_u64)lowest & small));
        rounded[w] = x * 0x1.71547652b82fep0 + 0x1.8p52;
        vector_f64 n = rounded[w] - 0x1.8p52;
        r[w] = x - n * 0x1.62e42fee00000p-1 - n * 0x1.a39ef35793c76p-33; /* ln2 in two parts (Cody, Waite) */
        sum[w] = r[w] * (1.0 / 6227020800) + coefficient[0];
    }
#pragma GCC unroll 16
    for (size_t k = 1; k < sizeof coefficient / sizeof *coefficient; k++)
        for (size_t w = 0; w < wide; w++)
            sum[w] = sum[w] * r[w] + coefficient[k];
    for (size_t w = 0; w < wide; w++)
        v[w] = (vector_f64)((vector_u64)sum[w] + ((vector_u64)rounded[w] << 52));
}

INLINE void take_root(vector_f64 *v)
{
    for (size_t l = 0; l < LANES; l++)
        (*v)[l] = sqrt((*v)[l]);
}

/* profile(r^2), and slope = -2 d profile / d(r^2), so that d profile / d log l_j = slope * r_j^2. */
INLINE void profile(enum kernel_family family, const vector_f64 *squared, size_t wide, vector_f64 *value,
                    vector_f64 *slope)
{
    if (family == KERNEL_RBF) {
        for (size_t w = 0; w < wide; w++)
            value[w] = squared[w] * -0.5;
        exponentiate(value, wide);
        for (size_t w = 0; slope && w < wide; w++)
            slope[w] = value[w];
        return;
    }
    vector_f64 distance[WIDE], decay[WIDE];
    for (size_t w = 0; w < wide; w++) {
        distance[w] = squared[w] * 5;
        take_root(&distance[w]);
        decay[w] = -distance[w];
    }
    exponentiate(decay, wide);
    for (size_t w = 0; w < wide; w++) {
        value[w] = (one + distance[w] + distance[w] * distance[w] / 3) * decay[w];
        if (slope)
            slope[w] = 5.0 / 3 * (one + distance[w]) * decay[w];
    }
}

/* `count` <= wide * LANES numbers; the rest are 0. */
INLINE void load(const double *from, size_t count, size_t wide, vector_f64 *v)
{
    if (count == wide * LANES) {
        memcpy(v, from, wide * sizeof *v);
        return;
    }
    for (size_t w = 0; w < wide; w++)
        v[w] = zero;
    memcpy(v, from, count * sizeof *from);
}

INLINE bool is_category(const struct kernel *kernel, size_t j)
{
    return kernel->category && kernel->category[j];
}

/* r_j^2 for `count` points from `at` on; `differs`: where it is not 0. */
INLINE void distances(const struct kernel_piece *piece, size_t j, size_t at, size_t count, size_t wide,
                      vector_f64 *squared, vector_u64 *differs)
{
    double value = piece->b.value[j * piece->b.stride + piece->k], inverse = piece->natural->inverse[j];
    vector_f64 same = zero + value, full = zero + inverse;
    load(piece->a.value + j * piece->a.stride + piece->first + at, count, wide, squared);
    for (size_t w = 0; w < wide; w++) {
        differs[w] = (vector_u64)(vector_i64)(squared[w] != same);
        if (is_category(piece->kernel, j)) {
            squared[w] = (vector_f64)((vector_u64)full & differs[w]);
        } else {
            vector_f64 difference = squared[w] - same;
            squared[w] = difference * difference * inverse;
        }
    }
}

/* profile(r_j^2) of one feature; a category has two values only. */
INLINE void factors(const struct kernel_piece *piece, size_t j, const vector_f64 *squared, const vector_u64 *differs,
                    size_t wide, vector_f64 *value, vector_f64 *slope)
{
    if (slope || !is_category(piece->kernel, j)) {
        profile(piece->kernel->family, squared, wide, value, slope);
        return;
    }
    vector_u64 unequal = (vector_u64)(zero + piece->natural->unequal[j]);
    for (size_t w = 0; w < wide; w++)
        value[w] = (vector_f64)((unequal & differs[w]) | ((vector_u64)one & ~differs[w]));
}

/* The RBF of all features is the product of the factors that the additive part needs anyway. */
INLINE void strip_entries(const struct kernel_piece *piece, size_t at, size_t count, size_t wide, double *out)
{
    const struct kernel *kernel = piece->kernel;
    const struct kernel_natural *natural = piece->natural;
    vector_f64 total[WIDE], whole[WIDE], sum[WIDE], squared[WIDE], value[WIDE];
    vector_u64 differs[WIDE];
    for (size_t w = 0; w < wide; w++) {
        total[w] = sum[w] = zero;
        whole[w] = zero + natural->scale;
    }
    for (size_t j = 0; j < kernel->features; j++) {
        distances(piece, j, at, count, wide, squared, differs);
        for (size_t w = 0; w < wide; w++)
            total[w] += squared[w];
        if (!kernel->additive)
            continue;
        factors(piece, j, squared, differs, wide, value, NULL);
        for (size_t w = 0; w < wide; w++) {
            sum[w] += value[w];
            whole[w] *= value[w];
        }
    }
    if (!kernel->additive || kernel->family != KERNEL_RBF) {
        profile(kernel->family, total, wide, value, NULL);
        for (size_t w = 0; w < wide; w++)
            whole[w] = value[w] * natural->scale;
    }
    for (size_t w = 0; w < wide; w++)
        whole[w] += sum[w] * natural->share;
    memcpy(out, whole, count * sizeof *out);
}

INLINE void add_lanes(double *lane, const vector_f64 *term, size_t wide)
{
    vector_f64 sum;
    memcpy(&sum, lane, sizeof sum);
    for (size_t w = 0; w < wide; w++)
        sum += term[w];
    memcpy(lane, &sum, sizeof sum);
}

/* profile() of the squared distance over all features. */
INLINE void whole_profile(const struct kernel_piece *piece, size_t at, size_t count, size_t wide, vector_f64 *value,
                          vector_f64 *slope)
{
    vector_f64 total[WIDE], squared[WIDE];
    vector_u64 differs[WIDE];
    for (size_t w = 0; w < wide; w++)
        total[w] = zero;
    for (size_t j = 0; j < piece->kernel->features; j++) {
        distances(piece, j, at, count, wide, squared, differs);
        for (size_t w = 0; w < wide; w++)
            total[w] += squared[w];
    }
    profile(piece->kernel->family, total, wide, value, slope);
}

INLINE void strip_gradient(const struct kernel_piece *piece, size_t at, size_t count, size_t wide,
                           const double *weights, struct kernel_sums *sums)
{
    const struct kernel *kernel = piece->kernel;
    const struct kernel_natural *natural = piece->natural;
    vector_f64 weight[WIDE], whole[WIDE], squared[WIDE], value[WIDE], slope[WIDE], term[WIDE];
    vector_u64 differs[WIDE];
    load(weights, count, wide, weight); /* what is past the end has no weight */
    whole_profile(piece, at, count, wide, value, whole);
    for (size_t w = 0; w < wide; w++) {
        term[w] = weight[w] * natural->scale * value[w];
        whole[w] = weight[w] * natural->scale * whole[w];
    }
    add_lanes(sums->lane[kernel->features], term, wide);
    for (size_t j = 0; j < kernel->features; j++) {
        distances(piece, j, at, count, wide, squared, differs);
        if (!kernel->additive) {
            for (size_t w = 0; w < wide; w++)
                term[w] = whole[w] * squared[w];
            add_lanes(sums->lane[j], term, wide);
            continue;
        }
        factors(piece, j, squared, differs, wide, value, slope);
        for (size_t w = 0; w < wide; w++) {
            term[w] = (whole[w] + weight[w] * natural->share * slope[w]) * squared[w];
            value[w] *= weight[w];
        }
        add_lanes(sums->lane[j], term, wide);
        add_lanes(sums->lane[kernel->features + 1], value, wide);
    }
}

/* dk/db_j = (scale slope(r^2) + share slope(r_j^2)) (a_j - b_j) / l_j^2 */
INLINE void strip_slope(const struct kernel_piece *piece, size_t at, size_t count, size_t wide, const double *weights,
                        struct kernel_sums *sums)
{
    const struct kernel *kernel = piece->kernel;
    const struct kernel_natural *natural = piece->natural;
    vector_f64 weight[WIDE], whole[WIDE], squared[WIDE], value[WIDE], slope[WIDE], term[WIDE];
    vector_u64 differs[WIDE];
    load(weights, count, wide, weight); /* what is past the end has no weight */
    whole_profile(piece, at, count, wide, value, whole);
    for (size_t j = 0; j < kernel->features; j++) {
        if (is_category(kernel, j))
            continue;
        distances(piece, j, at, count, wide, squared, differs);
        load(piece->a.value + j * piece->a.stride + piece->first + at, count, wide, term);
        for (size_t w = 0; w < wide; w++)
            slope[w] = zero;
        if (kernel->additive)
            profile(kernel->family, squared, wide, value, slope);
        for (size_t w = 0; w < wide; w++) {
            vector_f64 difference = term[w] - piece->b.value[j * piece->b.stride + piece->k];
            vector_f64 steep = natural->scale * whole[w] + natural->share * slope[w];
            term[w] = weight[w] * steep * difference * natural->inverse[j];
        }
        add_lanes(sums->lane[j], term, wide);
    }
}

INLINE void entries(const struct kernel_piece *piece, double *out)
{
    size_t at = 0, count = piece->count;
    for (; at + WIDE * LANES <= count; at += WIDE * LANES)
        strip_entries(piece, at, WIDE * LANES, WIDE, out + at);
    for (; at + LANES <= count; at += LANES)
        strip_entries(piece, at, LANES, 1, out + at);
    if (at < count)
        strip_entries(piece, at, count - at, 1, out + at);
}

INLINE void gradient(const struct kernel_piece *piece, const double *weight, struct kernel_sums *sums)
{
    size_t at = 0, count = piece->count;
    for (; at + WIDE * LANES <= count; at += WIDE * LANES)
        strip_gradient(piece, at, WIDE * LANES, WIDE, weight + at, sums);
    for (; at + LANES <= count; at += LANES)
        strip_gradient(piece, at, LANES, 1, weight + at, sums);
    if (at < count)
        strip_gradient(piece, at, count - at, 1, weight + at, sums);
}

INLINE void slope(const struct kernel_piece *piece, const double *weight, struct kernel_sums *sums)
{
    size_t at = 0, count = piece->count;
    for (; at + WIDE * LANES <= count; at += WIDE * LANES)
        strip_slope(piece, at, WIDE * LANES, WIDE, weight + at, sums);
    for (; at + LANES <= count; at += LANES)
        strip_slope(piece, at, LANES, 1, weight + at, sums);
    if (at < count)
        strip_slope(piece, at, count - at, 1, weight + at, sums);
}

INLINE void exponential(double *x, size_t count)
{
    vector_f64 v[WIDE];
    size_t at = 0;
    for (; at + WIDE * LANES <= count; at += WIDE * LANES) {
        memcpy(v, x + at, sizeof v);
        exponentiate(v, WIDE);
        memcpy(x + at, v, sizeof v);
    }
    for (; at < count; at += LANES) {
        size_t rest = count - at < LANES ? count - at : LANES;
        load(x + at, rest, 1, v);
        exponentiate(v, 1);
        memcpy(x + at, v, rest * sizeof *x);
    }
}

#define PIECES(set, target)                                                                                            \
    target static void entries_##set(const struct kernel_piece *piece, double *out)                                    \
    {                                                                                                                  \
        entries(piece, out);                                                                                           \
    }                                                                                                                  \
    target static void gradient_##set(const struct kernel_piece *piece, const double *weight,                          \
                                      struct kernel_sums *sums)                                                        \
    {                                                                                                                  \
        gradient(piece, weight, sums);                                                                                 \
    }                                                                                                                  \
    target static void slope_##set(const struct kernel_piece *piece, const double *weight, struct kernel_sums *sums)   \
    {                                                                                                                  \
        slope(piece, weight, sums);                                                                                    \
    }                                                                                                                  \
    target static void exponential_##set(double *x, size_t count)                                                      \
    {                                                                                                                  \
        exponential(x, count);                                                                                         \
    }                                                                                                                  \
    static const struct kernel_pieces pieces_##set = {entries_##set, gradient_##set, slope_##set, exponential_##set};

PIECES(baseline, )
#if defined(__x86_64__)
PIECES(avx2, __attribute__((target("avx2"))))
PIECES(avx512, __attribute__((target("avx512f,avx512dq"))))
#endif

static const struct kernel_pieces *const sets[] = {
    &pieces_baseline,
#if defined(__x86_64__)
    &pieces_avx2,
    &pieces_avx512,
#endif
};

size_t kernel_pieces_count(void)
{
    return sizeof sets / sizeof *sets;
}

const struct kernel_pieces *kernel_pieces_at(size_t index)
{
#if defined(__x86_64__)
    if ((sets[index] == &pieces_avx2 && !__builtin_cpu_supports("avx2")) ||
        (sets[index] == &pieces_avx512 && !__builtin_cpu_supports("avx512dq")))
        return NULL;
#endif
    return sets[index];
}

const struct kernel_pieces *kernel_pieces_best(void)
{
    size_t index = kernel_pieces_count() - 1;
    while (!kernel_pieces_at(index))
        index--;
    return kernel_pieces_at(index);
}
