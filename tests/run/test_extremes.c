/* run/problem and run/extremes: what is allowed, what it costs, the smallest and the largest network. */
#include "support/test.h"

#include "base/text.h"
#include "run/extremes.h"
#include "run/replay.h"

static const char head[] = "[study]\nname = x\ntrials = 1\n[data]\ndataset = tiny\n[space]\n";
static const char tail[] =
    "[network]\nlayer = dense units=$a activation=relu\nlayer = dense units=$b activation=relu\n"
    "layer = dense units=classes\n"
    "[training]\nbatch_size = $batch\n[objectives]\nval_accuracy = maximize\nparameters = minimize\n";
static const struct shape input = {1, 4, 4};
enum { CLASSES = 3 };

static struct study *read_study(const char *space, const char *constraints)
{
    struct text text = {0};
    struct study *study;
    struct log *log = test_log();
    text_format(&text, "%s%s%s%s", head, space, tail, constraints);
    nr_status status = study_read_text(text.data, "x.ini", NULL, 0, log, &study);
    if (status != NR_OK)
        print_error("%s", log_text(log));
    assert_ok(status);
    assert_ok(template_check(study, log));
    text_clear(&text);
    log_destroy(log);
    return study;
}

static int64_t parameters(int64_t a, int64_t b)
{
    return 16 * a + a + a * b + b + b * CLASSES + CLASSES;
}

static void smallest_and_largest(void **state)
{
    (void)state;
    struct study *study = read_study("a = int 3..40 log\nb = ordered 2, 5, 9\nbatch = ordered 8, 16\n",
                                     "[constraints]\norder = b <= a\nparameters = <= 500\n");
    struct problem problem;
    struct extremes extremes;
    int64_t least = INT64_MAX, most = 0;
    static const int64_t levels[] = {2, 5, 9};
    for (int64_t a = 3; a <= 40; a++) {
        for (int i = 0; i < 3; i++) {
            int64_t size = parameters(a, levels[i]);
            if (levels[i] > a || size > 500)
                continue;
            least = size < least ? size : least;
            most = size > most ? size : most;
        }
    }
    problem_init(&problem, study, input, CLASSES, 100);
    assert_ok(extremes_find(&problem, NULL, &extremes));
    struct optim_admission admission;
    assert_true(problem_admit(&problem, extremes.smallest, &admission));
    assert_true(admission.exact[1] == (double)least);
    assert_true(isnan(admission.exact[0]));
    assert_true(problem_admit(&problem, extremes.largest, &admission));
    assert_true(admission.exact[1] == (double)most);
    assert_true(extremes.allowed > 0 && extremes.allowed < extremes.tried);
    extremes_clear(&extremes);
    study_destroy(study);
}

/* One allowed point in 38 x 3 x 2: random points may miss it, the search for it may not. */
static void a_needle_is_found(void **state)
{
    (void)state;
    struct study *study =
        read_study("a = int 3..400\nb = int 2..90\nbatch = ordered 8, 16\n", "[constraints]\nparameters = <= 70\n");
    struct problem problem;
    struct extremes extremes;
    assert_int_equal(parameters(3, 2), 68);
    problem_init(&problem, study, input, CLASSES, 100);
    assert_ok(extremes_find(&problem, NULL, &extremes));
    assert_true(extremes.smallest[0] == 3 && extremes.smallest[1] == 2);
    extremes_clear(&extremes);
    study_destroy(study);
}

/* The ends of a log range are narrow slices of the unit cube. */
static void ends_of_log_ranges_are_reached(void **state)
{
    (void)state;
    struct study *study = read_study("a = int 8..64 log\nb = int 2..90 log\nbatch = ordered 8, 16\n", "");
    struct problem problem;
    struct extremes extremes;
    problem_init(&problem, study, input, CLASSES, 100);
    assert_ok(extremes_find(&problem, NULL, &extremes));
    assert_true(extremes.smallest[0] == 8 && extremes.smallest[1] == 2);
    assert_true(extremes.largest[0] == 64 && extremes.largest[1] == 90);
    extremes_clear(&extremes);
    study_destroy(study);
}

static void contradictions_are_named(void **state)
{
    (void)state;
    struct study *study =
        read_study("a = int 3..40\nb = int 2..9\nbatch = ordered 8, 16\n", "[constraints]\nparameters = <= 60\n");
    struct problem problem;
    struct extremes extremes;
    struct log *log = test_log();
    problem_init(&problem, study, input, CLASSES, 100);
    assert_int_equal(extremes_find(&problem, log, &extremes), NR_INVALID);
    test_log_has(log, "no point");
    log_destroy(log);
    study_destroy(study);
}

/* The same network and recipe is the same trial; another batch size or width is another one. */
static void identities(void **state)
{
    (void)state;
    struct study *study = read_study("a = int 3..40\nb = int 2..9\nbatch = ordered 8, 16\n", "");
    struct problem problem;
    struct optim_admission first, second;
    problem_init(&problem, study, input, CLASSES, 100);
    double point[] = {10, 5, 0};
    assert_true(problem_admit(&problem, point, &first));
    assert_true(problem_admit(&problem, point, &second));
    assert_string_equal(first.identity, second.identity);
    assert_true(first.exact[1] == (double)parameters(10, 5));
    point[2] = 1;
    assert_true(problem_admit(&problem, point, &second));
    assert_string_not_equal(first.identity, second.identity);
    point[2] = 0;
    point[0] = 11;
    assert_true(problem_admit(&problem, point, &second));
    assert_string_not_equal(first.identity, second.identity);
    study_destroy(study);
}

/* External objectives: no data set, exact values from expressions, bounds on them kept, equal points the same. */
static struct study *read_external(const char *content, struct log *log)
{
    struct study *study;
    struct text text = {0};
    text_format(&text,
                "[study]\nname = x\ntrials = 1\n[space]\nlayers = int 1..2\na = int 3..90\n"
                "b = int 2..50 if layers = 2\n[objectives]\nloss = minimize\n%s",
                content);
    assert_ok(study_read_text(text.data, "x.ini", NULL, 0, log, &study));
    text_clear(&text);
    return study;
}

static void external_objectives(void **state)
{
    (void)state;
    struct study *study = read_external("size = minimize exact=\"10*a + if(layers = 2, a*b, 0)\"\n"
                                        "depth = maximize exact=\"layers - b/100 if a != 4\"\n"
                                        "[constraints]\nsize = > 40 and <= 2000\norder = b <= a\nlatency = <= 5\n",
                                        NULL);
    struct problem problem;
    struct optim_admission first, second;
    problem_init_external(&problem, study);
    assert_int_equal(problem.optim.objectives, 3);
    assert_int_equal(problem.optim.constraints, 1);
    assert_true(problem.optim.constraint[0].at_most && problem.optim.constraint[0].bound == 5);
    assert_int_equal(problem.optim.objective[0].transform, TRANSFORM_AUTO);
    double point[] = {2, 10, 7}, inactive[] = {1, 10, NAN}, light[] = {2, 3, 3}, heavy[] = {2, 60, 24};
    assert_true(problem_admit(&problem, point, &first));
    assert_true(isnan(first.exact[0]) && first.exact[1] == 170 && first.exact[2] == 1.93);
    assert_true(first.work == 0);
    assert_true(problem_admit(&problem, point, &second));
    assert_string_equal(first.identity, second.identity);
    point[2] = 8;
    assert_true(problem_admit(&problem, point, &second));
    assert_string_not_equal(first.identity, second.identity);
    assert_false(problem_admit(&problem, light, &second)); /* 39 */
    assert_false(problem_admit(&problem, heavy, &second)); /* 2040 */

    struct text reason = {0};
    assert_int_equal(problem_check_point(&problem, heavy, &reason), NR_INFEASIBLE);
    assert_string_equal(reason.data, "x.ini:13: [constraints] size is 2040, more than 2000");
    text_clear(&reason);
    point[2] = 11;
    assert_int_equal(problem_check_point(&problem, point, &reason), NR_INFEASIBLE);
    assert_string_equal(reason.data, "x.ini:14: [constraints] order does not hold");
    text_clear(&reason);
    assert_int_equal(problem_check_point(&problem, inactive, &reason), NR_INFEASIBLE);
    assert_string_equal(reason.data, "depth has no value: layers - b/100 if a != 4");
    text_clear(&reason);
    study_destroy(study);
}

/* What the optimizer is told: objectives, then one outcome per bound; two bounds on one value share it. */
static void values_become_outcomes(void **state)
{
    (void)state;
    struct study *study = read_study("a = int 3..40\nb = int 2..9\nbatch = ordered 8, 16\n",
                                     "[constraints]\nval_loss = >= 0.1 and <= 0.5\nparameters = <= 500\n"
                                     "val_accuracy = >= 0.9\n");
    struct problem problem;
    problem_init(&problem, study, input, CLASSES, 100);
    assert_int_equal(problem.optim.constraints, 3);
    assert_true(!problem.optim.constraint[0].at_most && problem.optim.constraint[1].at_most);
    assert_true(problem.optim.constraint[1].bound == 0.5 && problem.optim.constraint[2].bound == 0.9);
    const double value[] = {0.8, 400, 0.3}, expected[] = {0.8, 400, 0.3, 0.3, 0.8};
    struct optim_result result = replay_result(study, 100, value, 7);
    for (size_t i = 0; i < 5; i++) {
        bool accuracy = i == 0 || i == 4;
        assert_true(result.value[i] == expected[i]);
        assert_true(accuracy ? fabs(result.variance[i] - 0.0016) < 1e-15 : isnan(result.variance[i])); /* p(1-p)/m */
    }
    assert_true(isnan(result.value[5]) && result.seconds == 7);
    study_destroy(study);
}

static void ends_of_exact_objectives(void **state)
{
    (void)state;
    struct study *study = read_external("size = minimize exact=\"10*a + if(layers = 2, a*b, 0)\"\n"
                                        "difference = minimize exact=\"if(layers = 2, a - b, 100)\"\n"
                                        "[constraints]\nsize = <= 2000\n",
                                        NULL);
    struct problem problem;
    struct extremes extremes;
    struct extent extent;
    double sizes[2] = {INFINITY, 0}, differences[2] = {INFINITY, 0};
    for (int a = 3; a <= 90; a++) {
        for (int b = 1; b <= 50; b++) { /* 1: one layer */
            double size = 10 * a + (b > 1 ? a * b : 0), difference = b > 1 ? a - b : 100;
            if (size > 2000)
                continue;
            sizes[0] = fmin(sizes[0], size), sizes[1] = fmax(sizes[1], size);
            differences[0] = fmin(differences[0], difference), differences[1] = fmax(differences[1], difference);
        }
    }
    problem_init_external(&problem, study);
    assert_ok(extremes_find(&problem, NULL, &extremes));
    assert_ok(extremes_of_objective(&problem, &extremes, 1, NULL, &extent));
    assert_true(extent.least == sizes[0] && extent.most == sizes[1] && extent.proven);
    assert_ok(extremes_of_objective(&problem, &extremes, 2, NULL, &extent));
    assert_true(extent.least == differences[0] && extent.most == differences[1] && extent.proven);
    extremes_clear(&extremes);
    study_destroy(study);
}

static void external_contradictions_are_named(void **state)
{
    (void)state;
    struct problem problem;
    struct extremes extremes;
    struct log *log = test_log();
    struct study *study = read_external("[constraints]\nnever = a < b and layers = 1\nnone = a > 100\n", log);
    problem_init_external(&problem, study);
    assert_int_equal(extremes_find(&problem, log, &extremes), NR_INVALID);
    test_log_has(log, "x.ini: no point of the space is allowed (all were tried, ");
    log_destroy(log);
    study_destroy(study);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(smallest_and_largest),
        cmocka_unit_test(a_needle_is_found),
        cmocka_unit_test(ends_of_log_ranges_are_reached),
        cmocka_unit_test(contradictions_are_named),
        cmocka_unit_test(identities),
        cmocka_unit_test(external_objectives),
        cmocka_unit_test(ends_of_exact_objectives),
        cmocka_unit_test(values_become_outcomes),
        cmocka_unit_test(external_contradictions_are_named),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
