/* A point as a trial to be recorded: its text, its network in a line, its identity, what is known of it exactly. For
 * suggestions and for points that somebody brings. */
#ifndef NASRUN_RUN_CANDIDATE_H
#define NASRUN_RUN_CANDIDATE_H

#include "run/problem.h"
#include "store/store.h"

struct candidate {
    struct text point, summary;
    char identity[OPTIM_IDENTITY_SIZE];
    double exact[STORE_MAX_VALUES]; /* by study_value_name(); NaN where only a trial shows it */
};

/* NR_INFEASIBLE, with the reason appended to `reason` (may be NULL), where the study does not allow the point. */
nr_status candidate_create(const struct problem *problem, const double *point, struct text *reason, struct log *log,
                           struct candidate *out) NR_MUST_CHECK;
void candidate_clear(struct candidate *candidate);
/* As a queued trial that nobody has begun; its strings are the candidate's and the caller's. */
struct store_trial candidate_trial(const struct candidate *candidate, int64_t trial, const char *method,
                                   const char *fit, const char *note);

#endif
