/* optim/surrogate and what it is made of: which trials count, the choice of transform, scores and their gradients. */
#include "support/test.h"

#include "base/rng.h"
#include "optim/evidence.h"
#include "optim/outcome.h"
#include "optim/surrogate.h"
#include "problems.h"

static void add(struct history *history, int64_t id, const double *point, const char *identity)
{
    struct optim_admission admission = {.work = 1 + point[0]};
    snprintf(admission.identity, sizeof admission.identity, "%s", identity);
    assert_ok(history_add(history, id, point, &admission));
}

static void tell(struct history *history, size_t index, double value, double variance)
{
    struct history_trial *trial = &history->trial[index];
    trial->state = TRIAL_FINISHED;
    trial->result.value[0] = value;
    trial->result.variance[0] = variance;
    history->ended++;
}

/* Failed trials first, equal identities one row, NaN has failed, a trial that runs for too long counts no more. */
static void rows(void **state)
{
    (void)state;
    struct space space = make_space(square_entries);
    struct optim_problem problem = {.space = &space, .objectives = 1};
    struct history history = {.dimensions = 2};
    struct evidence evidence;
    const double points[6][2] = {{0.1, 0.1}, {0.2, 0.2}, {0.3, 0.3}, {0.4, 0.4}, {0.5, 0.5}, {0.6, 0.6}};
    add(&history, 0, points[0], "a");
    add(&history, 1, points[1], "b");
    add(&history, 2, points[2], "c");
    add(&history, 3, points[0], "a");
    add(&history, 4, points[3], "d");
    add(&history, 5, points[0], "a");
    tell(&history, 0, 1, 0.3);
    history.trial[1].state = TRIAL_FAILED;
    history.ended++;
    tell(&history, 3, 3, 0.3);
    tell(&history, 4, NAN, NAN);
    tell(&history, 5, 5, NAN);
    assert_ok(evidence_create(&problem, &evidence));
    assert_ok(evidence_gather(&evidence, &history));
    assert_int_equal(evidence.failed, 2);
    assert_int_equal(evidence.observed, 1);
    assert_int_equal(evidence.awaited, 1);
    const size_t expected[] = {1, 4, 0, 2};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(evidence.trial[i], expected[i]);
        assert_near(evidence.x[i], history_point(&history, expected[i])[0], 0, 1e-9);
    }
    assert_near(evidence.value[0], 3, 1e-15, 0);
    assert_near(evidence.variance[0], 0.6 / 9, 1e-15, 0); /* two known, each with weight 1/3 */
    assert_true(evidence.repeats[0] == 3);
    /* the trial that runs has seen none end; patience is EVIDENCE_PATIENCE and twice the one that runs */
    for (size_t i = 5; i < EVIDENCE_PATIENCE + 2; i++) {
        char identity[16];
        snprintf(identity, sizeof identity, "more %zu", i);
        assert_ok(evidence_gather(&evidence, &history));
        assert_int_equal(evidence.awaited, 1);
        add(&history, (int64_t)i + 10, points[4], identity);
        tell(&history, history.count - 1, 1, NAN);
    }
    assert_ok(evidence_gather(&evidence, &history));
    assert_int_equal(evidence.awaited, 0);
    for (size_t i = 0; i < EVIDENCE_AWAITED + 3; i++) { /* of very many that run the newest count */
        char identity[24];
        snprintf(identity, sizeof identity, "running %zu", i);
        add(&history, (int64_t)i + 1000, points[4], identity);
    }
    assert_ok(evidence_gather(&evidence, &history));
    assert_int_equal(evidence.awaited, EVIDENCE_AWAITED);
    size_t last = evidence.failed + evidence.observed + evidence.awaited - 1;
    assert_int_equal(evidence.trial[last], history.count - 1);
    assert_int_equal(evidence.trial[last - EVIDENCE_AWAITED + 1], history.count - EVIDENCE_AWAITED);
    evidence_clear(&evidence);
    history_clear(&history);
    space_clear(&space);
}

/* A smooth outcome is left as it is; one with a long tail of failures is ranked. Told the other way round as well. */
static void transform_is_chosen(void **state)
{
    (void)state;
    enum { COUNT = 30 };
    struct rng rng = rng_create(3, 0, RANDOM_TEST, 0, 0);
    struct gp_model model = gp_model_default((struct kernel){KERNEL_RBF, 1, NULL, true});
    model.fit_scale = true;
    double x[COUNT], value[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        x[i] = ((double)i + 0.5) / COUNT;
    for (int tailed = 0; tailed <= 1; tailed++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            struct outcome *outcome = NULL;
            for (size_t i = 0; i < COUNT; i++) {
                value[i] = sign * (sin(7 * x[i]) + 0.05 * rng_normal(&rng));
                if (tailed && i % 4 == 1)
                    value[i] = -sign * pow(10, 1 + 4 * rng_unit(&rng));
            }
            struct outcome_data data = {
                .x = {x, COUNT, COUNT}, .observed = COUNT, .window = {0, COUNT}, .value = value};
            assert_ok(outcome_create(&model, sign, TRANSFORM_AUTO, &outcome));
            assert_ok(outcome_learn(outcome, &data, FIT_FULL, rng_create(1, 0, RANDOM_SEARCH, 4, 0)));
            assert_int_equal(outcome->half_rank, tailed);
            /* the state says so, and the way back to own units is right where nothing is ranked */
            struct text text = {0};
            outcome_append_state(outcome, "0", &text);
            assert_non_null(strstr(text.data, tailed ? "warp0=halfrank" : "warp0=none"));
            text_clear(&text);
            double best = sign * 0.99;
            assert_near(outcome_own_unit(outcome, outcome_model_unit(outcome, best)), best, 1e-9, 0);
            outcome_destroy(outcome);
        }
    }
}

/* ---- gradients ---- */

static const char *const mixed_entries[] = {
    "x",    "real 0..1", "rate", "real 1e-3..1 log",      "kind", "choice a, b, c",
    "size", "int 1..9",  "y",    "real 0..1 if kind = b", NULL};

static bool mixed_admit(void *context, const double *point, struct optim_admission *out)
{
    (void)context;
    out->exact[1] = point[3] * (1 + point[0] * point[0]);
    out->work = 100 * point[3] * (1 + point[1]);
    return true;
}

static void make_history(const struct optim_problem *problem, struct history *history)
{
    struct rng rng = rng_create(8, 0, RANDOM_TEST, 0, 0);
    double unit[5], point[5];
    for (int64_t i = 0; i < 40; i++) {
        struct optim_admission admission;
        for (size_t d = 0; d < 5; d++)
            unit[d] = rng_unit(&rng);
        point_from_unit(problem->space, unit, point);
        assert_true(problem_admits(problem, point, &admission));
        assert_ok(history_add(history, i, point, &admission));
        struct history_trial *trial = &history->trial[i];
        if (i >= 38) /* two that run */
            continue;
        trial->state = point[1] > 0.3 ? TRIAL_FAILED : TRIAL_FINISHED;
        trial->result.value[0] = sin(4 * point[0]) + log10(point[1]) * point[2] + (isnan(point[4]) ? 0 : point[4]);
        trial->result.value[2] = point[0] + 0.1 * point[3];
        trial->result.seconds = 0.01 * admission.work;
        history->ended++;
    }
}

/* An exact objective, an outcome constraint, failures, costs and a condition, all at once: the gradient by the places
 * against central differences, and the parts of a forecast add up to the score. */
static void score_gradient_against_differences(void **state)
{
    (void)state;
    struct space space = make_space(mixed_entries);
    struct optim_problem problem = {.space = &space, .objectives = 2, .constraints = 1, .admit = mixed_admit};
    problem.objective[0] = (struct optim_objective){.maximize = true, .threshold = NAN};
    problem.objective[1] = (struct optim_objective){.exact = true, .threshold = NAN};
    problem.constraint[0] = (struct optim_constraint){.at_most = true, .bound = 0.9};
    struct optim_options options = {.method = METHOD_BO, .seed = 1, .initial = 8, .cost_aware = true};
    struct history history = {.dimensions = 5};
    struct surrogate *surrogate = NULL;
    struct text note = {0};
    bool refitted;
    make_history(&problem, &history);
    assert_ok(surrogate_create(&problem, &options, &surrogate));
    assert_ok(surrogate_fit(surrogate, &history, 40, &refitted, &note));
    assert_true(refitted);
    struct rng rng = rng_create(9, 0, RANDOM_TEST, 0, 0);
    for (int repeat = 0; repeat < 20; repeat++) {
        double unit[5], point[5], gradient[5] = {NAN, NAN, NAN, NAN, NAN};
        struct optim_admission admission;
        struct admission_slope slope[5] = {{{0}, 0}};
        struct score score;
        struct forecast forecast;
        for (size_t d = 0; d < 5; d++)
            unit[d] = 0.1 + 0.8 * rng_unit(&rng);
        point_from_unit(&space, unit, point);
        point_to_unit(&space, point, unit);
        assert_true(mixed_admit(NULL, point, &admission));
        slope[0].exact[1] = point[3] * 2 * point[0];           /* d/dx of size (1 + x^2) */
        slope[1].work = 100 * point[3] * point[1] * log(1000); /* rate = 1e-3 * 1000^unit */
        assert_ok(surrogate_score_gradient(surrogate, point, &admission, slope, 1, &score, gradient));
        assert_ok(surrogate_forecast(surrogate, point, &admission, &forecast));
        assert_near(forecast.log_value, score.log_value, 1e-12, 1e-12);
        assert_near(forecast.log_improvement + forecast.log_feasible[0] + forecast.log_success - forecast.log_seconds,
                    score.log_value, 1e-12, 1e-12);
        assert_true(gradient[2] == 0); /* the category */
        assert_true(!isnan(point[4]) || gradient[4] == 0);
        for (size_t d = 0; d < 5; d++) {
            double moved[5], value[2];
            if (d == 2 || d == 3 || isnan(point[d]))
                continue;
            for (int side = 0; side < 2; side++) {
                struct score there;
                memcpy(moved, unit, sizeof moved);
                moved[d] += side ? 1e-4 : -1e-4;
                point_from_unit(&space, moved, moved);
                assert_true(mixed_admit(NULL, moved, &admission));
                assert_ok(surrogate_score(surrogate, moved, &admission, 1, &there));
                value[side] = there.log_value;
            }
            double difference = (value[1] - value[0]) / 2e-4;
            /* values are rounded to 1e-9 of their range, which is 1e-5 of the difference; curvature adds 1e-4 */
            assert_near(gradient[d], difference, 2e-3, 2e-3);
        }
    }
    text_clear(&note);
    surrogate_destroy(surrogate);
    history_clear(&history);
    space_clear(&space);
}

enum pending { PENDING_NONE, PENDING_FRESH, PENDING_OLD };

/* The score next to the optimum (0.5, 0.5), where a trial runs: one that was begun last, or first of all. */
static double score_beside_pending(const struct optim_problem *problem, enum pending pending)
{
    struct optim_options options = {.method = METHOD_BO, .seed = 1, .initial = 4};
    struct history history = {.dimensions = 2};
    struct surrogate *surrogate = NULL;
    struct rng rng = rng_create(4, 0, RANDOM_TEST, 0, 0);
    struct text note = {0};
    struct optim_admission admission = {.work = 0};
    struct score score = {NAN, NAN};
    const double optimum[2] = {0.5, 0.5}, beside[2] = {0.51, 0.5};
    bool refitted;
    if (pending == PENDING_OLD)
        add(&history, 1000, optimum, "pending");
    for (size_t i = 0; i < EVIDENCE_PATIENCE + 2; i++) {
        char identity[16];
        double point[2] = {rng_unit(&rng), rng_unit(&rng)};
        snprintf(identity, sizeof identity, "%zu", i);
        add(&history, (int64_t)i, point, identity);
        tell(&history, history.count - 1, hypot(point[0] - 0.5, point[1] - 0.5), NAN);
    }
    if (pending == PENDING_FRESH)
        add(&history, 1000, optimum, "pending");
    assert_ok(surrogate_create(problem, &options, &surrogate));
    assert_ok(surrogate_fit(surrogate, &history, 40, &refitted, &note));
    assert_ok(surrogate_score(surrogate, beside, &admission, 1, &score));
    text_clear(&note);
    surrogate_destroy(surrogate);
    history_clear(&history);
    return score.log_value;
}

/* A point beside a trial that runs loses what that one will tell: the improvement expected there is less than half of
 * what it would be. When the trial has run for too long the score is again, to the bit, the one without it. */
static void running_trials_repel_for_a_while(void **state)
{
    (void)state;
    struct space space = make_space(square_entries);
    struct optim_problem problem = {.space = &space, .objectives = 1};
    problem.objective[0] = (struct optim_objective){.threshold = NAN};
    double none = score_beside_pending(&problem, PENDING_NONE), fresh = score_beside_pending(&problem, PENDING_FRESH);
    double old = score_beside_pending(&problem, PENDING_OLD);
    print_message("log EI %.3g without, %.3g with a trial beside it, %.3g once that is late\n", none, fresh, old);
    assert_true(fresh < none - log(2));
    assert_true(old == none);
    space_clear(&space);
}

/* An outcome whose last fit came to nothing ("model0=") is fitted at the next suggestion, due or not, and that is said:
 * what is not recorded would be lost when the study is resumed. */
static void a_missing_fit_is_recorded(void **state)
{
    (void)state;
    struct space space = make_space(square_entries);
    struct optim_problem problem = {.space = &space, .objectives = 1};
    problem.objective[0] = (struct optim_objective){.threshold = NAN};
    struct optim_options options = {.method = METHOD_BO, .seed = 1, .initial = 4};
    struct history history = {.dimensions = 2};
    struct surrogate *surrogate = NULL;
    struct text note = {0}, before = {0}, after = {0};
    bool refitted = false;
    for (size_t i = 0; i < 12; i++) {
        char identity[16];
        double point[2] = {0.08 * (double)i, 0.5 + 0.4 * sin((double)i)};
        snprintf(identity, sizeof identity, "%zu", i);
        add(&history, (int64_t)i, point, identity);
        tell(&history, i, cos(3 * point[0]) + point[1], NAN);
    }
    assert_ok(surrogate_create(&problem, &options, &surrogate));
    assert_true(surrogate_restore_entry(surrogate, "results=12") && surrogate_restore_entry(surrogate, "full=12") &&
                surrogate_restore_entry(surrogate, "model0="));
    surrogate_append_state(surrogate, &before);
    assert_ok(surrogate_fit(surrogate, &history, 12, &refitted, &note));
    surrogate_append_state(surrogate, &after);
    assert_string_not_equal(before.data, after.data);
    assert_true(refitted);
    assert_ok(surrogate_fit(surrogate, &history, 13, &refitted, &note));
    assert_false(refitted);
    text_clear(&before);
    text_clear(&after);
    text_clear(&note);
    surrogate_destroy(surrogate);
    history_clear(&history);
    space_clear(&space);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(rows),
        cmocka_unit_test(transform_is_chosen),
        cmocka_unit_test(score_gradient_against_differences),
        cmocka_unit_test(running_trials_repel_for_a_while),
        cmocka_unit_test(a_missing_fit_is_recorded),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
