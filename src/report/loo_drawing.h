/* The leave-one-out plot as one SVG: a square per modelled outcome, what was measured across, what all other results
 * predict for it upwards with its 95 % interval. On the diagonal prediction and measurement agree. */
#ifndef NASRUN_REPORT_LOO_DRAWING_H
#define NASRUN_REPORT_LOO_DRAWING_H

#include "optim/diagnosis.h"
#include "report/results.h"

/* Replaces the file in one move. */
nr_status loo_drawing_write(const struct study *study, struct diagnosis *diagnosis, const char *path,
                            struct log *log) NR_MUST_CHECK;

#endif
