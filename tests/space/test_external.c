/* Studies with external objectives: exact expressions, outcome constraints, what a trial must bring, and what is
 * refused. */
#include "support/test.h"

#include "base/text.h"
#include "space/examples.h"
#include "space/study.h"

static const char example[] = "[study]\n"                                                 /* 1 */
                              "name = external\n"                                         /* 2 */
                              "trials = 20\n"                                             /* 3 */
                              "[space]\n"                                                 /* 4 */
                              "layers = int 1..2\n"                                       /* 5 */
                              "h1 = int 1..100\n"                                         /* 6 */
                              "h2 = int 1..100 if layers = 2\n"                           /* 7 */
                              "op = choice skip, conv3x3\n"                               /* 8 */
                              "[objectives]\n"                                            /* 9 */
                              "loss = minimize threshold=-0.5\n"                          /* 10 */
                              "size = minimize exact=\"7*h1 + if(layers = 2,h1*h2,0)\"\n" /* 11 */
                              "[constraints]\n"                                           /* 12 */
                              "size = < 1000\n"                                           /* 13 */
                              "latency = >= 1 and < 5\n"                                  /* 14 */
                              "loss = <= 0.25\n"                                          /* 15 */
                              "narrowing = h2 <= h1 if layers = 2\n";                     /* 16 */

static struct study *read(const char *content, const char *const *overrides, size_t count)
{
    struct study *study = NULL;
    struct log *log = test_log();
    nr_status status = study_read_text(content, "x.ini", overrides, count, log, &study);
    if (status != NR_OK)
        print_error("%s", log_text(log));
    assert_ok(status);
    log_destroy(log);
    return study;
}

static void everything_is_read(void **state)
{
    (void)state;
    struct study *study = read(example, NULL, 0);
    assert_true(study->external);
    assert_int_equal(study->objectives, 2);
    assert_true(study->objective[0].threshold == -0.5 && !study->objective[0].exact);
    assert_int_equal(study->objective[0].transform, OBJECTIVE_TRANSFORM_AUTO);
    assert_true(study->objective[1].exact && study->objective[1].expression);
    assert_int_equal(study_int(study, KEY_TRIALS, NULL), 20);

    assert_int_equal(study_values(study), 3); /* latency is told, too, and once for both its bounds */
    assert_string_equal(study_value_name(study, 0), "loss");
    assert_string_equal(study_value_name(study, 1), "size");
    assert_string_equal(study_value_name(study, 2), "latency");
    assert_true(study_value_is_told(study, 0) && !study_value_is_told(study, 1) && study_value_is_told(study, 2));

    assert_int_equal(study->constraints, 5);
    static const struct {
        bool outcome;
        size_t value;
    } expected[] = {{false, 1}, {true, 2}, {true, 2}, {true, 0}, {false, STUDY_NO_VALUE}};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(study->constraint[i].outcome, expected[i].outcome);
        assert_true(study->constraint[i].value == expected[i].value);
    }
    study_destroy(study);
}

static bool allows(const struct study *study, double layers, double h1, double h2)
{
    double point[] = {layers, h1, h2, 0};
    return study_allows(study, point);
}

static void exact_values_and_constraints(void **state)
{
    (void)state;
    struct study *study = read(example, NULL, 0);
    double one[] = {1, 20, NAN, 0}, two[] = {2, 20, 10, 0};
    assert_true(study_exact_value(study, 1, one) == 140);
    assert_true(study_exact_value(study, 1, two) == 340);
    assert_true(isnan(study_exact_value(study, 0, one)));
    assert_true(allows(study, 1, 100, NAN));
    assert_true(allows(study, 2, 30, 26));  /* 210 + 780 = 990 */
    assert_false(allows(study, 2, 27, 30)); /* 189 + 810 = 999 is small enough, but wider behind */
    assert_false(allows(study, 2, 40, 18)); /* 280 + 720 = 1000 */
    double broken[] = {2, 40, 18, 0};
    assert_string_equal(study_broken(study, broken)->name, "size");

    double value[] = {0.25, 10, 1};
    assert_true(study_feasible(study, value));
    value[2] = 5;
    assert_false(study_feasible(study, value));
    value[2] = nextafter(5, 0);
    assert_true(study_feasible(study, value));
    value[2] = 0.99;
    assert_false(study_feasible(study, value));
    value[2] = NAN;
    assert_false(study_feasible(study, value));
    value[2] = 2, value[0] = 0.26;
    assert_false(study_feasible(study, value));
    study_destroy(study);
}

static void has_line(const char *identity, const char *line, bool expected)
{
    if (!strstr(identity, line) == expected) {
        print_error("\"%s\" is %s of\n%s", line, expected ? "no part" : "a part", identity);
        fail();
    }
}

/* Nothing of training is in it, and keys that are younger than the format only where they say something. */
static void identity(void **state)
{
    (void)state;
    struct study *study = read(example, NULL, 0);
    char *text = study_identity(study);
    assert_string_equal(text, "constraints.narrowing = h2 <= h1 if layers = 2\n"
                              "constraints.size = <= 999.99999999999989\n"
                              "objectives.1 = loss minimize threshold=-0.5\n"
                              "objectives.2 = size minimize exact=7 * h1 + if ( layers = 2 , h1 * h2 , 0 )\n"
                              "outcomes.1 = latency >= 1\n"
                              "outcomes.2 = latency <= 4.9999999999999991\n"
                              "outcomes.3 = loss <= 0.25\n"
                              "search.initial = 20\n"
                              "search.method = bo\n"
                              "space.h1 = int 1..100\n"
                              "space.h2 = int 1..100 if layers = 2\n"
                              "space.layers = int 1..2\n"
                              "space.op = choice skip, conv3x3\n"
                              "study.name = external\n"
                              "study.seed = 1\n");
    free(text);
    study_destroy(study);

    static const char *const overrides[] = {"search.model=sparse", "objectives.loss=minimize transform=halfrank"};
    study = read(example, overrides, 2);
    text = study_identity(study);
    has_line(text, "\nsearch.model = sparse\n", true);
    has_line(text, "\nobjectives.1 = loss minimize transform=halfrank\n", true);
    free(text);
    study_destroy(study);
}

/* A study that was recorded before the keys existed goes on. */
static void identity_of_training(void **state)
{
    (void)state;
    static const char *const usual[] = {"search.model=auto", "search.cost=none",
                                        "objectives.val_accuracy=maximize threshold=0.94 transform=halfrank"};
    static const char *const other[] = {"search.cost=seconds",
                                        "objectives.val_accuracy=maximize transform=none threshold=0.94"};
    struct study *plain = read(example_mnist, NULL, 0), *same = read(example_mnist, usual, 3),
                 *changed = read(example_mnist, other, 2);
    char *a = study_identity(plain), *b = study_identity(same), *c = study_identity(changed);
    assert_string_equal(a, b);
    has_line(a, "search.model", false);
    has_line(a, "search.cost", false);
    has_line(a, "transform", false);
    has_line(c, "\nsearch.cost = seconds\n", true);
    has_line(c, "\nobjectives.1 = val_accuracy maximize threshold=0.94 transform=none\n", true);
    free(a);
    free(b);
    free(c);
    study_destroy(plain);
    study_destroy(same);
    study_destroy(changed);
}

/* What training measures can be bounded without being an objective. */
static void outcomes_of_training(void **state)
{
    (void)state;
    struct text text = {0};
    text_format(&text, "%s[constraints]\nval_loss = <= 0.5\nval_accuracy = >= 0.9\nparameters = < 5000\n",
                example_mnist);
    struct study *study = read(text.data, NULL, 0);
    assert_int_equal(study_values(study), 3);
    assert_string_equal(study_value_name(study, 2), "val_loss");
    assert_true(study->constraint[0].outcome && study->constraint[0].value == 2);
    assert_true(study->constraint[1].outcome && study->constraint[1].value == 0);
    assert_true(!study->constraint[2].outcome && study->constraint[2].value == STUDY_NO_VALUE);
    assert_true(study->constraint[2].bound == 4999);
    double feasible[] = {0.9, 80000, 0.5}, lossy[] = {0.9, 80000, 0.51}, inaccurate[] = {0.89, 80000, 0.5};
    assert_true(study_feasible(study, feasible) && !study_feasible(study, lossy) && !study_feasible(study, inaccurate));
    study_destroy(study);
    text_clear(&text);
}

/* The first `from` becomes `to`. */
static char *change(const char *from, const char *to)
{
    struct text text = {0};
    const char *at = strstr(example, from);
    assert_non_null(at);
    text_append_bytes(&text, example, (size_t)(at - example));
    text_append(&text, to);
    text_append(&text, at + strlen(from));
    return text_take(&text);
}

static void bad(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *expected;
    } cases[] = {
        /* what does not belong together */
        {"[space]", "[data]\ndataset = tiny\n[space]", "x.ini:4: [data]: there is no [network] that could be trained"},
        {"[space]", "[training]\n[space]", "x.ini:4: [training]: there is no [network] that could be trained"},
        {"[space]", "[network]\nlayer = dense units=$h1\n[space]", "[data] dataset is missing"},
        {"[space]", "[run]\nworkers = 2\n[space]", "x.ini:5: [run] workers: the key is about training"},
        {"[space]", "[search]\ncost = seconds\n[space]", "x.ini:5: [search] cost: the key is about training"},
        /* objectives */
        {"loss = minimize", "loss = minimise", "x.ini:10: [objectives] loss: found \"minimise\"; expected maximize or"},
        {"threshold=-0.5", "threshold=low", "[objectives] loss: found \"threshold=low\"; expected a number"},
        {"threshold=-0.5", "treshold=1", "found \"treshold=1\"; expected threshold=NUMBER, transform=auto, none or"},
        {"threshold=-0.5", "0.5", "found \"0.5\"; expected threshold=NUMBER"},
        {"threshold=-0.5", "transform=log", "found \"transform=log\"; expected transform=auto, none or halfrank"},
        {"loss = minimize threshold=-0.5\nsize = minimize exact=\"7*h1 + if(layers = 2,h1*h2,0)\"\n[constraints]\n"
         "size = < 1000\nlatency = >= 1 and < 5\nloss = <= 0.25\n",
         "size = minimize exact=\"h1\"\n[constraints]\n",
         "x.ini: [objectives] all are known without a trial, so that there is nothing to search; expected one that "
         "is "},
        {"loss = minimize threshold=-0.5\nsize = minimize exact=\"7*h1 + if(layers = 2,h1*h2,0)\"\n", "",
         "x.ini: [objectives] has no objective; expected at least one, as in \"loss = minimize\""},
        {"loss = minimize", "trial = minimize", "[objectives] trial: the name is that of a column of trials.csv"},
        {"loss = minimize", "fail = minimize", "[objectives] fail: the name says that a trial has failed"},
        {"loss = minimize", "h1 = minimize", "[objectives] h1: the name is that of a parameter of [space]"},
        {"loss = minimize", "my-loss = minimize", "[objectives] my-loss: is no name of a value; expected letters"},
        {"loss = minimize", "a=minimize\nb=minimize\nc=minimize\nd = minimize", "one objective too many; at most 4"},
        /* exact ones */
        {"\"7*h1 + if(layers = 2,h1*h2,0)\"", "h1*h2", "found \"exact=h1*h2\"; expected an expression in quotes"},
        {"\"7*h1 + if(layers = 2,h1*h2,0)\"", "\"\"", "found \"exact=\"\"\"; expected an expression in quotes"},
        {"\"7*h1 + if(layers = 2,h1*h2,0)\"", "\"h1*h2", "expected an expression in quotes"},
        {"7*h1 + if", "7*h3 + if", "x.ini:11: [objectives] size: \"h3\" is no parameter of [space]; did you mean"},
        {"7*h1 + if", "7* + if", "x.ini:11: [objectives] size: \"7* + if(layers = 2,h1*h2,0)\" has \"+\" where"},
        {"7*h1 + if(layers = 2,h1*h2,0)", "7*loss", "\"loss\" is no parameter of [space]"},
        {"7*h1 + if(layers = 2,h1*h2,0)", "h1 < 3", "\"h1 < 3\" is a condition; expected a number"},
        {"7*h1 + if(layers = 2,h1*h2,0)", "7*8", "\"7*8\" depends on no parameter"},
        {"h1*h2,0)\"", "h1*h2,0)\" exact=\"h1\"", "the expression is given twice"},
        {"h1*h2,0)\"", "h1*h2,0)\" transform=none", "the transform is for what is modelled; this objective is exact"},
        /* constraints */
        {"latency = >= 1", "h1 = >= 1", "write it as an expression: h1_limit = h1 >= 1 and < 5"},
        {"latency = >= 1", "state = >= 1", "[constraints] state: the name is that of a column"},
        {"latency = >= 1", "fail = >= 1", "[constraints] fail: the name says that a trial has failed"},
        {"latency = >= 1 and < 5", "latency = >= 5 and <= 4", "the constraints contradict each other: at least 5"},
        {"latency = >= 1 and < 5", "latency = >= 1 or < 5", "found \">= 1 or < 5\"; expected a bound such as"},
        {"loss = <= 0.25", "loss = h1 < 3", "[constraints] loss: found \"h1 < 3\"; expected a bound such as"},
        {"loss = <= 0.25", "a = <= 1\nb = <= 1\nc = <= 1", "[constraints] c: this is one bound too many on what only"},
        {"narrowing =", "latency =", "x.ini:16: [constraints] latency: said twice; the first is in line 14"},
        {"h2 <= h1 if layers = 2", "h2 <= h1 if layer = 2", "\"layer\" is no parameter of [space]; did you mean"},
        /* parameters */
        {"op = choice", "cause = choice", "x.ini:8: [space] cause: the name is that of a column of trials.csv"},
    };
    struct log *log = test_log();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct study *study = NULL;
        char *content = change(cases[i].from, cases[i].to);
        nr_status status = study_read_text(content, "x.ini", NULL, 0, log, &study);
        if (status != NR_INVALID)
            print_error("\"%s\" was taken\n", cases[i].to);
        assert_int_equal(status, NR_INVALID);
        assert_null(study);
        test_log_has(log, cases[i].expected);
        free(content);
    }
    log_destroy(log);
}

/* As small as possible while it is fast enough: only the constraint is a matter of trials. */
static void exact_objectives_under_an_outcome_constraint(void **state)
{
    (void)state;
    static const char *const drop = "loss = minimize threshold=-0.5\n";
    char *content = change(drop, "");
    struct study *study = read(content, NULL, 0);
    assert_int_equal(study->objectives, 1);
    assert_int_equal(study_values(study), 3); /* loss is bounded still */
    assert_string_equal(study_value_name(study, 2), "loss");
    assert_true(!study_value_is_told(study, 0) && study_value_is_told(study, 1) && study_value_is_told(study, 2));
    study_destroy(study);
    free(content);
}

/* A dimension may have the name of what only training knows. */
static void names_of_training_are_free(void **state)
{
    (void)state;
    char *content = change("op = choice skip, conv3x3", "macs = int 1..3");
    struct study *study = read(content, NULL, 0);
    assert_true(space_find(&study->space, "macs") != SIZE_MAX);
    study_destroy(study);
    free(content);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(everything_is_read),
        cmocka_unit_test(exact_values_and_constraints),
        cmocka_unit_test(identity),
        cmocka_unit_test(identity_of_training),
        cmocka_unit_test(outcomes_of_training),
        cmocka_unit_test(bad),
        cmocka_unit_test(names_of_training_are_free),
        cmocka_unit_test(exact_objectives_under_an_outcome_constraint),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
