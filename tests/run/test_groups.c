/* Trials that several GPUs train together, pretended ones that meet in shared memory: whoever is lost, and whenever,
 * the bits are those of an undisturbed group. */
#include "support/gpus.h"

#include <time.h>

#include "base/memory.h"

static const char pair[] = "--set run.gpus_per_trial=2 --set study.trials=5";

/* What one group makes of it, computed once. */
static const char *expected(void)
{
    static char *trials;
    if (!trials) {
        gpus_pretend("2");
        trials = gpus_search("pair", pair);
    }
    return trials;
}

static void expect_same(const char *name)
{
    char *trials = gpus_search(name, pair);
    assert_string_equal(trials, expected());
    free(trials);
}

static void pretend(const char *devices)
{
    (void)expected();
    gpus_pretend(devices);
}

/* The mean of two halves is the mean of the whole but for rounding, so that the accuracies are those of one device but
 * for a few of 200 images: three tenths of the space between them would be another training. */
static void is_the_same_training(void **state)
{
    (void)state;
    pretend("1");
    char *alone = gpus_search("single", "--set study.trials=5");
    static const char *const names[] = {"single", "pair"};
    double accuracy[2][5];
    for (int i = 0; i < 2; i++) {
        char *trials = i ? mem_copy_string(expected()) : alone, *rest, *row = strtok_r(trials, "\n", &rest);
        for (int trial = 0; trial < 5; trial++) {
            row = strtok_r(NULL, "\n", &rest);
            assert_non_null(row);
            if (sscanf(row, "%*d,done,,%lf", &accuracy[i][trial]) != 1)
                fail_msg("%s: %s", names[i], row);
        }
        free(trials);
    }
    for (int trial = 0; trial < 5; trial++)
        assert_near(accuracy[1][trial], accuracy[0][trial], 0, 0.05);
}

static void two_groups(void **state)
{
    (void)state;
    pretend("4");
    expect_same("pairs");
    gpus_expect_logged("pairs", "device 0, lane 0");
    gpus_expect_logged("pairs", "device 2, lane 0"); /* rank 0 of the second group */
    gpus_expect_not_logged("pairs", "device 1, lane");
}

struct fault {
    const char *kind;
    int trial, step, rank;
    const char *logged;
};

static void faults(void **state)
{
    (void)state;
    static const struct fault cases[] = {
        {"kill", 2, 40, 1, "the worker on device 1 (Fake 1) killed by signal 9 (Killed)"},
        {"kill", 2, 400, 0, "the worker on device 0 (Fake 0) killed by signal 9 (Killed)"},
        {"device", 3, 500, 1,
         "the worker on device 1 (Fake 1) was lost with trial 3: fakeLaunch(steps): an illegal memory access was "
         "encountered at step 500 (epoch 2)"},
        {"hang", 3, 20, 1, " for 1 s"},
        {"stuck", 4, 20, 1, "said nothing for 1 s and was killed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pretend("2");
        gpus_plant_once(test_folder(), cases[i].kind, cases[i].trial, cases[i].step, cases[i].rank);
        char *trials = gpus_search("faults", "--set run.gpus_per_trial=2 --set study.trials=5 --set run.patience=1");
        assert_string_equal(trials, expected());
        free(trials);
        gpus_expect_logged("faults", cases[i].logged);
        gpus_expect_logged("faults", "it goes on from its last checkpoint");
    }
}

/* Row of a trial in trials.csv; to be freed. */
static char *row_of(const char *trials, int trial)
{
    char start[16];
    snprintf(start, sizeof start, "\n%d,", trial);
    const char *row = strstr(trials, start);
    assert_non_null(row);
    return strndup(row + 1, strcspn(row + 1, "\n"));
}

/* As undisturbed. */
static void expect_same_row(const char *trials, int trial)
{
    char *row = row_of(trials, trial), *wanted = row_of(expected(), trial);
    assert_string_equal(row, wanted);
    free(wanted);
    free(row);
}

struct end {
    const char *plant;
    const char *row;
};

/* A trial that fails on one rank or on all ends with its own cause and at once, though its group is of no more use; a
 * new one trains the others, which know nothing of it. */
static void ends_that_break_the_group(void **state)
{
    (void)state;
    static const struct end cases[] = {
        {"shape 2 0 -1", "2,failed,CUDA: fakeDescriptor: not supported,"},
        {"shape 2 0 0", "2,failed,CUDA: fakeDescriptor: not supported,"},
        {"shape 2 0 1", "2,failed,CUDA: fakeDescriptor: not supported,"},
        {"memory 2 30 0", "2,failed,fakeLaunch(steps): out of memory at step 30 (epoch 1),"},
        {"memory 2 30 1", "2,failed,fakeLaunch(steps): out of memory at step 30 (epoch 1),"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pretend("2");
        setenv("NASRUN_FAKE_PLANT", cases[i].plant, 1);
        char *trials = gpus_search("broken", pair), *row = row_of(trials, 2);
        if (strncmp(row, cases[i].row, strlen(cases[i].row)) != 0)
            fail_msg("%s: %s", cases[i].plant, row);
        for (int trial = 1; trial <= 5; trial++)
            if (trial != 2)
                expect_same_row(trials, trial);
        gpus_expect_not_logged("broken", "has left its group");
        gpus_expect_not_logged("broken", "goes on from its last checkpoint");
        gpus_expect_not_logged("broken", "was lost");
        free(row);
        free(trials);
    }
}

static void pause_ms(long milliseconds)
{
    nanosleep(&(struct timespec){.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000}, NULL);
}

/* An interrupt kills the groups; their checkpoints are as good as any. */
static void interrupts(void **state)
{
    (void)state;
    char folder[512], arguments[256];
    pretend("2");
    snprintf(folder, sizeof folder, "%s", searching_folder("interrupted"));
    snprintf(arguments, sizeof arguments, "%s %s", gpus_search_base, pair);
    int status = 130;
    for (int run = 0; status == 130; run++) {
        pid_t driver = searching_start(folder, arguments);
        if (run < 4) {
            pause_ms(150 + 100 * run);
            kill(driver, SIGINT);
        }
        status = searching_wait(driver);
    }
    assert_int_equal(status, 0);
    char *trials = searching_read(folder, "runs/small/trials.csv");
    assert_string_equal(trials, expected());
    free(trials);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {cmocka_unit_test(is_the_same_training), cmocka_unit_test(two_groups),
                                              cmocka_unit_test(faults), cmocka_unit_test(ends_that_break_the_group),
                                              cmocka_unit_test(interrupts)};
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
