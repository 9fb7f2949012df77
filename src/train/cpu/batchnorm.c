#include "train/cpu/batchnorm.h"

#include <math.h>
#include <string.h>

static const double epsilon = 1e-5, momentum = 0.1;

void batchnorm_prepare(const struct plan_layer *layer, bool relu, struct arena *arena, struct batchnorm *out)
{
    size_t channels = (size_t)layer->in.channels;
    *out = (struct batchnorm){.channels = channels,
                              .positions = (size_t)layer->in.height * (size_t)layer->in.width,
                              .relu = relu,
                              .mean = arena_take(arena, channels, sizeof(double)),
                              .squares = arena_take(arena, channels, sizeof(double)),
                              .gradient_sum = arena_take(arena, channels, sizeof(double)),
                              .gradient_dot = arena_take(arena, channels, sizeof(double)),
                              .scale = arena_take(arena, channels, sizeof(real)),
                              .shift = arena_take(arena, channels, sizeof(real)),
                              .centre = arena_take(arena, channels, sizeof(real)),
                              .deviation = arena_take(arena, channels, sizeof(real)),
                              .from_g = arena_take(arena, channels, sizeof(real)),
                              .from_x = arena_take(arena, channels, sizeof(real)),
                              .constant = arena_take(arena, channels, sizeof(real))};
}

void batchnorm_start(struct batchnorm *norm)
{
    norm->seen = 0;
    memset(norm->mean, 0, norm->channels * sizeof(double));
    memset(norm->squares, 0, norm->channels * sizeof(double));
    memset(norm->gradient_sum, 0, norm->channels * sizeof(double));
    memset(norm->gradient_dot, 0, norm->channels * sizeof(double));
}

/* Mean and sum of squared deviations of one channel of one block, `images` lanes. */
static void plane_moments(const real *x, size_t positions, size_t images, double *mean, double *squares)
{
    vec first = vec_load(x), sums = vec_zero(), all = vec_zero(), other_sums = vec_zero(), other_all = vec_zero();
    for (size_t i = positions % 2; i < positions; i += 2) { /* the first value differs by 0 from itself */
        vec difference = vec_load(x + i * LANES) - first, other = vec_load(x + (i + 1) * LANES) - first;
        sums += difference;
        all += difference * difference;
        other_sums += other;
        other_all += other * other;
    }
    sums += other_sums;
    all += other_all;
    double count = (double)positions, lane_mean[LANES], total = 0, deviations = 0;
    for (size_t i = 0; i < images; i++) {
        double lane_sum = sums[i];
        lane_mean[i] = (double)first[i] + lane_sum / count;
        total += lane_mean[i];
        deviations += (double)all[i] - lane_sum * (lane_sum / count);
    }
    *mean = total / (double)images;
    for (size_t i = 0; i < images; i++)
        deviations += count * (lane_mean[i] - *mean) * (lane_mean[i] - *mean);
    *squares = deviations;
}

void batchnorm_observe(struct batchnorm *norm, const real *x, size_t images)
{
    for (size_t block = 0; block < lanes_blocks(images); block++) {
        size_t here = lanes_in_block(images, block), count = here * norm->positions;
        double seen = (double)norm->seen, share = (double)count / (seen + (double)count);
        for (size_t c = 0; c < norm->channels; c++, x += norm->positions * LANES) {
            double mean, squares;
            plane_moments(x, norm->positions, here, &mean, &squares);
            double apart = mean - norm->mean[c];
            norm->mean[c] += apart * share;
            norm->squares[c] += squares + apart * apart * seen * share;
        }
        norm->seen += count;
    }
}

static void set_channel(struct batchnorm *norm, size_t c, double mean, double variance, double gamma, double beta)
{
    double deviation = 1 / sqrt(variance + epsilon);
    norm->scale[c] = (real)(gamma * deviation);
    norm->shift[c] = (real)(beta - mean * gamma * deviation);
    norm->centre[c] = (real)mean;
    norm->deviation[c] = (real)deviation;
}

void batchnorm_finish(struct batchnorm *norm, const real *gamma, const real *beta, real *running_mean,
                      real *running_variance)
{
    double count = (double)norm->seen;
    for (size_t c = 0; c < norm->channels; c++) {
        double mean = norm->mean[c], variance = norm->squares[c] / count;
        double unbiased = norm->seen > 1 ? norm->squares[c] / (count - 1) : variance;
        set_channel(norm, c, mean, variance, (double)gamma[c], (double)beta[c]);
        if (running_mean)
            running_mean[c] = (real)((1 - momentum) * (double)running_mean[c] + momentum * mean);
        if (running_variance)
            running_variance[c] = (real)((1 - momentum) * (double)running_variance[c] + momentum * unbiased);
    }
}

void batchnorm_evaluate(struct batchnorm *norm, const real *gamma, const real *beta, const real *running_mean,
                        const real *running_variance)
{
    for (size_t c = 0; c < norm->channels; c++)
        set_channel(norm, c, (double)running_mean[c], (double)running_variance[c], (double)gamma[c], (double)beta[c]);
}

void batchnorm_forward(const struct batchnorm *norm, const real *x, size_t blocks, real *y)
{
    for (size_t block = 0; block < blocks; block++) {
        for (size_t c = 0; c < norm->channels; c++, x += norm->positions * LANES, y += norm->positions * LANES) {
            vec scale = vec_set(norm->scale[c]), shift = vec_set(norm->shift[c]);
            for (size_t i = 0; i < norm->positions; i++) {
                vec_prefetch(x + i * LANES);
                vec_prefetch(y + i * LANES);
                vec value = scale * vec_load(x + i * LANES) + shift;
                vec_store(y + i * LANES, norm->relu ? vec_max(vec_zero(), value) : value);
            }
        }
    }
}

/* ---- backward: where the gradient g of the normalised value comes from ---- */

/* One channel of one block, seen either plainly or through a pool. */
struct source {
    const struct batchnorm *norm;
    size_t channel;
    const real *x, *dy;
    const struct pool *pool;
    const uint8_t *trace;
};

/* g at position i from the gradient of y; ReLU's mask is found again from x. */
VEC_INLINE vec plain_gradient(const struct source *source, vec scale, vec shift, size_t i)
{
    vec gradient = vec_load(source->dy + i * LANES);
    if (!source->norm->relu)
        return gradient;
    return vec_keep(vec_greater(scale * vec_load(source->x + i * LANES) + shift, vec_zero()), gradient);
}

VEC_INLINE ivec pool_index(const uint8_t *trace, size_t output)
{
    lane_bytes bytes;
    memcpy(&bytes, trace + output * LANES, sizeof bytes);
    return __builtin_convertvector(bytes, ivec);
}

/* g at number `number` of a window. */
VEC_INLINE vec pooled_gradient(ivec index, size_t number, vec gradient)
{
    return vec_keep(ivec_equal(index, (ivec){0} + (lane_int)number), gradient);
}

static void gather_plain(const struct source *source, vec *sum, vec *dot)
{
    const struct batchnorm *norm = source->norm;
    vec centre = vec_set(norm->centre[source->channel]);
    vec scale = vec_set(norm->scale[source->channel]), shift = vec_set(norm->shift[source->channel]);
    vec sums = vec_zero(), dots = vec_zero(), other_sums = vec_zero(), other_dots = vec_zero();
    size_t i = 0;
    for (; i + 2 <= norm->positions; i += 2) {
        vec_prefetch(source->x + i * LANES);
        vec_prefetch(source->x + (i + 1) * LANES);
        vec gradient = plain_gradient(source, scale, shift, i), other = plain_gradient(source, scale, shift, i + 1);
        sums += gradient;
        dots += gradient * (vec_load(source->x + i * LANES) - centre);
        other_sums += other;
        other_dots += other * (vec_load(source->x + (i + 1) * LANES) - centre);
    }
    if (i < norm->positions) {
        vec gradient = plain_gradient(source, scale, shift, i);
        sums += gradient;
        dots += gradient * (vec_load(source->x + i * LANES) - centre);
    }
    *sum = sums + other_sums;
    *dot = dots + other_dots;
}

VEC_INLINE void gather_windows(const struct source *source, size_t kernel_height, size_t kernel_width, vec *sum,
                               vec *dot)
{
    const struct pool *pool = source->pool;
    vec centre = vec_set(source->norm->centre[source->channel]);
    vec sums = vec_zero(), dots[2] = {vec_zero(), vec_zero()};
    ivec none = (ivec){0} + (lane_int)(kernel_height * kernel_width);
    size_t output = 0;
    for (size_t a = 0; a < pool->out_height; a++) {
        for (size_t b = 0; b < pool->out_width; b++, output++) {
            vec gradient = vec_load(source->dy + output * LANES);
            ivec index = pool_index(source->trace, output);
            const real *x = source->x + (a * pool->in_width + b) * pool->stride * LANES;
            sums += vec_drop(ivec_equal(index, none), gradient);
            for (size_t i = 0; i < kernel_height; i++) {
                for (size_t j = 0; j < kernel_width; j++) {
                    vec part = pooled_gradient(index, i * kernel_width + j, gradient);
                    const real *at = x + (i * pool->in_width + j) * LANES;
                    vec_prefetch(at);
                    dots[i % 2] += part * (vec_load(at) - centre);
                }
            }
        }
    }
    *sum = sums;
    *dot = dots[0] + dots[1];
}

/* Steps over the channels of consecutive blocks. */
static void source_next(struct source *source)
{
    const struct pool *pool = source->pool;
    source->x += source->norm->positions * LANES;
    source->dy += (pool ? pool->out_height * pool->out_width : source->norm->positions) * LANES;
    source->channel++;
    if (pool)
        source->trace += pool->out_height * pool->out_width * LANES;
    if (source->channel == source->norm->channels) {
        source->channel = 0;
        if (pool)
            source->trace += pool->trace - pool->channels * pool->out_height * pool->out_width * LANES;
    }
}

void batchnorm_gather(struct batchnorm *norm, const struct pool *pool, const uint8_t *trace, const real *x,
                      const real *dy, size_t blocks)
{
    struct source source = {.norm = norm, .x = x, .dy = dy, .pool = pool, .trace = trace};
    for (size_t i = 0; i < blocks * norm->channels; i++, source_next(&source)) {
        vec sum, dot;
        if (!pool)
            gather_plain(&source, &sum, &dot);
        else if (pool->kernel_height == 2 && pool->kernel_width == 2)
            gather_windows(&source, 2, 2, &sum, &dot);
        else
            gather_windows(&source, pool->kernel_height, pool->kernel_width, &sum, &dot);
        norm->gradient_sum[source.channel] += (double)vec_sum(sum);
        norm->gradient_dot[source.channel] += (double)vec_sum(dot);
    }
}

void batchnorm_gradients(struct batchnorm *norm, const real *gamma, real *dgamma, real *dbeta)
{
    double count = (double)norm->seen;
    for (size_t c = 0; c < norm->channels; c++) {
        double deviation = (double)norm->deviation[c], factor = (double)gamma[c] * deviation;
        double sum = norm->gradient_sum[c], dot = norm->gradient_dot[c];
        dgamma[c] += (real)(dot * deviation);
        dbeta[c] += (real)sum;
        norm->from_g[c] = (real)factor;
        norm->from_x[c] = (real)(-factor * deviation * deviation * dot / count);
        norm->constant[c] = (real)(-factor * sum / count);
    }
}

/* dx = from_g g + from_x (x - centre) + constant */
struct backward_terms {
    vec from_g, from_x, constant, centre;
    vmask real_lanes;
};

VEC_INLINE vec combine(const struct backward_terms *terms, vec gradient, vec x)
{
    vec value = terms->from_x * (x - terms->centre) + terms->constant;
    return vec_keep(terms->real_lanes, terms->from_g * gradient + value);
}

/* Copies of what a loop reads are kept in registers: a stored vector might be anything's memory to the compiler. */
static void backward_plain(const struct source *source, const struct backward_terms *terms, real *dx)
{
    const struct batchnorm norm = *source->norm;
    const struct backward_terms local = *terms;
    struct source from = *source;
    from.norm = &norm;
    vec scale = vec_set(norm.scale[from.channel]), shift = vec_set(norm.shift[from.channel]);
    for (size_t i = 0; i < norm.positions; i++) {
        vec_prefetch(from.x + i * LANES);
        vec_prefetch(dx + i * LANES);
        vec_store(dx + i * LANES, combine(&local, plain_gradient(&from, scale, shift, i), vec_load(from.x + i * LANES)));
    }
}

VEC_INLINE void backward_windows(const struct source *source, size_t kernel_height, size_t kernel_width,
                                 const struct backward_terms *terms, real *dx)
{
    const struct pool pool = *source->pool;
    const struct backward_terms local = *terms;
    const struct source from = *source;
    size_t output = 0;
    for (size_t a = 0; a < pool.out_height; a++) {
        for (size_t b = 0; b < pool.out_width; b++, output++) {
            vec gradient = vec_load(from.dy + output * LANES);
            ivec index = pool_index(from.trace, output);
            size_t corner = (a * pool.in_width + b) * pool.stride;
            for (size_t i = 0; i < kernel_height; i++) {
                for (size_t j = 0; j < kernel_width; j++) {
                    size_t at = (corner + i * pool.in_width + j) * LANES;
                    vec_prefetch(from.x + at);
                    vec_prefetch(dx + at);
                    vec_store(dx + at, combine(&local, pooled_gradient(index, i * kernel_width + j, gradient),
                                               vec_load(from.x + at)));
                }
            }
        }
    }
}

/* Inputs of the pool that are in no window have g = 0 but still feel mean and variance. */
static void backward_outside(const struct source *source, const struct backward_terms *terms, real *dx)
{
    const struct pool *pool = source->pool;
    for (size_t h = 0; h < pool->in_height; h++) {
        bool row = h % pool->stride < pool->kernel_height && h / pool->stride < pool->out_height;
        for (size_t w = 0; w < pool->in_width; w++) {
            bool column = w % pool->stride < pool->kernel_width && w / pool->stride < pool->out_width;
            size_t at = (h * pool->in_width + w) * LANES;
            if (!row || !column)
                vec_store(dx + at, combine(terms, vec_zero(), vec_load(source->x + at)));
        }
    }
}

static void backward_pooled(const struct source *source, const struct backward_terms *terms, real *dx)
{
    const struct pool *pool = source->pool;
    if (pool->kernel_height == 2 && pool->kernel_width == 2)
        backward_windows(source, 2, 2, terms, dx);
    else
        backward_windows(source, pool->kernel_height, pool->kernel_width, terms, dx);
    if (pool->out_height * pool->kernel_height < pool->in_height ||
        pool->out_width * pool->kernel_width < pool->in_width)
        backward_outside(source, terms, dx);
}

void batchnorm_backward(const struct batchnorm *norm, const struct pool *pool, const uint8_t *trace, const real *x,
                        const real *dy, size_t images, real *dx)
{
    struct source source = {.norm = norm, .x = x, .dy = dy, .pool = pool, .trace = trace};
    for (size_t block = 0; block < lanes_blocks(images); block++) {
        for (size_t c = 0; c < norm->channels; c++, source_next(&source), dx += norm->positions * LANES) {
            struct backward_terms terms = {.from_g = vec_set(norm->from_g[c]),
                                           .from_x = vec_set(norm->from_x[c]),
                                           .constant = vec_set(norm->constant[c]),
                                           .centre = vec_set(norm->centre[c]),
                                           .real_lanes = vmask_first(lanes_in_block(images, block))};
            if (pool)
                backward_pooled(&source, &terms, dx);
            else
                backward_plain(&source, &terms, dx);
        }
    }
}
