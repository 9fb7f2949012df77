/* space/point: the unit cube, canonical points, text. Mostly properties over random points of random dimensions. */
#include "support/test.h"

#include "base/rng.h"
#include "base/text.h"
#include "space/space.h"

enum { MOST_DIMENSIONS = 32, POINTS = 3000 };

static void make_space(const char *const declarations[][2], size_t count, struct space *space)
{
    struct log *log = test_log();
    nr_status status = NR_OK;
    *space = (struct space){0};
    for (size_t i = 0; i < count && status == NR_OK; i++)
        status = space_add(space, declarations[i][0], declarations[i][1], "test.ini", (int)i + 1, log);
    if (status == NR_OK)
        status = space_complete(space, log);
    if (status != NR_OK)
        print_error("%s", log_text(log));
    assert_ok(status);
    assert_true(space->count <= MOST_DIMENSIONS);
    log_destroy(log);
}

#define MAKE_SPACE(declarations, space)                                                                                \
    make_space((declarations), sizeof(declarations) / sizeof *(declarations), (space))

static void assert_same_bits(const struct space *space, const double *got, const double *expected, const char *what)
{
    for (size_t d = 0; d < space->count; d++) {
        if (memcmp(&got[d], &expected[d], sizeof *got) == 0)
            continue;
        print_error("%s: %s (%s) is %.17g, expected %.17g\n", what, space->dimension[d].name, space->dimension[d].text,
                    got[d], expected[d]);
        fail();
    }
}

static void check_round_trips(const struct space *space, const double *point)
{
    double again[MOST_DIMENSIONS], unit[MOST_DIMENSIONS];
    memcpy(again, point, sizeof again);
    point_canonicalise(space, again);
    assert_same_bits(space, again, point, "canonical again");

    point_to_unit(space, point, unit);
    for (size_t d = 0; d < space->count; d++) {
        assert_true(unit[d] >= 0 && unit[d] <= 1);
        if (isnan(point[d]))
            assert_true(unit[d] == 0.5);
    }
    for (size_t d = 0; d < space->count; d++)
        again[d] = -12345;
    point_from_unit(space, unit, again);
    assert_same_bits(space, again, point, "through the unit cube");
    assert_true(point_equal(space, again, point));

    struct text text = {0};
    struct log *log = test_log();
    point_append_text(space, point, &text);
    nr_status status = point_parse(space, text.data ? text.data : "", log, again);
    if (status != NR_OK)
        print_error("%s: %s", text.data, log_text(log));
    assert_ok(status);
    assert_same_bits(space, again, point, text.data);
    text_clear(&text);
    log_destroy(log);
}

static void check_range(const struct space *space, const double *point)
{
    for (size_t d = 0; d < space->count; d++) {
        const struct dimension *dimension = &space->dimension[d];
        if (isnan(point[d])) {
            assert_non_null(dimension->condition);
            continue;
        }
        assert_false(point[d] == 0 && signbit(point[d]));
        if (dimension->levels)
            assert_true(point[d] >= 0 && point[d] < (double)dimension->levels && point[d] == floor(point[d]));
        else
            assert_true(point[d] >= dimension->low && point[d] <= dimension->high);
        if (dimension->kind == DIM_INT)
            assert_true(point[d] == floor(point[d]));
    }
}

static void check_space(const struct space *space, uint32_t stream)
{
    struct rng rng = rng_create(1, 0, RANDOM_TEST, stream, 0);
    double unit[MOST_DIMENSIONS], point[MOST_DIMENSIONS];
    for (int i = 0; i < POINTS; i++) {
        for (size_t d = 0; d < space->count; d++) /* corners and edges now and then */
            unit[d] = rng_below(&rng, 8) ? rng_unit(&rng) : (double)rng_below(&rng, 2);
        point_from_unit(space, unit, point);
        check_range(space, point);
        check_round_trips(space, point);
    }
}

static void round_trips(void **state)
{
    (void)state;
    static const char *const declarations[][2] = {
        {"hidden", "int 16..128 log"},
        {"one", "int 7..7"},
        {"big", "int 1..1000000000 log"},
        {"wide", "int -1000000000..1000000000"},
        {"rate", "real 1e-4..1e-2 log"},
        {"tiny", "real 1e-12..1e30 log"},
        {"dropout", "real 0..0.5"},
        {"offset", "real -1..1"},
        {"far", "real 1000000..1000000.001"},
        {"third", "real 0.3333333333333333..0.6666666666666666"},
        {"point", "real 0.25..0.25"},
        {"momentum", "real 0.8..0.99 step 0.01 if optimizer = sgd"},
        {"thirds", "real 0..1 step 0.3333333333333333"},
        {"optimizer", "choice sgd, adam"},
        {"batch", "ordered 32, 64, 128"},
        {"grid", "int 16..128 step 16"},
        {"norm", "bool if batch > 32"},
        {"decay", "fixed 5e-4"},
        {"blocks", "int 0..3"},
        {"width[blocks]", "int 8..64 log"},
        {"deep[blocks]", "bool if norm = yes"},
    };
    struct space space;
    MAKE_SPACE(declarations, &space);
    check_space(&space, 0);
    space_clear(&space);
}

/* Bounds at random over many magnitudes. */
static void round_trips_of_random_ranges(void **state)
{
    (void)state;
    struct rng rng = rng_create(1, 0, RANDOM_TEST, 1, 0);
    for (uint32_t i = 0; i < 300; i++) {
        char declaration[4][128];
        double low = exp(40 * rng_unit(&rng) - 25), high = low * (1 + exp(20 * rng_unit(&rng) - 12));
        double centre = rng_normal(&rng) * exp(30 * rng_unit(&rng) - 15), span = exp(40 * rng_unit(&rng) - 25);
        uint32_t from = 1 + rng_below(&rng, 1000), to = from + rng_below(&rng, 100000000);
        snprintf(declaration[0], sizeof *declaration, "real %.17g..%.17g log", low, high);
        snprintf(declaration[1], sizeof *declaration, "real %.17g..%.17g", centre, centre + span);
        snprintf(declaration[2], sizeof *declaration, "int %u..%u log", from, to);
        snprintf(declaration[3], sizeof *declaration, "real %.17g..%.17g step %.17g", centre, centre + span,
                 fmax(span * rng_unit(&rng), span * 2e-6));
        if (centre + span == centre) /* the step would be below the rounding */
            continue;
        struct space space = {0};
        static const char *const names[] = {"a", "b", "c", "d"};
        for (size_t d = 0; d < 4; d++)
            if (d < 3 || span > 1e-9 * fabs(centre))
                assert_ok(space_add(&space, names[d], declaration[d], "test.ini", 1, NULL));
        assert_ok(space_complete(&space, NULL));
        double unit[4], point[MOST_DIMENSIONS];
        for (int k = 0; k < 300; k++) {
            for (size_t d = 0; d < 4; d++)
                unit[d] = k < 2 ? k : rng_unit(&rng);
            point_from_unit(&space, unit, point);
            check_range(&space, point);
            check_round_trips(&space, point);
        }
        space_clear(&space);
    }
}

/* A dimension of k values cuts [0,1] into k equal parts; the ends are reached by 0 and 1. */
static void equal_parts(void **state)
{
    (void)state;
    static const char *const declarations[] = {"int 1..4",
                                               "int -3..3",
                                               "ordered 32, 64, 128, 256, 512",
                                               "bool",
                                               "choice a, b, c",
                                               "real 0.8..0.99 step 0.01",
                                               "int 10..50 step 20"};
    enum { PARTS = 1000 };
    for (size_t i = 0; i < sizeof declarations / sizeof *declarations; i++) {
        struct space space = {0};
        assert_ok(space_add(&space, "a", declarations[i], "test.ini", 1, NULL));
        assert_ok(space_complete(&space, NULL));
        const struct dimension *dimension = &space.dimension[0];
        size_t size = (size_t)dimension_size(dimension);
        int histogram[MOST_DIMENSIONS] = {0};
        double unit, point;
        for (size_t k = 0; k < PARTS * size; k++) {
            unit = ((double)k + 0.5) / (double)(PARTS * size);
            point_from_unit(&space, &unit, &point);
            histogram[dimension_index(dimension, point)]++;
        }
        for (size_t v = 0; v < size; v++) {
            assert_int_equal(histogram[v], PARTS);
            assert_int_equal(dimension_index(dimension, dimension_value(dimension, v)), v);
        }
        point_from_unit(&space, &(double){0}, &point);
        assert_true(point == dimension_value(dimension, 0));
        point_from_unit(&space, &(double){1}, &point);
        assert_true(point == dimension_value(dimension, size - 1));
        space_clear(&space);
    }
}

/* Value v of a log int gets the share of [v - 1/2, v + 1/2] in log space. */
static void shares_of_log_ints(void **state)
{
    (void)state;
    enum { LOW = 3, HIGH = 20, PARTS = 200000 };
    struct space space = {0};
    int histogram[HIGH + 1] = {0};
    assert_ok(space_add(&space, "a", "int 3..20 log", "test.ini", 1, NULL));
    assert_ok(space_complete(&space, NULL));
    for (int k = 0; k < PARTS; k++) {
        double unit = (k + 0.5) / PARTS, point;
        point_from_unit(&space, &unit, &point);
        histogram[(int)point]++;
    }
    for (int v = LOW; v <= HIGH; v++) {
        double share = log((v + 0.5) / (v - 0.5)) / log((HIGH + 0.5) / (LOW - 0.5));
        assert_near(histogram[v], share * PARTS, 0, 2); /* an interval holds its length in midpoints, +- 1 */
    }
    space_clear(&space);
}

static void log_reals_are_even_in_log_space(void **state)
{
    (void)state;
    static const char *const declarations[][2] = {{"a", "real 1e-4..1e-2 log"}, {"b", "real -2..6"}};
    struct space space;
    MAKE_SPACE(declarations, &space);
    double point[MOST_DIMENSIONS];
    for (int k = 0; k <= 10; k++) {
        point_from_unit(&space, (double[]){k / 10.0, k / 10.0}, point);
        assert_near(point[0], pow(10, -4 + k / 5.0), 1e-9, 0);
        assert_near(point[1], -2 + 0.8 * k, 0, 1e-8);
    }
    assert_true(point[0] == 1e-2 && point[1] == 6);
    point_from_unit(&space, (double[]){-1, NAN}, point); /* outside of the cube: the nearest; unknown: the middle */
    assert_true(point[0] == 1e-4 && point[1] == 2);
    space_clear(&space);
}

/* Values print as a person would write them. */
static void values_are_short(void **state)
{
    (void)state;
    static const char *const declarations[][2] = {
        {"rate", "real 1e-4..1e-2 log"},
        {"momentum", "real 0.8..0.99 step 0.01"},
        {"dropout", "real 0..0.5"},
        {"act", "choice relu, gelu"},
        {"norm", "bool"},
        {"hidden", "int 16..128"},
        {"decay", "fixed 5e-4"},
    };
    struct space space;
    MAKE_SPACE(declarations, &space);
    double point[MOST_DIMENSIONS] = {0.0031, 0.83, 0.1, 1, 0, 64, 0};
    point_canonicalise(&space, point);
    struct text text = {0};
    point_append_text(&space, point, &text);
    assert_string_equal(text.data, "rate=0.0031 momentum=0.83 dropout=0.1 act=gelu norm=no hidden=64");
    text_clear(&text);
    struct rng rng = rng_create(1, 0, RANDOM_TEST, 2, 0);
    for (int k = 0; k < 1000; k++) {
        double unit[MOST_DIMENSIONS];
        for (size_t d = 0; d < space.count; d++)
            unit[d] = rng_unit(&rng);
        point_from_unit(&space, unit, point);
        dimension_append_value(&space.dimension[0], point[0], &text);
        assert_true(text.length <= strlen("0.0001234567891"));
        text_clear(&text);
        dimension_append_value(&space.dimension[1], point[1], &text);
        assert_true(text.length <= strlen("0.83"));
        text_clear(&text);
    }
    assert_true(dimension_number(&space.dimension[6], 0) == 5e-4);
    assert_true(isnan(dimension_number(&space.dimension[3], 0)));
    assert_true(dimension_number(&space.dimension[4], 1) == 1);
    assert_true(dimension_number(&space.dimension[5], 64) == 64);
    space_clear(&space);
}

static void canonical_points(void **state)
{
    (void)state;
    static const char *const declarations[][2] = {
        {"momentum", "real 0.8..0.99 step 0.01 if optimizer = sgd"}, /* its condition comes later */
        {"optimizer", "choice sgd, adam"},
        {"hidden", "int 16..128"},
        {"deep", "int 1..9 if momentum > 0.9"},
    };
    struct space space;
    MAKE_SPACE(declarations, &space);
    double point[MOST_DIMENSIONS] = {0.954, 0, 500.7, NAN};
    point_canonicalise(&space, point);
    assert_same_bits(&space, point, (double[]){0.95, 0, 128, 5},
                     "clipped, on the grid, the middle for what became active");
    point[1] = 1;
    point_canonicalise(&space, point);
    assert_same_bits(&space, point, (double[]){NAN, 1, 128, NAN}, "inactive, and what depends on it");
    double other[MOST_DIMENSIONS] = {NAN, 1, 127, NAN};
    assert_false(point_equal(&space, point, other));
    other[2] = 128;
    assert_true(point_equal(&space, point, other));
    other[0] = 0.9;
    assert_false(point_equal(&space, point, other));
    space_clear(&space);
}

static void bad_texts(void **state)
{
    (void)state;
    static const char *const declarations[][2] = {
        {"hidden", "int 16..128"},
        {"rate", "real 0..1"},
        {"optimizer", "choice sgd, adam"},
        {"momentum", "real 0.8..0.99 step 0.01 if optimizer = sgd"},
    };
    static const char *const cases[][2] = {
        {"hidden=64 rate=0.5", "the point lacks optimizer; expected a value of \"choice sgd, adam\""},
        {"hidden=64 rate=0.5 optimizer=sgd", "the point lacks momentum"},
        {"hidden=64 rate=0.5 optimizer=adam momentum=0.9", "the point has momentum, which is inactive here: "
                                                           "\"optimizer = sgd\" does not hold"},
        {"hidden=64 hidden=64 rate=0.5 optimizer=adam", "\"hidden\" is given twice"},
        {"hiden=64", "\"hiden\" is no parameter of the space; did you mean \"hidden\"?"},
        {"hidden", "\"hidden\" is no part of a point; expected NAME=VALUE"},
        {"hidden=", "\"\" is no value of hidden"},
        {"hidden=64.5", "\"64.5\" is no value of hidden; expected one of \"int 16..128\""},
        {"hidden=129", "\"129\" is no value of hidden"},
        {"rate=-0.1", "\"-0.1\" is no value of rate"},
        {"optimizer=lion", "\"lion\" is no value of optimizer"},
        {"momentum=0.805", "\"0.805\" is no value of momentum"},
    };
    struct space space;
    MAKE_SPACE(declarations, &space);
    struct log *log = test_log();
    double point[MOST_DIMENSIONS] = {-7};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(point_parse(&space, cases[i][0], log, point), NR_INVALID);
        test_log_has(log, cases[i][1]);
        assert_true(point[0] == -7); /* written only on success */
    }
    assert_ok(point_parse(&space, "momentum=0.9  optimizer=sgd rate=.5\thidden=6.4e1", log, point)); /* any order */
    assert_same_bits(&space, point, (double[]){64, 0.5, 0, 0.9}, "read");
    log_destroy(log);
    space_clear(&space);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(round_trips),      cmocka_unit_test(round_trips_of_random_ranges),
        cmocka_unit_test(equal_parts),      cmocka_unit_test(shares_of_log_ints),
        cmocka_unit_test(values_are_short), cmocka_unit_test(log_reals_are_even_in_log_space),
        cmocka_unit_test(canonical_points), cmocka_unit_test(bad_texts),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
