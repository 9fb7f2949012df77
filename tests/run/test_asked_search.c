/* A study that trains, when somebody asks it for trials as well; and one from before there was asking. */
#include "support/searching.h"

#include <sqlite3.h>

#include "report/results.h"
#include "run/files.h"

/* `nasrun ARGUMENTS` in the folder: its status; the words on either stream go to FOLDER/out. */
static void expect(const char *folder, const char *arguments, int status, const char *words)
{
    int got = searching_run(folder, arguments);
    char *out = searching_read(folder, "out");
    if (got != status || !strstr(out, words))
        print_error("nasrun %s: status %d\n%sexpected %d and \"%s\"\n", arguments, got, out, status, words);
    assert_int_equal(got, status);
    assert_non_null(strstr(out, words));
    free(out);
}

static void load(const char *folder, const char *study, struct store **store, struct study **described,
                 struct results *results)
{
    char *path = file_join(folder, study);
    assert_ok(files_open_study(path, true, NULL, store, described));
    assert_ok(results_load(*store, *described, NULL, results));
    free(path);
}

static void unload(struct store *store, struct study *described, struct results *results)
{
    results_clear(results);
    store_close(store);
    study_destroy(described);
}

static void a_search_leaves_alone_what_was_asked_for(void **state)
{
    (void)state;
    struct store *store;
    struct study *study;
    struct results results;
    const char *folder = searching_folder("asked");
    expect(folder, "ask small.ini 3", 0, "3 hidden=");
    expect(folder, "tell small 1 val_accuracy=97", 2, "expected a fraction from 0 to 1, not per cent");
    expect(folder, "tell small 1 val_accuracy=0.97 seconds=3", 0, "trial 1 done: val_accuracy 0.9700");
    expect(folder, "status small", 0, "1 of 7 trials done, 2 asked for and not told yet");
    expect(folder, "small.ini --quiet", 0, "");
    expect(folder, "tell small 5 val_accuracy=0.5", 2, "trial 5 has ended already: it is done");
    expect(folder, "tell small 2 val_accuracy=0.5", 0, "trial 2 done");
    expect(folder, "small.ini --quiet", 0, "all trials are done"); /* a finished study said again */
    expect(folder, "tell small 3 fail=nan", 0, "trial 3 failed: nan");
    expect(folder, "tell small point hidden=32 learning_rate=1e-3 dropout=0.25 epochs=2 val_accuracy=0.875", 0,
           "trial 8 done");
    expect(folder, "test small", 0, "trial 1 was measured elsewhere, its weights are not here");
    load(folder, "runs/small", &store, &study, &results);
    assert_int_equal(results.count, 8);
    assert_near(results.record[0].value[0], 0.97, 0, 0);
    assert_true(results.record[0].value[1] > 0); /* parameters: exact, known since the suggestion */
    assert_near(results.record[0].seconds, 3, 0, 0);
    for (size_t i = 3; i < 7; i++) {
        assert_int_equal(results.record[i].status, TRIAL_DONE);
        assert_true(results.record[i].epochs >= 2);
    }
    assert_int_equal(results.record[2].status, TRIAL_FAILED);
    assert_string_equal(results.record[7].method, "told");
    assert_true(results.record[7].value[1] > 0);
    unload(store, study, &results);
}

/* A search keeps in its memory what the study was when it began. */
static void nobody_asks_while_a_search_runs(void **state)
{
    (void)state;
    const char *folder = searching_folder("busy");
    pid_t search = searching_start(folder, "small.ini --quiet --set study.trials=400");
    assert_true(searching_wait_for_training(search, folder, 1));
    char *output, *errors;
    struct text line = {0};
    text_format(&line, "cd '%s' && '%s' ask small", folder, test_program());
    assert_int_equal(test_run(line.data, &output, &errors), 2);
    assert_non_null(strstr(errors, "is running this study: stop it first"));
    assert_string_equal(output, "");
    assert_int_equal(kill(search, SIGKILL), 0);
    assert_int_equal(searching_wait(search), 128 + SIGKILL);
    text_clear(&line);
    free(errors);
    free(output);

    struct store *store;
    struct study *study;
    struct results results;
    char told[64];
    load(folder, "runs/small", &store, &study, &results);
    snprintf(told, sizeof told, "tell small %zu val_accuracy=0.5", results.count);
    unload(store, study, &results);
    expect(folder, told, 2, "was not asked for: the search itself trains it when it goes on");
    expect(folder, "ask small", 0, " hidden=");
}

/* A study.db of version 1 as an older program left it. */
static void make_old_study(const char *folder)
{
    char *sql, *words = NULL, *path = file_join(folder, "old");
    sqlite3 *database;
    assert_ok(file_make_folder(path, NULL));
    free(path);
    path = file_join(folder, "old/study.db");
    assert_ok(file_read(test_source("tests/golden/store/version-1.sql"), NULL, &sql, NULL));
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    if (sqlite3_exec(database, sql, NULL, NULL, &words) != SQLITE_OK)
        print_error("%s\n", words);
    assert_null(words);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    free(sql);
    free(path);
}

static void an_old_study_is_read_and_goes_on(void **state)
{
    (void)state;
    struct store *store;
    struct study *study;
    struct results before, after;
    struct text again = {0};
    const char *folder = searching_folder("old");
    make_old_study(folder);
    expect(folder, "status old", 0, "6 of 6 trials done");
    load(folder, "old", &store, &study, &before);
    assert_int_equal(before.count, 6);
    text_format(&again,
                "%s --out old --set study.trials=8 --set search.initial=4 --set 'space.epochs=int 1..2' --set "
                "run.workers=1 --quiet",
                test_source("configs/tiny.ini"));
    expect(folder, again.data, 0, "all trials are done");
    struct store *again_store;
    struct study *again_study;
    load(folder, "old", &again_store, &again_study, &after);
    assert_int_equal(after.count, 8);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(after.record[i].point_text, before.record[i].point_text);
        assert_near(after.record[i].value[0], before.record[i].value[0], 0, 0);
        assert_near(after.record[i].seconds, before.record[i].seconds, 0, 0);
    }
    assert_int_equal(after.record[7].status, TRIAL_DONE);
    unload(again_store, again_study, &after);
    unload(store, study, &before);
    expect(folder, "ask old", 0, "9 ");
    text_clear(&again);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(a_search_leaves_alone_what_was_asked_for),
    cmocka_unit_test(nobody_asks_while_a_search_runs),
    cmocka_unit_test(an_old_study_is_read_and_goes_on),
};
TEST_MAIN(cases)
