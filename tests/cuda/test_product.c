/* Matrix products on the double of cublasLt, against naive loops in double.
 *
 * Tolerance: factors are exact in the reference; the device may add k products in any order in float32, each rounding
 * by at most 2^-24 of a partial sum that is at most the sum of the magnitudes S, and rounds the result: (k + 2) 2^-24
 * S. TF32 rounds each factor by 2^-11: 2^-10 S more. */
#include "cuda/lane_device.h"

#include "train/cuda/product.h"

struct shape {
    int64_t m, n, k;
};

/* 1, odd, a little over and under the multiples of 128 and 32 that kernels and masks are made of */
static const struct shape shapes[] = {{1, 1, 1}, {3, 5, 7}, {10, 33, 64}, {127, 6, 31}, {128, 2, 3}, {129, 17, 12}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static const enum product_epilogue epilogues[] = {PRODUCT_PLAIN,         PRODUCT_BIAS,  PRODUCT_RELU_BIAS,
                                                  PRODUCT_RELU_AUX_BIAS, PRODUCT_DRELU, PRODUCT_DRELU_BGRAD,
                                                  PRODUCT_BGRADA};
enum { EPILOGUES = sizeof epilogues / sizeof *epilogues };

/* One product with its arrays here and on the device. */
struct trial {
    struct product_setup setup;
    float *a, *b, *vector;
    uint8_t *mask;
    size_t a_count, b_count, d_count, mask_bytes;
};

static bool is_bfloat16(const struct trial *trial)
{
    return trial->setup.precision == PRECISION_BF16;
}

static bool takes_bias(enum product_epilogue epilogue)
{
    return epilogue == PRODUCT_BIAS || epilogue == PRODUCT_RELU_BIAS || epilogue == PRODUCT_RELU_AUX_BIAS;
}

static bool takes_mask(enum product_epilogue epilogue)
{
    return epilogue == PRODUCT_DRELU || epilogue == PRODUCT_DRELU_BGRAD;
}

/* `pad` rows more than the leading dimensions need. */
static void trial_open(struct trial *trial, const struct lane *lane, struct product_setup setup, int64_t pad)
{
    const int64_t a_rows = setup.transpose_a ? setup.k : setup.m, b_rows = setup.transpose_b ? setup.n : setup.k;
    setup.lda = a_rows + pad;
    setup.ldb = b_rows + pad;
    setup.ldd = setup.m + pad;
    setup.mask_bits = product_mask_bits(setup.m);
    *trial = (struct trial){.a_count = (size_t)(setup.lda * (setup.m + setup.k - a_rows)),
                            .b_count = (size_t)(setup.ldb * (setup.n + setup.k - b_rows)),
                            .d_count = (size_t)(setup.ldd * setup.n),
                            .mask_bytes = (size_t)(setup.mask_bits * setup.n / 8),
                            .setup = setup};
    trial->a = malloc(trial->a_count * sizeof(float));
    trial->b = malloc(trial->b_count * sizeof(float));
    trial->vector = malloc((size_t)setup.m * sizeof(float));
    trial->mask = malloc(trial->mask_bytes);
    fill_values(trial->a, trial->a_count, 1, is_bfloat16(trial));
    fill_values(trial->b, trial->b_count, 2, is_bfloat16(trial));
    fill_values(trial->vector, (size_t)setup.m, 3, false);
    for (size_t i = 0; i < trial->mask_bytes; i++)
        trial->mask[i] = (uint8_t)(i * 37 + 11);
    trial->setup.a = device_values(lane, trial->a, trial->a_count, is_bfloat16(trial));
    trial->setup.b = device_values(lane, trial->b, trial->b_count, is_bfloat16(trial));
    trial->setup.d = device_make(trial->d_count * sizeof(float));
    trial->setup.vector = takes_bias(setup.epilogue) ? device_put(lane, trial->vector, (size_t)setup.m * sizeof(float))
                                                     : device_make((size_t)setup.m * sizeof(float));
    trial->setup.mask =
        takes_mask(setup.epilogue) ? device_put(lane, trial->mask, trial->mask_bytes) : device_make(trial->mask_bytes);
}

static void trial_close(struct trial *trial)
{
    void *const memory[] = {(void *)(uintptr_t)trial->setup.a, (void *)(uintptr_t)trial->setup.b, trial->setup.d,
                            trial->setup.vector, trial->setup.mask};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        assert_int_equal(cudaFree(memory[i]), cudaSuccess);
    free(trial->a);
    free(trial->b);
    free(trial->vector);
    free(trial->mask);
}

static double a_at(const struct trial *trial, int64_t row, int64_t depth)
{
    return (double)trial->a[trial->setup.transpose_a ? depth + row * trial->setup.lda : row + depth * trial->setup.lda];
}

static double b_at(const struct trial *trial, int64_t depth, int64_t column)
{
    return (double)
        trial->b[trial->setup.transpose_b ? column + depth * trial->setup.ldb : depth + column * trial->setup.ldb];
}

static bool mask_at(const uint8_t *mask, const struct product_setup *setup, int64_t row, int64_t column)
{
    const int64_t bit = row + column * setup->mask_bits;
    return mask[bit / 8] >> bit % 8 & 1;
}

struct expected {
    double value, error;
};

/* What a sum of k terms may be off, in terms of the sum of their magnitudes. */
static double rounding(const struct trial *trial)
{
    return (double)(trial->setup.k + 2) * 0x1p-24 + (trial->setup.precision == PRECISION_TF32 ? 0x1p-10 : 0);
}

/* op(A) op(B) and what it may be off. */
static struct expected multiply(const struct trial *trial, int64_t row, int64_t column)
{
    double sum = 0, magnitude = 0;
    for (int64_t i = 0; i < trial->setup.k; i++) {
        const double term = a_at(trial, row, i) * b_at(trial, i, column);
        sum += term;
        magnitude += fabs(term);
    }
    return (struct expected){sum, magnitude * rounding(trial)};
}

/* D's element, and in *sum the gradient of the bias so far. */
static struct expected finish(const struct trial *trial, int64_t row, int64_t column, struct expected *sum)
{
    const enum product_epilogue epilogue = trial->setup.epilogue;
    struct expected d = multiply(trial, row, column);
    if (takes_bias(epilogue)) {
        d.value += (double)trial->vector[row];
        d.error += 0x1p-23;
    }
    if ((epilogue == PRODUCT_RELU_BIAS || epilogue == PRODUCT_RELU_AUX_BIAS) && d.value < 0)
        d.value = 0;
    if (takes_mask(epilogue) && !mask_at(trial->mask, &trial->setup, row, column))
        d = (struct expected){0, 0};
    sum->value += d.value;
    sum->error += d.error + fabs(d.value) * (double)(trial->setup.n + 2) * 0x1p-24;
    return d;
}

static void check_matrix(const struct trial *trial, const float *d, const float *vector, const uint8_t *mask)
{
    const struct product_setup *setup = &trial->setup;
    for (int64_t row = 0; row < setup->m; row++) {
        struct expected sum = {0, 0};
        for (int64_t column = 0; column < setup->n; column++) {
            const struct expected value = finish(trial, row, column, &sum);
            const double got = (double)d[row + column * setup->ldd];
            assert_near(got, value.value, 0, value.error);
            if (setup->epilogue == PRODUCT_RELU_AUX_BIAS)
                assert_int_equal(mask_at(mask, setup, row, column), got > 0);
        }
        if (setup->epilogue == PRODUCT_DRELU_BGRAD)
            assert_near((double)vector[row], sum.value, 0, sum.error);
        if (setup->epilogue == PRODUCT_BGRADA) {
            sum = (struct expected){0, 0};
            for (int64_t i = 0; i < setup->k; i++) {
                sum.value += a_at(trial, row, i);
                sum.error += fabs(a_at(trial, row, i)) * rounding(trial);
            }
            assert_near((double)vector[row], sum.value, 0, sum.error);
        }
    }
}

static void check_padding(const struct trial *trial, const float *d)
{
    for (int64_t column = 0; column < trial->setup.n; column++)
        for (int64_t row = trial->setup.m; row < trial->setup.ldd; row++)
            assert_true(isnan(d[row + column * trial->setup.ldd]));
}

static void check_results(const struct trial *trial, const struct lane *lane)
{
    const size_t m = (size_t)trial->setup.m;
    float *d = host_values(lane, trial->setup.d, trial->d_count, false);
    float *vector = host_values(lane, trial->setup.vector, m, false);
    uint8_t *mask = malloc(trial->mask_bytes);
    device_get(lane, trial->setup.mask, mask, trial->mask_bytes);
    check_matrix(trial, d, vector, mask);
    check_padding(trial, d);
    free(mask);
    free(vector);
    free(d);
}

/* As product.h has it. */
static bool is_possible(const struct product_setup *setup)
{
    return !(takes_mask(setup->epilogue) && setup->k == 1) &&
           !(setup->epilogue == PRODUCT_BGRADA && setup->transpose_a);
}

static void run_and_check(struct lane *lane, struct product_setup setup, int64_t pad)
{
    struct trial trial;
    struct product *product = NULL;
    trial_open(&trial, lane, setup, pad);
    if (is_possible(&setup)) {
        assert_ok(product_create(lane, &trial.setup, &product));
        assert_ok(product_run(product));
        check_results(&trial, lane);
    } else {
        assert_int_equal(product_create(lane, &trial.setup, &product), NR_INFEASIBLE);
        assert_null(product);
        assert_int_equal(lane_failure.status, NR_OK);
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

/* The largest difference of a product from exact factors. */
static double worst_error(struct lane *lane, enum precision_kind precision)
{
    struct trial trial;
    struct product *product;
    double worst = 0;
    trial_open(&trial, lane, (struct product_setup){.m = 16, .n = 16, .k = 64, .precision = precision}, 0);
    assert_ok(product_create(lane, &trial.setup, &product));
    assert_ok(product_run(product));
    float *d = host_values(lane, trial.setup.d, trial.d_count, false);
    for (int64_t row = 0; row < 16; row++)
        for (int64_t column = 0; column < 16; column++)
            worst = fmax(worst, fabs((double)d[row + column * 16] - multiply(&trial, row, column).value));
    free(d);
    product_destroy(product);
    trial_close(&trial);
    return worst;
}

/* 64 products of factors below 1: float32 is off by less than 66 x 2^-24 x 64 = 2.5e-4, in truth by 1e-5; TF32 by some
 * 2^-12 of each product, which over 256 sums cannot stay below 5e-5. */
static void test_tf32_only_where_asked(void **state)
{
    (void)state;
    struct lane *lane = lane_open();
    assert_true(worst_error(lane, PRECISION_FLOAT32) < 1e-5);
    assert_true(worst_error(lane, PRECISION_TF32) > 5e-5);
    lane_close(lane);
}

/* A bias in the middle of the flat vector is not aligned: no algorithm, said in several ways; the plain product, whose
 * factors need not be aligned, takes its place. */
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
    unaligned.epilogue = PRODUCT_PLAIN;
    unaligned.a = (const float *)unaligned.a + 1;
    assert_ok(product_create(lane, &unaligned, &product));
    assert_ok(product_run(product));
    float *d = host_values(lane, trial.setup.d, trial.d_count, false);
    for (int64_t column = 0; column < 5; column++)
        for (int64_t row = 0; row < 3; row++) /* one row further down in A */
            assert_near((double)d[row + column * 4], multiply(&trial, row + 1, column).value, 0, 10 * 8 * 0x1p-24);
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
    trial_open(&trial, lane, (struct product_setup){.m = 7, .n = 3, .k = 5, .epilogue = PRODUCT_RELU_AUX_BIAS}, 1);
    assert_ok(product_create(lane, &trial.setup, &product));
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
    cmocka_unit_test(test_tf32_only_where_asked),
    cmocka_unit_test(test_no_algorithm),
    cmocka_unit_test(test_in_a_graph),
    cmocka_unit_test(test_every_call_fails_once),
    cmocka_unit_test(test_mask_bits),
};

TEST_MAIN(cases)
