/* What somebody tells of a trial: values by name, checked one by one, then as a whole. Used wherever values come from
 * outside: `nasrun tell`, `nasrun serve`, libnasrun. */
#ifndef NASRUN_RUN_TOLD_H
#define NASRUN_RUN_TOLD_H

#include <stdbool.h>

#include "base/log.h"
#include "base/status.h"
#include "space/study.h"

struct told {
    double value[STUDY_MAX_VALUES]; /* by study_value_name(); NaN: not told */
    double seconds;                 /* that the trial took; NaN: not told */
};

void told_init(struct told *told);
/* One value. `seconds` is a name, too, where no value has it. NR_INVALID for a name that the study does not know, a
 * second value of the same name, and what is no number of its kind. */
nr_status told_set(struct told *told, const struct study *study, const char *name, double value,
                   struct log *log) NR_MUST_CHECK;
/* Everything that a trial must bring is there. Fills in the exact values, by study_value_name() in `exact`; one that
 * was told all the same must agree. */
nr_status told_complete(struct told *told, const struct study *study, const double *exact,
                        struct log *log) NR_MUST_CHECK;

#endif
