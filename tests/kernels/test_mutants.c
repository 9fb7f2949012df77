/* The nets hold: every planted error of mutants.cu is caught, and nothing is in its sound twins. Each runs as a process
 * of its own, since ASan, TSan and the executor end it. NASRUN_MUTANTS and NASRUN_MUTANTS_RACED are the commands. */
#include "support/test.h"

#include "base/text.h"

enum { SCHEDULES = 4 };

static const struct {
    const char *name;
    const char *caught[SCHEDULES]; /* words of the report; NULL: not caught in this schedule */
    const char *raced;             /* the same under TSan; NULL: not its matter */
} mutants[] = {
#define EVERY(words)                                                                                                   \
    {                                                                                                                  \
        words, words, words, words                                                                                     \
    }
    {"past_the_end", EVERY("use-after-poison"), NULL},
    {"shared_past_the_end", EVERY("heap-buffer-overflow"), NULL},
    {"shared_before_the_start", EVERY("use-after-poison"), NULL},
    {"dynamic_past_the_end", EVERY("heap-buffer-overflow"), NULL},
    {"misaligned", EVERY("misaligned address"), NULL},
    {"misaligned_shared", EVERY("misaligned address"), NULL},
    {"shift_too_far", EVERY("shift exponent 32"), NULL},
    {"divergent_barrier", EVERY("stuck: 32 of 64 threads wait"), NULL},
    {"return_before_barrier", EVERY("stuck: 32 of 64 threads wait"), NULL},
    {"two_barriers", EVERY("divergent barrier"), NULL},
    {"shuffle_in_branch", EVERY("which has ended"), NULL},
    {"not_in_its_mask", EVERY("is not in its own mask 000000ff"), NULL},
    {"mask_of_part_of_a_warp", EVERY("names lanes that do not exist"), NULL},
    {"lane_that_returned", EVERY("which has ended"), NULL},
    {"value_of_another_mask", EVERY("wrong result"), NULL},
    {"dynamic_without_bytes", EVERY("the launch gave none"), NULL},
    {"too_much_shared", EVERY("49156 bytes of shared memory"), NULL},
    {"missing_barrier", EVERY("wrong result"), "data race"},
    {"missing_second_barrier", {"wrong result", NULL, "wrong result", "wrong result"}, "data race"},
    {"missing_syncwarp", EVERY("wrong result"), "data race"},
    {"shuffle_for_a_barrier", EVERY(NULL), "data race"},
    {"shared_not_set", EVERY("wrong result"), NULL},
    {"blocks_race", EVERY(NULL), "data race"},
    {"plain_counter", EVERY(NULL), "data race"},
    {"missing_fence_before", EVERY(NULL), "data race"},
    {"missing_fence_after", EVERY(NULL), "data race"},
};

static const char *command(const char *variable)
{
    const char *value = getenv(variable);
    if (!value)
        fail_msg("%s is not set: run this test with ctest", variable);
    return value;
}

/* Runs one; fails unless it ends badly with `words`, and its own name. */
static void expect_caught(const char *program, const char *name, int schedule, const char *words)
{
    struct text line = {0};
    char *output, *errors;
    text_format(&line, "%s %s %d", program, name, schedule);
    const int status = test_run(line.data, &output, &errors);
    const bool said = strstr(output, words) || strstr(errors, words);
    const bool named = strstr(output, name) || strstr(errors, name);
    if (status == 0 || !said || !named) {
        print_error("%s in schedule %d: status %d, expected \"%s\"; it said:\n%s%s\n", name, schedule, status, words,
                    output, errors);
        fail();
    }
    free(output);
    free(errors);
    text_clear(&line);
}

static void planted_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mutants / sizeof *mutants; i++)
        for (int schedule = 0; schedule < SCHEDULES; schedule++)
            if (mutants[i].caught[schedule])
                expect_caught(command("NASRUN_MUTANTS"), mutants[i].name, schedule, mutants[i].caught[schedule]);
}

static void planted_races(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mutants / sizeof *mutants; i++)
        if (mutants[i].raced)
            expect_caught(command("NASRUN_MUTANTS_RACED"), mutants[i].name, 0, mutants[i].raced);
}

static void expect_sound(const char *variable)
{
    struct text line = {0};
    char *output, *errors;
    text_format(&line, "%s sound", command(variable));
    const int status = test_run(line.data, &output, &errors);
    if (status != 0) {
        print_error("a sound kernel was faulted, status %d:\n%s%s\n", status, output, errors);
        fail();
    }
    free(output);
    free(errors);
    text_clear(&line);
}

static void sound_twins(void **state)
{
    (void)state;
    expect_sound("NASRUN_MUTANTS");
}

static void sound_twins_raced(void **state)
{
    (void)state;
    expect_sound("NASRUN_MUTANTS_RACED");
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(planted_errors),
    cmocka_unit_test(planted_races),
    cmocka_unit_test(sound_twins),
    cmocka_unit_test(sound_twins_raced),
};

TEST_MAIN(cases)
