/* What a search says of itself: errors left out one by one, importances, beliefs, reasons; and that saying it changes
 * nothing. */
#include "optim/problems.h"

#include "optim/diagnosis.h"
#include "optim/history.h"
#include "optim/sobol.h"
#include "base/rng.h"

enum { MOST = 128 };

/* A study over a space with one modelled objective, maximised as it is told. */
struct bed {
    struct space space;
    struct optim_problem problem;
    struct log *log;
    struct optimizer *optimizer;
};

static void bed_create(struct bed *bed, const char *const *entries, enum optim_transform transform)
{
    struct optim_options options = {.method = METHOD_BO, .seed = 3, .initial = 1000};
    *bed = (struct bed){.space = make_space(entries), .log = test_log()};
    bed->problem = (struct optim_problem){.space = &bed->space, .objectives = 1};
    bed->problem.objective[0] = (struct optim_objective){.maximize = true, .threshold = NAN, .transform = transform};
    assert_ok(optimizer_create(&bed->problem, &options, bed->log, &bed->optimizer));
}

static void bed_clear(struct bed *bed)
{
    optimizer_destroy(bed->optimizer);
    space_clear(&bed->space);
    log_destroy(bed->log);
}

/* A result from elsewhere: known noise `variance`, NaN for unknown. */
static void bed_tell(struct bed *bed, int64_t trial, const double *point, double value, double variance)
{
    struct optim_result result = {.seconds = NAN};
    result.value[0] = value;
    result.variance[0] = variance;
    assert_ok(optimizer_restore(bed->optimizer, trial, point, "told", ""));
    assert_ok(optimizer_tell(bed->optimizer, trial, &result));
}

static struct diagnosis *bed_diagnose(const struct bed *bed, const char *fit)
{
    struct text note = {0};
    struct diagnosis *diagnosis = NULL;
    assert_ok(diagnosis_create(bed->optimizer, fit, true, &note, &diagnosis));
    text_clear(&note);
    return diagnosis;
}

typedef double function(const double *point);

/* Tells `count` scrambled Sobol points of a function with normal noise. */
static void bed_fill(struct bed *bed, function *f, int64_t count, double noise, uint64_t seed)
{
    struct sobol *sobol;
    double unit[16], point[16];
    struct rng rng = rng_create(seed, 0, RANDOM_SEARCH, 77, 0);
    assert_ok(sobol_create(bed->space.count, seed, &sobol));
    for (int64_t i = 0; i < count; i++) {
        sobol_point(sobol, (uint32_t)i, unit);
        point_from_unit(&bed->space, unit, point);
        bed_tell(bed, i + 1, point, f(point) + noise * rng_normal(&rng), NAN);
    }
    sobol_destroy(sobol);
}

/* ---- decisions ---- */

static void ask(struct optimizer *optimizer, struct world *world, int64_t trial, double *point, char *fit, size_t size)
{
    struct suggestion suggestion;
    struct optim_result result = {.seconds = 1};
    assert_ok(optimizer_suggest(optimizer, trial, &suggestion));
    memcpy(point, suggestion.point, world->space.count * sizeof *point);
    snprintf(fit, size, "%s", suggestion.fit);
    world->evaluate(point, result.value);
    result.variance[0] = result.value[0] * (1 - result.value[0]) / 1000;
    result.variance[1] = NAN;
    if (trial % 7 == 3)
        assert_ok(optimizer_fail(optimizer, trial));
    else if (trial % 5 != 4) /* the rest stay pending */
        assert_ok(optimizer_tell(optimizer, trial, &result));
}

/* Everything that a diagnosis offers, one after the other. */
static void look_at_everything(const struct optimizer *optimizer, const double *point)
{
    struct text note = {0};
    struct diagnosis *diagnosis;
    struct diagnosis_quality quality;
    struct diagnosis_importance importance[16];
    struct diagnosis_reason reason;
    struct optim_admission admission = {.exact = {0, 5000}};
    int64_t front[MOST];
    size_t members;
    nr_status status = diagnosis_create(optimizer, NULL, true, &note, &diagnosis);
    text_clear(&note);
    if (status == NR_NO_RESULT)
        return;
    assert_ok(status);
    assert_ok(diagnosis_leave_one_out(diagnosis, 0, NULL, &quality));
    assert_ok(diagnosis_importances(diagnosis, 0, importance));
    assert_ok(diagnosis_front(diagnosis, front, &members));
    assert_ok(diagnosis_explain(diagnosis, point, &admission, NULL, &reason));
    diagnosis_reason_clear(&reason);
    diagnosis_destroy(diagnosis);
}

static void looking_changes_no_decision(void **state)
{
    (void)state;
    struct world world = {make_space(network_entries), network_evaluate, 60000, 0};
    struct optim_problem problem = {.space = &world.space,
                                    .objective = {{true, false, 0.9, TRANSFORM_HALF_RANK}, {false, true, NAN, 0}},
                                    .objectives = 2,
                                    .admit = world_admit,
                                    .context = &world};
    struct optim_options options = {.method = METHOD_BO, .seed = 5, .initial = 8};
    struct optimizer *watched, *alone;
    struct log *log = test_log();
    char fit[2][2048];
    double point[2][8];
    assert_ok(optimizer_create(&problem, &options, log, &watched));
    assert_ok(optimizer_create(&problem, &options, log, &alone));
    for (int64_t trial = 1; trial <= 24; trial++) {
        ask(watched, &world, trial, point[0], fit[0], sizeof fit[0]);
        ask(alone, &world, trial, point[1], fit[1], sizeof fit[1]);
        assert_memory_equal(point[0], point[1], world.space.count * sizeof *point[0]);
        assert_string_equal(fit[0], fit[1]);
        look_at_everything(watched, point[0]);
    }
    optimizer_destroy(watched);
    optimizer_destroy(alone);
    space_clear(&world.space);
    log_destroy(log);
}

/* ---- leave-one-out ---- */

static double bumps(const double *point)
{
    return sin(5 * point[0]) + 0.5 * point[1] * point[1] + 0.3 * point[0] * point[1];
}

static const char *const square[] = {"x", "real 0..1", "y", "real 0..1", NULL};

/* A result whose known noise is boundless teaches the model nothing: what is then believed of it is its leave-one-out
 * prediction. The warp is the identity and all values are told, so that both are on one scale. */
static void left_out_as_by_force(void **state)
{
    (void)state;
    enum { COUNT = 25 };
    struct bed bed;
    struct diagnosis_row row[COUNT];
    struct diagnosis_quality quality;
    struct text fit = {0};
    bed_create(&bed, square, TRANSFORM_NONE);
    bed_fill(&bed, bumps, COUNT, 0.05, 1);
    struct diagnosis *diagnosis = bed_diagnose(&bed, NULL);
    assert_int_equal(diagnosis_rows(diagnosis), COUNT);
    memset(row, 0xff, sizeof row);
    assert_ok(diagnosis_leave_one_out(diagnosis, 0, row, &quality));
    diagnosis_append_model(diagnosis, &fit);
    for (size_t i = 0; i < COUNT; i++) {
        struct bed without;
        struct diagnosis_belief belief;
        bed_create(&without, square, TRANSFORM_NONE);
        for (size_t k = 0; k < COUNT; k++) {
            const double *point = history_point(optimizer_history(bed.optimizer), k);
            bed_tell(&without, (int64_t)k + 1, point, row[k].measured, k == i ? 1e12 : NAN);
        }
        struct diagnosis *other = bed_diagnose(&without, fit.data);
        assert_ok(diagnosis_believe(other, (int64_t)i + 1, &belief));
        /* 1e12 is infinite to about 1e-11 of the spread; solving loses up to the condition number, some 1e4 */
        assert_near(row[i].mean, belief.mean, 0, 1e-6);
        double half = 0.5 * (belief.high - belief.low) / 1.959963984540054;
        double expected = sqrt(half * half + quality.noise * quality.noise);
        assert_near((row[i].high - row[i].low) / (2 * 1.959963984540054), expected, 1e-6, 0);
        assert_near(row[i].error * expected, row[i].measured - row[i].mean, 1e-6, 1e-9);
        diagnosis_destroy(other);
        bed_clear(&without);
    }
    text_clear(&fit);
    diagnosis_destroy(diagnosis);
    bed_clear(&bed);
}

/* The figures follow from the rows by their definitions. */
static void figures_from_rows(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    struct bed bed;
    struct diagnosis_row row[COUNT];
    struct diagnosis_quality quality;
    bed_create(&bed, square, TRANSFORM_HALF_RANK);
    bed_fill(&bed, bumps, COUNT, 0.1, 2);
    struct diagnosis *diagnosis = bed_diagnose(&bed, NULL);
    assert_ok(diagnosis_leave_one_out(diagnosis, 0, row, &quality));
    double sum = 0, errors = 0, spread = 0, inside = 0;
    for (size_t i = 0; i < COUNT; i++)
        sum += row[i].measured;
    for (size_t i = 0; i < COUNT; i++) {
        double others = (sum - row[i].measured) / (COUNT - 1);
        errors += pow(row[i].measured - row[i].mean, 2);
        spread += pow(row[i].measured - others, 2);
        inside += row[i].low <= row[i].measured && row[i].measured <= row[i].high;
        assert_true(row[i].low < row[i].mean && row[i].mean < row[i].high);
        assert_int_equal(row[i].trial, (int64_t)i + 1);
        assert_near(row[i].measured, optimizer_history(bed.optimizer)->trial[i].result.value[0], 1e-12, 1e-12);
    }
    assert_int_equal(quality.rows, COUNT);
    assert_true(quality.half_rank);
    assert_near(quality.r_squared, 1 - errors / spread, 1e-12, 0);
    assert_near(quality.coverage, inside / COUNT, 1e-15, 0);
    assert_true(quality.r_squared > 0.7 && quality.r_squared_modelled > 0.7); /* noise is a tenth of the variance */
    assert_true(quality.density_gain > 0.4);
    assert_true(quality.noise > 0.03 && quality.noise < 0.3); /* 0.1 was added */
    diagnosis_destroy(diagnosis);
    bed_clear(&bed);
}

/* A function drawn from a Gaussian process by random Fourier features (Rahimi and Recht 2007): RBF of length 0.3. */
static struct {
    double frequency[64][2], phase[64];
} drawn;

static double drawn_value(const double *point)
{
    double sum = 0;
    for (size_t k = 0; k < 64; k++)
        sum += cos(drawn.frequency[k][0] * point[0] + drawn.frequency[k][1] * point[1] + drawn.phase[k]);
    return sum * sqrt(2.0 / 64);
}

/* Where the model is right, 95 % intervals cover 95 %: over 8 functions and 60 results each, three standard deviations
 * of the share are 3 %; hyper-parameters that were fitted cost up to 2 % more. */
static void intervals_cover(void **state)
{
    (void)state;
    double covered = 0, rows = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct bed bed;
        struct diagnosis_quality quality;
        struct rng rng = rng_create(seed, 1, RANDOM_SEARCH, 78, 0);
        for (size_t k = 0; k < 64; k++) {
            drawn.frequency[k][0] = rng_normal(&rng) / 0.3;
            drawn.frequency[k][1] = rng_normal(&rng) / 0.3;
            drawn.phase[k] = 2 * 3.141592653589793 * rng_unit(&rng);
        }
        bed_create(&bed, square, TRANSFORM_NONE);
        bed_fill(&bed, drawn_value, 60, 0.1, seed);
        struct diagnosis *diagnosis = bed_diagnose(&bed, NULL);
        assert_ok(diagnosis_leave_one_out(diagnosis, 0, NULL, &quality));
        covered += quality.coverage * (double)quality.rows;
        rows += (double)quality.rows;
        diagnosis_destroy(diagnosis);
        bed_clear(&bed);
    }
    printf("covered %.4f\n", covered / rows);
    assert_true(covered / rows > 0.90 && covered / rows < 0.98);
}

static void too_little_to_model(void **state)
{
    (void)state;
    struct bed bed;
    struct text note = {0};
    struct diagnosis *diagnosis = NULL;
    bed_create(&bed, square, TRANSFORM_NONE);
    assert_int_equal(diagnosis_create(bed.optimizer, NULL, true, &note, &diagnosis), NR_NO_RESULT);
    assert_true(note.length > 0);
    for (int64_t i = 1; i <= 8; i++)
        bed_tell(&bed, i, (double[]){0.1 * (double)i, 0.5}, 2, NAN);
    text_clear(&note);
    assert_int_equal(diagnosis_create(bed.optimizer, NULL, true, &note, &diagnosis), NR_NO_RESULT); /* all are equal */
    assert_true(note.length > 0);
    text_clear(&note);
    bed_clear(&bed);
}

/* ---- importances ---- */

static double additive(const double *point)
{
    return 3 * point[0] + point[1] + 0 * point[2];
}

static double interplay(const double *point)
{
    double u = point[0] - 0.5, v = point[1] - 0.5;
    return u + sqrt(12) * u * v;
}

static double conditional(const double *point)
{
    return point[0] == 1 ? point[1] : 0.5;
}

static void check_importances(const char *const *entries, function *f, int64_t count, const double (*expected)[2],
                              struct diagnosis_importance *importance)
{
    struct bed bed;
    bed_create(&bed, entries, TRANSFORM_NONE);
    bed_fill(&bed, f, count, 0, 4);
    struct diagnosis *diagnosis = bed_diagnose(&bed, NULL);
    memset(importance, 0xff, bed.space.count * sizeof *importance);
    assert_ok(diagnosis_importances(diagnosis, 0, importance));
    for (size_t d = 0; d < bed.space.count; d++) { /* the model fits to about 1 %, the estimate to 1 % */
        if (isnan(expected[d][0])) {
            assert_true(isnan(importance[d].first) && isnan(importance[d].total));
            continue;
        }
        assert_near(importance[d].first, expected[d][0], 0, 0.04);
        assert_near(importance[d].total, expected[d][1], 0, 0.04);
    }
    diagnosis_destroy(diagnosis);
    bed_clear(&bed);
}

static void known_indices(void **state)
{
    (void)state;
    struct diagnosis_importance importance[4];
    /* variances 9/12 and 1/12; a fixed dimension has none */
    static const char *const line[] = {"a",         "real 0..1", "b",       "real 0..1", "c",
                                       "real 0..1", "constant",  "fixed 3", NULL};
    check_importances(line, additive, 50, (const double[][2]){{0.9, 0.9}, {0.1, 0.1}, {0, 0}, {NAN, NAN}}, importance);
    assert_true(importance[0].best > 0.8 && importance[1].best > 0.8 && isnan(importance[3].best));
    /* u and sqrt12 u v have variance 1/12 each */
    check_importances(square, interplay, 60, (const double[][2]){{0.5, 1}, {0, 0.5}}, importance);
    /* the mean over x is 1/2 on both sides; x explains Var(x / 2) = 1/48 of 1/24 alone, and the rest needs both */
    static const char *const branch[] = {"on", "bool", "x", "real 0..1 if on", NULL};
    check_importances(branch, conditional, 50, (const double[][2]){{0, 0.5}, {0.5, 1}}, importance);
    assert_true(importance[1].best > 0.8);
}

/* ---- beliefs ---- */

static double hill(const double *point)
{
    return -4 * (point[0] - 0.7) * (point[0] - 0.7);
}

/* The luckiest measurement is not the best belief. */
static void best_is_the_mean(void **state)
{
    (void)state;
    static const char *const line[] = {"x", "real 0..1", NULL};
    struct bed bed;
    int64_t front[MOST];
    size_t members;
    struct diagnosis_belief belief;
    bed_create(&bed, line, TRANSFORM_NONE);
    bed_fill(&bed, hill, 30, 0.05, 6);
    bed_tell(&bed, 31, (double[]){0.2}, 0.2, NAN); /* -1 is the truth there */
    struct diagnosis *diagnosis = bed_diagnose(&bed, NULL);
    assert_ok(diagnosis_front(diagnosis, front, &members));
    assert_int_equal(members, 1); /* one objective */
    assert_near(history_point(optimizer_history(bed.optimizer), (size_t)front[0] - 1)[0], 0.7, 0, 0.1);
    assert_ok(diagnosis_believe(diagnosis, 31, &belief));
    assert_true(belief.mean < -0.3 && belief.low < belief.mean && belief.mean < belief.high);
    diagnosis_destroy(diagnosis);
    bed_clear(&bed);
}

/* Four measurements of one point are one row, at their mean, and count as four. */
static void replicates_are_one(void **state)
{
    (void)state;
    static const char *const line[] = {"x", "real 0..1", NULL};
    static const double repeated[] = {-0.2, 0.1, 0.3, 0.2};
    struct bed bed;
    struct diagnosis_row row[MOST];
    struct diagnosis_quality quality;
    bed_create(&bed, line, TRANSFORM_NONE);
    bed_fill(&bed, hill, 20, 0.05, 6);
    for (int64_t i = 0; i < 4; i++)
        bed_tell(&bed, 21 + i, (double[]){0.123}, repeated[i], NAN);
    struct diagnosis *diagnosis = bed_diagnose(&bed, NULL);
    assert_int_equal(diagnosis_rows(diagnosis), 21);
    assert_ok(diagnosis_leave_one_out(diagnosis, 0, row, &quality));
    assert_int_equal(quality.rows, 21);
    assert_int_equal(row[20].trial, 21);
    assert_near(row[20].measured, 0.1, 1e-9, 0);
    assert_int_equal(diagnosis_trials(diagnosis), 24);
    diagnosis_destroy(diagnosis);
    bed_clear(&bed);
}

/* ---- reasons ---- */

/* The model at a suggestion is made again from the record: it gives the acquisition value that was given then. */
static void reasons_of_a_suggestion(void **state)
{
    (void)state;
    struct world world = {make_space(network_entries), network_evaluate, 60000, 0};
    struct optim_problem problem = {.space = &world.space,
                                    .objective = {{true, false, NAN, TRANSFORM_HALF_RANK}, {false, true, NAN, 0}},
                                    .objectives = 2,
                                    .admit = world_admit,
                                    .context = &world};
    struct optim_options options = {.method = METHOD_BO, .seed = 9, .initial = 8};
    struct optimizer *before, *after;
    struct suggestion suggestion;
    struct optim_result result = {.seconds = 1};
    struct log *log = test_log();
    char fit[2048];
    double point[8];
    assert_ok(optimizer_create(&problem, &options, log, &before));
    assert_ok(optimizer_create(&problem, &options, log, &after));
    for (int64_t trial = 1; trial <= 30; trial++) {
        ask(before, &world, trial, point, fit, sizeof fit);
        ask(after, &world, trial, point, fit, sizeof fit);
    }
    assert_ok(optimizer_suggest(after, 31, &suggestion));
    assert_string_equal(suggestion.method, "bo");
    struct text note = {0};
    struct diagnosis *diagnosis;
    struct diagnosis_reason reason;
    struct optim_admission admission;
    assert_ok(diagnosis_create(before, suggestion.fit, false, &note, &diagnosis));
    assert_true(problem_admits(&problem, suggestion.point, &admission));
    world.evaluate(suggestion.point, result.value);
    result.variance[0] = NAN;
    assert_ok(diagnosis_explain(diagnosis, suggestion.point, &admission, &result, &reason));
    assert_near(reason.log_value, suggestion.acquisition, 1e-8, 1e-8); /* sums in another order */
    assert_true(reason.front_chance > 0.05 && reason.front_chance <= 1);
    assert_true(reason.expected[0].low < reason.expected[0].mean && reason.expected[0].mean < reason.expected[0].high);
    assert_near(reason.expected[1].mean, admission.exact[1], 0, 0);
    assert_true(fabs(reason.surprise[0]) < 5 && isnan(reason.surprise[1]));
    assert_true(reason.deviation[0] > 0 && reason.deviation[0] < 1);
    assert_int_equal(reason.nears, DIAGNOSIS_NEAREST);
    for (size_t i = 0; i < reason.nears; i++) {
        assert_true(history_find(optimizer_history(before), reason.nearest[i])->state == TRIAL_FINISHED);
        assert_true(reason.similarity[i] > 0 && reason.similarity[i] <= 1);
        assert_true(i == 0 || reason.similarity[i] <= reason.similarity[i - 1]);
    }
    diagnosis_reason_clear(&reason);
    diagnosis_destroy(diagnosis);
    text_clear(&note);
    optimizer_destroy(before);
    optimizer_destroy(after);
    space_clear(&world.space);
    log_destroy(log);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(looking_changes_no_decision),
        cmocka_unit_test(left_out_as_by_force),
        cmocka_unit_test(figures_from_rows),
        cmocka_unit_test(intervals_cover),
        cmocka_unit_test(too_little_to_model),
        cmocka_unit_test(known_indices),
        cmocka_unit_test(best_is_the_mean),
        cmocka_unit_test(replicates_are_one),
        cmocka_unit_test(reasons_of_a_suggestion),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
