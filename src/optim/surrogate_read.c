/* What a surrogate believes, for reports. Nothing here changes what a later suggestion depends on. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/surrogate_parts.h"

size_t surrogate_rows(const struct surrogate *surrogate)
{
    return surrogate->observed;
}

size_t surrogate_row_trial(const struct surrogate *surrogate, size_t row)
{
    return surrogate->trial[row];
}

bool surrogate_models(const struct surrogate *surrogate, size_t outcome)
{
    return outcome < surrogate->problem->objectives && !surrogate->problem->objective[outcome].exact;
}

nr_status surrogate_leave_one_out(struct surrogate *surrogate, size_t outcome, double *observed, double *mean,
                                  double *variance)
{
    struct gp *gp = surrogate->gp[outcome];
    memcpy(observed, gp_outcomes(gp), surrogate->observed * sizeof *observed);
    return gp_leave_one_out(gp, mean, variance);
}

static struct kernel_points batch_of(struct surrogate *surrogate, const double *points, size_t count)
{
    for (size_t i = 0; i < count; i++)
        features_of(&surrogate->features, points + i * surrogate->problem->space->count, surrogate->batch_x + i,
                    SURROGATE_BATCH);
    return (struct kernel_points){surrogate->batch_x, count, SURROGATE_BATCH};
}

nr_status surrogate_predict(struct surrogate *surrogate, size_t outcome, const double *points, size_t count,
                            double *mean, double *variance)
{
    size_t dimensions = surrogate->problem->space->count;
    const struct gp *gp = surrogate->gp[outcome];
    nr_status status = mem_grow(&surrogate->whitened, &surrogate->whitened_capacity, gp_points(gp) * SURROGATE_BATCH,
                                sizeof *surrogate->whitened);
    for (size_t first = 0; status == NR_OK && first < count; first += SURROGATE_BATCH) {
        size_t batch = count - first < SURROGATE_BATCH ? count - first : SURROGATE_BATCH;
        struct kernel_points x = batch_of(surrogate, points + first * dimensions, batch);
        if (variance)
            gp_posterior(gp, x, surrogate->whitened, mean + first, variance + first);
        else
            gp_posterior_mean(gp, x, surrogate->whitened, mean + first);
    }
    return status;
}

double surrogate_to_unit(const struct surrogate *surrogate, size_t outcome, double modelled)
{
    return surrogate_sign(surrogate->problem, outcome) * response_restore(&surrogate->map[outcome], modelled);
}

double surrogate_from_unit(const struct surrogate *surrogate, size_t outcome, double value)
{
    return response_apply(&surrogate->map[outcome], surrogate_sign(surrogate->problem, outcome) * value);
}

nr_status surrogate_similarity(struct surrogate *surrogate, size_t outcome, const double *point, const double *others,
                               size_t count, double *similarity)
{
    const struct kernel *kernel = &gp_model_of(surrogate->gp[outcome])->kernel;
    const double *theta = surrogate->theta[outcome];
    double *own = mem_array(surrogate->features.count, sizeof *own);
    if (!own)
        return NR_NO_MEMORY;
    features_of(&surrogate->features, point, own, 1);
    struct kernel_points one = {own, 1, 1};
    for (size_t first = 0; first < count; first += SURROGATE_BATCH) {
        size_t batch = count - first < SURROGATE_BATCH ? count - first : SURROGATE_BATCH;
        struct kernel_points x = batch_of(surrogate, others + first * surrogate->problem->space->count, batch);
        kernel_cross(kernel, theta, x, one, similarity + first, batch);
    }
    for (size_t i = 0; i < count; i++)
        similarity[i] /= kernel_variance(kernel, theta);
    free(own);
    return NR_OK;
}

double surrogate_prior_variance(const struct surrogate *surrogate, size_t outcome)
{
    return kernel_variance(&gp_model_of(surrogate->gp[outcome])->kernel, surrogate->theta[outcome]);
}

double surrogate_noise(const struct surrogate *surrogate, size_t outcome)
{
    const struct kernel *kernel = &gp_model_of(surrogate->gp[outcome])->kernel;
    return exp(surrogate->theta[outcome][kernel_parameters(kernel)]);
}

double surrogate_known_noise(const struct surrogate *surrogate, size_t outcome, double value, double variance)
{
    double signed_value = surrogate_sign(surrogate->problem, outcome) * value;
    bool known = variance > 0 && isfinite(variance) && isfinite(value);
    return known ? response_variance(&surrogate->map[outcome], signed_value, variance) : 0;
}

bool surrogate_half_rank(const struct surrogate *surrogate, size_t outcome)
{
    return surrogate->problem->objective[outcome].transform == TRANSFORM_HALF_RANK;
}
