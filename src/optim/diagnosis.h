/* What a search believes and how far that can be trusted: leave-one-out errors, importances of the dimensions, beliefs
 * about trials with their uncertainty, and why a point was chosen. Computed when somebody asks.
 *
 * A diagnosis has a model of its own, made from what the optimizer knows and from the hyper-parameters that it has or
 * that were recorded with a suggestion. So it describes the very model that the search decides with, and looking
 * changes no decision. Where a method has no model, or none yet, one is fitted here: then a random search can be looked
 * at too. Intervals are central ones of 95 % under the model; means are mapped back from the model's scale, and are
 * medians in the outcome's own unit where the outcome is warped. */
#ifndef NASRUN_OPTIM_DIAGNOSIS_H
#define NASRUN_OPTIM_DIAGNOSIS_H

#include "optim/optimizer.h"

struct diagnosis;

/* Over all that the optimizer knows now; it must not learn more while the diagnosis lives. `fit`: what was recorded
 * with the suggestion that is looked at, NULL for none. NR_NO_RESULT, with the reason in `note`, where there is nothing
 * to model; where the search never fitted a model and `may_fit` is false also then, since a fit can take seconds. */
nr_status diagnosis_create(const struct optimizer *optimizer, const char *fit, bool may_fit, struct text *note,
                           struct diagnosis **out) NR_MUST_CHECK;
void diagnosis_destroy(struct diagnosis *diagnosis);

/* Whether the outcome (objectives in order, then constraints) is modelled: the functions below are for such. */
bool diagnosis_models(const struct diagnosis *diagnosis, size_t outcome);
/* The hyper-parameters as text, as a suggestion records them: for diagnosis_create() of another diagnosis. */
void diagnosis_append_model(const struct diagnosis *diagnosis, struct text *text);
size_t diagnosis_trials(const struct diagnosis *diagnosis); /* that the optimizer knows, in whatever state */
size_t diagnosis_rows(const struct diagnosis *diagnosis);   /* results in the model; replicates are one */

/* ---- leave-one-out ---- */

struct diagnosis_row {
    int64_t trial;
    double measured;        /* in the outcome's own unit and sense; of replicates their pooled value */
    double mean, low, high; /* what all others predict for that measurement, its noise included */
    double error; /* of the prediction in standard deviations, on the model's scale; positive: measured better */
};

struct diagnosis_quality {
    size_t rows;
    double r_squared;          /* 1 - sum of squared errors / that of predicting the mean of the others; own unit */
    double r_squared_modelled; /* the same on the model's scale: what the search goes by */
    double density_gain;       /* mean log predictive density above that of a normal around the mean of the others, in
                                * nats per result; the same on every scale */
    double coverage;           /* share of measurements inside their intervals */
    double noise;              /* standard deviation fitted beside what is known, in the unit near the best result */
    bool half_rank;
};

/* In closed form (Rasmussen and Williams 2006, eqs. 5.10 to 5.12; Sundararajan and Keerthi 2001) at the
 * hyper-parameters and the warp that all results gave. `row` has room for diagnosis_rows(), or is NULL. Ratios of
 * nothing are NaN. */
nr_status diagnosis_leave_one_out(struct diagnosis *diagnosis, size_t outcome, struct diagnosis_row *row,
                                  struct diagnosis_quality *quality) NR_MUST_CHECK;

/* ---- importances ---- */

struct diagnosis_importance {
    double first; /* share of the variance that the dimension explains alone */
    double total; /* share that goes with all else known: alone and together with others */
    double best;  /* value (as in points) of the dimension about which the model's mean over all else is highest */
};

/* Sobol' indices of the posterior mean, on the model's scale, where every dimension is spread evenly as the search
 * spreads it (log dimensions in log space, levels alike); constraints are not regarded. A conditional dimension counts
 * where it is active, so that its importance includes how often that is. First order and total by Jansen's estimators
 * (Saltelli et al. 2010, table 2, (f) and (c)) over scrambled Sobol points. One entry per dimension of the space; NaN
 * where it cannot vary or the mean is flat. */
nr_status diagnosis_importances(struct diagnosis *diagnosis, size_t outcome,
                                struct diagnosis_importance *importance) NR_MUST_CHECK;

/* ---- beliefs ---- */

struct diagnosis_belief {
    double mean, low, high; /* of the outcome itself, without the noise of measuring it; an exact one: its value */
};

/* Of a trial that the optimizer knows: belief[outcome] for all outcomes. */
nr_status diagnosis_believe(struct diagnosis *diagnosis, int64_t trial, struct diagnosis_belief *belief) NR_MUST_CHECK;
/* The finished trials that no other is believed to dominate by mean, best first objective first, among those believed
 * to keep the constraints; `front` has room for diagnosis_trials(). Of trials of one network the first counts. */
nr_status diagnosis_front(struct diagnosis *diagnosis, int64_t *front, size_t *members) NR_MUST_CHECK;

/* ---- why a point ---- */

enum { DIAGNOSIS_NEAREST = 3 };

struct diagnosis_reason {
    struct diagnosis_belief expected[OPTIM_MAX_OUTCOMES]; /* of a measurement: noise included */
    double surprise[OPTIM_MAX_OUTCOMES]; /* (measured - expected) in standard deviations, positive: better; NaN: none */
    double deviation[OPTIM_MAX_OUTCOMES]; /* uncertainty of the outcome, as a share of that before any result */
    /* The acquisition function, in logarithms: the sum, and its parts where they count (NaN where they do not). */
    double log_value, log_improvement, log_success, log_seconds, log_feasible[OPTIM_MAX_CONSTRAINTS];
    double front_chance; /* that it dominates, or extends, the front believed then */
    /* Trials of that front that it would dominate at the good ends of its intervals. */
    int64_t *competitor;
    size_t competitors;
    /* Finished trials most like it to the first modelled outcome, nearest first. */
    int64_t nearest[DIAGNOSIS_NEAREST];
    double similarity[DIAGNOSIS_NEAREST]; /* prior correlation with them */
    size_t nears;
};

/* What the model said of a point before it was tried. The optimizer is as it was before the suggestion, `fit` of
 * diagnosis_create() what was recorded with it. `exact` as admitted; `result` what came of it, NULL when nothing did.
 */
nr_status diagnosis_explain(struct diagnosis *diagnosis, const double *point, const struct optim_admission *admission,
                            const struct optim_result *result, struct diagnosis_reason *out) NR_MUST_CHECK;
void diagnosis_reason_clear(struct diagnosis_reason *reason);

#endif
