/* Convolutions against the definition in double. */
#include "cuda/convolution_trial.h"

static void test_all_shapes_and_precisions(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    static const enum precision_kind precisions[] = {PRECISION_FLOAT32, PRECISION_TF32, PRECISION_BF16};
    for (int precision = 0; precision < 3; precision++)
        for (int i = 0; i < SETUPS; i++) {
            struct convolution_setup setup = setups[i];
            setup.precision = precisions[precision];
            run_and_check(lane, setup);
        }
    lane_close(lane);
}

static void test_same_bits(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    for (int i = 0; i < SETUPS; i++)
        run_twice(lane, &setups[i]);
    lane_close(lane);
}

static void test_too_many(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    struct convolution_setup setup = setups[0];
    struct convolution *convolution = NULL;
    setup.images = (int64_t)1 << 31;
    assert_int_equal(convolution_create(lane, &setup, &convolution), NR_INFEASIBLE);
    assert_null(convolution);
    assert_non_null(strstr(lane_failure.text, "2147483648 images of 7 x 6"));
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
    run_all(&trial, convolution); /* the library loads its kernels outside of captures */
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

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(test_all_shapes_and_precisions),
    cmocka_unit_test(test_same_bits),
    cmocka_unit_test(test_too_many),
    cmocka_unit_test(test_in_a_graph),
};

TEST_MAIN(cases)
