/* What a person sees while a search runs: on a terminal a few lines that redraw in place, elsewhere one plain line per
 * trial that ends, and nothing at all when quiet. The driver calls progress_show() as often as it likes.
 *
 * A display never fails a search: what cannot be written is not shown. */
#ifndef NASRUN_REPORT_PROGRESS_H
#define NASRUN_REPORT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "report/front.h"
#include "report/results.h"
#include "report/terminal.h"

struct progress_trial { /* one that runs */
    int64_t trial;
    const char *network;
    int64_t epoch, epochs; /* finished, and how many there will be */
    double accuracy;       /* after the last epoch, NaN before */
};

struct progress_snapshot {
    double now;      /* seconds on a clock that does not jump */
    double elapsed;  /* seconds of the study, all runs */
    double max_time; /* when that must end, 0: never */
    int64_t total;   /* trials asked for */
    const struct results *results;
    const struct front *front;
    const struct progress_trial *running;
    size_t runnings;
    const char *message; /* below everything, NULL: none ("stopping after this step ...") */
};

struct progress;

/* `terminal` NULL: whatever `stream` is, asked again at every redraw so that a resized window is used. Tests give one.
 */
nr_status progress_create(FILE *stream, const struct terminal *terminal, bool quiet,
                          struct progress **out) NR_MUST_CHECK;
/* Redraws if the last time is 0.2 s ago. */
void progress_show(struct progress *progress, const struct progress_snapshot *snapshot);
/* A trial has ended (or failed): a plain line; on a terminal for failures only, above the display. */
void progress_ended(struct progress *progress, const struct progress_snapshot *snapshot, const struct record *record);
/* Takes the display away, so that something else can be written; the next progress_show() draws it again. */
void progress_hide(struct progress *progress);
void progress_destroy(struct progress *progress); /* hides it first */

/* The display as lines of at most `terminal->width` - 1 columns and `height` - 1 lines; trials per minute and seconds
 * left are NaN while unknown. For progress_show() and tests. */
void progress_render(const struct progress_snapshot *snapshot, const struct terminal *terminal, double rate,
                     double seconds_left, struct text *out);

#endif
