/* The model of a search: one Gaussian process per objective that is not known beforehand, the front of what is believed
 * of finished and running trials, and the acquisition function over it.
 *
 * Called by the optimizer: surrogate_fit() once per suggestion, surrogate_score() for batches of candidates. */
#ifndef NASRUN_OPTIM_SURROGATE_H
#define NASRUN_OPTIM_SURROGATE_H

#include "optim/history.h"

struct surrogate;

/* `initial` bounds the number of results that the model waits for. */
nr_status surrogate_create(const struct optim_problem *problem, uint64_t seed, int64_t initial,
                           struct surrogate **out) NR_MUST_CHECK;
void surrogate_destroy(struct surrogate *surrogate);

/* Brings the model up to the history; fits hyper-parameters when that is due and says so in *refitted. NR_NO_RESULT,
 * with the reason in `note`, where there is nothing to model yet. */
nr_status surrogate_fit(struct surrogate *surrogate, const struct history *history, uint32_t suggestion, bool *refitted,
                        struct text *note) NR_MUST_CHECK;

struct score {
    double log_value; /* log EI or log EHVI; -inf: no improvement possible */
    double optimism;  /* decides where that is equal: sum of means plus deviations */
};

/* Scores of `count` canonical points. */
nr_status surrogate_score(struct surrogate *surrogate, const double *points, const struct optim_admission *admission,
                          size_t count, struct score *score) NR_MUST_CHECK;
static inline bool score_better(struct score a, struct score b)
{
    return a.log_value > b.log_value || (a.log_value == b.log_value && a.optimism > b.optimism);
}

/* The trial (index into the history) of a member of the believed front, best first objective first; SIZE_MAX beyond the
 * last. */
size_t surrogate_front(const struct surrogate *surrogate, size_t position);

/* The state that later decisions depend on, "results=24 full=12 model0=...", with every bit of the hyper-parameters. */
void surrogate_append_state(const struct surrogate *surrogate, struct text *text);
/* One "key=value" of it; false when it is none. */
bool surrogate_restore_entry(struct surrogate *surrogate, const char *entry);

#endif
