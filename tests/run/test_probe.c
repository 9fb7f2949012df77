/* Asking for GPUs in a child process: its answer, and its ends. */
#include "support/test.h"

#include <dlfcn.h>

#include "run/probe.h"

/* Asks with the module NAME of tests/train/modules. */
static void ask(const char *name, bool train, struct probe *out)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.so", getenv("NASRUN_MODULES"), name);
    setenv("NASRUN_CUDA_MODULE", path, 1);
    assert_ok(probe_devices(test_program(), train, NULL, out));
}

static void devices_are_listed(void **state)
{
    (void)state;
    struct probe probe;
    ask("two_devices", false, &probe);
    assert_null(probe.error);
    assert_int_equal(probe.count, 2);
    const struct probed_device *device = probe.device;
    assert_string_equal(device[0].summary.name, "Made-up A");
    assert_string_equal(device[0].summary.problem, "");
    assert_int_equal(device[0].summary.memory, 8000000000);
    assert_int_equal(device[0].summary.available, 7000000000);
    assert_true(device[0].summary.tf32 && !device[0].summary.bf16 && !device[1].summary.tf32);
    assert_int_equal(device[1].number, 1);
    assert_string_equal(device[1].summary.problem, "this program has no code for compute capability 3.5");
    assert_true(!device[0].description && !device[0].failure && isnan(device[0].accuracy));
    probe_clear(&probe);
    assert_null(probe.device);
}

/* Only what can be used is trained on. */
static void devices_are_tried(void **state)
{
    (void)state;
    struct probe probe;
    ask("two_devices", true, &probe);
    assert_int_equal(probe.count, 2);
    assert_non_null(probe.device[0].description);
    assert_true(probe.device[0].accuracy > 0.95);
    assert_null(probe.device[1].description);
    assert_true(isnan(probe.device[1].accuracy));
    probe_clear(&probe);
}

static void expect_error(const char *module, bool broken, const char *expected)
{
    struct probe probe;
    ask(module, false, &probe);
    assert_int_equal(probe.count, 0);
    assert_int_equal(probe.broken, broken);
    assert_non_null(probe.error);
    if (!strstr(probe.error, expected) || strchr(probe.error, '\n')) {
        print_error("\"%s\" lacks \"%s\"\n", probe.error, expected);
        fail();
    }
    probe_clear(&probe);
}

static void failures_are_lines(void **state)
{
    (void)state;
    expect_error("aborts", true,
                 "the process that asked for GPUs was killed by signal 6 (Aborted): Invalid handle. Cannot "
                 "load symbol somethingGetVersion");
    expect_error("lacks_a_library", false, "cannot be loaded: libmissing.so: cannot open shared object file");
    expect_error("other_build", false, "is of another build");
    expect_error("absent", false, "no such file");
}

static void a_program_that_cannot_start(void **state)
{
    (void)state;
    struct probe probe;
    struct log *log = test_log();
    char path[1024];
    snprintf(path, sizeof path, "%s/two_devices.so", getenv("NASRUN_MODULES"));
    setenv("NASRUN_CUDA_MODULE", path, 1);
    assert_int_equal(probe_devices("/nowhere/nasrun", false, log, &probe), NR_DEVICE);
    test_log_has(log, "/nowhere/nasrun cannot be started to ask for GPUs: No such file or directory");
    log_destroy(log);
}

/* Then no child is started: its program need not even exist. */
static void without_a_driver(void **state)
{
    (void)state;
    struct probe probe;
    if (dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL))
        skip();
    unsetenv("NASRUN_CUDA_MODULE");
    assert_ok(probe_devices("/nowhere/nasrun", false, NULL, &probe));
    assert_int_equal(probe.count, 0);
    assert_string_equal(probe.error, "no NVIDIA driver: libcuda.so.1 was not found");
    assert_false(probe.broken);
    probe_clear(&probe);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(devices_are_listed), cmocka_unit_test(devices_are_tried),
    cmocka_unit_test(failures_are_lines), cmocka_unit_test(a_program_that_cannot_start),
    cmocka_unit_test(without_a_driver),
};

TEST_MAIN(cases)
