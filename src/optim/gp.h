/* An exact Gaussian process: y_i = mean + f(x_i) + e_i, f ~ GP(0, k), e_i ~ N(0, noise + known_i).
 *
 * Outcomes are expected standardised. Points may be added whose outcome is still awaited: they leave the posterior mean
 * as it is and take out the variance that their outcome will take out (conditioning on the mean itself, "kriging
 * believer"). One object is used for the whole of a search; it only ever grows its memory. Who calls: the surrogate,
 * per suggestion. */
#ifndef NASRUN_OPTIM_GP_H
#define NASRUN_OPTIM_GP_H

#include "base/rng.h"
#include "base/status.h"
#include "optim/kernel.h"

struct gp_prior {    /* of a positive quantity; sd 0: flat */
    double mean, sd; /* of its logarithm */
};

/* Hyper-parameters theta: the kernel's (log lengths, log scale, log additive), then log noise, then the mean, then log
 * tau where the prior is sparse: 1 / length^2 ~ half-Cauchy(tau), tau ~ half-Cauchy(0.1) (Eriksson and Jankowiak 2021).
 */
struct gp_model {
    struct kernel kernel;
    bool fit_scale; /* else scale and additive stay where they are */
    bool sparse;    /* lengths by the prior for many dimensions of which few matter, `length` is not regarded */
    struct gp_prior length, noise, scale, additive;
};

/* Lengths ~ LogNormal(sqrt2 + ln(d)/2, sqrt3), noise ~ LogNormal(-4, 1) (Hvarfner, Hellsten, Nardi 2024); scales, where
 * fitted, ~ LogNormal(0, 1). As there, the density is that of the quantity, not of its logarithm. */
struct gp_model gp_model_default(struct kernel kernel);

static inline size_t gp_parameters(const struct gp_model *model)
{
    return kernel_parameters(&model->kernel) + 2 + model->sparse;
}

/* The log density of theta; its gradient is added to `gradient` (may be NULL). Of tau and, where the prior is sparse,
 * of lengths it is the density of the logarithm, of all else that of the quantity. */
double gp_log_prior(const struct gp_model *model, const double *theta, double *gradient);

struct gp;

/* `model->kernel.category` must outlive the gp. */
nr_status gp_create(const struct gp_model *model, struct gp **out) NR_MUST_CHECK;
void gp_destroy(struct gp *gp);
const struct gp_model *gp_model_of(const struct gp *gp);

/* Copies the data: x of observed + awaited points by feature; of the observed, which come first, y, `known` (variances,
 * NULL: none) and `repeats` (NULL: 1 each): y_i may be the mean of so many measurements, its noise is then that much
 * smaller. */
nr_status gp_set_data(struct gp *gp, struct kernel_points x, size_t observed, const double *y, const double *known,
                      const double *repeats) NR_MUST_CHECK;

/* Fits look at these of the observed points only, which bounds their cost; after gp_set_data(), at all. */
struct gp_span {
    size_t first, count;
};
void gp_set_window(struct gp *gp, struct gp_span window);
struct gp_span gp_window(const struct gp *gp);

struct gp_value {
    double log_likelihood; /* log marginal likelihood, not divided by n */
    double log_posterior;  /* plus the log priors */
};
/* Value and, where `gradient` is given, the gradient of the log posterior by theta, fixed entries included as if they
 * were free (without prior). NR_INVALID when the covariance is not positive definite at the largest jitter. */
nr_status gp_evaluate(struct gp *gp, const double *theta, struct gp_value *value, double *gradient) NR_MUST_CHECK;

/* Climbs from theta to a maximum of the log posterior, at most `steps` L-BFGS iterations; theta only ever improves. */
nr_status gp_climb(struct gp *gp, double *theta, int steps, struct gp_value *value) NR_MUST_CHECK;
/* A fit from nothing: climbs from the prior's mode, from its median, from long lengths with much noise (where the prior
 * is sparse from three values of tau and noise) and from `starts` random draws, and keeps the best. Where the window is
 * large, the starts look at a part of it, and only the best goes on. */
nr_status gp_fit(struct gp *gp, struct rng *rng, int starts, int steps, double *theta,
                 struct gp_value *value) NR_MUST_CHECK;

/* Factors the covariance at theta; before the four below. */
nr_status gp_condition(struct gp *gp, const double *theta) NR_MUST_CHECK;
size_t gp_points(const struct gp *gp);          /* observed and awaited */
const double *gp_outcomes(const struct gp *gp); /* y as given, of the observed */
/* Mean and variance of f (without noise) at x. `work` holds gp_points() * x.count doubles. */
void gp_posterior(const struct gp *gp, struct kernel_points x, double *work, double *mean, double *variance);
/* The same in two stages, for many candidates of which few matter. First the mean, and the variance given the first
 * `rows` points alone, which is a bound from above; then the variance of `count` of them, numbers chosen[] of the
 * x.count = `stride` candidates for which `work` was filled. `columns` holds gp_points() * count doubles. */
void gp_posterior_bound(const struct gp *gp, struct kernel_points x, size_t rows, double *work, double *mean,
                        double *variance);
void gp_posterior_complete(const struct gp *gp, size_t rows, const double *work, size_t stride, const size_t *chosen,
                           size_t count, double *columns, double *variance);
/* As gp_posterior() with the gradients by the features of x, [x.count][features]; those of categories are 0. */
void gp_posterior_gradient(const struct gp *gp, struct kernel_points x, double *work, double *mean, double *variance,
                           double *mean_gradient, double *variance_gradient);
/* The mean alone, which costs O(n) a point where the variance costs O(n^2). */
void gp_posterior_mean(const struct gp *gp, struct kernel_points x, double *work, double *mean);
/* As gp_posterior(), and all covariances: joint[i + k * x.count]. */
void gp_posterior_joint(const struct gp *gp, struct kernel_points x, double *work, double *mean, double *joint);
/* The posterior mean at the data's own points, awaited ones included. */
void gp_fitted(const struct gp *gp, double *mean);
/* Mean and variance (with noise) of each observation given all others, in closed form: y_i - [A^-1 (y-m)]_i / [A^-1]_ii
 * and 1 / [A^-1]_ii. */
nr_status gp_leave_one_out(struct gp *gp, double *mean, double *variance) NR_MUST_CHECK;

#endif
