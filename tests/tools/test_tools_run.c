/* tools/run: what it gets, builds and hands on. In a copy of the project's tools, with stand-ins for cmake, Debian's
 * package tools and the program, so that nothing is built, installed or fetched. */
#include "support/test.h"

#include "base/file.h"

/* PATH's first folder. cmake notes what it was asked and "builds" a program that prints its arguments, ends with
 * STATUS; every Debian package is installed unless MISSING names it, and no new one can be. */
static const struct {
    const char *name, *content;
} tools[] = {
    {"bin/cmake", "#!/bin/sh\n"
                  "echo \"$*\" >>\"$COPY/cmake.calls\"\n"
                  "[ -z \"$BROKEN\" ] || { echo 'error: expected a semicolon' >&2; exit 1; }\n"
                  "case $1 in\n"
                  "-B) mkdir -p \"$2\" && : >\"$2/build.ninja\" ;;\n"
                  "--build) cp \"$COPY/bin/program\" \"$2/nasrun\" ;;\n"
                  "esac\n"},
    {"bin/program", "#!/bin/sh\necho \"nasrun $*\"\nexit ${STATUS:-0}\n"},
    {"bin/dpkg-query", "#!/bin/sh\nfor last; do :; done\n[ \"$last\" = \"$MISSING\" ] || printf installed\n"},
    {"bin/apt-get", "#!/bin/sh\necho 'no network' >&2\nexit 100\n"},
    {"bin/sleep", "#!/bin/sh\nexit 1\n"}, /* what is only said after a while is not said */
    {"bin/sudo", "#!/bin/sh\n\"$@\"\n"},
    {"mnist.ini", "[study]\ndataset = none of these\n[data]\n  dataset = mnist ; the digits\nvalidation = 0.1\n"},
    {"own.ini", "[data]\ndataset = mnist\nfolder = /some/where\n"},
    {"tiny.ini", "[data]\ndataset = tiny\n"},
};

/* A fresh copy in a folder whose name has a blank, mnist-5k in place, mnist out of reach; a static buffer. */
static const char *copy_of_tools(const char *name)
{
    static char copy[256];
    char command[4096];
    snprintf(copy, sizeof copy, "%s/%s of it", test_folder(), name);
    snprintf(command, sizeof command, "mkdir -p '%s/bin' '%s/data/mnist-5k' && cp -r '%s' '%s'", copy, copy,
             test_source("tools"), copy);
    assert_int_equal(test_run(command, NULL, NULL), 0);
    for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
        char *path = file_join(copy, tools[i].name);
        assert_ok(file_replace(path, tools[i].content, strlen(tools[i].content), false, NULL));
        free(path);
    }
    snprintf(command, sizeof command, "chmod +x '%s'/bin/*", copy);
    assert_int_equal(test_run(command, NULL, NULL), 0);
    return copy;
}

/* `tools/run ARGUMENTS` in the copy: its exit status, and parts of its output and of what it says beside (NULL: any;
 * "": nothing). */
static void expect_run(const char *copy, const char *environment, const char *arguments, int status, const char *output,
                       const char *says)
{
    char command[4096], *out, *errors;
    snprintf(command, sizeof command,
             "cd '%s' && unset NASRUN_DATA && COPY=$PWD PATH=$PWD/bin:$PATH NASRUN_MNIST_MIRRORS=http://127.0.0.1:1/ "
             "%s tools/run %s",
             copy, environment, arguments);
    int got = test_run(command, &out, &errors);
    if (got != status || (output && strcmp(out, output) != 0) || (says && (*says ? !strstr(errors, says) : *errors))) {
        print_error("tools/run %s: status %d, expected %d, \"%s\" and \"%s\":\n%s%s", arguments, got, status,
                    output ? output : "", says ? says : "", out, errors);
        fail();
    }
    free(out);
    free(errors);
}

static void assert_file(const char *copy, const char *name, const char *expected)
{
    char *content, *path = file_join(copy, name);
    assert_ok(file_read(path, NULL, &content, NULL));
    assert_string_equal(content, expected);
    free(content);
    free(path);
}

static void configured_once_built_always(void **state)
{
    (void)state;
    const char *copy = copy_of_tools("built");
    expect_run(copy, "", "tiny.ini --set 'study.name=two words'", 0, "nasrun tiny.ini --set study.name=two words\n",
               "");
    expect_run(copy, "", "status", 0, "nasrun status\n", "");
    expect_run(copy, "", "", 0, "nasrun \n", "");
    assert_file(copy, "cmake.calls",
                "-B build/release --preset release\n--build build/release\n"
                "--build build/release\n--build build/release\n");
}

static void exit_status_is_the_program_s(void **state)
{
    (void)state;
    const char *copy = copy_of_tools("status");
    expect_run(copy, "STATUS=2", "tiny.ini", 2, "nasrun tiny.ini\n", "");
    expect_run(copy, "STATUS=130", "tiny.ini", 130, "nasrun tiny.ini\n", "");
}

#define LESS " --set data.dataset=mnist-5k --set data.epoch_images=54000\n"

/* Said loudly each time, and kept to: a second run neither tries again nor meets other data. */
static void less_than_mnist_without_a_mirror(void **state)
{
    (void)state;
    const char *copy = copy_of_tools("less");
    expect_run(copy, "", "mnist.ini", 0, "nasrun mnist.ini" LESS, "http://127.0.0.1:1/: out of reach");
    expect_run(copy, "", "search mnist.ini", 0, "nasrun search mnist.ini" LESS, "this search uses mnist-5k");
    expect_run(copy, "NASRUN_MNIST_MIRRORS=none", "--quiet mnist.ini", 0, "nasrun --quiet mnist.ini" LESS, "***");
    char path[512];
    snprintf(path, sizeof path, "%s/data/mnist", copy);
    assert_ok(file_make_folder(path, NULL));
    expect_run(copy, "", "mnist.ini", 0, "nasrun mnist.ini\n", "");
}

/* Nothing is fetched where the configuration's set is not what will be read, or nothing will be. */
static void only_what_is_wanted(void **state)
{
    (void)state;
    const char *copy = copy_of_tools("wanted");
    expect_run(copy, "", "mnist.ini --set data.dataset=tiny", 0, "nasrun mnist.ini --set data.dataset=tiny\n", "");
    expect_run(copy, "", "mnist.ini --set=data.dataset=tiny", 0, "nasrun mnist.ini --set=data.dataset=tiny\n", "");
    expect_run(copy, "", "mnist.ini --set data.folder=x", 0, "nasrun mnist.ini --set data.folder=x\n", "");
    expect_run(copy, "", "own.ini", 0, "nasrun own.ini\n", "");
    expect_run(copy, "", "absent.ini", 0, "nasrun absent.ini\n", "");
    expect_run(copy, "", "pareto mnist", 0, "nasrun pareto mnist\n", "");
    expect_run(copy, "", "tiny.ini --set data.dataset=mnist", 0, "nasrun tiny.ini --set data.dataset=mnist" LESS,
               "***");
}

static void failures_are_shown(void **state)
{
    (void)state;
    const char *copy = copy_of_tools("failures");
    expect_run(copy, "BROKEN=1", "tiny.ini", 3, "", "error: expected a semicolon");
    expect_run(copy, "MISSING=libcerf-dev", "tiny.ini", 3, "", "no network");
    expect_run(copy, "MISSING=libcerf-dev", "tiny.ini", 3, "", "installing Debian packages: libcerf-dev\n");
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(configured_once_built_always),
    cmocka_unit_test(exit_status_is_the_program_s),
    cmocka_unit_test(less_than_mnist_without_a_mirror),
    cmocka_unit_test(only_what_is_wanted),
    cmocka_unit_test(failures_are_shown),
};

TEST_MAIN(cases)
