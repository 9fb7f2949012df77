/* How long a trial will take: log seconds as a line over log work, fitted to finished trials. */
#ifndef NASRUN_OPTIM_DURATION_H
#define NASRUN_OPTIM_DURATION_H

#include <stdbool.h>

#include "optim/history.h"

struct duration {
    bool known;              /* there was something to fit */
    double intercept, slope; /* log seconds = intercept + slope log work */
};

/* From finished trials whose seconds and work are known. The slope has the prior N(1, 1/4): work in proportion, unless
 * durations say otherwise; single trials far off (a machine that slept) hardly count. */
void duration_fit(struct duration *duration, const struct history *history);
/* Predicted log seconds; NaN where nothing is known. */
double duration_log_seconds(const struct duration *duration, double work);

#endif
