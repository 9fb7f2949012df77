/* libnasrun: Bayesian optimisation by ask and tell, in the caller's process.
 *
 * A study is a configuration file that says what may vary and what is wanted:
 *
 *     [study]
 *     name = forest
 *     [space]
 *     trees = int 10..1000 log
 *     depth = int 2..30
 *     [objectives]
 *     error   = minimize
 *     seconds = minimize
 *
 * and a folder that keeps its record. A program asks for trials, runs them, and tells what came of them:
 *
 *     char error[NASRUN_ERROR_SIZE];
 *     nasrun_study *study = nasrun_open("forest.ini", "runs/forest", error, sizeof error);
 *     int64_t trial;
 *     size_t given;
 *     while (nasrun_ask(study, 1, &trial, &given) == NASRUN_OK && given) {
 *         double trees, depth;
 *         nasrun_number(study, trial, "trees", &trees);
 *         nasrun_number(study, trial, "depth", &depth);
 *         ...
 *         struct nasrun_value values[] = {{"error", 0.12}, {"seconds", 3.5}};
 *         nasrun_tell(study, trial, values, 2, NAN);
 *     }
 *     nasrun_close(study);
 *
 * Compile and link with `pkg-config --cflags --libs nasrun`.
 *
 * Record. What a call has returned NASRUN_OK for survives the death of the process; it is on disk, safe from a loss of
 * power, after nasrun_flush() or nasrun_close(). A study that is opened again goes on where it was, with the
 * suggestions that would have come without the interruption. Programs in any number may work on one study at the same
 * time: others with this library, and `nasrun ask`, `nasrun tell`, `nasrun serve`. `nasrun status`, `pareto`, `trials`
 * show it.
 *
 * Errors. A call that can fail returns an enum nasrun_status; nasrun_error() then says in a sentence what was found and
 * what was expected. A call that fails changes nothing: neither the study nor what its pointers point to.
 *
 * Ownership. Strings that are given are copied; strings and structs that are returned belong to the study, until the
 * next call that asks, tells, fails or reads the front, or nasrun_close().
 *
 * Threads. A study that was opened is used by one thread at a time; different ones, also of the same folder, may be
 * used by different threads at once. The library starts no thread and installs no signal handler. A child after fork()
 * opens the study anew. */
#ifndef NASRUN_H
#define NASRUN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define NASRUN_API __attribute__((visibility("default")))
#else
#define NASRUN_API
#endif

enum { NASRUN_ERROR_SIZE = 1024 };

enum nasrun_status {
    NASRUN_OK = 0,
    NASRUN_INVALID = 1,   /* an argument, a configuration, a state that does not allow the call */
    NASRUN_NOT_FOUND = 2, /* no such study, trial, parameter or value */
    NASRUN_NO_MEMORY = 3,
    NASRUN_FAILED = 4 /* the store or a file failed: a full disk, a damaged database */
};

typedef struct nasrun_study nasrun_study;

/* The library's version, "1.2.3"; static. */
NASRUN_API const char *nasrun_version(void);

/* Opens a study: a configuration file, whose study begins or goes on in `folder` (NULL: runs/<its name>), or with
 * `folder` NULL a study's folder or its name under runs/. NULL when that fails, with the reason in `error` (NULL: not
 * wanted; NASRUN_ERROR_SIZE bytes hold every one). */
NASRUN_API nasrun_study *nasrun_open(const char *study, const char *folder, char *error, size_t size);
/* Flushes and releases; accepts NULL. */
NASRUN_API void nasrun_close(nasrun_study *study);
/* The reason of the last call that failed, "" when none did. */
NASRUN_API const char *nasrun_error(const nasrun_study *study);

/* The parameters, numbered from 0 in the order of the configuration; NULL beyond the last. Elements of a vector are
 * parameters of their own: "width[0]". */
NASRUN_API size_t nasrun_parameters(const nasrun_study *study);
NASRUN_API const char *nasrun_parameter_name(const nasrun_study *study, size_t parameter);
/* The values of a trial: the objectives in order, then what else is constrained. */
NASRUN_API size_t nasrun_values(const nasrun_study *study);
NASRUN_API const char *nasrun_value_name(const nasrun_study *study, size_t value);
/* The first so many values are objectives. */
NASRUN_API size_t nasrun_objectives(const nasrun_study *study);

/* Asks for `count` trials (1 to 1000). *given of them were found, fewer than asked for where every allowed point has
 * been tried; their numbers are written to trials[0..*given). They are the caller's to run and to tell, or to fail:
 * until then others get other points. */
NASRUN_API enum nasrun_status nasrun_ask(nasrun_study *study, size_t count, int64_t *trials, size_t *given);

/* A parameter of a trial as a number: the value of a real or an int, 0 or 1 of a bool, the number that a choice,
 * ordered or fixed one spells (NAN where it is none). NAN, too, where the parameter is inactive. */
NASRUN_API enum nasrun_status nasrun_number(nasrun_study *study, int64_t trial, const char *parameter, double *out);
/* The same as text, as the configuration writes it ("64", "0.003", "relu", "yes"); "" where it is inactive. */
NASRUN_API enum nasrun_status nasrun_text(nasrun_study *study, int64_t trial, const char *parameter, const char **out);
/* All active parameters in a line: "trees=64 depth=7". */
NASRUN_API enum nasrun_status nasrun_point(nasrun_study *study, int64_t trial, const char **out);

struct nasrun_value {
    const char *name;
    double value; /* finite */
};

/* What came of a trial: every value but those that the configuration computes from the parameters. `seconds`: how long
 * it took, NAN when not known. NASRUN_INVALID for a trial that has ended, and for a value that is unknown, missing,
 * given twice or not finite. */
NASRUN_API enum nasrun_status nasrun_tell(nasrun_study *study, int64_t trial, const struct nasrun_value *values,
                                          size_t count, double seconds);
/* A result from elsewhere: `point` is written as nasrun_point() does. It becomes a trial of its own, *trial (may be
 * NULL), whether or not this point was tried before. NASRUN_INVALID where the configuration does not allow the point.
 */
NASRUN_API enum nasrun_status nasrun_tell_point(nasrun_study *study, const char *point,
                                                const struct nasrun_value *values, size_t count, double seconds,
                                                int64_t *trial);
/* The trial has no result: the optimiser learns to keep away from where trials fail. `cause` in a word or a line. */
NASRUN_API enum nasrun_status nasrun_fail(nasrun_study *study, int64_t trial, const char *cause);

enum nasrun_state { NASRUN_RUNNING, NASRUN_DONE, NASRUN_FAILED_TRIAL };

/* How many trials there are: their numbers are 1 to that. */
NASRUN_API enum nasrun_status nasrun_trials(nasrun_study *study, int64_t *out);
NASRUN_API enum nasrun_status nasrun_trial_state(nasrun_study *study, int64_t trial, enum nasrun_state *out);
/* A value of a trial; NAN while it is not known. */
NASRUN_API enum nasrun_status nasrun_trial_value(nasrun_study *study, int64_t trial, const char *value, double *out);

struct nasrun_front {
    const int64_t *trial; /* of the Pareto set, best first objective first */
    size_t count;
    double hypervolume;      /* product of the objectives' units; 0 while the front is empty */
    const double *reference; /* by objective, in its own sense; NULL while the front is empty */
};

/* The Pareto set of the trials that are done and keep every constraint. */
NASRUN_API enum nasrun_status nasrun_pareto(nasrun_study *study, struct nasrun_front *out);

/* Waits until everything is on disk, and brings pareto.csv and trials.csv in the study's folder up to date. */
NASRUN_API enum nasrun_status nasrun_flush(nasrun_study *study);

#ifdef __cplusplus
}
#endif

#endif
