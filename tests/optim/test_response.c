/* optim/response: the normal quantile, the half-rank transform, standardisation. */
#include "support/test.h"

#include "base/rng.h"
#include "optim/response.h"

/* Round trip through erfc, which is good to one unit in the last place; the quantile's own error is divided by the
 * density on the way back. */
static void quantile(void **state)
{
    (void)state;
    assert_near(normal_quantile(0.5), 0, 0, 1e-15);
    assert_near(normal_quantile(0.975), 1.959963984540054, 1e-14, 0);
    assert_near(normal_quantile(0.001), -3.090232306167813, 1e-14, 0);
    for (double p = 1e-9; p < 1; p = p < 0.01 ? 3 * p : p + 0.007)
        assert_near(0.5 * erfc(-normal_quantile(p) / sqrt(2)), p, 1e-13, 0);
}

static void half_rank_by_hand(void **state)
{
    (void)state;
    /* median 3; the better half 3, 4, 5 has width sqrt((0 + 1 + 4) / 3); ranks of the worse: 0.5/5 and 1.5/5 */
    const double value[5] = {5, -1000, 4, 3, 2.9};
    double work[10], modelled[5], width = sqrt(5.0 / 3), sum = 0, squares = 0;
    struct response_map map;
    response_fit(value, 5, true, work, &map, modelled);
    const double warped[5] = {5, 3 + width * normal_quantile(0.1), 4, 3, 3 + width * normal_quantile(0.3)};
    for (size_t i = 0; i < 5; i++)
        sum += warped[i];
    for (size_t i = 0; i < 5; i++)
        squares += (warped[i] - sum / 5) * (warped[i] - sum / 5);
    for (size_t i = 0; i < 5; i++)
        assert_near(modelled[i], (warped[i] - sum / 5) / sqrt(squares / 4), 1e-14, 1e-14);
    assert_false(map.constant);
}

static void standardised_and_monotone(void **state)
{
    (void)state;
    enum { COUNT = 41 };
    struct rng rng = rng_create(3, 0, RANDOM_TEST, 0, 0);
    for (int half_rank = 0; half_rank < 2; half_rank++) {
        double value[COUNT], work[2 * COUNT], modelled[COUNT], sum = 0, squares = 0;
        struct response_map map;
        for (size_t i = 0; i < COUNT; i++)
            value[i] = 0.9 - 0.01 * exp(2 * rng_normal(&rng)); /* a long tail of bad results */
        value[7] = value[8];
        response_fit(value, COUNT, half_rank, work, &map, modelled);
        for (size_t i = 0; i < COUNT; i++) {
            sum += modelled[i];
            squares += modelled[i] * modelled[i];
            for (size_t k = 0; k < COUNT; k++)
                assert_true((value[i] < value[k]) == (modelled[i] < modelled[k]));
        }
        assert_near(sum, 0, 0, 1e-12);
        assert_near(squares, COUNT - 1, 1e-12, 0);
        double previous = -INFINITY;
        for (double x = -1; x < 1.5; x += 0.001) { /* also between and beyond the fitted values */
            double y = response_apply(&map, x);
            assert_true(y >= previous);
            previous = y;
        }
    }
}

static void constants_and_single_values(void **state)
{
    (void)state;
    const double equal[4] = {0.1, 0.1, 0.1, 0.1}, mostly[5] = {2, 2, 2, 2, 1};
    double work[10], modelled[5];
    struct response_map map;
    response_fit(equal, 4, true, work, &map, modelled);
    assert_true(map.constant && map.deviation == 1);
    for (size_t i = 0; i < 4; i++)
        assert_near(modelled[i], 0, 0, 1e-15);
    response_fit(equal, 1, false, work, &map, modelled);
    assert_true(map.constant && modelled[0] == 0);
    response_fit(mostly, 5, true, work, &map, modelled); /* the better half has no width */
    assert_false(map.constant);
    assert_true(modelled[4] < modelled[0] && isfinite(modelled[4]));
}

static void variances(void **state)
{
    (void)state;
    const double value[4] = {1, 2, 3, 4};
    double work[8], modelled[4];
    struct response_map map;
    response_fit(value, 4, false, work, &map, modelled);
    double expected = 0.01 / (5.0 / 3); /* divided by the variance of 1 .. 4 */
    assert_near(response_variance(&map, 1, 0.01), expected, 1e-14, 0);
    assert_near(response_variance(&map, 4, 0.01), expected, 1e-14, 0);
}

/* There and back is the same number within rounding, and beyond the worst value the way back goes on falling. */
static void way_back(void **state)
{
    (void)state;
    const double value[7] = {0.1, 0.9, 0.93, 0.5, 0.93, 0.95, 0.91};
    double work[14], modelled[7];
    struct response_map map;
    for (int half_rank = 0; half_rank < 2; half_rank++) {
        response_fit(value, 7, half_rank, work, &map, modelled);
        for (double x = 0.1; x < 1.2; x += 0.001)
            assert_near(response_restore(&map, response_apply(&map, x)), x, 1e-12, 0);
        double worst = response_apply(&map, 0.1), previous = 0.1;
        assert_near(response_restore(&map, worst), 0.1, 1e-12, 0);
        for (double z = worst - 0.01; z > worst - 3; z -= 0.01) {
            double x = response_restore(&map, z);
            assert_true(x < previous);
            previous = x;
        }
    }
    response_fit(value, 1, true, work, &map, modelled);
    assert_near(response_restore(&map, 0), 0.1, 1e-15, 0);
}

/* log Phi(z) against values at 50 digits, and its slope against differences across the branches. */
static void log_probability(void **state)
{
    (void)state;
    static const struct {
        double z, value;
    } known[] = {{0, -0.69314718055994530942},  {1, -0.17275377902344988953},   {-1, -1.8410216450092635058},
                 {-5, -15.064998393988725736},  {-5.5, -17.779376352625260511}, {-10, -53.231285150512470578},
                 {-40, -804.60844201375378817}, {6, -9.8658764552437573169e-10}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_near(normal_log_probability(known[i].z, NULL), known[i].value, 2e-13, 1e-15);
    for (double z = -12; z < 4; z += 0.37) {
        double slope = NAN, step = 1e-5;
        (void)normal_log_probability(z, &slope);
        double difference = (normal_log_probability(z + step, NULL) - normal_log_probability(z - step, NULL)) / 2e-5;
        assert_near(slope, difference, 1e-7, 1e-9);
    }
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(quantile),
        cmocka_unit_test(half_rank_by_hand),
        cmocka_unit_test(standardised_and_monotone),
        cmocka_unit_test(constants_and_single_values),
        cmocka_unit_test(variances),
        cmocka_unit_test(way_back),
        cmocka_unit_test(log_probability),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
