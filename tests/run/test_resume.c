/* Nothing is lost and nothing is recorded twice, whatever is killed and whenever: the end is that of a run without
 * kills. */
#include "support/searching.h"

#include <dirent.h>
#include <sys/stat.h>

#include "base/rng.h"
#include "store/store.h"

/* trials.csv of a run that nobody disturbed. */
static char *undisturbed(void)
{
    const char *folder = searching_folder("undisturbed");
    char *trials;
    if (searching_run(folder, "small.ini --quiet") != 0) {
        char *out = searching_read(folder, "out");
        print_error("%s\n", out);
        fail();
    }
    trials = searching_read(folder, "runs/small/trials.csv");
    return trials;
}

struct tally {
    int suggestions, finishes, last;
};

static nr_status count_event(void *context, const struct store_event *event, const struct store_trial *trial)
{
    struct tally *tally = context;
    (void)trial;
    assert_true(event->number > tally->last);
    tally->last = (int)event->number;
    tally->suggestions += !strcmp(event->kind, "suggest");
    tally->finishes += !strcmp(event->kind, "finish");
    return NR_OK;
}

static void expect_log_is_whole(const char *folder, int trials)
{
    struct store *store;
    struct tally tally = {0};
    char *path = file_join(folder, "runs/small/study.db");
    assert_ok(store_open(path, true, NULL, &store));
    assert_ok(store_events(store, 0, count_event, &tally));
    assert_int_equal(tally.suggestions, trials);
    assert_int_equal(tally.finishes, trials);
    store_close(store);
    free(path);
}

/* kill -9 of the driver after a random while, again and again, until a run gets through. */
static void killed_drivers(void **state)
{
    (void)state;
    char *expected = undisturbed();
    char folder[512];
    snprintf(folder, sizeof folder, "%s", searching_folder("killed"));
    struct rng rng = rng_create(11, 0, RANDOM_TEST, 0, 0);
    int status = 137, kills = 0;
    for (int attempt = 0; attempt < 40 && status != 0; attempt++) {
        pid_t process = searching_start(folder, "small.ini --quiet");
        if (attempt < 12) {
            if (attempt % 2) /* starting can take longer than any pause */
                (void)searching_wait_for_training(process, folder, 1);
            searching_pause(30 + rng_below(&rng, 400));
            kills += kill(process, SIGKILL) == 0;
        }
        status = searching_wait(process);
        assert_true(status == 0 || status == 137);
    }
    assert_int_equal(status, 0);
    assert_true(kills > 0);
    char *got = searching_read(folder, "runs/small/trials.csv");
    assert_string_equal(got, expected);
    expect_log_is_whole(folder, 7);
    free(got);
    free(expected);
}

static void interrupts(void **state)
{
    (void)state;
    char *expected = undisturbed();
    char folder[512];
    snprintf(folder, sizeof folder, "%s", searching_folder("interrupted"));
    int status = 130, interrupted = 0;
    while (status != 0 || interrupted == 0) { /* again where one got through before the signal */
        pid_t process = searching_start(folder, interrupted ? "small.ini --quiet" : "small.ini --quiet --fresh");
        if (interrupted < 4 && searching_wait_for_training(process, folder, 1))
            kill(-process, SIGINT); /* as the terminal does: the whole group */
        status = searching_wait(process);
        assert_true(status == 0 || status == 130);
        interrupted += status == 130;
    }
    char *got = searching_read(folder, "runs/small/trials.csv");
    assert_string_equal(got, expected);
    expect_log_is_whole(folder, 7);
    free(got);
    free(expected);
}

/* The child processes of a process, by /proc. */
static pid_t child_of(pid_t parent)
{
    char path[128];
    long child = 0;
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)parent, (long)parent);
    FILE *file = fopen(path, "re");
    if (!file || fscanf(file, "%ld", &child) != 1)
        child = 0;
    if (file)
        fclose(file);
    return (pid_t)child;
}

static bool signal_child(pid_t parent, int signal)
{
    pid_t child = child_of(parent);
    return child > 0 && kill(child, signal) == 0;
}

/* A worker that is killed costs an attempt, not the search; the trial goes on from its checkpoint with the same bits.
 */
static void killed_workers(void **state)
{
    (void)state;
    char *expected = undisturbed();
    char folder[512];
    snprintf(folder, sizeof folder, "%s", searching_folder("workers"));
    for (bool killed = false; !killed;) { /* again where the search was over before the kill */
        pid_t driver = searching_start(folder, "small.ini --quiet --fresh");
        for (int attempt = 1; attempt <= 2 && searching_wait_for_training(driver, folder, attempt); attempt++) {
            searching_pause(20); /* some steps */
            signal_child(driver, SIGKILL);
        }
        assert_int_equal(searching_wait(driver), 0);
        char *got = searching_read(folder, "runs/small/trials.csv");
        char *log = searching_read(folder, "runs/small/nasrun.log");
        assert_string_equal(got, expected);
        killed = strstr(log, "killed by signal 9");
        free(log);
        free(got);
    }
    free(expected);
}

/* However it is told to stop, the driver itself ends with 130 and has recorded why: a status of 128 + n from a shell
 * would look the same, so this looks at how the process ended. With two threads in OpenBLAS there is one that blocks no
 * signal. */
static void signals(void **state)
{
    (void)state;
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    char folder[512];
    snprintf(folder, sizeof folder, "%s", searching_folder("signals"));
    setenv("OPENBLAS_NUM_THREADS", "2", 1);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        int how;
        pid_t driver = searching_start(folder, "small.ini --quiet --set study.trials=5000");
        assert_true(searching_wait_for_training(driver, folder, 1));
        kill(driver, numbers[i]);
        assert_int_equal(waitpid(driver, &how, 0), driver);
        assert_true(WIFEXITED(how));
        assert_int_equal(WEXITSTATUS(how), 130);
        char *out = searching_read(folder, "out");
        assert_non_null(strstr(out, "interrupted"));
        free(out);
    }
    unsetenv("OPENBLAS_NUM_THREADS");
}

/* A signal that only the worker gets: its trial is not left behind. */
static void interrupted_worker(void **state)
{
    (void)state;
    char *expected = undisturbed();
    char folder[512];
    snprintf(folder, sizeof folder, "%s", searching_folder("signalled"));
    for (bool signalled = false; !signalled;) { /* again where the search was over before the signal */
        pid_t driver = searching_start(folder, "small.ini --quiet --fresh");
        if (searching_wait_for_training(driver, folder, 1))
            signal_child(driver, SIGINT);
        assert_int_equal(searching_wait(driver), 0);
        char *got = searching_read(folder, "runs/small/trials.csv");
        char *log = searching_read(folder, "runs/small/nasrun.log");
        assert_string_equal(got, expected);
        signalled = strstr(log, "a worker ended with status 0");
        free(log);
        free(got);
    }
    free(expected);
}

/* One trial that loses every worker fails; the search does not. Trials are made long so that the kills meet the first.
 */
static void a_trial_that_kills_its_workers(void **state)
{
    (void)state;
    char folder[512];
    snprintf(folder, sizeof folder, "%s", searching_folder("crashing"));
    for (int kills = 0; kills < 3;) { /* again where the first was over before the third kill */
        pid_t driver = searching_start(folder, "small.ini --fresh --set study.trials=2 "
                                               "--set data.epoch_images=150000");
        for (kills = 0; kills < 3 && searching_wait_for_training(driver, folder, kills + 1);)
            kills += signal_child(driver, SIGKILL);
        assert_int_equal(searching_wait(driver), 0);
    }
    char *trials = searching_read(folder, "runs/small/trials.csv");
    assert_non_null(strstr(trials, "\n1,failed,"));
    assert_non_null(strstr(trials, "killed by signal 9 (Killed) (3 attempts)"));
    assert_non_null(strstr(trials, "\n2,done,"));
    char *out = searching_read(folder, "out");
    assert_non_null(strstr(out, "trial 1 failed"));
    free(out);
    free(trials);
}

/* More workers than cores, and than trials that are left. */
static void many_workers(void **state)
{
    (void)state;
    char folder[512];
    snprintf(folder, sizeof folder, "%s", searching_folder("many"));
    assert_int_equal(searching_run(folder, "small.ini --quiet --set run.workers=6"), 0);
    expect_log_is_whole(folder, 7);
}

static size_t count_files(const char *folder, const char *name)
{
    char *path = file_join(folder, name);
    size_t count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    free(path);
    return count;
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

/* The weights kept are those of the front, no checkpoint is left, and a second look changes nothing. */
static void finished_study(void **state)
{
    (void)state;
    char *trials = undisturbed();
    char folder[512];
    snprintf(folder, sizeof folder, "%s/undisturbed", test_folder());
    char *front = searching_read(folder, "runs/small/pareto.csv");
    assert_int_equal(count_files(folder, "runs/small/weights"), count_lines(front) - 1);
    assert_int_equal(count_files(folder, "runs/small/checkpoints"), 0);
    assert_int_equal(count_lines(trials), 8);
    struct stat before, after;
    char *database = file_join(folder, "runs/small/study.db");
    assert_int_equal(stat(database, &before), 0);
    assert_int_equal(searching_run(folder, "small.ini"), 0);
    assert_int_equal(stat(database, &after), 0);
    assert_true(before.st_mtim.tv_sec == after.st_mtim.tv_sec && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    free(database);
    free(front);
    free(trials);
}

/* What a kill left among the checkpoints goes with the next resume; what is not ours stays. */
static void left_checkpoints(void **state)
{
    (void)state;
    char folder[512];
    snprintf(folder, sizeof folder, "%s", searching_folder("left"));
    assert_int_equal(searching_run(folder, "small.ini --quiet --set study.trials=3"), 0);
    static const char *const left[] = {"trial-2.safetensors", "trial-3.safetensors.99.part", "trial-77.safetensors",
                                       "notes"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/runs/small/checkpoints/%s", folder, left[i]);
        assert_ok(file_replace(path, "", 0, false, NULL));
    }
    assert_int_equal(searching_run(folder, "small.ini --quiet --set study.trials=4"), 0);
    assert_int_equal(count_files(folder, "runs/small/checkpoints"), 1);
}

/* A kill between the last trial and the end of the run: the tables are written by the next run. */
static void killed_before_the_tables(void **state)
{
    (void)state;
    char *trials = undisturbed();
    char folder[512];
    struct store *store;
    snprintf(folder, sizeof folder, "%s/undisturbed", test_folder());
    char *database = file_join(folder, "runs/small/study.db"), *table = file_join(folder, "runs/small/trials.csv");
    assert_ok(store_open(database, false, NULL, &store));
    assert_ok(store_set_end(store, ""));
    store_close(store);
    assert_int_equal(unlink(table), 0);
    assert_int_equal(searching_run(folder, "small.ini --quiet"), 0);
    char *again = searching_read(folder, "runs/small/trials.csv");
    assert_string_equal(again, trials);
    free(again);
    free(table);
    free(database);
    free(trials);
}

static void more_trials(void **state)
{
    (void)state;
    char *before = undisturbed();
    char folder[512];
    snprintf(folder, sizeof folder, "%s/undisturbed", test_folder());
    assert_int_equal(searching_run(folder, "small.ini --quiet --set study.trials=9"), 0);
    char *after = searching_read(folder, "runs/small/trials.csv");
    assert_int_equal(strncmp(after, before, strlen(before)), 0); /* the first seven stay as they were */
    assert_int_equal(count_lines(after), 10);
    assert_int_equal(searching_run(folder, "small.ini --quiet --fresh --set study.trials=2"), 0);
    char *moved = searching_read(folder, "runs/small.1/trials.csv");
    assert_string_equal(moved, after);
    char *fresh = searching_read(folder, "runs/small/trials.csv");
    assert_int_equal(count_lines(fresh), 3);
    free(fresh);
    free(moved);
    free(after);
    free(before);
    assert_int_equal(searching_run(folder, "small.ini --quiet --fresh"), 0); /* as the other cases expect it */
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {
        cmocka_unit_test(killed_drivers),
        cmocka_unit_test(interrupts),
        cmocka_unit_test(killed_workers),
        cmocka_unit_test(interrupted_worker),
        cmocka_unit_test(signals),
        cmocka_unit_test(left_checkpoints),
        cmocka_unit_test(finished_study),
        cmocka_unit_test(killed_before_the_tables),
        cmocka_unit_test(more_trials),
        cmocka_unit_test(many_workers),
        cmocka_unit_test(a_trial_that_kills_its_workers),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
