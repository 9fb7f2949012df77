/* One optimizer step over the flat vector of parameters; definitions as in PyTorch.
 *
 *   sgd    g += decay w; u = momentum u + g; w -= rate u (Nesterov: rate (g + momentum u)); without momentum w -= rate
 * g adam   g += decay w; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= rate (m / (1 - b1^t)) / (sqrt(v / (1 -
 * b2^t)) + epsilon), t = 1, 2, ... adamw  w -= rate decay w, then as adam without decay
 *
 * The norm is of the raw gradient; clipping multiplies by min(1, bound / (norm + 1e-6)). */
#include "train/cpu/loop.h"
#include "train/cpu/network.h"

#include <math.h>

#ifdef NR_DOUBLE
#define real_sqrt sqrt
#else
#define real_sqrt sqrtf
#endif

/* Long enough to forget the loop around, short enough for float sums. */
enum { PIECE = 4096 };

/* The sum of squares: LANES * 4 partial sums per piece, pieces in double. */
static double squares(const real *g, size_t count)
{
    double total = 0;
    for (size_t from = 0; from < count; from += PIECE) {
        size_t to = count - from < PIECE ? count : from + PIECE, i = from;
        vec sum[4] = {vec_zero(), vec_zero(), vec_zero(), vec_zero()};
        for (; i + 4 * LANES <= to; i += 4 * LANES)
            for (size_t j = 0; j < 4; j++) {
                vec value = vec_load(g + i + j * LANES);
                sum[j] += value * value;
            }
        for (; i < to; i += LANES) {
            vec value = vec_load(g + i);
            sum[0] += value * value;
        }
        total += (double)vec_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
    }
    return total;
}

/* m / (sqrt(v) + epsilon), v >= 0. */
VEC_INLINE vec ratio(vec m, vec v, vec epsilon)
{
#if VEC_BYTES == 64 && !defined(NR_DOUBLE)
    /* Square root and quotient take 40 cycles a vector; estimates of 14 bits (which the architecture defines, so they
     * are the same everywhere) and a Newton step each give 23 bits in a third. */
    const vec half = vec_set((real)0.5), three_halves = vec_set((real)1.5), two = vec_set(2);
    v = (vec)_mm512_max_ps((__m512)vec_set((real)1e-36), (__m512)v); /* 1/sqrt(0) is infinite; NaN stays NaN */
    vec inverse = (vec)_mm512_rsqrt14_ps((__m512)v);
    inverse = inverse * (three_halves - half * v * inverse * inverse);
    vec divisor = v * inverse + epsilon;
    vec reciprocal = (vec)_mm512_rcp14_ps((__m512)divisor);
    reciprocal = reciprocal * (two - divisor * reciprocal);
    return m * reciprocal;
#else
    real lane[LANES];
    vec_store_unaligned(lane, v);
    for (int i = 0; i < LANES; i++)
        lane[i] = real_sqrt(lane[i]);
    return m / (vec_load_unaligned(lane) + epsilon);
#endif
}

struct adam_factors {
    real beta1, rest1, beta2, rest2; /* rest = 1 - beta, not rounded twice: 1 - 0.999f is off by 1 in 20,000 */
    real rate, epsilon, coupled_decay, decoupled;
};

/* Returns the sum of squares of the gradient, which costs nothing here: memory is the limit. */
VEC_INLINE double adam_loop(struct network *network, const struct adam_factors *factors, real clip, const bool clipped,
                            const bool decayed)
{
    real *const w = network->parameter, *const m = network->slot[0], *const v = network->slot[1];
    const real *const g = network->gradient;
    const vec beta1 = vec_set(factors->beta1), rest1 = vec_set(factors->rest1);
    const vec beta2 = vec_set(factors->beta2), rest2 = vec_set(factors->rest2);
    const vec rate = vec_set(factors->rate), epsilon = vec_set(factors->epsilon), scale = vec_set(clip);
    const vec decay = vec_set(factors->coupled_decay), shrink = vec_set(factors->decoupled);
    double total = 0;
    for (size_t from = 0; from < network->parameters; from += PIECE) {
        size_t to = network->parameters - from < PIECE ? network->parameters : from + PIECE;
        vec sum = vec_zero();
        for (size_t i = from; i < to; i += LANES) {
            vec weight = vec_load(w + i), gradient = vec_load(g + i);
            sum += gradient * gradient;
            if (clipped)
                gradient *= scale;
            if (decayed)
                gradient += decay * weight;
            vec first = beta1 * vec_load(m + i) + rest1 * gradient;
            vec second = beta2 * vec_load(v + i) + rest2 * (gradient * gradient);
            vec_store(m + i, first);
            vec_store(v + i, second);
            if (decayed)
                weight *= shrink;
            vec_store(w + i, weight - rate * ratio(first, second, epsilon));
        }
        total += (double)vec_sum(sum);
    }
    return total;
}

static double adam(struct network *network, const struct adam_factors *factors, double clip)
{
    bool decayed = network->setup.recipe->weight_decay > 0;
    if (clip < 1)
        return decayed ? adam_loop(network, factors, (real)clip, true, true)
                       : adam_loop(network, factors, (real)clip, true, false);
    return decayed ? adam_loop(network, factors, 1, false, true) : adam_loop(network, factors, 1, false, false);
}

static void sgd(struct network *network, real rate, real decay, real momentum, bool nesterov, real clip)
{
    real *const w = network->parameter, *const u = network->slot[0];
    const real *const g = network->gradient;
    if (!u) {
        LOOP_INDEPENDENT
        for (size_t i = 0; i < network->parameters; i++)
            w[i] -= rate * (g[i] * clip + decay * w[i]);
        return;
    }
    const real direct = nesterov ? 1 : 0, carried = nesterov ? momentum : 1;
    LOOP_INDEPENDENT
    for (size_t i = 0; i < network->parameters; i++) {
        real gradient = g[i] * clip + decay * w[i];
        u[i] = momentum * u[i] + gradient;
        w[i] -= rate * (direct * gradient + carried * u[i]);
    }
}

/* With c1 = 1 - b1^t, c2 = 1 - b2^t: (m / c1) / (sqrt(v / c2) + eps) = (sqrt(c2) / c1) m / (sqrt(v) + sqrt(c2) eps). */
static struct adam_factors adam_prepare(const struct recipe *recipe, double rate, int64_t step)
{
    double t = (double)step + 1, correction1 = 1 - pow(recipe->beta1, t), correction2 = sqrt(1 - pow(recipe->beta2, t));
    bool decoupled = recipe->optimizer == OPTIMIZER_ADAMW;
    return (struct adam_factors){.beta1 = (real)recipe->beta1,
                                 .rest1 = (real)(1 - recipe->beta1),
                                 .beta2 = (real)recipe->beta2,
                                 .rest2 = (real)(1 - recipe->beta2),
                                 .rate = (real)(rate * correction2 / correction1),
                                 .epsilon = (real)(recipe->epsilon * correction2),
                                 .coupled_decay = decoupled ? 0 : (real)recipe->weight_decay,
                                 .decoupled = decoupled ? (real)(1 - rate * recipe->weight_decay) : 1};
}

static double norm_of(const struct network *network)
{
    return sqrt(squares(network->gradient, network->parameters));
}

/* A gradient that is not finite shows in the norm, and the trial ends there: whether the weights were touched is of no
 * account, so that Adam without clipping may look at the gradient once. */
double network_update(struct network *network, double learning_rate, int64_t step)
{
    const struct recipe *recipe = network->setup.recipe;
    double clip = 1, norm = 0;
    bool known = recipe->clip_norm > 0 || recipe->optimizer == OPTIMIZER_SGD;
    if (known)
        norm = norm_of(network);
    if (recipe->clip_norm > 0 && recipe->clip_norm < norm + 1e-6)
        clip = recipe->clip_norm / (norm + 1e-6);
    if (recipe->optimizer == OPTIMIZER_SGD) {
        sgd(network, (real)learning_rate, (real)recipe->weight_decay, (real)recipe->momentum, recipe->nesterov,
            (real)clip);
        return norm;
    }
    struct adam_factors factors = adam_prepare(recipe, learning_rate, step);
    double sum = adam(network, &factors, clip);
    return known ? norm : sqrt(sum);
}
