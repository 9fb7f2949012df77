/* Compiled once per variant. The reference is the definition in conv.h as plain loops in double. */
#include "train/cpu/conv.h"

#include "train/cpu_buffer.h"

#define conv_fixed_shapes NR_VARIANT(conv_fixed_shapes)
#define conv_random_shapes NR_VARIANT(conv_random_shapes)
#define conv_differences NR_VARIANT(conv_differences)
#define conv_accumulates NR_VARIANT(conv_accumulates)
#define conv_repeats_bits NR_VARIANT(conv_repeats_bits)
#define conv_ignores_empty_lanes NR_VARIANT(conv_ignores_empty_lanes)
#define lanes_round_trip NR_VARIANT(lanes_round_trip)
#define lanes_sums NR_VARIANT(lanes_sums)
void conv_fixed_shapes(void);
void conv_random_shapes(void);
void conv_differences(void);
void conv_accumulates(void);
void conv_repeats_bits(void);
void conv_ignores_empty_lanes(void);
void lanes_round_trip(void);
void lanes_sums(void);

/* channels in and out, height, width, kernel (2), stride, pads (top, bottom, left, right), groups, images */
struct shape_case {
    int64_t in, out, height, width, kernel_height, kernel_width, stride, top, bottom, left, right, groups, images;
};

static struct plan_layer layer_of(struct shape_case s)
{
    return (struct plan_layer){.kind = OP_CONV,
                               .in = {s.in, s.height, s.width},
                               .out = {s.out, (s.height + s.top + s.bottom - s.kernel_height) / s.stride + 1,
                                       (s.width + s.left + s.right - s.kernel_width) / s.stride + 1},
                               .kernel_height = s.kernel_height,
                               .kernel_width = s.kernel_width,
                               .stride = s.stride,
                               .groups = s.groups,
                               .pad_top = s.top,
                               .pad_bottom = s.bottom,
                               .pad_left = s.left,
                               .pad_right = s.right};
}

struct setup {
    struct conv conv;
    size_t images, blocks, in, out; /* features per image */
    struct buffer x, dy, weight, bias, packed, scratch, y, dx, dweight, dbias;
};

static struct setup setup_create(struct shape_case shape, uint64_t *state)
{
    struct plan_layer layer = layer_of(shape);
    struct setup s = {.images = (size_t)shape.images, .blocks = lanes_blocks((size_t)shape.images)};
    conv_prepare(&layer, &s.conv);
    s.in = s.conv.in_channels * s.conv.in_height * s.conv.in_width;
    s.out = s.conv.out_channels * s.conv.out_height * s.conv.out_width;
    s.x = buffer_create(s.blocks * s.in * LANES);
    s.dy = buffer_create(s.blocks * s.out * LANES);
    s.y = buffer_create(s.blocks * s.out * LANES);
    s.dx = buffer_create(s.blocks * s.in * LANES);
    s.weight = buffer_create(s.conv.weights);
    s.dweight = buffer_create(s.conv.weights);
    s.bias = buffer_create(s.conv.out_channels);
    s.dbias = buffer_create(s.conv.out_channels);
    s.packed = buffer_create(s.conv.packed);
    s.scratch = buffer_create(s.conv.scratch);
    buffer_randomise_lanes(&s.x, s.images, s.in, state);
    buffer_randomise_lanes(&s.dy, s.images, s.out, state);
    buffer_randomise(&s.weight, state);
    buffer_randomise(&s.bias, state);
    buffer_fill(&s.dweight, 0);
    buffer_fill(&s.dbias, 0);
    return s;
}

static void setup_run(struct setup *s, bool relu)
{
    conv_pack(&s->conv, s->weight.data, true, s->packed.data);
    conv_forward(&s->conv, s->packed.data, s->bias.data, relu, s->x.data, s->blocks, s->y.data, s->scratch.data);
    conv_backward_data(&s->conv, s->packed.data, s->dy.data, s->blocks, s->dx.data, s->scratch.data);
    conv_backward_weights(&s->conv, s->x.data, s->dy.data, s->blocks, s->dweight.data, s->dbias.data, s->scratch.data);
}

static void setup_clear(struct setup *s)
{
    struct buffer *all[] = {&s->x,       &s->dy, &s->weight, &s->bias,    &s->packed,
                            &s->scratch, &s->y,  &s->dx,     &s->dweight, &s->dbias};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buffer_clear(all[i]);
}

/* The reference: y, dx, dweight, dbias of one batch, in double. */
struct reference {
    double *y, *dx, *dweight, *dbias;
};

static void reference_image(const struct conv *c, const struct setup *s, size_t image, struct reference *r)
{
    size_t in_per_group = c->in_channels / c->groups, out_per_group = c->out_channels / c->groups;
    for (size_t o = 0; o < c->out_channels; o++)
        for (size_t a = 0; a < c->out_height; a++)
            for (size_t b = 0; b < c->out_width; b++) {
                size_t output = (o * c->out_height + a) * c->out_width + b;
                double gradient = (double)*lane_at(s->dy.data, s->out, image, output);
                double sum = (double)s->bias.data[o];
                r->dbias[o] += gradient;
                for (size_t ci = 0; ci < in_per_group; ci++)
                    for (size_t i = 0; i < c->kernel_height; i++)
                        for (size_t j = 0; j < c->kernel_width; j++) {
                            size_t h = a * c->stride + i - c->pad_top, w = b * c->stride + j - c->pad_left;
                            if (h >= c->in_height || w >= c->in_width) /* negative ones wrap around */
                                continue;
                            size_t input =
                                ((o / out_per_group * in_per_group + ci) * c->in_height + h) * c->in_width + w;
                            size_t k = ((o * in_per_group + ci) * c->kernel_height + i) * c->kernel_width + j;
                            double x = (double)*lane_at(s->x.data, s->in, image, input);
                            sum += (double)s->weight.data[k] * x;
                            r->dx[image * s->in + input] += (double)s->weight.data[k] * gradient;
                            r->dweight[k] += x * gradient;
                        }
                r->y[image * s->out + output] = sum;
            }
}

/* Compared value by value; the shape is printed so that a failure can be repeated alone. */
static void check(struct shape_case shape, bool relu, uint64_t *state)
{
    print_message("%ld -> %ld channels, %ldx%ld, kernel %ldx%ld, stride %ld, padding %ld %ld %ld %ld, groups %ld, "
                  "images %ld\n",
                  shape.in, shape.out, shape.height, shape.width, shape.kernel_height, shape.kernel_width, shape.stride,
                  shape.top, shape.bottom, shape.left, shape.right, shape.groups, shape.images);
    struct setup s = setup_create(shape, state);
    const struct conv *c = &s.conv;
    struct reference r = {.y = calloc(s.images * s.out, sizeof(double)),
                          .dx = calloc(s.images * s.in, sizeof(double)),
                          .dweight = calloc(c->weights, sizeof(double)),
                          .dbias = calloc(c->out_channels, sizeof(double))};
    assert_true(r.y && r.dx && r.dweight && r.dbias);
    setup_run(&s, relu);
    for (size_t image = 0; image < s.images; image++)
        reference_image(c, &s, image, &r);
    size_t area = c->kernel_height * c->kernel_width, positions = c->out_height * c->out_width;
    double forward = sum_tolerance(c->in_channels / c->groups * area);
    double data = sum_tolerance(c->out_channels / c->groups * area), weights = sum_tolerance(s.images * positions);
    for (size_t image = 0; image < s.images; image++) {
        for (size_t i = 0; i < s.out; i++) {
            double y = r.y[image * s.out + i];
            assert_near((double)*lane_at(s.y.data, s.out, image, i), relu && y < 0 ? 0 : y, 0, forward);
        }
        for (size_t i = 0; i < s.in; i++)
            assert_near((double)*lane_at(s.dx.data, s.in, image, i), r.dx[image * s.in + i], 0, data);
    }
    for (size_t i = 0; i < c->weights; i++)
        assert_near((double)s.dweight.data[i], r.dweight[i], 0, weights);
    for (size_t i = 0; i < c->out_channels; i++)
        assert_near((double)s.dbias.data[i], r.dbias[i], 0, weights);
    for (size_t image = s.images; image < s.blocks * LANES; image++)
        for (size_t i = 0; i < s.in; i++)
            assert_near((double)*lane_at(s.dx.data, s.in, image, i), 0, 0, 0);
    free(r.y);
    free(r.dx);
    free(r.dweight);
    free(r.dbias);
    setup_clear(&s);
}

void conv_fixed_shapes(void)
{
    static const struct shape_case shapes[] = {
        {1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1},     /* the smallest */
        {1, 6, 12, 12, 5, 5, 1, 2, 2, 2, 2, 1, 5},   /* LeNet's first */
        {6, 16, 14, 14, 5, 5, 1, 0, 0, 0, 0, 1, 18}, /* and second */
        {7, 13, 6, 5, 3, 3, 1, 1, 1, 1, 1, 1, 17},   /* odd channel counts */
        {16, 8, 4, 4, 3, 3, 1, 1, 1, 1, 1, 1, 33},   /* several blocks */
        {5, 3, 7, 6, 1, 1, 1, 0, 0, 0, 0, 1, 3},     /* 1x1 */
        {4, 9, 7, 7, 1, 1, 2, 0, 0, 0, 0, 1, 20},    /* 1x1 with a stride: dx has holes */
        {6, 6, 9, 8, 3, 3, 1, 1, 1, 1, 1, 6, 16},    /* depthwise */
        {3, 12, 5, 7, 3, 3, 2, 1, 1, 1, 1, 3, 4},    /* depthwise with a multiplier and a stride */
        {8, 4, 6, 6, 3, 3, 1, 0, 0, 0, 0, 2, 7},     /* groups */
        {2, 3, 8, 9, 3, 3, 2, 0, 1, 0, 1, 1, 2},     /* "same" on even sizes: asymmetric */
        {2, 3, 11, 11, 2, 2, 3, 0, 0, 0, 0, 1, 9},   /* stride > kernel */
        {3, 2, 5, 5, 4, 2, 1, 3, 0, 1, 2, 1, 6},     /* unlike sides */
        {2, 2, 3, 3, 7, 7, 1, 3, 3, 3, 3, 1, 16},    /* kernel larger than the image */
        {1, 2, 12, 12, 3, 3, 2, 0, 0, 0, 0, 1, 16},  /* last row and column unused */
        {16, 20, 8, 8, 3, 3, 1, 1, 1, 1, 1, 1, 18},  /* Winograd: even, */
        {40, 35, 7, 5, 3, 3, 1, 1, 1, 1, 1, 1, 4},   /* odd sizes, two groups of channels, several chunks */
        {13, 12, 5, 6, 3, 3, 1, 0, 0, 0, 0, 1, 17},  /* without padding */
        {12, 14, 3, 4, 3, 3, 1, 2, 1, 0, 2, 1, 5},   /* unlike sides */
        {12, 12, 2, 2, 3, 3, 1, 3, 3, 3, 3, 1, 3},   /* padding beyond the kernel: forward only */
        {90, 12, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 2},   /* small chunks */
        {3, 4, 2, 2, 1, 1, 1, 2, 1, 1, 3, 1, 5},     /* padding of a 1x1 */
    };
    uint64_t state = 1;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int relu = 0; relu < 2; relu++)
            check(shapes[i], relu, &state);
}

static struct shape_case random_shape(uint64_t *state)
{
    struct shape_case s = {.groups = random_integer(state, 0, 3) ? 1 : random_integer(state, 2, 5)};
    s.in = s.groups * random_integer(state, 1, s.groups > 1 ? 3 : 20);
    s.out = s.groups * random_integer(state, 1, s.groups > 1 ? 3 : 20);
    s.height = random_integer(state, 1, 9);
    s.width = random_integer(state, 1, 9);
    s.top = random_integer(state, 0, 2);
    s.bottom = random_integer(state, 0, 2);
    s.left = random_integer(state, 0, 2);
    s.right = random_integer(state, 0, 2);
    int64_t high = s.height + s.top + s.bottom, wide = s.width + s.left + s.right;
    s.kernel_height = random_integer(state, 1, high < 5 ? high : 5);
    s.kernel_width = random_integer(state, 0, 1) && s.kernel_height <= wide
                         ? s.kernel_height
                         : random_integer(state, 1, wide < 6 ? wide : 6);
    s.stride = random_integer(state, 0, 1) ? 1 : random_integer(state, 2, 4);
    s.images = random_integer(state, 1, 2 * LANES + 1);
    return s;
}

void conv_random_shapes(void)
{
    uint64_t state = 20;
    for (int i = 0; i < 60; i++) {
        struct shape_case s = random_shape(&state);
        check(s, i % 2, &state);
    }
}

/* The loss is sum(dy * y); its derivative by any one number, from the forward pass alone. In double only: float has
 * too few digits for differences, and the source is the same. */
static double loss(struct setup *s)
{
    conv_pack(&s->conv, s->weight.data, true, s->packed.data);
    conv_forward(&s->conv, s->packed.data, s->bias.data, false, s->x.data, s->blocks, s->y.data, s->scratch.data);
    double sum = 0;
    for (size_t i = 0; i < s->y.count; i++)
        sum += (double)s->y.data[i] * (double)s->dy.data[i];
    return sum;
}

static void check_difference(struct setup *s, real *at, double gradient)
{
    real kept = *at, step = (real)1e-3;
    *at = kept + step;
    double above = loss(s);
    *at = kept - step;
    double below = loss(s);
    *at = kept;
    assert_near((above - below) / (2 * (double)step), gradient, 1e-9, 1e-9);
}

void conv_differences(void)
{
    uint64_t state = 3;
    for (int n = 0; n < 12; n++) {
        struct setup s = setup_create(random_shape(&state), &state);
        setup_run(&s, false);
        for (size_t i = 0; i < s.conv.weights; i += 1 + s.conv.weights / 20)
            check_difference(&s, s.weight.data + i, (double)s.dweight.data[i]);
        for (size_t i = 0; i < s.conv.out_channels; i++)
            check_difference(&s, s.bias.data + i, (double)s.dbias.data[i]);
        for (size_t i = 0; i < s.in; i += 1 + s.in / 20)
            check_difference(&s, lane_at(s.x.data, s.in, s.images - 1, i),
                             (double)*lane_at(s.dx.data, s.in, s.images - 1, i));
        setup_clear(&s);
    }
}

/* Blocks one by one, and all at once, add to what was there. */
void conv_accumulates(void)
{
    struct shape_case shape = {3, 5, 6, 6, 3, 3, 1, 1, 1, 1, 1, 1, 3 * LANES};
    uint64_t state = 4;
    struct setup s = setup_create(shape, &state);
    setup_run(&s, false);
    struct buffer dweight = buffer_create(s.conv.weights), dbias = buffer_create(s.conv.out_channels);
    buffer_fill(&dweight, 7);
    buffer_fill(&dbias, -7);
    for (size_t block = 0; block < s.blocks; block++)
        conv_backward_weights(&s.conv, s.x.data + block * s.in * LANES, s.dy.data + block * s.out * LANES, 1,
                              dweight.data, dbias.data, s.scratch.data);
    double tolerance = 2 * sum_tolerance(36 * s.images) + 7 * sum_tolerance(1);
    for (size_t i = 0; i < s.conv.weights; i++)
        assert_near((double)dweight.data[i] - 7, (double)s.dweight.data[i], 0, tolerance);
    for (size_t i = 0; i < s.conv.out_channels; i++)
        assert_near((double)dbias.data[i] + 7, (double)s.dbias.data[i], 0, tolerance);
    buffer_clear(&dweight);
    buffer_clear(&dbias);
    setup_clear(&s);
}

void conv_repeats_bits(void)
{
    struct shape_case shape = {9, 11, 7, 7, 3, 3, 1, 1, 1, 1, 1, 1, LANES + 3};
    uint64_t state = 5, again = 5;
    struct setup a = setup_create(shape, &state), b = setup_create(shape, &again);
    setup_run(&a, false);
    setup_run(&b, false);
    assert_memory_equal(a.y.data, b.y.data, a.y.count * sizeof(real));
    assert_memory_equal(a.dx.data, b.dx.data, a.dx.count * sizeof(real));
    assert_memory_equal(a.dweight.data, b.dweight.data, a.dweight.count * sizeof(real));
    assert_memory_equal(a.dbias.data, b.dbias.data, a.dbias.count * sizeof(real));
    setup_clear(&a);
    setup_clear(&b);
}

/* Activations of lanes without an image mean nothing; where their gradient is 0 they change no gradient. */
void conv_ignores_empty_lanes(void)
{
    struct shape_case shape = {3, 4, 5, 5, 3, 3, 1, 1, 1, 1, 1, 1, LANES + 1};
    uint64_t state = 6, again = 6;
    struct setup a = setup_create(shape, &state), b = setup_create(shape, &again);
    for (size_t image = b.images; image < b.blocks * LANES; image++)
        for (size_t i = 0; i < b.in; i++)
            *lane_at(b.x.data, b.in, image, i) = (real)1e6;
    setup_run(&a, false);
    setup_run(&b, false);
    assert_memory_equal(a.dweight.data, b.dweight.data, a.dweight.count * sizeof(real));
    for (size_t i = 0; i < a.out; i++)
        assert_true(*lane_at(a.y.data, a.out, LANES, i) == *lane_at(b.y.data, b.out, LANES, i));
    setup_clear(&a);
    setup_clear(&b);
}

void lanes_round_trip(void)
{
    static const size_t counts[] = {1, 2, 3, 5, 15, 16, 17, 31, 32, 33, 50};
    uint64_t state = 7;
    for (size_t n = 0; n < 11; n++)
        for (size_t f = 0; f < 11; f++) {
            size_t images = counts[n], features = counts[f], stride = features + 3;
            struct buffer rows = buffer_create(images * stride), back = buffer_create(images * stride);
            struct buffer lanes = buffer_create(lanes_blocks(images) * features * LANES);
            buffer_randomise(&rows, &state);
            lanes_from_rows(rows.data, stride, images, features, lanes.data);
            for (size_t i = 0; i < lanes_blocks(images) * LANES; i++)
                for (size_t j = 0; j < features; j++)
                    assert_near((double)*lane_at(lanes.data, features, i, j),
                                i < images ? (double)rows.data[i * stride + j] : 0, 0, 0);
            lanes_to_rows(lanes.data, images, features, back.data, stride);
            for (size_t i = 0; i < images * stride; i++)
                assert_near((double)back.data[i], i % stride < features ? (double)rows.data[i] : NAN, 0, 0);
            buffer_clear(&rows);
            buffer_clear(&back);
            buffer_clear(&lanes);
        }
}

/* Sums over lanes, alone and many at a time, masks and selections. */
void lanes_sums(void)
{
    struct buffer square = buffer_create(LANES * LANES);
    for (size_t i = 0; i < LANES * LANES; i++)
        square.data[i] = (real)(i % LANES * i % 7 + 100 * (i / LANES));
    vec row[LANES];
    for (size_t i = 0; i < LANES; i++)
        row[i] = vec_load(square.data + i * LANES);
    double expected[LANES];
    for (size_t i = 0; i < LANES; i++) {
        expected[i] = 0;
        for (size_t j = 0; j < LANES; j++)
            expected[i] += (double)square.data[i * LANES + j];
        assert_near((double)vec_sum(row[i]), expected[i], 0, 0);
    }
    vec sums = vec_sums(row);
    for (size_t i = 0; i < LANES; i++)
        assert_near((double)sums[i], expected[i], 0, 0);
    for (size_t count = 0; count <= LANES; count++) {
        vmask mask = vmask_first(count);
        vec chosen = vec_select(mask, vec_set(1), vec_set(2)), kept = vec_keep(mask, vec_set(3));
        assert_int_equal(vmask_bits(mask), (1u << count) - 1);
        for (size_t i = 0; i < LANES; i++) {
            assert_near((double)chosen[i], i < count ? 1 : 2, 0, 0);
            assert_near((double)kept[i], i < count ? 3 : 0, 0, 0);
        }
    }
    vec larger = vec_max(vec_set(1), vec_set((real)NAN)), smaller = vec_min(vec_set(2), vec_set(-2));
    assert_true(isnan(larger[0]));
    assert_near((double)smaller[LANES - 1], -2, 0, 0);
    buffer_clear(&square);
}
