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

/* Of the variance of success (1 and -1, standardised) that counts as chance. The edge of a region that fails looks like
 * noise to a smooth model; taken at its word, what fails there would stay attractive once little is left to gain
 * elsewhere. */
static const double most_chance = 0.05;

enum {
    IN_STAGES = 400, /* rows from which on scores are made in two stages */
    PREFIX = 256,    /* rows of the first */
    REFINED = 24,    /* candidates that the second completes at once: the width of a tile of optim/linear */
    ROUNDS = 2,
    EXACT = 8 /* scores of a batch that are to be exact */
};

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
        outlook.success_sigma =
            sqrt(posterior[SUCCESS].variance[i] + fmin(outcome_noise(surrogate->success), most_chance));
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

struct parts surrogate_parts(struct surrogate *surrogate, const struct outlook *outlook, enum precision precision)
{
    const struct optim_problem *problem = surrogate->problem;
    struct parts parts = {.log_improvement = NAN};
    if (surrogate->candidates && precision == PRECISION_SLOPES)
        parts.log_improvement =
            boxes_log_ehvi_slope(surrogate->boxes, outlook->mu, outlook->sigma, parts.by_mu, parts.by_sigma);
    else if (surrogate->candidates && precision == PRECISION_FINE)
        parts.log_improvement = boxes_log_ehvi(surrogate->boxes, outlook->mu, outlook->sigma);
    else if (surrogate->candidates)
        parts.log_improvement = boxes_log_ehvi_coarse(surrogate->boxes, outlook->mu, outlook->sigma);
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

static size_t rows_most(const struct surrogate *surrogate)
{
    return surrogate->evidence.failed + surrogate->evidence.observed + surrogate->evidence.awaited;
}

/* Room for `columns` columns and as many gradients as `slopes` outcomes have for `count` points. */
static nr_status reserve(struct surrogate *surrogate, size_t columns, size_t slopes, size_t count)
{
    if (mem_grow(&surrogate->whitened, &surrogate->whitened_capacity, rows_most(surrogate) * columns, sizeof(double)) !=
            NR_OK ||
        mem_grow(&surrogate->slopes, &surrogate->slopes_capacity,
                 slopes * count * 2 * surrogate->evidence.features.count, sizeof(double)) != NR_OK)
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

static struct score score_one(struct surrogate *surrogate, const struct posterior *posterior, size_t i,
                              const struct optim_admission *admission, enum precision precision)
{
    struct outlook outlook = look_at(surrogate, posterior, i, admission);
    struct parts parts = surrogate_parts(surrogate, &outlook, precision);
    return surrogate_sum(surrogate, &outlook, &parts, admission);
}

/* How far below the best the hopeless ones lie matters only where all are hopeless, or where a probability is to be
 * multiplied in that may be as small. */
static void score_all(struct surrogate *surrogate, const struct posterior *posterior,
                      const struct optim_admission *admission, size_t count, struct score *score)
{
    bool fine = surrogate->success_modelled || surrogate->problem->constraints;
    double best = -INFINITY;
    for (size_t i = 0; i < count && !fine; i++) {
        score[i] = score_one(surrogate, posterior, i, &admission[i], PRECISION_COARSE);
        best = fmax(best, score[i].log_value);
    }
    for (size_t i = 0; i < count && best == -INFINITY; i++)
        score[i] = score_one(surrogate, posterior, i, &admission[i], PRECISION_FINE);
}

/* The whitened columns of an outcome, of which two-stage scores keep all. */
static double *columns_of(const struct surrogate *surrogate, size_t which)
{
    return surrogate->whitened + which * rows_most(surrogate) * SURROGATE_BATCH;
}

/* The best candidates of which only a bound is known, best first. */
static size_t choose_bounded(const struct score *score, const bool *exact, size_t count, size_t *chosen)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        size_t at = found < REFINED ? found : REFINED;
        if (exact[i])
            continue;
        for (; at > 0 && score_better(score[i], score[chosen[at - 1]]); at--)
            if (at < REFINED)
                chosen[at] = chosen[at - 1];
        if (at < REFINED)
            chosen[at] = i;
        found += found < REFINED;
    }
    return found;
}

/* Number of exact scores that are better than `bound`. */
static size_t count_better(const struct score *score, const bool *exact, size_t count, struct score bound)
{
    size_t better = 0;
    for (size_t i = 0; i < count; i++)
        better += exact[i] && score_better(score[i], bound);
    return better;
}

/* What stays a bound must not pass for more than the best that is known: it stands below them. */
static void lower_bounds(struct score *score, const bool *exact, size_t count)
{
    double best = -INFINITY;
    for (size_t i = 0; i < count; i++)
        if (exact[i])
            best = fmax(best, score[i].log_value);
    for (size_t i = 0; i < count; i++)
        if (!exact[i] && score[i].log_value >= best && best > -INFINITY)
            score[i] = (struct score){best, -INFINITY};
}

static void complete(struct surrogate *surrogate, const size_t *chosen, size_t chosen_count, size_t count,
                     struct posterior *posterior)
{
    double variance[REFINED], *work = columns_of(surrogate, POSTERIORS);
    for (size_t p = 0; p < POSTERIORS; p++) {
        const struct outcome *outcome = modelled(surrogate, p);
        if (!outcome || p == SUCCESS)
            continue;
        gp_posterior_complete(outcome->gp, PREFIX, columns_of(surrogate, p), count, chosen, chosen_count, work,
                              variance);
        for (size_t k = 0; k < chosen_count; k++)
            posterior[p].variance[chosen[k]] = variance[k];
    }
}

/* With many rows the variances cost most. Given the first rows only, which are the most important ones, a variance is
 * too large, and so is the expected improvement, which grows with each variance (the improvement is convex in each
 * outcome). So candidates are completed in the order of these bounds until EXACT scores are better than all that are
 * still bounds, or for ROUNDS rounds at most. With outcome constraints the order is a good guess only; success, of
 * which the first rows may all be failures, is looked at whole. */
static void score_in_stages(struct surrogate *surrogate, struct kernel_points x,
                            const struct optim_admission *admission, struct posterior *posterior, struct score *score)
{
    bool exact[SURROGATE_BATCH] = {false};
    size_t chosen[REFINED];
    for (size_t p = 0; p < POSTERIORS; p++)
        if (modelled(surrogate, p))
            gp_posterior_bound(modelled(surrogate, p)->gp, x, p == SUCCESS ? SIZE_MAX : PREFIX,
                               columns_of(surrogate, p), posterior[p].mean, posterior[p].variance);
    score_all(surrogate, posterior, admission, x.count, score);
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = choose_bounded(score, exact, x.count, chosen);
        if (count == 0 || count_better(score, exact, x.count, score[chosen[0]]) >= EXACT)
            break;
        complete(surrogate, chosen, count, x.count, posterior);
        for (size_t k = 0; k < count; k++) {
            score[chosen[k]] = score_one(surrogate, posterior, chosen[k], &admission[chosen[k]], PRECISION_FINE);
            exact[chosen[k]] = true;
        }
    }
    lower_bounds(score, exact, x.count);
}

static void score_batch(struct surrogate *surrogate, const double *points, const struct optim_admission *admission,
                        size_t count, struct score *score)
{
    struct posterior posterior[POSTERIORS];
    struct kernel_points x = surrogate_batch(surrogate, points, count);
    if (rows_most(surrogate) > IN_STAGES) {
        score_in_stages(surrogate, x, admission, posterior, score);
        return;
    }
    for (size_t p = 0; p < POSTERIORS; p++)
        posterior[p].by_mean = NULL;
    view(surrogate, x, posterior);
    score_all(surrogate, posterior, admission, count, score);
}

nr_status surrogate_score(struct surrogate *surrogate, const double *points, const struct optim_admission *admission,
                          size_t count, struct score *score)
{
    size_t kept = rows_most(surrogate) > IN_STAGES ? POSTERIORS + 1 : 1;
    if (reserve(surrogate, kept * SURROGATE_BATCH, 0, 0) != NR_OK)
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
    if (reserve(surrogate, count, POSTERIORS, count) != NR_OK)
        return NR_NO_MEMORY;
    for (size_t p = 0; p < POSTERIORS; p++) {
        posterior[p].by_mean = surrogate->slopes + 2 * p * block;
        posterior[p].by_variance = posterior[p].by_mean + block;
    }
    view(surrogate, surrogate_batch(surrogate, points, count), posterior);
    memset(gradient, 0, count * dimensions * sizeof *gradient);
    for (size_t i = 0; i < count; i++) {
        struct outlook outlook = look_at(surrogate, posterior, i, &admission[i]);
        struct parts parts = surrogate_parts(surrogate, &outlook, PRECISION_SLOPES);
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
    if (reserve(surrogate, 1, 0, 1) != NR_OK)
        return NR_NO_MEMORY;
    view(surrogate, surrogate_batch(surrogate, point, 1), posterior);
    *out = look_at(surrogate, posterior, 0, admission);
    return NR_OK;
}
