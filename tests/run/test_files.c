/* How studies are found and written down. */
#include "support/searching.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "run/files.h"
#include "store/store.h"

/* Makes an empty file in FOLDER, last written at `seconds`. */
static void touch(const char *folder, const char *name, time_t seconds)
{
    assert_ok(file_make_folder(folder, NULL));
    char *path = file_join(folder, name);
    assert_ok(file_replace(path, "", 0, false, NULL));
    const struct timespec times[] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    free(path);
}

/* The newest study is the one that a search wrote to last, if only to its log. */
static void newest(void **state)
{
    (void)state;
    struct log *log = test_log();
    char *found;
    assert_ok(file_make_folder("newest", log));
    assert_int_equal(chdir("newest"), 0);
    assert_int_equal(files_find_study(NULL, log, &found), NR_NOT_FOUND);
    test_log_has(log, "no study under runs/");
    touch("runs/a", STUDY_DATABASE, 1000);
    touch("runs/b", STUDY_DATABASE, 2000);
    touch("runs/c", STUDY_LOG, 9000); /* no study */
    assert_ok(files_find_study(NULL, log, &found));
    assert_string_equal(found, "runs/b");
    free(found);
    touch("runs/a", STUDY_LOG, 3000);
    assert_ok(files_find_study(NULL, log, &found));
    assert_string_equal(found, "runs/a");
    free(found);
    assert_int_equal(chdir(".."), 0);
    log_destroy(log);
}

/* data.folder of the command line is relative to where it was typed; the record finds it from anywhere. */
static void data_folder(void **state)
{
    (void)state;
    const char *folder = searching_folder("data-folder");
    char name[512], path[600];
    snprintf(name, sizeof name, "%s", folder);
    snprintf(path, sizeof path, "%s/configs", name);
    assert_ok(file_make_folder(path, NULL));
    snprintf(path, sizeof path, "%s/configs/other.ini", name);
    assert_ok(file_replace(path, searching_configuration, strlen(searching_configuration), false, NULL));
    snprintf(path, sizeof path, "%s/sets", name);
    assert_int_equal(symlink(test_source("data"), path), 0);
    unsetenv("NASRUN_DATA");
    assert_int_equal(searching_run(name, "configs/other.ini --quiet --set study.trials=1 --set data.folder=sets"), 0);
    assert_int_equal(searching_run(name, "test runs/small"), 0);
    char *rendered = NULL;
    struct store *store;
    struct study *study;
    snprintf(path, sizeof path, "%s/runs/small", name);
    assert_ok(files_open_study(path, true, NULL, &store, &study));
    rendered = files_render_configuration(study); /* once more: the same paths */
    assert_non_null(strstr(rendered, "/data\n"));
    free(rendered);
    study_destroy(study);
    store_close(store);
}

int main(int count, char **arguments)
{
    static const struct CMUnitTest cases[] = {cmocka_unit_test(newest), cmocka_unit_test(data_folder)};
    if (chdir(test_folder()) != 0)
        return 1;
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
