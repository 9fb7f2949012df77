/* The program on a GPU: kill -9 and going on, several lanes, bad input, the benchmark. */
#include "support/gpu.h"
#include "support/searching.h"

#include "base/rng.h"

/* What a search is made of here: few and short trials on the double, long ones on a GPU, so that a kill meets them. */
static const char *arguments(const char *more)
{
    static char text[512];
    snprintf(text, sizeof text,
             "small.ini --quiet --set run.devices=%s --set study.trials=4 --set data.epoch_images=%d %s",
             gpu_is_cpu() ? "cpu" : "0",
             gpu_is_slow()  ? 240
             : gpu_is_cpu() ? 6000
                            : 60000,
             more);
    return text;
}

static void run_through(const char *folder, const char *more)
{
    if (searching_run(folder, arguments(more)) == 0)
        return;
    char *out = searching_read(folder, "out");
    print_error("%s\n", out);
    free(out);
    fail();
}

/* trials.csv of a search that nobody disturbed; the caller frees. */
static char *undisturbed(const char *name, const char *more)
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s", searching_folder(name));
    run_through(folder, more);
    char *trials = searching_read(folder, "runs/small/trials.csv");
    assert_non_null(strstr(trials, "\n4,done,"));
    return trials;
}

static void killed_and_resumed(void **state)
{
    (void)state;
    char *expected = undisturbed("whole", "--set run.lanes=1"), folder[512];
    struct rng rng = rng_create(12, 0, RANDOM_TEST, 0, 0);
    snprintf(folder, sizeof folder, "%s", searching_folder("killed"));
    int kills = 0, status = 137;
    for (int attempt = 0; status != 0; attempt++) {
        pid_t driver = searching_start(folder, arguments("--set run.lanes=1"));
        if (attempt < 4 && searching_wait_for_training(driver, folder, 1)) {
            searching_pause(rng_below(&rng, 300));
            kills += kill(driver, SIGKILL) == 0;
        }
        status = searching_wait(driver);
        assert_true(status == 0 || status == 137);
    }
    assert_true(kills > 0);
    char *got = searching_read(folder, "runs/small/trials.csv");
    assert_string_equal(got, expected);
    free(got);
    free(expected);
}

/* Where suggestions do not depend on results, lanes change nothing that is recorded but the order of the ends. */
static void lanes_give_the_same_trials(void **state)
{
    (void)state;
    if (gpu_is_cpu())
        skip();
    char *one = undisturbed("one", "--set search.method=random --set run.lanes=1");
    char *four = undisturbed("four", "--set search.method=random --set run.lanes=4");
    assert_string_equal(four, one);
    free(one);
    free(four);
}

static void measures_itself(void **state)
{
    (void)state;
    char command[1024], *output;
    snprintf(command, sizeof command, "'%s' bench train --device %s --images %d %s mlp-s --csv", test_program(),
             gpu_is_cpu() ? "cpu" : "cuda", gpu_is_slow() ? 64 : 6400, gpu_is_cpu() ? "" : "--lanes 2");
    assert_int_equal(test_run(command, &output, NULL), 0);
    assert_non_null(strstr(output, "\nmlp-s,64,1,"));
    if (!gpu_is_cpu())
        assert_non_null(strstr(output, "\nmlp-s,64,2,"));
    free(output);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(killed_and_resumed),
    cmocka_unit_test(lanes_give_the_same_trials),
    cmocka_unit_test(measures_itself),
};

GPU_MAIN(cases)
