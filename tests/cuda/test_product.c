/* Matrix products against naive loops in double. What the library has no fused epilogue for is said, and is the
 * caller's to do otherwise; on the double it has all of them (test_product_double.c). */
#include "cuda/product_trial.h"

/* False: there is none for this, which must be said quietly, and may be said of what is fused or not float32. */
static bool create(struct lane *lane, const struct product_setup *setup, struct product **out)
{
    const nr_status status = product_create(lane, setup, out);
    if (status == NR_OK) {
        assert_true(is_possible(setup));
        return true;
    }
    assert_int_equal(status, NR_INFEASIBLE);
    assert_int_equal(lane_failure.status, NR_OK);
    assert_true(setup->epilogue != PRODUCT_PLAIN || setup->precision != PRECISION_FLOAT32);
    if (is_possible(setup))
        print_message("no algorithm: epilogue %d, precision %d, %d x %d x %d\n", (int)setup->epilogue,
                      (int)setup->precision, (int)setup->m, (int)setup->n, (int)setup->k);
    return false;
}

static void run_and_check(struct lane *lane, struct product_setup setup, int64_t pad)
{
    struct trial trial;
    struct product *product = NULL;
    trial_open(&trial, lane, setup, pad);
    if (create(lane, &trial.setup, &product)) {
        assert_ok(product_run(product));
        check_results(&trial, lane);
    }
    product_destroy(product);
    trial_close(&trial);
}

static void test_all_epilogues_transposes_and_shapes(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    for (int shape = 0; shape < SHAPES; shape++)
        for (int transposes = 0; transposes < 4; transposes++)
            for (int epilogue = 0; epilogue < EPILOGUES; epilogue++)
                run_and_check(lane,
                              (struct product_setup){.m = shapes[shape].m,
                                                     .n = shapes[shape].n,
                                                     .k = shapes[shape].k,
                                                     .transpose_a = transposes & 1,
                                                     .transpose_b = transposes & 2,
                                                     .epilogue = epilogues[epilogue]},
                              transposes == 3 ? 5 : 0);
    lane_close(lane);
}

static void test_bfloat16_and_tf32(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    static const enum precision_kind precisions[] = {PRECISION_TF32, PRECISION_BF16};
    for (int shape = 0; shape < SHAPES; shape++)
        for (int epilogue = 0; epilogue < EPILOGUES; epilogue++)
            for (int precision = 0; precision < 2; precision++)
                run_and_check(lane,
                              (struct product_setup){.m = shapes[shape].m,
                                                     .n = shapes[shape].n,
                                                     .k = shapes[shape].k,
                                                     .transpose_b = shape & 1,
                                                     .precision = precisions[precision],
                                                     .epilogue = epilogues[epilogue]},
                              0);
    lane_close(lane);
}

/* 64 products of factors below 1, added in float32: off by 1e-6 or so, where TF32 would be off by 2e-4 or so (each
 * factor by about 2^-12). */
static void test_float32_is_not_rounded(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    assert_true(worst_error(lane, PRECISION_FLOAT32) < 1e-5);
    lane_close(lane);
}

/* Whatever the alignment of the operands, there is a plain product. */
static void test_unaligned_operands(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    struct trial trial;
    struct product *product;
    trial_open(&trial, lane, (struct product_setup){.m = 4, .n = 5, .k = 8}, 0);
    trial.setup.m = 3;
    trial.setup.a = (const float *)trial.setup.a + 1;
    trial.setup.d++;
    assert_ok(product_create(lane, &trial.setup, &product));
    assert_ok(product_run(product));
    trial.setup.a = (const float *)trial.setup.a - 1;
    trial.setup.d--;
    float *d = host_values(lane, trial.setup.d, trial.d_count, false);
    for (int64_t column = 0; column < 5; column++)
        for (int64_t row = 0; row < 3; row++) /* one row further down in A and in D */
            assert_near((double)d[row + 1 + column * 4], multiply(&trial, row + 1, column).value, 0, 10 * 8 * 0x1p-24);
    free(d);
    product_destroy(product);
    trial_close(&trial);
    lane_close(lane);
}

static void test_in_a_graph(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    struct trial trial;
    struct product *product;
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    trial_open(&trial, lane, (struct product_setup){.m = 7, .n = 3, .k = 5}, 1);
    assert_ok(product_create(lane, &trial.setup, &product));
    assert_ok(product_run(product)); /* a library loads its kernels outside of captures */
    assert_int_equal(cudaStreamBeginCapture(lane->stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
    assert_ok(product_run(product));
    assert_int_equal(cudaStreamEndCapture(lane->stream, &graph), cudaSuccess);
    assert_int_equal(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
    product_destroy(product); /* the graph has all that it needs */
    for (int i = 0; i < 2; i++)
        assert_int_equal(cudaGraphLaunch(exec, lane->stream), cudaSuccess);
    check_results(&trial, lane);
    assert_int_equal(cudaGraphExecDestroy(exec), cudaSuccess);
    assert_int_equal(cudaGraphDestroy(graph), cudaSuccess);
    trial_close(&trial);
    lane_close(lane);
}

static void test_mask_bits(void **state)
{
    (void)state;
    static const int64_t rows[][2] = {{1, 128}, {127, 128}, {128, 128}, {129, 256}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(product_mask_bits(rows[i][0]), rows[i][1]);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(test_all_epilogues_transposes_and_shapes),
    cmocka_unit_test(test_bfloat16_and_tf32),
    cmocka_unit_test(test_float32_is_not_rounded),
    cmocka_unit_test(test_unaligned_operands),
    cmocka_unit_test(test_in_a_graph),
    cmocka_unit_test(test_mask_bits),
};

TEST_MAIN(cases)
