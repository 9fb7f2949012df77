/* Compiled once per variant. The reference is the definition in batchnorm.h in double, two passes over all values. */
#include "train/cpu/batchnorm.h"

#include "train/cpu_buffer.h"

#define batchnorm_shapes NR_VARIANT(batchnorm_shapes)
#define batchnorm_with_pool NR_VARIANT(batchnorm_with_pool)
#define batchnorm_far_mean NR_VARIANT(batchnorm_far_mean)
#define batchnorm_evaluation NR_VARIANT(batchnorm_evaluation)
#define batchnorm_differences NR_VARIANT(batchnorm_differences)
void batchnorm_shapes(void);
void batchnorm_with_pool(void);
void batchnorm_far_mean(void);
void batchnorm_evaluation(void);
void batchnorm_differences(void);

/* window 0: no pool */
struct shape_case {
    int64_t channels, height, width, images, window, stride;
};

struct setup {
    struct arena arena;
    struct batchnorm norm;
    struct pool pool;
    bool pooled;
    size_t images, blocks, features, positions, outputs;
    struct buffer x, gamma, beta, mean, variance, dy, y, dx, dgamma, dbeta, trace;
};

static struct setup setup_create(struct shape_case shape, bool relu, uint64_t *state)
{
    struct plan_layer layer = {.kind = OP_BATCHNORM,
                               .in = {shape.channels, shape.height, shape.width},
                               .out = {shape.channels, shape.height, shape.width}};
    struct setup s = {.images = (size_t)shape.images,
                      .blocks = lanes_blocks((size_t)shape.images),
                      .positions = (size_t)(shape.height * shape.width),
                      .pooled = shape.window > 0};
    s.features = s.outputs = (size_t)shape.channels * s.positions;
    batchnorm_prepare(&layer, relu, &s.arena, &s.norm);
    assert_ok(arena_commit(&s.arena));
    batchnorm_prepare(&layer, relu, &s.arena, &s.norm);
    if (s.pooled) {
        struct plan_layer pool = layer;
        pool.kind = OP_MAXPOOL;
        pool.kernel_height = pool.kernel_width = shape.window;
        pool.stride = shape.stride;
        pool.out.height = (shape.height - shape.window) / shape.stride + 1;
        pool.out.width = (shape.width - shape.window) / shape.stride + 1;
        pool_prepare(&pool, relu, &s.pool);
        assert_true(s.pool.disjoint);
        s.outputs = s.pool.channels * s.pool.out_height * s.pool.out_width;
    }
    size_t channels = s.norm.channels;
    s.x = buffer_create(s.blocks * s.features * LANES);
    s.dx = buffer_create(s.blocks * s.features * LANES);
    s.y = buffer_create(s.blocks * s.outputs * LANES);
    s.dy = buffer_create(s.blocks * s.outputs * LANES);
    s.trace = buffer_create(s.blocks * s.pool.trace / sizeof(real));
    struct buffer *small[] = {&s.gamma, &s.beta, &s.mean, &s.variance, &s.dgamma, &s.dbeta};
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        *small[i] = buffer_create(channels);
        buffer_randomise(small[i], state);
    }
    buffer_fill(&s.variance, 1);
    buffer_fill(&s.dgamma, 0);
    buffer_fill(&s.dbeta, 0);
    buffer_randomise(&s.x, state); /* lanes without an image too: they must not count */
    buffer_randomise_lanes(&s.dy, s.images, s.outputs, state);
    return s;
}

static void setup_clear(struct setup *s)
{
    struct buffer *all[] = {&s->x, &s->gamma, &s->beta,   &s->mean,  &s->variance, &s->dy,
                            &s->y, &s->dx,    &s->dgamma, &s->dbeta, &s->trace};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buffer_clear(all[i]);
    arena_clear(&s->arena);
}

static void run_forward(struct setup *s, bool move)
{
    batchnorm_start(&s->norm);
    for (size_t block = 0; block < s->blocks; block++)
        batchnorm_observe(&s->norm, s->x.data + block * s->features * LANES, lanes_in_block(s->images, block));
    batchnorm_finish(&s->norm, s->gamma.data, s->beta.data, move ? s->mean.data : NULL, move ? s->variance.data : NULL);
    if (s->pooled)
        pool_forward(&s->pool, s->norm.scale, s->norm.shift, s->x.data, s->blocks, s->y.data, (uint8_t *)s->trace.data);
    else
        batchnorm_forward(&s->norm, s->x.data, s->blocks, s->y.data);
}

static void run_backward(struct setup *s)
{
    const struct pool *pool = s->pooled ? &s->pool : NULL;
    const uint8_t *trace = (const uint8_t *)s->trace.data;
    batchnorm_gather(&s->norm, pool, trace, s->x.data, s->dy.data, s->blocks);
    batchnorm_gradients(&s->norm, s->gamma.data, s->dgamma.data, s->dbeta.data);
    batchnorm_backward(&s->norm, pool, trace, s->x.data, s->dy.data, s->images, s->dx.data);
}

static double x_at(struct setup *s, size_t image, size_t feature)
{
    return (double)*lane_at(s->x.data, s->features, image, feature);
}

/* Normalised value of one feature, before gamma. */
struct statistics {
    double mean, variance;
};

static struct statistics channel_statistics(struct setup *s, size_t c)
{
    struct statistics t = {0};
    double count = (double)(s->images * s->positions);
    for (size_t image = 0; image < s->images; image++)
        for (size_t i = 0; i < s->positions; i++)
            t.mean += x_at(s, image, c * s->positions + i) / count;
    for (size_t image = 0; image < s->images; image++)
        for (size_t i = 0; i < s->positions; i++) {
            double apart = x_at(s, image, c * s->positions + i) - t.mean;
            t.variance += apart * apart / count;
        }
    return t;
}

/* The gradient of the normalised, scaled value v of every feature of one image: of y, with ReLU and pool undone. */
static void gradient_of_v(struct setup *s, size_t image, size_t c, const double *v, double *g)
{
    if (!s->pooled) {
        for (size_t i = 0; i < s->positions; i++)
            g[i] =
                s->norm.relu && v[i] <= 0 ? 0 : (double)*lane_at(s->dy.data, s->outputs, image, c * s->positions + i);
        return;
    }
    const struct pool *p = &s->pool;
    memset(g, 0, s->positions * sizeof *g);
    for (size_t a = 0; a < p->out_height; a++)
        for (size_t b = 0; b < p->out_width; b++) {
            size_t best = a * p->stride * p->in_width + b * p->stride;
            for (size_t i = 0; i < p->kernel_height; i++)
                for (size_t j = 0; j < p->kernel_width; j++) {
                    size_t at = (a * p->stride + i) * p->in_width + b * p->stride + j;
                    best = v[at] > v[best] ? at : best;
                }
            if (!(p->relu && v[best] <= 0))
                g[best] += (double)*lane_at(s->dy.data, s->outputs, image, (c * p->out_height + a) * p->out_width + b);
        }
}

/* dx, dgamma and dbeta of one channel against the textbook's formula. */
static void check_channel(struct setup *s, size_t c, double tolerance)
{
    struct statistics t = channel_statistics(s, c);
    double deviation = 1 / sqrt(t.variance + 1e-5), gamma = (double)s->gamma.data[c], beta = (double)s->beta.data[c];
    double count = (double)(s->images * s->positions), sum = 0, dot = 0;
    double *v = calloc(s->positions, sizeof *v), *g = calloc(s->images * s->positions, sizeof *g);
    assert_true(v && g);
    for (size_t image = 0; image < s->images; image++) {
        for (size_t i = 0; i < s->positions; i++)
            v[i] = gamma * (x_at(s, image, c * s->positions + i) - t.mean) * deviation + beta;
        if (!s->pooled)
            for (size_t i = 0; i < s->positions; i++)
                assert_near((double)*lane_at(s->y.data, s->outputs, image, c * s->positions + i),
                            s->norm.relu && v[i] < 0 ? 0 : v[i], 0, tolerance);
        gradient_of_v(s, image, c, v, g + image * s->positions);
        for (size_t i = 0; i < s->positions; i++) {
            sum += g[image * s->positions + i];
            dot += g[image * s->positions + i] * (x_at(s, image, c * s->positions + i) - t.mean) * deviation;
        }
    }
    assert_near((double)s->dbeta.data[c], sum, 0, tolerance * 10);
    assert_near((double)s->dgamma.data[c], dot, 0, tolerance * 10);
    for (size_t image = 0; image < s->images; image++)
        for (size_t i = 0; i < s->positions; i++) {
            double normal = (x_at(s, image, c * s->positions + i) - t.mean) * deviation;
            double expected = gamma * deviation * (g[image * s->positions + i] - sum / count - normal * dot / count);
            assert_near((double)*lane_at(s->dx.data, s->features, image, c * s->positions + i), expected, 0, tolerance);
        }
    free(v);
    free(g);
}

static void check(struct shape_case shape, bool relu, uint64_t *state)
{
    print_message("%ld channels, %ldx%ld, images %ld, window %ld, stride %ld%s\n", shape.channels, shape.height,
                  shape.width, shape.images, shape.window, shape.stride, relu ? ", relu" : "");
    struct setup s = setup_create(shape, relu, state);
    struct buffer mean = buffer_create(s.norm.channels);
    memcpy(mean.data, s.mean.data, s.norm.channels * sizeof(real));
    run_forward(&s, true);
    run_backward(&s);
    double unit = sizeof(real) == sizeof(float) ? 6e-8 : 1.2e-16, count = (double)(s.images * s.positions);
    for (size_t c = 0; c < s.norm.channels; c++) {
        struct statistics t = channel_statistics(&s, c);
        assert_near((double)s.mean.data[c], 0.9 * (double)mean.data[c] + 0.1 * t.mean, 0, 20 * unit);
        assert_near((double)s.variance.data[c], 0.9 + 0.1 * t.variance * (count > 1 ? count / (count - 1) : 1), 0,
                    20 * unit);
        /* 1 / deviation magnifies: with one value per channel it is 1 / sqrt(1e-5) */
        check_channel(&s, c, unit * (40 + sqrt(count)) / sqrt(t.variance + 1e-5));
    }
    for (size_t image = s.images; image < s.blocks * LANES; image++)
        for (size_t i = 0; i < s.features; i++)
            assert_near((double)*lane_at(s.dx.data, s.features, image, i), 0, 0, 0);
    buffer_clear(&mean);
    setup_clear(&s);
}

void batchnorm_shapes(void)
{
    static const struct shape_case shapes[] = {{1, 1, 1, 1, 0, 0},  {3, 1, 1, 33, 0, 0}, {5, 4, 3, 17, 0, 0},
                                               {2, 7, 7, 16, 0, 0}, {4, 5, 2, 3, 0, 0},  {7, 2, 2, 40, 0, 0}};
    uint64_t state = 1;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int relu = 0; relu < 2; relu++)
            check(shapes[i], relu, &state);
}

void batchnorm_with_pool(void)
{
    static const struct shape_case shapes[] = {{3, 4, 6, 18, 2, 2}, /* the usual one */
                                               {2, 7, 5, 16, 2, 2}, /* last row and column in no window */
                                               {2, 6, 9, 5, 3, 3},  {2, 8, 7, 20, 2, 3}, /* gaps between windows */
                                               {4, 5, 5, 33, 1, 2}, {3, 3, 3, 7, 3, 1}};
    uint64_t state = 2;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int relu = 0; relu < 2; relu++)
            check(shapes[i], relu, &state);
}

/* A mean a thousand deviations away costs the digits of x itself, and no more: x has 1e-7 * 1000 of a deviation. */
void batchnorm_far_mean(void)
{
    struct shape_case shape = {2, 9, 9, 37, 0, 0};
    uint64_t state = 3;
    struct setup s = setup_create(shape, false, &state);
    for (size_t i = 0; i < s.x.count; i++)
        s.x.data[i] += 1000;
    run_forward(&s, true);
    for (size_t c = 0; c < s.norm.channels; c++) {
        struct statistics t = channel_statistics(&s, c);
        double count = (double)(s.images * s.positions);
        assert_near((double)s.norm.centre[c], t.mean, 1e-7, 0);
        assert_near((double)s.variance.data[c], 0.9 + 0.1 * t.variance * count / (count - 1), 1e-5, 0);
        assert_near(1 / (double)s.norm.deviation[c], sqrt(t.variance + 1e-5), 1e-5, 0);
    }
    setup_clear(&s);
}

void batchnorm_evaluation(void)
{
    struct shape_case shape = {3, 3, 4, 5, 0, 0};
    uint64_t state = 4;
    struct setup s = setup_create(shape, false, &state);
    buffer_fill(&s.variance, 0.25);
    batchnorm_evaluate(&s.norm, s.gamma.data, s.beta.data, s.mean.data, s.variance.data);
    batchnorm_forward(&s.norm, s.x.data, s.blocks, s.x.data); /* in place */
    uint64_t again = 4;
    struct setup t = setup_create(shape, false, &again);
    for (size_t image = 0; image < s.images; image++)
        for (size_t i = 0; i < s.features; i++) {
            size_t c = i / s.positions;
            double expected =
                (double)s.gamma.data[c] * (x_at(&t, image, i) - (double)s.mean.data[c]) / sqrt(0.25 + 1e-5) +
                (double)s.beta.data[c];
            assert_near(x_at(&s, image, i), expected, 1e-6, 1e-6);
        }
    setup_clear(&s);
    setup_clear(&t);
}

static double loss(struct setup *s)
{
    double sum = 0;
    run_forward(s, false);
    for (size_t image = 0; image < s->images; image++)
        for (size_t i = 0; i < s->outputs; i++)
            sum +=
                (double)*lane_at(s->y.data, s->outputs, image, i) * (double)*lane_at(s->dy.data, s->outputs, image, i);
    return sum;
}

static void check_difference(struct setup *s, real *at, double gradient)
{
    real kept = *at, step = (real)1e-5;
    *at = kept + step;
    double above = loss(s);
    *at = kept - step;
    double below = loss(s);
    *at = kept;
    assert_near((above - below) / (2 * (double)step), gradient, 1e-6, 1e-7);
}

/* Away from kinks for these fixed seeds. */
void batchnorm_differences(void)
{
    static const struct shape_case shapes[] = {{3, 3, 2, 5, 0, 0}, {2, 5, 4, 4, 2, 2}, {2, 3, 3, 3, 3, 3}};
    uint64_t state = 5;
    for (size_t n = 0; n < 2 * sizeof shapes / sizeof *shapes; n++) {
        struct setup s = setup_create(shapes[n / 2], n % 2, &state);
        run_forward(&s, false);
        run_backward(&s);
        for (size_t c = 0; c < s.norm.channels; c++) {
            check_difference(&s, s.gamma.data + c, (double)s.dgamma.data[c]);
            check_difference(&s, s.beta.data + c, (double)s.dbeta.data[c]);
        }
        for (size_t i = 0; i < s.features; i++)
            check_difference(&s, lane_at(s.x.data, s.features, s.images - 1, i),
                             (double)*lane_at(s.dx.data, s.features, s.images - 1, i));
        setup_clear(&s);
    }
}
