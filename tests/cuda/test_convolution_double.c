/* What is chosen of the algorithms that cuDNN's heuristics name, on the double alone: nothing that rounds to TF32
 * unasked, nor anything that does not repeat, whatever they say (NASRUN_DOUBLE_CUDNN, double/cudnndouble.h). */
#include "cuda/convolution_trial.h"

/* What the double calls not deterministic is off by another amount each time; what rounds to TF32 is off by 2^-12. */
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

/* The double does round where TF32 is chosen: else that float32 is not rounded would prove nothing. */
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

static void test_every_precision_is_there(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    for (int i = 0; i < 2 * SETUPS; i++) {
        struct convolution_setup setup = setups[i / 2];
        struct convolution *convolution;
        setup.precision = i % 2 ? PRECISION_BF16 : PRECISION_TF32;
        assert_ok(convolution_create(lane, &setup, &convolution));
        convolution_destroy(convolution);
    }
    lane_close(lane);
    assert_int_equal(cudadouble_live(), 0);
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
    expect_infeasible(lane, "bad", setup, "cudnnConvolutionForward: CUDNN_STATUS_BAD_PARAM");
    setup.data_gradient = false;
    expect_infeasible(lane, "large", setup,
                      "cudnnConvolutionBackwardFilter: needs 1099511627776 bytes of workspace, a lane has 33554432");
    setup.precision = PRECISION_BF16;
    expect_infeasible(lane, "nobf16", setup, "CUDNN_STATUS_NOT_SUPPORTED");
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
    cmocka_unit_test(test_heuristics_are_filtered),
    cmocka_unit_test(test_tf32_where_asked),
    cmocka_unit_test(test_every_precision_is_there),
    cmocka_unit_test(test_what_cannot_be_had),
    cmocka_unit_test(test_forward_alone),
    cmocka_unit_test(test_every_call_fails_once),
};

TEST_MAIN(cases)
