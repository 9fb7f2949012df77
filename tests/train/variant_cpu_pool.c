/* Compiled once per variant. The reference is the definition in pool.h as plain loops in double. */
#include "train/cpu/pool.h"

#include "train/cpu_buffer.h"

#define pool_shapes NR_VARIANT(pool_shapes)
#define pool_first_maximum NR_VARIANT(pool_first_maximum)
#define pool_keeps_nan NR_VARIANT(pool_keeps_nan)
#define pool_differences NR_VARIANT(pool_differences)
void pool_shapes(void);
void pool_first_maximum(void);
void pool_keeps_nan(void);
void pool_differences(void);

struct shape_case {
    enum operator_kind kind;
    int64_t channels, height, width, kernel_height, kernel_width, stride, top, bottom, left, right, images;
};

static struct plan_layer layer_of(struct shape_case s)
{
    struct plan_layer layer = {.kind = s.kind,
                               .in = {s.channels, s.height, s.width},
                               .out = {s.channels, (s.height + s.top + s.bottom - s.kernel_height) / s.stride + 1,
                                       (s.width + s.left + s.right - s.kernel_width) / s.stride + 1},
                               .kernel_height = s.kernel_height,
                               .kernel_width = s.kernel_width,
                               .stride = s.stride,
                               .pad_top = s.top,
                               .pad_bottom = s.bottom,
                               .pad_left = s.left,
                               .pad_right = s.right};
    if (s.kind == OP_GLOBALAVGPOOL) {
        layer.out = (struct shape){s.channels, 1, 1};
        layer.kernel_height = layer.kernel_width = layer.stride = 0;
    }
    return layer;
}

struct setup {
    struct pool pool;
    size_t images, blocks, in, out;
    struct buffer x, dy, scale, shift, y, dv, trace;
};

static struct setup setup_create(struct shape_case shape, bool relu, uint64_t *state)
{
    struct plan_layer layer = layer_of(shape);
    struct setup s = {.images = (size_t)shape.images, .blocks = lanes_blocks((size_t)shape.images)};
    pool_prepare(&layer, relu, &s.pool);
    s.in = s.pool.channels * s.pool.in_height * s.pool.in_width;
    s.out = s.pool.channels * s.pool.out_height * s.pool.out_width;
    s.x = buffer_create(s.blocks * s.in * LANES);
    s.dy = buffer_create(s.blocks * s.out * LANES);
    s.y = buffer_create(s.blocks * s.out * LANES);
    s.dv = buffer_create(s.blocks * s.in * LANES);
    s.scale = buffer_create(s.pool.channels);
    s.shift = buffer_create(s.pool.channels);
    s.trace = buffer_create(s.blocks * s.pool.trace / sizeof(real));
    buffer_randomise_lanes(&s.x, s.images, s.in, state);
    buffer_randomise_lanes(&s.dy, s.images, s.out, state);
    buffer_randomise(&s.scale, state);
    buffer_randomise(&s.shift, state);
    return s;
}

static void setup_run(struct setup *s, bool affine)
{
    uint8_t *trace = (uint8_t *)s->trace.data;
    pool_forward(&s->pool, affine ? s->scale.data : NULL, affine ? s->shift.data : NULL, s->x.data, s->blocks,
                 s->y.data, trace);
    pool_backward(&s->pool, trace, s->dy.data, s->blocks, s->dv.data);
}

static void setup_clear(struct setup *s)
{
    struct buffer *all[] = {&s->x, &s->dy, &s->scale, &s->shift, &s->y, &s->dv, &s->trace};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buffer_clear(all[i]);
}

/* v of one input, in the type of the code so that ties are ties. */
static double value_at(struct setup *s, bool affine, size_t image, size_t input)
{
    double x = (double)*lane_at(s->x.data, s->in, image, input);
    size_t c = input / (s->pool.in_height * s->pool.in_width);
    double v = affine ? (double)s->scale.data[c] * x + (double)s->shift.data[c] : x;
    return s->pool.relu && v < 0 ? 0 : v;
}

/* One output: its value, and its share of dv added to `expected`. */
static double reference_output(struct setup *s, bool affine, size_t image, size_t output, double *expected)
{
    const struct pool *p = &s->pool;
    size_t c = output / (p->out_height * p->out_width), a = output / p->out_width % p->out_height;
    size_t b = output % p->out_width, best = SIZE_MAX;
    double most = -INFINITY, sum = 0, gradient = (double)*lane_at(s->dy.data, s->out, image, output);
    double share = 1 / (double)(p->kernel_height * p->kernel_width);
    for (size_t i = 0; i < p->kernel_height; i++)
        for (size_t j = 0; j < p->kernel_width; j++) {
            size_t h = a * p->stride + i - p->pad_top, w = b * p->stride + j - p->pad_left;
            if (h >= p->in_height || w >= p->in_width)
                continue;
            size_t input = (c * p->in_height + h) * p->in_width + w;
            double v = value_at(s, affine, image, input);
            sum += v * share;
            if (!p->maximum && !(p->relu && v <= 0))
                expected[input] += gradient * share;
            if (v > most) {
                most = v;
                best = input;
            }
        }
    if (p->maximum && !(p->relu && most <= 0))
        expected[best] += gradient;
    return p->maximum ? most : sum;
}

static void check(struct shape_case shape, bool relu, bool affine, uint64_t *state)
{
    print_message(
        "kind %d, %ld channels, %ldx%ld, window %ldx%ld, stride %ld, padding %ld %ld %ld %ld, images %ld%s%s\n",
        shape.kind, shape.channels, shape.height, shape.width, shape.kernel_height, shape.kernel_width, shape.stride,
        shape.top, shape.bottom, shape.left, shape.right, shape.images, relu ? ", relu" : "", affine ? ", affine" : "");
    struct setup s = setup_create(shape, relu, state);
    double *expected = calloc(s.in, sizeof *expected);
    double tolerance = 4 * sum_tolerance(s.pool.kernel_height * s.pool.kernel_width) / 10;
    assert_non_null(expected);
    setup_run(&s, affine);
    for (size_t image = 0; image < s.images; image++) {
        memset(expected, 0, s.in * sizeof *expected);
        for (size_t i = 0; i < s.out; i++)
            assert_near((double)*lane_at(s.y.data, s.out, image, i), reference_output(&s, affine, image, i, expected),
                        0, tolerance);
        for (size_t i = 0; i < s.in; i++)
            assert_near((double)*lane_at(s.dv.data, s.in, image, i), expected[i], 0, tolerance);
    }
    for (size_t image = s.images; image < s.blocks * LANES; image++)
        for (size_t i = 0; i < s.in; i++)
            assert_near((double)*lane_at(s.dv.data, s.in, image, i), 0, 0, 0);
    free(expected);
    setup_clear(&s);
}

void pool_shapes(void)
{
    static const struct shape_case shapes[] = {
        {OP_MAXPOOL, 3, 6, 8, 2, 2, 2, 0, 0, 0, 0, 5},     /* the usual one */
        {OP_MAXPOOL, 2, 7, 5, 2, 2, 2, 0, 0, 0, 0, 17},    /* last row and column in no window */
        {OP_MAXPOOL, 2, 7, 7, 3, 3, 2, 0, 0, 0, 0, 16},    /* overlapping */
        {OP_MAXPOOL, 2, 7, 6, 3, 3, 2, 1, 1, 1, 1, 3},     /* and padded */
        {OP_MAXPOOL, 1, 8, 8, 2, 2, 3, 0, 0, 0, 0, 33},    /* stride > window */
        {OP_MAXPOOL, 1, 5, 5, 1, 1, 2, 0, 0, 0, 0, 2},     /* holes only */
        {OP_MAXPOOL, 2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},     /* nothing to choose */
        {OP_MAXPOOL, 2, 17, 16, 16, 16, 1, 0, 0, 0, 0, 4}, /* more positions than a byte counts */
        {OP_MAXPOOL, 1, 17, 15, 17, 15, 1, 0, 0, 0, 0, 4}, /* exactly as many */
        {OP_MAXPOOL, 2, 5, 7, 3, 2, 2, 1, 0, 0, 1, 7},     /* unlike sides */
        {OP_AVGPOOL, 3, 6, 8, 2, 2, 2, 0, 0, 0, 0, 5},       {OP_AVGPOOL, 2, 7, 5, 2, 2, 2, 0, 0, 0, 0, 17},
        {OP_AVGPOOL, 2, 7, 7, 3, 3, 1, 1, 1, 1, 1, 16},      {OP_AVGPOOL, 2, 5, 7, 3, 2, 2, 1, 0, 0, 1, 7},
        {OP_AVGPOOL, 2, 8, 8, 2, 2, 3, 0, 0, 0, 0, 7},       {OP_GLOBALAVGPOOL, 5, 7, 3, 0, 0, 1, 0, 0, 0, 0, 19},
        {OP_GLOBALAVGPOOL, 2, 1, 1, 0, 0, 1, 0, 0, 0, 0, 1},
    };
    uint64_t state = 1;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int option = 0; option < 4; option++)
            check(shapes[i], option & 1, option & 2, &state);
}

/* Ties go to the first in row-major order; where ReLU gave 0 everywhere, to nobody. */
void pool_first_maximum(void)
{
    static const struct shape_case shapes[] = {{OP_MAXPOOL, 1, 4, 4, 2, 2, 2, 0, 0, 0, 0, 1},
                                               {OP_MAXPOOL, 1, 4, 4, 3, 3, 1, 0, 0, 0, 0, 1},
                                               {OP_MAXPOOL, 1, 16, 16, 16, 16, 1, 0, 0, 0, 0, 1}};
    uint64_t state = 2;
    for (size_t n = 0; n < sizeof shapes / sizeof *shapes; n++) {
        for (int relu = 0; relu < 2; relu++) {
            struct setup s = setup_create(shapes[n], relu, &state);
            buffer_fill(&s.x, relu ? -1 : 3);
            setup_run(&s, false);
            double total = 0, expected = 0;
            for (size_t i = 0; i < s.in; i++)
                total += (double)*lane_at(s.dv.data, s.in, 0, i);
            for (size_t i = 0; i < s.out; i++)
                expected += relu ? 0 : (double)*lane_at(s.dy.data, s.out, 0, i);
            assert_near(total, expected, 1e-6, 1e-6);
            assert_near((double)*lane_at(s.dv.data, s.in, 0, 0), relu ? 0 : (double)*lane_at(s.dy.data, s.out, 0, 0), 0,
                        0);
            setup_clear(&s);
        }
    }
}

/* A diverged network must show: NaN comes through ReLU and through a maximum that starts with it. */
void pool_keeps_nan(void)
{
    struct shape_case shape = {OP_MAXPOOL, 1, 2, 2, 2, 2, 2, 0, 0, 0, 0, 1};
    uint64_t state = 3;
    struct setup s = setup_create(shape, true, &state);
    buffer_fill(&s.x, NAN);
    setup_run(&s, false);
    assert_true(isnan(*lane_at(s.y.data, s.out, 0, 0)));
    setup_clear(&s);
}

static double loss(struct setup *s)
{
    double sum = 0;
    pool_forward(&s->pool, NULL, NULL, s->x.data, s->blocks, s->y.data, NULL);
    for (size_t i = 0; i < s->y.count; i++)
        sum += (double)s->y.data[i] * (double)s->dy.data[i];
    return sum;
}

/* Against differences of the forward pass; kinks (ties, 0 under ReLU) are further away than the step, for a fixed
 * seed. */
void pool_differences(void)
{
    static const struct shape_case shapes[] = {{OP_MAXPOOL, 2, 7, 6, 3, 3, 2, 1, 1, 1, 1, 3},
                                               {OP_MAXPOOL, 2, 6, 6, 2, 2, 2, 0, 0, 0, 0, 2},
                                               {OP_AVGPOOL, 2, 5, 7, 3, 2, 2, 1, 0, 0, 1, 3},
                                               {OP_GLOBALAVGPOOL, 2, 5, 4, 0, 0, 1, 0, 0, 0, 0, 3}};
    uint64_t state = 4;
    for (size_t n = 0; n < 2 * sizeof shapes / sizeof *shapes; n++) {
        struct setup s = setup_create(shapes[n / 2], n % 2, &state);
        setup_run(&s, false);
        for (size_t i = 0; i < s.in; i++) {
            real *at = lane_at(s.x.data, s.in, s.images - 1, i), kept = *at, step = (real)1e-6;
            *at = kept + step;
            double above = loss(&s);
            *at = kept - step;
            double below = loss(&s);
            *at = kept;
            assert_near((above - below) / (2 * (double)step), (double)*lane_at(s.dv.data, s.in, s.images - 1, i), 1e-6,
                        1e-7);
        }
        setup_clear(&s);
    }
}
