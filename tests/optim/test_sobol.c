/* optim/sobol: the unscrambled points against golden figures, the scrambling by its properties. */
#include "support/test.h"

#include "optim/sobol.h"

static struct sobol *make(size_t dimensions, uint64_t seed)
{
    struct sobol *sobol = NULL;
    assert_ok(sobol_create(dimensions, seed, &sobol));
    return sobol;
}

static void check_block(const char *path, uint32_t first, size_t rows)
{
    struct test_csv csv;
    test_csv_read(path, false, &csv);
    assert_int_equal(csv.rows, rows);
    assert_int_equal(csv.columns, 16);
    struct sobol *sobol = make(16, 1);
    for (size_t i = 0; i < rows; i++) {
        uint32_t bits[16];
        sobol_bits(sobol, first + (uint32_t)i, bits);
        for (size_t d = 0; d < 16; d++)
            assert_int_equal(bits[d], strtoul(csv.cell[i][d], NULL, 10));
    }
    sobol_destroy(sobol);
    test_csv_clear(&csv);
}

static void golden_points(void **state)
{
    (void)state;
    check_block("tests/golden/sobol/points_16x64.csv", 0, 64);
    check_block("tests/golden/sobol/points_16_at_1000000.csv", 1000000, 4);
}

static void golden_dimensions(void **state)
{
    (void)state;
    static const struct {
        uint32_t index;
        const char *column;
    } points[] = {{1, "point_1"}, {12345, "point_12345"}, {65535, "point_65535"}};
    struct test_csv csv;
    test_csv_read("tests/golden/sobol/points_1111.csv", true, &csv);
    assert_int_equal(csv.rows, SOBOL_DIMENSIONS);
    struct sobol *sobol = make(SOBOL_DIMENSIONS, 1);
    for (size_t p = 0; p < 3; p++) {
        uint32_t bits[SOBOL_DIMENSIONS];
        sobol_bits(sobol, points[p].index, bits);
        for (size_t d = 0; d < SOBOL_DIMENSIONS; d++)
            assert_true((double)bits[d] == test_csv_real(&csv, d, points[p].column));
    }
    sobol_destroy(sobol);
    test_csv_clear(&csv);
}

/* Scrambling keeps the net: of the first 2^m points each dyadic interval of length 2^-m holds exactly one, in every
 * dimension, and in dimensions 1 and 2 together each elementary box of area 2^-m. */
static void scrambling_keeps_the_net(void **state)
{
    (void)state;
    enum { M = 6, COUNT = 1 << M, DIMENSIONS = 5 };
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct sobol *sobol = make(DIMENSIONS, seed);
        bool single[DIMENSIONS][COUNT] = {{false}}, box[M + 1][COUNT] = {{false}};
        for (uint32_t i = 0; i < COUNT; i++) {
            double unit[DIMENSIONS];
            sobol_point(sobol, i, unit);
            for (size_t d = 0; d < DIMENSIONS; d++) {
                assert_true(unit[d] > 0 && unit[d] < 1);
                size_t cell = (size_t)(unit[d] * COUNT);
                assert_false(single[d][cell]);
                single[d][cell] = true;
            }
            for (int a = 0; a <= M; a++) {
                size_t cell = (size_t)(unit[0] * (1 << a)) << (M - a) | (size_t)(unit[1] * (1 << (M - a)));
                assert_false(box[a][cell]);
                box[a][cell] = true;
            }
        }
        sobol_destroy(sobol);
    }
}

static void scrambling_depends_on_the_seed(void **state)
{
    (void)state;
    struct sobol *a = make(3, 7), *b = make(3, 7), *c = make(3, 8);
    size_t equal = 0;
    for (uint32_t i = 0; i < 50; i++) {
        double x[3], y[3], z[3];
        sobol_point(a, i, x);
        sobol_point(b, i, y);
        sobol_point(c, i, z);
        assert_memory_equal(x, y, sizeof x);
        for (size_t d = 0; d < 3; d++)
            equal += x[d] == z[d];
    }
    assert_true(equal < 3);
    sobol_destroy(a);
    sobol_destroy(b);
    sobol_destroy(c);
}

/* Over seeds every single point is uniform: mean 1/2 within five standard errors, 5 / sqrt(12 * 400) = 0.072. */
static void scrambled_point_is_uniform(void **state)
{
    (void)state;
    double sum = 0, low = 1, high = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct sobol *sobol = make(2, seed);
        double unit[2];
        sobol_point(sobol, 3, unit);
        sum += unit[1];
        low = fmin(low, unit[1]);
        high = fmax(high, unit[1]);
        sobol_destroy(sobol);
    }
    assert_near(sum / 400, 0.5, 0, 0.072);
    assert_true(low < 0.05 && high > 0.95);
}

static void more_dimensions_than_the_table(void **state)
{
    (void)state;
    enum { DIMENSIONS = SOBOL_DIMENSIONS + 5 };
    static double first[DIMENSIONS], second[DIMENSIONS];
    struct sobol *sobol = make(DIMENSIONS, 1);
    sobol_point(sobol, 0, first);
    sobol_point(sobol, 1, second);
    for (size_t d = SOBOL_DIMENSIONS; d < DIMENSIONS; d++) {
        assert_true(first[d] > 0 && first[d] < 1);
        assert_true(first[d] != second[d] && first[d] != first[d - 1]);
    }
    sobol_destroy(sobol);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(golden_points),
        cmocka_unit_test(golden_dimensions),
        cmocka_unit_test(scrambling_keeps_the_net),
        cmocka_unit_test(scrambling_depends_on_the_seed),
        cmocka_unit_test(scrambled_point_is_uniform),
        cmocka_unit_test(more_dimensions_than_the_table),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
