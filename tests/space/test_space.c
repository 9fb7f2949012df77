/* space/space: declarations, vectors, conditions, the number of points. */
#include "support/test.h"

#include "base/rng.h"
#include "space/space.h"

enum { MOST_DIMENSIONS = 32 };

static nr_status make(const char *const *declarations, struct log *log, struct space *space)
{
    nr_status status = NR_OK;
    *space = (struct space){0};
    for (int i = 0; status == NR_OK && declarations[2 * i]; i++)
        status = space_add(space, declarations[2 * i], declarations[2 * i + 1], "test.ini", i + 1, log);
    return status == NR_OK ? space_complete(space, log) : status;
}

#define DECLARE(...) ((const char *const[]){__VA_ARGS__, NULL})

static void declarations(void **state)
{
    (void)state;
    struct space space;
    assert_ok(make(DECLARE("a", " int  16 .. 128   log ", "b", "real .5..1.5", "c", "ordered 32,64 , 128", "d",
                           "bool if a > 20", "e", "fixed 5e-4", "f", "int 10..29 step 5", "g", "real 0..1 step 0.3",
                           "h", "choice low, high if(a>20)", "i", "ordered 128, 64"),
                   NULL, &space));
    const struct dimension *a = &space.dimension[0], *c = &space.dimension[2], *d = &space.dimension[3];
    assert_true(a->kind == DIM_INT && a->low == 16 && a->high == 128 && a->log && a->element == -1);
    assert_string_equal(a->base, "a");
    assert_true(a->line == 1 && !strcmp(a->file, "test.ini"));
    assert_true(space.dimension[1].kind == DIM_REAL && space.dimension[1].low == 0.5);
    assert_true(c->kind == DIM_ORDERED && c->levels == 3 && c->number[1] == 64);
    assert_string_equal(c->level[2], "128");
    assert_true(d->kind == DIM_BOOL && d->levels == 2 && d->condition);
    assert_string_equal(d->level[1], "yes");
    assert_true(space.dimension[4].kind == DIM_FIXED && space.dimension[4].levels == 1);
    const struct dimension *f = &space.dimension[5], *g = &space.dimension[6];
    assert_true(f->kind == DIM_ORDERED && f->levels == 4 && f->number[3] == 25); /* a grid of ints is its levels */
    assert_true(dimension_size(g) == 4 && dimension_value(g, 3) == 0.9 && g->high == 0.9);
    assert_string_equal(expression_text(space.dimension[7].condition), "(a>20)");
    assert_true(dimension_size(&space.dimension[1]) == INFINITY);
    assert_int_equal(space_find(&space, "c"), 2);
    assert_true(space_find(&space, "z") == SIZE_MAX);
    space_clear(&space);
}

static void vectors(void **state)
{
    (void)state;
    struct space space;
    /* the length comes later in the file; elements stand in the vector's place */
    assert_ok(make(DECLARE("first", "bool", "width[blocks]", "int 8..64", "wide[blocks]", "bool if width > 32",
                           "blocks", "ordered 1, 2, 4", "last", "bool if width[3] > 8"),
                   NULL, &space));
    assert_int_equal(space.count, 1 + 4 + 4 + 1 + 1);
    assert_int_equal(space_find(&space, "width[0]"), 1);
    assert_int_equal(space_find(&space, "width[3]"), 4);
    assert_int_equal(space_find_element(&space, "wide", 1), 6);
    assert_int_equal(space_find(&space, "blocks"), 9);
    assert_string_equal(space.dimension[4].base, "width");
    assert_int_equal(space.dimension[4].element, 3);
    double unit[MOST_DIMENSIONS], point[MOST_DIMENSIONS];
    for (size_t d = 0; d < space.count; d++)
        unit[d] = 0.9;
    unit[9] = 0.5; /* two blocks */
    unit[2] = 0.1; /* the second is narrow */
    point_from_unit(&space, unit, point);
    assert_true(!isnan(point[1]) && !isnan(point[2]) && isnan(point[3]) && isnan(point[4]));
    assert_true(point[5] == 1 && isnan(point[6]) && isnan(point[7])); /* "width" is the own element's */
    assert_true(isnan(point[10]));
    space_clear(&space);

    assert_ok(make(DECLARE("blocks", "int 2..3 if on", "on", "bool", "width[blocks]", "int 8..64"), NULL, &space));
    for (size_t d = 0; d < space.count; d++)
        unit[d] = 0.1;
    point_from_unit(&space, unit, point); /* off: no length, no elements */
    assert_true(isnan(point[0]) && isnan(point[2]) && isnan(point[3]) && isnan(point[4]));
    space_clear(&space);
}

/* Earlier in `order` than all whose condition uses it, and otherwise as in the file. */
static void order_of_conditions(void **state)
{
    (void)state;
    struct space space;
    assert_ok(make(DECLARE("a", "bool if b", "b", "bool if d", "c", "bool", "d", "bool"), NULL, &space));
    static const size_t expected[] = {2, 3, 1, 0};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(space.order[i], expected[i]);
    space_clear(&space);
}

static void circles(void **state)
{
    (void)state;
    static const char *const circles[][7] = {
        {"a", "bool if a"},
        {"a", "bool if b", "b", "bool if a"},
        {"a", "bool if b", "b", "bool if c", "c", "bool if a"},
        {"n", "int 1..2 if w[0] > 3", "w[n]", "int 1..9"},
    };
    struct log *log = test_log();
    for (size_t i = 0; i < sizeof circles / sizeof *circles; i++) {
        struct space space;
        assert_int_equal(make(circles[i], log, &space), NR_INVALID);
        test_log_has(log, "test.ini:1: [space] ");
        space_clear(&space);
    }
    log_destroy(log);
}

/* By brute force: all corners of the product space, made canonical, told apart. */
static size_t count_points(const struct space *space)
{
    enum { MOST = 4096 };
    static double seen[MOST][MOST_DIMENSIONS];
    size_t index[MOST_DIMENSIONS] = {0}, count = 0, d;
    do {
        double point[MOST_DIMENSIONS];
        for (d = 0; d < space->count; d++)
            point[d] = dimension_value(&space->dimension[d], index[d]);
        point_canonicalise(space, point);
        size_t k = 0;
        while (k < count && !point_equal(space, seen[k], point))
            k++;
        if (k == count) {
            assert_true(count < MOST);
            memcpy(seen[count++], point, sizeof point);
        }
        for (d = 0; d < space->count && ++index[d] == (size_t)dimension_size(&space->dimension[d]); d++)
            index[d] = 0;
    } while (d < space->count);
    return count;
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *declaration[13];
        double size;
    } cases[] = {
        {{"a", "int 1..4", "b", "bool", "c", "ordered 1, 2, 3"}, 24},
        {{"a", "fixed 3"}, 1},
        {{"a", "int 5..5", "b", "real 2..2"}, 1},
        {{"a", "real 0.8..0.99 step 0.01", "b", "int 10..50 step 20"}, 60},
        {{"a", "int 1..4 if b", "b", "bool"}, 5},
        {{"a", "int 1..4 if b", "b", "bool if c", "c", "bool"}, 6},
        {{"a", "int 1..3", "b", "int 1..4 if a > 1", "c", "int 1..5 if a > 2"}, 1 + 4 + 20},
        {{"a", "int 1..4 if n > 1", "n", "int 1..3", "b", "bool if m", "m", "bool"}, (1 + 4 + 4) * 3},
        {{"n", "int 1..3", "w[n]", "int 1..4"}, 4 + 16 + 64},
        {{"n", "int 0..2", "w[n]", "int 1..4", "k[n]", "bool"}, 1 + 8 + 64},
        {{"n", "int 1..2", "w[n]", "int 1..4", "k[n]", "bool if w > 2"}, 6 + 36},
        {{"a", "bool", "b", "bool if a", "c", "bool if not a"}, 4},
        {{"a", "bool if 1 = 2"}, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct space space;
        bool exact = false;
        assert_ok(make(cases[i].declaration, NULL, &space));
        assert_near(space_size(&space, &exact), cases[i].size, 0, 0);
        assert_true(exact);
        assert_int_equal(count_points(&space), cases[i].size);
        space_clear(&space);
    }
}

static void large_sizes(void **state)
{
    (void)state;
    struct space space;
    bool exact = false;
    assert_ok(make(DECLARE("a", "int 1..4", "b", "real 0..1"), NULL, &space));
    assert_true(space_size(&space, &exact) == INFINITY && exact);
    space_clear(&space);
    /* a continuous one that never exists */
    assert_ok(make(DECLARE("a", "int 1..4", "b", "real 0..1 if a > 4"), NULL, &space));
    assert_true(space_size(&space, &exact) == 4 && exact);
    space_clear(&space);
    /* a continuous one in a condition */
    assert_ok(make(DECLARE("a", "bool if b > 0.5", "b", "real 0..1"), NULL, &space));
    assert_true(space_size(&space, NULL) == INFINITY);
    space_clear(&space);
    /* not to be enumerated: 1e9 cases. Unconditional ones count in full, conditional ones may be absent */
    assert_ok(make(DECLARE("a", "int 1..1000000000", "b", "int 1..9 if a > 5"), NULL, &space));
    assert_true(space_size(&space, &exact) == 1e10 && !exact);
    space_clear(&space);
    /* large, but only `n` needs cases */
    assert_ok(make(DECLARE("n", "int 1..3", "w[n]", "int 1..1000000"), NULL, &space));
    assert_near(space_size(&space, &exact), 1e6 + 1e12 + 1e18, 1e-15, 0);
    assert_true(exact);
    space_clear(&space);
}

static void limits(void **state)
{
    (void)state;
    struct space space = {0};
    struct log *log = test_log();
    char name[32];
    for (int i = 0; i < SPACE_MOST_DIMENSIONS; i++) {
        snprintf(name, sizeof name, "a%d", i);
        assert_ok(space_add(&space, name, "bool", "test.ini", i + 1, log));
    }
    assert_int_equal(space_add(&space, "more", "bool", "test.ini", 2000, log), NR_INVALID);
    test_log_has(log, "test.ini:2000: [space] more: a space has at most 1000 parameters");
    assert_ok(space_complete(&space, log));
    space_clear(&space);
    assert_ok(space_add(&space, "n", "int 1..90", "test.ini", 1, log));
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "a%d[n]", i);
        assert_ok(space_add(&space, name, "bool", "test.ini", i + 2, log));
    }
    assert_int_equal(space_complete(&space, log), NR_INVALID);
    test_log_has(log, "test.ini:13: [space] a11[n]: with its elements the space has more than 1000 parameters");
    space_clear(&space);
    log_destroy(log);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(declarations), cmocka_unit_test(vectors), cmocka_unit_test(order_of_conditions),
        cmocka_unit_test(circles),      cmocka_unit_test(sizes),   cmocka_unit_test(large_sizes),
        cmocka_unit_test(limits),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
