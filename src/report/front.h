/* What a study found: the Pareto front of its finished trials, its hypervolume, and the best trial. Computed when
 * somebody looks; cheap (thousands of trials in milliseconds). */
#ifndef NASRUN_REPORT_FRONT_H
#define NASRUN_REPORT_FRONT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "report/results.h"

/* Where the reference point of the hypervolume comes from. It stays what it is for a study once it is settled, so that
 * hypervolumes of one study can be compared over time. */
enum reference_rule {
    REFERENCE_NONE,       /* nothing has finished */
    REFERENCE_THRESHOLDS, /* every objective has one */
    REFERENCE_OBSERVED,   /* else: the worst value among the initial trials, made worse by 10 % of their range */
};

struct front {
    size_t *member; /* indices into results->record, best first objective first */
    size_t members;
    enum reference_rule rule;
    double reference[STUDY_MAX_OBJECTIVES]; /* in the objectives' own sense */
    int64_t observed;                       /* REFERENCE_OBSERVED: it is from trials 1 to this one ... */
    bool settled;                           /* ... all of which have ended */
    double volume;                          /* product of the objectives' units */
    double hypervolume; /* the same with each minimised objective counted as a share of its reference (if positive), so
                           that an accuracy's share of it is not drowned in parameters */
    size_t best;        /* index; SIZE_MAX when nothing has finished */
    size_t thresholds, met; /* how many there are, and how many the best trial meets */
};

/* The best trial meets most thresholds; of those the best first objective (then the second, ...; then the earliest).
 * Trials that were stopped early count neither for the front nor as best: their values are those of another recipe. */
nr_status front_compute(const struct results *results, struct log *log, struct front *out) NR_MUST_CHECK;
void front_clear(struct front *front);

/* "0.01669 beyond val_accuracy 0.94, parameters 80000 (the thresholds); parameters as a share of 80000" */
void front_append_hypervolume(const struct front *front, const struct study *study, struct text *text);
/* "31: val_accuracy 0.9798, parameters 72218; meets both thresholds" */
void front_append_best(const struct front *front, const struct results *results, struct text *text);

#endif
