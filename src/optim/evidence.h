/* What a model learns from: the trials of a history that count, as rows of features and outcomes.
 *
 * Rows lie in this order: failed trials; finished ones ("observed"); those that run ("awaited"). So that the model of
 * an outcome takes the last two, and the model of success the first two. Finished trials of equal identity are one row:
 * they measured the same thing. A finished trial without a finite value of some outcome has failed.
 *
 * A trial that runs is awaited, and thereby keeps others at a distance, until EVIDENCE_PATIENCE results more than twice
 * the number of running trials have come in after its suggestion; one that takes longer is not believed to end. */
#ifndef NASRUN_OPTIM_EVIDENCE_H
#define NASRUN_OPTIM_EVIDENCE_H

#include "optim/features.h"
#include "optim/history.h"
#include "optim/gp.h"

enum {
    EVIDENCE_PATIENCE = 30,
    EVIDENCE_MOST = 1000,   /* observed rows; of more results a part is chosen (optim/subset.h) */
    EVIDENCE_FAILED = 300,  /* failed rows: the newest */
    EVIDENCE_AWAITED = 250, /* awaited rows: the newest */
    EVIDENCE_WINDOW = 256   /* rows that hyper-parameters are fitted to */
};

struct evidence {
    const struct optim_problem *problem;
    struct features features;
    size_t failed, observed, awaited; /* rows of each kind */
    size_t ended;                     /* rows of the first two kinds, had none been left out */
    size_t *trial;                    /* [rows] index into the history, of the first of those pooled */
    double *x;                        /* [features][capacity] */
    /* of observed rows, counted from 0: */
    double *value, *variance; /* [outcomes][capacity]: mean and its known variance, 0 where unknown, in own units */
    double *repeats;          /* [capacity]: measurements that the row is the mean of */
    size_t capacity;
    size_t *row; /* [history->count] work: the row of the first trial of an identity */
    size_t row_capacity;
};

nr_status evidence_create(const struct optim_problem *problem, struct evidence *out) NR_MUST_CHECK;
void evidence_clear(struct evidence *evidence);
/* Rebuilds all rows. Observed ones lie in the order of their trials, or of their importance where there are more than
 * EVIDENCE_WINDOW. */
nr_status evidence_gather(struct evidence *evidence, const struct history *history) NR_MUST_CHECK;

static inline size_t problem_outcomes(const struct optim_problem *problem)
{
    return problem->objectives + problem->constraints;
}
/* Known beforehand: never modelled. */
static inline bool problem_knows(const struct optim_problem *problem, size_t outcome)
{
    return outcome < problem->objectives && problem->objective[outcome].exact;
}
/* What makes an outcome one to be maximised: 1 or -1. Constraints become "at least". */
double problem_sign(const struct optim_problem *problem, size_t outcome);

static inline struct kernel_points evidence_points(const struct evidence *evidence) /* observed, then awaited */
{
    return (struct kernel_points){evidence->x + evidence->failed, evidence->observed + evidence->awaited,
                                  evidence->capacity};
}
static inline struct kernel_points evidence_ended(const struct evidence *evidence) /* failed, then observed */
{
    return (struct kernel_points){evidence->x, evidence->failed + evidence->observed, evidence->capacity};
}

/* What hyper-parameters are fitted to: the first observed rows, which are the most important ones where there are more;
 * and as many on either side of the border between failed and observed. */
static inline struct gp_span evidence_window(const struct evidence *evidence)
{
    return (struct gp_span){0, evidence->observed < EVIDENCE_WINDOW ? evidence->observed : EVIDENCE_WINDOW};
}
static inline struct gp_span evidence_ended_window(const struct evidence *evidence)
{
    size_t failed = evidence->failed < EVIDENCE_WINDOW / 2 ? evidence->failed : EVIDENCE_WINDOW / 2;
    size_t observed = evidence->observed < EVIDENCE_WINDOW - failed ? evidence->observed : EVIDENCE_WINDOW - failed;
    return (struct gp_span){evidence->failed - failed, failed + observed};
}

#endif
