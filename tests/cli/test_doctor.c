/* nasrun doctor and version: what is said of GPUs, and the exit status. With the modules of tests/train/modules. */
#include "support/test.h"

#include <jansson.h>

/* `nasrun ARGUMENTS` with a module (NULL: as the machine is): the exit status, and the output, which the caller frees.
 */
static int run(const char *module, const char *arguments, char **output)
{
    char command[4096];
    if (module)
        snprintf(command, sizeof command, "NASRUN_CUDA_MODULE='%s'/%s.so '%s' %s", getenv("NASRUN_MODULES"), module,
                 test_program(), arguments);
    else
        snprintf(command, sizeof command, "env -u NASRUN_CUDA_MODULE '%s' %s", test_program(), arguments);
    return test_run(command, output, NULL);
}

static void expect_doctor(const char *module, int status, const char *const *says)
{
    char *output;
    int got = run(module, "doctor", &output);
    for (; *says; says++)
        if (!strstr(output, *says)) {
            print_error("doctor lacks \"%s\":\n%s", *says, output);
            fail();
        }
    assert_int_equal(got, status);
    free(output);
}

static void no_gpu_is_no_failure(void **state)
{
    (void)state;
    expect_doctor("absent", 0, (const char *[]){"  cuda       -     NASRUN_CUDA_MODULE is ", NULL});
    expect_doctor("lacks_a_library", 0,
                  (const char *[]){"  cuda       -     module ", "libmissing.so: cannot open shared object file",
                                   "\n  cuda       -     missing: libmissing.so\n", NULL});
}

static void gpus_are_tried(void **state)
{
    (void)state;
    expect_doctor(
        "two_devices", 0,
        (const char *[]){"  cuda       ok    module ", "  cuda 0     ok    Made-up A, 7.5 GiB, 6.5 free, tf32; ",
                         "  cuda 1     -     Made-up B, 7.5 GiB, 6.5 free; this program has no code for ", NULL});
}

static void a_broken_library_is_told(void **state)
{
    (void)state;
    expect_doctor("aborts", 3, (const char *[]){"  cuda       FAIL  module ", "killed by signal 6", "  data ", NULL});
}

/* The loader's word is enough: no tool that looked for libraries in it adds its own on the error stream. */
static void a_file_that_is_no_module(void **state)
{
    (void)state;
    char command[4096], *output, *errors;
    snprintf(command, sizeof command, "NASRUN_CUDA_MODULE=/dev/null '%s' doctor", test_program());
    assert_int_equal(test_run(command, &output, &errors), 0);
    assert_non_null(strstr(output, "/dev/null cannot be loaded: "));
    assert_string_equal(errors, "");
    free(output);
    free(errors);
}

static void findings_as_json(void **state)
{
    (void)state;
    char *output;
    bool seen = false;
    assert_int_equal(run("two_devices", "doctor --json", &output), 0);
    json_t *rows = json_loads(output, 0, NULL);
    assert_true(json_array_size(rows) >= 9);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *check = json_string_value(json_object_get(row, "check"));
        seen |= !strcmp(check, "cuda 1") && !strcmp(json_string_value(json_object_get(row, "state")), "-");
    }
    assert_true(seen);
    json_decref(rows);
    free(output);
}

static void version_names_the_module(void **state)
{
    (void)state;
    char *output;
    assert_int_equal(run("two_devices", "version", &output), 0);
    assert_non_null(strstr(output, "\nCUDA: "));
    assert_non_null(strstr(output, "two_devices.so\n"));
    free(output);
    assert_int_equal(run("absent", "version", &output), 0);
    assert_non_null(strstr(output, "absent.so: no such file\n"));
    free(output);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(no_gpu_is_no_failure),     cmocka_unit_test(gpus_are_tried),
    cmocka_unit_test(a_broken_library_is_told), cmocka_unit_test(findings_as_json),
    cmocka_unit_test(a_file_that_is_no_module), cmocka_unit_test(version_names_the_module),
};

TEST_MAIN(cases)
