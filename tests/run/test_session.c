/* A study driven from outside: suggestions that do not depend on who asks, results that are checked, and a record that
 * a refused call leaves as it was. */
#include "run/asking.h"

#include <pthread.h>

#include "run/files.h"
#include "run/replay.h"
#include "store/store.h"

enum { TRIALS = 14 }; /* 6 initial points, 8 by the model */

/* The points of a study that one session drove without a break; the caller frees each. */
static void undisturbed(const char *name, char *points[TRIALS])
{
    char *folder = asking_folder(name);
    struct session *session = asking_open(folder, NULL);
    for (int i = 0; i < TRIALS; i++)
        points[i] = strdup(asking_record(session, asking_step(session))->point_text);
    session_close(session);
    free(folder);
}

static void free_points(char *points[TRIALS])
{
    for (int i = 0; i < TRIALS; i++)
        free(points[i]);
}

static void a_new_session_goes_on_with_the_same_points(void **state)
{
    (void)state;
    char *expected[TRIALS], *folder = asking_folder("reopened");
    undisturbed("at-once", expected);
    for (int i = 0; i < TRIALS; i++) {
        struct session *session = asking_open(folder, NULL);
        assert_string_equal(asking_record(session, asking_step(session))->point_text, expected[i]);
        session_close(session);
    }
    free_points(expected);
    free(folder);
}

static void sessions_on_one_study_follow_each_other(void **state)
{
    (void)state;
    char *expected[TRIALS], *folder = asking_folder("shared");
    undisturbed("alone", expected);
    struct session *session[2] = {asking_open(folder, NULL), asking_open(folder, NULL)};
    for (int i = 0; i < TRIALS; i++) {
        struct session *asker = session[i % 2], *teller = session[(i / 2) % 2];
        int64_t trial, given;
        struct told told;
        assert_ok(session_ask(asker, 1, &trial, &given));
        assert_int_equal(trial, i + 1);
        const struct record *record = asking_record(asker, trial);
        assert_string_equal(record->point_text, expected[i]);
        asking_told(session_study(asker), record->point, &told);
        assert_ok(session_tell(teller, trial, &told));
    }
    session_close(session[0]);
    session_close(session[1]);
    free_points(expected);
    free(folder);
}

enum { THREADS = 4, STEPS = 6 };

struct thread {
    const char *folder;
    int64_t trial[STEPS];
};

static void *drive_alone(void *context)
{
    struct thread *thread = context;
    struct session *session = asking_open(thread->folder, NULL);
    for (int i = 0; i < STEPS; i++)
        thread->trial[i] = asking_step(session);
    session_close(session);
    return NULL;
}

static void threads_have_sessions_of_their_own(void **state)
{
    (void)state;
    char *folder = asking_folder("threads");
    struct thread thread[THREADS];
    pthread_t running[THREADS];
    bool seen[THREADS * STEPS + 1] = {false};
    for (int i = 0; i < THREADS; i++) {
        thread[i].folder = folder;
        assert_int_equal(pthread_create(&running[i], NULL, drive_alone, &thread[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(running[i], NULL), 0);
        for (int k = 0; k < STEPS; k++) {
            int64_t trial = thread[i].trial[k];
            assert_true(trial >= 1 && trial <= THREADS * STEPS && !seen[trial]);
            seen[trial] = true;
        }
    }
    free(folder);
}

static void trials_asked_at_once_differ(void **state)
{
    (void)state;
    enum { ASKED = 20 }; /* beyond the initial points: the model sees the others as pending */
    char *folder = asking_folder("many");
    struct session *session = asking_open(folder, NULL);
    int64_t first, given;
    for (int i = 0; i < 8; i++)
        asking_step(session);
    assert_ok(session_ask(session, ASKED, &first, &given));
    assert_int_equal(first, 9);
    assert_int_equal(given, ASKED);
    for (int64_t i = first; i < first + ASKED; i++)
        for (int64_t j = first; j < i; j++)
            assert_string_not_equal(asking_record(session, i)->point_text, asking_record(session, j)->point_text);
    session_close(session);
    free(folder);
}

/* What the record says, and that it says it again after a session has ended. */
static void results_are_recorded_whole(void **state)
{
    (void)state;
    char *folder = asking_folder("whole");
    struct session *session = asking_open(folder, NULL);
    const struct study *study = session_study(session);
    int64_t first, given, other;
    struct told told;
    assert_ok(session_ask(session, 3, &first, &given));
    double *point = calloc(study->space.count, sizeof *point);
    memcpy(point, asking_record(session, 1)->point, study->space.count * sizeof *point);
    asking_told(study, point, &told);
    assert_ok(told_set(&told, study, "seconds", 2.5, NULL));
    assert_ok(session_tell(session, 1, &told));
    assert_ok(session_fail(session, 2, "nan"));
    told.seconds = NAN;
    assert_ok(session_tell_point(session, point, &told, &other)); /* a replicate of trial 1 */
    assert_int_equal(other, 4);
    session_close(session);

    session = asking_open(folder, NULL);
    study = session_study(session);
    const struct record *done = asking_record(session, 1), *failed = asking_record(session, 2);
    double h1 = point[0], h2 = point[1];
    assert_int_equal(done->status, TRIAL_DONE);
    assert_near(done->value[0], asking_loss(&study->space, point), 0, 0);
    assert_near(done->value[1], 784 * h1 + h1 * h2 + 10 * h2, 0, 0);
    assert_near(done->value[2], asking_latency(&study->space, point), 0, 0);
    assert_near(done->seconds, 2.5, 0, 0);
    assert_int_equal(failed->status, TRIAL_FAILED);
    assert_string_equal(failed->cause, "nan");
    assert_int_equal(asking_record(session, 3)->status, TRIAL_RUNNING);
    assert_true(session_is_asker(asking_record(session, 3)->owner));
    const struct record *replicate = asking_record(session, 4);
    assert_string_equal(replicate->method, "told");
    assert_string_equal(replicate->point_text, done->point_text);
    assert_true(isnan(replicate->seconds));
    session_close(session);
    free(point);
    free(folder);
}

/* One study with trials in every state, and a log that hears why a call was refused. */
struct refusal {
    char *folder, *store, *before;
    struct log *log;
    struct session *session;
    struct told told;
    double *point;
};

static void refusal_open(struct refusal *refusal, const char *name)
{
    int64_t first, given;
    *refusal = (struct refusal){.folder = asking_folder(name), .log = test_log()};
    refusal->session = asking_open(refusal->folder, refusal->log);
    refusal->store = file_join(refusal->folder, "study");
    const struct study *study = session_study(refusal->session);
    assert_ok(session_ask(refusal->session, 3, &first, &given)); /* 1: done, 2: failed, 3: running */
    refusal->point = calloc(study->space.count, sizeof *refusal->point);
    memcpy(refusal->point, asking_record(refusal->session, 1)->point, study->space.count * sizeof *refusal->point);
    asking_told(study, refusal->point, &refusal->told);
    assert_ok(session_tell(refusal->session, 1, &refusal->told));
    assert_ok(session_fail(refusal->session, 2, "nan"));
    refusal->before = asking_dump(refusal->store);
}

static void refusal_close(struct refusal *refusal)
{
    session_close(refusal->session);
    log_destroy(refusal->log);
    free(refusal->before);
    free(refusal->store);
    free(refusal->folder);
    free(refusal->point);
}

/* The call was refused with these words, and the study is what it was. */
static void expect_refused(struct refusal *refusal, nr_status got, nr_status expected, const char *words)
{
    char *after = asking_dump(refusal->store);
    assert_int_equal(got, expected);
    test_log_has(refusal->log, words);
    assert_string_equal(after, refusal->before);
    free(after);
}

static void ended_and_unknown_trials_are_refused(void **state)
{
    (void)state;
    struct refusal r;
    refusal_open(&r, "ended");
    expect_refused(&r, session_tell(r.session, 4, &r.told), NR_NOT_FOUND, "there is no trial 4; expected 1 to 3");
    expect_refused(&r, session_tell(r.session, 0, &r.told), NR_NOT_FOUND, "there is no trial 0; expected 1 to 3");
    expect_refused(&r, session_tell(r.session, -7, &r.told), NR_NOT_FOUND, "there is no trial -7");
    expect_refused(&r, session_tell(r.session, 1, &r.told), NR_INVALID, "trial 1 has ended already: it is done");
    expect_refused(&r, session_tell(r.session, 2, &r.told), NR_INVALID, "trial 2 has ended already: it is failed");
    expect_refused(&r, session_fail(r.session, 1, "late"), NR_INVALID, "trial 1 has ended already: it is done");
    expect_refused(&r, session_fail(r.session, 9, "x"), NR_NOT_FOUND, "there is no trial 9");
    refusal_close(&r);
}

static void wrong_values_are_refused(void **state)
{
    (void)state;
    struct refusal r;
    struct told told;
    refusal_open(&r, "values");
    const struct study *study = session_study(r.session);
    told_init(&told);
    expect_refused(&r, session_tell(r.session, 3, &told), NR_INVALID, "loss is missing; expected loss and latency");
    expect_refused(&r, told_set(&told, study, "los", 1, r.log), NR_INVALID,
                   "\"los\" is no value of this study; expected loss and latency");
    expect_refused(&r, told_set(&told, study, "loss", NAN, r.log), NR_INVALID, "loss is nan; expected a finite number");
    expect_refused(&r, told_set(&told, study, "loss", -INFINITY, r.log), NR_INVALID, "loss is -inf");
    expect_refused(&r, told_set(&told, study, "seconds", -1, r.log), NR_INVALID, "seconds is -1; expected 0 or more");
    assert_ok(told_set(&told, study, "loss", 1, r.log));
    expect_refused(&r, told_set(&told, study, "loss", 1, r.log), NR_INVALID, "loss is told twice");
    expect_refused(&r, session_tell(r.session, 3, &told), NR_INVALID, "latency is missing");
    assert_ok(told_set(&told, study, "latency", 1, r.log));
    assert_ok(told_set(&told, study, "size", 5, r.log));
    expect_refused(&r, session_tell(r.session, 3, &told), NR_INVALID, "size is ");
    refusal_close(&r);
}

static void points_that_are_not_allowed_are_refused(void **state)
{
    (void)state;
    struct refusal r;
    int64_t trial;
    refusal_open(&r, "points");
    const struct space *space = &session_study(r.session)->space;
    double h1 = r.point[space_find(space, "h1")];
    r.point[space_find(space, "h1")] = 8;
    r.point[space_find(space, "h2")] = 9;
    expect_refused(&r, session_tell_point(r.session, r.point, &r.told, &trial), NR_INVALID, "narrowing");
    r.point[space_find(space, "h1")] = h1;
    refusal_close(&r);
}

static void counts_out_of_range_are_refused(void **state)
{
    (void)state;
    struct refusal r;
    int64_t first, given;
    refusal_open(&r, "counts");
    static const int64_t counts[] = {0, -1, SESSION_MOST_ASKED + 1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        expect_refused(&r, session_ask(r.session, counts[i], &first, &given), NR_INVALID, "expected 1 to 1000");
    refusal_close(&r);
}

static void another_configuration_is_refused(void **state)
{
    (void)state;
    struct refusal r;
    struct session *session;
    refusal_open(&r, "other");
    char *path = file_join(r.folder, "asked.ini");
    const char *set[] = {"space.h1=int 8..128 log"};
    struct session_options options = {
        .study = path, .folder = r.store, .set = set, .sets = 1, .asker = "a test", .log = r.log};
    expect_refused(&r, session_open(&options, &session), NR_INVALID, "space.h1 = int 8..128 log");
    options = (struct session_options){.study = r.store, .set = set, .sets = 1, .asker = "a test", .log = r.log};
    expect_refused(&r, session_open(&options, &session), NR_INVALID, "--set is for a configuration");
    free(path);
    refusal_close(&r);
}

static void a_small_space_ends(void **state)
{
    (void)state;
    static const char configuration[] = "[study]\nname = small\n[space]\na = bool\nb = choice x, y, z\n"
                                        "[objectives]\nf = maximize\n[search]\ninitial = 2\n";
    char *folder = asking_folder("small"), *path = file_join(folder, "small.ini"), *study = file_join(folder, "s");
    struct session_options options = {.study = path, .folder = study, .asker = "a test"};
    struct session *session;
    int64_t first, given;
    assert_ok(file_replace(path, configuration, strlen(configuration), false, NULL));
    assert_ok(session_open(&options, &session));
    assert_ok(session_ask(session, 4, &first, &given));
    assert_int_equal(given, 4);
    assert_ok(session_ask(session, 4, &first, &given));
    assert_int_equal(first, 5);
    assert_int_equal(given, 2);
    assert_ok(session_ask(session, 1, &first, &given));
    assert_int_equal(given, 0);
    session_close(session);
    free(study);
    free(path);
    free(folder);
}

/* replay_before() leaves the optimizer where the recorded suggestion was made: made again, it is the same. */
static void every_suggestion_can_be_made_again(void **state)
{
    (void)state;
    char *folder = asking_folder("again"), *store_path = file_join(folder, "study");
    struct session *session = asking_open(folder, NULL);
    for (int i = 0; i < TRIALS; i++)
        asking_step(session);
    struct store *store;
    struct study *study;
    struct problem problem;
    assert_ok(files_open_study(store_path, true, NULL, &store, &study));
    problem_init_external(&problem, study);
    for (int64_t trial = 1; trial <= TRIALS; trial += 3) {
        struct replay replay = {.study = study, .store = store};
        struct suggestion suggestion;
        assert_ok(replay_create_optimizer(&problem, NULL, &replay.optimizer));
        assert_ok(replay_before(&replay, trial));
        assert_ok(optimizer_suggest(replay.optimizer, trial, &suggestion));
        assert_true(point_equal(&study->space, suggestion.point, asking_record(session, trial)->point));
        assert_string_equal(suggestion.fit, asking_record(session, trial)->fit);
        optimizer_destroy(replay.optimizer);
    }
    store_close(store);
    study_destroy(study);
    session_close(session);
    free(store_path);
    free(folder);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(a_new_session_goes_on_with_the_same_points),
    cmocka_unit_test(sessions_on_one_study_follow_each_other),
    cmocka_unit_test(threads_have_sessions_of_their_own),
    cmocka_unit_test(trials_asked_at_once_differ),
    cmocka_unit_test(results_are_recorded_whole),
    cmocka_unit_test(ended_and_unknown_trials_are_refused),
    cmocka_unit_test(wrong_values_are_refused),
    cmocka_unit_test(points_that_are_not_allowed_are_refused),
    cmocka_unit_test(counts_out_of_range_are_refused),
    cmocka_unit_test(another_configuration_is_refused),
    cmocka_unit_test(a_small_space_ends),
    cmocka_unit_test(every_suggestion_can_be_made_again),
};
TEST_MAIN(cases)
