/* The model of one outcome: its values made comparable (optim/response.h), a Gaussian process over them, and the
 * fitted hyper-parameters, which are part of what a suggestion records.
 *
 * "Model units" are those of the process: maximised, warped, standardised. "Own units" are those in which trials are
 * told. Who calls: the surrogate, once per suggestion and outcome. */
#ifndef NASRUN_OPTIM_OUTCOME_H
#define NASRUN_OPTIM_OUTCOME_H

#include "base/text.h"
#include "optim/gp.h"
#include "optim/optimizer.h"
#include "optim/response.h"

struct outcome {
    double sign; /* times an own value: to be maximised */
    enum optim_transform transform;
    bool half_rank; /* what AUTO has come to */
    struct gp *gp;
    double *theta; /* the last fitted hyper-parameters */
    bool fitted;   /* there are some */
    struct response_map map;
    double *upward, *modelled, *known, *work; /* [capacity], work twice that, which the map lies in */
    size_t observed, capacity;
};

nr_status outcome_create(const struct gp_model *model, double sign, enum optim_transform transform,
                         struct outcome **out) NR_MUST_CHECK;
void outcome_destroy(struct outcome *outcome);

/* FIT_WARM: a few steps from the last hyper-parameters; FIT_FULL: several starts, and the choice of AUTO. */
enum outcome_fit { FIT_NONE, FIT_WARM, FIT_FULL };

struct outcome_data {
    struct kernel_points x; /* observed, then awaited */
    size_t observed;
    struct gp_span window; /* of the observed: what hyper-parameters are fitted to */
    const double *value, *variance,
        *repeats; /* own units, known variance (0: unknown), measurements; NULL: 0, 1 each */
};

/* Takes the data, fits where asked for, and is ready for posteriors. NR_INVALID where the covariance cannot be
 * factored. */
nr_status outcome_learn(struct outcome *outcome, const struct outcome_data *data, enum outcome_fit fit,
                        struct rng rng) NR_MUST_CHECK;

double outcome_model_unit(const struct outcome *outcome, double own);
double outcome_own_unit(const struct outcome *outcome, double modelled);
/* Variance of a measurement's noise in model units, beyond what is known of it. */
double outcome_noise(const struct outcome *outcome);

/* " model0=1.5,..." (nothing behind the sign where there is no fit) and, where AUTO decides, " warp0=halfrank": every
 * bit of what later decisions depend on. */
void outcome_append_state(const struct outcome *outcome, const char *name, struct text *text);
/* What stands behind "model0=" and "warp0="; false when it is none. */
bool outcome_restore_model(struct outcome *outcome, const char *list);
bool outcome_restore_warp(struct outcome *outcome, const char *name);

#endif
