/* optim/acquisition: against figures at 60 and more digits (tests/golden/acq) and by properties. */
#include "support/test.h"

#include "base/rng.h"
#include "optim/acquisition.h"
#include "optim/pareto.h"

/* erfcx and log are good to a few units in the last place; between -30 and -1 the value h/phi loses up to u^2 units,
 * 900 * 2.2e-16 = 2e-13, which its logarithm shows as an absolute error and the slope as a relative one. */
static void golden_log_h(void **state)
{
    (void)state;
    struct test_csv csv;
    test_csv_read("tests/golden/acq/log_h.csv", true, &csv);
    assert_int_equal(csv.rows, 60);
    for (size_t i = 0; i < csv.rows; i++) {
        double slope = NAN, value = acquisition_log_h(test_csv_real(&csv, i, "u"), &slope);
        assert_near(value, test_csv_real(&csv, i, "log_h"), 1e-15, 4e-15);
        assert_near(slope, test_csv_real(&csv, i, "dlog_h_du"), 5e-13, 0);
        assert_true(value == acquisition_log_h(test_csv_real(&csv, i, "u"), NULL));
        double plain = test_csv_real(&csv, i, "u");
        acquisition_h(&plain, 1);
        if (value > -700) /* exp turns the logarithm's rounding into a relative error of its size */
            assert_near(plain, exp(value), 1e-15 * (4 + fabs(value)), 0);
        else
            assert_true(plain >= 0 && plain < 1e-300);
    }
    test_csv_clear(&csv);
}

/* Every length of a piece's end gives the same bits, and nothing beyond it changes. */
static void many_at_once(void **state)
{
    (void)state;
    enum { COUNT = 150 };
    double whole[COUNT], part[COUNT + 1];
    for (size_t i = 0; i < COUNT; i++)
        whole[i] = 0.3 * (double)i - 35;
    acquisition_h(whole, COUNT);
    for (size_t count = 0; count <= COUNT; count += 29) {
        for (size_t i = 0; i <= COUNT; i++)
            part[i] = 0.3 * (double)i - 35;
        acquisition_h(part, count);
        assert_memory_equal(part, whole, count * sizeof *part);
        assert_true(part[count] == 0.3 * (double)count - 35);
    }
}

static void branches_meet(void **state)
{
    (void)state;
    static const double joints[] = {-1, -30};
    for (size_t i = 0; i < 2; i++) {
        double below_slope, above_slope, u = joints[i];
        double below = acquisition_log_h(nextafter(u, -INFINITY), &below_slope);
        double above = acquisition_log_h(nextafter(u, INFINITY), &above_slope);
        assert_near(above, below, 0, 1e-12);
        assert_near(above_slope, below_slope, 1e-12, 0);
    }
}

static void golden_log_ei(void **state)
{
    (void)state;
    struct test_csv csv;
    test_csv_read("tests/golden/acq/log_ei.csv", true, &csv);
    assert_int_equal(csv.rows, 20);
    for (size_t i = 0; i < csv.rows; i++) {
        double by_mu = NAN, by_sigma = NAN;
        double value = acquisition_log_ei(test_csv_real(&csv, i, "mu"), test_csv_real(&csv, i, "sigma"),
                                          test_csv_real(&csv, i, "best"), &by_mu, &by_sigma);
        assert_near(value, test_csv_real(&csv, i, "log_ei"), 1e-14, 1e-14);
        assert_near(by_mu, test_csv_real(&csv, i, "dlog_ei_dmu"), 1e-12, 0);
        assert_near(by_sigma, test_csv_real(&csv, i, "dlog_ei_dsigma"), 1e-11, 0);
    }
    test_csv_clear(&csv);
}

static const char *const y_columns[] = {"y0", "y1", "y2"};
static const char *const reference_columns[] = {"ref0", "ref1", "ref2"};
static const char *const mu_columns[] = {"mu0", "mu1", "mu2"};
static const char *const sigma_columns[] = {"sigma0", "sigma1", "sigma2"};

static struct boxes *read_front(size_t objectives, double front, size_t open)
{
    char path[64];
    struct test_csv points, references;
    double rows[3 * 40], reference[3];
    size_t count = 0;
    struct boxes *boxes = NULL;
    snprintf(path, sizeof path, "tests/golden/acq/fronts%zu.csv", objectives);
    test_csv_read(path, true, &points);
    snprintf(path, sizeof path, "tests/golden/acq/fronts%zu_ref.csv", objectives);
    test_csv_read(path, true, &references);
    for (size_t i = 0; i < points.rows; i++) {
        if (test_csv_real(&points, i, "front") != front)
            continue;
        for (size_t j = 0; j < objectives; j++)
            rows[count * objectives + j] = test_csv_real(&points, i, y_columns[j]);
        count++;
    }
    for (size_t j = 0; j < objectives; j++)
        reference[j] = test_csv_real(&references, (size_t)front, reference_columns[j]);
    assert_true(count > 2);
    assert_ok(boxes_create(rows, count, objectives, reference, open, &boxes));
    test_csv_clear(&points);
    test_csv_clear(&references);
    return boxes;
}

/* A box that is bounded in an objective takes a difference of two expectations, each good to about 1e-14 relative (in
 * units of a logarithm's size, up to some hundred); boxes between close levels lose a few digits more. */
static void golden_ehvi(void **state)
{
    (void)state;
    for (size_t objectives = 2; objectives <= 3; objectives++) {
        char path[64];
        struct test_csv csv;
        snprintf(path, sizeof path, "tests/golden/acq/ehvi%zu.csv", objectives);
        test_csv_read(path, true, &csv);
        for (size_t i = 0; i < csv.rows; i++) {
            for (size_t open = 0; open < objectives; open++) {
                double mu[3], sigma[3], expected = test_csv_real(&csv, i, "ehvi_exact");
                for (size_t j = 0; j < objectives; j++) {
                    mu[j] = test_csv_real(&csv, i, mu_columns[j]);
                    sigma[j] = test_csv_real(&csv, i, sigma_columns[j]);
                }
                struct boxes *boxes = read_front(objectives, test_csv_real(&csv, i, "front"), open);
                assert_near(boxes_log_ehvi(boxes, mu, sigma), log(expected), 1e-14, 1e-11);
                boxes_destroy(boxes);
            }
        }
        test_csv_clear(&csv);
    }
}

static void golden_ehvi_one_exact(void **state)
{
    (void)state;
    struct test_csv csv;
    test_csv_read("tests/golden/acq/ehvi_exact2.csv", true, &csv);
    assert_int_equal(csv.rows, 20);
    for (size_t i = 0; i < csv.rows; i++) {
        double mu[2] = {test_csv_real(&csv, i, "mu0"), test_csv_real(&csv, i, "y1_exact")};
        double sigma[2] = {test_csv_real(&csv, i, "sigma0"), 0}, expected = test_csv_real(&csv, i, "log_ehvi");
        struct boxes *boxes = read_front(2, test_csv_real(&csv, i, "front"), 0);
        double value = boxes_log_ehvi(boxes, mu, sigma), coarse = boxes_log_ehvi_coarse(boxes, mu, sigma);
        assert_true(value > log(1e-200) ? coarse == value : coarse == -INFINITY);
        if (test_csv_real(&csv, i, "ehvi") == 0 && test_csv_real(&csv, i, "steps") == 0)
            assert_true(value == -INFINITY);
        else
            assert_near(value, expected, 1e-13, 1e-13);
        boxes_destroy(boxes);
    }
    test_csv_clear(&csv);
}

/* With every objective exact the value is the gain in hypervolume, 1 to 4 objectives, against pareto_hypervolume(). */
static void all_exact(void **state)
{
    (void)state;
    enum { COUNT = 12 };
    struct rng rng = rng_create(9, 0, RANDOM_TEST, 0, 0);
    const double reference[4] = {0.1, 0.1, 0.1, 0.1}, sigma[4] = {0};
    for (size_t objectives = 1; objectives <= 4; objectives++) {
        for (int repeat = 0; repeat < 25; repeat++) {
            double points[(COUNT + 1) * 4], before = NAN, after = NAN;
            struct boxes *boxes = NULL;
            for (size_t i = 0; i < (COUNT + 1) * objectives; i++)
                points[i] = 0.1 * rng_below(&rng, 10); /* ties, and points below the reference */
            double *extra = points + COUNT * objectives;
            assert_ok(pareto_hypervolume(points, COUNT, objectives, reference, &before));
            assert_ok(pareto_hypervolume(points, COUNT + 1, objectives, reference, &after));
            size_t open = (size_t)repeat % objectives;
            assert_ok(boxes_create(points, COUNT, objectives, reference, open, &boxes));
            assert_near(exp(boxes_log_ehvi(boxes, extra, sigma)), after - before, 0, 1e-14);
            boxes_destroy(boxes);
        }
    }
}

/* Four modelled objectives against sampling: five standard errors. */
static void four_objectives_by_sampling(void **state)
{
    (void)state;
    enum { COUNT = 6, SAMPLES = 20000 };
    struct rng rng = rng_create(10, 0, RANDOM_TEST, 0, 0);
    const double reference[4] = {0}, mu[4] = {0.5, 0.6, 0.4, 0.5}, sigma[4] = {0.2, 0.3, 0.2, 0.1};
    double points[(COUNT + 1) * 4], before = NAN, sum = 0, squares = 0;
    struct boxes *boxes = NULL;
    for (size_t i = 0; i < COUNT * 4; i++)
        points[i] = rng_unit(&rng);
    assert_ok(pareto_hypervolume(points, COUNT, 4, reference, &before));
    for (int s = 0; s < SAMPLES; s++) {
        double after = NAN;
        for (size_t j = 0; j < 4; j++)
            points[COUNT * 4 + j] = mu[j] + sigma[j] * rng_normal(&rng);
        assert_ok(pareto_hypervolume(points, COUNT + 1, 4, reference, &after));
        sum += after - before;
        squares += (after - before) * (after - before);
    }
    double mean = sum / SAMPLES, error = sqrt((squares / SAMPLES - mean * mean) / SAMPLES);
    assert_ok(boxes_create(points, COUNT, 4, reference, 2, &boxes));
    assert_near(exp(boxes_log_ehvi(boxes, mu, sigma)), mean, 0, 5 * error);
    boxes_destroy(boxes);
}

/* The derivatives of log EHVI against central differences, 1 to 4 objectives, none or one of them exact, near the front
 * and far below it where only logarithms are left. A difference over 2e-5 errs by 1e-10 relative to the third
 * derivative, which grows like the square of the distance in deviations, and by 1e-16 / 1e-5 times the value. */
static void slopes_against_differences(void **state)
{
    (void)state;
    enum { COUNT = 8 };
    struct rng rng = rng_create(12, 0, RANDOM_TEST, 0, 0);
    const double reference[4] = {0}, step = 1e-5;
    for (int repeat = 0; repeat < 120; repeat++) {
        size_t objectives = 1 + (size_t)repeat % 4;
        bool far = repeat % 3 == 2, exact = objectives > 1 && repeat % 5 == 4;
        double points[COUNT * 4], mu[4], sigma[4], by_mu[4] = {NAN, NAN, NAN, NAN}, by_sigma[4];
        struct boxes *boxes = NULL;
        for (size_t i = 0; i < COUNT * objectives; i++)
            points[i] = rng_unit(&rng);
        for (size_t j = 0; j < objectives; j++) {
            mu[j] = rng_unit(&rng) - (far ? 2 : 0);
            sigma[j] = 0.05 + 0.3 * rng_unit(&rng);
        }
        if (exact) {
            sigma[objectives - 1] = 0;
            mu[objectives - 1] = 0.5;
        }
        assert_ok(boxes_create(points, COUNT, objectives, reference, 0, &boxes));
        double value = boxes_log_ehvi_slope(boxes, mu, sigma, by_mu, by_sigma);
        assert_near(value, boxes_log_ehvi(boxes, mu, sigma), 1e-9, 1e-9);
        for (size_t j = 0; j < 2 * objectives; j++) {
            double *at = j < objectives ? &mu[j] : &sigma[j - objectives], kept = *at;
            double slope = j < objectives ? by_mu[j] : by_sigma[j - objectives];
            if (j >= objectives && sigma[j - objectives] <= 0) {
                assert_true(slope == 0);
                continue;
            }
            *at = kept + step;
            double above = boxes_log_ehvi(boxes, mu, sigma);
            *at = kept - step;
            double below = boxes_log_ehvi(boxes, mu, sigma);
            *at = kept;
            assert_near(slope, (above - below) / (2 * step), 1e-5, 1e-5);
        }
        boxes_destroy(boxes);
    }
}

/* Members of a front that differ in the last places only, seen from far below, where expectations above both levels are
 * rounded to the wrong order now and then: such a box counts as nothing, and the value is that without one of the two.
 * The logarithms, down to -5000, are rounded to 1e-12; levels that differ by 1e-15 move them by 1e-10 at most. */
static void levels_next_to_each_other(void **state)
{
    (void)state;
    struct rng rng = rng_create(13, 0, RANDOM_TEST, 0, 0);
    const double reference[2] = {0};
    for (int repeat = 0; repeat < 4000; repeat++) {
        double level = 0.1 + 0.8 * rng_unit(&rng), next = level, by_mu[2] = {NAN, NAN}, by_sigma[2] = {NAN, NAN};
        double mu[2] = {-3 - 2 * rng_unit(&rng), -3 - 2 * rng_unit(&rng)};
        double sigma[2] = {0.05 + 0.1 * rng_unit(&rng), 0.05 + 0.1 * rng_unit(&rng)};
        for (uint32_t places = 1 + rng_below(&rng, 8); places > 0; places--)
            next = nextafter(next, 2);
        const double points[] = {0.95, 0.05, 0.9, level, 0.5, next};
        struct boxes *boxes = NULL, *without = NULL;
        assert_ok(boxes_create(points, 3, 2, reference, 0, &boxes));
        assert_ok(boxes_create(points, 2, 2, reference, 0, &without));
        double value = boxes_log_ehvi_slope(boxes, mu, sigma, by_mu, by_sigma);
        assert_near(value, boxes_log_ehvi(boxes, mu, sigma), 0, 0);
        assert_near(value, boxes_log_ehvi(without, mu, sigma), 0, 1e-9);
        for (size_t j = 0; j < 2; j++)
            assert_true(isfinite(by_mu[j]) && isfinite(by_sigma[j]));
        boxes_destroy(boxes);
        boxes_destroy(without);
    }
}

static void empty_front_and_one_objective(void **state)
{
    (void)state;
    const double reference[2] = {0.5, -1}, mu[2] = {0.2, 3}, sigma[2] = {0.4, 0};
    struct boxes *boxes = NULL;
    assert_ok(boxes_create(NULL, 0, 2, reference, 0, &boxes));
    assert_int_equal(boxes_count(boxes), 1);
    assert_near(boxes_log_ehvi(boxes, mu, sigma), acquisition_log_ei(0.2, 0.4, 0.5, NULL, NULL) + log(4), 1e-14, 0);
    boxes_destroy(boxes);
    const double front[3] = {0.7, 0.9, 0.1};
    assert_ok(boxes_create(front, 3, 1, reference, 0, &boxes));
    assert_near(boxes_log_ehvi(boxes, mu, sigma), acquisition_log_ei(0.2, 0.4, 0.9, NULL, NULL), 1e-14, 0);
    boxes_destroy(boxes);
    assert_int_equal(boxes_create(front, 1, 5, reference, 0, &boxes), NR_INVALID);
    assert_int_equal(boxes_create(front, 1, 2, reference, 2, &boxes), NR_INVALID);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(golden_log_h),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(branches_meet),
        cmocka_unit_test(golden_log_ei),
        cmocka_unit_test(golden_ehvi),
        cmocka_unit_test(golden_ehvi_one_exact),
        cmocka_unit_test(all_exact),
        cmocka_unit_test(four_objectives_by_sampling),
        cmocka_unit_test(slopes_against_differences),
        cmocka_unit_test(levels_next_to_each_other),
        cmocka_unit_test(empty_front_and_one_objective),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
