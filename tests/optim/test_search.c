/* optim/optimizer: what the search makes of failures, limits that only trials show, odd results, pending trials, costs
 * and spaces of which little is allowed. */
#include "support/test.h"

#include "base/rng.h"
#include "optim/duration.h"
#include "optim/optimizer.h"
#include "optim/pareto.h"
#include "problems.h"

static struct optimizer *make(const struct optim_problem *problem, uint64_t seed, int64_t initial)
{
    struct optim_options options = {.method = METHOD_BO, .seed = seed, .initial = initial};
    struct optimizer *optimizer = NULL;
    assert_ok(optimizer_create(problem, &options, NULL, &optimizer));
    return optimizer;
}

static struct optim_result result_of(double first, double second)
{
    struct optim_result result = {.value = {first, second}, .seconds = NAN};
    for (size_t j = 0; j < OPTIM_MAX_OUTCOMES; j++)
        result.variance[j] = NAN;
    return result;
}

static void suggest(struct optimizer *optimizer, int64_t trial, struct suggestion *out)
{
    assert_ok(optimizer_suggest(optimizer, trial, out));
    assert_non_null(out->note);
}

static struct optim_problem plain_problem(const struct space *space, size_t objectives)
{
    struct optim_problem problem = {.space = space, .objectives = objectives};
    for (size_t j = 0; j < objectives; j++)
        problem.objective[j] = (struct optim_objective){.threshold = NAN};
    return problem;
}

/* ---- odd results ---- */

/* One result in seven is off by 1e12 or 1e300, either way: the search goes on, with a model, and finds the bowl. */
static void outliers(void **state)
{
    (void)state;
    static const double odd[] = {1e12, -1e12, 1e300, 1e12};
    static const enum optim_transform transforms[] = {TRANSFORM_NONE, TRANSFORM_HALF_RANK, TRANSFORM_AUTO,
                                                      TRANSFORM_AUTO};
    struct space space = make_space(square_entries);
    for (size_t c = 0; c < sizeof odd / sizeof *odd; c++) {
        struct optim_problem problem = plain_problem(&space, 1);
        problem.objective[0].transform = transforms[c];
        struct optimizer *optimizer = make(&problem, 1, 8);
        struct suggestion suggestion;
        double best = INFINITY;
        for (int64_t i = 0; i < 35; i++) {
            suggest(optimizer, i, &suggestion);
            double x = suggestion.point[0] - 0.3, y = suggestion.point[1] - 0.6, value = x * x + y * y;
            best = fmin(best, value);
            struct optim_result result = result_of(i % 7 == 3 ? odd[c] : value, NAN);
            assert_ok(optimizer_tell(optimizer, i, &result));
        }
        if (c >= 2) /* minimised and far up: AUTO ranks them away */
            assert_true(best < 0.005);
        optimizer_destroy(optimizer);
    }
    space_clear(&space);
}

/* The same point told many times, from elsewhere: one row for the model, with the mean. */
static void replicates(void **state)
{
    (void)state;
    static const double noise[] = {0.3, -0.1, -0.2, 0.1, -0.3, 0.2}; /* sums to 0 */
    struct space space = make_space(square_entries);
    struct optim_problem problem = plain_problem(&space, 1);
    struct optimizer *optimizer = make(&problem, 1, 4);
    struct suggestion suggestion;
    int64_t trial = 0;
    for (int64_t i = 0; i < 6; i++) {
        double point[2] = {0.15 * (double)i, 0.9 - 0.15 * (double)i};
        for (size_t r = 0; r < 6; r++, trial++) {
            assert_ok(optimizer_restore(optimizer, trial, point, "", ""));
            struct optim_result result = result_of(point[0] + noise[r], NAN);
            assert_ok(optimizer_tell(optimizer, trial, &result));
        }
    }
    for (int64_t i = 0; i < 6; i++, trial++) {
        suggest(optimizer, trial, &suggestion);
        assert_string_equal(suggestion.method, "bo");
        struct optim_result result = result_of(suggestion.point[0], NAN);
        assert_ok(optimizer_tell(optimizer, trial, &result));
    }
    assert_true(suggestion.point[0] < 0.05); /* minimised: the end at 0 */
    optimizer_destroy(optimizer);
    space_clear(&space);
}

/* Fewer results than a model needs, however the trials ended. */
static void one_result(void **state)
{
    (void)state;
    struct space space = make_space(square_entries);
    struct optim_problem problem = plain_problem(&space, 1);
    struct optimizer *optimizer = make(&problem, 1, 1);
    struct suggestion suggestion;
    for (int64_t i = 0; i < 10; i++) {
        suggest(optimizer, i, &suggestion);
        assert_string_equal(suggestion.method, "sobol");
        struct optim_result result = result_of(1, NAN);
        if (i == 4)
            assert_ok(optimizer_tell(optimizer, i, &result));
        else
            assert_ok(optimizer_fail(optimizer, i));
    }
    assert_non_null(strstr(suggestion.note, "1 results, a model needs 2"));
    optimizer_destroy(optimizer);
    space_clear(&space);
}

/* ---- failures ---- */

/* A rate above 0.3 fails, half of the Sobol points; the best rate is a bit below. */
static void failures_are_avoided(void **state)
{
    (void)state;
    static const char *const entries[] = {"rate", "real 0..0.6",    "width", "int 8..64 log",
                                          "kind", "choice a, b, c", NULL};
    struct space space = make_space(entries);
    int failed_early = 0, failed_late = 0;
    double best = 0;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct optim_problem problem = plain_problem(&space, 1);
        problem.objective[0].maximize = true;
        struct optimizer *optimizer = make(&problem, seed, 10);
        struct rng noise = rng_create(seed, 0, RANDOM_TEST, 0, 0); /* or the optimum would soon be known exactly */
        struct suggestion suggestion;
        for (int64_t i = 0; i < 40; i++) {
            suggest(optimizer, i, &suggestion);
            bool fails = suggestion.point[0] > 0.3;
            double off = suggestion.point[0] - 0.22;
            double value = 0.1 * log2(suggestion.point[1] / 8) - 0.05 * suggestion.point[2] - 4 * off * off;
            struct optim_result result = result_of(value + 0.01 * rng_normal(&noise), NAN), nan = result_of(NAN, NAN);
            failed_early += fails && i < 10;
            failed_late += fails && i >= 20;
            if (fails && i % 2)
                assert_ok(optimizer_fail(optimizer, i));
            else
                assert_ok(optimizer_tell(optimizer, i, fails ? &nan : &result));
            best = fmax(best, fails ? 0 : value);
        }
        optimizer_destroy(optimizer);
    }
    print_message("failed: %d of 30 at first, %d of 60 at last; best %.3f of 0.3\n", failed_early, failed_late, best);
    assert_true(failed_early >= 10); /* half of 30, evenly spread */
    assert_true(failed_late <= 8);   /* of 60, where half of the space fails */
    assert_true(best > 0.295);
    space_clear(&space);
}

/* The first trials around the optimum fail by accident: the search returns there all the same. */
static void failures_are_not_for_ever(void **state)
{
    (void)state;
    struct space space = make_space(square_entries);
    struct optim_problem problem = plain_problem(&space, 1);
    struct optimizer *optimizer = make(&problem, 5, 12);
    struct suggestion suggestion;
    double best = INFINITY;
    int accidents = 0;
    for (int64_t i = 0; i < 45; i++) {
        suggest(optimizer, i, &suggestion);
        double x = suggestion.point[0] - 0.7, y = suggestion.point[1] - 0.7, value = x * x + y * y;
        struct optim_result result = result_of(value, NAN);
        if (value < 0.1 && accidents < 4) {
            accidents++;
            assert_ok(optimizer_fail(optimizer, i));
            continue;
        }
        best = fmin(best, value);
        assert_ok(optimizer_tell(optimizer, i, &result));
    }
    assert_int_equal(accidents, 4);
    assert_true(best < 1e-3);
    optimizer_destroy(optimizer);
    space_clear(&space);
}

/* ---- outcome constraints ---- */

/* Minimise x + y where a trial must show x y >= 0.25: best 1 at (0.5, 0.5). Told as "at most" of the opposite too. */
static void constraints_that_trials_show(void **state)
{
    (void)state;
    struct space space = make_space(square_entries);
    for (int at_most = 0; at_most <= 1; at_most++) {
        struct optim_problem problem = plain_problem(&space, 1);
        problem.constraints = 1;
        problem.constraint[0] = (struct optim_constraint){.at_most = at_most, .bound = at_most ? -0.25 : 0.25};
        struct optimizer *optimizer = make(&problem, 2, 8);
        struct suggestion suggestion;
        double best = INFINITY;
        int feasible = 0;
        for (int64_t i = 0; i < 35; i++) {
            suggest(optimizer, i, &suggestion);
            double x = suggestion.point[0], y = suggestion.point[1];
            struct optim_result result = result_of(x + y, at_most ? -x * y : x * y);
            if (x * y >= 0.25)
                best = fmin(best, x + y);
            feasible += i >= 20 && x * y >= 0.25;
            assert_ok(optimizer_tell(optimizer, i, &result));
        }
        print_message("best feasible %.4f, %d of the last 15 feasible\n", best, feasible);
        assert_true(best < 1.01);
        optimizer_destroy(optimizer);
    }
    space_clear(&space);
}

/* One point in 400 is feasible, the objective pulls away from there: while there is none, feasibility alone leads. */
static void feasible_region_is_found(void **state)
{
    (void)state;
    struct space space = make_space(square_entries);
    struct optim_problem problem = plain_problem(&space, 1);
    problem.constraints = 1;
    problem.constraint[0] = (struct optim_constraint){.at_most = true, .bound = 0.0008};
    struct optimizer *optimizer = make(&problem, 3, 8);
    struct suggestion suggestion;
    int64_t found = -1;
    for (int64_t i = 0; i < 30 && found < 0; i++) {
        suggest(optimizer, i, &suggestion);
        double x = suggestion.point[0] - 0.85, y = suggestion.point[1] - 0.15;
        struct optim_result result = result_of(suggestion.point[0] - suggestion.point[1], x * x + y * y);
        if (x * x + y * y <= 0.0008)
            found = i;
        assert_ok(optimizer_tell(optimizer, i, &result));
    }
    assert_true(found >= 0 && found < 20);
    optimizer_destroy(optimizer);
    space_clear(&space);
}

/* ---- several objectives ---- */

/* Three distances to the corners of a triangle: the front is the triangle. One of them exact in the second round. */
static bool third_is_exact(void *context, const double *point, struct optim_admission *out)
{
    (void)context;
    out->exact[2] = hypot(point[0] - 0.5, point[1] - 1);
    return true;
}

static double three_objectives_volume(const struct space *space, enum optim_method method, bool exact)
{
    struct optim_problem problem = plain_problem(space, 3);
    if (exact) {
        problem.admit = third_is_exact;
        problem.objective[2].exact = true;
    }
    struct optim_options options = {.method = method, .seed = 1, .initial = 8};
    struct optimizer *optimizer = NULL;
    struct suggestion suggestion;
    double values[30][3], reference[3] = {-1, -1, -1}, volume = NAN;
    assert_ok(optimizer_create(&problem, &options, NULL, &optimizer));
    for (int64_t i = 0; i < 30; i++) {
        suggest(optimizer, i, &suggestion);
        const double *p = suggestion.point;
        struct optim_result result = result_of(hypot(p[0], p[1]), hypot(p[0] - 1, p[1]));
        result.value[2] = hypot(p[0] - 0.5, p[1] - 1);
        for (size_t j = 0; j < 3; j++)
            values[i][j] = -result.value[j];
        if (exact)
            result.value[2] = NAN;
        assert_ok(optimizer_tell(optimizer, i, &result));
    }
    assert_ok(pareto_hypervolume(values[0], 30, 3, reference, &volume));
    optimizer_destroy(optimizer);
    return volume;
}

static void three_objectives(void **state)
{
    (void)state;
    struct space space = make_space(square_entries);
    double random = three_objectives_volume(&space, METHOD_RANDOM, false);
    for (int exact = 0; exact <= 1; exact++) {
        double bo = three_objectives_volume(&space, METHOD_BO, exact);
        print_message("hypervolume: bo %.4f, random %.4f\n", bo, random);
        assert_true(bo > 1.05 * random);
    }
    space_clear(&space);
}

/* ---- pending trials ---- */

/* A trial that never ends, at the optimum, does not keep the search from it (test_surrogate.c has that it repels). */
static void pending_trials_do_not_repel_for_ever(void **state)
{
    (void)state;
    static const char *const entries[] = {"x", "real 0..1", NULL};
    struct space space = make_space(entries);
    struct optim_problem problem = plain_problem(&space, 1);
    struct optimizer *optimizer = make(&problem, 1, 4);
    struct suggestion suggestion;
    const double hung = 0.55;
    double nearest = 1;
    assert_ok(optimizer_restore(optimizer, 1000, &hung, "", ""));
    for (int64_t i = 0; i < 60; i++) {
        suggest(optimizer, i, &suggestion);
        double x = suggestion.point[0], value = fabs(x - hung) < 0.004 ? -1 : (x - hung) * (x - hung);
        if (i > 32) /* EVIDENCE_PATIENCE results and two for the trial that runs */
            nearest = fmin(nearest, fabs(x - hung));
        struct optim_result result = result_of(value, NAN);
        assert_ok(optimizer_tell(optimizer, i, &result));
    }
    print_message("nearest to the pending point at last: %.2g\n", nearest);
    assert_true(nearest < 0.004);
    optimizer_destroy(optimizer);
    space_clear(&space);
}

/* Asking eight times gives eight points that are not all one. */
static void eight_at_once(void **state)
{
    (void)state;
    struct space space = make_space(square_entries);
    struct optim_problem problem = plain_problem(&space, 1);
    struct optimizer *optimizer = make(&problem, 1, 8);
    struct suggestion suggestion;
    double points[8][2], value[2], spread = 0;
    for (int64_t i = 0; i < 12; i++) {
        suggest(optimizer, i, &suggestion);
        square_evaluate(suggestion.point, value);
        struct optim_result result = result_of(-value[0], NAN);
        assert_ok(optimizer_tell(optimizer, i, &result));
    }
    for (int64_t i = 0; i < 8; i++) {
        suggest(optimizer, 12 + i, &suggestion);
        memcpy(points[i], suggestion.point, sizeof points[i]);
        for (int64_t k = 0; k < i; k++) {
            double apart = hypot(points[i][0] - points[k][0], points[i][1] - points[k][1]);
            spread = fmax(spread, apart);
            assert_true(apart > 1e-4);
        }
    }
    assert_true(spread > 0.2); /* several of the three valleys */
    optimizer_destroy(optimizer);
    space_clear(&space);
}

/* ---- costs ---- */

static void durations(void **state)
{
    (void)state;
    struct history_trial trial[12];
    struct history history = {.trial = trial, .count = 12};
    struct duration duration;
    for (size_t i = 0; i < 12; i++) {
        trial[i] = (struct history_trial){.state = TRIAL_FINISHED};
        trial[i].admission.work = pow(4, (double)i + 1);
        trial[i].result.seconds = 3e-3 * pow(trial[i].admission.work, 0.8);
    }
    trial[7].result.seconds *= 1e5; /* the machine slept */
    trial[8].state = TRIAL_FAILED;
    trial[9].result.seconds = NAN;
    duration_fit(&duration, &history);
    /* prior N(1, 1/4) against eight good results over 16 units of log work: its pull and the outlier's are below 1 % */
    assert_near(duration.slope, 0.8, 0.02, 0);
    assert_near(duration_log_seconds(&duration, 1e6), log(3e-3 * pow(1e6, 0.8)), 0.1, 0);
    assert_true(isnan(duration_log_seconds(&duration, 0)));
    history.count = 2;
    duration_fit(&duration, &history);
    assert_true(isnan(duration_log_seconds(&duration, 1e6)));
}

static bool admit_with_work(void *context, const double *point, struct optim_admission *out)
{
    (void)context;
    out->work = pow(10, 9 * point[1]);
    return true;
}

/* The objective hardly depends on y, the work very much: a search that minds the clock stays at small y. */
static void cost_awareness(void **state)
{
    (void)state;
    struct space space = make_space(square_entries);
    double log_work[2] = {0, 0}, best[2] = {INFINITY, INFINITY};
    for (int aware = 0; aware <= 1; aware++) {
        struct optim_problem problem = plain_problem(&space, 1);
        problem.admit = admit_with_work;
        struct optim_options options = {.method = METHOD_BO, .seed = 1, .initial = 8, .cost_aware = aware};
        struct optimizer *optimizer = NULL;
        struct suggestion suggestion;
        assert_ok(optimizer_create(&problem, &options, NULL, &optimizer));
        for (int64_t i = 0; i < 25; i++) {
            suggest(optimizer, i, &suggestion);
            double x = suggestion.point[0], y = suggestion.point[1];
            struct optim_result result = result_of((x - 0.4) * (x - 0.4) + 0.01 * sin(9 * y), NAN);
            result.seconds = 1e-6 * pow(10, 9 * y);
            log_work[aware] += i >= 8 ? 9 * y / 17 : 0;
            best[aware] = fmin(best[aware], fabs(x - 0.4));
            assert_ok(optimizer_tell(optimizer, i, &result));
        }
        optimizer_destroy(optimizer);
    }
    print_message("mean log10 of work: %.2f without, %.2f with regard to cost\n", log_work[0], log_work[1]);
    assert_true(log_work[1] < log_work[0] - 1);
    assert_true(best[1] < 0.05);
    space_clear(&space);
}

/* ---- constraints known beforehand ---- */

static bool divides(void *context, const double *point, struct optim_admission *out)
{
    (void)out;
    ++*(size_t *)context;
    bool sum = point[0] + point[1] + point[2] == 300;
    return sum && fmod(point[1], point[0]) == 0 && point[0] > 1;
}

/* a divides b and a + b + c = 300, numbers to 256: one point in some 14,000, none among most pools of 8,000 draws. The
 * search works there all the same: every point is allowed and new, and the optimum is found. */
static void few_points_are_allowed(void **state)
{
    (void)state;
    static const char *const entries[] = {"a", "int 1..256", "b", "int 1..256", "c", "int 1..256", NULL};
    struct space space = make_space(entries);
    size_t asked = 0;
    struct optim_problem problem = plain_problem(&space, 1);
    problem.admit = divides;
    problem.context = &asked;
    struct optimizer *optimizer = make(&problem, 1, 8);
    struct suggestion suggestion;
    double points[40][3], best = INFINITY;
    int by_model = 0;
    for (int64_t i = 0; i < 40; i++) {
        struct optim_admission ignored;
        suggest(optimizer, i, &suggestion);
        memcpy(points[i], suggestion.point, sizeof points[i]);
        assert_true(divides(&asked, points[i], &ignored));
        for (int64_t k = 0; k < i; k++)
            assert_memory_not_equal(points[i], points[k], sizeof points[i]);
        by_model += !strcmp(suggestion.method, "bo");
        double value = fabs(points[i][0] - 12) / 10 + fabs(points[i][1] - 144) / 50;
        best = fmin(best, value);
        struct optim_result result = result_of(value, NAN);
        assert_ok(optimizer_tell(optimizer, i, &result));
    }
    print_message("best %.3f, %d by model, %zu questions\n", best, by_model, asked);
    assert_true(by_model >= 24); /* of 32: the rest found no candidate and took a Sobol point */
    assert_true(best < 0.3);     /* 0 at (12, 144, 144) */
    assert_true(asked < 40 * 30000);
    optimizer_destroy(optimizer);
    space_clear(&space);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(outliers),
        cmocka_unit_test(replicates),
        cmocka_unit_test(one_result),
        cmocka_unit_test(failures_are_avoided),
        cmocka_unit_test(failures_are_not_for_ever),
        cmocka_unit_test(constraints_that_trials_show),
        cmocka_unit_test(feasible_region_is_found),
        cmocka_unit_test(three_objectives),
        cmocka_unit_test(pending_trials_do_not_repel_for_ever),
        cmocka_unit_test(eight_at_once),
        cmocka_unit_test(durations),
        cmocka_unit_test(cost_awareness),
        cmocka_unit_test(few_points_are_allowed),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
