/* run/problem and run/extremes: what is allowed, what it costs, the smallest and the largest network. */
#include "support/test.h"

#include "base/text.h"
#include "run/extremes.h"

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

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(smallest_and_largest),
        cmocka_unit_test(a_needle_is_found),
        cmocka_unit_test(ends_of_log_ranges_are_reached),
        cmocka_unit_test(contradictions_are_named),
        cmocka_unit_test(identities),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
