/* What is wrong with a study, if anything: each finding says what was seen, what it means and what to do about it.
 * Behind `nasrun status`. Cheap beside the model that it is given. */
#ifndef NASRUN_REPORT_HEALTH_H
#define NASRUN_REPORT_HEALTH_H

#include "optim/diagnosis.h"
#include "report/front.h"
#include "report/results.h"

struct health_subject {
    const struct results *results;
    const struct front *front;
    struct diagnosis *diagnosis; /* NULL: there is no model to judge */
    bool driven;                 /* somebody works on it: trials that run should end */
    bool exhausted;              /* it ended because every allowed point was tried */
    double now;                  /* seconds since 1970 */
};

struct health {
    struct text model;    /* "val_accuracy: R2 0.93, 98 % of 48 results within their 95 % intervals; ...", all that is
                           * modelled; nothing without a model */
    struct text findings; /* a line each, "bound: epochs is at ..."; nothing where all is well */
};

/* `out` starts empty or is cleared before. */
nr_status health_check(const struct health_subject *subject, struct log *log, struct health *out) NR_MUST_CHECK;
void health_clear(struct health *health);
/* "health       bound: ...", every further finding in a line below, or "health       healthy". */
void health_append_findings(const struct health *health, struct text *text);

#endif
