#include "optim/duration.h"

#include <math.h>

enum { NEEDED = 3, ROUNDS = 8 };
static const double prior_slope = 1, prior_variance = 0.25;
static const double freedom = 4;           /* of the t distribution of what the line leaves over */
static const double least_variance = 1e-4; /* of it: one per cent */

static bool usable(const struct history_trial *trial)
{
    return trial->state == TRIAL_FINISHED && trial->result.seconds > 0 && isfinite(trial->result.seconds) &&
           trial->admission.work > 0 && isfinite(trial->admission.work);
}

struct sums {
    double weight, x, y, xx, xy, residual;
    size_t count;
};

/* Weighted sums with the weights of a t distribution around the present line (Lange, Little, Taylor 1989). */
static struct sums sum_up(const struct history *history, const struct duration *line, double variance)
{
    struct sums sums = {0};
    for (size_t i = 0; i < history->count; i++) {
        const struct history_trial *trial = &history->trial[i];
        if (!usable(trial))
            continue;
        double x = log(trial->admission.work), y = log(trial->result.seconds), weight = 1;
        double residual = y - line->intercept - line->slope * x;
        if (isfinite(variance))
            weight = (freedom + 1) / (freedom + residual * residual / variance);
        sums.weight += weight;
        sums.x += weight * x;
        sums.y += weight * y;
        sums.xx += weight * x * x;
        sums.xy += weight * x * y;
        sums.residual += weight * residual * residual;
        sums.count++;
    }
    return sums;
}

void duration_fit(struct duration *duration, const struct history *history)
{
    struct duration line = {.slope = prior_slope};
    double variance = INFINITY; /* all weights 1 at first */
    *duration = (struct duration){0};
    for (int round = 0; round < ROUNDS; round++) {
        struct sums sums = sum_up(history, &line, variance);
        if (sums.count < NEEDED)
            return;
        double x = sums.x / sums.weight, y = sums.y / sums.weight;
        double xx = sums.xx - sums.weight * x * x, xy = sums.xy - sums.weight * x * y;
        double ridge = isfinite(variance) ? variance / prior_variance : 1;
        line.slope = (xy + ridge * prior_slope) / (xx + ridge);
        line.intercept = y - line.slope * x;
        sums = sum_up(history, &line, variance);
        variance = fmax(sums.residual / (double)sums.count, least_variance);
    }
    line.known = true;
    *duration = line;
}

double duration_log_seconds(const struct duration *duration, double work)
{
    return duration->known && work > 0 ? duration->intercept + duration->slope * log(work) : NAN;
}
