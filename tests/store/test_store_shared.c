/* store: several calls as one, for programs that share a study. */
#include "support/test.h"

#include <unistd.h>

#include "store/store.h"

static const struct store_study shared = {.objective = {"loss", "size", "latency"},
                                          .name = "shared",
                                          .identity = "",
                                          .configuration = "",
                                          .version = "0.1.0",
                                          .device = "",
                                          .data_name = "",
                                          .data_digest = ""};

static const char *fresh_path(void)
{
    static char path[256];
    static int number;
    snprintf(path, sizeof path, "%s/shared%d.db", test_folder(), ++number);
    return path;
}

static struct store *open_store(const char *path)
{
    struct store *store;
    assert_ok(store_open(path, false, NULL, &store));
    return store;
}

static nr_status suggest(struct store *store, int64_t number)
{
    struct store_trial trial = {.trial = number, .point = "a=1", .method = "told", .value = {NAN, 7, NAN}};
    for (size_t i = 3; i < STORE_MAX_VALUES; i++)
        trial.value[i] = NAN;
    return store_suggest(store, &trial);
}

static void expect_state(struct store *store, int64_t trials, int64_t event)
{
    int64_t count, newest;
    assert_ok(store_count(store, &count));
    assert_ok(store_newest_event(store, &newest));
    assert_int_equal(count, trials);
    assert_int_equal(newest, event);
}

static void what_is_held_is_recorded_together(void **state)
{
    (void)state;
    const char *path = fresh_path();
    const double value[] = {0.5, NAN, 3};
    struct store *store = open_store(path), *other = open_store(path);
    assert_ok(store_begin(store, &shared));
    assert_ok(store_hold(store));
    assert_ok(suggest(store, 1));
    assert_ok(store_start(store, 1, 1, "asked by a test"));
    assert_ok(store_finish(store, 1, TRIAL_DONE, "", value, NAN));
    expect_state(store, 1, 2); /* its own calls see it, */
    expect_state(other, 0, 0); /* others only when it is released */
    assert_ok(store_release(store, NR_OK));
    expect_state(other, 1, 2);
    store_close(other);
    store_close(store);
}

static void what_is_held_is_taken_back_together(void **state)
{
    (void)state;
    const char *path = fresh_path();
    int64_t before, after;
    struct store *store = open_store(path);
    assert_ok(store_begin(store, &shared));
    assert_ok(store_version(store, &before));
    assert_ok(store_hold(store));
    assert_ok(suggest(store, 1));
    assert_int_equal(suggest(store, 1), NR_INVALID);
    assert_int_equal(store_release(store, NR_INVALID), NR_INVALID);
    assert_ok(store_version(store, &after));
    assert_int_equal(after, before);
    expect_state(store, 0, 0);
    assert_ok(suggest(store, 1)); /* alone again: a transaction of its own */
    expect_state(store, 1, 1);
    store_close(store);
}

static nr_status see(void *context, const struct store_trial *trial)
{
    *(struct store_trial *)context = *trial;
    return NR_OK;
}

static void a_told_trial_has_no_seconds_unless_told(void **state)
{
    (void)state;
    const double value[] = {0.5, NAN, 3};
    struct store_trial seen = {0};
    struct store *store = open_store(fresh_path());
    assert_ok(store_begin(store, &shared));
    for (int64_t trial = 1; trial <= 3; trial++) {
        assert_ok(suggest(store, trial));
        assert_ok(store_start(store, trial, 1, "asked by a test"));
    }
    assert_ok(store_finish(store, 1, TRIAL_DONE, "", value, NAN));
    assert_ok(store_finish(store, 2, TRIAL_DONE, "", value, 2.5));
    assert_ok(store_trials_between(store, 1, 1, see, &seen));
    assert_int_equal(seen.trial, 1);
    assert_true(isnan(seen.seconds));
    assert_near(seen.value[0], 0.5, 0, 0);
    assert_near(seen.value[1], 7, 0, 0); /* known since the suggestion */
    assert_near(seen.value[2], 3, 0, 0);
    assert_ok(store_trials_between(store, 2, 2, see, &seen));
    assert_near(seen.seconds, 2.5, 0, 0);
    assert_ok(store_trials_between(store, 3, 3, see, &seen));
    assert_int_equal(seen.status, TRIAL_RUNNING);
    seen.trial = -1;
    assert_ok(store_trials_between(store, 4, INT64_MAX, see, &seen));
    assert_int_equal(seen.trial, -1);
    store_close(store);
}

/* Not waiting for the disk hides nothing from others. */
static void writing_behind_is_seen_at_once(void **state)
{
    (void)state;
    const char *path = fresh_path();
    struct store *store = open_store(path), *other;
    assert_ok(store_begin(store, &shared));
    assert_ok(store_write_behind(store));
    other = open_store(path);
    for (int64_t trial = 1; trial <= 20; trial++) {
        assert_ok(suggest(trial % 2 ? store : other, trial));
        expect_state(trial % 2 ? other : store, trial, trial);
        if (trial % 5 == 0)
            assert_ok(store_sync(store));
    }
    assert_ok(store_sync(other)); /* waits anyway: nothing to do */
    store_close(other);
    store_close(store);
    assert_ok(store_open(path, true, NULL, &store));
    expect_state(store, 20, 20);
    store_close(store);
}

/* What were written now would be gone with the last process that has the file open. */
static void a_file_that_was_deleted_takes_nothing(void **state)
{
    (void)state;
    const char *path = fresh_path();
    struct store *store = open_store(path);
    assert_ok(store_begin(store, &shared));
    assert_ok(store_hold(store));
    assert_ok(store_release(store, NR_OK));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_hold(store), NR_STORE);
    expect_state(store, 0, 0);
    assert_int_equal(store_hold(store), NR_STORE); /* the first left no transaction open */
    store_close(store);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(what_is_held_is_recorded_together),
    cmocka_unit_test(what_is_held_is_taken_back_together),
    cmocka_unit_test(a_told_trial_has_no_seconds_unless_told),
    cmocka_unit_test(writing_behind_is_seen_at_once),
    cmocka_unit_test(a_file_that_was_deleted_takes_nothing),
};
TEST_MAIN(cases)
