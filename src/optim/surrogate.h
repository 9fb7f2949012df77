/* The model of a search: a Gaussian process per outcome that is not known beforehand and one of success, the front of
 * what is believed of finished and running trials, and the acquisition function over it.
 *
 *   log value = log EHVI (or log EI) + sum over constraints of log P(feasible) + log P(success) - log seconds
 *
 * without the first while no trial is believed to be feasible. Front and incumbent count only trials that are believed
 * to be. Called by the optimizer: surrogate_fit() once per suggestion, surrogate_score() for batches of candidates. */
#ifndef NASRUN_OPTIM_SURROGATE_H
#define NASRUN_OPTIM_SURROGATE_H

#include "optim/history.h"

struct surrogate;

nr_status surrogate_create(const struct optim_problem *problem, const struct optim_options *options,
                           struct surrogate **out) NR_MUST_CHECK;
void surrogate_destroy(struct surrogate *surrogate);

/* Brings the model up to the history; fits hyper-parameters when that is due and says so in *refitted. NR_NO_RESULT,
 * with the reason in `note`, where there is nothing to model yet. */
nr_status surrogate_fit(struct surrogate *surrogate, const struct history *history, uint32_t suggestion, bool *refitted,
                        struct text *note) NR_MUST_CHECK;

/* The same with the hyper-parameters left as they are; they are fitted only where none ever were. For those who look at
 * what a search believes: the model as its last fit has it, with all results. */
nr_status surrogate_look(struct surrogate *surrogate, const struct history *history, struct text *note) NR_MUST_CHECK;

bool surrogate_is_fitted(const struct surrogate *surrogate); /* there are hyper-parameters: fitted or restored */

/* ---- scores, after a fit ---- */

struct score {
    double log_value; /* -inf: no improvement possible */
    double optimism;  /* decides where that is equal: sum of means plus deviations */
};

/* Scores of `count` canonical points. */
nr_status surrogate_score(struct surrogate *surrogate, const double *points, const struct optim_admission *admission,
                          size_t count, struct score *score) NR_MUST_CHECK;
static inline bool score_better(struct score a, struct score b)
{
    return a.log_value > b.log_value || (a.log_value == b.log_value && a.optimism > b.optimism);
}

/* How what is known beforehand changes with one dimension's place in the unit cube. */
struct admission_slope {
    double exact[OPTIM_MAX_OBJECTIVES];
    double work;
};
/* Scores with the gradient of log_value by the places in the unit cube, [count][space->count]; only real and whole
 * numbers that are active have one, all else gets 0. `slope` as `gradient`; NULL: nothing known beforehand changes. */
nr_status surrogate_score_gradient(struct surrogate *surrogate, const double *points,
                                   const struct optim_admission *admission, const struct admission_slope *slope,
                                   size_t count, struct score *score, double *gradient) NR_MUST_CHECK;

/* The trial (index into the history) of a member of the believed front, in the order of the history; SIZE_MAX beyond
 * the last. */
size_t surrogate_front(const struct surrogate *surrogate, size_t position);
/* The reference point of the acquisition in the objectives' own units. */
void surrogate_reference(const struct surrogate *surrogate, double *reference);

/* What the score of a point is made of. */
struct forecast {
    double log_improvement;                     /* log EHVI or log EI; NaN while nothing is feasible */
    double log_feasible[OPTIM_MAX_CONSTRAINTS]; /* log probabilities */
    double log_success;
    double log_seconds; /* predicted; NaN: not asked for, or unknown */
    double log_value;   /* as surrogate_score() gives it */
};
nr_status surrogate_forecast(struct surrogate *surrogate, const double *point, const struct optim_admission *admission,
                             struct forecast *out) NR_MUST_CHECK;

/* ---- state ---- */

/* What later decisions depend on, "results=24 full=12 model0=...", with every bit of the hyper-parameters. */
void surrogate_append_state(const struct surrogate *surrogate, struct text *text);
/* One "key=value" of it; false when it is none. */
bool surrogate_restore_entry(struct surrogate *surrogate, const char *entry);

/* ---- what is believed, for reports (surrogate_read.c); after surrogate_fit() or surrogate_look() ---- */

/* Results that the model holds, equal identities pooled, and which trial (index into the history) each is: the first.
 */
size_t surrogate_rows(const struct surrogate *surrogate);
size_t surrogate_row_trial(const struct surrogate *surrogate, size_t row);
bool surrogate_models(const struct surrogate *surrogate, size_t outcome);

/* All below are of a modelled outcome and on the model's scale: maximised, warped, standardised. */

/* Per row: the outcome as modelled, and its mean and variance (with noise) given all other rows, at the
 * hyper-parameters that all rows gave. */
nr_status surrogate_leave_one_out(struct surrogate *surrogate, size_t outcome, double *observed, double *mean,
                                  double *variance) NR_MUST_CHECK;
/* Mean and variance (without noise) at `count` canonical points. `variance` NULL: the means alone, which is much
 * cheaper where there are many results. */
nr_status surrogate_predict(struct surrogate *surrogate, size_t outcome, const double *points, size_t count,
                            double *mean, double *variance) NR_MUST_CHECK;
/* Back to the outcome's own sense and unit; monotone, so that quantiles and the ends of intervals map as they are. */
double surrogate_to_unit(const struct surrogate *surrogate, size_t outcome, double modelled);
double surrogate_from_unit(const struct surrogate *surrogate, size_t outcome, double value); /* the way there */
/* Prior correlation of the outcome at `point` with that at each of `count` points: 1 for the same network, 0 for one
 * that says nothing about it. */
nr_status surrogate_similarity(struct surrogate *surrogate, size_t outcome, const double *point, const double *others,
                               size_t count, double *similarity) NR_MUST_CHECK;
double surrogate_prior_variance(const struct surrogate *surrogate, size_t outcome); /* of f, before any result */
double surrogate_noise(const struct surrogate *surrogate, size_t outcome); /* fitted variance, beside what is known */
/* What a known variance of a measurement (in the unit) is here; 0 for one that is not known. */
double surrogate_known_noise(const struct surrogate *surrogate, size_t outcome, double value, double variance);
bool surrogate_half_rank(const struct surrogate *surrogate, size_t outcome);

#endif
