/* optim/pareto: fronts by brute force, hypervolumes against golden figures and by properties. */
#include "support/test.h"

#include "base/rng.h"
#include "optim/pareto.h"

static void dominance(void **state)
{
    (void)state;
    static const double a[] = {1, 2}, b[] = {1, 1}, c[] = {2, 1}, nan[] = {NAN, 0};
    assert_true(pareto_dominates(a, b, 2));
    assert_false(pareto_dominates(b, a, 2));
    assert_false(pareto_dominates(a, c, 2));
    assert_false(pareto_dominates(a, a, 2));
    assert_false(pareto_dominates(a, nan, 2));
    assert_false(pareto_dominates(nan, a, 2));
}

static void front_of_few(void **state)
{
    (void)state;
    static const double points[][2] = {{1, 3}, {2, 2}, {NAN, 9}, {2, 2}, {1, 2}, {3, 1}, {3, 0}};
    size_t front[7];
    assert_int_equal(pareto_front(*points, 7, 2, front), 3);
    assert_int_equal(front[0], 5);
    assert_int_equal(front[1], 1); /* the first of two equal points */
    assert_int_equal(front[2], 0);
    assert_int_equal(pareto_front(*points, 0, 2, front), 0);
}

/* Coarse values make ties and duplicates frequent. */
static void front_against_brute_force(void **state)
{
    (void)state;
    enum { COUNT = 60 };
    struct rng rng = rng_create(1, 0, RANDOM_TEST, 0, 0);
    for (size_t objectives = 1; objectives <= 4; objectives++) {
        for (int repeat = 0; repeat < 20; repeat++) {
            double points[COUNT * 4];
            size_t front[COUNT];
            bool member[COUNT] = {false};
            for (size_t i = 0; i < COUNT * objectives; i++)
                points[i] = rng_below(&rng, 8);
            size_t members = pareto_front(points, COUNT, objectives, front);
            for (size_t k = 0; k < members; k++) {
                member[front[k]] = true;
                assert_true(k == 0 || points[front[k - 1] * objectives] >= points[front[k] * objectives]);
            }
            for (size_t i = 0; i < COUNT; i++) {
                bool expected = true;
                for (size_t k = 0; k < COUNT; k++) {
                    const double *a = points + k * objectives, *b = points + i * objectives;
                    bool earlier_equal = k < i && !memcmp(a, b, objectives * sizeof *a);
                    expected &= !pareto_dominates(a, b, objectives) && !earlier_equal;
                }
                assert_int_equal(member[i], expected);
            }
        }
    }
}

static size_t read_set(const struct test_csv *csv, size_t set, size_t objectives, double *points)
{
    static const char *const columns[] = {"y0", "y1", "y2", "y3"};
    size_t count = 0;
    for (size_t row = 0; row < csv->rows; row++) {
        if (test_csv_real(csv, row, "set") != (double)set)
            continue;
        for (size_t j = 0; j < objectives; j++)
            points[count * objectives + j] = test_csv_real(csv, row, columns[j]);
        count++;
    }
    return count;
}

/* The grid's value comes from sums of up to some thousand cells in double: 1e-13 relative is their rounding. */
static void golden_hypervolumes(void **state)
{
    (void)state;
    static const char *const columns[] = {"ref0", "ref1", "ref2", "ref3"};
    struct test_csv sets, points;
    test_csv_read("tests/golden/acq/hypervolumes.csv", true, &sets);
    test_csv_read("tests/golden/acq/hv_points.csv", true, &points);
    assert_int_equal(sets.rows, 21);
    for (size_t row = 0; row < sets.rows; row++) {
        size_t objectives = (size_t)test_csv_real(&sets, row, "objectives");
        double values[4 * 200], reference[4], volume = NAN;
        size_t count = read_set(&points, (size_t)test_csv_real(&sets, row, "set"), objectives, values);
        assert_true((double)count == test_csv_real(&sets, row, "points"));
        for (size_t j = 0; j < objectives; j++)
            reference[j] = test_csv_real(&sets, row, columns[j]);
        assert_ok(pareto_hypervolume(values, count, objectives, reference, &volume));
        assert_near(volume, test_csv_real(&sets, row, "hypervolume_cells"), 1e-13, 0);
    }
    test_csv_clear(&sets);
    test_csv_clear(&points);
}

/* A constant last objective turns m objectives into m - 1. */
static void prisms(void **state)
{
    (void)state;
    enum { COUNT = 30 };
    static const double reference[4] = {0.1, 0.2, 0, -1};
    struct rng rng = rng_create(2, 0, RANDOM_TEST, 0, 0);
    double flat[COUNT * 3], tall[COUNT * 4], area = NAN, volume = NAN;
    for (size_t objectives = 1; objectives <= 3; objectives++) {
        for (size_t i = 0; i < COUNT; i++) {
            for (size_t j = 0; j < objectives; j++)
                flat[i * objectives + j] = tall[i * (objectives + 1) + j] = rng_unit(&rng);
            tall[i * (objectives + 1) + objectives] = reference[objectives] + 2.5;
        }
        assert_ok(pareto_hypervolume(flat, COUNT, objectives, reference, &area));
        assert_ok(pareto_hypervolume(tall, COUNT, objectives + 1, reference, &volume));
        assert_true(area > 0.1);
        assert_near(volume, 2.5 * area, 1e-13, 0);
    }
}

static void hypervolume_corner_cases(void **state)
{
    (void)state;
    static const double points[] = {1, 1, NAN, 5, 2, NAN, 0, 7}, reference[2] = {0, 0};
    double volume = NAN;
    assert_ok(pareto_hypervolume(points, 4, 2, reference, &volume));
    assert_near(volume, 1, 0, 0); /* NaN and points on the reference's edge count nothing */
    assert_ok(pareto_hypervolume(points, 0, 2, reference, &volume));
    assert_near(volume, 0, 0, 0);
    assert_int_equal(pareto_hypervolume(points, 1, 5, reference, &volume), NR_INVALID);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(dominance),
        cmocka_unit_test(front_of_few),
        cmocka_unit_test(front_against_brute_force),
        cmocka_unit_test(golden_hypervolumes),
        cmocka_unit_test(prisms),
        cmocka_unit_test(hypervolume_corner_cases),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
