/* Nothing is lost and nothing is recorded twice, whatever is killed and whenever: the end is that of a run without kills. */
#include "support/searching.h"

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

#include "base/rng.h"
#include "store/store.h"

static void pause_ms(uint32_t milliseconds)
{
    nanosleep(&(struct timespec){.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000}, NULL);
}

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
            pause_ms(30 + rng_below(&rng, 400));
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
    for (int attempt = 0; attempt < 40 && status != 0; attempt++) {
        pid_t process = searching_start(folder, "small.ini --quiet");
        if (attempt < 4) {
            pause_ms(250);
            kill(-process, SIGINT); /* as the terminal does: the whole group */
        }
        status = searching_wait(process);
        assert_true(status == 0 || status == 130);
        interrupted += status == 130;
    }
    assert_int_equal(status, 0);
    assert_true(interrupted > 0);
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

/* A worker that is killed costs an attempt, not the search; the trial goes on from its checkpoint with the same bits. */
static void killed_workers(void **state)
{
    (void)state;
    char *expected = undisturbed();
    char folder[512];
    snprintf(folder, sizeof folder, "%s", searching_folder("workers"));
    pid_t driver = searching_start(folder, "small.ini --quiet");
    int kills = 0;
    for (int i = 0; i < 2; i++) {
        pause_ms(400);
        pid_t worker = child_of(driver);
        kills += worker > 0 && kill(worker, SIGKILL) == 0;
    }
    assert_int_equal(searching_wait(driver), 0);
    assert_true(kills > 0);
    char *got = searching_read(folder, "runs/small/trials.csv");
    assert_string_equal(got, expected);
    char *log = searching_read(folder, "runs/small/nasrun.log");
    assert_non_null(strstr(log, "killed by signal 9"));
    free(log);
    free(got);
    free(expected);
}

/* One trial that loses every worker fails; the search does not. Trials are made long so that the kills meet the first. */
static void a_trial_that_kills_its_workers(void **state)
{
    (void)state;
    char folder[512];
    snprintf(folder, sizeof folder, "%s", searching_folder("crashing"));
    pid_t driver = searching_start(folder, "small.ini --quiet --set study.trials=2 --set data.epoch_images=150000");
    for (int kills = 0, tries = 0; kills < 3 && tries < 400; tries++) {
        pid_t worker = child_of(driver);
        pause_ms(150); /* it has its trial by now */
        kills += worker > 0 && child_of(driver) == worker && kill(worker, SIGKILL) == 0;
    }
    assert_int_equal(searching_wait(driver), 0);
    char *trials = searching_read(folder, "runs/small/trials.csv");
    assert_non_null(strstr(trials, "\n1,failed,"));
    assert_non_null(strstr(trials, "killed by signal 9 (Killed) (3 attempts)"));
    assert_non_null(strstr(trials, "\n2,done,"));
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
        cmocka_unit_test(killed_drivers), cmocka_unit_test(interrupts),  cmocka_unit_test(killed_workers),
        cmocka_unit_test(finished_study), cmocka_unit_test(more_trials), cmocka_unit_test(many_workers),
        cmocka_unit_test(a_trial_that_kills_its_workers),
    };
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
