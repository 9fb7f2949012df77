/* optim/grid: every point of the grid once, spread from the first points on, and a normal end. */
#include "support/test.h"

#include "optim/grid.h"
#include "problems.h"

struct bed {
    struct space space;
    struct optim_problem problem;
    struct history history;
    struct grid *grid;
    int64_t taken;
};

static void open_bed(struct bed *bed, const char *const *entries, optim_admit *admit, uint64_t seed)
{
    *bed = (struct bed){.space = make_space(entries)};
    bed->problem = (struct optim_problem){.space = &bed->space, .objectives = 1, .admit = admit};
    bed->problem.objective[0].threshold = NAN;
    bed->history.dimensions = bed->space.count;
    assert_ok(grid_create(&bed->problem, &bed->history, seed, &bed->grid));
}

static void close_bed(struct bed *bed)
{
    grid_destroy(bed->grid);
    history_clear(&bed->history);
    space_clear(&bed->space);
}

/* The next point, which the history then knows. False at the end. */
static bool take(struct bed *bed, double *point)
{
    struct optim_admission admission;
    for (size_t d = 0; d < bed->space.count; d++)
        point[d] = NAN;
    nr_status status = grid_next(bed->grid, NULL, point, &admission);
    if (status == NR_EXHAUSTED)
        return false;
    assert_ok(status);
    assert_ok(history_add(&bed->history, bed->taken++, point, &admission));
    return true;
}

/* 9 levels of each real, ends included; log steps are even in the logarithm. */
static void every_point_once(void **state)
{
    (void)state;
    static const char *const entries[] = {"x",     "real 0..4", "rate", "real 1e-4..1 log", "kind", "choice a, b",
                                          "width", "int 3..5",  NULL};
    struct bed bed;
    bool exact, seen[9][9][2][3] = {{{{false}}}};
    double point[4];
    size_t count = 0;
    open_bed(&bed, entries, NULL, 1);
    assert_near(grid_points(bed.grid, &exact), 9 * 9 * 2 * 3, 0, 0);
    assert_true(exact);
    for (; take(&bed, point); count++) {
        double x = 2 * point[0], rate = 2 * (log10(point[1]) + 4);
        assert_near(x, round(x), 0, 1e-9);
        assert_near(rate, round(rate), 0, 1e-8); /* values have ten digits */
        bool *at = &seen[(int)round(x)][(int)round(rate)][(int)point[2]][(int)point[3] - 3];
        assert_false(*at);
        *at = true;
    }
    assert_int_equal(count, 9 * 9 * 2 * 3);
    assert_false(take(&bed, point));
    close_bed(&bed);
}

/* The middle with both kinds first, then quarters: after 2 x 3 x 3 points all combinations of those. */
static void coarse_before_fine(void **state)
{
    (void)state;
    static const char *const entries[] = {"x", "real 0..8", "y", "int 1..15", "kind", "choice a, b", NULL};
    struct bed bed;
    double point[3];
    open_bed(&bed, entries, NULL, 3);
    for (int i = 0; i < 2 + 16; i++) {
        assert_true(take(&bed, point));
        assert_true(point[0] == 4 || (i >= 2 && (point[0] == 2 || point[0] == 6)));
        assert_true(point[1] == 8 || (i >= 2 && (point[1] == 4 || point[1] == 12)));
    }
    assert_true(take(&bed, point));
    assert_false((point[0] == 4 || point[0] == 2 || point[0] == 6) &&
                 (point[1] == 8 || point[1] == 4 || point[1] == 12));
    close_bed(&bed);
}

/* Within a stage no half of any axis is left out for long: of 40 points of 7^6, at least a fifth in each half. */
static void spreads(void **state)
{
    (void)state;
    static const char *const entries[] = {"a",        "int 1..7", "b",        "int 1..7", "c",        "int 1..7", "d",
                                          "int 1..7", "e",        "int 1..7", "f",        "int 1..7", NULL};
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct bed bed;
        int low[6] = {0}, high[6] = {0};
        double point[6];
        open_bed(&bed, entries, NULL, seed);
        for (int i = 0; i < 729; i++) /* middle and quarters */
            assert_true(take(&bed, point));
        for (int i = 0; i < 40; i++) {
            assert_true(take(&bed, point));
            for (size_t d = 0; d < 6; d++) {
                low[d] += point[d] < 4;
                high[d] += point[d] > 4;
            }
        }
        for (size_t d = 0; d < 6; d++)
            assert_true(low[d] >= 8 && high[d] >= 8);
        close_bed(&bed);
    }
}

/* 2 x (1 + 3) points: digits of inactive dimensions count once; and what is not allowed is left out. */
static bool not_first(void *context, const double *point, struct optim_admission *out)
{
    (void)context;
    (void)out;
    return !(point[0] == 1 && point[1] == 0);
}

static void conditions(void **state)
{
    (void)state;
    static const char *const entries[] = {"width", "int 1..2", "gate", "bool", "rate", "ordered 1, 2, 3 if gate", NULL};
    struct bed bed;
    bool exact;
    double point[3];
    size_t count = 0;
    open_bed(&bed, entries, not_first, 1);
    assert_near(grid_points(bed.grid, &exact), 2 * 2 * 3, 0, 0);
    assert_false(exact);
    while (take(&bed, point))
        count++;
    assert_int_equal(count, 2 * (1 + 3) - 1);
    close_bed(&bed);
}

/* A hundred dimensions: more points than can be counted; those that fit are varied, the others stay in the middle. */
static void many_dimensions(void **state)
{
    (void)state;
    enum { DIMENSIONS = 100 };
    char names[DIMENSIONS][8];
    const char *entries[2 * DIMENSIONS + 1] = {NULL};
    double points[30][DIMENSIONS];
    struct bed bed;
    for (size_t d = 0; d < DIMENSIONS; d++) {
        snprintf(names[d], sizeof names[d], "x%zu", d);
        entries[2 * d] = names[d];
        entries[2 * d + 1] = "real 0..1";
    }
    open_bed(&bed, entries, NULL, 1);
    for (size_t i = 0; i < 30; i++) {
        assert_true(take(&bed, points[i]));
        for (size_t k = 0; k < i; k++)
            assert_false(point_equal(&bed.space, points[i], points[k]));
        assert_near(points[i][DIMENSIONS - 1], 0.5, 0, 0);
    }
    close_bed(&bed);
}

static void goes_on_where_it_stood(void **state)
{
    (void)state;
    static const char *const entries[] = {"x", "real 0..1", "y", "real 0..1", NULL};
    struct bed first, second;
    struct text before = {0};
    double a[2], b[2];
    open_bed(&first, entries, NULL, 5);
    open_bed(&second, entries, NULL, 5);
    for (int i = 0; i < 12; i++)
        assert_true(take(&first, a));
    grid_append_state(first.grid, &before);
    assert_true(grid_restore_entry(second.grid, before.data));
    for (int i = 0; i < 20; i++) {
        assert_true(take(&first, a) && take(&second, b));
        assert_memory_equal(a, b, sizeof a);
    }
    static const char *const bad[] = {"grid=", "grid=1", "grid=1,2x", "grid=99,0", "grid=0,2", "sobol=1", "grid=x,1"};
    struct text after = {0};
    text_clear(&before);
    grid_append_state(second.grid, &before);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(grid_restore_entry(second.grid, bad[i]));
    grid_append_state(second.grid, &after);
    assert_string_equal(after.data, before.data);
    text_clear(&before);
    text_clear(&after);
    close_bed(&first);
    close_bed(&second);
    grid_destroy(NULL);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(every_point_once), cmocka_unit_test(coarse_before_fine), cmocka_unit_test(spreads),
    cmocka_unit_test(conditions),       cmocka_unit_test(many_dimensions),    cmocka_unit_test(goes_on_where_it_stood),
};

TEST_MAIN(cases)
