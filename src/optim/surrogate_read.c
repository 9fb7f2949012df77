/* What a surrogate believes, for reports. Nothing here changes what a later suggestion depends on. */
#include <math.h>
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

nr_status surrogate_predict(struct surrogate *surrogate, size_t outcome, const double *points, size_t count,
                            double *mean, double *variance)
{
    size_t dimensions = surrogate->problem->space->count;
    const struct gp *gp = surrogate->gp[outcome];
    nr_status status = mem_grow(&surrogate->whitened, &surrogate->whitened_capacity, gp_points(gp) * SURROGATE_BATCH,
                                sizeof *surrogate->whitened);
    for (size_t first = 0; status == NR_OK && first < count; first += SURROGATE_BATCH) {
        size_t batch = count - first < SURROGATE_BATCH ? count - first : SURROGATE_BATCH;
        for (size_t i = 0; i < batch; i++)
            features_of(&surrogate->features, points + (first + i) * dimensions, surrogate->batch_x + i,
                        SURROGATE_BATCH);
        struct kernel_points x = {surrogate->batch_x, batch, SURROGATE_BATCH};
        gp_posterior(gp, x, surrogate->whitened, mean + first, variance + first);
    }
    return status;
}

double surrogate_to_unit(const struct surrogate *surrogate, size_t outcome, double modelled)
{
    return surrogate_sign(surrogate->problem, outcome) * response_restore(&surrogate->map[outcome], modelled);
}

double surrogate_noise(const struct surrogate *surrogate, size_t outcome)
{
    const struct kernel *kernel = &gp_model_of(surrogate->gp[outcome])->kernel;
    return exp(surrogate->theta[outcome][kernel_parameters(kernel)]);
}

bool surrogate_half_rank(const struct surrogate *surrogate, size_t outcome)
{
    return surrogate->problem->objective[outcome].transform == TRANSFORM_HALF_RANK;
}
