/* status, trials, pareto, best, show: on a finished study, beside a running one, and where there is nothing to read. */
#include "support/searching.h"

#include <jansson.h>
#include <time.h>

static json_t *reading_json(const char *folder, const char *arguments)
{
    json_error_t error;
    char *output = searching_output(folder, arguments, 0);
    json_t *array = json_loads(output, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_array(array)) {
        print_error("nasrun %s: %s in\n%s\n", arguments, error.text, output);
        fail();
    }
    free(output);
    return array;
}

/* Exit status 2 (or another) and a sentence on standard error; nothing on standard output. */
static void refused(const char *folder, const char *arguments, int status, const char *sentence)
{
    struct text line = {0};
    char *output, *errors;
    text_format(&line, "cd '%s' && '%s' %s", folder, test_program(), arguments);
    int got = test_run(line.data, &output, &errors);
    if (got != status || !strstr(errors, sentence) || *output) {
        print_error("nasrun %s: status %d, expected %d and \"%s\"\n%s%s", arguments, got, status, sentence, output,
                    errors);
        fail();
    }
    text_clear(&line);
    free(output);
    free(errors);
}

/* One finished study for the cases that only read. */
static const char *finished_study(void)
{
    static char folder[512];
    if (!*folder) {
        snprintf(folder, sizeof folder, "%s", searching_folder("reading"));
        assert_int_equal(searching_run(folder, "small.ini --quiet --set training.epochs=2"),
                         2); /* epochs is unused then */
        assert_int_equal(searching_run(folder, "small.ini --quiet"), 0);
    }
    return folder;
}

static void trials(void **state)
{
    (void)state;
    const char *folder = finished_study();
    json_t *array = reading_json(folder, "trials --json"), *trial;
    size_t i;
    assert_int_equal(json_array_size(array), 7);
    json_array_foreach(array, i, trial)
    {
        assert_int_equal(json_integer_value(json_object_get(trial, "trial")), i + 1);
        assert_string_equal(json_string_value(json_object_get(trial, "state")), "done");
        assert_true(json_is_integer(json_object_get(trial, "parameters")));
        double accuracy = json_number_value(json_object_get(trial, "val_accuracy"));
        assert_true(accuracy > 0 && accuracy <= 1);
        int64_t hidden = json_integer_value(json_object_get(trial, "hidden"));
        assert_true(hidden >= 8 && hidden <= 64);
    }
    json_decref(array);
    char *written = searching_read(folder, "runs/small/trials.csv"),
         *printed = searching_output(folder, "trials small --csv", 0);
    assert_string_equal(written, printed);
    free(printed);
    printed = searching_output(folder, "trials runs/small/study.db --csv", 0);
    assert_string_equal(written, printed);
    free(written);
    free(printed);
    searching_expect(searching_output(folder, "trials", 0),
                     (const char *const[]){"trial  state", "\n    7  done ", "784-", NULL});
}

static void pareto_and_best(void **state)
{
    (void)state;
    const char *folder = finished_study();
    char *written = searching_read(folder, "runs/small/pareto.csv"),
         *printed = searching_output(folder, "pareto --csv small.ini", 0);
    assert_string_equal(written, printed);
    free(written);
    free(printed);
    json_t *front = reading_json(folder, "pareto --json"), *best = reading_json(folder, "best --json");
    assert_int_equal(json_array_size(best), 1); /* which one: test_model.c */
    double last = 2;
    json_t *member;
    size_t i;
    json_array_foreach(front, i, member)
    {
        double accuracy = json_number_value(json_object_get(member, "val_accuracy"));
        assert_true(accuracy < last);
        last = accuracy;
    }
    json_decref(front);
    json_decref(best);
    searching_expect(searching_output(folder, "pareto", 0),
                     (const char *const[]){"Pareto front, ", "best trial ", "hypervolume ", NULL});
    searching_expect(searching_output(folder, "best", 0),
                     (const char *const[]){"best is trial ", "weights ", "learning_rate ", NULL});
}

static void show(void **state)
{
    (void)state;
    const char *folder = finished_study();
    searching_expect(
        searching_output(folder, "show 3", 0),
        (const char *const[]){"trial 3 of small: done", "point\n", "layers\n", "dense", "train_loss", NULL});
    json_t *epochs = reading_json(folder, "show --json small 3"),
           *swapped = reading_json(folder, "show 3 small --json");
    assert_true(json_equal(epochs, swapped) && json_array_size(epochs) >= 2);
    json_decref(epochs);
    json_decref(swapped);
    refused(folder, "show 8", 2, "there is no trial 8; it has trials 1 to 7");
    refused(folder, "show 0", 2, "there is no trial 0");
    refused(folder, "show small", 2, "\"small\" is no number of a trial");
}

static void status(void **state)
{
    (void)state;
    const char *folder = finished_study();
    json_t *array = reading_json(folder, "status runs/small --json"), *row = json_array_get(array, 0);
    assert_string_equal(json_string_value(json_object_get(row, "standing")), "trials");
    assert_int_equal(json_integer_value(json_object_get(row, "done")), 7);
    assert_int_equal(json_integer_value(json_object_get(row, "running")), 0);
    json_decref(array);
    searching_expect(
        searching_output(folder, "status", 0),
        (const char *const[]){"small in runs/small: not running", "7 of 7 trials done", "Pareto front", NULL});
}

/* A small space ends when all of it was tried; more trials are not proposed then, nor when it is said again. */
static void exhausted(void **state)
{
    (void)state;
    const char *folder = searching_folder("exhausted");
    static const char arguments[] =
        "small.ini --quiet --set 'space.hidden=ordered 8, 16' --set 'space.dropout=fixed 0' "
        "--set 'space.learning_rate=ordered 0.001, 0.01' --set 'space.epochs=fixed 2'";
    for (int i = 0; i < 2; i++) {
        assert_int_equal(searching_run(folder, arguments), 0);
        char *out = searching_read(folder, "out");
        assert_non_null(strstr(out, "every allowed network has been tried; 4 done"));
        assert_null(strstr(out, "search on"));
        free(out);
    }
}

static void nothing_to_read(void **state)
{
    (void)state;
    const char *folder = searching_folder("nothing");
    static const char *const commands[] = {"status", "trials", "pareto", "best", "show 1"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        refused(folder, commands[i], 2, "there is no study under runs/");
    refused(folder, "trials elsewhere", 2, "elsewhere");
    refused(folder, "trials small.ini", 2, "small");
    refused(folder, "pareto --json --nonsense", 2, "--nonsense");
}

/* A search that runs is seen by every reading command, and is not disturbed. */
static void beside_a_search(void **state)
{
    (void)state;
    char folder[512];
    snprintf(folder, sizeof folder, "%s", searching_folder("beside"));
    pid_t process = searching_start(folder, "small.ini --quiet --set study.trials=2000");
    bool seen = false;
    while (!seen && !searching_has_ended(process)) {
        struct timespec wait = {.tv_nsec = 50000000};
        nanosleep(&wait, NULL);
        struct text line = {0};
        char *output;
        text_format(&line, "cd '%s' && '%s' status small --json", folder, test_program());
        if (test_run(line.data, &output, NULL) == 0) {
            json_t *array = json_loads(output, 0, NULL), *row = json_array_get(array, 0);
            assert_non_null(row);
            seen = json_integer_value(json_object_get(row, "done")) > 0;
            assert_string_equal(json_string_value(json_object_get(row, "standing")), "running");
            json_decref(array);
        }
        free(output);
        text_clear(&line);
    }
    assert_true(seen);
    searching_expect(searching_output(folder, "status", 0), (const char *const[]){"running (process ", NULL});
    free(searching_output(folder, "trials --csv", 0));
    free(searching_output(folder, "pareto --json", 0));
    refused(folder, "small.ini --quiet", 2, "is running this study");
    refused(folder, "small.ini --quiet --fresh", 2, "is running this study");
    kill(process, SIGINT);
    assert_int_equal(searching_wait(process), 130);
    searching_expect(searching_output(folder, "status", 0), (const char *const[]){"not running: interrupted", NULL});
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(trials),          cmocka_unit_test(pareto_and_best), cmocka_unit_test(show),
    cmocka_unit_test(status),          cmocka_unit_test(nothing_to_read), cmocka_unit_test(exhausted),
    cmocka_unit_test(beside_a_search),
};
TEST_MAIN(cases)
