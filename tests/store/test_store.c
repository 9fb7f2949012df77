/* store: what is recorded comes back, in order, once; what must be refused is refused. */
#include "support/test.h"

#include <sqlite3.h>

#include "store/store.h"

static const struct store_study mnist = {
    .objective = {"val_accuracy", "parameters"},
    .name = "mnist",
    .identity = "search.method = bo\nsearch.initial = 12\n",
    .configuration = "[study]\nname = mnist ; \"it's\" \xc3\xa9\n",
    .version = "0.1.0",
    .device = "cpu, AVX-512",
    .data_name = "mnist",
    .data_digest = "00ff",
    .seed = INT64_MAX,
};

/* A fresh path per call. */
static const char *fresh_path(void)
{
    static char path[256];
    static int number;
    snprintf(path, sizeof path, "%s/study%d.db", test_folder(), ++number);
    return path;
}

static struct store *begun(const char *path)
{
    struct store *store;
    assert_ok(store_open(path, false, NULL, &store));
    assert_ok(store_begin(store, &mnist));
    return store;
}

static struct store_trial suggestion(int64_t trial, double parameters)
{
    return (struct store_trial){.trial = trial,
                                .point = "hidden1=64 learning_rate=0.0031",
                                .identity = "abc",
                                .summary = "784-64-relu-10",
                                .method = "bo",
                                .fit = "scale=1.5",
                                .note = "EHVI",
                                .value = {NAN, parameters, NAN, NAN, NAN, NAN, NAN, NAN}};
}

static void suggest_and_start(struct store *store, int64_t trial)
{
    struct store_trial suggested = suggestion(trial, (double)trial * 1000);
    assert_ok(store_suggest(store, &suggested));
    assert_ok(store_start(store, trial, 1, "worker 1"));
}

struct seen_trials {
    size_t count;
    struct store_trial trial[16];
    char cause[16][64], point[16][64];
};

static nr_status see_trial(void *context, const struct store_trial *trial)
{
    struct seen_trials *seen = context;
    assert_true(seen->count < 16);
    seen->trial[seen->count] = *trial;
    snprintf(seen->cause[seen->count], sizeof *seen->cause, "%s", trial->cause);
    snprintf(seen->point[seen->count++], sizeof *seen->point, "%s", trial->point);
    return NR_OK;
}

static nr_status see_event(void *context, const struct store_event *event, const struct store_trial *trial)
{
    char *line = context;
    snprintf(line + strlen(line), 1024 - strlen(line), "%lld %s %lld %s %g %g %s\n", (long long)event->number,
             event->kind, (long long)event->trial, trial_status_name(trial->status), trial->value[0], trial->value[1],
             trial->fit);
    assert_true(event->trial == trial->trial && event->time > 1.7e9);
    return NR_OK;
}

static void a_study_comes_back(void **state)
{
    (void)state;
    const char *path = fresh_path();
    struct store *store;
    struct store_study study;
    assert_ok(store_open(path, false, NULL, &store));
    assert_int_equal(store_study(store, &study), NR_NOT_FOUND);
    assert_ok(store_begin(store, &mnist));
    struct log *log = test_log();
    store_close(store);
    assert_ok(store_open(path, false, log, &store));
    assert_int_equal(store_begin(store, &mnist), NR_INVALID);
    test_log_has(log, "begun here already");
    assert_ok(store_study(store, &study));
    assert_string_equal(study.name, mnist.name);
    assert_string_equal(study.identity, mnist.identity);
    assert_string_equal(study.configuration, mnist.configuration);
    assert_string_equal(study.version, mnist.version);
    assert_string_equal(study.device, mnist.device);
    assert_string_equal(study.data_name, mnist.data_name);
    assert_string_equal(study.data_digest, mnist.data_digest);
    assert_string_equal(study.objective[0], "val_accuracy");
    assert_string_equal(study.objective[1], "parameters");
    assert_null(study.objective[2]);
    assert_true(study.seed == INT64_MAX);
    assert_ok(store_set_configuration(store, "[study]\ntrials = 96\n"));
    assert_ok(store_study(store, &study));
    assert_string_equal(study.configuration, "[study]\ntrials = 96\n");
    assert_string_equal(study.identity, mnist.identity);
    assert_string_equal(store_end(store), "");
    assert_ok(store_set_end(store, "trials"));
    assert_string_equal(store_end(store), "trials");
    assert_ok(store_set_end(store, ""));
    assert_string_equal(store_end(store), "");
    store_close(store);
    log_destroy(log);
}

static void record_some(struct store *store)
{
    suggest_and_start(store, 1);
    suggest_and_start(store, 2);
    struct store_epoch epoch = {.trial = 1,
                                .attempt = 1,
                                .epoch = 1,
                                .train_loss = 0.5,
                                .validation_loss = NAN,
                                .validation_accuracy = 0.9,
                                .learning_rate = 1e-3,
                                .seconds = 2};
    assert_ok(store_record_epoch(store, &epoch));
    epoch.epoch = 2;
    epoch.validation_accuracy = 0.7;
    assert_ok(store_record_epoch(store, &epoch));
    epoch.validation_accuracy = 0.95; /* trained again after a resume */
    assert_ok(store_record_epoch(store, &epoch));
    assert_ok(store_finish(store, 2, TRIAL_FAILED, "loss is nan at step 3", NULL, 0.25));
    struct store_trial third = suggestion(3, 3000);
    assert_ok(store_suggest(store, &third));
    double value[] = {0.95, NAN};
    assert_ok(store_finish(store, 1, TRIAL_DONE, "", value, 4.5));
}

static void the_life_of_trials(void **state)
{
    (void)state;
    const char *path = fresh_path();
    struct store *store = begun(path);
    record_some(store);
    for (int again = 0; again < 2; again++) { /* the same from the same connection and from a new one */
        struct seen_trials seen = {0};
        assert_ok(store_trials(store, see_trial, &seen));
        assert_int_equal(seen.count, 3);
        const struct store_trial *t = seen.trial;
        assert_true(t[0].trial == 1 && t[1].trial == 2 && t[2].trial == 3);
        assert_int_equal(t[0].status, TRIAL_DONE);
        assert_int_equal(t[1].status, TRIAL_FAILED);
        assert_int_equal(t[2].status, TRIAL_QUEUED);
        assert_string_equal(seen.cause[1], "loss is nan at step 3");
        assert_string_equal(seen.point[0], "hidden1=64 learning_rate=0.0031");
        assert_true(t[0].value[0] == 0.95 && t[0].value[1] == 1000 && isnan(t[0].value[2]));
        assert_true(isnan(t[1].value[0]) && t[1].value[1] == 2000); /* a failed trial keeps what was known */
        assert_true(t[0].epochs == 2 && t[0].seconds == 4.5 && t[1].seconds == 0.25 && t[2].seconds == 0);
        assert_true(t[0].started >= t[0].suggested && t[0].ended >= t[0].started && isnan(t[2].started));
        store_close(store);
        assert_ok(store_open(path, again == 0, NULL, &store));
    }
    store_close(store);
}

static void events_replay_in_order(void **state)
{
    (void)state;
    const char *path = fresh_path();
    struct store *store = begun(path);
    record_some(store);
    char lines[1024] = "";
    assert_ok(store_events(store, 0, see_event, lines));
    assert_string_equal(lines, "1 suggest 1 queued nan 1000 scale=1.5\n"
                               "2 suggest 2 queued nan 2000 scale=1.5\n"
                               "3 finish 2 failed nan 2000 scale=1.5\n"
                               "4 suggest 3 queued nan 3000 scale=1.5\n"
                               "5 finish 1 done 0.95 1000 scale=1.5\n");
    *lines = '\0';
    assert_ok(store_events(store, 4, see_event, lines));
    assert_string_equal(lines, "5 finish 1 done 0.95 1000 scale=1.5\n");
    store_close(store);
}

static nr_status sum_epochs(void *context, const struct store_epoch *epoch)
{
    *(double *)context += epoch->validation_accuracy * (double)epoch->epoch;
    return NR_OK;
}

struct nested {
    struct store *store;
    double sum;
    int calls;
};

static nr_status read_inside(void *context, const struct store_trial *trial)
{
    struct nested *nested = context;
    double accuracy, loss;
    assert_ok(store_epochs(nested->store, trial->trial, sum_epochs, &nested->sum));
    assert_ok(store_test(nested->store, trial->trial, &accuracy, &loss));
    return ++nested->calls == 2 ? NR_EXHAUSTED : NR_OK;
}

static void callbacks_read_and_stop(void **state)
{
    (void)state;
    struct store *store = begun(fresh_path());
    record_some(store);
    struct nested nested = {.store = store};
    assert_int_equal(store_trials(store, read_inside, &nested), NR_EXHAUSTED);
    assert_int_equal(nested.calls, 2);
    assert_near(nested.sum, 0.9 + 2 * 0.95, 1e-15, 0);
    assert_ok(store_requeue(store, 3)); /* nothing was left open */
    store_close(store);
}

static void what_is_refused(void **state)
{
    (void)state;
    struct log *log = test_log();
    const char *path = fresh_path();
    struct store *store;
    assert_ok(store_open(path, false, log, &store));
    struct store_trial first = suggestion(1, 1);
    assert_int_equal(store_suggest(store, &first), NR_NOT_FOUND);
    test_log_has(log, "no study has begun here");
    struct store_study nothing = {.name = "x"};
    assert_int_equal(store_begin(store, &nothing), NR_INVALID);
    assert_ok(store_begin(store, &mnist));
    record_some(store);
    double value[] = {0.99, 1};
    int64_t before, after;
    assert_ok(store_version(store, &before));
    log_clear_text(log);
    assert_int_equal(store_finish(store, 1, TRIAL_DONE, "", value, 1), NR_INVALID);
    test_log_has(log, "trial 1 is done already");
    assert_int_equal(store_finish(store, 2, TRIAL_STOPPED, "", value, 1), NR_INVALID);
    test_log_has(log, "trial 2 is failed already");
    assert_int_equal(store_finish(store, 3, TRIAL_RUNNING, "", value, 1), NR_INVALID);
    assert_int_equal(store_finish(store, 9, TRIAL_DONE, "", value, 1), NR_NOT_FOUND);
    log_clear_text(log);
    assert_int_equal(store_suggest(store, &first), NR_INVALID);
    test_log_has(log, "there is a trial 1 already");
    assert_int_equal(store_requeue(store, 1), NR_INVALID);
    assert_int_equal(store_start(store, 1, 2, "x"), NR_INVALID);
    struct store_epoch late = {.trial = 1, .attempt = 1, .epoch = 3};
    assert_int_equal(store_record_epoch(store, &late), NR_INVALID);
    assert_int_equal(store_record_test(store, 9, 0.5, 1), NR_NOT_FOUND);
    assert_ok(store_version(store, &after));
    assert_true(before == after);
    struct seen_trials seen = {0};
    assert_ok(store_trials(store, see_trial, &seen));
    assert_true(seen.trial[0].value[0] == 0.95 && seen.trial[0].epochs == 2);
    store_close(store);
    log_destroy(log);
}

static void attempts_and_tests(void **state)
{
    (void)state;
    struct store *store = begun(fresh_path());
    int64_t version, next;
    double accuracy, loss;
    suggest_and_start(store, 1);
    assert_ok(store_version(store, &version));
    assert_ok(store_requeue(store, 1));
    assert_ok(store_version(store, &next));
    assert_true(next > version);
    assert_ok(store_start(store, 1, 2, "worker 2"));
    struct seen_trials seen = {0};
    assert_ok(store_trials(store, see_trial, &seen));
    assert_true(seen.trial[0].attempt == 2 && seen.trial[0].status == TRIAL_RUNNING);
    assert_ok(store_test(store, 1, &accuracy, &loss));
    assert_true(isnan(accuracy) && isnan(loss));
    assert_ok(store_finish(store, 1, TRIAL_STOPPED, "dominated", NULL, 1));
    assert_ok(store_record_test(store, 1, 0.5, 2));
    assert_ok(store_record_test(store, 1, 0.98, NAN)); /* again: the newest counts */
    assert_ok(store_test(store, 1, &accuracy, &loss));
    assert_true(accuracy == 0.98 && isnan(loss));
    store_close(store);
}

/* People's queries, and the triggers that guard what must not change. */
static void tables_for_people(void **state)
{
    (void)state;
    const char *path = fresh_path();
    struct store *store = begun(path);
    record_some(store);
    store_close(store);
    sqlite3 *people;
    sqlite3_stmt *row;
    assert_int_equal(sqlite3_open(path, &people), SQLITE_OK);
    static const char sql[] = "SELECT trial, value FROM results WHERE objective = 'val_accuracy' AND state = 'done'";
    assert_int_equal(sqlite3_prepare_v2(people, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    assert_true(sqlite3_column_int(row, 0) == 1 && sqlite3_column_double(row, 1) == 0.95);
    assert_int_equal(sqlite3_step(row), SQLITE_DONE);
    sqlite3_finalize(row);
    static const char *const forbidden[] = {
        "UPDATE events SET time = 0",
        "DELETE FROM events",
        "UPDATE objective_values SET value = 1",
        "DELETE FROM objective_values",
        "DELETE FROM trials",
        "UPDATE trials SET cause = '' WHERE trial = 2",
        "INSERT INTO events (study, trial, kind, time) VALUES (1, 1, 'finish', 0)",
    };
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        assert_int_equal(sqlite3_exec(people, forbidden[i], NULL, NULL, NULL), SQLITE_CONSTRAINT);
    sqlite3_close(people);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(a_study_comes_back),     cmocka_unit_test(the_life_of_trials),
    cmocka_unit_test(events_replay_in_order), cmocka_unit_test(callbacks_read_and_stop),
    cmocka_unit_test(what_is_refused),        cmocka_unit_test(attempts_and_tests),
    cmocka_unit_test(tables_for_people),
};
TEST_MAIN(cases)
