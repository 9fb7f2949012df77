/* Compiled once per variant: dropout masks against Random123's scalar code, elementary functions against the C library.
 */
#include "support/test.h"

#include "train/cpu/dropout.h"
#ifdef NR_DOUBLE
#define NR_MATH_DOUBLE
#endif
#include "kernels/math/activation.h"

void NR_VARIANT(dropout_masks)(void);
void NR_VARIANT(elementary_functions)(void);

/* Element e takes half-word e % 8 of block e / 8, low half first, and is kept at or above the threshold. */
static uint8_t kept(const struct dropout_stream *stream, size_t element)
{
    uint32_t words[4];
    random_block(stream->seed, stream->trial, RANDOM_DROPOUT, stream->stream, stream->step, (uint32_t)(element / 8),
                 words);
    uint32_t half = words[element % 8 / 2] >> (element % 2 * 16) & 0xffff;
    return half >= stream->threshold;
}

void NR_VARIANT(dropout_masks)(void)
{
    static const double rates[] = {0, 0.1, 0.5, 0.9, 0.999999, 1};
    static const size_t firsts[] = {0, 8, 4096, 80000000}, counts[] = {1, 7, 8, 63, 64, 65, 1000};
    enum { MOST = 1000, GUARD = 77 };
    uint8_t keep[MOST + DROPOUT_SLACK + 1];
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++)
        for (size_t f = 0; f < sizeof firsts / sizeof *firsts; f++)
            for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                const struct dropout_stream stream = {.seed = 0x123456789abcdef0u + r,
                                                      .trial = 0xfedcba98u,
                                                      .stream = 5,
                                                      .step = 0x80000001u + (uint32_t)c,
                                                      .threshold = random_dropout_threshold(rates[r])};
                memset(keep, GUARD, sizeof keep);
                dropout_draw(&stream, firsts[f], counts[c], keep);
                for (size_t i = 0; i < counts[c]; i++)
                    assert_int_equal(keep[i], kept(&stream, firsts[f] + i));
                assert_int_equal(keep[counts[c] + DROPOUT_SLACK], GUARD);
            }
}

static const double tolerance = sizeof(real) == sizeof(double) ? 1e-14 : 4e-7;

/* Relative errors over the whole range, in steps that meet no round numbers. The double functions are the library's
 * own. */
void NR_VARIANT(elementary_functions)(void)
{
    for (double x = -85; x < 85; x += 0.0137) {
        real in = (real)x, gauss;
        double exact = (double)in;
        assert_near((double)math_exp(in), exp(exact), tolerance, 0);
        assert_near((double)math_tanh(in), tanh(exact), tolerance, 0);
        assert_near((double)math_logistic(in), 1 / (1 + exp(-exact)), 2 * tolerance, 0);
        if (fabs(x) > 12)
            continue;
        /* exp(-x^2/2): rounding of the argument, up to 72, is the error's scale */
        double normal = 0.5 * erfc(-exact / sqrt(2)), density = exp(-exact * exact / 2) / sqrt(2 * 3.14159265358979324);
        double wide = tolerance * (2 + exact * exact);
        assert_near((double)math_normal(in, &gauss), normal, wide, 0);
        assert_near((double)gauss, exp(-exact * exact / 2), wide, 0);
        assert_near((double)activation_gelu(in), exact * normal, wide, 0);
        assert_near((double)activation_gelu_slope(in), normal + exact * density, wide, 20 * tolerance * density);
        double s = 1 / (1 + exp(-exact));
        assert_near((double)activation_silu(in), exact * s, 3 * tolerance, 0);
        assert_near((double)activation_silu_slope(in), s * (1 + exact * (1 - s)), 0, 4 * tolerance);
    }
    assert_near((double)math_tanh((real)1e-6), tanh((double)(real)1e-6), tolerance, 0);
    assert_true(isnan(math_exp((real)NAN)) && isnan(math_tanh((real)NAN)) && isnan(math_logistic((real)NAN)));
    assert_true(isnan(activation_relu((real)NAN)) && isnan(activation_leaky_relu((real)NAN, 0)));
    assert_true(isnan(activation_gelu((real)NAN)) && isnan(activation_silu((real)NAN)));
    assert_near((double)math_tanh((real)1000), 1, 0, 0);
    assert_near((double)math_tanh((real)-1000), -1, 0, 0);
    assert_true(math_exp((real)-1000) >= 0 && (double)math_exp((real)-1000) < 1.3e-38 &&
                math_exp((real)1000) > (real)2e38);
}
