/* bench/bench_problem: functions against BoTorch's, the best hypervolumes of our own spaces by enumeration, replayed
 * tables.
 */
#include "support/test.h"

#include "base/file.h"
#include "bench/mixed.h"
#include "bench/bench_problem.h"
#include "optim/pareto.h"

static struct bench_problem *open_problem(const char *name)
{
    struct bench_problem *problem = NULL;
    struct log *log = test_log();
    assert_ok(bench_problem_open(name, log, &problem));
    log_destroy(log);
    return problem;
}

/* Sums and products of doubles in another order: some units in the last place of the largest term, which cancel near
 * an optimum; Ackley's 20 + e leaves 4e-15 at its zero. */
static void classic_functions(void **state)
{
    (void)state;
    struct test_csv csv;
    struct bench_problem *problem = NULL;
    test_csv_read("tests/golden/problems/classic.csv", true, &csv);
    assert_int_equal(csv.rows, 7 * 15);
    for (size_t i = 0; i < csv.rows; i++) {
        double point[10], canonical[10];
        struct bench_outcome outcome;
        struct rng rng = rng_create(1, 0, RANDOM_TEST, 0, 0);
        const char *name = test_csv_text(&csv, i, "problem");
        if (!problem || strcmp(problem->name, name) != 0) {
            bench_problem_close(problem);
            problem = open_problem(name);
        }
        size_t dimensions = problem->optim.space->count;
        for (size_t d = 0; d < dimensions; d++) {
            char column[24];
            snprintf(column, sizeof column, "x%zu", d + 1);
            canonical[d] = point[d] = test_csv_real(&csv, i, column);
        }
        point_canonicalise(problem->optim.space, canonical);
        assert_memory_equal(canonical, point, dimensions * sizeof *point); /* all in the space as they are */
        bench_problem_evaluate(problem, point, &rng, &outcome);
        assert_false(outcome.failed);
        assert_near(outcome.truth[0], test_csv_real(&csv, i, "first"), 1e-12, 1e-13);
        assert_near(outcome.told.value[0], outcome.truth[0], 0, 0);
        if (problem->optim.objectives == 2)
            assert_near(outcome.truth[1], test_csv_real(&csv, i, "second"), 1e-12, 1e-13);
    }
    bench_problem_close(problem);
    test_csv_clear(&csv);
}

/* The rate that a text gives is rounded to ten digits, as in a study. */
static void own_functions(void **state)
{
    (void)state;
    struct test_csv csv;
    size_t failed = 0;
    test_csv_read("tests/golden/problems/mixed.csv", true, &csv);
    assert_int_equal(csv.rows, 80);
    for (size_t i = 0; i < csv.rows; i++) {
        double point[16];
        struct bench_outcome outcome;
        struct rng rng = rng_create(1, (uint32_t)i, RANDOM_TEST, 0, 0);
        struct bench_problem *problem = open_problem(test_csv_text(&csv, i, "problem"));
        assert_ok(point_parse(problem->optim.space, test_csv_text(&csv, i, "point"), NULL, point));
        bench_problem_evaluate(problem, point, &rng, &outcome);
        assert_int_equal(outcome.failed, isnan(test_csv_real(&csv, i, "first")));
        assert_near(outcome.truth[0], test_csv_real(&csv, i, "first"), 1e-9, 0);
        assert_near(outcome.truth[1], test_csv_real(&csv, i, "second"), 1e-12, 0);
        if (!strcmp(problem->name, "mixed") && !outcome.failed) {
            double noise = outcome.told.value[0] - outcome.truth[0];
            assert_true(noise != 0 && fabs(noise) < 5 * 0.004);
            assert_near(outcome.told.value[1], outcome.truth[1], 0, 0);
        }
        failed += outcome.failed;
        bench_problem_close(problem);
    }
    assert_true(failed > 3 && failed < 20);
    test_csv_clear(&csv);
}

/* The known minima are reached there and nowhere below. */
static void known_minima(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double at[10], tolerance;
    } cases[] = {{"branin", {M_PI, 2.275}, 1e-12},
                 {"hartmann6", {0.20168951, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730054}, 1e-12},
                 {"ackley10", {0}, 1e-14}};
    for (size_t i = 0; i < 3; i++) {
        struct bench_problem *problem = open_problem(cases[i].name);
        struct bench_outcome outcome;
        struct rng rng = rng_create(1, 0, RANDOM_TEST, 0, 0);
        bench_problem_evaluate(problem, cases[i].at, &rng, &outcome);
        assert_near(outcome.truth[0], problem->best, 0, cases[i].tolerance);
        assert_true(outcome.truth[0] >= problem->best - 1e-14);
        bench_problem_close(problem);
    }
}

/* Hypervolume in the sense of two minimised objectives. */
static double volume(const double *values, size_t count, const double *reference)
{
    double *points = malloc(2 * count * sizeof *points), result = NAN;
    const double above[2] = {-reference[0], -reference[1]};
    assert_non_null(points);
    for (size_t i = 0; i < 2 * count; i++)
        points[i] = -values[i];
    assert_ok(pareto_hypervolume(points, count, 2, above, &result));
    free(points);
    return result;
}

/* All widths, depths, batches, activations and norms, each at its best rate, which lies within the range. */
static void best_of_mixed(void **state)
{
    (void)state;
    enum { POINTS = 249 * 6 * 5 * 5 * 2 };
    struct bench_problem *problem = open_problem("mixed");
    double *values = malloc(2 * sizeof *values * POINTS);
    size_t count = 0;
    assert_non_null(values);
    for (int width = 8; width <= 256; width++)
        for (int i = 0; i < POINTS / 249; i++) {
            int depth = 1 + i / 50, batch = i / 10 % 5, activation = i / 2 % 5, norm = i % 2;
            double rate = pow(10, -2.6 + 0.5 * norm + 0.15 * batch - 0.08 * (depth - 1));
            const double point[] = {width, depth, rate, batch, activation, norm};
            assert_true(rate > 1e-4 && rate < 1e-1);
            assert_true(mixed_evaluate(point, values + 2 * count++));
        }
    assert_int_equal(count, POINTS);
    assert_near(volume(values, count, problem->reference), problem->best, 1e-12, 0);
    free(values);
    bench_problem_close(problem);
}

/* Keeps of [count] pairs (cost, gain) those that no cheaper one equals; returns their number. */
static int by_cost(const void *a, const void *b)
{
    const double *first = a, *second = b;
    return first[0] != second[0] ? (first[0] > second[0]) - (first[0] < second[0])
                                 : (first[1] < second[1]) - (first[1] > second[1]);
}

static size_t prune(double *pair, size_t count)
{
    size_t kept = 0;
    double most = -1;
    qsort(pair, count, 2 * sizeof *pair, by_cost);
    for (size_t i = 0; i < count; i++) {
        if (pair[2 * i + 1] <= most)
            continue;
        most = pair[2 * i + 1];
        memmove(pair + 2 * kept++, pair + 2 * i, 2 * sizeof *pair);
    }
    return kept;
}

/* A block's cost and gain, read off the problem itself: of a network of this block alone where it is the first, of what
 * it adds to a network else. */
static void block_pair(size_t block, int width, int kernel, double pair[2])
{
    double point[14] = {0}, with[2], without[2];
    point[0] = (double)block;
    for (size_t i = 0; i < 4; i++)
        point[1 + i] = 4;
    point[9] = 1;     /* skip: so that depth costs no error */
    point[11] = 0.9;  /* of sgd, the best */
    point[13] = 1e-1; /* so is the rate */
    double before = 0, factor = 1;
    if (block > 0) {
        conditional_evaluate(point, without);
        before = exp2(without[1] - 0.2);
        factor = without[0] - 0.03;
    } else {
        factor = 0.57;
    }
    point[0] = (double)block + 1;
    point[1 + block] = width;
    point[5 + block] = kernel;
    conditional_evaluate(point, with);
    pair[0] = exp2(with[1] - 0.2) - before;
    pair[1] = log(factor / (with[0] - 0.03));
}

/* Costs and gains of blocks add up, so that the best networks of k + 1 blocks are made of the best of k. */
static void best_of_conditional(void **state)
{
    (void)state;
    enum { OPTIONS = 61 * 3, MOST = 4000 };
    struct bench_problem *problem = open_problem("conditional");
    double *networks = calloc(2 * MOST, sizeof *networks), *values = malloc(sizeof *values * 2 * 16 * MOST);
    double *sums = malloc(sizeof *sums * 2 * MOST * OPTIONS), options[2 * OPTIONS];
    size_t count = 1, found = 0;
    assert_non_null(networks);
    assert_non_null(values);
    assert_non_null(sums);
    for (size_t block = 0; block < 4; block++) {
        for (int i = 0; i < OPTIONS; i++)
            block_pair(block, 4 + i / 3, i % 3, options + 2 * i);
        size_t kept = prune(options, OPTIONS), total = 0;
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < kept; k++, total++)
                for (size_t j = 0; j < 2; j++)
                    sums[2 * total + j] = networks[2 * i + j] + options[2 * k + j];
        count = prune(sums, total);
        assert_true(count <= MOST);
        memcpy(networks, sums, 2 * count * sizeof *sums);
        for (size_t i = 0; i < count; i++)
            for (int skip = 0; skip <= (block >= 2); skip++, found++) {
                double cost = log2(networks[2 * i]) + 0.2 * skip;
                values[2 * found] = 0.03 + 0.57 * exp(-networks[2 * i + 1]) + (block >= 2 && !skip ? 0.04 : 0);
                values[2 * found + 1] = cost <= CONDITIONAL_MOST_COST ? cost : INFINITY;
            }
    }
    /* the costs were read through a logarithm: 1e-12 of the largest */
    assert_near(volume(values, found, problem->reference), problem->best, 1e-9, 0);
    free(networks);
    free(values);
    free(sums);
    bench_problem_close(problem);
}

/* The limit on the cost is a known constraint, and the cost exact. */
static void conditional_admits_by_cost(void **state)
{
    (void)state;
    struct bench_problem *problem = open_problem("conditional");
    const struct optim_problem *optim = &problem->optim;
    struct rng rng = rng_create(3, 0, RANDOM_TEST, 0, 0);
    size_t refused = 0;
    assert_int_equal(optim->space->count, 14);
    for (int i = 0; i < 500; i++) {
        double unit[14], point[14];
        struct optim_admission admission;
        struct bench_outcome outcome;
        for (size_t d = 0; d < 14; d++)
            unit[d] = rng_unit(&rng);
        point_from_unit(optim->space, unit, point);
        bool allowed = optim->admit(optim->context, point, &admission);
        bench_problem_evaluate(problem, point, &rng, &outcome);
        assert_int_equal(allowed, outcome.truth[1] <= 11);
        assert_near(admission.exact[1], outcome.truth[1], 0, 0);
        assert_true(isnan(outcome.told.value[1]));
        refused += !allowed;
    }
    assert_true(refused > 5 && refused < 250);
    bench_problem_close(problem);
}

static void judging(void **state)
{
    (void)state;
    static const double truths[] = {17, 5, NAN, NAN, 16, 4, 19, 0};
    double value = NAN;
    struct bench_problem *two = open_problem("branincurrin"), *one = open_problem("branin");
    assert_ok(bench_problem_judge(two, truths, 4, &value));
    assert_near(value, 4, 0, 1e-15); /* (18 - 16) (6 - 4) */
    assert_true(two->optim.objective[0].threshold == 18 && two->optim.objective[1].threshold == 6);
    assert_true(isnan(one->optim.objective[0].threshold));
    assert_ok(bench_problem_judge(one, truths, 4, &value));
    assert_near(value, 16, 0, 0);
    assert_ok(bench_problem_judge(one, truths + 2, 1, &value));
    assert_true(isnan(value));
    bench_problem_close(two);
    bench_problem_close(one);
}

/* ---- replayed tables ---- */

static const char *write_table(const char *rows)
{
    static char path[512];
    char table[512];
    static const char *const study = "[study]\nname = t\ntrials = 5\n[data]\ndataset = mnist\n[space]\n"
                                     "width = ordered 8, 16\nact = choice relu, tanh if width = 16\n[network]\n"
                                     "layer = dense units=$width activation=$act\nlayer = dense units=classes\n"
                                     "[training]\nepochs = 1\n[objectives]\nval_accuracy = maximize\n"
                                     "parameters = minimize\n[search]\nmethod = random\n";
    snprintf(path, sizeof path, "%s/small.ini", test_folder());
    snprintf(table, sizeof table, "%s/small.csv", test_folder());
    assert_ok(file_replace(path, study, strlen(study), false, NULL));
    assert_ok(file_replace(table, rows, strlen(rows), false, NULL));
    return path;
}

static void replays_a_table(void **state)
{
    (void)state;
    struct bench_problem *problem = open_problem(
        write_table("# made by hand\nact,width,parameters,val_accuracy_1,val_accuracy_2,validation_images\n"
                    ",8,100,0.6,0.7,250\nrelu,16,1000,0.9,,250\ntanh,16,10000,,,250\n"));
    const struct optim_problem *optim = &problem->optim;
    double small[] = {0, NAN}, middle[] = {1, 0}, large[] = {1, 1};
    struct optim_admission admission;
    struct bench_outcome outcome;
    bool seen[2] = {false}, failed = false;
    point_canonicalise(optim->space, small);
    assert_string_equal(problem->name, "small");
    /* (0.65 - 0.5) (4 - 2) + (0.9 - 0.65) (4 - 3) */
    assert_near(problem->best, 0.55, 1e-12, 0);
    assert_near(optim->objective[0].threshold, 0.5, 0, 0);
    assert_near(optim->objective[1].threshold, 10000, 1e-12, 0);
    assert_true(optim->admit(optim->context, small, &admission));
    assert_near(admission.exact[1], 100, 0, 0);
    for (uint32_t i = 0; i < 40; i++) {
        struct rng rng = rng_create(1, i, RANDOM_TEST, 0, 0);
        bench_problem_evaluate(problem, small, &rng, &outcome);
        assert_near(outcome.truth[0], 0.65, 1e-15, 0);
        assert_near(outcome.truth[1], 2, 1e-15, 0);
        double told = outcome.told.value[0];
        assert_true(told == 0.6 || told == 0.7);
        assert_near(outcome.told.variance[0], told * (1 - told) / 250, 1e-15, 0);
        seen[told == 0.7] = true;
        bench_problem_evaluate(problem, middle, &rng, &outcome);
        failed |= outcome.failed;
        assert_true(outcome.failed || outcome.truth[0] == 0.9);
        bench_problem_evaluate(problem, large, &rng, &outcome);
        assert_true(outcome.failed && isnan(outcome.truth[0]));
    }
    assert_true(seen[0] && seen[1] && failed);
    bench_problem_close(problem);
}

static void refuses_bad_tables(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"act,parameters,val_accuracy_1\n,1,1\n", "small.csv:1: there is no column \"width\""},
        {"act,width,val_accuracy_1\n,8,1\n", "no column \"parameters\""},
        {"act,width,parameters\n,8,1\n", "no column \"val_accuracy_1\""},
        {"act,width,parameters,val_accuracy_1\n,9,1,1\n", "small.csv:2: width is \"9\""},
        {"act,width,parameters,val_accuracy_1\n\n,8,1,x\n", "small.csv:3: val_accuracy_1 is \"x\""},
        {"act,width,parameters,val_accuracy_1\n,8,,1\n", "small.csv:2: parameters is \"\""},
        {"act,width,parameters,val_accuracy_1\n,8,1\n", "small.csv:2: 3 values were found, expected 4"},
        {"act,width,parameters,val_accuracy_1\n,8,1,1\nrelu,8,1,1\n", "two rows are the same network: width=8"},
        {"act,width,parameters,val_accuracy_1\n", "there is no row"},
        {"", "the file is empty"},
    };
    struct log *log = test_log();
    struct bench_problem *problem = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(bench_problem_open(write_table(bad[i][0]), log, &problem), NR_INVALID);
        test_log_has(log, bad[i][1]);
    }
    assert_int_equal(bench_problem_open("branim", log, &problem), NR_INVALID);
    test_log_has(log, "no problem \"branim\" (did you mean branin?)");
    assert_null(problem);
    bench_problem_close(NULL);
    log_destroy(log);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(classic_functions),
    cmocka_unit_test(own_functions),
    cmocka_unit_test(known_minima),
    cmocka_unit_test(best_of_mixed),
    cmocka_unit_test(best_of_conditional),
    cmocka_unit_test(conditional_admits_by_cost),
    cmocka_unit_test(judging),
    cmocka_unit_test(replays_a_table),
    cmocka_unit_test(refuses_bad_tables),
};

TEST_MAIN(cases)
