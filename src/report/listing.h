/* Trials as tables and files: what `nasrun trials` and `nasrun pareto` print, trials.csv and pareto.csv.
 *
 * CSV: trial, state, cause, the objectives, then the dimensions under their own names; unknown and inactive is empty.
 * JSON: the same and more (network, method, epochs, seconds, ...). Text: what a line has room for. */
#ifndef NASRUN_REPORT_LISTING_H
#define NASRUN_REPORT_LISTING_H

#include "report/front.h"
#include "report/results.h"
#include "report/table.h"

/* Rows are the records of the indices `which` [count], or all (NULL, ignoring count). The caller destroys the table. */
nr_status listing_trials(const struct results *results, const size_t *which, size_t count, struct log *log,
                         struct table **out) NR_MUST_CHECK;
/* The same for members of a front: the text form leaves out what is equal for all. */
nr_status listing_front(const struct results *results, const struct front *front, struct log *log,
                        struct table **out) NR_MUST_CHECK;
/* FOLDER/trials.csv and FOLDER/pareto.csv, each replaced in one move. */
nr_status listing_write_files(const struct results *results, const struct front *front, const char *folder,
                              struct log *log) NR_MUST_CHECK;

#endif
