/* What a diagnosis holds; for the files diagnosis*.c alone. */
#ifndef NASRUN_OPTIM_DIAGNOSIS_PARTS_H
#define NASRUN_OPTIM_DIAGNOSIS_PARTS_H

#include "optim/diagnosis.h"
#include "optim/history.h"
#include "optim/surrogate.h"

struct diagnosis {
    const struct optim_problem *problem;
    const struct history *history;
    uint64_t seed;
    struct surrogate *surrogate; /* its own */
};

static const double diagnosis_width =
    1.959963984540054; /* Phi^-1(0.975): half a 95 % interval in standard deviations */

static inline size_t diagnosis_outcomes(const struct diagnosis *diagnosis)
{
    return diagnosis->problem->objectives + diagnosis->problem->constraints;
}

/* An interval of the model's scale in the outcome's own unit, its ends in ascending order. */
struct diagnosis_belief diagnosis_interval(const struct diagnosis *diagnosis, size_t outcome, double mean,
                                           double deviation);
/* What is known of an outcome that is not modelled. */
struct diagnosis_belief diagnosis_exact(double value);

#endif
