/* optim/gp: what the posterior makes of noise, repeats and singular data, and its gradient by the place. */
#include "support/test.h"

#include "base/rng.h"
#include "optim/gp.h"

/* Two observations of one point with different known noise: the posterior mean is the weighted one of the textbook. */
static void known_noise(void **state)
{
    (void)state;
    const double x[2] = {0.5, 0.5}, y[2] = {1, 3}, known[2] = {0.1, 0.4};
    struct gp_model model = gp_model_default((struct kernel){.family = KERNEL_RBF, .features = 1});
    double theta[5] = {0, log(2), 0, log(0.1), 0}, work[2], mean, variance;
    struct gp *gp = NULL;
    assert_ok(gp_create(&model, &gp));
    assert_ok(gp_set_data(gp, (struct kernel_points){x, 2, 2}, 2, y, known, NULL));
    assert_ok(gp_condition(gp, theta));
    gp_posterior(gp, (struct kernel_points){x, 1, 1}, work, &mean, &variance);
    double precision = 1 / 2.0 + 1 / 0.2 + 1 / 0.5;
    assert_near(mean, (1 / 0.2 + 3 / 0.5) / precision, 1e-13, 0);
    assert_near(variance, 1 / precision, 1e-12, 0);
    gp_destroy(gp);
}

/* Equal points without noise make the covariance singular: jitter saves the day. */
static void singular_covariance(void **state)
{
    (void)state;
    double x[30], y[30], theta[5] = {0, 0, 0, -80, 0}, work[30], mean, variance;
    for (size_t i = 0; i < 30; i++) {
        x[i] = 0.25;
        y[i] = 1;
    }
    struct gp_model model = gp_model_default((struct kernel){.family = KERNEL_RBF, .features = 1});
    struct gp *gp = NULL;
    assert_ok(gp_create(&model, &gp));
    assert_ok(gp_set_data(gp, (struct kernel_points){x, 30, 30}, 30, y, NULL, NULL));
    assert_ok(gp_condition(gp, theta));
    gp_posterior(gp, (struct kernel_points){x, 1, 1}, work, &mean, &variance);
    assert_near(mean, 1, 1e-5, 0);
    assert_true(variance > 0 && variance < 1e-4);
    gp_destroy(gp);
}

/* Gradients of mean and variance by the place against central differences; numbers and a category, both families. */
static void posterior_gradient_against_differences(void **state)
{
    (void)state;
    enum { POINTS = 20, QUERIES = 3 };
    static const bool category[3] = {false, true, false};
    struct rng rng = rng_create(5, 0, RANDOM_TEST, 0, 0);
    double x[3 * POINTS], y[POINTS], query[3 * QUERIES], work[POINTS * QUERIES],
        theta[7] = {-1, 0, -0.5, -0.3, -0.7, -3, 0.1};
    for (size_t i = 0; i < POINTS; i++) {
        for (size_t j = 0; j < 3; j++)
            x[j * POINTS + i] = category[j] ? rng_below(&rng, 3) : rng_unit(&rng);
        y[i] = rng_normal(&rng);
    }
    for (size_t i = 0; i < QUERIES; i++)
        for (size_t j = 0; j < 3; j++)
            query[j * QUERIES + i] = category[j] ? rng_below(&rng, 3) : rng_unit(&rng);
    for (int family = 0; family < 2; family++) {
        struct gp_model model = gp_model_default((struct kernel){(enum kernel_family)family, 3, category, true});
        struct kernel_points at = {query, QUERIES, QUERIES};
        double mean[QUERIES], variance[QUERIES], by_mean[3 * QUERIES], by_variance[3 * QUERIES], low[QUERIES],
            high[QUERIES], low_variance[QUERIES], high_variance[QUERIES];
        struct gp *gp = NULL;
        assert_ok(gp_create(&model, &gp));
        /* the last five awaited */
        assert_ok(gp_set_data(gp, (struct kernel_points){x, POINTS, POINTS}, POINTS - 5, y, NULL, NULL));
        assert_ok(gp_condition(gp, theta));
        memset(by_mean, 0xff, sizeof by_mean);
        gp_posterior_gradient(gp, at, work, mean, variance, by_mean, by_variance);
        gp_posterior(gp, at, work, low, low_variance);
        assert_memory_equal(mean, low, sizeof mean);
        assert_memory_equal(variance, low_variance, sizeof variance);
        for (size_t j = 0; j < 3; j++) {
            for (size_t i = 0; i < QUERIES; i++) {
                if (category[j]) {
                    assert_true(by_mean[i * 3 + j] == 0 && by_variance[i * 3 + j] == 0);
                    continue;
                }
                double *place = &query[j * QUERIES + i], kept = *place;
                *place = kept - 1e-5;
                gp_posterior(gp, at, work, low, low_variance);
                *place = kept + 1e-5;
                gp_posterior(gp, at, work, high, high_variance);
                *place = kept;
                /* third derivatives below 100, rounding 1e-15 / 1e-5 */
                assert_near(by_mean[i * 3 + j], (high[i] - low[i]) / 2e-5, 1e-6, 1e-8);
                assert_near(by_variance[i * 3 + j], (high_variance[i] - low_variance[i]) / 2e-5, 1e-6, 1e-8);
            }
        }
        gp_destroy(gp);
    }
}

/* Three measurements of one point, or their mean that stands for three: the same posterior. */
static void repeats_are_one_point(void **state)
{
    (void)state;
    const double x[4] = {0.2, 0.2, 0.2, 0.8}, y[4] = {0.5, 0.8, 1.1, -1}, known[4] = {0.01, 0.01, 0.01, 0.02};
    const double pooled_x[2] = {0.2, 0.8}, pooled_y[2] = {0.8, -1}, pooled_known[2] = {0.01 / 3, 0.02};
    const double repeats[2] = {3, 1}, theta[5] = {-1, 0, 0, -2, 0.2};
    double query[2] = {0.3, 0.6}, work[8], mean[2], variance[2], pooled_mean[2] = {NAN, NAN}, pooled_variance[2];
    struct gp_model model = gp_model_default((struct kernel){KERNEL_RBF, 1, NULL, false});
    struct kernel_points at = {query, 2, 2};
    struct gp *gp = NULL;
    assert_ok(gp_create(&model, &gp));
    assert_ok(gp_set_data(gp, (struct kernel_points){x, 4, 4}, 4, y, known, NULL));
    assert_ok(gp_condition(gp, theta));
    gp_posterior(gp, at, work, mean, variance);
    assert_ok(gp_set_data(gp, (struct kernel_points){pooled_x, 2, 2}, 2, pooled_y, pooled_known, repeats));
    assert_ok(gp_condition(gp, theta));
    gp_posterior(gp, at, work, pooled_mean, pooled_variance);
    for (size_t i = 0; i < 2; i++) {
        assert_near(pooled_mean[i], mean[i], 1e-13, 0);
        assert_near(pooled_variance[i], variance[i], 0, 1e-13);
    }
    struct gp_value value, above, below;
    double gradient[5], shifted[5];
    memcpy(shifted, theta, sizeof theta);
    assert_ok(gp_evaluate(gp, theta, &value, gradient));
    shifted[3] = theta[3] + 1e-5;
    assert_ok(gp_evaluate(gp, shifted, &above, NULL));
    shifted[3] = theta[3] - 1e-5;
    assert_ok(gp_evaluate(gp, shifted, &below, NULL));
    assert_near(gradient[3], (above.log_posterior - below.log_posterior) / 2e-5, 1e-7, 1e-8);
    gp_destroy(gp);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(known_noise),
        cmocka_unit_test(singular_covariance),
        cmocka_unit_test(posterior_gradient_against_differences),
        cmocka_unit_test(repeats_are_one_point),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
