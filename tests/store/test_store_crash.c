/* store: a writer is killed at random moments, again and again; nothing that a call returned from is lost, nothing is
 * there twice, and what waits for the disk does. */
#include "support/test.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "store/store.h"

enum { TRIALS = 40, EPOCHS = 2, MOST_ROUNDS = 400 };

static const struct store_study study = {.objective = {"val_accuracy", "parameters"}, .name = "crash", .seed = 1};

/* What the writer knows to be recorded, in memory that outlives it. */
struct promise {
    _Atomic int suggested[TRIALS + 1], finished[TRIALS + 1];
};

static double value_of(int64_t trial)
{
    return 1.0 / (double)(trial + 1);
}

struct found {
    int64_t trials;
    enum trial_status status[TRIALS + 1];
};

static nr_status find_trial(void *context, const struct store_trial *trial)
{
    struct found *found = context;
    found->trials = trial->trial;
    found->status[trial->trial] = trial->status;
    return NR_OK;
}

/* The life of one trial, from wherever an earlier writer was killed in it. */
static void live(struct store *store, int64_t trial, enum trial_status status, bool known, struct promise *promise)
{
    if (!known) {
        struct store_trial suggested = {.trial = trial, .point = "a=1", .value = {NAN, (double)trial}};
        assert_ok(store_suggest(store, &suggested));
    }
    promise->suggested[trial] = 1;
    if (status == TRIAL_RUNNING)
        assert_ok(store_requeue(store, trial));
    assert_ok(store_start(store, trial, 1, "writer"));
    for (int64_t e = 1; e <= EPOCHS; e++) {
        struct store_epoch epoch = {.trial = trial, .attempt = 1, .epoch = e, .validation_accuracy = value_of(trial)};
        assert_ok(store_record_epoch(store, &epoch));
    }
    double value[2] = {value_of(trial), NAN};
    bool fails = trial % 5 == 0;
    assert_ok(
        store_finish(store, trial, fails ? TRIAL_FAILED : TRIAL_DONE, fails ? "nan" : "", fails ? NULL : value, 1));
    promise->finished[trial] = 1;
}

static void writer(const char *path, struct promise *promise)
{
    struct store *store;
    struct store_study there;
    struct found found = {0};
    assert_ok(store_open(path, false, NULL, &store));
    assert_ok(store_lock(store));
    if (store_study(store, &there) == NR_NOT_FOUND)
        assert_ok(store_begin(store, &study));
    assert_ok(store_trials(store, find_trial, &found));
    for (int64_t trial = 1; trial <= TRIALS; trial++) {
        enum trial_status status = found.status[trial];
        if (trial > found.trials || status == TRIAL_QUEUED || status == TRIAL_RUNNING)
            live(store, trial, status, trial <= found.trials, promise);
    }
    store_close(store);
}

struct checked {
    int64_t last_number;
    int suggested[TRIALS + 1], finished[TRIALS + 1];
};

static nr_status check_event(void *context, const struct store_event *event, const struct store_trial *trial)
{
    struct checked *checked = context;
    assert_true(event->number > checked->last_number);
    checked->last_number = event->number;
    if (!strcmp(event->kind, "suggest")) {
        assert_int_equal(++checked->suggested[trial->trial], 1);
        assert_true(isnan(trial->value[0]) && trial->value[1] == (double)trial->trial);
    } else {
        assert_int_equal(++checked->finished[trial->trial], 1);
        assert_int_equal(checked->suggested[trial->trial], 1);
        bool fails = trial->trial % 5 == 0;
        assert_int_equal(trial->status, fails ? TRIAL_FAILED : TRIAL_DONE);
        assert_near(trial->value[0], fails ? NAN : value_of(trial->trial), 0, 0);
        assert_int_equal(trial->epochs, EPOCHS);
    }
    return NR_OK;
}

/* Returns the number of ended trials. */
static int check(const char *path, const struct promise *promise)
{
    struct store *store;
    struct checked checked = {0};
    struct found found = {0};
    nr_status status = store_open(path, true, NULL, &store);
    if (status == NR_NOT_FOUND) /* killed before the first transaction */
        return 0;
    assert_ok(status);
    int ended_trials = 0;
    struct store_study there;
    status = store_study(store, &there);
    if (status == NR_OK) {
        assert_ok(store_events(store, 0, check_event, &checked));
        assert_ok(store_trials(store, find_trial, &found));
    } else {
        assert_int_equal(status, NR_NOT_FOUND);
    }
    for (int64_t trial = 1; trial <= TRIALS; trial++) {
        bool ended = trial <= found.trials && found.status[trial] >= TRIAL_DONE;
        ended_trials += ended;
        assert_true(checked.suggested[trial] == (trial <= found.trials));
        assert_true(checked.finished[trial] == ended);
        assert_true(checked.suggested[trial] >= promise->suggested[trial]);
        assert_true(checked.finished[trial] >= promise->finished[trial]);
    }
    store_close(store);
    return ended_trials;
}

static void kill_9_at_any_moment(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s/crash.db", test_folder());
    struct promise *promise = mmap(NULL, sizeof *promise, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(promise != MAP_FAILED);
    struct rng rng = rng_create(7, 0, RANDOM_TEST, 0, 0);
    int kills = 0, status = -1;
    for (int round = 0; round < MOST_ROUNDS && status != 0; round++) {
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            writer(path, promise);
            _exit(0);
        }
        /* longer by and by: where opening alone takes milliseconds, something must get done as well */
        struct timespec wait = {.tv_nsec = (long)rng_below(&rng, 2000000 + 20000 * (uint32_t)round)};
        nanosleep(&wait, NULL);
        kill(child, SIGKILL);
        assert_true(waitpid(child, &status, 0) == child);
        assert_true(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
        kills += status != 0;
        check(path, promise);
    }
    print_message("%d writers killed\n", kills);
    assert_true(kills > 0);
    if (status != 0)
        writer(path, promise);
    assert_int_equal(check(path, promise), TRIALS);
    munmap(promise, sizeof *promise);
}

/* Two readers look all the time while one writes: they see the trials grow, never shrink, and no error. */
static void reader(const char *path, const struct promise *promise)
{
    struct store *store;
    int64_t last = 0;
    assert_ok(store_open(path, true, NULL, &store));
    while (!promise->finished[TRIALS]) {
        struct found found = {0};
        struct checked checked = {0};
        assert_ok(store_trials(store, find_trial, &found));
        assert_true(found.trials >= last);
        last = found.trials;
        assert_ok(store_events(store, 0, check_event, &checked));
    }
    store_close(store);
}

static void two_readers_and_a_writer(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s/beside.db", test_folder());
    struct promise *promise = mmap(NULL, sizeof *promise, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(promise != MAP_FAILED);
    struct store *store;
    assert_ok(store_open(path, false, NULL, &store));
    assert_ok(store_begin(store, &study));
    store_close(store);
    fflush(NULL);
    pid_t readers[2];
    for (int i = 0; i < 2; i++) {
        readers[i] = fork();
        assert_true(readers[i] >= 0);
        if (readers[i] == 0) {
            alarm(900); /* the writer has failed */
            reader(path, promise);
            _exit(0);
        }
    }
    writer(path, promise);
    for (int i = 0; i < 2; i++) {
        int status;
        assert_true(waitpid(readers[i], &status, 0) == readers[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(check(path, promise), TRIALS);
    munmap(promise, sizeof *promise);
}

/* A file layer that counts fsyncs: SQLite's own, with one function of a file's table replaced. The database has another
 * table than the files beside it, which take no locks. */
static int syncs;
static int (*real_sync)(sqlite3_file *file, int flags);
static sqlite3_io_methods counting[2];
static int (*real_open)(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out);

static int counting_sync(sqlite3_file *file, int flags)
{
    syncs++;
    return real_sync(file, flags);
}

static int counting_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out)
{
    int code = real_open(vfs, name, file, flags, out);
    if (code == SQLITE_OK && file->pMethods) {
        real_sync = file->pMethods->xSync;
        sqlite3_io_methods *methods = &counting[flags & SQLITE_OPEN_MAIN_DB ? 0 : 1];
        *methods = *file->pMethods;
        methods->xSync = counting_sync;
        file->pMethods = methods;
    }
    return code;
}

static void finished_trials_wait_for_the_disk(void **state)
{
    (void)state;
    char path[256];
    snprintf(path, sizeof path, "%s/sync.db", test_folder());
    sqlite3_vfs vfs = *sqlite3_vfs_find(NULL);
    real_open = vfs.xOpen;
    vfs.xOpen = counting_open;
    vfs.zName = "counting";
    assert_int_equal(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
    struct store *store;
    assert_ok(store_open(path, false, NULL, &store));
    assert_ok(store_begin(store, &study));
    struct store_trial suggested = {.trial = 1, .value = {NAN, 1}};
    syncs = 0;
    assert_ok(store_suggest(store, &suggested));
    assert_true(syncs >= 1);
    assert_ok(store_start(store, 1, 1, ""));
    struct store_epoch epoch = {.trial = 1, .attempt = 1, .epoch = 1};
    syncs = 0;
    assert_ok(store_record_epoch(store, &epoch));
    assert_int_equal(syncs, 0);
    double value[2] = {0.5, 1};
    assert_ok(store_finish(store, 1, TRIAL_DONE, "", value, 1));
    assert_true(syncs >= 1);
    store_close(store);
    sqlite3_vfs_unregister(&vfs);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(kill_9_at_any_moment),
    cmocka_unit_test(two_readers_and_a_writer),
    cmocka_unit_test(finished_trials_wait_for_the_disk),
};
TEST_MAIN(cases)
