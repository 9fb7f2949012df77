/* store: opening what is there, beside whom, and what cannot be opened. */
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "store/store.h"

static const struct store_study study = {.objective = {"val_accuracy"}, .name = "tiny", .seed = 1};

/* A fresh folder per call; its study.db. */
static const char *fresh_path(void)
{
    static char path[256];
    static int number;
    snprintf(path, sizeof path, "%s/open%d", test_folder(), ++number);
    assert_ok(file_make_folder(path, NULL));
    strcat(path, "/study.db");
    return path;
}

static bool beside(const char *path, const char *ending)
{
    char name[300];
    snprintf(name, sizeof name, "%s%s", path, ending);
    return file_exists(name);
}

static void suggest(struct store *store, int64_t trial)
{
    struct store_trial suggested = {.trial = trial, .point = "a=1", .value = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN}};
    assert_ok(store_suggest(store, &suggested));
}

static struct store *begun(const char *path)
{
    struct store *store;
    assert_ok(store_open(path, false, NULL, &store));
    assert_ok(store_begin(store, &study));
    suggest(store, 1);
    return store;
}

static nr_status count_trial(void *context, const struct store_trial *trial)
{
    ++*(int64_t *)context;
    assert_true(trial->trial == *(int64_t *)context);
    return NR_OK;
}

static int64_t trials_in(struct store *store)
{
    int64_t count = 0;
    assert_ok(store_trials(store, count_trial, &count));
    return count;
}

/* Runs `body` in a child and returns its exit status (128 + n for a signal). Failures inside exit with 99. */
static int in_child(void (*body)(const char *path), const char *path)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        body(path);
        _exit(0);
    }
    int status;
    assert_true(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void child_expect(bool holds)
{
    if (!holds)
        _exit(99);
}

static void a_reader_leaves_nothing(void **state)
{
    (void)state;
    const char *path = fresh_path();
    struct store *store;
    struct log *log = test_log();
    assert_int_equal(store_open(path, true, log, &store), NR_NOT_FOUND);
    test_log_has(log, "cannot be read");
    assert_false(file_exists(path));
    store_close(begun(path));
    assert_false(beside(path, "-wal"));
    assert_ok(store_open(path, true, log, &store));
    assert_int_equal(trials_in(store), 1);
    assert_false(beside(path, "-wal") || beside(path, "-shm") || beside(path, "-journal"));
    store_close(store);
    assert_false(beside(path, "-wal") || beside(path, "-shm") || beside(path, "-journal"));
    log_destroy(log);
}

static void readers_see_a_writer(void **state)
{
    (void)state;
    const char *path = fresh_path();
    struct store *early, *late, *writer;
    store_close(begun(path));
    assert_ok(store_open(path, true, NULL, &early)); /* while nobody writes */
    assert_int_equal(trials_in(early), 1);
    assert_ok(store_open(path, false, NULL, &writer));
    suggest(writer, 2);
    assert_int_equal(trials_in(early), 2);
    assert_ok(store_open(path, true, NULL, &late)); /* beside the writer */
    suggest(writer, 3);
    int64_t before, after;
    assert_ok(store_version(late, &before));
    suggest(writer, 4);
    assert_ok(store_version(late, &after));
    assert_true(after > before);
    assert_int_equal(trials_in(early), 4);
    assert_int_equal(trials_in(late), 4);
    store_close(writer);
    assert_int_equal(trials_in(late), 4);
    store_close(late);
    assert_ok(store_open(path, false, NULL, &writer)); /* and when the writer has been away */
    suggest(writer, 5);
    store_close(writer);
    assert_int_equal(trials_in(early), 5);
    store_close(early);
}

static void a_reader_cannot_write(void **state)
{
    (void)state;
    const char *path = fresh_path();
    struct store *writer = begun(path), *reader;
    struct log *log = test_log();
    assert_ok(store_open(path, true, log, &reader));
    assert_int_not_equal(store_set_end(reader, "time"), NR_OK);
    test_log_has(log, "read-only");
    store_close(reader);
    store_close(writer);
    log_destroy(log);
}

/* Permissions mean nothing to root: become nobody. */
static void read_without_rights(const char *path)
{
    struct store *store;
    int64_t count = 0;
    if (geteuid() == 0)
        child_expect(setgid(65534) == 0 && setuid(65534) == 0);
    child_expect(access(path, W_OK) != 0);
    child_expect(store_open(path, true, NULL, &store) == NR_OK);
    child_expect(store_trials(store, count_trial, &count) == NR_OK && count == 2);
    store_close(store);
    struct log *log;
    child_expect(log_create(NULL, LOG_ERROR, &log) == NR_OK);
    log_keep_text(log);
    child_expect(store_open(path, false, log, &store) == NR_INVALID);
    child_expect(strstr(log_text(log), "read-only") != NULL);
    log_destroy(log);
}

static void set_folder_mode(const char *path, mode_t mode)
{
    char *folder = file_folder(path);
    assert_int_equal(chmod(folder, mode), 0);
    free(folder);
}

static void a_read_only_folder_is_read(void **state)
{
    (void)state;
    const char *path = fresh_path();
    assert_int_equal(chmod(test_folder(), 0755), 0);
    struct store *store = begun(path);
    suggest(store, 2);
    store_close(store);
    assert_int_equal(chmod(path, 0444), 0);
    set_folder_mode(path, 0555);
    assert_int_equal(in_child(read_without_rights, path), 0);
    set_folder_mode(path, 0755);
}

static void write_and_die(const char *path)
{
    struct store *store;
    child_expect(store_open(path, false, NULL, &store) == NR_OK);
    suggest(store, 2);
    raise(SIGKILL);
}

static void a_killed_writer_s_wal_is_read_without_rights(void **state)
{
    (void)state;
    const char *path = fresh_path();
    store_close(begun(path));
    assert_int_equal(in_child(write_and_die, path), 128 + SIGKILL);
    assert_true(beside(path, "-wal"));
    assert_int_equal(chmod(path, 0444), 0);
    set_folder_mode(path, 0555);
    assert_int_equal(in_child(read_without_rights, path), 0);
    set_folder_mode(path, 0755);
}

static void run_for_a_while(const char *path)
{
    struct store *store;
    double spent;
    child_expect(store_open(path, false, NULL, &store) == NR_OK && store_lock(store) == NR_OK);
    child_expect(store_elapsed(store, &spent) == NR_OK && spent >= 100 && spent < 200);
    usleep(20000);
    suggest(store, 2);
    raise(SIGKILL);
}

/* The wall time of a run that is killed counts up to its last write. */
static void time_survives_a_kill(void **state)
{
    (void)state;
    const char *path = fresh_path();
    struct store *store = begun(path);
    double before, spent;
    assert_ok(store_elapsed(store, &spent));
    assert_true(spent == 0);
    assert_ok(store_set_elapsed(store, 100));
    assert_ok(store_elapsed(store, &before));
    assert_true(before >= 100);
    store_close(store);
    assert_int_equal(in_child(run_for_a_while, path), 128 + SIGKILL);
    assert_ok(store_open(path, true, NULL, &store));
    assert_ok(store_elapsed(store, &spent));
    assert_true(spent >= before + 0.02 && spent < before + 100);
    store_close(store);
}

static void only_one_driver(void **state)
{
    (void)state;
    const char *path = fresh_path();
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    struct store *store = begun(path);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *other;
        child_expect(store_open(path, false, NULL, &other) == NR_OK && store_lock(other) == NR_OK);
        pid_t grandchild = fork(); /* a worker that outlives its driver must not keep the lock */
        if (grandchild == 0)
            pause();
        child_expect(write(ready[1], &grandchild, sizeof grandchild) == sizeof grandchild);
        pause();
    }
    pid_t grandchild;
    assert_true(read(ready[0], &grandchild, sizeof grandchild) == sizeof grandchild);
    assert_true(store_holder(store) == child);
    struct log *log = test_log();
    struct store *refused;
    assert_ok(store_open(path, false, log, &refused));
    assert_int_equal(store_lock(refused), NR_INVALID);
    char expected[64];
    snprintf(expected, sizeof expected, "another nasrun (process %d) is running this study", (int)child);
    test_log_has(log, expected);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(store_holder(refused) == 0);
    assert_ok(store_lock(refused));
    assert_ok(store_lock(refused));
    assert_true(store_holder(refused) == getpid());
    kill(grandchild, SIGKILL);
    store_close(refused);
    store_close(store);
    log_destroy(log);
    close(ready[0]);
    close(ready[1]);
}

static void write_file(const char *path, const void *bytes, size_t length)
{
    assert_ok(file_replace(path, bytes, length, false, NULL));
}

/* Both openings refuse with the status and the sentence, and the file stays as it is. */
static void refused(const char *path, nr_status expected, const char *sentence)
{
    for (int read_only = 0; read_only < 2; read_only++) {
        struct log *log = test_log();
        struct store *store;
        char *before, *after;
        size_t length, length_after;
        assert_ok(file_read(path, NULL, &before, &length));
        assert_int_equal(store_open(path, read_only, log, &store), expected);
        test_log_has(log, sentence);
        test_log_has(log, "");
        assert_ok(file_read(path, NULL, &after, &length_after));
        assert_int_equal(length, length_after);
        assert_memory_equal(before, after, length);
        assert_false(beside(path, "-wal") || beside(path, "-shm"));
        free(before);
        free(after);
        log_destroy(log);
    }
}

static void make_database(const char *path, const char *sql)
{
    sqlite3 *other;
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
}

static void files_that_are_no_store(void **state)
{
    (void)state;
    const char *path = fresh_path();
    char text[4096];
    memset(text, 'x', sizeof text);
    write_file(path, text, sizeof text);
    refused(path, NR_INVALID, "no SQLite database");
    path = fresh_path();
    make_database(path, "CREATE TABLE notes (line TEXT)");
    refused(path, NR_INVALID, "no store of nasrun");
    path = fresh_path();
    store_close(begun(path));
    make_database(path, "PRAGMA user_version = 2");
    refused(path, NR_INVALID, "has version 2, written by a newer nasrun; this one reads up to version 1");
    path = fresh_path();
    struct store *store;
    struct log *log = test_log();
    write_file(path, "", 0); /* as after a kill before the first write */
    assert_int_equal(store_open(path, true, log, &store), NR_NOT_FOUND);
    test_log_has(log, "empty");
    assert_ok(store_open(path, false, log, &store));
    assert_ok(store_begin(store, &study));
    store_close(store);
    assert_int_equal(store_open("/nowhere/at/all/study.db", false, log, &store), NR_INVALID);
    test_log_has(log, "/nowhere/at/all/study.db: opening the store failed");
    log_destroy(log);
}

static void a_damaged_file_is_not_built_on(void **state)
{
    (void)state;
    const char *path = fresh_path();
    struct store *store = begun(path);
    for (int64_t trial = 2; trial < 200; trial++)
        suggest(store, trial);
    store_close(store);
    char *bytes;
    size_t length;
    assert_ok(file_read(path, NULL, &bytes, &length));
    memset(bytes + 8192, 0xee, length - 8192); /* the schema's first pages stay */
    write_file(path, bytes, length);
    struct log *log = test_log();
    assert_int_equal(store_open(path, false, log, &store), NR_STORE);
    test_log_has(log, "damaged");
    write_file(path, bytes, length / 2);
    assert_int_equal(store_open(path, false, log, &store), NR_STORE);
    test_log_has(log, "damaged");
    free(bytes);
    log_destroy(log);
}

/* A full disk, by the limit of a process: the call fails with a sentence, what was recorded before stays. */
static void fill_the_disk(const char *path)
{
    struct log *log;
    struct store *store;
    struct rlimit limit = {.rlim_cur = 256 * 1024, .rlim_max = 256 * 1024};
    child_expect(log_create(NULL, LOG_ERROR, &log) == NR_OK);
    log_keep_text(log);
    child_expect(store_open(path, false, log, &store) == NR_OK);
    signal(SIGXFSZ, SIG_IGN);
    child_expect(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    nr_status status = NR_OK;
    int64_t trial = 1, count = 0;
    while (status == NR_OK && trial < 1000) {
        struct store_trial suggested = {.trial = ++trial, .point = "a=1"};
        status = store_suggest(store, &suggested);
    }
    child_expect(status == NR_STORE && strstr(log_text(log), "recording a suggestion failed"));
    child_expect(store_trials(store, count_trial, &count) == NR_OK && count == trial - 1);
    store_close(store);
    log_destroy(log);
    _exit((int)(trial - 1));
}

static void a_full_disk_loses_nothing(void **state)
{
    (void)state;
    const char *path = fresh_path();
    store_close(begun(path));
    int recorded = in_child(fill_the_disk, path);
    assert_true(recorded > 1 && recorded != 99 && recorded < 128);
    struct store *store;
    assert_ok(store_open(path, false, NULL, &store));
    assert_int_equal(trials_in(store), recorded);
    suggest(store, recorded + 1);
    store_close(store);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(a_reader_leaves_nothing),
    cmocka_unit_test(readers_see_a_writer),
    cmocka_unit_test(a_reader_cannot_write),
    cmocka_unit_test(a_read_only_folder_is_read),
    cmocka_unit_test(a_killed_writer_s_wal_is_read_without_rights),
    cmocka_unit_test(time_survives_a_kill),
    cmocka_unit_test(only_one_driver),
    cmocka_unit_test(files_that_are_no_store),
    cmocka_unit_test(a_damaged_file_is_not_built_on),
    cmocka_unit_test(a_full_disk_loses_nothing),
};
TEST_MAIN(cases)
