/* What a surrogate believes, for reports. Nothing here changes what a later suggestion depends on. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/surrogate_parts.h"

bool surrogate_is_fitted(const struct surrogate *surrogate)
{
    return surrogate->results > 0;
}

size_t surrogate_rows(const struct surrogate *surrogate)
{
    return surrogate->evidence.observed;
}

size_t surrogate_row_trial(const struct surrogate *surrogate, size_t row)
{
    return surrogate->evidence.trial[surrogate->evidence.failed + row];
}

bool surrogate_models(const struct surrogate *surrogate, size_t outcome)
{
    return outcome < problem_outcomes(surrogate->problem) && surrogate->outcome[outcome];
}

nr_status surrogate_leave_one_out(struct surrogate *surrogate, size_t outcome, double *observed, double *mean,
                                  double *variance)
{
    struct gp *gp = surrogate->outcome[outcome]->gp;
    memcpy(observed, gp_outcomes(gp), surrogate->evidence.observed * sizeof *observed);
    return gp_leave_one_out(gp, mean, variance);
}

nr_status surrogate_predict(struct surrogate *surrogate, size_t outcome, const double *points, size_t count,
                            double *mean, double *variance)
{
    size_t dimensions = surrogate->problem->space->count;
    const struct gp *gp = surrogate->outcome[outcome]->gp;
    nr_status status = mem_grow(&surrogate->whitened, &surrogate->whitened_capacity, gp_points(gp) * SURROGATE_BATCH,
                                sizeof *surrogate->whitened);
    for (size_t first = 0; status == NR_OK && first < count; first += SURROGATE_BATCH) {
        size_t batch = count - first < SURROGATE_BATCH ? count - first : SURROGATE_BATCH;
        struct kernel_points x = surrogate_batch(surrogate, points + first * dimensions, batch);
        if (variance)
            gp_posterior(gp, x, surrogate->whitened, mean + first, variance + first);
        else
            gp_posterior_mean(gp, x, surrogate->whitened, mean + first);
    }
    return status;
}

double surrogate_to_unit(const struct surrogate *surrogate, size_t outcome, double modelled)
{
    return outcome_own_unit(surrogate->outcome[outcome], modelled);
}

double surrogate_from_unit(const struct surrogate *surrogate, size_t outcome, double value)
{
    return outcome_model_unit(surrogate->outcome[outcome], value);
}

nr_status surrogate_similarity(struct surrogate *surrogate, size_t outcome, const double *point, const double *others,
                               size_t count, double *similarity)
{
    const struct kernel *kernel = &gp_model_of(surrogate->outcome[outcome]->gp)->kernel;
    const double *theta = surrogate->outcome[outcome]->theta;
    double *own = mem_array(surrogate->evidence.features.count, sizeof *own);
    if (!own)
        return NR_NO_MEMORY;
    features_of(&surrogate->evidence.features, point, own, 1);
    struct kernel_points one = {own, 1, 1};
    for (size_t first = 0; first < count; first += SURROGATE_BATCH) {
        size_t batch = count - first < SURROGATE_BATCH ? count - first : SURROGATE_BATCH;
        struct kernel_points x = surrogate_batch(surrogate, others + first * surrogate->problem->space->count, batch);
        kernel_cross(kernel, theta, x, one, similarity + first, batch);
    }
    for (size_t i = 0; i < count; i++)
        similarity[i] /= kernel_variance(kernel, theta);
    free(own);
    return NR_OK;
}

double surrogate_prior_variance(const struct surrogate *surrogate, size_t outcome)
{
    return kernel_variance(&gp_model_of(surrogate->outcome[outcome]->gp)->kernel, surrogate->outcome[outcome]->theta);
}

double surrogate_noise(const struct surrogate *surrogate, size_t outcome)
{
    return outcome_noise(surrogate->outcome[outcome]);
}

double surrogate_known_noise(const struct surrogate *surrogate, size_t outcome, double value, double variance)
{
    const struct outcome *model = surrogate->outcome[outcome];
    bool known = variance > 0 && isfinite(variance) && isfinite(value);
    return known ? response_variance(&model->map, model->sign * value, variance) : 0;
}

bool surrogate_half_rank(const struct surrogate *surrogate, size_t outcome)
{
    return surrogate->outcome[outcome]->half_rank;
}

nr_status surrogate_forecast(struct surrogate *surrogate, const double *point, const struct optim_admission *admission,
                             struct forecast *out)
{
    struct outlook outlook;
    nr_status status = surrogate_outlook(surrogate, point, admission, &outlook);
    if (status != NR_OK)
        return status;
    struct parts parts = surrogate_parts(surrogate, &outlook, PRECISION_FINE);
    struct forecast forecast = {.log_improvement = parts.log_improvement,
                                .log_success = parts.log_success,
                                .log_seconds = surrogate_log_seconds(surrogate, admission),
                                .log_value = surrogate_sum(surrogate, &outlook, &parts, admission).log_value};
    for (size_t c = 0; c < surrogate->problem->constraints; c++)
        forecast.log_feasible[c] = parts.log_feasible[c];
    *out = forecast;
    return NR_OK;
}

void surrogate_reference(const struct surrogate *surrogate, double *reference)
{
    const struct optim_problem *problem = surrogate->problem;
    for (size_t j = 0; j < problem->objectives; j++) {
        double modelled = surrogate->reference[j];
        if (surrogate->outcome[j])
            reference[j] = outcome_own_unit(surrogate->outcome[j], modelled);
        else
            reference[j] = problem_sign(problem, j) * (modelled / surrogate->scale[j] + surrogate->offset[j]);
    }
}
