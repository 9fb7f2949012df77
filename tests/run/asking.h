/* An external study for the tests of ask and tell: every kind of dimension, a condition, an exact objective, a known
 * and an outcome constraint. */
#ifndef NASRUN_TESTS_ASKING_H
#define NASRUN_TESTS_ASKING_H

#include "support/test.h"

#include "base/file.h"
#include "run/session.h"

static const char asking_configuration[] = "[study]\nname = asked\nseed = 3\n"
                                           "[space]\n"
                                           "h1 = int 8..256 log\n"
                                           "h2 = int 8..256 log\n"
                                           "lr = real 1e-4..1e-1 log\n"
                                           "op = choice skip, relu, tanh\n"
                                           "momentum = real 0..0.99 if op = relu\n"
                                           "batch = ordered 16, 32, 64\n"
                                           "norm = bool\n"
                                           "decay = fixed 5e-4\n"
                                           "[objectives]\n"
                                           "loss = minimize\n"
                                           "size = minimize exact=\"784*h1 + h1*h2 + 10*h2\"\n"
                                           "[constraints]\n"
                                           "narrowing = h2 <= h1\n"
                                           "latency = <= 5\n"
                                           "[search]\ninitial = 6\n";

/* A fresh folder NAME in the test's folder with asked.ini in it; the caller frees. */
static inline char *asking_folder(const char *name)
{
    char *folder = file_join(test_folder(), name);
    assert_ok(file_make_folder(folder, NULL));
    char *path = file_join(folder, "asked.ini");
    assert_ok(file_replace(path, asking_configuration, strlen(asking_configuration), false, NULL));
    free(path);
    return folder;
}

/* What an evaluation of a point gives, as a program outside would measure it. */
static inline double asking_loss(const struct space *space, const double *point)
{
    double h1 = point[space_find(space, "h1")], h2 = point[space_find(space, "h2")];
    double rate = log10(point[space_find(space, "lr")]) + 2.5;
    return 1 / log(h1) + 0.5 / log(h2) + 0.1 * rate * rate + 0.05 * point[space_find(space, "norm")];
}

static inline double asking_latency(const struct space *space, const double *point)
{
    return point[space_find(space, "h1")] / 40;
}

static inline void asking_told(const struct study *study, const double *point, struct told *told)
{
    told_init(told);
    assert_ok(told_set(told, study, "loss", asking_loss(&study->space, point), NULL));
    assert_ok(told_set(told, study, "latency", asking_latency(&study->space, point), NULL));
}

/* asked.ini in `folder`, its study in FOLDER/study. */
static inline struct session *asking_open(const char *folder, struct log *log)
{
    char *path = file_join(folder, "asked.ini"), *study = file_join(folder, "study");
    struct session *session;
    struct session_options options = {.study = path, .folder = study, .asker = "a test", .log = log};
    assert_ok(session_open(&options, &session));
    free(study);
    free(path);
    return session;
}

static inline const struct record *asking_record(struct session *session, int64_t trial)
{
    const struct results *results;
    assert_ok(session_results(session, &results));
    assert_true(trial >= 1 && trial <= (int64_t)results->count);
    return &results->record[trial - 1];
}

/* Asks for one trial and tells it; its number. */
static inline int64_t asking_step(struct session *session)
{
    int64_t trial, given;
    struct told told;
    assert_ok(session_ask(session, 1, &trial, &given));
    assert_int_equal(given, 1);
    asking_told(session_study(session), asking_record(session, trial)->point, &told);
    assert_ok(session_tell(session, trial, &told));
    return trial;
}

static inline nr_status asking_dump_trial(void *context, const struct store_trial *trial)
{
    struct text *dump = context;
    text_format(dump, "%lld %d \"%s\" \"%s\" \"%s\" %s", (long long)trial->trial, (int)trial->status, trial->cause,
                trial->point, trial->owner, trial->fit);
    for (size_t i = 0; i < STORE_MAX_VALUES; i++)
        text_format(dump, " %.17g", trial->value[i]);
    text_format(dump, " %.17g\n", trial->seconds);
    return NR_OK;
}

static inline nr_status asking_dump_event(void *context, const struct store_event *event,
                                          const struct store_trial *trial)
{
    (void)trial;
    text_format(context, "%lld %s %lld\n", (long long)event->number, event->kind, (long long)event->trial);
    return NR_OK;
}

/* Everything that the store in STUDY knows of trials, and how often it was written to; the caller frees. */
static inline char *asking_dump(const char *study)
{
    struct text dump = {0};
    struct store *store;
    int64_t version;
    char *path = file_join(study, "study.db");
    assert_ok(store_open(path, true, NULL, &store));
    assert_ok(store_version(store, &version));
    text_format(&dump, "version %lld\n", (long long)version);
    assert_ok(store_trials(store, asking_dump_trial, &dump));
    assert_ok(store_events(store, 0, asking_dump_event, &dump));
    store_close(store);
    free(path);
    return text_take(&dump);
}

#endif
