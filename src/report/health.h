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

/* Appends a line per finding, "fit: the model of val_accuracy explains ..."; nothing where all is well. */
nr_status health_check(const struct health_subject *subject, struct log *log, struct text *findings) NR_MUST_CHECK;

/* One line on the model: "val_accuracy: R2 0.93, 98 % in their 95 % intervals", all that is modelled. */
nr_status health_describe_model(const struct study *study, struct diagnosis *diagnosis, struct log *log,
                                struct text *text) NR_MUST_CHECK;

#endif
