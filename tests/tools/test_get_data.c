/* tools/get-data: nothing damaged or partial is ever left in place, whatever the mirror does. No network is used: the
 * mirrors are a closed port of this machine and folders. */
#include "support/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

static const char *const files[] = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
                                    "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"};

/* A path below the test's folder; buffers in turn. */
static const char *path_of(const char *name)
{
    static char paths[4][1024];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof *paths, "%s/%s", test_folder(), name);
    return path;
}

static int NR_PRINTF(2, 3) shell(char **errors, const char *format, ...)
{
    char command[4096];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    assert_in_range(length, 1, sizeof command - 1);
    return test_run(command, NULL, errors);
}

static void skip_without(const char *tool)
{
    if (shell(NULL, "command -v %s", tool) == 0)
        return;
    print_message("skipped: %s is not installed\n", tool);
    skip();
}

/* get-data NAME into the test's folder `into`; what it said is in *errors (caller frees). */
static int get_data(const char *mirrors, const char *name, const char *into, char **errors)
{
    return shell(errors, "NASRUN_MNIST_MIRRORS='%s' '%s' %s %s", mirrors, test_source("tools/get-data"), name,
                 path_of(into));
}

/* Nothing but the entries of `expected` ("a\nb\n") is in the folder, hidden ones included. */
static void assert_holds(const char *folder, const char *expected)
{
    char command[2048], *list = NULL;
    snprintf(command, sizeof command, "ls -A %s", path_of(folder));
    assert_int_equal(test_run(command, &list, NULL), 0);
    assert_string_equal(list, expected);
    free(list);
}

static void expect(int code, int expected, char *errors, const char *says)
{
    if (code != expected || !strstr(errors, says))
        print_error("status %d, expected %d; it says, expected \"%s\":\n%s\n", code, expected, says, errors);
    assert_int_equal(code, expected);
    assert_non_null(strstr(errors, says));
    free(errors);
}

static void unknown_names(void **state)
{
    (void)state;
    char *errors;
    int code = get_data("", "cifar", "unknown", &errors);
    expect(code, 2, errors, "NAME is one of mnist fashion-mnist mnist-5k");
    assert_false(file_exists(path_of("unknown")));
}

static void unreachable_mirror(void **state)
{
    (void)state;
    skip_without("curl");
    char *errors;
    int code = get_data("http://127.0.0.1:1/a http://127.0.0.1:1/b", "mnist", "unreachable", &errors);
    assert_non_null(strstr(errors, "http://127.0.0.1:1/a: out of reach"));
    assert_non_null(strstr(errors, "http://127.0.0.1:1/b: out of reach"));
    expect(code, 3, errors, "mnist: could not be fetched; nothing was changed");
    assert_holds("unreachable", "");
}

/* A mirror that breaks off after two files, then one whose files are another set's. */
static void broken_mirrors(void **state)
{
    (void)state;
    skip_without("curl");
    char mirrors[2100], *errors;
    assert_int_equal(shell(NULL, "mkdir %s && cp '%s'/train-* %s && cp -r '%s' %s", path_of("half"),
                           test_source("data/tiny"), path_of("half"), test_source("data/tiny"), path_of("tiny")),
                     0);
    snprintf(mirrors, sizeof mirrors, "file://%s file://%s", path_of("half"), path_of("tiny"));
    int code = get_data(mirrors, "mnist", "broken", &errors);
    assert_non_null(strstr(errors, "half: out of reach"));
    assert_non_null(strstr(errors, "train-images-idx3-ubyte.gz: unpacked, 784016 bytes with another SHA-256 than the "
                                   "expected 47040016 bytes of mnist"));
    assert_non_null(strstr(errors, "/tiny: holds other files than MNIST's"));
    expect(code, 3, errors, "nothing was changed");
    assert_holds("broken", "");
}

/* What is in place and damaged stays what it was when no better can be had. */
static void damaged_stays_without_mirror(void **state)
{
    (void)state;
    skip_without("curl");
    char *errors;
    assert_int_equal(
        shell(NULL, "mkdir %s && cp -r '%s' %s/mnist", path_of("stays"), test_source("data/tiny"), path_of("stays")),
        0);
    int code = get_data("http://127.0.0.1:1/", "mnist", "stays", &errors);
    expect(code, 3, errors, "nothing was changed");
    assert_holds("stays", "mnist\n");
    assert_holds("stays/mnist", "t10k-images-idx3-ubyte.gz\nt10k-labels-idx1-ubyte.gz\n"
                                "train-images-idx3-ubyte.gz\ntrain-labels-idx1-ubyte.gz\n");
}

/* With the full set at hand as the mirror: fetched; then already there; cut: put aside and fetched again. */
static void fetched_and_repaired(void **state)
{
    (void)state;
    skip_without("curl");
    char mirror[1024], *errors;
    const char *data = getenv("NASRUN_DATA");
    if (!data ||
        shell(NULL, "ln -s '%s/mnist' %s && test -e %s/%s", data, path_of("full"), path_of("full"), files[0])) {
        print_message("skipped: NASRUN_DATA names no folder with mnist\n");
        skip();
    }
    snprintf(mirror, sizeof mirror, "http://127.0.0.1:1/ file://%s", path_of("full"));
    int code = get_data(mirror, "mnist", "fetched", &errors);
    expect(code, 0, errors, "mnist: fetched, sizes and SHA-256 right");
    code = get_data(mirror, "mnist", "fetched", &errors);
    expect(code, 0, errors, "mnist: there already, and right");
    assert_holds("fetched", "mnist\n");
    const char *cut = path_of("fetched/mnist/t10k-images-idx3-ubyte.gz");
    assert_int_equal(truncate(cut, 1000000), 0);
    code = get_data(mirror, "mnist", "fetched", &errors);
    expect(code, 0, errors, "mnist: fetched, sizes and SHA-256 right");
    cut = path_of("fetched/mnist/t10k-images-idx3-ubyte.gz"); /* the buffer went round */
    assert_int_equal(
        shell(NULL, "cmp %s %s/%s && ls -d %s.damaged.*", cut, path_of("full"), files[2], path_of("fetched/mnist")), 0);
}

/* Where Debian's package is installed. */
static void fashion_mnist_from_package(void **state)
{
    (void)state;
    char *errors;
    if (!file_exists("/usr/share/datasets/fashion-mnist")) {
        print_message("skipped: Debian's package dataset-fashion-mnist is not installed\n");
        skip();
    }
    int code = get_data("", "fashion-mnist", "fashion", &errors);
    expect(code, 0, errors, "fashion-mnist: fetched, sizes and SHA-256 right");
    assert_holds("fashion", "fashion-mnist\n");
    for (int i = 0; i < 4; i++) {
        char path[128];
        snprintf(path, sizeof path, "fashion/fashion-mnist/%s", files[i]);
        assert_true(file_exists(path_of(path)));
    }
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(unknown_names),        cmocka_unit_test(unreachable_mirror),
    cmocka_unit_test(broken_mirrors),       cmocka_unit_test(damaged_stays_without_mirror),
    cmocka_unit_test(fetched_and_repaired), cmocka_unit_test(fashion_mnist_from_package),
};

TEST_MAIN(cases)
