/* The fit of hyper-parameters: L-BFGS over those that are free. */
#include <lbfgs.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/gp.h"

enum {
    FINE = 100,       /* points up to which every start looks at all */
    COARSE = 64,      /* points that it looks at else */
    COARSE_STEPS = 12 /* L-BFGS iterations then, and again for the best start with all points */
};

struct climb {
    struct gp *gp;
    const struct gp_model *model;
    double *theta;    /* [parameters] the point being evaluated: fixed entries stand */
    double *gradient; /* [parameters] */
    double *best;     /* [parameters] */
    struct gp_value best_value;
    bool found;
};

static bool is_free(const struct gp_model *model, size_t index)
{
    if (index == model->kernel.features)
        return model->fit_scale;
    if (index == model->kernel.features + 1)
        return model->fit_scale && model->kernel.additive;
    return true;
}

static size_t gather(const struct gp_model *model, const double *from, double *free_entries)
{
    size_t count = 0;
    for (size_t t = 0; t < gp_parameters(model); t++)
        if (is_free(model, t))
            free_entries[count++] = from[t];
    return count;
}

static void scatter(const struct gp_model *model, const double *free_entries, double *to)
{
    size_t count = 0;
    for (size_t t = 0; t < gp_parameters(model); t++)
        if (is_free(model, t))
            to[t] = free_entries[count++];
}

/* Minus the log posterior. Where it cannot be computed the value is large and flat: the line search steps back. */
static lbfgsfloatval_t evaluate(void *instance, const lbfgsfloatval_t *x, lbfgsfloatval_t *gradient, const int count,
                                const lbfgsfloatval_t step)
{
    struct climb *climb = instance;
    struct gp_value value;
    bool far = false;
    (void)step;
    for (int i = 0; i < count; i++)
        far |= !(fabs(x[i]) < 30);
    scatter(climb->model, x, climb->theta);
    if (far || gp_evaluate(climb->gp, climb->theta, &value, climb->gradient) != NR_OK) {
        memset(gradient, 0, (size_t)count * sizeof *gradient);
        return 1e30;
    }
    if (!climb->found || value.log_posterior > climb->best_value.log_posterior) {
        climb->found = true;
        climb->best_value = value;
        memcpy(climb->best, climb->theta, gp_parameters(climb->model) * sizeof *climb->best);
    }
    gather(climb->model, climb->gradient, gradient);
    for (int i = 0; i < count; i++)
        gradient[i] = -gradient[i];
    return -value.log_posterior;
}

nr_status gp_climb(struct gp *gp, double *theta, int steps, struct gp_value *value)
{
    const struct gp_model *model = gp_model_of(gp);
    size_t parameters = gp_parameters(model);
    lbfgs_parameter_t options;
    nr_status status = NR_NO_MEMORY;
    double *buffer = mem_array(3 * parameters, sizeof *buffer);
    lbfgsfloatval_t *x = lbfgs_malloc((int)parameters);
    if (!buffer || !x)
        goto out;
    struct climb climb = {
        .gp = gp, .model = model, .theta = buffer, .gradient = buffer + parameters, .best = buffer + 2 * parameters};
    memcpy(climb.theta, theta, parameters * sizeof *theta);
    lbfgs_parameter_init(&options);
    options.max_iterations = steps;
    options.max_linesearch = 10;
    options.epsilon = 1e-7;
    int code = lbfgs((int)gather(model, theta, x), x, NULL, evaluate, NULL, &climb, &options);
    status = code == LBFGSERR_OUTOFMEMORY ? NR_NO_MEMORY : NR_INVALID;
    if (climb.found) { /* however it ended: the best point seen is what counts */
        memcpy(theta, climb.best, parameters * sizeof *theta);
        *value = climb.best_value;
        status = NR_OK;
    }
out:
    lbfgs_free(x);
    free(buffer);
    return status;
}

/* All lengths as tau is: at 0.1, 0.01 and, with much noise, 0.01 again; the rest are drawn, some of them short. */
static void start_sparse(const struct gp_model *model, int start, struct rng *rng, double *theta)
{
    size_t features = model->kernel.features;
    double log_tau = log(start == 0 ? 0.1 : 0.01);
    theta[features + 4] = log_tau;
    for (size_t j = 0; j < features; j++)
        theta[j] = -0.5 * (log_tau + (start > 2 ? 2 * rng_normal(rng) : 0));
}

/* Start 0 is the prior's mode, 1 its median, 2 long lengths with much noise; the rest are drawn around the mode. */
static void start_at(const struct gp_model *model, int start, struct rng *rng, double *theta)
{
    size_t features = model->kernel.features;
    double mode = model->length.mean - model->length.sd * model->length.sd;
    theta[features] = theta[features + 1] = 0;
    theta[features + 2] = start == 2 ? -2 : -4;
    theta[features + 3] = 0;
    for (size_t j = 0; j < features; j++)
        theta[j] = start == 0 ? mode : start == 1 ? model->length.mean : mode + 2;
    if (start > 2) {
        for (size_t j = 0; j < features; j++)
            theta[j] = mode + 0.5 + 1.5 * rng_normal(rng);
        theta[features + 2] += rng_normal(rng);
    }
    if (model->sparse)
        start_sparse(model, start, rng, theta);
    if (model->fit_scale && model->kernel.additive)
        theta[features] = theta[features + 1] = -0.7; /* together the variance of standardised outcomes */
}

static nr_status best_start(struct gp *gp, struct rng *rng, int starts, int steps, double *theta,
                            struct gp_value *value)
{
    const struct gp_model *model = gp_model_of(gp);
    double *trial = mem_array(gp_parameters(model), sizeof *trial);
    struct gp_value best = {-INFINITY, -INFINITY}, found;
    nr_status status = NR_INVALID;
    if (!trial)
        return NR_NO_MEMORY;
    for (int start = 0; start < 3 + starts; start++) {
        start_at(model, start, rng, trial);
        nr_status climbed = gp_climb(gp, trial, steps, &found);
        if (climbed == NR_NO_MEMORY) {
            free(trial);
            return climbed;
        }
        if (climbed != NR_OK || found.log_posterior <= best.log_posterior)
            continue;
        best = found;
        memcpy(theta, trial, gp_parameters(model) * sizeof *theta);
        status = NR_OK;
    }
    free(trial);
    if (status == NR_OK)
        *value = best;
    return status;
}

nr_status gp_fit(struct gp *gp, struct rng *rng, int starts, int steps, double *theta, struct gp_value *value)
{
    struct gp_span window = gp_window(gp), part = {window.first + (window.count - COARSE) / 2, COARSE};
    if (window.count <= FINE)
        return best_start(gp, rng, starts, steps, theta, value);
    gp_set_window(gp, part);
    nr_status status = best_start(gp, rng, starts, steps < COARSE_STEPS ? steps : COARSE_STEPS, theta, value);
    gp_set_window(gp, window);
    return status == NR_OK ? gp_climb(gp, theta, COARSE_STEPS, value) : status;
}
