/* optim/subset: what is chosen of many results, and in which order. */
#include "support/test.h"

#include "base/rng.h"
#include "optim/pareto.h"
#include "optim/subset.h"

enum { ROWS = 3000, FEATURES = 3, OBJECTIVES = 2 };

struct table {
    double x[FEATURES * ROWS], upward[OBJECTIVES * ROWS];
    bool category[FEATURES];
    struct subset_rows rows;
};

static struct table *make(size_t count)
{
    struct table *table = calloc(1, sizeof *table);
    assert_non_null(table);
    struct rng rng = rng_create(3, 0, RANDOM_TEST, 0, 0);
    table->category[2] = true;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < FEATURES; j++)
            table->x[j * ROWS + i] = j == 2 ? rng_below(&rng, 3) : rng_unit(&rng);
        double cost = table->x[i];
        table->upward[2 * i] = sqrt(cost) - fabs(table->x[ROWS + i] - 0.5);
        table->upward[2 * i + 1] = -cost;
    }
    table->rows = (struct subset_rows){{table->x, count, ROWS}, FEATURES, table->category, table->upward, OBJECTIVES};
    return table;
}

static bool contains(const size_t *chosen, size_t count, size_t row)
{
    for (size_t i = 0; i < count; i++)
        if (chosen[i] == row)
            return true;
    return false;
}

/* Few rows are all taken, each once, and a rerun gives the same order. */
static void all_of_few(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 3, 40};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        struct table *table = make(counts[c]);
        size_t chosen[41], again[41];
        for (size_t i = 0; i < 41; i++)
            chosen[i] = again[i] = SIZE_MAX;
        assert_ok(subset_choose(&table->rows, 1000, chosen));
        assert_ok(subset_choose(&table->rows, 1000, again));
        for (size_t i = 0; i < counts[c]; i++)
            assert_true(contains(chosen, counts[c], i));
        assert_true(chosen[counts[c]] == SIZE_MAX);
        assert_memory_equal(chosen, again, sizeof chosen);
        free(table);
    }
}

/* A small part of many holds the front, the worst of each objective, the newest, and something near everything. */
static void part_of_many(void **state)
{
    (void)state;
    enum { MOST = 400 };
    struct table *table = make(ROWS);
    size_t chosen[MOST + 1], front[ROWS];
    chosen[MOST] = 42;
    assert_ok(subset_choose(&table->rows, MOST, chosen));
    assert_true(chosen[MOST] == 42);
    for (size_t i = 0; i < MOST; i++)
        assert_true(chosen[i] < ROWS && !contains(chosen + i + 1, MOST - i - 1, chosen[i]));
    size_t members = pareto_front(table->upward, ROWS, OBJECTIVES, front);
    assert_true(members > 10 && members < MOST / 2);
    for (size_t i = 0; i < members; i++)
        assert_true(contains(chosen, MOST, front[i]));
    for (size_t j = 0; j < OBJECTIVES; j++) {
        size_t worst = 0;
        for (size_t i = 0; i < ROWS; i++)
            if (table->upward[2 * i + j] < table->upward[2 * worst + j])
                worst = i;
        assert_true(contains(chosen, OBJECTIVES, worst));
    }
    for (size_t i = ROWS - MOST / 8; i < ROWS; i++)
        assert_true(contains(chosen, MOST, i));
    double farthest = 0; /* some 90 points spread over three squares leave holes of at most about 0.25 */
    for (size_t i = 0; i < ROWS; i++) {
        double nearest = INFINITY;
        for (size_t k = 0; k < MOST; k++) {
            if (table->x[2 * ROWS + i] != table->x[2 * ROWS + chosen[k]])
                continue;
            nearest = fmin(nearest,
                           hypot(table->x[i] - table->x[chosen[k]], table->x[ROWS + i] - table->x[ROWS + chosen[k]]));
        }
        farthest = fmax(farthest, nearest);
    }
    assert_true(farthest < 0.25);
    free(table);
}

/* The chosen of a smaller number are the first of a larger one's. */
static void nested(void **state)
{
    (void)state;
    struct table *table = make(ROWS);
    size_t few[100], many[500];
    assert_ok(subset_choose(&table->rows, 100, few));
    assert_ok(subset_choose(&table->rows, 500, many));
    assert_memory_equal(few, many, sizeof few);
    free(table);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(all_of_few),
        cmocka_unit_test(part_of_many),
        cmocka_unit_test(nested),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
