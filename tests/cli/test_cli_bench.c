/* nasrun bench, through the program: few images, few evaluations; what it measures is no matter here. */
#include "support/test.h"

#include <jansson.h>

#include "base/file.h"
#include "base/text.h"

static int bench(const char *arguments, char **output, char **errors)
{
    char command[4096];
    snprintf(command, sizeof command, "'%s' bench %s", test_program(), arguments);
    return test_run(command, output, errors);
}

static double number(const json_t *row, const char *key)
{
    const json_t *value = json_object_get(row, key);
    assert_non_null(value);
    return json_is_null(value) ? NAN : json_number_value(value);
}

/* A row for each network that was named, in the order of the table. */
static void prints_the_networks_asked_for(void **state)
{
    (void)state;
    static const char *const names[] = {"mlp-s", "lenet"};
    static const double batches[] = {64, 128};
    char *output;
    assert_int_equal(bench("train lenet mlp-s --images 200 --json", &output, NULL), 0);
    json_t *rows = json_loads(output, 0, NULL);
    assert_int_equal(json_array_size(rows), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *row = json_array_get(rows, i);
        assert_string_equal(json_string_value(json_object_get(row, "network")), names[i]);
        assert_string_equal(json_string_value(json_object_get(row, "precision")), "float32");
        assert_near(number(row, "batch"), batches[i], 0, 0);
        assert_near(number(row, "lanes"), 1, 0, 0);
        assert_true(number(row, "seconds_per_epoch") > 0);
        assert_true(number(row, "share_of_peak") > 0);
        assert_true(number(row, "predicted_memory") > 1e5);
        assert_true(isnan(number(row, "nodes_per_step")) && isnan(number(row, "launch_share")));
        assert_true(isnan(number(row, "memory"))); /* the system decides */
    }
    json_decref(rows);
    free(output);
}

static void all_networks_are_the_default(void **state)
{
    (void)state;
    char *output;
    assert_int_equal(bench("train --images 16 --csv", &output, NULL), 0);
    size_t lines = 0;
    for (const char *at = output; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 1 + 4);
    assert_non_null(strstr(output, "seconds_per_epoch"));
    assert_null(strstr(output, "ms_per_epoch"));
    free(output);
}

static const json_t *find_row(const json_t *rows, const char *method, double pending)
{
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row) if (!strcmp(json_string_value(json_object_get(row, "method")), method) &&
                                         number(row, "pending") == pending) return row;
    fail_msg("there is no row of %s", method);
    return NULL;
}

/* Searches, their curves as a file, and that file taken up again beside other searches. */
static void optimises(void **state)
{
    (void)state;
    char arguments[1024], *output, *content;
    const char *folder = test_folder();
    snprintf(
        arguments, sizeof arguments,
        "optimise branin --method random,grid --seeds 2 --evaluations 8 --pending 1,2 --json -q --curves '%s/a.csv'",
        folder);
    assert_int_equal(bench(arguments, &output, NULL), 0);
    json_t *rows = json_loads(output, 0, NULL);
    assert_int_equal(json_array_size(rows), 4);
    assert_near(number(find_row(rows, "random", 2), "mean"), number(find_row(rows, "random", 1), "mean"), 0, 0);
    double random = number(find_row(rows, "random", 1), "mean");
    json_decref(rows);
    free(output);
    snprintf(arguments, sizeof arguments, "%s/a.csv", folder);
    assert_ok(file_read(arguments, NULL, &content, NULL));
    assert_true(
        text_starts_with(content, "problem,method,pending,seed,evaluation,value,seconds,best\nbranin,random,1,1,1,"));
    size_t lines = 0;
    for (const char *at = content; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 1 + 2 * 2 * (8 + 12)); /* two trials at once: half as many evaluations again */
    free(content);
    snprintf(arguments, sizeof arguments,
             "optimise branin --method sobol --seeds 1 --evaluations 8 --json -q --with '%s/a.csv' --svg '%s/a.svg'",
             folder, folder);
    assert_int_equal(bench(arguments, &output, NULL), 0);
    rows = json_loads(output, 0, NULL);
    assert_int_equal(json_array_size(rows), 5);
    assert_near(number(find_row(rows, "random", 1), "mean"), random, 0, 0);
    assert_near(number(find_row(rows, "sobol", 1), "seeds"), 1, 0, 0);
    json_decref(rows);
    free(output);
    snprintf(arguments, sizeof arguments, "%s/a.svg", folder);
    assert_ok(file_read(arguments, NULL, &content, NULL));
    assert_true(text_starts_with(content, "<svg "));
    free(content);
}

static void times_suggestions(void **state)
{
    (void)state;
    char *output;
    assert_int_equal(bench("suggest --results 8,15 --asks 2 --objectives 1 --dimensions 3 --json", &output, NULL), 0);
    json_t *rows = json_loads(output, 0, NULL);
    assert_int_equal(json_array_size(rows), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *row = json_array_get(rows, i);
        assert_near(number(row, "results"), i ? 15 : 8, 0, 0);
        assert_near(number(row, "dimensions"), 3, 0, 0);
        assert_true(number(row, "median_ms") > 0 && number(row, "worst_ms") >= number(row, "median_ms"));
        assert_true(number(row, "memory_mib") > 0.5);
    }
    json_decref(rows);
    free(output);
}

static void refuses(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"test", "bench: \"test\" is none of train, optimise, suggest"},
        {"", "bench: one word more is needed: train"},
        {"train --seeds 2", "bench train takes no --seeds"},
        {"train mlp", "there is no network \"mlp\" (did you mean mlp-s?)"},
        {"train --device cpu:x", "the device \"cpu:x\" is unknown"},
        {"train --device gpu", "\"gpu\""},
        {"train --device cpu:1", "there is no device 1"},
        {"train --lanes 0", "--lanes is \"0\", expected a number from 1"},
        {"train --lanes 2", "2 lanes are more than the device has: 1"},
        {"train --images 15", "--images is \"15\", expected a number from 16"},
        {"optimise branin2", "there is no problem \"branin2\" (did you mean branin?)"},
        {"optimise --method tpe", "there is no method \"tpe\"; expected bo, random, sobol, evolution, grid"},
        {"optimise --pending 1,0", "--pending is \"0\""},
        {"optimise --seeds -1", "--seeds is \"-1\", expected a number from 0"},
        {"optimise nowhere.ini --seeds 0", "nowhere.ini"},
        {"optimise --seeds 0 --with nowhere.csv", "nowhere.csv"},
        {"optimise --lanes 2", "bench optimise takes no --lanes"},
        {"suggest --results 5,x", "--results is \"5,x\", expected at most 16 numbers from 1"},
        {"suggest --objectives 4", "--objectives is \"4\", expected a number from 1 to 3"},
        {"suggest 48", "usage: nasrun bench suggest"},
        {"train --precision half", "--precision is \"half\", expected float32"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *errors;
        assert_int_equal(bench(bad[i][0], NULL, &errors), 2);
        if (!strstr(errors, bad[i][1])) {
            print_error("bench %s says: %s\n", bad[i][0], errors);
            fail();
        }
        free(errors);
    }
}

/* The pretended GPUs of tests/train/modules/fake_gpus.c, none of them visible. */
static void without_a_gpu(void **state)
{
    (void)state;
    char module[512], *errors;
    snprintf(module, sizeof module, "%s/fake_gpus.so", getenv("NASRUN_MODULES"));
    setenv("NASRUN_CUDA_MODULE", module, 1);
    setenv("CUDA_VISIBLE_DEVICES", "", 1);
    assert_int_equal(bench("train --device cuda", NULL, &errors), 2);
    assert_non_null(strstr(errors, "bench: there is no device of cuda"));
    free(errors);
    unsetenv("CUDA_VISIBLE_DEVICES");
    unsetenv("NASRUN_CUDA_MODULE");
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(prints_the_networks_asked_for),
    cmocka_unit_test(all_networks_are_the_default),
    cmocka_unit_test(optimises),
    cmocka_unit_test(times_suggestions),
    cmocka_unit_test(refuses),
    cmocka_unit_test(without_a_gpu),
};

TEST_MAIN(cases)
