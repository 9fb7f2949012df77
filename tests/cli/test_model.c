/* model, importance, loo, explain, pareto --predicted, best: on a finished search, and on a study that is asked and
 * told from outside. */
#include "support/searching.h"

#include <jansson.h>

#include "base/file.h"

static json_t *reading_json(const char *folder, const char *arguments)
{
    char *output = searching_output(folder, arguments, 0);
    json_t *array = json_loads(output, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_array(array)) {
        print_error("nasrun %s: no array in\n%s\n", arguments, output);
        fail();
    }
    free(output);
    return array;
}

static double number(const json_t *array, size_t row, const char *name)
{
    const json_t *value = json_object_get(json_array_get(array, row), name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static const char *string(const json_t *array, size_t row, const char *name)
{
    const char *value = json_string_value(json_object_get(json_array_get(array, row), name));
    return value ? value : "";
}

/* One finished search of 7 trials, 4 of them initial, for all cases. */
static const char *finished_study(void)
{
    static char folder[512];
    if (!*folder) {
        snprintf(folder, sizeof folder, "%s", searching_folder("modelled"));
        assert_int_equal(searching_run(folder, "small.ini --quiet"), 0);
    }
    return folder;
}

static void model(void **state)
{
    (void)state;
    const char *folder = finished_study();
    json_t *quality = reading_json(folder, "model --json"), *rows = reading_json(folder, "loo --json");
    assert_int_equal(json_array_size(quality), 1); /* parameters are exact */
    assert_string_equal(string(quality, 0, "outcome"), "val_accuracy");
    assert_int_equal((int)number(quality, 0, "results"), 7);
    double inside = 0;
    assert_int_equal(json_array_size(rows), 7);
    for (size_t i = 0; i < 7; i++) {
        assert_true(number(rows, i, "low") < number(rows, i, "predicted"));
        assert_true(number(rows, i, "predicted") < number(rows, i, "high"));
        inside += !*string(rows, i, "outside");
    }
    assert_near(number(quality, 0, "coverage"), inside / 7, 1e-12, 0);
    json_decref(quality);
    json_decref(rows);
    free(searching_output(folder, "loo --svg loo.svg", 0));
    char *svg = searching_read(folder, "loo.svg"), *at = svg;
    for (size_t trial = 1; trial <= 7; trial++) { /* a mark for each */
        at = strstr(at, "<circle ");
        assert_non_null(at);
        at++;
    }
    assert_null(strstr(at, "<circle "));
    assert_non_null(strstr(svg, "</svg>"));
    assert_null(strstr(svg, "nan"));
    free(svg);
    searching_expect(searching_output(folder, "model", 0),
                     (const char *const[]){"outcome ", "val_accuracy ", "learning_rate", "best near", NULL});
}

static void importance(void **state)
{
    (void)state;
    const char *folder = finished_study();
    json_t *rows = reading_json(folder, "importance --json small.ini");
    double previous = 1, alone = 0, total = 0;
    assert_int_equal(json_array_size(rows), 4);
    for (size_t i = 0; i < 4; i++) { /* those that matter most first */
        assert_true(number(rows, i, "total") <= previous);
        previous = number(rows, i, "total");
        assert_true(number(rows, i, "alone") >= 0 && number(rows, i, "alone") <= previous);
        alone += number(rows, i, "alone");
        total += previous;
    }
    assert_true(alone < 1.05 && total > 0.95); /* their definition, within the estimate's error */
    json_decref(rows);
}

/* The model of then gives the acquisition value of then, with the data set and without it. */
static void explain(void **state)
{
    (void)state;
    const char *folder = finished_study();
    for (int data = 1; data >= 0; data--) {
        if (!data)
            setenv("NASRUN_DATA", "/nowhere", 1);
        json_t *rows = reading_json(folder, "explain 6 small --json");
        double recorded = NAN;
        const char *value = strstr(string(rows, 0, "note"), "log EHVI ");
        assert_non_null(value);
        recorded = strtod(value + strlen("log EHVI "), NULL);
        assert_near(number(rows, 0, "acquisition"), recorded, 0.006, 0); /* the note has three digits */
        assert_string_equal(string(rows, 0, "method"), "bo");
        assert_string_equal(string(rows, 1, "outcome"), "parameters");
        assert_near(number(rows, 1, "expected"), number(rows, 1, "measured"), 0, 0);
        assert_true(number(rows, 0, "low") < number(rows, 0, "expected"));
        assert_true(number(rows, 0, "chance") >= 0 && number(rows, 0, "chance") <= 1);
        json_decref(rows);
    }
    setenv("NASRUN_DATA", test_source("data"), 1);
    searching_expect(searching_output(folder, "explain 6", 0),
                     (const char *const[]){"trial 6 of small: done", "chosen by   bo", "what the model expected",
                                           "why it", "most like it", "exploration", NULL});
    searching_expect(searching_output(folder, "explain 2", 0),
                     (const char *const[]){"chosen by   sobol", "no model was asked", "initial point 2 of 4", NULL});
    free(searching_output(folder, "explain 8", 2));
    free(searching_output(folder, "explain small", 2));
}

static void predicted_front(void **state)
{
    (void)state;
    const char *folder = finished_study();
    json_t *front = reading_json(folder, "pareto --predicted --json"), *best = reading_json(folder, "best --json");
    double accuracy = 2, parameters = INFINITY;
    assert_true(json_array_size(front) >= 1);
    for (size_t i = 0; i < json_array_size(front); i++) { /* no member believed to dominate another */
        assert_true(number(front, i, "val_accuracy") < accuracy && number(front, i, "parameters") < parameters);
        accuracy = number(front, i, "val_accuracy");
        parameters = number(front, i, "parameters");
        assert_true(number(front, i, "val_accuracy_low") < accuracy);
        assert_true(number(front, i, "val_accuracy_high") > accuracy);
        assert_true(number(front, i, "val_accuracy_measured") > 0);
    }
    /* without thresholds the best is the most accurate by belief */
    assert_near(number(best, 0, "trial"), number(front, 0, "trial"), 0, 0);
    json_decref(front);
    json_decref(best);
    searching_expect(searching_output(folder, "best", 0),
                     (const char *const[]){"by what the model believes, best is trial ", NULL});
}

/* What a study says of itself changes neither its record nor what comes next. */
static void looking_changes_nothing(void **state)
{
    (void)state;
    char folder[2][512];
    char *trials[2];
    for (int looks = 0; looks < 2; looks++) {
        snprintf(folder[looks], sizeof folder[looks], "%s", searching_folder(looks ? "looked" : "alone"));
        assert_int_equal(searching_run(folder[looks], "small.ini --quiet --set study.trials=6"), 0);
        for (size_t i = 0; looks && i < 5; i++)
            free(searching_output(folder[looks],
                                  (const char *const[]){"model", "importance", "loo", "explain 6", "status"}[i], 0));
        assert_int_equal(searching_run(folder[looks], "small.ini --quiet"), 0);
        trials[looks] = searching_output(folder[looks], "trials --csv", 0);
    }
    assert_string_equal(trials[0], trials[1]);
    free(trials[0]);
    free(trials[1]);
}

static void write_file(const char *folder, const char *name, const char *content)
{
    char *path = file_join(folder, name);
    assert_ok(file_replace(path, content, strlen(content), false, NULL));
    free(path);
}

/* A study of another's trials: asked, told, with a limit that only a trial shows, a point from elsewhere, a failure. */
static void from_outside(void **state)
{
    (void)state;
    const char *folder = searching_folder("outside");
    struct text lines = {0};
    write_file(folder, "other.ini",
               "[study]\nname = other\ntrials = 40\nseed = 2\n[space]\nx = real 0..1\nkind = choice a, b\n"
               "[objectives]\nloss = minimize\n[constraints]\nheat = <= 0.9\n[search]\ninitial = 6\n");
    text_append(&lines, "{\"ask\":6}\n");
    for (int trial = 1; trial <= 5; trial++)
        text_format(&lines, "{\"tell\":{\"trial\":%d,\"values\":{\"loss\":%g,\"heat\":%g}}}\n", trial,
                    0.5 + 0.1 * (trial % 3), 0.5 + 0.1 * trial);
    text_append(&lines, "{\"fail\":{\"trial\":6,\"cause\":\"nan\"}}\n"
                        "{\"tell\":{\"point\":{\"x\":0.25,\"kind\":\"a\"},\"values\":{\"loss\":0.3,\"heat\":0.4}}}\n"
                        "{\"ask\":1}\n{\"tell\":{\"trial\":8,\"values\":{\"loss\":0.35,\"heat\":0.5}}}\n");
    write_file(folder, "lines", lines.data);
    text_clear(&lines);
    searching_expect(searching_output(folder, "serve other.ini <lines", 0), (const char *const[]){"\"trial\":8", NULL});
    json_t *quality = reading_json(folder, "model --json other");
    assert_int_equal(json_array_size(quality), 2);
    assert_string_equal(string(quality, 0, "outcome"), "loss");
    assert_string_equal(string(quality, 1, "outcome"), "heat");
    json_decref(quality);
    searching_expect(searching_output(folder, "explain 7", 0), (const char *const[]){"nasrun did not choose it", NULL});
    searching_expect(searching_output(folder, "explain 6", 0),
                     (const char *const[]){"failed, nan", "no model was asked", NULL});
    searching_expect(searching_output(folder, "explain 8", 0),
                     (const char *const[]){"chosen by   bo", "loss ", "heat ", "the best believed then", NULL});
    searching_expect(searching_output(folder, "status", 0), (const char *const[]){"model ", "health ", NULL});
}

static void methods_without_a_model(void **state)
{
    (void)state;
    static const struct {
        const char *method, *reason;
    } cases[] = {{"random", "drawn at random"}, {"sobol", "spread evenly"}, {"grid", "grid"}, {"evolution", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char arguments[128];
        const char *folder = searching_folder(cases[i].method);
        snprintf(arguments, sizeof arguments, "small.ini --quiet --set search.method=%s", cases[i].method);
        assert_int_equal(searching_run(folder, arguments), 0);
        searching_expect(searching_output(folder, "explain 7", 0),
                         (const char *const[]){"no model was asked", cases[i].reason, NULL});
        searching_expect(searching_output(folder, "model", 0),
                         (const char *const[]){"val_accuracy ", NULL}); /* fitted here */
        searching_expect(searching_output(folder, "status", 0), (const char *const[]){"model        none: ", NULL});
    }
}

static void nothing_to_model(void **state)
{
    (void)state;
    const char *folder = searching_folder("short");
    assert_int_equal(searching_run(folder, "small.ini --quiet --set study.trials=2"), 0);
    static const char *const commands[] = {"model", "importance", "loo", "pareto --predicted"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        free(searching_output(folder, commands[i], 1));
    searching_expect(searching_output(folder, "best", 0),
                     (const char *const[]){"by what was measured", "there is no model to ask", NULL});
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(model),
        cmocka_unit_test(importance),
        cmocka_unit_test(explain),
        cmocka_unit_test(predicted_front),
        cmocka_unit_test(looking_changes_nothing),
        cmocka_unit_test(from_outside),
        cmocka_unit_test(methods_without_a_model),
        cmocka_unit_test(nothing_to_model),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
