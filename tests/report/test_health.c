/* report/health: every check speaks up for a study made for it, and none for a good one. */
#include "support/test.h"

#include "base/rng.h"
#include "optim/sobol.h"
#include "report/health.h"

/* A study of numbers alone, in the state of things that a case makes. */
struct clinic {
    struct study *study;
    struct results results;
    struct health_subject subject;
    struct front front;
    struct health health;
};

static const char plain_space[] = "x = real 0..1\ny = real 0..1\n";

static void clinic_open(struct clinic *clinic, const char *space, const char *objectives)
{
    struct text text = {0};
    struct log *log = test_log();
    *clinic = (struct clinic){0};
    text_format(&text, "[study]\nname = patient\ntrials = 60\n[space]\n%s[objectives]\n%s[search]\ninitial = 10\n",
                space, objectives);
    nr_status status = study_read_text(text.data, "patient.ini", NULL, 0, log, &clinic->study);
    if (status != NR_OK)
        print_error("%s\n", log_text(log));
    assert_ok(status);
    clinic->results.study = clinic->study;
    text_clear(&text);
    log_destroy(log);
}

static void admit(struct clinic *clinic, enum trial_status status, const char *point, const double *value,
                  const char *cause)
{
    int64_t number = (int64_t)clinic->results.count + 1;
    struct store_trial trial = {.trial = number,
                                .status = status,
                                .point = point,
                                .cause = cause,
                                .identity = point,
                                .method = "bo",
                                .attempt = 1,
                                .seconds = 10,
                                .value = {value[0], value[1], NAN, NAN, NAN, NAN, NAN, NAN},
                                .suggested = 1e9,
                                .started = 1e9 + (double)number,
                                .ended = status == TRIAL_RUNNING ? NAN : 1e9 + (double)number + 10};
    assert_ok(results_add(&clinic->results, &trial, NULL));
}

/* Point x, y of the plain space. */
static void admit_at(struct clinic *clinic, enum trial_status status, double x, double y, double first, double second)
{
    char point[64];
    snprintf(point, sizeof point, "x=%.6f y=%.6f", x, y);
    admit(clinic, status, point, (const double[]){first, second}, status == TRIAL_FAILED ? "nan at step 7" : "");
}

/* Finished trials all over the space, of two conflicting objectives (both minimised) whose front lies well inside. */
static void admit_good(struct clinic *clinic, int count)
{
    struct sobol *sobol;
    double unit[2];
    assert_ok(sobol_create(2, 1, &sobol));
    for (int i = 0; i < count; i++) {
        sobol_point(sobol, (uint32_t)i, unit);
        double x = unit[0], y = unit[1];
        admit_at(clinic, TRIAL_DONE, x, y, pow(x - 0.3, 2) + pow(y - 0.3, 2), pow(x - 0.7, 2) + pow(y - 0.7, 2));
    }
    sobol_destroy(sobol);
}

static const char both[] = "a = minimize\nb = minimize\n";

static const char *findings(struct clinic *clinic)
{
    front_clear(&clinic->front);
    health_clear(&clinic->health);
    assert_ok(front_compute(&clinic->results, NULL, &clinic->front));
    clinic->subject.results = &clinic->results;
    clinic->subject.front = &clinic->front;
    if (!(clinic->subject.now > 0))
        clinic->subject.now = 1e9 + 500;
    assert_ok(health_check(&clinic->subject, NULL, &clinic->health));
    return clinic->health.findings.data ? clinic->health.findings.data : "";
}

static void clinic_close(struct clinic *clinic)
{
    health_clear(&clinic->health);
    front_clear(&clinic->front);
    results_clear(&clinic->results);
    study_destroy(clinic->study);
}

/* One finding and no other. */
static void expect_only(struct clinic *clinic, const char *start, const char *part)
{
    const char *found = findings(clinic);
    if (strncmp(found, start, strlen(start)) != 0 || !strstr(found, part) || strchr(found, '\n')) {
        print_error("expected one line \"%s...%s...\", got\n%s\n", start, part, found);
        fail();
    }
}

static void healthy(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic, plain_space, both);
    assert_string_equal(findings(&clinic), ""); /* nothing has happened yet */
    admit_good(&clinic, 40);
    admit_at(&clinic, TRIAL_RUNNING, 0.5, 0.5, NAN, NAN);
    admit_at(&clinic, TRIAL_FAILED, 0.1, 0.9, NAN, NAN);
    clinic.subject.driven = true;
    clinic.subject.now = 1e9 + 60;
    assert_string_equal(findings(&clinic), "");
    clinic_close(&clinic);
}

static void failures(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic, plain_space, both);
    admit_good(&clinic, 30);
    for (int i = 0; i < 7; i++) {
        char cause[64], point[64];
        snprintf(cause, sizeof cause, "loss is nan at step %d", 17 * i);
        snprintf(point, sizeof point, "x=0.9%d y=0.1", i);
        admit(&clinic, TRIAL_FAILED, point, (const double[]){NAN, NAN}, cause);
    }
    assert_string_equal(findings(&clinic), ""); /* 7 of 37: under a fifth */
    admit_at(&clinic, TRIAL_FAILED, 0.8, 0.2, NAN, NAN);
    expect_only(&clinic, "failures: 8 of 38 ended trials failed, 7 of them like trial 31 (loss is nan at step 0)",
                "[constraints]");
    clinic_close(&clinic);
}

static void repeats(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic, plain_space, both);
    admit_good(&clinic, 30);
    for (int i = 0; i < 3; i++)
        admit_at(&clinic, TRIAL_DONE, 0.111111, 0.9, 0.5, 0.5);
    assert_string_equal(findings(&clinic), ""); /* a few tell the noise */
    for (int i = 0; i < 3; i++)
        admit_at(&clinic, TRIAL_DONE, 0.111111, 0.9, 0.5, 0.5);
    expect_only(&clinic, "repeats: 5 of 36 trials repeat an earlier one (as 36 repeats 35)", "tell results of other");
    clinic_close(&clinic);
}

static void spaces(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic, "x = ordered 1, 2, 3, 4\ny = bool\n", "a = minimize\n");
    admit(&clinic, TRIAL_DONE, "x=2 y=yes", (const double[]){1, NAN}, "");
    assert_string_equal(findings(&clinic), ""); /* 8 points, 1 of them tried */
    admit(&clinic, TRIAL_DONE, "x=3 y=yes", (const double[]){2, NAN}, "");
    admit(&clinic, TRIAL_DONE, "x=2 y=no", (const double[]){2, NAN}, "");
    admit(&clinic, TRIAL_DONE, "x=1 y=no", (const double[]){2, NAN}, "");
    expect_only(&clinic, "space: of its 8 points at most, 4 have been tried", "widen [space]");
    clinic.subject.exhausted = true;
    expect_only(&clinic, "space: every allowed point has been tried", "loosen [constraints]");
    clinic_close(&clinic);
}

static void bounds(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic, plain_space, both);
    for (int i = 0; i < 10; i++) /* the front lies along x, all at the high end of y */
        admit_at(&clinic, TRIAL_DONE, 0.1 * i, 0.99 + 0.0009 * i, i, -i);
    expect_only(&clinic, "bound: y is at its highest value 1 in 10 of 10 trials of the front",
                "widen [space] y = real 0..1, or fix it there");
    clinic_close(&clinic);
    clinic_open(&clinic, "x = real 0..1\nn = int 4..64 log\nk = choice a, b, c\nf = bool\n", both);
    for (int i = 0; i < 9; i++) {
        char point[64];
        snprintf(point, sizeof point, "x=0.%d n=%d k=c f=yes", i + 1, i < 5 ? 4 : 4 + i);
        admit(&clinic, TRIAL_DONE, point, (const double[]){i, -i}, "");
    }
    expect_only(&clinic, "bound: n is at its lowest value 4 in 5 of 9 trials of the front", "n = int 4..64 log");
    clinic_close(&clinic);
}

static void thresholds(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic, plain_space, "a = minimize threshold=0.001\nb = minimize threshold=0.001\n");
    admit_good(&clinic, 9);
    assert_string_equal(findings(&clinic), ""); /* too early to say */
    admit_good(&clinic, 1);
    expect_only(&clinic, "thresholds: no trial beats every threshold", "hypervolume is 0");
    clinic_close(&clinic);
}

static void constraints(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic, plain_space, "a = minimize\n[constraints]\nlatency = <= 5\n");
    struct sobol *sobol;
    double unit[2];
    assert_ok(sobol_create(2, 1, &sobol));
    for (int i = 0; i < 12; i++) {
        sobol_point(sobol, (uint32_t)i, unit);
        admit_at(&clinic, TRIAL_DONE, unit[0], unit[1], unit[0], 7);
    }
    expect_only(&clinic, "constraints: none of 12 finished trials keeps every outcome constraint", "loosen");
    admit_at(&clinic, TRIAL_DONE, 0.4, 0.4, 0.4, 4);
    assert_string_equal(findings(&clinic), "");
    sobol_destroy(sobol);
    clinic_close(&clinic);
}

static void pending(void **state)
{
    (void)state;
    struct clinic clinic;
    clinic_open(&clinic, plain_space, both);
    admit_good(&clinic, 20);
    admit_at(&clinic, TRIAL_RUNNING, 0.5, 0.5, NAN, NAN); /* since 1e9 + 21; the others took 10 s */
    clinic.subject.driven = true;
    clinic.subject.now = 1e9 + 21 + 99;
    assert_string_equal(findings(&clinic), "");
    clinic.subject.now = 1e9 + 21 + 101;
    expect_only(&clinic, "pending: 1 trial runs far longer than usual, trial 21 since 101 s (usual is 10 s)", "");
    clinic.subject.driven = false; /* an interrupted trial waits for the next run */
    assert_string_equal(findings(&clinic), "");
    clinic_close(&clinic);
}

/* ---- with a model ---- */

struct modelled {
    struct optim_problem problem;
    struct optimizer *optimizer;
    struct diagnosis *diagnosis;
    struct log *log;
};

/* y = sin(5x) + y^2 with noise, at 40 points; `fit`: hyper-parameters of another model, NULL: fitted. */
static void model_open(struct modelled *modelled, const struct study *study, double signal, double noise,
                       const char *fit)
{
    struct optim_options options = {.method = METHOD_BO, .seed = 1, .initial = 1000};
    struct sobol *sobol;
    struct text note = {0};
    double point[2];
    struct rng rng = rng_create(1, 0, RANDOM_SEARCH, 79, 0);
    *modelled = (struct modelled){.log = test_log()};
    modelled->problem = (struct optim_problem){.space = &study->space, .objectives = 1};
    modelled->problem.objective[0] = (struct optim_objective){true, false, NAN, TRANSFORM_NONE};
    assert_ok(optimizer_create(&modelled->problem, &options, modelled->log, &modelled->optimizer));
    assert_ok(sobol_create(2, 3, &sobol));
    for (int64_t trial = 1; trial <= 40; trial++) {
        struct optim_result result = {.seconds = NAN};
        sobol_point(sobol, (uint32_t)trial, point);
        assert_ok(optimizer_restore(modelled->optimizer, trial, point, "told", ""));
        result.value[0] = signal * (sin(5 * point[0]) + point[1] * point[1]) + noise * rng_normal(&rng);
        result.variance[0] = NAN;
        assert_ok(optimizer_tell(modelled->optimizer, trial, &result));
    }
    assert_ok(diagnosis_create(modelled->optimizer, fit, !fit, &note, &modelled->diagnosis));
    sobol_destroy(sobol);
    text_clear(&note);
}

static void model_close(struct modelled *modelled)
{
    diagnosis_destroy(modelled->diagnosis);
    optimizer_destroy(modelled->optimizer);
    log_destroy(modelled->log);
}

static void models(void **state)
{
    (void)state;
    struct clinic clinic;
    struct modelled good, noise, sure;
    struct text fit = {0};
    clinic_open(&clinic, plain_space, "a = maximize\n");
    model_open(&good, clinic.study, 1, 0.01, NULL);
    clinic.subject.diagnosis = good.diagnosis;
    assert_string_equal(findings(&clinic), "");
    assert_non_null(strstr(clinic.health.model.data, "a: R2 1.00, "));
    assert_non_null(strstr(clinic.health.model.data, "of 40 results within their 95 % intervals"));

    model_open(&noise, clinic.study, 0, 1, NULL);
    clinic.subject.diagnosis = noise.diagnosis;
    expect_only(&clinic, "fit: left out one by one, the results of a are hardly predicted", "over 40");

    diagnosis_append_model(good.diagnosis, &fit); /* it has seen next to no noise */
    model_open(&sure, clinic.study, 1, 0.3, fit.data);
    clinic.subject.diagnosis = sure.diagnosis;
    assert_non_null(strstr(findings(&clinic), "intervals: only "));
    text_clear(&fit);
    model_close(&good);
    model_close(&noise);
    model_close(&sure);
    clinic_close(&clinic);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(healthy), cmocka_unit_test(failures),    cmocka_unit_test(repeats),
        cmocka_unit_test(spaces),  cmocka_unit_test(bounds),      cmocka_unit_test(thresholds),
        cmocka_unit_test(pending), cmocka_unit_test(constraints), cmocka_unit_test(models),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
