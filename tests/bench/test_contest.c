/* bench/contest, bench/suggest: how a search is run and timed; what is measured is no matter here. */
#include "support/test.h"

#include "bench/contest.h"
#include "bench/functions.h"
#include "bench/suggest.h"

enum { EVALUATIONS = 30 };

static size_t run(const struct bench_problem *problem, const struct contest *contest, double *value)
{
    double seconds[EVALUATIONS];
    size_t made = 0;
    for (size_t i = 0; i < EVALUATIONS; i++)
        value[i] = seconds[i] = NAN;
    assert_ok(contest_run(contest, problem, NULL, value, seconds, &made));
    for (size_t i = 0; i < made; i++)
        assert_true(seconds[i] >= 0);
    return made;
}

static struct bench_problem *open_problem(const char *name)
{
    struct bench_problem *problem = NULL;
    assert_ok(bench_problem_open(name, NULL, &problem));
    return problem;
}

/* The same seed gives the same bits, another one does not; what was reached never gets worse. */
static void seeds_decide(void **state)
{
    (void)state;
    struct bench_problem *problem = open_problem("mixed");
    struct contest contest = {METHOD_BO, 1, EVALUATIONS, 1, 14};
    double first[EVALUATIONS], again[EVALUATIONS], other[EVALUATIONS];
    assert_int_equal(run(problem, &contest, first), EVALUATIONS);
    assert_int_equal(run(problem, &contest, again), EVALUATIONS);
    contest.seed = 2;
    assert_int_equal(run(problem, &contest, other), EVALUATIONS);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, other, sizeof first);
    for (size_t i = 1; i < EVALUATIONS; i++)
        assert_true(first[i] >= first[i - 1]);
    assert_true(first[EVALUATIONS - 1] < problem->best);
    bench_problem_close(problem);
}

/* Random points do not depend on results, so that q trials under way give the curve of one. */
static void pending_trials_are_all_told(void **state)
{
    (void)state;
    struct bench_problem *problem = open_problem("conditional");
    double one[EVALUATIONS], many[EVALUATIONS];
    struct contest contest = {METHOD_RANDOM, 3, EVALUATIONS, 1, 1};
    assert_int_equal(run(problem, &contest, one), EVALUATIONS);
    for (contest.pending = 2; contest.pending <= 64; contest.pending *= 2) {
        assert_int_equal(run(problem, &contest, many), EVALUATIONS);
        assert_memory_equal(one, many, sizeof one);
    }
    bench_problem_close(problem);
}

/* With results that come late the model decides otherwise. */
static void results_come_late(void **state)
{
    (void)state;
    struct bench_problem *problem = open_problem("branin");
    double one[EVALUATIONS], eight[EVALUATIONS];
    struct contest contest = {METHOD_BO, 1, EVALUATIONS, 1, 8};
    assert_int_equal(run(problem, &contest, one), EVALUATIONS);
    contest.pending = 8;
    assert_int_equal(run(problem, &contest, eight), EVALUATIONS);
    assert_memory_equal(one, eight, 8 * sizeof *one);
    assert_memory_not_equal(one, eight, sizeof one);
    bench_problem_close(problem);
}

static const char *const few_entries[] = {"x", "int 0..4", "y", "int 0..3", NULL};

/* 20 points: the search ends there, with all of them told. */
static void exhausted_spaces_end(void **state)
{
    (void)state;
    struct bench_problem *problem = open_problem("branin");
    struct space space = {0};
    for (int i = 0; few_entries[i]; i += 2)
        assert_ok(space_add(&space, few_entries[i], few_entries[i + 1], "test", i, NULL));
    assert_ok(space_complete(&space, NULL));
    problem->optim.space = &space;
    double lowest = INFINITY, value_at;
    for (int i = 0; i < 20; i++) {
        function_branin((double[]){i % 5, i / 5}, 2, &value_at);
        lowest = fmin(lowest, value_at);
    }
    static const enum optim_method methods[] = {METHOD_BO, METHOD_EVOLUTION, METHOD_GRID};
    for (size_t m = 0; m < 3; m++) {
        double value[EVALUATIONS];
        struct contest contest = {methods[m], 1, EVALUATIONS, 3, 4};
        assert_int_equal(run(problem, &contest, value), 20);
        assert_near(value[19], lowest, 0, 0);
    }
    bench_problem_close(problem);
    space_clear(&space);
}

static void suggestions_are_timed(void **state)
{
    (void)state;
    const struct suggest_load load = {.results = 12, .asks = 3, .dimensions = 8, .objectives = 3};
    struct suggest_figures figures = {NAN, NAN, NAN, NAN, NAN, NAN};
    struct log *log = test_log();
    assert_ok(suggest_measure(&load, log, &figures));
    assert_true(figures.median > 0 && figures.median <= figures.worst);
    assert_true(figures.first > 0 && figures.tell > 0 && figures.read > 0);
    assert_true(figures.memory > 1e5 && figures.memory < 1e9);
    log_destroy(log);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(seeds_decide),          cmocka_unit_test(pending_trials_are_all_told),
    cmocka_unit_test(results_come_late),     cmocka_unit_test(exhausted_spaces_end),
    cmocka_unit_test(suggestions_are_timed),
};

TEST_MAIN(cases)
