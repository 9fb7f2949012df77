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

/* Of 16 seconds 10 are kept for the report. */
static void time_is_kept(void **state)
{
    (void)state;
    char arguments[1200];
    stand_in("compute-sanitizer", "exec sleep 100");
    snprintf(arguments, sizeof arguments, "--double '%s' --seconds 16 memcheck racecheck", build_folder());
    json_t *report = expect_report(arguments, 1);
    expect_stage(report, "memcheck", "failed", "not done in the time it had");
    expect_stage(report, "racecheck", "skipped", "0 s were left");
    json_decref(report);
    snprintf(arguments, sizeof arguments, "--double '%s' --seconds 10 doctor", build_folder());
    report = expect_report(arguments, 1); /* nothing was done */
    expect_stage(report, "doctor", "skipped", "0 s were left");
    json_decref(report);
}

/* What a GPU would give, made up: every table of the report, the goals, the ratios. */
static void report_of_a_gpu(void **state)
{
    (void)state;
    static const char program[] =
        "import report\n"
        "row = dict(network='mlp-s', batch=64, lanes=16, precision='float32', seconds_per_epoch=0.004, "
        "launch_share=0.25,\n"
        "           share_of_peak=0.1, memory=110, predicted_memory=100)\n"
        "torch = [dict(network='mlp-s', variant=v, batch=64, seconds_per_epoch=s) for v, s in (('eager', 0.8), "
        "('graph', 0.2))]\n"
        "limits = dict(nodes_per_step=11, node_starts=[dict(node='empty', streams=2, per_microsecond=1.5)],\n"
        "              steps_per_graph=[dict(lanes=1, steps=8, microseconds_per_step=14.25)])\n"
        "search = dict(configuration='configs/mnist.ini', trials=48, seconds=9.5, idle_share=0.04, best=0.97, "
        "hypervolume=0.02)\n"
        "found = dict(bench=[row, row | dict(lanes=1, seconds_per_epoch=0.04)], pytorch=torch, limits=limits, "
        "search=search,\n"
        "             tests=dict(passed=7, skipped=['test_a']))\n"
        "results = [dict(stage=s, status='ok', seconds=1.5, message='', figures=f) for s, f in found.items()]\n"
        "print(report.markdown(dict(date='2026-12-01', commit='', processor='x', system='y', double=False, "
        "results=results,\n"
        "      gpus=[dict(name='NVIDIA H100', memory_mib='81559', capability='9.0', driver='580.1')], "
        "versions=dict(nvcc='13.0'))))";
    static const char *const says[] = {
        "# NVIDIA H100 (81559 MiB, compute capability 9.0, driver 580.1)\n",
        "commit unknown; x, y; nvcc 13.0\n",
        "\n| tests | ok | 1.5 | 7 passed; skipped: test_a |\n", /* ours, the goal, PyTorch only beside one plain lane */
        "\n| mlp-s | 64 | 16 | float32 | 4 | 5 |  |  |  | 25% | 10% | 1.10 |\n",
        "\n| mlp-s | 64 | 1 | float32 | 40 | 30 | 800 | 200 | 20 | 25% | 10% | 1.10 |\n",
        "48 trials in 9.5 s, in 4.0% of which no trial was training",
        "\n| empty | 2 | 1.5 |\n",
        "\n| 1 | 8 | 14.25 |\n"};
    char command[4096], *output;
    snprintf(command, sizeof command, "cd '%s' && PYTHONDONTWRITEBYTECODE=1 python3 -c \"%s\"",
             test_source("tools/gpu"), program);
    assert_int_equal(test_run(command, &output, NULL), 0);
    for (size_t i = 0; i < sizeof says / sizeof *says; i++)
        if (!strstr(output, says[i])) {
            print_error("the report lacks \"%s\":\n%s", says[i], output);
            fail();
        }
    free(output);
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
    cmocka_unit_test(every_stage),     cmocka_unit_test(a_failure_is_told), cmocka_unit_test(time_is_kept),
    cmocka_unit_test(report_of_a_gpu), cmocka_unit_test(bad_usage),
};

TEST_MAIN(cases)
