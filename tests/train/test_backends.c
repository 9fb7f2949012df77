/* Backends by name: the CUDA module where it is, what is said where it is not, and what it gives away of itself. */
#include "support/test.h"

#include <dlfcn.h>

#include "base/file.h"
#include "base/text.h"
#include "train/backends.h"

static const char *module_path(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s.so", getenv("NASRUN_MODULES"), name);
    assert_true(file_exists(path));
    return path;
}

/* backend_load("cuda") of the module at `path`: its status, and what it says. */
static void expect_load(const char *path, nr_status expected, const char *says)
{
    struct log *log = test_log();
    const struct backend *backend = NULL;
    setenv("NASRUN_CUDA_MODULE", path, 1);
    assert_int_equal(backend_load("cuda", log, &backend), expected);
    assert_true((backend != NULL) == (expected == NR_OK));
    test_log_has(log, says);
    unsetenv("NASRUN_CUDA_MODULE");
    log_destroy(log);
}

static void known_names(void **state)
{
    (void)state;
    struct log *log = test_log();
    const struct backend *backend = NULL;
    assert_ok(backend_load("cpu", log, &backend));
    assert_ptr_equal(backend, &cpu_backend);
    assert_string_equal(log_text(log), "");
    assert_int_equal(backend_load("tpu", log, &backend), NR_INVALID);
    test_log_has(log, "there is no backend \"tpu\"; known are cpu and cuda");
    log_destroy(log);
}

static void module_that_works(void **state)
{
    (void)state;
    const struct backend *backend, *again;
    int count = 0;
    setenv("NASRUN_CUDA_MODULE", module_path("two_devices"), 1);
    assert_ok(backend_load("cuda", NULL, &backend));
    assert_ok(backend_load("cuda", NULL, &again));
    unsetenv("NASRUN_CUDA_MODULE");
    assert_ptr_equal(backend, again);
    assert_string_equal(backend->name, "cuda");
    assert_true(backend->create && backend->create != cpu_backend.create); /* its own copy of the engine */
    assert_ok(backend->count(NULL, &count));
    assert_int_equal(count, 2);
}

static void modules_that_do_not(void **state)
{
    (void)state;
    char *text = file_join(test_folder(), "text.so");
    assert_ok(file_replace(text, "no library\n", 11, false, NULL));
    expect_load("/nowhere/x.so", NR_NOT_FOUND, "CUDA: NASRUN_CUDA_MODULE is /nowhere/x.so: no such file");
    expect_load(text, NR_NOT_FOUND, "text.so cannot be loaded: ");
    expect_load(module_path("lacks_a_library"), NR_NOT_FOUND, "cannot be loaded: libmissing.so: cannot open");
    expect_load(module_path("no_backend"), NR_INVALID, "it has no nasrun_cuda_backend()");
    expect_load(module_path("other_build"), NR_INVALID, "is of another build: its interface is number ");
    free(text);
}

/* Runs `nasrun ARGUMENTS` by the loader itself, without its list of libraries: only what lies in the system's own
 * folders is found. False where that cannot be done. */
static bool run_without_cache(const char *environment, const char *arguments, char **output)
{
    char command[4096], *loader;
    snprintf(command, sizeof command, "readelf -l '%s' | sed -n 's/.*interpreter: \\(.*\\)]/\\1/p'", test_program());
    assert_int_equal(test_run(command, &loader, NULL), 0);
    snprintf(command, sizeof command, "unset LD_LIBRARY_PATH; %s %s --inhibit-cache '%s' %s", environment,
             text_trim(loader), test_program(), arguments);
    free(loader);
    return test_run(command, output, NULL) == 0;
}

/* The library that the module is linked with is there and those that it will load by itself are not: this is told
 * before anything is called. */
static void cudnn_without_its_parts(void **state)
{
    (void)state;
    char environment[1100], *output;
    snprintf(environment, sizeof environment, "NASRUN_CUDA_MODULE='%s'", module_path("incomplete_cudnn"));
    if (!run_without_cache(environment, "probe", &output))
        skip();
    if (!strstr(output, "libcudnn.so.9 is incomplete: libcudnn_graph.so.9: cannot open")) {
        print_error("%s", output);
        fail();
    }
    free(output);
}

/* Beside the program, then in ../lib/nasrun of an installed one; both without a driver. */
static void module_s_places(void **state)
{
    (void)state;
    char command[4096], *output;
    static const char *const places[] = {"lib/nasrun", "bin"}; /* the second comes before the first */
    snprintf(command, sizeof command, "mkdir -p '%s'/bin '%s'/lib/nasrun && cp '%s' '%s'/bin/nasrun", test_folder(),
             test_folder(), test_program(), test_folder());
    assert_int_equal(test_run(command, NULL, NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        snprintf(command, sizeof command,
                 "cd '%s' && cp '%s' %s/libnasrun-cuda.so && env -u NASRUN_CUDA_MODULE bin/nasrun version",
                 test_folder(), module_path("two_devices"), places[i]);
        assert_int_equal(test_run(command, &output, NULL), 0);
        char expected[256];
        snprintf(expected, sizeof expected, i == 0 ? "%s/bin/../%s/libnasrun-cuda.so" : "%s/%s/libnasrun-cuda.so",
                 test_folder(), places[i]);
        assert_non_null(strstr(output, expected));
        free(output);
    }
}

static void no_driver(void **state)
{
    (void)state;
    if (dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL))
        skip();
    struct log *log = test_log();
    const struct backend *backend;
    assert_int_equal(backend_load("cuda", log, &backend), NR_NOT_FOUND);
    test_log_has(log, "CUDA: no NVIDIA driver: libcuda.so.1 was not found");
    log_destroy(log);
}

/* Of everything in the real module only the way in can be seen from outside. */
static void module_s_symbols(void **state)
{
    (void)state;
    const char *module = getenv("NASRUN_CUDA_BUILT");
    char command[1200], *output;
    if (!module || !*module)
        skip();
    snprintf(command, sizeof command, "nm -D --defined-only '%s' | awk '{ print $3 }'", module);
    assert_int_equal(test_run(command, &output, NULL), 0);
    assert_string_equal(output, "nasrun_cuda_backend\n");
    free(output);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(known_names),         cmocka_unit_test(module_that_works),
    cmocka_unit_test(modules_that_do_not), cmocka_unit_test(cudnn_without_its_parts),
    cmocka_unit_test(module_s_places),     cmocka_unit_test(no_driver),
    cmocka_unit_test(module_s_symbols),
};

TEST_MAIN(cases)
