/* Matrix products on the double of cublasLt alone: all of them are there, unless it is made to say otherwise. */
#include "cuda/product_trial.h"

static void test_every_epilogue_is_there(void **state)
{
    (void)state;
    static const enum precision_kind precisions[] = {PRECISION_FLOAT32, PRECISION_TF32, PRECISION_BF16};
    struct lane *lane = lane_open();
    for (int precision = 0; precision < 3; precision++)
        for (int shape = 0; shape < SHAPES; shape++)
            for (int epilogue = 0; epilogue < EPILOGUES; epilogue++) {
                struct trial trial;
                struct product *product = NULL;
                trial_open(&trial, lane,
                           (struct product_setup){.m = shapes[shape].m,
                                                  .n = shapes[shape].n,
                                                  .k = shapes[shape].k,
                                                  .precision = precisions[precision],
                                                  .epilogue = epilogues[epilogue]},
                           0);
                assert_int_equal(product_create(lane, &trial.setup, &product),
                                 is_possible(&trial.setup) ? NR_OK : NR_INFEASIBLE);
                product_destroy(product);
                trial_close(&trial);
            }
    lane_close(lane);
    assert_int_equal(cudadouble_live(), 0);
}

/* The double does round where TF32 is chosen: else that float32 is not rounded would prove nothing. */
static void test_tf32_where_asked(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    assert_true(worst_error(lane, PRECISION_TF32) > 5e-5);
    lane_close(lane);
}

/* A bias in the middle of the flat vector is not aligned: no algorithm, which the library says in several ways. */
static void test_no_algorithm(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    struct trial trial;
    struct product *product = NULL;
    trial_open(&trial, lane, (struct product_setup){.m = 4, .n = 5, .k = 8, .epilogue = PRODUCT_BIAS}, 0);
    struct product_setup unaligned = trial.setup;
    unaligned.m = 3;
    unaligned.vector++;
    for (int i = 0; i < 20; i++)
        assert_int_equal(product_create(lane, &unaligned, &product), NR_INFEASIBLE);
    assert_null(product);
    assert_int_equal(lane_failure.status, NR_OK);
    assert_string_equal(lane_failure.text, "");
    trial_close(&trial);
    lane_close(lane);
}

static nr_status create_and_run(struct lane *lane, void *context)
{
    const struct product_setup *setup = context;
    struct product *product;
    nr_status status = product_create(lane, setup, &product);
    if (status != NR_OK)
        return status;
    status = product_run(product);
    product_destroy(product);
    return status;
}

static void test_every_call_fails_once(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    struct trial trial;
    trial_open(&trial, lane, (struct product_setup){.m = 7, .n = 3, .k = 5, .epilogue = PRODUCT_DRELU_BGRAD}, 1);
    assert_int_equal(cudaStreamSynchronize(lane->stream), cudaSuccess);
    lane_destroy(lane);
    fail_everywhere(create_and_run, &trial.setup, true);
    trial_close(&trial);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(test_every_epilogue_is_there),
    cmocka_unit_test(test_tf32_where_asked),
    cmocka_unit_test(test_no_algorithm),
    cmocka_unit_test(test_every_call_fails_once),
};

TEST_MAIN(cases)
