/* The program on a GPU: kill -9 and going on, several lanes, groups, faults of the device, the benchmark. */
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

static void expect_in_log(const char *folder, const char *part)
{
    char *log = searching_read(folder, "runs/small/nasrun.log");
    if (!strstr(log, part)) {
        print_error("the log lacks \"%s\"; it says:\n%s\n", part, log);
        fail();
    }
    free(log);
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
    expect_in_log(folder, gpu_is_cpu() ? "trains on cpu" : "trains on cuda");
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

/* One trial over two devices, and the same bits again. */
static void groups_train(void **state)
{
    (void)state;
    static const char more[] = "--set run.devices=0,1 --set run.gpus_per_trial=2 --set run.lanes=1";
    char folder[512];
    if (gpu_is_cpu() || gpu_count() < 2)
        skip();
    char *first = undisturbed("group", more), *again = undisturbed("again", more);
    snprintf(folder, sizeof folder, "%s/again", test_folder());
    expect_in_log(folder, "trains on cuda");
    assert_string_equal(again, first);
    free(first);
    free(again);
}

/* The double's: a sticky error in the midst of a trial ends the worker, whose successor takes the trial up from its
 * checkpoint. What was recorded is that of a search without it, and the log names trial, step and call. */
static void a_sticky_error_costs_an_attempt(void **state)
{
    (void)state;
    char folder[512], fault[640];
    if (!gpu_is_slow())
        skip();
    char *expected = undisturbed("healthy", "--set run.lanes=1");
    snprintf(folder, sizeof folder, "%s", searching_folder("faulty"));
    snprintf(fault, sizeof fault, "call=cudaGraphLaunch,nth=6,code=700,once=%s/failed", folder);
    setenv("NASRUN_DOUBLE_FAIL", fault, 1);
    run_through(folder, "--set run.lanes=1");
    unsetenv("NASRUN_DOUBLE_FAIL");
    char *got = searching_read(folder, "runs/small/trials.csv");
    assert_string_equal(got, expected);
    expect_in_log(folder, "cudaGraphLaunch(");
    expect_in_log(folder, "illegal memory access");
    expect_in_log(folder, " at step ");
    free(got);
    free(expected);
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
    cmocka_unit_test(killed_and_resumed), cmocka_unit_test(lanes_give_the_same_trials),
    cmocka_unit_test(groups_train),       cmocka_unit_test(a_sticky_error_costs_an_attempt),
    cmocka_unit_test(measures_itself),
};

int main(int count, char **words)
{
    setenv("NASRUN_DOUBLE_DEVICES", "2", 0); /* means nothing to a GPU */
    return gpu_main(count, words, cases, sizeof cases / sizeof *cases);
}
