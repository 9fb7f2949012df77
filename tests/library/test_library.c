/* libnasrun as it is installed: a program compiled through pkg-config drives a study, goes on with it, and shares it
 * with the commands. */
#include "run/asking.h"

#include "base/file.h"

/* `cmake --install` of the library into a scratch prefix, once; then the example, linked shared and static. */
struct installed {
    char prefix[512], shared[600], fixed[600];
};

static int run(const char *command, char **output)
{
    char *errors;
    int status = test_run(command, output, &errors);
    if (status != 0 || *errors)
        print_message("%s\n%s", command, errors);
    free(errors);
    return status;
}

static void expect_run(const char *command)
{
    char *output;
    assert_int_equal(run(command, &output), 0);
    free(output);
}

static void compile(const struct installed *installed, const char *options, const char *out)
{
    struct text command = {0};
    text_format(&command,
                "export PKG_CONFIG_PATH=\"$(dirname \"$(find '%s' -name nasrun.pc)\"):$PKG_CONFIG_PATH\" && "
                "%s %s -std=c11 -Wall -Wextra -Werror '%s' -o '%s' "
                "$(pkg-config --cflags nasrun) %s -lm -Wl,-rpath,\"$(pkg-config --variable=libdir nasrun)\"",
                installed->prefix, getenv("NASRUN_COMPILER"), getenv("NASRUN_COMPILER_FLAGS"),
                test_source("tests/library/example.c"), out, options);
    expect_run(command.data);
    text_clear(&command);
}

static int install(void **state)
{
    static struct installed installed;
    struct text command = {0};
    snprintf(installed.prefix, sizeof installed.prefix, "%s/prefix", test_folder());
    snprintf(installed.shared, sizeof installed.shared, "%s/shared", test_folder());
    snprintf(installed.fixed, sizeof installed.fixed, "%s/static", test_folder());
    text_format(&command, "'%s' --install '%s' --component library --prefix '%s'", getenv("NASRUN_CMAKE"),
                getenv("NASRUN_BUILD"), installed.prefix);
    expect_run(command.data);
    text_clear(&command);
    compile(&installed, "$(pkg-config --libs nasrun)", installed.shared);
    compile(&installed, "\"$(pkg-config --variable=libdir nasrun)/libnasrun.a\" $(pkg-config --static --libs nasrun)",
            installed.fixed);
    *state = &installed;
    return 0;
}

/* `PROGRAM asked.ini study TRIALS` in the folder: what it prints; the caller frees. */
static char *drive(const char *program, const char *folder, int trials)
{
    struct text command = {0};
    char *output;
    text_format(&command, "cd '%s' && '%s' asked.ini study %d", folder, program, trials);
    assert_int_equal(run(command.data, &output), 0);
    text_clear(&command);
    return output;
}

static int command(const char *folder, const char *arguments, char **output)
{
    struct text line = {0};
    text_format(&line, "cd '%s' && '%s' %s", folder, test_program(), arguments);
    int status = run(line.data, output);
    text_clear(&line);
    return status;
}

/* The lines of trials come at the start, in order: those of `b` go on where those of `a` end. */
static void an_installed_program_goes_on(void **state)
{
    const struct installed *installed = *state;
    char *once_folder = asking_folder("once"), *twice_folder = asking_folder("twice");
    char *once = drive(installed->shared, once_folder, 10);
    char *first = drive(installed->shared, twice_folder, 4), *second = drive(installed->fixed, twice_folder, 6);
    size_t length = (size_t)(strstr(first, "front of") - first);
    assert_true(strncmp(once, first, length) == 0);
    assert_string_equal(once + length, second);
    free(second);
    free(first);
    free(once);
    free(twice_folder);
    free(once_folder);
}

static void it_shares_a_study_with_the_commands(void **state)
{
    const struct installed *installed = *state;
    char *folder = asking_folder("mixed"), *output;
    free(drive(installed->shared, folder, 3));
    assert_int_equal(command(folder, "ask study 2", &output), 0);
    assert_true(text_starts_with(output, "4 h1=") && strstr(output, "\n5 h1="));
    free(output);
    assert_int_equal(command(folder, "tell study 4 loss=0.5 latency=2", &output), 0);
    free(output);
    output = drive(installed->shared, folder, 1);
    assert_true(text_starts_with(output, "6 h1="));
    free(output);
    assert_int_equal(command(folder, "trials study --csv", &output), 0);
    assert_non_null(strstr(output, "\n4,done,,0.5,"));
    assert_non_null(strstr(output, "\n5,running,"));
    assert_non_null(strstr(output, "\n6,done,"));
    free(output);
    free(folder);
}

static void a_study_that_cannot_be_opened(void **state)
{
    const struct installed *installed = *state;
    struct text line = {0};
    char *output, *errors;
    text_format(&line, "cd '%s' && '%s' nothing.ini study 1", test_folder(), installed->shared);
    assert_int_equal(test_run(line.data, &output, &errors), 1);
    assert_non_null(strstr(errors, "nothing.ini"));
    free(errors);
    free(output);
    text_clear(&line);
}

/* Nothing but nasrun_* is there for the program's own names to meet. */
static void only_its_own_names_are_exported(void **state)
{
    const struct installed *installed = *state;
    struct text line = {0};
    char *output;
    text_format(&line,
                "cd '%s'/lib* && { nm -D --defined-only $(find . -name 'libnasrun.so'); nm -g --defined-only $(find . "
                "-name libnasrun.a); } | awk 'NF == 3 && $3 !~ /^nasrun_/ {print $3}'",
                installed->prefix);
    assert_int_equal(run(line.data, &output), 0);
    assert_string_equal(output, "");
    free(output);
    text_clear(&line);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(an_installed_program_goes_on),
    cmocka_unit_test(it_shares_a_study_with_the_commands),
    cmocka_unit_test(a_study_that_cannot_be_opened),
    cmocka_unit_test(only_its_own_names_are_exported),
};

int main(int count, char **arguments)
{
    (void)count;
    (void)arguments;
    return cmocka_run_group_tests(cases, install, NULL);
}
