/* The candidates of a suggestion and the choice among them: the whole of a small space; of a large one random points,
 * the neighbours of the front, a local search from the best of both, and gradient climbs on the continuous dimensions
 * from the best of all. */
#ifndef NASRUN_OPTIM_PROPOSE_H
#define NASRUN_OPTIM_PROPOSE_H

#include "optim/sampler.h"
#include "optim/surrogate.h"

struct proposer;

nr_status proposer_create(const struct optim_problem *problem, const struct optim_options *options,
                          const struct history *history, struct sampler *sampler, struct proposer **out) NR_MUST_CHECK;
void proposer_destroy(struct proposer *proposer);

struct proposal {
    const double *point; /* valid until the next call */
    struct optim_admission admission;
    double log_value;
    size_t candidates; /* scored in all */
};

/* The best admissible new point for a surrogate that has been fitted. NR_NO_RESULT when no candidate was found: the
 * sampler then decides whether the space is exhausted. */
nr_status propose(struct proposer *proposer, struct surrogate *surrogate, uint32_t suggestion,
                  struct proposal *out) NR_MUST_CHECK;

#endif
