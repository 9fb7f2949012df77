/* Parts of health.c: longer checks, in files of their own. */
#ifndef NASRUN_REPORT_HEALTH_PARTS_H
#define NASRUN_REPORT_HEALTH_PARTS_H

#include "report/health.h"

/* Appends a line. */
void health_add(struct text *findings, const char *format, ...) NR_PRINTF(2, 3);

/* health_bounds.c: a dimension in which the front lies at an end of the range. */
void health_check_bounds(const struct health_subject *subject, struct text *findings);
/* health_pending.c: trials that run far longer than the others did. */
nr_status health_check_pending(const struct health_subject *subject, struct text *findings) NR_MUST_CHECK;

#endif
