/* What the reading commands look at: a study's store, opened read-only (also beside a running search), and what it
 * found. */
#ifndef NASRUN_CLI_VIEW_H
#define NASRUN_CLI_VIEW_H

#include "cli/cli.h"
#include "report/front.h"
#include "report/results.h"
#include "report/summary.h"
#include "run/look.h"
#include "store/store.h"

struct view {
    char *folder;
    struct store *store;
    struct study *study;
    struct results results;
    struct front front;
};

/* `name` as a person wrote it, NULL for the newest study; see files_find_study(). */
nr_status view_open(const char *name, struct log *log, struct view *out) NR_MUST_CHECK;
void view_close(struct view *view);
/* The first argument or NULL. */
const char *view_named(const struct cli *cli);

/* Calls `show` for the arguments "[STUDY] TRIAL", in either order: the one that is a number is the trial, the last one
 * when both are. */
nr_status view_show_trial(struct cli *cli,
                          nr_status (*show)(struct cli *cli, const struct view *view, int64_t trial)) NR_MUST_CHECK;
/* The record of a trial; NR_NOT_FOUND says which there are. */
nr_status view_record(const struct view *view, int64_t trial, struct log *log, const struct record **out) NR_MUST_CHECK;

/* The model of the study: as it is (`trial` 0), or as it was when a trial was suggested. The view outlives the look. */
nr_status view_look(const struct view *view, int64_t trial, enum look_fit fit, struct log *log,
                    struct look *out) NR_MUST_CHECK;
/* The same as it is, for commands that are about a model: NR_NO_RESULT, with a sentence, when there is none. */
nr_status view_expect_model(const struct view *view, struct log *log, struct look *out) NR_MUST_CHECK;

/* Prints a table in the form that was asked for; takes the table. */
nr_status view_print(struct cli *cli, struct table *table) NR_MUST_CHECK;
/* For commands that are about results: NR_NO_RESULT, with a sentence, when no trial has finished. */
nr_status view_expect_result(const struct view *view, struct log *log) NR_MUST_CHECK;
struct summary view_summary(const struct view *view);

#endif
