/* Regularised evolution (Real, Aggarwal, Huang and Le 2019, "Regularized Evolution for Image Classifier Architecture
 * Search", algorithm 1): the winner of a tournament among the youngest trials is changed in one dimension; the oldest
 * die, however good they are. With several objectives the tournament is won by non-dominated rank, then by crowding
 * distance (Deb et al. 2002, NSGA-II). A baseline for the model. */
#ifndef NASRUN_OPTIM_EVOLUTION_H
#define NASRUN_OPTIM_EVOLUTION_H

#include "optim/history.h"

struct evolution;

/* `population`: so many of the youngest finished trials live, but 4 to 200. A tournament is among half of them rather
 * than the paper's quarter: searches here have tens to hundreds of trials, not 20,000. */
nr_status evolution_create(const struct optim_problem *problem, const struct history *history, uint64_t seed,
                           size_t population, struct evolution **out) NR_MUST_CHECK;
void evolution_destroy(struct evolution *evolution);

struct evolution_child {
    const double *point; /* valid until the next call */
    struct optim_admission admission;
    int64_t parent;   /* trial */
    size_t living;    /* members of the population */
    size_t mutations; /* more than one where the neighbourhood is used up */
};

/* An admissible new child. NR_NO_RESULT when no finished trial can be a parent, or no child was found. Depends on the
 * history and the suggestion's number alone. */
nr_status evolution_breed(struct evolution *evolution, uint32_t suggestion, struct evolution_child *out) NR_MUST_CHECK;

#endif
