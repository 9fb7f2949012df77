/* The acquisition function of a surrogate, with and without its gradient. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "optim/surrogate_parts.h"

/* The posterior means and variances of one outcome over a batch, and their gradients [count][features]. */
struct posterior {
    double mean[SURROGATE_BATCH], variance[SURROGATE_BATCH];
    double *by_mean, *by_variance; /* NULL: not asked for */
};

enum { SUCCESS = OPTIM_MAX_OUTCOMES, POSTERIORS };

static const struct outcome *modelled(const struct surrogate *surrogate, size_t which)
{
    if (which == SUCCESS)
        return surrogate->success_modelled ? surrogate->success : NULL;
    return surrogate->outcome[which];
}

static void view(struct surrogate *surrogate, struct kernel_points x, struct posterior *posterior)
{
    for (size_t p = 0; p < POSTERIORS; p++) {
        const struct outcome *outcome = modelled(surrogate, p);
        if (!outcome)
            continue;
        if (posterior[p].by_mean)
            gp_posterior_gradient(outcome->gp, x, surrogate->whitened, posterior[p].mean, posterior[p].variance,
                                  posterior[p].by_mean, posterior[p].by_variance);
        else
            gp_posterior(outcome->gp, x, surrogate->whitened, posterior[p].mean, posterior[p].variance);
    }
}

static struct outlook look_at(const struct surrogate *surrogate, const struct posterior *posterior, size_t i,
                              const struct optim_admission *admission)
{
    struct outlook outlook = {{0}, {0}, 0, 1};
    for (size_t j = 0; j < problem_outcomes(surrogate->problem); j++) {
        if (surrogate->outcome[j]) {
            outlook.mu[j] = posterior[j].mean[i];
            outlook.sigma[j] = sqrt(posterior[j].variance[i]);
        } else {
            outlook.mu[j] = surrogate_exact(surrogate, j, admission->exact[j]);
        }
    }
    if (surrogate->success_modelled) {
        outlook.success_mu = posterior[SUCCESS].mean[i];
        outlook.success_sigma = sqrt(posterior[SUCCESS].variance[i] + outcome_noise(surrogate->success));
    }
    return outlook;
}

/* log P(Y >= bound) and, added, its derivatives. */
static double log_above(double mu, double sigma, double bound, double *by_mu, double *by_sigma)
{
    double slope, z = (mu - bound) / sigma, value = normal_log_probability(z, &slope);
    *by_mu += slope / sigma;
    *by_sigma -= slope * z / sigma;
    return value;
}

struct parts surrogate_parts(struct surrogate *surrogate, const struct outlook *outlook, bool slopes)
{
    const struct optim_problem *problem = surrogate->problem;
    struct parts parts = {.log_improvement = NAN};
    if (surrogate->candidates && slopes)
        parts.log_improvement =
            boxes_log_ehvi_slope(surrogate->boxes, outlook->mu, outlook->sigma, parts.by_mu, parts.by_sigma);
    else if (surrogate->candidates)
        parts.log_improvement = boxes_log_ehvi(surrogate->boxes, outlook->mu, outlook->sigma);
    for (size_t c = 0, j = problem->objectives; c < problem->constraints; c++, j++)
        parts.log_feasible[c] =
            log_above(outlook->mu[j], outlook->sigma[j], surrogate->bound[c], &parts.by_mu[j], &parts.by_sigma[j]);
    if (surrogate->success_modelled)
        parts.log_success = log_above(outlook->success_mu, outlook->success_sigma, surrogate->success_bound,
                                      &parts.by_success_mu, &parts.by_success_sigma);
    return parts;
}

double surrogate_log_seconds(const struct surrogate *surrogate, const struct optim_admission *admission)
{
    return surrogate->options.cost_aware ? duration_log_seconds(&surrogate->duration, admission->work) : NAN;
}

struct score surrogate_sum(const struct surrogate *surrogate, const struct outlook *outlook, const struct parts *parts,
                           const struct optim_admission *admission)
{
    double seconds = surrogate_log_seconds(surrogate, admission);
    struct score score = {parts->log_success, 0};
    if (!isnan(parts->log_improvement))
        score.log_value += parts->log_improvement;
    for (size_t c = 0; c < surrogate->problem->constraints; c++)
        score.log_value += parts->log_feasible[c];
    if (!isnan(seconds))
        score.log_value -= seconds;
    for (size_t j = 0; j < surrogate->problem->objectives; j++)
        score.optimism += outlook->mu[j] + outlook->sigma[j];
    return score;
}

static nr_status reserve(struct surrogate *surrogate, size_t count, size_t slopes)
{
    const struct evidence *evidence = &surrogate->evidence;
    size_t rows = evidence->failed + evidence->observed + evidence->awaited;
    if (mem_grow(&surrogate->whitened, &surrogate->whitened_capacity, rows * count, sizeof(double)) != NR_OK ||
        mem_grow(&surrogate->slopes, &surrogate->slopes_capacity, slopes * count * 2 * evidence->features.count,
                 sizeof(double)) != NR_OK)
        return NR_NO_MEMORY;
    return NR_OK;
}

struct kernel_points surrogate_batch(struct surrogate *surrogate, const double *points, size_t count)
{
    for (size_t i = 0; i < count; i++)
        features_of(&surrogate->evidence.features, points + i * surrogate->problem->space->count,
                    surrogate->batch_x + i, SURROGATE_BATCH);
    return (struct kernel_points){surrogate->batch_x, count, SURROGATE_BATCH};
}

static void score_batch(struct surrogate *surrogate, const double *points, const struct optim_admission *admission,
                        size_t count, struct score *score)
{
    struct posterior posterior[POSTERIORS];
    for (size_t p = 0; p < POSTERIORS; p++)
        posterior[p].by_mean = NULL;
    view(surrogate, surrogate_batch(surrogate, points, count), posterior);
    for (size_t i = 0; i < count; i++) {
        struct outlook outlook = look_at(surrogate, posterior, i, &admission[i]);
        struct parts parts = surrogate_parts(surrogate, &outlook, false);
        score[i] = surrogate_sum(surrogate, &outlook, &parts, &admission[i]);
    }
}

nr_status surrogate_score(struct surrogate *surrogate, const double *points, const struct optim_admission *admission,
                          size_t count, struct score *score)
{
    if (reserve(surrogate, SURROGATE_BATCH, 0) != NR_OK)
        return NR_NO_MEMORY;
    for (size_t i = 0; i < count; i += SURROGATE_BATCH)
        score_batch(surrogate, points + i * surrogate->problem->space->count, admission + i,
                    count - i < SURROGATE_BATCH ? count - i : SURROGATE_BATCH, score + i);
    return NR_OK;
}

/* The chain rule from posteriors to places in the unit cube: a number's feature is its place. */
static double by_place(const struct surrogate *surrogate, const struct posterior *posterior, const struct outlook *look,
                       const struct parts *parts, size_t i, size_t feature)
{
    size_t at = i * surrogate->evidence.features.count + feature;
    double sum = 0;
    for (size_t j = 0; j < problem_outcomes(surrogate->problem); j++)
        if (surrogate->outcome[j])
            sum += parts->by_mu[j] * posterior[j].by_mean[at] +
                   parts->by_sigma[j] * posterior[j].by_variance[at] / (2 * look->sigma[j]);
    if (surrogate->success_modelled)
        sum += parts->by_success_mu * posterior[SUCCESS].by_mean[at] +
               parts->by_success_sigma * posterior[SUCCESS].by_variance[at] / (2 * look->success_sigma);
    return sum;
}

static double by_admission(const struct surrogate *surrogate, const struct parts *parts,
                           const struct optim_admission *admission, const struct admission_slope *slope)
{
    const struct optim_problem *problem = surrogate->problem;
    double sum = 0;
    for (size_t j = 0; j < problem->objectives; j++)
        if (problem_knows(problem, j))
            sum += parts->by_mu[j] * problem_sign(problem, j) * surrogate->scale[j] * slope->exact[j];
    if (!isnan(surrogate_log_seconds(surrogate, admission)))
        sum -= surrogate->duration.slope * slope->work / admission->work;
    return sum;
}

nr_status surrogate_score_gradient(struct surrogate *surrogate, const double *points,
                                   const struct optim_admission *admission, const struct admission_slope *slope,
                                   size_t count, struct score *score, double *gradient)
{
    const struct features *features = &surrogate->evidence.features;
    size_t dimensions = surrogate->problem->space->count, block = count * features->count;
    struct posterior posterior[POSTERIORS];
    if (reserve(surrogate, count, POSTERIORS) != NR_OK)
        return NR_NO_MEMORY;
    for (size_t p = 0; p < POSTERIORS; p++) {
        posterior[p].by_mean = surrogate->slopes + 2 * p * block;
        posterior[p].by_variance = posterior[p].by_mean + block;
    }
    view(surrogate, surrogate_batch(surrogate, points, count), posterior);
    memset(gradient, 0, count * dimensions * sizeof *gradient);
    for (size_t i = 0; i < count; i++) {
        struct outlook outlook = look_at(surrogate, posterior, i, &admission[i]);
        struct parts parts = surrogate_parts(surrogate, &outlook, true);
        score[i] = surrogate_sum(surrogate, &outlook, &parts, &admission[i]);
        for (size_t f = 0; f < features->count; f++) {
            size_t at = i * dimensions + features->dimension[f];
            if (features->category[f] || isnan(points[at]))
                continue;
            gradient[at] = by_place(surrogate, posterior, &outlook, &parts, i, f);
            if (slope)
                gradient[at] += by_admission(surrogate, &parts, &admission[i], &slope[at]);
        }
    }
    return NR_OK;
}

nr_status surrogate_outlook(struct surrogate *surrogate, const double *point, const struct optim_admission *admission,
                            struct outlook *out)
{
    struct posterior posterior[POSTERIORS];
    for (size_t p = 0; p < POSTERIORS; p++)
        posterior[p].by_mean = NULL;
    if (reserve(surrogate, 1, 0) != NR_OK)
        return NR_NO_MEMORY;
    view(surrogate, surrogate_batch(surrogate, point, 1), posterior);
    *out = look_at(surrogate, posterior, 0, admission);
    return NR_OK;
}
