/* Convolutions on the double of cuDNN, against the definition in double; and that nothing is chosen which rounds to
 * TF32 unasked, or does not repeat, whatever the heuristics say.
 *
 * Tolerance: with exact factors a sum of T products may be off by (T + 2) 2^-24 of the sum of their magnitudes S. TF32
 * rounds each factor by 2^-11: 2^-10 S more. A bfloat16 result is rounded by 2^-8 of itself. */
#include "cuda/lane_device.h"

#include "train/cuda/convolution.h"

/* images, in_channels, in_height, in_width, out_channels, kernel's height and width, stride, padding, groups */
#define SETUP(...)                                                                                                     \
    {                                                                                                                  \
        __VA_ARGS__, PRECISION_FLOAT32, true, true                                                                     \
    }
static const struct convolution_setup setups[] = {
    SETUP(2, 3, 7, 6, 4, 3, 3, 1, 1, 1, 1),    /* the usual */
    SETUP(3, 1, 9, 8, 2, 5, 3, 2, 2, 1, 1),    /* stride, more padding above than beside */
    SETUP(2, 4, 5, 5, 6, 1, 1, 1, 0, 0, 1),    /* pointwise */
    SETUP(2, 4, 5, 5, 6, 1, 1, 2, 0, 0, 1),    /* that leaves columns out */
    SETUP(1, 3, 4, 6, 5, 4, 6, 1, 0, 0, 1),    /* the kernel is the image */
    SETUP(2, 4, 6, 6, 6, 3, 3, 1, 1, 1, 2),    /* groups */
    SETUP(2, 5, 6, 7, 5, 3, 3, 2, 1, 1, 5),    /* depthwise */
    SETUP(2, 3, 8, 8, 6, 3, 3, 3, 0, 2, 3),    /* depthwise, two each */
    SETUP(1, 1, 1, 1, 1, 3, 3, 1, 1, 1, 1),    /* one pixel */
    SETUP(1, 2, 3, 3, 2, 2, 2, 5, 0, 0, 1),    /* a stride over the image */
    SETUP(4, 16, 14, 14, 8, 5, 5, 1, 2, 2, 1), /* of a network */
};
enum { SETUPS = sizeof setups / sizeof *setups };

/* One convolution with its arrays here (the gradients: of what is named) and on the device. */
struct trial {
    struct convolution_setup setup;
    int64_t out_height, out_width;
    size_t x_count, w_count, y_count;
    float *x, *w, *dy;
    void *device_x, *device_w, *device_y, *device_dy, *device_dx, *device_dw;
};

static bool is_narrow(const struct trial *trial)
{
    return trial->setup.precision == PRECISION_BF16;
}

static float *make_values(size_t count, unsigned seed, bool narrow)
{
    float *values = malloc(count * sizeof *values);
    fill_values(values, count, seed, narrow);
    return values;
}

static void trial_open(struct trial *trial, const struct lane *lane, const struct convolution_setup *setup)
{
    *trial = (struct trial){.setup = *setup};
    trial->out_height = (setup->in_height + 2 * setup->pad_height - setup->kernel_height) / setup->stride + 1;
    trial->out_width = (setup->in_width + 2 * setup->pad_width - setup->kernel_width) / setup->stride + 1;
    trial->x_count = (size_t)(setup->images * setup->in_channels * setup->in_height * setup->in_width);
    trial->w_count =
        (size_t)(setup->out_channels * setup->in_channels / setup->groups * setup->kernel_height * setup->kernel_width);
    trial->y_count = (size_t)(setup->images * setup->out_channels * trial->out_height * trial->out_width);
    const size_t width = is_narrow(trial) ? 2 : 4;
    trial->x = make_values(trial->x_count, 1, is_narrow(trial));
    trial->w = make_values(trial->w_count, 2, is_narrow(trial));
    trial->dy = make_values(trial->y_count, 3, is_narrow(trial));
    trial->device_x = device_values(lane, trial->x, trial->x_count, is_narrow(trial));
    trial->device_w = device_values(lane, trial->w, trial->w_count, is_narrow(trial));
    trial->device_dy = device_values(lane, trial->dy, trial->y_count, is_narrow(trial));
    trial->device_y = device_make(trial->y_count * width);
    trial->device_dx = device_make(trial->x_count * width);
    trial->device_dw = device_make(trial->w_count * width);
}

static void trial_close(struct trial *trial)
{
    void *const memory[] = {trial->device_x, trial->device_w,  trial->device_dy,
                            trial->device_y, trial->device_dx, trial->device_dw};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        assert_int_equal(cudaFree(memory[i]), cudaSuccess);
    free(trial->x);
    free(trial->w);
    free(trial->dy);
}

struct expected {
    double sum, magnitude;
    int64_t terms;
};

static void add_term(struct expected *to, float factor, float other)
{
    const double term = (double)factor * (double)other;
    to->sum += term;
    to->magnitude += fabs(term);
    to->terms++;
}

/* y, dx and dw together: every product of the definition (cross-correlation) belongs to one element of each. */
static void define(const struct trial *trial, struct expected *y, struct expected *dx, struct expected *dw)
{
    const struct convolution_setup *s = &trial->setup;
    const int64_t in = s->in_channels / s->groups, out = s->out_channels / s->groups;
    for (int64_t n = 0; n < s->images; n++)
        for (int64_t k = 0; k < s->out_channels; k++)
            for (int64_t row = 0; row < trial->out_height; row++)
                for (int64_t column = 0; column < trial->out_width; column++)
                    for (int64_t i = 0; i < in * s->kernel_height * s->kernel_width; i++) {
                        const int64_t c = i / (s->kernel_height * s->kernel_width) + k / out * in;
                        const int64_t h = row * s->stride - s->pad_height + i / s->kernel_width % s->kernel_height;
                        const int64_t w = column * s->stride - s->pad_width + i % s->kernel_width;
                        if (h < 0 || h >= s->in_height || w < 0 || w >= s->in_width)
                            continue;
                        const int64_t at_x = ((n * s->in_channels + c) * s->in_height + h) * s->in_width + w;
                        const int64_t at_w = k * in * s->kernel_height * s->kernel_width + i;
                        const int64_t at_y =
                            ((n * s->out_channels + k) * trial->out_height + row) * trial->out_width + column;
                        add_term(y + at_y, trial->x[at_x], trial->w[at_w]);
                        add_term(dx + at_x, trial->dy[at_y], trial->w[at_w]);
                        add_term(dw + at_w, trial->x[at_x], trial->dy[at_y]);
                    }
}

static void check_values(const struct trial *trial, const struct lane *lane, const void *memory,
                         const struct expected *expected, size_t count)
{
    float *got = host_values(lane, memory, count, is_narrow(trial));
    for (size_t i = 0; i < count; i++) {
        double error = expected[i].magnitude * (double)(expected[i].terms + 2) * 0x1p-24;
        if (trial->setup.precision == PRECISION_TF32)
            error += expected[i].magnitude * 0x1p-10;
        assert_near((double)got[i], expected[i].sum, is_narrow(trial) ? 0x1p-8 : 0, error);
    }
    free(got);
}

static void run_all(const struct trial *trial, const struct convolution *convolution)
{
    assert_ok(convolution_forward(convolution, trial->device_x, trial->device_w, trial->device_y));
    assert_ok(convolution_backward_data(convolution, trial->device_w, trial->device_dy, trial->device_dx));
    assert_ok(convolution_backward_weights(convolution, trial->device_x, trial->device_dy, trial->device_dw));
}

static void check_all(const struct trial *trial, const struct lane *lane)
{
    struct expected *y = calloc(trial->y_count, sizeof *y), *dx = calloc(trial->x_count, sizeof *dx),
                    *dw = calloc(trial->w_count, sizeof *dw);
    define(trial, y, dx, dw);
    check_values(trial, lane, trial->device_y, y, trial->y_count);
    check_values(trial, lane, trial->device_dx, dx, trial->x_count);
    check_values(trial, lane, trial->device_dw, dw, trial->w_count);
    free(y);
    free(dx);
    free(dw);
}

static void run_and_check(struct lane *lane, struct convolution_setup setup)
{
    struct trial trial;
    struct convolution *convolution;
    trial_open(&trial, lane, &setup);
    assert_ok(convolution_create(lane, &trial.setup, &convolution));
    run_all(&trial, convolution);
    check_all(&trial, lane);
    convolution_destroy(convolution);
    trial_close(&trial);
}

static void test_all_shapes_and_precisions(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    static const enum precision_kind precisions[] = {PRECISION_FLOAT32, PRECISION_TF32, PRECISION_BF16};
    unsetenv("NASRUN_DOUBLE_CUDNN");
    for (int precision = 0; precision < 3; precision++)
        for (int i = 0; i < SETUPS; i++) {
            struct convolution_setup setup = setups[i];
            setup.precision = precisions[precision];
            run_and_check(lane, setup);
        }
    lane_close(lane);
}

/* The same bits again: what the double calls not deterministic is off by more than the tolerance allows, and by another
 * amount each time; so is, by 2^-11, what rounds to TF32. */
static void run_twice(struct lane *lane, const struct convolution_setup *setup)
{
    struct trial trial;
    struct convolution *convolution;
    trial_open(&trial, lane, setup);
    assert_ok(convolution_create(lane, &trial.setup, &convolution));
    void *const memory[] = {trial.device_y, trial.device_dx, trial.device_dw};
    const size_t counts[] = {trial.y_count, trial.x_count, trial.w_count};
    float *first[3];
    run_all(&trial, convolution);
    for (int i = 0; i < 3; i++)
        first[i] = host_values(lane, memory[i], counts[i], false);
    check_all(&trial, lane);
    run_all(&trial, convolution);
    for (int i = 0; i < 3; i++) {
        float *again = host_values(lane, memory[i], counts[i], false);
        assert_memory_equal(first[i], again, counts[i] * sizeof *again);
        free(again);
        free(first[i]);
    }
    convolution_destroy(convolution);
    trial_close(&trial);
}

static void test_heuristics_are_filtered(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    static const char *const answers[] = {"", "tf32", "empty", "failing"};
    for (size_t answer = 0; answer < sizeof answers / sizeof *answers; answer++) {
        setenv("NASRUN_DOUBLE_CUDNN", answers[answer], 1);
        for (int i = 0; i < SETUPS; i++)
            run_twice(lane, &setups[i]);
    }
    unsetenv("NASRUN_DOUBLE_CUDNN");
    lane_close(lane);
}

/* The double does round where TF32 is chosen: else the test above would prove nothing. */
static void test_tf32_where_asked(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    struct trial trial;
    struct convolution *convolution;
    struct convolution_setup setup = setups[SETUPS - 1];
    float *y[2];
    trial_open(&trial, lane, &setup);
    for (int i = 0; i < 2; i++) {
        trial.setup.precision = i == 0 ? PRECISION_FLOAT32 : PRECISION_TF32;
        assert_ok(convolution_create(lane, &trial.setup, &convolution));
        assert_ok(convolution_forward(convolution, trial.device_x, trial.device_w, trial.device_y));
        y[i] = host_values(lane, trial.device_y, trial.y_count, false);
        convolution_destroy(convolution);
    }
    assert_memory_not_equal(y[0], y[1], trial.y_count * sizeof **y);
    free(y[0]);
    free(y[1]);
    trial_close(&trial);
    lane_close(lane);
}

/* What cannot be had is said, and the lane goes on. */
static void expect_infeasible(struct lane *lane, const char *answer, struct convolution_setup setup, const char *text)
{
    struct convolution *convolution = NULL;
    setenv("NASRUN_DOUBLE_CUDNN", answer, 1);
    assert_int_equal(convolution_create(lane, &setup, &convolution), NR_INFEASIBLE);
    assert_null(convolution);
    assert_int_equal(lane_failure.status, NR_INFEASIBLE);
    assert_non_null(strstr(lane_failure.text, text));
    failure_clear(&lane_failure);
    unsetenv("NASRUN_DOUBLE_CUDNN");
    run_and_check(lane, setups[0]);
}

static void test_what_cannot_be_had(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    struct convolution_setup setup = setups[0];
    expect_infeasible(lane, "none", setup, "cudnnConvolutionForward: CUDNN_STATUS_NOT_SUPPORTED");
    setup.data_gradient = false;
    expect_infeasible(lane, "large", setup,
                      "cudnnConvolutionBackwardFilter: needs 1099511627776 bytes of workspace, a lane has 1048576");
    setup.precision = PRECISION_BF16;
    expect_infeasible(lane, "nobf16", setup, "CUDNN_STATUS_NOT_SUPPORTED");
    setup.images = (int64_t)1 << 31;
    expect_infeasible(lane, "", setup, "2147483648 images of 7 x 6");
    lane_close(lane);
}

/* Evaluation wants no gradients: it is not refused because one of them could not be had. */
static void test_forward_alone(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    struct trial trial;
    struct convolution *convolution;
    trial_open(&trial, lane, &setups[1]);
    trial.setup.training = trial.setup.data_gradient = false;
    setenv("NASRUN_DOUBLE_CUDNN", "large", 1);
    assert_ok(convolution_create(lane, &trial.setup, &convolution));
    assert_ok(convolution_forward(convolution, trial.device_x, trial.device_w, trial.device_y));
    convolution_destroy(convolution);
    unsetenv("NASRUN_DOUBLE_CUDNN");
    trial_close(&trial);
    lane_close(lane);
}

static void test_in_a_graph(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    struct trial trial;
    struct convolution *convolution;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    trial_open(&trial, lane, &setups[0]);
    assert_ok(convolution_create(lane, &trial.setup, &convolution));
    assert_int_equal(cudaStreamBeginCapture(lane->stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    run_all(&trial, convolution);
    assert_int_equal(cudaStreamEndCapture(lane->stream, &graph), cudaSuccess);
    assert_int_equal(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
    for (int i = 0; i < 2; i++)
        assert_int_equal(cudaGraphLaunch(exec, lane->stream), cudaSuccess);
    check_all(&trial, lane);
    assert_int_equal(cudaGraphExecDestroy(exec), cudaSuccess);
    assert_int_equal(cudaGraphDestroy(graph), cudaSuccess);
    convolution_destroy(convolution);
    trial_close(&trial);
    lane_close(lane);
}

static nr_status create_and_run(struct lane *lane, void *context)
{
    const struct trial *trial = context;
    struct convolution *convolution;
    nr_status status = convolution_create(lane, &trial->setup, &convolution);
    if (status != NR_OK)
        return status;
    status = convolution_forward(convolution, trial->device_x, trial->device_w, trial->device_y);
    if (status == NR_OK)
        status = convolution_backward_data(convolution, trial->device_w, trial->device_dy, trial->device_dx);
    if (status == NR_OK)
        status = convolution_backward_weights(convolution, trial->device_x, trial->device_dy, trial->device_dw);
    convolution_destroy(convolution);
    return status;
}

static void test_every_call_fails_once(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    struct trial trial;
    trial_open(&trial, lane, &setups[0]);
    assert_int_equal(cudaStreamSynchronize(lane->stream), cudaSuccess);
    lane_destroy(lane);
    fail_everywhere(create_and_run, &trial, false);
    trial_close(&trial);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(test_all_shapes_and_precisions),
    cmocka_unit_test(test_heuristics_are_filtered),
    cmocka_unit_test(test_tf32_where_asked),
    cmocka_unit_test(test_what_cannot_be_had),
    cmocka_unit_test(test_forward_alone),
    cmocka_unit_test(test_in_a_graph),
    cmocka_unit_test(test_every_call_fails_once),
};

TEST_MAIN(cases)
