/* A study looked at: the optimizer that drives it, made again from the event log without touching the store, and the
 * model in which it believes. For the commands that say what a search thinks, also beside a running driver. */
#ifndef NASRUN_RUN_LOOK_H
#define NASRUN_RUN_LOOK_H

#include "optim/diagnosis.h"
#include "report/results.h"
#include "run/problem.h"

struct look {
    struct problem problem; /* points into itself: a look is never copied */
    struct optimizer *optimizer;
    struct diagnosis *diagnosis; /* NULL: there is nothing to model yet */
    char *reason;                /* why not; NULL where there is a model */
    int64_t validations;         /* images that val_accuracy is measured on; 0: unknown */
    const struct results *results;
    size_t next; /* record that the next admission is probably about */
};

/* Whether a model is fitted here where the search has none: that can take seconds where there are many results. */
enum look_fit { LOOK_RECORDED, LOOK_FITTED };

/* As things stand, or, for a `trial`, as they stood when it was suggested, with what was fitted for it. `results` holds
 * all trials and outlives the look. Without the data set networks are known as they are recorded, what a trial
 * costs in time is not, and the validation part is as small as the recorded accuracies allow. */
nr_status look_create(struct store *store, const struct results *results, int64_t trial, enum look_fit fit,
                      struct log *log, struct look *out) NR_MUST_CHECK;
/* What the optimizer was told of a finished trial. */
struct optim_result look_result(const struct look *look, const struct record *record);
void look_clear(struct look *look);

#endif
