/* Shapes and counts against networks counted by hand, and the points that give no network. */
#include "support/test.h"

#include "net/plan.h"

static const struct shape mnist = {1, 28, 28};

/* A study with these lines in [space] and these layers. */
static struct study *study_of(const char *space, const char *network)
{
    char text[4096];
    struct study *study;
    struct log *log = test_log();
    int length = snprintf(text, sizeof text,
                          "[study]\nname = t\ntrials = 1\n[data]\ndataset = tiny\n[space]\nunused = fixed 1\n%s\n"
                          "[network]\n%s\n[objectives]\nval_accuracy = maximize\n[constraints]\nall = unused = 1\n",
                          space, network);
    assert_true(length < (int)sizeof text);
    if (study_read_text(text, "t.ini", NULL, 0, log, &study) != NR_OK || template_check(study, log) != NR_OK) {
        print_error("%s", log_text(log));
        fail();
    }
    log_destroy(log);
    return study;
}

static struct plan *build_at(const char *space, const char *network, const double *point, struct shape input)
{
    struct study *study = study_of(space, network);
    struct text reason = {0};
    struct plan *plan = NULL;
    nr_status status = plan_build(study, point, input, 10, &reason, &plan);
    if (status != NR_OK)
        print_error("%s: %s\n", status_text(status), reason.data ? reason.data : "");
    assert_ok(status);
    assert_null(reason.data);
    study_destroy(study);
    return plan;
}

static struct plan *build(const char *network)
{
    return build_at("", network, (double[]){0}, mnist);
}

/* Fails unless the network is infeasible for this reason. */
static void assert_infeasible(const char *space, const char *network, const double *point, struct shape input,
                              const char *expected)
{
    struct study *study = study_of(space, network);
    struct text reason = {0};
    struct plan *plan = NULL;
    assert_int_equal(plan_build(study, point, input, 10, &reason, &plan), NR_INFEASIBLE);
    assert_null(plan);
    if (!reason.data || !strstr(reason.data, expected)) {
        print_error("the reason is \"%s\", expected \"%s\"\n", reason.data ? reason.data : "", expected);
        fail();
    }
    assert_int_equal(plan_build(study, point, input, 10, NULL, &plan), NR_INFEASIBLE);
    text_clear(&reason);
    study_destroy(study);
}

static void assert_shape(const struct plan *plan, size_t layer, int64_t channels, int64_t height, int64_t width)
{
    assert_true(layer < plan->count);
    assert_int_equal(plan->layer[layer].out.channels, channels);
    assert_int_equal(plan->layer[layer].out.height, height);
    assert_int_equal(plan->layer[layer].out.width, width);
}

static void assert_summary(const struct plan *plan, const char *expected)
{
    struct text text = {0};
    plan_append_summary(plan, &text);
    assert_string_equal(text.data, expected);
    text_clear(&text);
}

/* Parameters lie one behind the other without holes. */
static void assert_packed(const struct plan *plan)
{
    int64_t at = 0, buffer = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_layer *layer = &plan->layer[i];
        assert_int_equal(layer->weight, at);
        assert_int_equal(layer->bias_at, at + layer->weights);
        at += layer->weights + layer->biases;
        assert_int_equal(layer->buffer, buffer);
        buffer += layer->buffers;
        assert_true(layer->input < (int)i && layer->skip < (int)i);
    }
    assert_int_equal(at, plan->parameters);
    assert_int_equal(buffer, plan->buffers);
}

static void mlp_with_dropout(void **state)
{
    (void)state;
    struct plan *plan = build("layer = dense units=128 activation=relu\nlayer = dropout rate=0.2\n"
                              "layer = dense units=64 activation=relu\nlayer = dense units=classes");
    assert_int_equal(plan->parameters, 109386); /* 784*128 + 128 + 128*64 + 64 + 64*10 + 10 */
    assert_int_equal(plan->macs, 784 * 128 + 128 * 64 + 64 * 10);
    assert_int_equal(plan->activations, 128 + 128 + 128 + 64 + 64 + 10);
    assert_int_equal(plan->count, 6);
    assert_int_equal(plan->layer[0].input, PLAN_INPUT);
    assert_int_equal(plan->layer[0].in.height, 28); /* dense reads the image as it is */
    assert_int_equal(plan->layer[2].kind, OP_DROPOUT);
    assert_near(plan->layer[2].rate, 0.2, 0, 0);
    /* float32: parameters, gradients and two moments; per image the input, activations and their gradients */
    assert_int_equal(plan_training_bytes(plan, 64, 2), 4 * (4 * 109386 + 64 * (784 + 2 * 522)));
    assert_packed(plan);
    assert_summary(plan, "784-128-relu-drop0.2-64-relu-10");
    plan_destroy(plan);
}

static void lenet5(void **state)
{
    (void)state;
    struct plan *plan = build("layer = conv channels=6 kernel=5 padding=2 activation=tanh\nlayer = avgpool size=2\n"
                              "layer = conv channels=16 kernel=5 activation=tanh\nlayer = avgpool size=2\n"
                              "layer = flatten\nlayer = dense units=120 activation=tanh\n"
                              "layer = dense units=84 activation=tanh\nlayer = dense units=classes");
    assert_int_equal(plan->parameters, 61706);
    assert_int_equal(plan->macs, 28 * 28 * 6 * 25 + 10 * 10 * 16 * 6 * 25 + 400 * 120 + 120 * 84 + 84 * 10);
    assert_shape(plan, 0, 6, 28, 28);
    assert_shape(plan, 2, 6, 14, 14);
    assert_shape(plan, 3, 16, 10, 10);
    assert_shape(plan, 5, 16, 5, 5);
    assert_int_equal(plan->layer[6].kind, OP_DENSE);
    assert_int_equal(plan->layer[6].weights, 400 * 120);
    assert_packed(plan);
    assert_summary(plan, "conv6k5-tanh-avg2 conv16k5-tanh-avg2 120-tanh-84-tanh-10");
    plan_destroy(plan);
}

static void cnn_of_the_benchmark(void **state)
{
    (void)state;
    struct plan *plan =
        build("layer = conv channels=32 kernel=3 padding=same\nlayer = batchnorm\nlayer = activation kind=relu\n"
              "layer = maxpool size=2\nlayer = conv channels=64 kernel=3 padding=same\nlayer = batchnorm\n"
              "layer = activation kind=relu\nlayer = maxpool size=2\nlayer = dense units=128 activation=relu\n"
              "layer = dense units=classes");
    assert_int_equal(plan->parameters, 320 + 64 + 18496 + 128 + 3136 * 128 + 128 + 1290);
    assert_int_equal(plan->buffers, 64 + 128);
    assert_int_equal(plan->macs, 784 * 288 + 196 * 64 * 288 + 3136 * 128 + 1280);
    assert_packed(plan);
    assert_summary(plan, "conv32k3-bn-relu-max2 conv64k3-bn-relu-max2 128-relu-10");
    plan_destroy(plan);
}

static void depthwise_groups_and_projection(void **state)
{
    (void)state;
    struct plan *plan = build("layer = conv channels=16 kernel=3 padding=same bias=no\n"
                              "layer = residual begin shortcut=project\n"
                              "layer = conv channels=32 kernel=3 stride=2 padding=same groups=4\nlayer = batchnorm\n"
                              "layer = activation kind=relu\nlayer = conv kernel=3 padding=same depthwise=yes\n"
                              "layer = residual end\nlayer = activation kind=silu\nlayer = globalavgpool\n"
                              "layer = dense units=classes");
    static const enum operator_kind kinds[] = {OP_CONV, OP_CONV, OP_BATCHNORM,  OP_ACTIVATION,    OP_CONV,
                                               OP_CONV, OP_ADD,  OP_ACTIVATION, OP_GLOBALAVGPOOL, OP_DENSE};
    assert_int_equal(plan->count, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(plan->layer[i].kind, kinds[i]);
    assert_int_equal(plan->layer[1].weights, 32 * 4 * 9);
    assert_int_equal(plan->layer[4].groups, 32);
    assert_int_equal(plan->layer[4].weights, 32 * 9);
    const struct plan_layer *projection = &plan->layer[5], *add = &plan->layer[6];
    assert_int_equal(projection->input, 0);
    assert_int_equal(projection->stride, 2);
    assert_int_equal(projection->kernel_width, 1);
    assert_false(projection->bias);
    assert_int_equal(projection->weights, 16 * 32);
    assert_shape(plan, 5, 32, 14, 14);
    assert_int_equal(add->input, 4);
    assert_int_equal(add->skip, 5);
    assert_int_equal(plan->layer[7].input, 6);
    assert_int_equal(plan->parameters, 144 + (1152 + 32) + 64 + (288 + 32) + 512 + 330);
    assert_int_equal(plan->macs, 784 * 144 + 196 * (1152 + 288 + 512) + 320);
    assert_packed(plan);
    assert_summary(plan, "conv16k3 res(conv32k3s2g4-bn-relu dwk3 +conv32k1s2)-silu-gap 10");
    plan_destroy(plan);
}

static void residuals_of_vectors_and_in_one_another(void **state)
{
    (void)state;
    struct plan *plan = build("layer = dense units=20\nlayer = residual begin shortcut=project\n"
                              "layer = residual begin\nlayer = dense units=20 activation=relu\nlayer = residual end\n"
                              "layer = dense units=30\nlayer = residual end\nlayer = dense units=classes");
    assert_int_equal(plan->layer[3].kind, OP_ADD);
    assert_int_equal(plan->layer[3].skip, 0);
    assert_int_equal(plan->layer[5].kind, OP_DENSE); /* the projection of a vector */
    assert_int_equal(plan->layer[5].input, 0);
    assert_int_equal(plan->layer[5].weights, 600);
    assert_int_equal(plan->layer[5].biases, 0);
    assert_int_equal(plan->layer[6].skip, 5);
    assert_packed(plan);
    assert_summary(plan, "784-20 res(res(20-relu) 30 +30) 10");
    plan_destroy(plan);
}

/* Output sizes of one axis, with the padding on either side. */
static void windows(void **state)
{
    (void)state;
    static const struct {
        const char *attributes;
        int64_t size, out, before, after;
    } rows[] = {
        {"kernel=3", 28, 26, 0, 0},
        {"kernel=3 stride=2", 28, 13, 0, 0}, /* the last column is unused */
        {"kernel=3 padding=same", 28, 28, 1, 1},
        {"kernel=3 stride=2 padding=same", 28, 14, 0, 1},
        {"kernel=3 stride=2 padding=same", 5, 3, 1, 1},
        {"kernel=4 padding=same", 28, 28, 1, 2},
        {"kernel=1 stride=3 padding=same", 28, 10, 0, 0},
        {"kernel=5 padding=2", 28, 28, 2, 2},
        {"kernel=28", 28, 1, 0, 0},
        {"kernel=7 padding=3", 1, 1, 3, 3},
        {"kernel=2 padding=same", 1, 1, 0, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char network[256];
        snprintf(network, sizeof network, "layer = conv channels=2 %s\nlayer = dense units=classes",
                 rows[i].attributes);
        struct plan *plan = build_at("", network, (double[]){0}, (struct shape){1, rows[i].size, rows[i].size + 3});
        const struct plan_layer *layer = &plan->layer[0];
        assert_int_equal(layer->out.height, rows[i].out);
        assert_int_equal(layer->pad_top, rows[i].before);
        assert_int_equal(layer->pad_bottom, rows[i].after);
        int64_t room = layer->in.width + layer->pad_left + layer->pad_right - layer->kernel_width;
        assert_int_equal(layer->out.width, room / layer->stride + 1);
        plan_destroy(plan);
    }
}

static void pools_step_by_their_size(void **state)
{
    (void)state;
    struct plan *plan = build("layer = maxpool size=3\nlayer = avgpool size=2 stride=1 padding=same\n"
                              "layer = maxpool size=1\nlayer = dense units=classes");
    assert_int_equal(plan->count, 3); /* a window of one pixel is no layer */
    assert_shape(plan, 0, 1, 9, 9);
    assert_shape(plan, 1, 1, 9, 9);
    assert_int_equal(plan->layer[0].stride, 3);
    assert_int_equal(plan->parameters, 81 * 10 + 10);
    assert_summary(plan, "max3-avg2s1 10");
    plan_destroy(plan);
}

static void flatten_is_a_layer_only_where_it_matters(void **state)
{
    (void)state;
    struct plan *plan = build("layer = conv channels=2 kernel=3\nlayer = flatten\nlayer = activation kind=relu\n"
                              "layer = dropout rate=0.1\nlayer = dense units=classes");
    assert_int_equal(plan->count, 4);
    assert_shape(plan, 1, 2, 26, 26);
    plan_destroy(plan);
    plan = build("layer = flatten\nlayer = batchnorm\nlayer = dense units=classes");
    assert_int_equal(plan->layer[0].kind, OP_FLATTEN);
    assert_shape(plan, 0, 784, 1, 1);
    assert_int_equal(plan->layer[1].weights, 784);
    plan_destroy(plan);
}

static const char stages[] =
    "blocks = int 0..3\nwidth[blocks] = int 8..64\nkernel[blocks] = ordered 3, 5\nnorm = bool\n"
    "act = choice relu, gelu, none";
static const char stage_network[] = "block = stage repeat=$blocks\nlayer = globalavgpool\nlayer = dense units=classes\n"
                                    "[block stage]\nlayer = conv channels=$width kernel=$kernel padding=same\n"
                                    "layer = batchnorm if=$norm\nlayer = activation kind=$act if=!$norm\n"
                                    "layer = activation kind=tanh\nlayer = maxpool size=2";

static void blocks_take_the_elements_of_vectors(void **state)
{
    (void)state;
    /* unused, blocks, width[0..2], kernel[0..2], norm, act */
    const double point[] = {0, 2, 8, 64, NAN, 0, 1, NAN, 1, 0};
    struct plan *plan = build_at(stages, stage_network, point, mnist);
    assert_summary(plan, "conv8k3-bn-tanh-max2 conv64k5-bn-tanh-max2-gap 10");
    assert_shape(plan, 7, 64, 7, 7);
    plan_destroy(plan);
    const double plain[] = {0, 1, 16, NAN, NAN, 1, NAN, NAN, 0, 1};
    plan = build_at(stages, stage_network, plain, mnist);
    assert_summary(plan, "conv16k5-gelu-tanh-max2-gap 10");
    plan_destroy(plan);
    const double none[] = {0, 0, NAN, NAN, NAN, NAN, NAN, NAN, 0, 2};
    plan = build_at(stages, stage_network, none, mnist);
    assert_summary(plan, "gap 10");
    plan_destroy(plan);
}

static void expressions_and_inactive_parameters(void **state)
{
    (void)state;
    static const char space[] = "half = ordered 4, 6\ndeep = bool\nextra = int 5..9 if deep = yes\nrate = real 0..0.5";
    static const char network[] = "layer = dense units=2*($half+1)-classes/5\nlayer = dense units=$extra if=$deep\n"
                                  "layer = dropout rate=$rate/2\nlayer = dense units=classes";
    struct plan *plan = build_at(space, network, (double[]){0, 1, 0, NAN, 0.5}, mnist);
    assert_summary(plan, "784-12-drop0.25-10");
    plan_destroy(plan);
    plan = build_at(space, network, (double[]){0, 0, 1, 7, 0}, mnist);
    assert_summary(plan, "784-8-7-10");
    plan_destroy(plan);
    assert_infeasible(space,
                      "layer = dense units=$extra+$half*0\nlayer = dropout rate=$rate if=$deep\n"
                      "layer = dense units=classes",
                      (double[]){0, 1, 0, NAN, 0.5}, mnist,
                      "t.ini:13: dense: units=$extra+$half*0 names a parameter that is inactive here");
    assert_infeasible(space,
                      "layer = dense units=$half/4\nlayer = dropout rate=$rate if=$deep\n"
                      "layer = dense units=$extra\nlayer = dense units=classes",
                      (double[]){0, 1, 0, NAN, 0.5}, mnist, "units=$half/4 is 1.5, expected a whole number from 1 to");
}

static void impossible_points(void **state)
{
    (void)state;
    const double none[] = {0};
    static const struct {
        const char *network, *reason;
    } rows[] = {
        {"layer = conv channels=2 kernel=29\nlayer = dense units=classes",
         "t.ini:10: conv: kernel 29 is larger than its input of 28x28 with padding 0"},
        {"layer = maxpool size=20\nlayer = maxpool size=2\nlayer = dense units=classes",
         "t.ini:11: maxpool: size 2 is larger than its input of 1x1"},
        {"layer = maxpool size=2 padding=2\nlayer = dense units=classes",
         "padding 2 leaves windows of 2 without a pixel"},
        {"layer = conv channels=8 kernel=1\nlayer = conv channels=9 kernel=3 groups=4\nlayer = dense units=classes",
         "4 groups do not divide 8 input and 9 output channels"},
        {"layer = conv channels=6 kernel=1\nlayer = conv channels=8 kernel=3 depthwise=yes\nlayer = dense "
         "units=classes",
         "6 groups do not divide 6 input and 8 output channels"},
        {"layer = conv channels=2 kernel=1\nlayer = residual begin\nlayer = maxpool size=2\nlayer = residual end\n"
         "layer = dense units=classes",
         "t.ini:13: residual end: 2x14x14 arrives, but 2x28x28 left at residual begin"},
        {"layer = residual begin shortcut=project\nlayer = conv channels=2 kernel=9\nlayer = residual end\n"
         "layer = dense units=classes",
         "no stride of the shortcut makes 20x20 from 28x28"},
        {"layer = dense units=11", "dense: the network ends with 11x1x1 values, expected one for each of 10 classes"},
        {"layer = conv channels=10 kernel=3", "the network ends with 10x26x26 values"},
        {"layer = dropout rate=0", "the network has no layers"},
        {"layer = dense units=2147483647\nlayer = dense units=classes", "the layer is too large"},
        {"layer = conv channels=2147483647 kernel=1\nlayer = dense units=classes", "the layer is too large"},
        {"block = b repeat=1000\nlayer = dense units=classes\n[block b]\nlayer = dense units=9\nlayer = dense units=9\n"
         "layer = dense units=9\nlayer = dense units=9\nlayer = dense units=9\nlayer = dense units=9\n"
         "layer = dense units=9\nlayer = dense units=9\nlayer = dense units=9\nlayer = dense units=9\n"
         "layer = dense units=9",
         "the network has more than 10000 layers"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_infeasible("", rows[i].network, none, mnist, rows[i].reason);
    assert_infeasible("", "layer = dense units=classes", none, (struct shape){INT64_MAX, INT64_MAX, 2}, "the input");
    assert_infeasible("", "layer = dense units=classes", none, (struct shape){0, 1, 1}, "the input");
}

/* Sizes at the edge of what is allowed are counted without overflow. */
static void huge_sizes_are_counted(void **state)
{
    (void)state;
    struct plan *plan = build("block = b repeat=900\nlayer = dense units=classes\n"
                              "[block b]\nlayer = dense units=46000\n");
    const int64_t inner = INT64_C(46000) * 46000;
    assert_int_equal(plan->macs, 784 * INT64_C(46000) + 899 * inner + 460000);
    assert_int_equal(plan->parameters, plan->macs + 900 * 46000 + 10);
    assert_int_equal(plan_training_bytes(plan, INT64_MAX, 2), INT64_MAX);
    assert_packed(plan);
    plan_destroy(plan);
}

static void tensors_are_named_by_layer(void **state)
{
    (void)state;
    struct plan *plan = build("layer = conv channels=2 kernel=3 activation=relu\nlayer = dense units=classes");
    struct text text = {0};
    plan_append_tensor_name(plan, 2, "weight", &text);
    assert_string_equal(text.data, "2.dense.weight");
    text_clear(&text);
    plan_destroy(plan);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(mlp_with_dropout),
    cmocka_unit_test(lenet5),
    cmocka_unit_test(cnn_of_the_benchmark),
    cmocka_unit_test(depthwise_groups_and_projection),
    cmocka_unit_test(residuals_of_vectors_and_in_one_another),
    cmocka_unit_test(windows),
    cmocka_unit_test(pools_step_by_their_size),
    cmocka_unit_test(flatten_is_a_layer_only_where_it_matters),
    cmocka_unit_test(blocks_take_the_elements_of_vectors),
    cmocka_unit_test(expressions_and_inactive_parameters),
    cmocka_unit_test(impossible_points),
    cmocka_unit_test(huge_sizes_are_counted),
    cmocka_unit_test(tensors_are_named_by_layer),
};
TEST_MAIN(cases)
