/* The trials of a study in memory: what the driver keeps up to date while it runs and what the reading commands load
 * from the store. Tables, fronts and files are made from this. */
#ifndef NASRUN_REPORT_RESULTS_H
#define NASRUN_REPORT_RESULTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#include "space/study.h"
#include "store/store.h"

struct record {
    int64_t trial; /* 1, 2, ...; record[i].trial == i + 1 */
    enum trial_status status;
    char *cause, *owner, *point_text, *identity, *summary, *method, *fit, *note; /* never NULL */
    double *point;                                                               /* [space.count] */
    double value[STORE_MAX_VALUES]; /* by study_value_name(); NaN unknown */
    int64_t attempt, epochs;
    double seconds, started, ended;
    double accuracy; /* of the last epoch that the driver heard of, NaN before; not loaded */
};

struct results {
    const struct study *study; /* not owned */
    struct record *record;
    size_t count, capacity;
    int64_t version; /* of the store when it was last followed */
    int64_t event;   /* number of the newest event that was followed */
};

/* Everything the store knows. */
nr_status results_load(struct store *store, const struct study *study, struct log *log,
                       struct results *out) NR_MUST_CHECK;
/* Brings loaded results up to date with what others have recorded since: new trials, and those that have ended. Costs
 * what is new. */
nr_status results_follow(struct results *results, struct store *store, struct log *log) NR_MUST_CHECK;
/* Adds a trial (copies it); its number must be the next. */
nr_status results_add(struct results *results, const struct store_trial *trial, struct log *log) NR_MUST_CHECK;
void results_clear(struct results *results);

/* Number of trials in a state. */
size_t results_count(const struct results *results, enum trial_status status);
/* Indices (into record) of the Pareto front of the finished trials that keep the outcome constraints, best first
 * objective first; room for `count`. NR_NO_MEMORY or NR_OK. */
nr_status results_front(const struct results *results, size_t *front, size_t *members) NR_MUST_CHECK;

#endif
