#include "optim/outcome.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum {
    WARM_STEPS = 6,    /* L-BFGS iterations of a warm fit */
    FULL_STEPS = 40,   /* ... of each start of a full one */
    RANDOM_STARTS = 2, /* besides the fixed ones */
    AUTO_RESULTS = 10  /* before that a choice of transform would be chance */
};
/* Nats by which ranks must foretell better. Where they are needed it is tens; below eight they won by chance on smooth
 * functions (src/README.md). */
static const double clear_case = 8;
static const double most = 1e100; /* of a value that is modelled: squares and their sums stay finite */

nr_status outcome_create(const struct gp_model *model, double sign, enum optim_transform transform,
                         struct outcome **out)
{
    struct outcome *outcome = mem_array(1, sizeof *outcome);
    if (!outcome)
        return NR_NO_MEMORY;
    *outcome = (struct outcome){.sign = sign, .transform = transform, .half_rank = transform == TRANSFORM_HALF_RANK};
    outcome->theta = mem_array(gp_parameters(model), sizeof *outcome->theta);
    if (!outcome->theta || gp_create(model, &outcome->gp) != NR_OK) {
        outcome_destroy(outcome);
        return NR_NO_MEMORY;
    }
    *out = outcome;
    return NR_OK;
}

static void free_data(struct outcome *outcome)
{
    free(outcome->upward);
    free(outcome->modelled);
    free(outcome->known);
    free(outcome->work);
    outcome->upward = outcome->modelled = outcome->known = outcome->work = NULL;
    outcome->capacity = 0;
}

void outcome_destroy(struct outcome *outcome)
{
    if (!outcome)
        return;
    gp_destroy(outcome->gp);
    free_data(outcome);
    free(outcome->theta);
    free(outcome);
}

static nr_status reserve(struct outcome *outcome, size_t count)
{
    if (count <= outcome->capacity)
        return NR_OK;
    free_data(outcome);
    outcome->upward = mem_array(2 * count, sizeof(double));
    outcome->modelled = mem_array(2 * count, sizeof(double));
    outcome->known = mem_array(2 * count, sizeof(double));
    outcome->work = mem_array(2 * count, 2 * sizeof(double));
    if (!outcome->upward || !outcome->modelled || !outcome->known || !outcome->work)
        return NR_NO_MEMORY;
    outcome->capacity = 2 * count;
    return NR_OK;
}

static nr_status set_data(struct outcome *outcome, const struct outcome_data *data, bool half_rank)
{
    nr_status status = reserve(outcome, data->observed + 1);
    if (status != NR_OK)
        return status;
    outcome->observed = data->observed;
    for (size_t i = 0; i < data->observed; i++)
        outcome->upward[i] = fmin(fmax(outcome->sign * data->value[i], -most), most);
    response_fit(outcome->upward, data->observed, half_rank, outcome->work, &outcome->map, outcome->modelled);
    for (size_t i = 0; i < data->observed; i++)
        outcome->known[i] =
            data->variance ? response_variance(&outcome->map, outcome->upward[i], data->variance[i]) : 0;
    status = gp_set_data(outcome->gp, data->x, data->observed, outcome->modelled, outcome->known, data->repeats);
    if (status == NR_OK)
        gp_set_window(outcome->gp, data->window);
    return status;
}

/* Improves theta, which `started` says to hold a fit already. */
static nr_status fit_theta(struct outcome *outcome, enum outcome_fit fit, struct rng rng, bool started, double *theta)
{
    size_t parameters = gp_parameters(gp_model_of(outcome->gp));
    struct gp_value old = {-INFINITY, -INFINITY}, value;
    nr_status status = NR_OK;
    if (fit != FIT_NONE && started)
        status = gp_climb(outcome->gp, theta, WARM_STEPS, &old);
    if (fit != FIT_FULL || status == NR_NO_MEMORY)
        return status == NR_NO_MEMORY ? status : NR_OK; /* a climb that finds nothing better leaves theta as it is */
    double *fresh = mem_array(parameters, sizeof *fresh);
    if (!fresh)
        return NR_NO_MEMORY;
    status = gp_fit(outcome->gp, &rng, RANDOM_STARTS, FULL_STEPS, fresh, &value);
    if (status == NR_OK && value.log_posterior > old.log_posterior)
        memcpy(theta, fresh, parameters * sizeof *theta);
    free(fresh);
    return started && status == NR_INVALID ? NR_OK : status;
}

/* How well each result is foretold by all others, on the scale of the results. Both transforms leave the better half as
 * it is but for place and scale, so densities are compared there without a Jacobian of ranks, which would measure how
 * evenly results lie. Of a result of the worse half the probability to be one is taken: the score is then still a
 * proper one (censored likelihood, Diks, Panchenko, van Dijk 2011). -inf where it cannot be computed. */
static nr_status foretold(struct outcome *outcome, double *out)
{
    size_t n = outcome->observed;
    double *mean = mem_array(2 * n, sizeof *mean), *variance = mean + n, sum = 0;
    if (!mean)
        return NR_NO_MEMORY;
    nr_status status = gp_leave_one_out(outcome->gp, mean, variance);
    double middle = response_apply(&outcome->map, outcome->map.median);
    for (size_t i = 0; i < n && status == NR_OK; i++) {
        double deviation = sqrt(variance[i]);
        if (outcome->upward[i] < outcome->map.median) {
            sum += normal_log_probability((middle - mean[i]) / deviation, NULL);
        } else {
            double z = (outcome->modelled[i] - mean[i]) / deviation;
            sum += -0.5 * z * z - log(deviation * outcome->map.deviation);
        }
    }
    free(mean);
    *out = status == NR_OK && isfinite(sum) ? sum : -INFINITY;
    return status == NR_NO_MEMORY ? status : NR_OK;
}

/* Fits one of the two transforms from nothing. */
static nr_status try_transform(struct outcome *outcome, const struct outcome_data *data, bool half_rank, struct rng rng,
                               double *theta, double *out)
{
    *out = -INFINITY;
    nr_status status = set_data(outcome, data, half_rank);
    if (status == NR_OK)
        status = fit_theta(outcome, FIT_FULL, rng, false, theta);
    if (status == NR_OK)
        status = gp_condition(outcome->gp, theta);
    if (status == NR_OK)
        status = foretold(outcome, out);
    return status == NR_INVALID ? NR_OK : status;
}

static nr_status choose_transform(struct outcome *outcome, const struct outcome_data *data, struct rng rng)
{
    double *theta = mem_array(gp_parameters(gp_model_of(outcome->gp)), sizeof *theta), plain = 0, ranked = 0;
    if (!theta)
        return NR_NO_MEMORY;
    nr_status status = try_transform(outcome, data, false, rng, theta, &plain);
    if (status == NR_OK)
        status = try_transform(outcome, data, true, rng, theta, &ranked);
    bool half_rank = ranked > plain + clear_case;
    if (status == NR_OK && outcome->half_rank != half_rank) {
        outcome->half_rank = half_rank;
        outcome->fitted = false; /* the hyper-parameters were those of the other */
    }
    free(theta);
    return status;
}

nr_status outcome_learn(struct outcome *outcome, const struct outcome_data *data, enum outcome_fit fit, struct rng rng)
{
    nr_status status = NR_OK;
    if (!outcome->fitted)
        fit = FIT_FULL;
    if (outcome->transform == TRANSFORM_AUTO && fit == FIT_FULL && data->observed >= AUTO_RESULTS)
        status = choose_transform(outcome, data, rng);
    if (status == NR_OK)
        status = set_data(outcome, data, outcome->half_rank);
    if (status == NR_OK)
        status = fit_theta(outcome, fit, rng, outcome->fitted, outcome->theta);
    if (status == NR_OK) {
        outcome->fitted = true;
        status = gp_condition(outcome->gp, outcome->theta);
    }
    return status;
}

double outcome_model_unit(const struct outcome *outcome, double own)
{
    return response_apply(&outcome->map, outcome->sign * own);
}

double outcome_own_unit(const struct outcome *outcome, double modelled)
{
    return outcome->sign * response_restore(&outcome->map, modelled);
}

double outcome_noise(const struct outcome *outcome)
{
    return exp(outcome->theta[kernel_parameters(&gp_model_of(outcome->gp)->kernel)]);
}

/* ---- state ---- */

void outcome_append_state(const struct outcome *outcome, const char *name, struct text *text)
{
    text_format(text, " model%s=", name);
    for (size_t t = 0; t < gp_parameters(gp_model_of(outcome->gp)) && outcome->fitted; t++) {
        text_append(text, t ? "," : "");
        text_append_real(text, outcome->theta[t]);
    }
    if (outcome->transform == TRANSFORM_AUTO)
        text_format(text, " warp%s=%s", name, outcome->half_rank ? "halfrank" : "none");
}

bool outcome_restore_model(struct outcome *outcome, const char *list)
{
    size_t count = gp_parameters(gp_model_of(outcome->gp)), t = 0;
    char *copy = mem_copy_string(list), *rest = NULL;
    bool valid = copy;
    for (char *part = valid ? strtok_r(copy, ",", &rest) : NULL; part && valid; part = strtok_r(NULL, ",", &rest)) {
        valid = t < count && text_to_real(part, &outcome->theta[t]);
        t++;
    }
    free(copy);
    outcome->fitted = valid && t == count;
    return outcome->fitted || (valid && t == 0);
}

bool outcome_restore_warp(struct outcome *outcome, const char *name)
{
    bool half_rank = !strcmp(name, "halfrank");
    if (outcome->transform != TRANSFORM_AUTO || (!half_rank && strcmp(name, "none") != 0))
        return false;
    outcome->half_rank = half_rank;
    return true;
}
