/* optim/gp: likelihood, posterior, leave-one-out and fits against golden figures (tests/golden/gp). */
#include "support/test.h"

#include "base/rng.h"
#include "optim/gp.h"

struct data {
    double x[5 * 64], y[64];
    size_t features, count;
};

static void read_data(const char *path, const char *outcome, struct data *data)
{
    struct test_csv csv;
    test_csv_read(path, true, &csv);
    memset(data, 0, sizeof *data);
    data->count = csv.rows;
    data->features = 0;
    for (size_t c = 0; c < csv.columns; c++)
        data->features += csv.header[c][0] == 'x';
    for (size_t i = 0; i < csv.rows; i++) {
        for (size_t j = 0; j < data->features; j++)
            data->x[j * csv.rows + i] = test_csv_real(&csv, i, csv.header[j]);
        data->y[i] = outcome ? test_csv_real(&csv, i, outcome) : NAN;
    }
    test_csv_clear(&csv);
}

static struct kernel_points points_of(const struct data *data)
{
    return (struct kernel_points){data->x, data->count, data->count};
}

static struct gp *make(enum kernel_family family, const struct data *data, bool flat)
{
    struct gp_model model = gp_model_default((struct kernel){.family = family, .features = data->features});
    if (flat)
        model.length.sd = model.noise.sd = 0;
    struct gp *gp = NULL;
    assert_ok(gp_create(&model, &gp));
    assert_ok(gp_set_data(gp, points_of(data), data->count, data->y, NULL, NULL));
    return gp;
}

static enum kernel_family family_of(const char *name)
{
    return strstr(name, "rbf") ? KERNEL_RBF : KERNEL_MATERN52;
}

struct golden {
    struct test_csv cases, exact;
    struct data train, test;
};

static void golden_read(struct golden *golden)
{
    test_csv_read("tests/golden/gp/cases.csv", true, &golden->cases);
    test_csv_read("tests/golden/gp/exact.csv", true, &golden->exact);
    read_data("tests/golden/gp/data25.csv", "y", &golden->train);
    read_data("tests/golden/gp/test10.csv", NULL, &golden->test);
    assert_int_equal(golden->cases.rows, 12);
}

static void golden_clear(struct golden *golden)
{
    test_csv_clear(&golden->cases);
    test_csv_clear(&golden->exact);
}

static double exact(const struct golden *golden, size_t row, const char *quantity, size_t index)
{
    for (size_t r = 0; r < golden->exact.rows; r++)
        if (test_csv_real(&golden->exact, r, "case") == (double)row &&
            test_csv_real(&golden->exact, r, "index") == (double)index &&
            !strcmp(test_csv_text(&golden->exact, r, "quantity"), quantity))
            return test_csv_real(&golden->exact, r, "value");
    fail_msg("no %s in case %zu", quantity, row);
    return NAN;
}

/* lengths, scale, additive, noise, mean */
static void case_theta(const struct golden *golden, size_t row, double *theta)
{
    static const char *const lengths[] = {"lengthscale0", "lengthscale1", "lengthscale2"};
    for (size_t j = 0; j < 3; j++)
        theta[j] = log(test_csv_real(&golden->cases, row, lengths[j]));
    theta[3] = log(test_csv_real(&golden->cases, row, "outputscale"));
    theta[4] = 0;
    theta[5] = log(test_csv_real(&golden->cases, row, "noise"));
    theta[6] = test_csv_real(&golden->cases, row, "mean");
}

/* GPyTorch's double errs by up to 1e-12 where the covariance is well conditioned and by 4e-8 where it is not; the same
 * bounds with a factor of ten for another order of the sums. */
static double tolerance(const struct golden *golden, size_t row)
{
    return strcmp(test_csv_text(&golden->cases, row, "setting"), "near_singular") ? 1e-11 : 4e-7;
}

static void golden_likelihood(void **state)
{
    (void)state;
    static const char *const names[] = {"grad_log_lengthscale0",
                                        "grad_log_lengthscale1",
                                        "grad_log_lengthscale2",
                                        "grad_log_outputscale",
                                        NULL,
                                        "grad_log_noise",
                                        "grad_mean"};
    struct golden golden;
    golden_read(&golden);
    for (size_t row = 0; row < golden.cases.rows; row++) {
        struct gp *gp = make(family_of(test_csv_text(&golden.cases, row, "kernel")), &golden.train, true);
        double theta[7], gradient[7], norm = 0;
        struct gp_value value = {NAN, NAN};
        case_theta(&golden, row, theta);
        assert_ok(gp_evaluate(gp, theta, &value, gradient));
        assert_near(value.log_likelihood, exact(&golden, row, "log_marginal_likelihood", 0), tolerance(&golden, row),
                    0);
        assert_true(value.log_likelihood == value.log_posterior);
        for (size_t t = 0; t < 7; t++)
            norm = fmax(norm, fabs(gradient[t]));
        for (size_t t = 0; t < 7; t++)
            if (names[t] && (t != 3 || test_csv_real(&golden.cases, row, "outputscale_used") != 0))
                assert_near(gradient[t], exact(&golden, row, names[t], 0), 0, norm * tolerance(&golden, row));
        gp_destroy(gp);
    }
    golden_clear(&golden);
}

static void golden_posterior(void **state)
{
    (void)state;
    struct golden golden;
    golden_read(&golden);
    for (size_t row = 0; row < golden.cases.rows; row++) {
        struct gp *gp = make(family_of(test_csv_text(&golden.cases, row, "kernel")), &golden.train, true);
        double theta[7], work[25 * 10], mean[10], variance[10], joint[100], again[10];
        case_theta(&golden, row, theta);
        assert_ok(gp_condition(gp, theta));
        gp_posterior(gp, points_of(&golden.test), work, mean, variance);
        gp_posterior_joint(gp, points_of(&golden.test), work, again, joint);
        double scale = exp(theta[3]), bound = tolerance(&golden, row);
        for (size_t i = 0; i < 10; i++) {
            assert_near(mean[i], exact(&golden, row, "posterior_mean", i), bound, bound);
            assert_near(variance[i], exact(&golden, row, "posterior_var_f", i), bound, bound * scale);
            assert_true(again[i] == mean[i]);
            for (size_t k = 0; k <= i; k++) {
                assert_near(joint[i + 10 * k], joint[k + 10 * i], 0, 1e-12 * scale);
                assert_true(fabs(joint[i + 10 * k]) <= sqrt(variance[i] * variance[k]) + 1e-10 * scale);
            }
            assert_near(joint[11 * i], variance[i], 0, 1e-12 * scale);
        }
        gp_destroy(gp);
    }
    golden_clear(&golden);
}

static void golden_leave_one_out(void **state)
{
    (void)state;
    struct golden golden;
    golden_read(&golden);
    for (size_t row = 0; row < golden.cases.rows; row++) {
        struct gp *gp = make(family_of(test_csv_text(&golden.cases, row, "kernel")), &golden.train, true);
        double theta[7], mean[25], variance[25], bound = tolerance(&golden, row);
        case_theta(&golden, row, theta);
        assert_ok(gp_condition(gp, theta));
        assert_ok(gp_leave_one_out(gp, mean, variance));
        for (size_t i = 0; i < 25; i++) {
            assert_near(mean[i], exact(&golden, row, "loo_mean", i), bound, bound);
            assert_near(variance[i], exact(&golden, row, "loo_var_y", i), bound, 0);
        }
        gp_destroy(gp);
    }
    golden_clear(&golden);
}

static double quantity(const struct test_csv *csv, const char *problem, const char *name, const char *column)
{
    for (size_t r = 0; r < csv->rows; r++)
        if (!strcmp(test_csv_text(csv, r, "problem"), problem) && !strcmp(test_csv_text(csv, r, "quantity"), name))
            return test_csv_real(csv, r, column);
    fail_msg("no %s of %s", name, problem);
    return NAN;
}

static const char *const problems[] = {"map12_rbf",      "map12_matern52", "map25_rbf",
                                       "map25_matern52", "map60_rbf",      "map60_matern52"};

static void read_problem(const char *problem, struct data *data)
{
    char path[64];
    snprintf(path, sizeof path, "tests/golden/gp/%.5s.csv", problem);
    read_data(path, "y_standardised", data);
}

static void length_name(char *name, size_t size, const char *prefix, size_t j)
{
    snprintf(name, size, "%slengthscale%zu", prefix, j);
}

static void golden_log_posterior(void **state)
{
    (void)state;
    struct test_csv csv;
    test_csv_read("tests/golden/gp/map_objective_at_point.csv", true, &csv);
    for (size_t p = 0; p < sizeof problems / sizeof *problems; p++) {
        struct data data;
        struct gp_value value = {NAN, NAN};
        double theta[9] = {0}, gradient[9];
        char name[48];
        read_problem(problems[p], &data);
        for (size_t j = 0; j < data.features; j++) {
            length_name(name, sizeof name, "log_", j);
            theta[j] = quantity(&csv, problems[p], name, "value");
        }
        theta[data.features + 2] = quantity(&csv, problems[p], "log_noise", "value");
        theta[data.features + 3] = quantity(&csv, problems[p], "mean", "value");
        struct gp *gp = make(family_of(problems[p]), &data, false);
        assert_ok(gp_evaluate(gp, theta, &value, gradient));
        assert_near(value.log_posterior, quantity(&csv, problems[p], "log_posterior", "value"), 1e-12, 0);
        assert_near(value.log_likelihood, quantity(&csv, problems[p], "log_marginal_likelihood", "value"), 1e-12, 0);
        for (size_t j = 0; j < data.features; j++) {
            length_name(name, sizeof name, "log_", j);
            assert_near(gradient[j], quantity(&csv, problems[p], name, "gradient"), 1e-11, 1e-11);
        }
        assert_near(gradient[data.features + 2], quantity(&csv, problems[p], "log_noise", "gradient"), 1e-11, 1e-11);
        assert_near(gradient[data.features + 3], quantity(&csv, problems[p], "mean", "gradient"), 1e-11, 1e-11);
        gp_destroy(gp);
    }
    test_csv_clear(&csv);
}

/* The global optimum, on the problems where one start in four ends in another one too. L-BFGS stops at a relative
 * gradient of 1e-7: the value is then exact to about 1e-9, the place to about 1e-4. */
static void golden_fit(void **state)
{
    (void)state;
    struct test_csv csv;
    test_csv_read("tests/golden/gp/map_optimum.csv", true, &csv);
    for (size_t p = 0; p < sizeof problems / sizeof *problems; p++) {
        struct data data;
        struct gp_value value = {NAN, NAN};
        double theta[9] = {0};
        char name[48];
        read_problem(problems[p], &data);
        struct gp *gp = make(family_of(problems[p]), &data, false);
        struct rng rng = rng_create(1, 0, RANDOM_TEST, 0, 0);
        assert_ok(gp_fit(gp, &rng, 4, 200, theta, &value));
        assert_near(value.log_posterior, quantity(&csv, problems[p], "log_posterior", "value"), 0, 1e-7);
        for (size_t j = 0; j < data.features; j++) {
            length_name(name, sizeof name, "", j);
            assert_near(exp(theta[j]), quantity(&csv, problems[p], name, "value"), 1e-3, 0);
        }
        assert_near(exp(theta[data.features + 2]), quantity(&csv, problems[p], "noise", "value"), 1e-3, 0);
        assert_near(theta[data.features + 3], quantity(&csv, problems[p], "mean", "value"), 0, 1e-3);
        gp_destroy(gp);
    }
    test_csv_clear(&csv);
}

static void warm_climb_never_worsens(void **state)
{
    (void)state;
    struct data data;
    read_problem("map60_rbf", &data);
    struct gp *gp = make(KERNEL_RBF, &data, false);
    double theta[9] = {0, 0, 0, 0, 0, 0, 0, -4, 0};
    struct gp_value before, value;
    assert_ok(gp_evaluate(gp, theta, &before, NULL));
    for (int i = 0; i < 12; i++) {
        assert_ok(gp_climb(gp, theta, 3, &value));
        assert_true(value.log_posterior >= before.log_posterior);
        before = value;
    }
    gp_destroy(gp);
}

/* All extras at once: a category, the additive part, fitted scales, known noise. h = 1e-5 leaves about 1e-9 relative.
 */
static void gradient_against_differences(void **state)
{
    (void)state;
    static const bool category[3] = {false, false, true};
    struct data data;
    read_data("tests/golden/gp/data25.csv", "y", &data);
    double known[25];
    for (size_t i = 0; i < 25; i++) {
        data.x[50 + i] = floor(data.x[50 + i] * 3);
        known[i] = 0.01 * (double)(i % 4);
    }
    struct kernel kernel = {KERNEL_RBF, 3, category, true};
    struct gp_model model = gp_model_default(kernel);
    model.fit_scale = true;
    struct gp *gp = NULL;
    assert_ok(gp_create(&model, &gp));
    assert_ok(gp_set_data(gp, points_of(&data), 25, data.y, known, NULL));
    double theta[7] = {-1, 0.1, 0.4, -0.3, -0.9, -3.5, 0.2}, gradient[7];
    struct gp_value value;
    assert_ok(gp_evaluate(gp, theta, &value, gradient));
    for (size_t t = 0; t < 7; t++) {
        struct gp_value above, below;
        double middle = theta[t], h = 1e-5;
        theta[t] = middle + h;
        assert_ok(gp_evaluate(gp, theta, &above, NULL));
        theta[t] = middle - h;
        assert_ok(gp_evaluate(gp, theta, &below, NULL));
        theta[t] = middle;
        assert_near(gradient[t], (above.log_posterior - below.log_posterior) / (2 * h), 1e-6, 1e-6);
    }
    gp_destroy(gp);
}

static struct gp_model sparse_model(size_t features)
{
    struct gp_model model = gp_model_default((struct kernel){.family = KERNEL_RBF, .features = features});
    model.sparse = true;
    return model;
}

/* A few logarithms and exponentials per term: 1e-14 of the sum of their sizes. */
static void golden_sparse_prior(void **state)
{
    (void)state;
    static const char *const gradients[] = {"grad0", "grad1", "grad2"};
    static const char *const lengths[] = {"log_length0", "log_length1", "log_length2"};
    struct gp_model model = sparse_model(3);
    model.noise.sd = 0;
    struct test_csv csv;
    test_csv_read("tests/golden/gp/sparse_prior.csv", true, &csv);
    assert_int_equal(csv.rows, 6);
    assert_int_equal(gp_parameters(&model), 8);
    for (size_t r = 0; r < csv.rows; r++) {
        double theta[8] = {0}, gradient[8] = {0};
        for (size_t j = 0; j < 3; j++)
            theta[j] = test_csv_real(&csv, r, lengths[j]);
        theta[7] = test_csv_real(&csv, r, "log_tau");
        assert_near(gp_log_prior(&model, theta, gradient), test_csv_real(&csv, r, "log_prior"), 1e-14, 0);
        for (size_t j = 0; j < 3; j++)
            assert_near(gradient[j], test_csv_real(&csv, r, gradients[j]), 1e-13, 1e-14);
        assert_near(gradient[7], test_csv_real(&csv, r, "grad_tau"), 1e-13, 1e-14);
        for (size_t t = 3; t < 7; t++)
            assert_true(gradient[t] == 0);
    }
    test_csv_clear(&csv);
}

/* Of 30 features two matter: the fit finds them, and says so by the lengths. */
static void sparse_fit_finds_what_matters(void **state)
{
    (void)state;
    enum { COUNT = 60, WIDE = 30 };
    double x[WIDE * COUNT], y[COUNT], theta[WIDE + 5], gradient[WIDE + 5];
    struct gp_model model = sparse_model(WIDE);
    struct gp_value value;
    struct gp *gp = NULL;
    struct rng rng = rng_create(5, 0, RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < WIDE * COUNT; i++)
        x[i] = rng_unit(&rng);
    for (size_t i = 0; i < COUNT; i++)
        y[i] = 2 * sin(5 * x[7 * COUNT + i]) + 6 * pow(x[21 * COUNT + i] - 0.4, 2) - 0.5;
    assert_ok(gp_create(&model, &gp));
    assert_ok(gp_set_data(gp, (struct kernel_points){x, COUNT, COUNT}, COUNT, y, NULL, NULL));
    assert_ok(gp_fit(gp, &rng, 2, 40, theta, &value));
    for (size_t j = 0; j < WIDE; j++)
        if (j != 7 && j != 21) /* lengths are 4 times as long, inverse squares 16 times as small */
            assert_true(theta[j] > fmax(theta[7], theta[21]) + log(4));
    assert_ok(gp_evaluate(gp, theta, &value, gradient));
    for (size_t t = 0; t < WIDE + 5; t++) {
        struct gp_value above, below;
        double middle = theta[t], h = 1e-5;
        if (t == WIDE || t == WIDE + 1)
            continue; /* scales are not fitted here */
        theta[t] = middle + h;
        assert_ok(gp_evaluate(gp, theta, &above, NULL));
        theta[t] = middle - h;
        assert_ok(gp_evaluate(gp, theta, &below, NULL));
        theta[t] = middle;
        assert_near(gradient[t], (above.log_posterior - below.log_posterior) / (2 * h), 1e-4, 1e-4);
    }
    gp_destroy(gp);
}

/* A fit that looks at a part is the fit of that part; the posterior knows all. */
static void window(void **state)
{
    (void)state;
    struct data data;
    read_problem("map60_rbf", &data);
    double theta[9] = {0, 0, 0, 0, 0, 0, 0, -4, 0}, part[5 * 20], gradient[9], expected_gradient[9];
    struct gp_value value, expected;
    struct gp *gp = make(KERNEL_RBF, &data, false);
    struct gp *few = make(KERNEL_RBF, &data, false);
    for (size_t j = 0; j < data.features; j++)
        memcpy(part + j * 20, data.x + j * data.count + 11, 20 * sizeof *part);
    assert_ok(gp_set_data(few, (struct kernel_points){part, 20, 20}, 20, data.y + 11, NULL, NULL));
    gp_set_window(gp, (struct gp_span){11, 20});
    assert_ok(gp_evaluate(gp, theta, &value, gradient));
    assert_ok(gp_evaluate(few, theta, &expected, expected_gradient));
    assert_true(value.log_posterior == expected.log_posterior);
    assert_memory_equal(gradient, expected_gradient, (data.features + 4) * sizeof *gradient);
    gp_destroy(few);

    few = make(KERNEL_RBF, &data, false);
    double work[60 * 3], mean[3], variance[3], all_mean[3], all_variance[3];
    struct kernel_points x = {data.x, 3, data.count};
    assert_ok(gp_condition(gp, theta));
    assert_ok(gp_condition(few, theta));
    gp_posterior(gp, x, work, mean, variance);
    gp_posterior(few, x, work, all_mean, all_variance);
    assert_memory_equal(mean, all_mean, sizeof mean);
    assert_memory_equal(variance, all_variance, sizeof variance);
    gp_destroy(gp);
    gp_destroy(few);
}

/* A large window: the starts see a part, and what comes out is still near the optimum of all. */
static void coarse_fit(void **state)
{
    (void)state;
    enum { COUNT = 180 };
    double x[2 * COUNT], y[COUNT], theta[6], best[6];
    struct gp_model model = gp_model_default((struct kernel){.family = KERNEL_RBF, .features = 2});
    struct gp_value value, optimum;
    struct gp *gp = NULL;
    struct rng rng = rng_create(9, 0, RANDOM_TEST, 0, 0);
    for (size_t i = 0; i < COUNT; i++) {
        x[i] = rng_unit(&rng);
        x[COUNT + i] = rng_unit(&rng);
        y[i] = sin(6 * x[i]) + x[COUNT + i] + 0.1 * rng_normal(&rng);
    }
    assert_ok(gp_create(&model, &gp));
    assert_ok(gp_set_data(gp, (struct kernel_points){x, COUNT, COUNT}, COUNT, y, NULL, NULL));
    assert_ok(gp_fit(gp, &rng, 2, 40, theta, &value));
    assert_int_equal(gp_window(gp).count, COUNT);
    memcpy(best, theta, sizeof best);
    assert_ok(gp_climb(gp, best, 200, &optimum));
    assert_near(value.log_posterior, optimum.log_posterior, 0, 0.1);
    gp_destroy(gp);
}

/* Both stages together are gp_posterior(), to rounding; the first alone is a bound. */
static void posterior_in_stages(void **state)
{
    (void)state;
    enum { COUNT = 60, TESTS = 10, ROWS = 25 };
    struct data data;
    struct golden golden;
    read_problem("map60_rbf", &data);
    golden_read(&golden);
    double theta[9] = {0, 0, 0, 0, 0, 0, 0, -6, 0}, x[5 * TESTS], work[COUNT * TESTS], columns[COUNT * TESTS];
    double mean[TESTS], variance[TESTS], bound_mean[TESTS], bound[TESTS], completed[3] = {NAN, NAN, NAN};
    static const size_t chosen[3] = {7, 0, 4};
    struct gp *gp = make(KERNEL_RBF, &data, false);
    for (size_t i = 0; i < data.features * TESTS; i++)
        x[i] = golden.test.x[i % 30];
    struct kernel_points points = {x, TESTS, TESTS};
    assert_ok(gp_condition(gp, theta));
    gp_posterior(gp, points, work, mean, variance);
    gp_posterior_bound(gp, points, ROWS, work, bound_mean, bound);
    gp_posterior_complete(gp, ROWS, work, TESTS, chosen, 3, columns, completed);
    assert_memory_equal(mean, bound_mean, sizeof mean);
    for (size_t i = 0; i < TESTS; i++)
        assert_true(bound[i] >= variance[i]);
    for (size_t k = 0; k < 3; k++)
        assert_near(completed[k], variance[chosen[k]], 1e-9, 1e-12);
    gp_destroy(gp);
    golden_clear(&golden);
}

/* Awaited points leave the mean alone and give exactly the variance that observing their posterior means would give. */
static void awaited_points(void **state)
{
    (void)state;
    enum { OBSERVED = 20, TOTAL = 25, TESTS = 10 };
    struct golden golden;
    golden_read(&golden);
    double theta[7], work[TOTAL * TESTS], mean[TESTS], variance[TESTS], before[TESTS], wide[TESTS], fitted[TOTAL];
    case_theta(&golden, 0, theta);
    struct gp *gp = make(KERNEL_RBF, &golden.train, true);
    struct kernel_points few = {golden.train.x, OBSERVED, TOTAL};
    assert_ok(gp_set_data(gp, few, OBSERVED, golden.train.y, NULL, NULL));
    assert_ok(gp_condition(gp, theta));
    gp_posterior(gp, points_of(&golden.test), work, before, wide);

    assert_ok(gp_set_data(gp, points_of(&golden.train), OBSERVED, golden.train.y, NULL, NULL));
    assert_ok(gp_condition(gp, theta));
    gp_posterior(gp, points_of(&golden.test), work, mean, variance);
    gp_fitted(gp, fitted);
    for (size_t i = 0; i < TESTS; i++) {
        assert_near(mean[i], before[i], 1e-12, 1e-12);
        assert_true(variance[i] < wide[i]);
    }

    double filled[TOTAL], again[TOTAL];
    memcpy(filled, golden.train.y, sizeof filled);
    memcpy(filled + OBSERVED, fitted + OBSERVED, (TOTAL - OBSERVED) * sizeof *filled);
    assert_ok(gp_set_data(gp, points_of(&golden.train), TOTAL, filled, NULL, NULL));
    assert_ok(gp_condition(gp, theta));
    gp_posterior(gp, points_of(&golden.test), work, before, wide);
    gp_fitted(gp, again);
    for (size_t i = 0; i < TESTS; i++) {
        assert_near(mean[i], before[i], 1e-9, 1e-9);
        assert_near(variance[i], wide[i], 1e-9, 1e-12);
    }
    for (size_t i = 0; i < TOTAL; i++)
        assert_near(again[i], fitted[i], 0, 1e-9);
    gp_destroy(gp);
    golden_clear(&golden);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(golden_likelihood),
        cmocka_unit_test(golden_posterior),
        cmocka_unit_test(golden_leave_one_out),
        cmocka_unit_test(golden_log_posterior),
        cmocka_unit_test(golden_fit),
        cmocka_unit_test(warm_climb_never_worsens),
        cmocka_unit_test(gradient_against_differences),
        cmocka_unit_test(golden_sparse_prior),
        cmocka_unit_test(sparse_fit_finds_what_matters),
        cmocka_unit_test(window),
        cmocka_unit_test(coarse_fit),
        cmocka_unit_test(posterior_in_stages),
        cmocka_unit_test(awaited_points),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
