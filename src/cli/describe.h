/* Trials and networks in words, for several commands. */
#ifndef NASRUN_CLI_DESCRIBE_H
#define NASRUN_CLI_DESCRIBE_H

#include <stdio.h>

#include "cli/view.h"
#include "net/plan.h"

/* One line per layer: operator, shape of its output, parameters. */
void describe_layers(FILE *out, const struct plan *plan);
/* What a trial is and what became of it: a heading, then "name  value" lines, then its point. */
nr_status describe_trial(const struct view *view, const struct record *record, FILE *out) NR_MUST_CHECK;

#endif
