/* optim/kernel: entries against golden figures, gradients against finite differences, the properties of mixed kernels.
 */
#include "support/test.h"

#include "base/rng.h"
#include "optim/kernel.h"
#include "optim/kernel_pieces.h"

/* The reference is libm's exp, itself within 1 unit in the last place: 2 units are 4.4e-16. */
static void exponential(void **state)
{
    (void)state;
    enum { COUNT = 4001 };
    static double x[COUNT + 1], y[COUNT + 1];
    for (size_t i = 0; i < COUNT; i++)
        x[i] = y[i] = -707 + (double)i * 0.1771;
    y[COUNT] = 42; /* guard */
    kernel_exp(y, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        if (x[i] > -707 && x[i] < 708)
            assert_near(y[i], exp(x[i]), 4.5e-16, 0);
    assert_true(y[COUNT] == 42);
    double special[] = {0, -1e300, -0.0};
    kernel_exp(special, 3);
    assert_true(special[0] == 1 && special[2] == 1);
    assert_true(special[1] > 0 && special[1] < 1e-300);
    for (size_t count = 0; count < 9; count++) { /* every tail gives the same bits */
        double part[10];
        memcpy(part, x + 3000, sizeof part);
        kernel_exp(part, count);
        assert_memory_equal(part, y + 3000, count * sizeof *part);
        assert_memory_equal(part + count, x + 3000 + count, (10 - count) * sizeof *part);
    }
}

/* A handful of operations and one exp in double; an exponent's rounding is relative to the exponent. */
static void golden_entries(void **state)
{
    (void)state;
    struct test_csv cases, data, entries;
    test_csv_read("tests/golden/gp/cases.csv", true, &cases);
    test_csv_read("tests/golden/gp/data25.csv", true, &data);
    test_csv_read("tests/golden/gp/kernel_entries.csv", true, &entries);
    static const char *const lengths[] = {"lengthscale0", "lengthscale1", "lengthscale2"};
    static const char *const columns[] = {"x0", "x1", "x2"};
    double x[3 * 25], out[25 * 25];
    for (size_t j = 0; j < 3; j++)
        for (size_t i = 0; i < 25; i++)
            x[j * 25 + i] = test_csv_real(&data, i, columns[j]);
    assert_true(entries.rows >= 48);
    for (size_t e = 0; e < entries.rows; e++) {
        size_t row = (size_t)test_csv_real(&entries, e, "case");
        bool rbf = !strcmp(test_csv_text(&cases, row, "kernel"), "rbf");
        struct kernel kernel = {.family = rbf ? KERNEL_RBF : KERNEL_MATERN52, .features = 3};
        double theta[5] = {0};
        for (size_t j = 0; j < 3; j++)
            theta[j] = log(test_csv_real(&cases, row, lengths[j]));
        theta[3] = log(test_csv_real(&cases, row, "outputscale"));
        struct kernel_points points = {x, 25, 25};
        kernel_cross(&kernel, theta, points, points, out, 25);
        size_t i = (size_t)test_csv_real(&entries, e, "i"), k = (size_t)test_csv_real(&entries, e, "j");
        double expected = test_csv_real(&entries, e, "k"), tolerance = 1e-15 * (4 + fabs(log(expected)));
        assert_near(out[i + k * 25], expected, tolerance, 0);
        assert_near(out[k + i * 25], expected, tolerance, 0);
    }
    test_csv_clear(&cases);
    test_csv_clear(&data);
    test_csv_clear(&entries);
}

enum { POINTS = 150, FEATURES = 4 }; /* more points than one piece of a column */

static void fill_points(double *x)
{
    struct rng rng = rng_create(5, 0, RANDOM_TEST, 0, 0);
    for (size_t j = 0; j < FEATURES; j++)
        for (size_t i = 0; i < POINTS; i++)
            x[j * POINTS + i] = j == 1 ? rng_below(&rng, 3) : rng_unit(&rng);
}

static double weighted_sum(const struct kernel *kernel, const double *theta, struct kernel_points points,
                           const double *weight)
{
    static double gram[POINTS * POINTS];
    double sum = 0;
    kernel_gram(kernel, theta, points, gram, POINTS);
    for (size_t k = 0; k < POINTS; k++)
        for (size_t i = k; i < POINTS; i++)
            sum += (i == k ? 1 : 2) * weight[k * POINTS + i] * gram[k * POINTS + i];
    return sum;
}

/* Central differences with h = 1e-5: truncation 1e-10 and rounding 1e-16 / 1e-5 times the terms' size (22,500 terms of
 * order 1 that partly cancel), so 1e-6 absolute on values of order 1 to 100. */
static void gradient_against_differences(void **state)
{
    (void)state;
    static double x[POINTS * FEATURES], weight[POINTS * POINTS];
    static const bool category[FEATURES] = {false, true, false, false};
    fill_points(x);
    struct rng rng = rng_create(6, 0, RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < POINTS * POINTS; i++)
        weight[i] = rng_normal(&rng);
    struct kernel_points points = {x, POINTS, POINTS};
    for (int variant = 0; variant < 4; variant++) {
        struct kernel kernel = {variant & 1 ? KERNEL_MATERN52 : KERNEL_RBF, FEATURES, category, (variant & 2) != 0};
        double theta[FEATURES + 2] = {-0.5, 0.2, -1, 0.7, 0.3, -0.4}, gradient[FEATURES + 2];
        for (size_t t = 0; t < FEATURES + 2; t++)
            gradient[t] = NAN;
        kernel_gradient(&kernel, theta, points, weight, POINTS, gradient);
        for (size_t t = 0; t < FEATURES + 2; t++) {
            double middle = theta[t], h = 1e-5;
            theta[t] = middle + h;
            double above = weighted_sum(&kernel, theta, points, weight);
            theta[t] = middle - h;
            double below = weighted_sum(&kernel, theta, points, weight);
            theta[t] = middle;
            assert_near(gradient[t], (above - below) / (2 * h), 1e-7, 1e-6);
        }
    }
}

static void mixed_kernel_by_hand(void **state)
{
    (void)state;
    static const bool category[2] = {false, true};
    struct kernel kernel = {KERNEL_RBF, 2, category, true};
    const double theta[4] = {log(0.5), log(2), log(1.5), log(0.6)};
    const double a[2] = {0.1, 0}, b[2] = {0.4, 2};
    double out = NAN, number = exp(-0.5 * 0.36), factor = exp(-1.0 / 8);
    kernel_cross(&kernel, theta, (struct kernel_points){a, 1, 1}, (struct kernel_points){b, 1, 1}, &out, 1);
    assert_near(out, 1.5 * number * factor + 0.3 * (number + factor), 1e-15, 0);
    kernel_cross(&kernel, theta, (struct kernel_points){a, 1, 1}, (struct kernel_points){a, 1, 1}, &out, 1);
    assert_near(out, kernel_variance(&kernel, theta), 1e-15, 0);
}

/* By central differences: h = 1e-6 leaves about 1e-9 of the weights' sum. A piece ends at 128. */
static void slope_against_differences(void **state)
{
    (void)state;
    enum { MANY = 200, MIXED = 3 };
    static const bool category[MIXED] = {false, true, false};
    double x[MIXED * MANY], weight[2 * MANY], theta[MIXED + 2] = {-0.7, -0.2, -1.1, 0.2, -0.4};
    struct rng rng = rng_create(13, 0, RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < MIXED * MANY; i++)
        x[i] = i / MANY == 1 ? rng_below(&rng, 3) : rng_unit(&rng);
    for (size_t i = 0; i < 2 * MANY; i++)
        weight[i] = rng_normal(&rng);
    for (size_t variant = 0; variant < 4; variant++) {
        struct kernel kernel = {variant & 1 ? KERNEL_RBF : KERNEL_MATERN52, MIXED, category, variant & 2};
        double at[2 * MIXED] = {0.3, 0.9, 1, 2, 0.4, 0.2}, slope[MIXED] = {NAN, NAN, NAN}, column[MANY];
        struct kernel_points a = {x, MANY, MANY}, b = {at, 2, 2};
        kernel_cross_slope(&kernel, theta, a, b, 1, weight, 2, slope);
        for (size_t j = 0; j < MIXED; j++) {
            double middle = at[2 * j + 1], difference = 0, h = 1e-6;
            for (int side = -1; side <= 1 && !category[j]; side += 2) {
                at[2 * j + 1] = middle + side * h;
                kernel_cross(&kernel, theta, a, (struct kernel_points){at + 1, 1, 2}, column, MANY);
                for (size_t i = 0; i < MANY; i++)
                    difference += side * weight[2 * i] * column[i] / (2 * h);
            }
            at[2 * j + 1] = middle;
            assert_near(slope[j], difference, 1e-7, 1e-7);
        }
    }
}

/* Every instruction set, bit by bit, at every length of a piece's end. */
static void same_bits(void **state)
{
    (void)state;
    enum { MANY = 77, MIXED = 4 };
    static const bool category[MIXED] = {false, true, false, false};
    static struct kernel_natural natural;
    static struct kernel_sums first_sums, sums;
    double x[MIXED * MANY], weight[MANY], first[MANY], out[MANY];
    struct rng rng = rng_create(11, 0, RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < MIXED * MANY; i++)
        x[i] = i / MANY == 1 ? rng_below(&rng, 3) : rng_unit(&rng);
    for (size_t i = 0; i < MANY; i++)
        weight[i] = rng_normal(&rng);
    natural.scale = 1.3;
    for (size_t j = 0; j < MIXED; j++) {
        natural.inverse[j] = 0.5 + 2 * (double)j;
        natural.unequal[j] = 0.3;
    }
    const struct kernel_pieces *baseline = kernel_pieces_at(0);
    for (size_t set = 1; set < kernel_pieces_count(); set++) {
        const struct kernel_pieces *pieces = kernel_pieces_at(set);
        for (size_t variant = 0; pieces && variant < 4; variant++) {
            struct kernel kernel = {variant & 1 ? KERNEL_RBF : KERNEL_MATERN52, MIXED, category, variant & 2};
            struct kernel_points points = {x, MANY, MANY};
            natural.share = kernel.additive ? 0.2 : 0;
            for (size_t count = 0; count < MANY - 3; count++) {
                struct kernel_piece piece = {&kernel, &natural, points, points, 3, count, 1};
                memset(&first_sums, 0, sizeof first_sums);
                memset(&sums, 0, sizeof sums);
                for (size_t i = 0; i < MANY; i++)
                    first[i] = out[i] = NAN;
                baseline->entries(&piece, first);
                pieces->entries(&piece, out);
                baseline->gradient(&piece, weight, &first_sums);
                pieces->gradient(&piece, weight, &sums);
                baseline->slope(&piece, weight, &first_sums);
                pieces->slope(&piece, weight, &sums);
                assert_memory_equal(first, out, sizeof out);
                assert_true(count == 0 || isfinite(out[count - 1]));
                assert_true(isnan(out[count]));
                assert_memory_equal(&first_sums, &sums, sizeof sums);
            }
        }
    }
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(exponential),
        cmocka_unit_test(golden_entries),
        cmocka_unit_test(gradient_against_differences),
        cmocka_unit_test(mixed_kernel_by_hand),
        cmocka_unit_test(slope_against_differences),
        cmocka_unit_test(same_bits),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
