/* One matrix product with its operands here and on the device, and what it should give.
 *
 * Tolerance: factors are exact in the reference; the device may add k products in any order in float32, each rounding
 * by at most 2^-24 of a partial sum that is at most the sum of the magnitudes S, and rounds the result: (k + 2) 2^-24
 * S. TF32 cuts each factor by up to 2^-10: 2^-9 S more. */
#ifndef NASRUN_TESTS_PRODUCT_TRIAL_H
#define NASRUN_TESTS_PRODUCT_TRIAL_H

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

static inline bool is_bfloat16(const struct trial *trial)
{
    return trial->setup.precision == PRECISION_BF16;
}

static inline bool takes_bias(enum product_epilogue epilogue)
{
    return epilogue == PRODUCT_BIAS || epilogue == PRODUCT_RELU_BIAS || epilogue == PRODUCT_RELU_AUX_BIAS;
}

static inline bool takes_mask(enum product_epilogue epilogue)
{
    return epilogue == PRODUCT_DRELU || epilogue == PRODUCT_DRELU_BGRAD;
}

/* `pad` rows more than the leading dimensions need. */
static inline void trial_open(struct trial *trial, const struct lane *lane, struct product_setup setup, int64_t pad)
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
    trial->setup.d = device_make(lane, trial->d_count * sizeof(float));
    trial->setup.vector = takes_bias(setup.epilogue) ? device_put(lane, trial->vector, (size_t)setup.m * sizeof(float))
                                                     : device_make(lane, (size_t)setup.m * sizeof(float));
    trial->setup.mask = takes_mask(setup.epilogue) ? device_put(lane, trial->mask, trial->mask_bytes)
                                                   : device_make(lane, trial->mask_bytes);
}

static inline void trial_close(struct trial *trial)
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

static inline double a_at(const struct trial *trial, int64_t row, int64_t depth)
{
    return (double)trial->a[trial->setup.transpose_a ? depth + row * trial->setup.lda : row + depth * trial->setup.lda];
}

static inline double b_at(const struct trial *trial, int64_t depth, int64_t column)
{
    return (double)
        trial->b[trial->setup.transpose_b ? column + depth * trial->setup.ldb : depth + column * trial->setup.ldb];
}

static inline bool mask_at(const uint8_t *mask, const struct product_setup *setup, int64_t row, int64_t column)
{
    const int64_t bit = row + column * setup->mask_bits;
    return mask[bit / 8] >> bit % 8 & 1;
}

struct expected {
    double value, error;
};

/* What a sum of k terms may be off, in terms of the sum of their magnitudes. */
static inline double rounding(const struct trial *trial)
{
    return (double)(trial->setup.k + 2) * 0x1p-24 + (trial->setup.precision == PRECISION_TF32 ? 0x1p-9 : 0);
}

/* op(A) op(B) and what it may be off. */
static inline struct expected multiply(const struct trial *trial, int64_t row, int64_t column)
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
static inline struct expected finish(const struct trial *trial, int64_t row, int64_t column, struct expected *sum)
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

static inline void check_matrix(const struct trial *trial, const float *d, const float *vector, const uint8_t *mask)
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

static inline void check_padding(const struct trial *trial, const float *d)
{
    for (int64_t column = 0; column < trial->setup.n; column++)
        for (int64_t row = trial->setup.m; row < trial->setup.ldd; row++)
            assert_true(isnan(d[row + column * trial->setup.ldd]));
}

static inline void check_results(const struct trial *trial, const struct lane *lane)
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
static inline bool is_possible(const struct product_setup *setup)
{
    return !(takes_mask(setup->epilogue) && setup->k == 1) &&
           !(setup->epilogue == PRODUCT_BGRADA && setup->transpose_a);
}

/* The largest difference of a product from exact factors. */
static inline double worst_error(struct lane *lane, enum precision_kind precision)
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

#endif
