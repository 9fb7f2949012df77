/* tools/gpu-check with the double of CUDA in place of a GPU: the stages, the report, the exit status, the time. */
#include "support/test.h"

#include <jansson.h>
#include <libgen.h>
#include <unistd.h>

#include "base/file.h"

/* The folder of the build; skips the case where the double is not built. */
static const char *build_folder(void)
{
    static char folder[1024];
    char module[1100];
    snprintf(folder, sizeof folder, "%s", test_program());
    dirname(folder);
    snprintf(module, sizeof module, "%s/libnasrun-cuda-double.so", folder);
    if (!file_exists(module))
        skip();
    return folder;
}

/* Puts a script named `name` into the folder that expect_report() sets ahead of PATH. */
static void stand_in(const char *name, const char *content)
{
    char command[4096];
    snprintf(command, sizeof command,
             "mkdir -p '%s/bin' && cat >'%s/bin/%s' <<'END'\n#!/bin/sh\n%s\nEND\nchmod +x '%s/bin/%s'", test_folder(),
             test_folder(), name, content, test_folder(), name);
    assert_int_equal(test_run(command, NULL, NULL), 0);
}

/* `tools/gpu-check ARGUMENTS` must end with `status`; the report, NULL when there is none. */
static json_t *expect_report(const char *arguments, int status)
{
    char command[4096], *errors;
    snprintf(command, sizeof command, "rm -rf '%s/report'; PATH='%s/bin':$PATH '%s' --out '%s/report' %s",
             test_folder(), test_folder(), test_source("tools/gpu-check"), test_folder(), arguments);
    int got = test_run(command, NULL, &errors);
    if (got != status)
        print_error("gpu-check %s: status %d, expected %d:\n%s", arguments, got, status, errors);
    assert_int_equal(got, status);
    free(errors);
    snprintf(command, sizeof command, "%s/report/gpu-report.json", test_folder());
    return json_load_file(command, 0, NULL);
}

static const json_t *find_stage(const json_t *report, const char *name)
{
    size_t i;
    const json_t *result;
    json_array_foreach(json_object_get(report, "results"), i,
                       result) if (!strcmp(json_string_value(json_object_get(result, "stage")), name)) return result;
    return NULL;
}

static void expect_stage(const json_t *report, const char *name, const char *status, const char *message)
{
    const json_t *result = find_stage(report, name);
    assert_non_null(result);
    assert_string_equal(json_string_value(json_object_get(result, "status")), status);
    if (!strstr(json_string_value(json_object_get(result, "message")), message)) {
        print_error("%s: \"%s\" lacks \"%s\"\n", name, json_string_value(json_object_get(result, "message")), message);
        fail();
    }
}

static void every_stage(void **state)
{
    (void)state;
    char arguments[1200], *markdown;
    snprintf(arguments, sizeof arguments, "--double '%s'", build_folder());
    stand_in("compute-sanitizer", "for last; do :; done\nexec \"$last\"");
    json_t *report = expect_report(arguments, 0);
    static const char *const done[] = {"build",  "doctor", "tests",    "kernels",
                                       "search", "bench",  "memcheck", "racecheck"};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++)
        expect_stage(report, done[i], "ok", "");
    expect_stage(report, "limits", "skipped", "");
    expect_stage(report, "pytorch", "skipped", "torch");
    const json_t *search = json_object_get(find_stage(report, "search"), "figures");
    assert_int_equal(json_integer_value(json_object_get(search, "trials")), 2);
    const json_t *bench = json_object_get(find_stage(report, "bench"), "figures");
    assert_true(json_number_value(json_object_get(json_array_get(bench, 0), "seconds_per_epoch")) > 0);
    json_decref(report);

    snprintf(arguments, sizeof arguments, "%s/report/gpu-report.md", test_folder());
    assert_ok(file_read(arguments, NULL, &markdown, NULL));
    assert_non_null(strstr(markdown, "# No GPU: the double of CUDA stood in for one\n"));
    assert_non_null(strstr(markdown, "\n| mlp-s | 64 | 1 | float32 |"));
    free(markdown);
}

static void a_failure_is_told(void **state)
{
    (void)state;
    char arguments[1200];
    stand_in("compute-sanitizer", "echo '========= Invalid __global__ write of size 4 bytes' >&2\nexit 9");
    snprintf(arguments, sizeof arguments, "--double '%s' memcheck doctor", build_folder());
    json_t *report = expect_report(arguments, 1);
    expect_stage(report, "doctor", "ok", "");
    expect_stage(report, "memcheck", "failed", "ended with 9: ========= Invalid __global__ write of size 4 bytes");
    json_decref(report);
}

/* Of 12 seconds 10 are kept for the report. */
static void time_is_kept(void **state)
{
    (void)state;
    char arguments[1200];
    stand_in("compute-sanitizer", "exec sleep 100");
    snprintf(arguments, sizeof arguments, "--double '%s' --seconds 12 memcheck racecheck", build_folder());
    json_t *report = expect_report(arguments, 1);
    expect_stage(report, "memcheck", "failed", "not done in the time it had");
    expect_stage(report, "racecheck", "skipped", "0 s were left");
    json_decref(report);
    snprintf(arguments, sizeof arguments, "--double '%s' --seconds 10 doctor", build_folder());
    report = expect_report(arguments, 1); /* nothing was done */
    expect_stage(report, "doctor", "skipped", "0 s were left");
    json_decref(report);
}

static void bad_usage(void **state)
{
    (void)state;
    stand_in("nvidia-smi", "exit 9");
    assert_null(expect_report("frobnicate", 2));
    assert_null(expect_report("", 3));
    json_t *report = expect_report("--double /nowhere", 1);
    expect_stage(report, "build", "failed", "are not both built there");
    json_decref(report);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(every_stage),
    cmocka_unit_test(a_failure_is_told),
    cmocka_unit_test(time_is_kept),
    cmocka_unit_test(bad_usage),
};

TEST_MAIN(cases)
