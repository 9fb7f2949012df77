/* Outcomes as the model sees them: maximised, the worse half pulled in by rank where asked for, standardised.
 *
 * The half-rank transform keeps the better half as it is and gives the worse half the quantiles of a half normal whose
 * width is that of the better half: trained metrics have long tails of failures that a stationary model would spend its
 * length scales on (the idea is that of Google Vizier's; measured in DESIGN's prototype). Refitted at each suggestion.
 */
#ifndef NASRUN_OPTIM_RESPONSE_H
#define NASRUN_OPTIM_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

struct response_map {
    const double *raw;    /* [count] ascending */
    const double *warped; /* [count] the same after the transform */
    size_t count;
    double mean, deviation; /* of the warped values (n - 1); deviation 1 where they are all equal */
    double slope;           /* mean slope of the transform in the worse half, 1 without transform */
    double median;
    bool constant;
    bool affine; /* not transformed: holds for any value */
};

/* Fits the map to `count` > 0 finite values and writes the model's outcomes. `work` holds 2 * count doubles that the
 * map refers to. */
void response_fit(const double *value, size_t count, bool half_rank, double *work, struct response_map *map,
                  double *modelled);
/* Any value, interpolated between the fitted ones; beyond them it goes on with slope 1 above, and below stays where
 * ranks are used. */
double response_apply(const struct response_map *map, double value);
/* The way back. Below the worst fitted value, where response_apply() may stay, it goes on with the mean slope. */
double response_restore(const struct response_map *map, double modelled);
/* What a variance at `value` becomes. */
double response_variance(const struct response_map *map, double value, double variance);

/* Phi^-1(p), 0 < p < 1, to about 1e-15. */
double normal_quantile(double p);
/* log Phi(z), without underflow; `slope` (may be NULL) gets phi(z) / Phi(z). */
double normal_log_probability(double z, double *slope);

#endif
