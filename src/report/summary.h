/* What a person reads when a search has ended, and what `nasrun pareto` and `nasrun status` print below their tables.
 */
#ifndef NASRUN_REPORT_SUMMARY_H
#define NASRUN_REPORT_SUMMARY_H

#include <stdio.h>

#include "report/front.h"
#include "report/results.h"

struct summary {
    const struct results *results;
    const struct front *front;
    const char *reason;        /* why it ended, in words ("all trials are done"); NULL when that is no matter */
    double elapsed;            /* seconds of wall time, NaN when unknown */
    const char *folder;        /* of the study */
    const char *program;       /* as the person calls it; NULL: "nasrun" */
    const char *configuration; /* of a search, with its options, for "what to type next"; NULL when unknown */
};

/* The Pareto table, fitted to the stream; nothing when no trial has finished. */
nr_status summary_print_front(const struct summary *summary, struct log *log, FILE *stream) NR_MUST_CHECK;
/* "best trial ...", "hypervolume ..." */
nr_status summary_print_figures(const struct summary *summary, struct log *log, FILE *stream) NR_MUST_CHECK;
/* All of it: counts and time, front, figures, where the files are, what to type next. */
nr_status summary_print(const struct summary *summary, struct log *log, FILE *stream) NR_MUST_CHECK;

#endif
