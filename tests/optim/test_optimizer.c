/* optim/optimizer: what every method promises (allowed, new, exhausted, resumable), and that the model is worth it. */
#include "support/test.h"

#include "optim/optimizer.h"
#include "optim/pareto.h"
#include "problems.h"
#include "space/keys.h"

static const enum optim_method methods[] = {METHOD_BO, METHOD_RANDOM, METHOD_SOBOL, METHOD_EVOLUTION, METHOD_GRID};
enum { METHODS = sizeof methods / sizeof *methods };

static struct optim_problem network_problem(struct world *world)
{
    struct optim_problem problem = {.space = &world->space, .objectives = 2, .admit = world_admit, .context = world};
    problem.objective[0] =
        (struct optim_objective){.maximize = true, .threshold = NAN, .transform = TRANSFORM_HALF_RANK};
    problem.objective[1] = (struct optim_objective){.exact = true, .threshold = NAN};
    return problem;
}

static struct optimizer *make(const struct optim_problem *problem, enum optim_method method, uint64_t seed,
                              int64_t initial)
{
    struct optim_options options = {.method = method, .seed = seed, .initial = initial};
    struct optimizer *optimizer = NULL;
    assert_ok(optimizer_create(problem, &options, NULL, &optimizer));
    return optimizer;
}

static struct optim_result result_of(double first, double second)
{
    return (struct optim_result){.value = {first, second}, .variance = {NAN, NAN}, .seconds = NAN};
}

/* As the driver tells it: in the objectives' own sense, nothing for exact ones. */
static void tell(struct optimizer *optimizer, const struct optim_problem *problem, int64_t trial, const double *value)
{
    struct optim_result told = {.variance = {1e-6, NAN}, .seconds = 1e-5 * fabs(value[1])};
    for (size_t j = 0; j < 2; j++)
        told.value[j] = problem->objective[j].exact ? NAN : problem->objective[j].maximize ? value[j] : -value[j];
    told.value[problem->objectives] = fabs(value[1]); /* where there is a constraint */
    assert_ok(optimizer_tell(optimizer, trial, &told));
}

/* Hypervolume after `trials` evaluations. */
static double search(const struct optim_problem *problem, evaluate_point *evaluate, enum optim_method method,
                     uint64_t seed, int64_t trials, const double *reference)
{
    struct optimizer *optimizer = make(problem, method, seed, 12);
    double values[2 * 64], volume = NAN;
    for (int64_t i = 0; i < trials; i++) {
        struct suggestion suggestion;
        assert_ok(optimizer_suggest(optimizer, i, &suggestion));
        evaluate(suggestion.point, values + 2 * i);
        tell(optimizer, problem, i, values + 2 * i);
    }
    assert_ok(pareto_hypervolume(values, (size_t)trials, 2, reference, &volume));
    optimizer_destroy(optimizer);
    return volume;
}

static double mean_volume(const struct optim_problem *problem, evaluate_point *evaluate, enum optim_method method,
                          int64_t trials, const double *reference)
{
    double sum = 0;
    for (uint64_t seed = 1; seed <= 5; seed++)
        sum += search(problem, evaluate, method, seed, trials, reference);
    return sum / 5;
}

/* One modelled objective, one exact, six mixed dimensions, a size limit. */
static void model_beats_random_on_networks(void **state)
{
    (void)state;
    const double reference[2] = {0.9, -90000};
    struct world world = {make_space(network_entries), network_evaluate, 90000, 0};
    struct optim_problem problem = network_problem(&world);
    double bo = mean_volume(&problem, network_evaluate, METHOD_BO, 48, reference);
    double random = mean_volume(&problem, network_evaluate, METHOD_RANDOM, 48, reference);
    double sobol = mean_volume(&problem, network_evaluate, METHOD_SOBOL, 48, reference);
    print_message("hypervolume: bo %.6g, random %.6g, sobol %.6g\n", bo, random, sobol);
    assert_true(bo > 1.03 * random && bo > 1.03 * sobol);
    space_clear(&world.space);
}

/* Mean over five seeds of the best accuracy within 100 evaluations. */
static double mean_accuracy(enum optim_method method)
{
    struct world world = {make_space(network_entries), network_evaluate, INFINITY, 0};
    struct optim_problem problem = {.space = &world.space, .objectives = 1};
    double sum = 0;
    problem.objective[0] = (struct optim_objective){.maximize = true, .threshold = NAN};
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct optimizer *optimizer = make(&problem, method, seed, 12);
        double best = 0;
        for (int64_t i = 0; i < 100; i++) {
            struct suggestion suggestion;
            double value[2];
            assert_ok(optimizer_suggest(optimizer, i, &suggestion));
            network_evaluate(suggestion.point, value);
            best = fmax(best, value[0]);
            struct optim_result result = result_of(value[0], NAN);
            assert_ok(optimizer_tell(optimizer, i, &result));
        }
        sum += best / 5;
        optimizer_destroy(optimizer);
    }
    space_clear(&world.space);
    return sum;
}

/* What is missing to the best accuracy of 0.985 - 0.05 exp(-3.3) - 0.012 exp(-3.9) = 0.98292 is halved. */
static void evolution_beats_random(void **state)
{
    (void)state;
    double evolution = mean_accuracy(METHOD_EVOLUTION), random = mean_accuracy(METHOD_RANDOM);
    print_message("accuracy: evolution %.6g, random %.6g\n", evolution, random);
    assert_true(0.98292 - evolution < 0.5 * (0.98292 - random));
}

/* Two modelled objectives on the unit square. */
static void model_beats_random_on_branin_currin(void **state)
{
    (void)state;
    const double reference[2] = {-18, -6};
    struct world world = {make_space(square_entries), square_evaluate, INFINITY, 0};
    struct optim_problem problem = {.space = &world.space, .objectives = 2};
    problem.objective[0] = problem.objective[1] = (struct optim_objective){.maximize = true, .threshold = NAN};
    double bo = mean_volume(&problem, square_evaluate, METHOD_BO, 40, reference);
    double random = mean_volume(&problem, square_evaluate, METHOD_RANDOM, 40, reference);
    print_message("hypervolume: bo %.6g, random %.6g; the best possible is about 59.36\n", bo, random);
    assert_true(bo > 50 && bo > 2 * random);
    space_clear(&world.space);
}

static void methods_have_the_names_of_the_key(void **state)
{
    (void)state;
    static const char *const names[] = {"bo", "random", "sobol", "evolution", "grid", NULL};
    for (size_t m = 0; m <= METHODS; m++) {
        if (names[m])
            assert_string_equal(keys[KEY_METHOD].choices[methods[m]], names[m]);
        else
            assert_null(keys[KEY_METHOD].choices[m]);
    }
}

static void one_objective(void **state)
{
    (void)state;
    struct world world = {make_space(square_entries), square_evaluate, INFINITY, 0};
    struct optim_problem problem = {.space = &world.space, .objectives = 1};
    problem.objective[0] = (struct optim_objective){.maximize = false, .threshold = NAN};
    struct optimizer *optimizer = make(&problem, METHOD_BO, 3, 8);
    double best = INFINITY;
    for (int64_t i = 0; i < 35; i++) {
        struct suggestion suggestion;
        double value[2];
        assert_ok(optimizer_suggest(optimizer, i, &suggestion));
        square_evaluate(suggestion.point, value);
        double branin = -value[0];
        best = fmin(best, branin);
        struct optim_result result = result_of(branin, NAN);
        assert_ok(optimizer_tell(optimizer, i, &result));
    }
    assert_true(best < 0.45); /* the minimum is 0.3979 */
    optimizer_destroy(optimizer);
    space_clear(&world.space);
}

/* Every point is allowed, new, canonical, and the world is asked no more than a few thousand times for it. */
static void points_are_allowed_and_new(void **state)
{
    (void)state;
    enum { TRIALS = 40 };
    for (size_t m = 0; m < METHODS; m++) {
        struct world world = {make_space(network_entries), network_evaluate, 20000, 0}; /* a third of the space */
        struct optim_problem problem = network_problem(&world);
        struct optimizer *optimizer = make(&problem, methods[m], 2, 10);
        double points[TRIALS][6];
        for (int64_t i = 0; i < TRIALS; i++) {
            struct suggestion suggestion;
            double value[2], canonical[6];
            size_t asked = world.asked;
            assert_ok(optimizer_suggest(optimizer, i, &suggestion));
            assert_true(world.asked - asked < 12000 ||
                        methods[m] == METHOD_GRID); /* whose coarse points are too large */
            memcpy(points[i], suggestion.point, sizeof points[i]);
            memcpy(canonical, suggestion.point, sizeof canonical);
            point_canonicalise(&world.space, canonical);
            assert_true(point_equal(&world.space, canonical, points[i]));
            for (int64_t k = 0; k < i; k++)
                assert_false(point_equal(&world.space, points[k], points[i]));
            network_evaluate(points[i], value);
            assert_true(-value[1] <= world.size_limit);
            tell(optimizer, &problem, i, value);
        }
        optimizer_destroy(optimizer);
        space_clear(&world.space);
    }
}

static const char *const small_entries[] = {"width", "int 1..6", "kind", "choice a, b, c", "gate", "bool if kind = b",
                                            "fixed", "fixed 7",  NULL};

/* Of the 6 * (1 + 2 + 1) = 24 points those with width 3 are forbidden: 20 are left. Kinds a and c of width 6 are the
 * same network: 19. */
static bool small_admit(void *context, const double *point, struct optim_admission *out)
{
    (void)context;
    out->exact[1] = point[0];
    if (point[0] == 6 && point[1] != 1)
        snprintf(out->identity, sizeof out->identity, "widest");
    return point[0] != 3;
}

static void small_spaces_end_exactly(void **state)
{
    (void)state;
    for (size_t m = 0; m < METHODS; m++) {
        struct space space = make_space(small_entries);
        struct optim_problem problem = {.space = &space, .objectives = 2, .admit = small_admit};
        problem.objective[0] = (struct optim_objective){.maximize = true, .threshold = NAN};
        problem.objective[1] = (struct optim_objective){.exact = true, .threshold = NAN};
        struct optimizer *optimizer = make(&problem, methods[m], 1, 6);
        struct suggestion suggestion;
        for (int64_t i = 0; i < 19; i++) {
            assert_ok(optimizer_suggest(optimizer, i, &suggestion));
            assert_true(suggestion.point[0] != 3);
            struct optim_result result = result_of(suggestion.point[0] * (suggestion.point[1] == 1), NAN);
            if (i % 5 == 4)
                assert_ok(optimizer_fail(optimizer, i)); /* failed ones are not proposed again */
            else
                assert_ok(optimizer_tell(optimizer, i, &result));
        }
        assert_int_equal(optimizer_suggest(optimizer, 19, &suggestion), NR_EXHAUSTED);
        assert_int_equal(optimizer_suggest(optimizer, 19, &suggestion), NR_EXHAUSTED);
        optimizer_destroy(optimizer);
        space_clear(&space);
    }
}

static bool nothing_is_allowed(void *context, const double *point, struct optim_admission *out)
{
    (void)context;
    (void)point;
    (void)out;
    return false;
}

/* A needle: 1 of 40,000 points is allowed, too many for the pool of small spaces. */
static bool needle_admit(void *context, const double *point, struct optim_admission *out)
{
    (void)context;
    (void)out;
    return point[0] == 137 && point[1] == 55;
}

static void large_spaces_end_too(void **state)
{
    (void)state;
    static const char *const entries[] = {"a", "int 1..200", "b", "int 1..200", NULL};
    for (size_t m = 0; m < METHODS; m++) {
        struct space space = make_space(entries);
        struct optim_problem problem = {.space = &space, .objectives = 1, .admit = needle_admit};
        problem.objective[0] = (struct optim_objective){.maximize = true, .threshold = NAN};
        struct optimizer *optimizer = make(&problem, methods[m], 1, 1);
        struct suggestion suggestion;
        assert_ok(optimizer_suggest(optimizer, 0, &suggestion));
        assert_true(suggestion.point[0] == 137 && suggestion.point[1] == 55);
        assert_int_equal(optimizer_suggest(optimizer, 1, &suggestion), NR_EXHAUSTED);
        optimizer_destroy(optimizer);
        space_clear(&space);
    }
}

static void continuous_space_without_a_point(void **state)
{
    (void)state;
    struct space space = make_space(square_entries);
    struct optim_problem problem = {.space = &space, .objectives = 1, .admit = nothing_is_allowed};
    problem.objective[0] = (struct optim_objective){.maximize = true, .threshold = NAN};
    struct optim_options options = {.method = METHOD_SOBOL, .seed = 1, .initial = 1};
    struct optimizer *optimizer = NULL;
    struct suggestion suggestion;
    struct log *log = test_log();
    assert_ok(optimizer_create(&problem, &options, log, &optimizer));
    assert_int_equal(optimizer_suggest(optimizer, 0, &suggestion), NR_EXHAUSTED);
    test_log_has(log, "counts as exhausted");
    optimizer_destroy(optimizer);
    space_clear(&space);
    log_destroy(log);
}

/* ---- resume ---- */

struct record {
    double point[6], value[2], acquisition;
    char method[24], *fit;
};

/* Trials finish two suggestions late, one in nine fails, one in ten comes back as NaN. */
static void digest(struct optimizer *optimizer, const struct optim_problem *problem, const struct record *record,
                   int64_t trial)
{
    struct optim_result nan = result_of(NAN, NAN);
    if (trial < 0)
        return;
    if (trial % 9 == 8)
        assert_ok(optimizer_fail(optimizer, trial));
    else if (trial % 10 == 9)
        assert_ok(optimizer_tell(optimizer, trial, &nan));
    else
        tell(optimizer, problem, trial, record[trial].value);
}

static void run_on(struct optimizer *optimizer, const struct optim_problem *problem, struct record *record,
                   int64_t first, int64_t end)
{
    for (int64_t i = first; i < end; i++) {
        struct suggestion suggestion;
        assert_ok(optimizer_suggest(optimizer, i, &suggestion));
        memcpy(record[i].point, suggestion.point, sizeof record[i].point);
        memcpy(record[i].method, suggestion.method, sizeof record[i].method);
        record[i].acquisition = suggestion.acquisition;
        record[i].fit = strdup(suggestion.fit);
        network_evaluate(record[i].point, record[i].value);
        digest(optimizer, problem, record, i - 2);
    }
}

/* A search that is cut at any place and goes on from its records chooses the same bits. */
static void resume(const struct optim_problem *problem, const struct optim_options *options)
{
    enum { TRIALS = 44 };
    static const int64_t cuts[] = {0, 5, 13, 21, 30, 43};
    struct record straight[TRIALS], resumed[TRIALS];
    struct optimizer *optimizer = NULL;
    assert_ok(optimizer_create(problem, options, NULL, &optimizer));
    run_on(optimizer, problem, straight, 0, TRIALS);
    optimizer_destroy(optimizer);
    assert_true(options->method != METHOD_BO || !strcmp(straight[20].method, "bo"));
    for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
        assert_ok(optimizer_create(problem, options, NULL, &optimizer));
        for (int64_t i = 0; i < cuts[c]; i++) {
            assert_ok(optimizer_restore(optimizer, i, straight[i].point, straight[i].method, straight[i].fit));
            resumed[i] = straight[i];
            digest(optimizer, problem, straight, i - 2);
        }
        run_on(optimizer, problem, resumed, cuts[c], TRIALS);
        for (int64_t i = cuts[c]; i < TRIALS; i++) {
            assert_memory_equal(resumed[i].point, straight[i].point, sizeof straight[i].point);
            assert_string_equal(resumed[i].method, straight[i].method);
            assert_string_equal(resumed[i].fit, straight[i].fit);
            assert_true(resumed[i].acquisition == straight[i].acquisition || isnan(resumed[i].acquisition));
            free(resumed[i].fit);
        }
        optimizer_destroy(optimizer);
    }
    for (int64_t i = 0; i < TRIALS; i++)
        free(straight[i].fit);
}

static void resume_decides_alike(void **state)
{
    (void)state;
    struct world world = {make_space(network_entries), network_evaluate, 60000, 0};
    struct optim_problem problem = network_problem(&world);
    struct optim_options options = {.seed = 11, .initial = 12};
    for (size_t m = 0; m < METHODS; m++) {
        options.method = methods[m];
        resume(&problem, &options);
    }
    options.method = METHOD_BO;
    options.model = MODEL_SPARSE;
    options.cost_aware = true;
    problem.objective[0].transform = TRANSFORM_AUTO;
    problem.constraint[problem.constraints++] = (struct optim_constraint){.at_most = true, .bound = 45000};
    resume(&problem, &options);
    space_clear(&world.space);
}

static void seeds_differ(void **state)
{
    (void)state;
    struct world world = {make_space(network_entries), network_evaluate, 60000, 0};
    struct optim_problem problem = network_problem(&world);
    for (size_t m = 0; m < METHODS; m++) {
        struct optimizer *a = make(&problem, methods[m], 1, 4), *b = make(&problem, methods[m], 2, 4);
        struct suggestion first, second;
        assert_ok(optimizer_suggest(a, 0, &first));
        assert_ok(optimizer_suggest(b, 0, &second));
        assert_false(point_equal(&world.space, first.point, second.point));
        optimizer_destroy(a);
        optimizer_destroy(b);
    }
    space_clear(&world.space);
}

/* Results that teach nothing: the search goes on with Sobol points and says why. */
static void degenerate_results(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *note;
    } cases[] = {{0.5, "all results are equal"}, {NAN, "0 results"}, {INFINITY, "0 results"}};
    for (size_t c = 0; c < 3; c++) {
        struct world world = {make_space(network_entries), network_evaluate, 60000, 0};
        struct optim_problem problem = network_problem(&world);
        struct optimizer *optimizer = make(&problem, METHOD_BO, 1, 5);
        struct suggestion suggestion;
        for (int64_t i = 0; i < 12; i++) {
            assert_ok(optimizer_suggest(optimizer, i, &suggestion));
            assert_string_equal(suggestion.method, "sobol");
            struct optim_result result = result_of(cases[c].value, NAN);
            assert_ok(optimizer_tell(optimizer, i, &result));
        }
        assert_non_null(strstr(suggestion.note, cases[c].note));
        optimizer_destroy(optimizer);
        space_clear(&world.space);
    }
}

/* All objectives known beforehand: the search degenerates to ranking candidates, and finds the corner. */
static void all_objectives_exact(void **state)
{
    (void)state;
    struct world world = {make_space(network_entries), network_evaluate, 60000, 0};
    struct optim_problem problem = network_problem(&world);
    problem.objective[0] = problem.objective[1];
    problem.objective[0].maximize = true; /* exact[0] is always 0 */
    struct optimizer *optimizer = make(&problem, METHOD_BO, 1, 4);
    double smallest = INFINITY;
    for (int64_t i = 0; i < 12; i++) {
        struct suggestion suggestion;
        double value[2];
        assert_ok(optimizer_suggest(optimizer, i, &suggestion));
        network_evaluate(suggestion.point, value);
        smallest = fmin(smallest, -value[1]);
        struct optim_result result = result_of(value[0], value[1]);
        assert_ok(optimizer_tell(optimizer, i, &result));
    }
    assert_true(smallest == 784 * 16 + 16 * 16 + 160);
    optimizer_destroy(optimizer);
    space_clear(&world.space);
}

/* Thresholds that nobody has met yet must not stop the search; after that they do steer it. */
static void thresholds(void **state)
{
    (void)state;
    struct world world = {make_space(network_entries), network_evaluate, 110000, 0};
    struct optim_problem problem = network_problem(&world);
    problem.objective[0].threshold = 0.96;
    problem.objective[1].threshold = 60000;
    struct optimizer *optimizer = make(&problem, METHOD_BO, 4, 12);
    int within = 0;
    for (int64_t i = 0; i < 40; i++) {
        struct suggestion suggestion;
        double value[2];
        assert_ok(optimizer_suggest(optimizer, i, &suggestion));
        network_evaluate(suggestion.point, value);
        within += i >= 20 && -value[1] < 60000;
        tell(optimizer, &problem, i, value);
    }
    assert_true(within >= 18); /* of 20 */
    optimizer_destroy(optimizer);
    space_clear(&world.space);
}

static void bad_calls(void **state)
{
    (void)state;
    struct world world = {make_space(network_entries), network_evaluate, 60000, 0};
    struct optim_problem problem = network_problem(&world), broken = problem;
    struct optim_options options = {.method = METHOD_BO, .seed = 1, .initial = -1};
    struct optimizer *optimizer = NULL;
    struct suggestion suggestion;
    struct log *log = test_log();
    struct optim_result result = result_of(0.5, NAN);
    assert_int_equal(optimizer_create(&problem, &options, log, &optimizer), NR_INVALID);
    test_log_has(log, "initial = -1");
    options.initial = 2;
    broken.objectives = 5;
    assert_int_equal(optimizer_create(&broken, &options, log, &optimizer), NR_INVALID);
    test_log_has(log, "5 objectives");
    broken = problem;
    broken.constraints = 5;
    assert_int_equal(optimizer_create(&broken, &options, log, &optimizer), NR_INVALID);
    test_log_has(log, "5 outcome constraints");
    broken = problem;
    broken.admit = NULL;
    assert_int_equal(optimizer_create(&broken, &options, log, &optimizer), NR_INVALID);
    test_log_has(log, "objective 2 is exact");

    assert_ok(optimizer_create(&problem, &options, log, &optimizer));
    assert_int_equal(optimizer_tell(optimizer, 0, &result), NR_INVALID);
    test_log_has(log, "trial 0 was never suggested");
    assert_ok(optimizer_suggest(optimizer, 7, &suggestion));
    assert_ok(optimizer_tell(optimizer, 7, &result));
    assert_int_equal(optimizer_fail(optimizer, 7), NR_INVALID);
    test_log_has(log, "trial 7 ended already");
    static const char *const states[] = {"results=x", "sobol=-1", "model0=1,2", "model1=1",
                                         "nonsense",  "full=",    "grid=1,1"};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        assert_int_equal(optimizer_restore(optimizer, 8, suggestion.point, "bo", states[i]), NR_INVALID);
        test_log_has(log, states[i]);
    }
    optimizer_destroy(optimizer);
    optimizer_destroy(NULL);
    space_clear(&world.space);
    log_destroy(log);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(model_beats_random_on_networks),
        cmocka_unit_test(model_beats_random_on_branin_currin),
        cmocka_unit_test(evolution_beats_random),
        cmocka_unit_test(methods_have_the_names_of_the_key),
        cmocka_unit_test(one_objective),
        cmocka_unit_test(points_are_allowed_and_new),
        cmocka_unit_test(small_spaces_end_exactly),
        cmocka_unit_test(large_spaces_end_too),
        cmocka_unit_test(continuous_space_without_a_point),
        cmocka_unit_test(resume_decides_alike),
        cmocka_unit_test(seeds_differ),
        cmocka_unit_test(degenerate_results),
        cmocka_unit_test(all_objectives_exact),
        cmocka_unit_test(thresholds),
        cmocka_unit_test(bad_calls),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
