/* The main job: a driver that asks the optimiser, hands trials to workers, records what comes back, and can be stopped
 * or killed at any moment and told to go on. The only place where optimiser, training and store meet. */
#ifndef NASRUN_RUN_SEARCH_H
#define NASRUN_RUN_SEARCH_H

#include <stdbool.h>
#include <stdio.h>

#include "base/log.h"
#include "base/status.h"
#include "space/study.h"

struct search_options {
    const char *program;   /* this executable, for the workers */
    const char *typed;     /* what the person types for the program; NULL: "nasrun" */
    const char *arguments; /* the configuration and the options of this search, to be typed again */
    const char *folder;    /* the study's; NULL: runs/<name> */
    bool fresh;            /* move an old run aside */
    bool quiet;            /* no progress */
    FILE *out;             /* progress and the summary */
    struct log *log;
};

/* Why a search ended; recorded in the store by name. */
#define SEARCH_END_LIST(X)                                                                                             \
    X(SEARCH_TRIALS, "trials", "all trials are done")                                                                  \
    X(SEARCH_TIME, "time", "the time is up")                                                                           \
    X(SEARCH_EXHAUSTED, "exhausted", "every allowed network has been tried")                                           \
    X(SEARCH_FAILURES, "failures", "too many trials failed")                                                           \
    X(SEARCH_INTERRUPTED, "interrupted", "interrupted; the same command goes on")

enum search_end {
#define X(name, word, text) name,
    SEARCH_END_LIST(X)
#undef X
        SEARCH_ENDS
};
const char *search_end_name(enum search_end end);
const char *search_end_text(enum search_end end);

/* Runs or resumes the study's search, prints its summary, writes pareto.csv and trials.csv. NR_OK: ended as asked;
 * NR_NO_RESULT, NR_INTERRUPTED; NR_INVALID and the like before anything was written; NR_IO, NR_STORE, NR_DEVICE later
 * (resumable). */
nr_status search_run(const struct study *study, const struct search_options *options) NR_MUST_CHECK;

#endif
