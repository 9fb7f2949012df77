/* What is believed of hyper-parameters before there are data. */
#include <math.h>

#include "optim/gp.h"

static const double log_two_pi = 1.8378770664093453;

struct gp_model gp_model_default(struct kernel kernel)
{
    return (struct gp_model){.kernel = kernel,
                             .length = {sqrt(2) + 0.5 * log((double)kernel.features), sqrt(3)},
                             .noise = {-4, 1},
                             .scale = {0, 1},
                             .additive = {0, 1}};
}

/* log LogNormal(e^t; mean, sd) = -t - (t - mean)^2 / (2 sd^2) - log(sd sqrt(2 pi)); its derivative by t is added. */
static double log_normal(struct gp_prior prior, double t, double *gradient)
{
    if (prior.sd <= 0)
        return 0;
    double z = (t - prior.mean) / prior.sd;
    if (gradient)
        *gradient += -1 - z / prior.sd;
    return -t - 0.5 * z * z - log(prior.sd) - 0.5 * log_two_pi;
}

/* The log density of the logarithm of X ~ half-Cauchy(scale) at `log_ratio` = log(x / scale):
 * log(2 / pi) + log_ratio - log(1 + e^(2 log_ratio)). Its derivative is -tanh(log_ratio). */
static double log_half_cauchy(double log_ratio)
{
    double size = fabs(log_ratio); /* symmetric, and this way nothing overflows */
    return log(2 / 3.141592653589793) - size - log1p(exp(-2 * size));
}

/* rho_j = 1 / l_j^2 ~ half-Cauchy(tau), tau ~ half-Cauchy(0.1). */
static double sparse_lengths(const struct gp_model *model, const double *theta, double *gradient)
{
    size_t features = model->kernel.features, at = kernel_parameters(&model->kernel) + 2;
    double log_tau = theta[at], sum = log_half_cauchy(log_tau - log(0.1));
    if (gradient)
        gradient[at] -= tanh(log_tau - log(0.1));
    for (size_t j = 0; j < features; j++) {
        double log_ratio = -2 * theta[j] - log_tau;
        sum += log_half_cauchy(log_ratio);
        if (gradient) {
            gradient[j] += 2 * tanh(log_ratio);
            gradient[at] += tanh(log_ratio);
        }
    }
    return sum;
}

double gp_log_prior(const struct gp_model *model, const double *theta, double *gradient)
{
    size_t features = model->kernel.features;
    double sum = model->sparse ? sparse_lengths(model, theta, gradient) : 0;
    for (size_t j = 0; j < features && !model->sparse; j++)
        sum += log_normal(model->length, theta[j], gradient ? gradient + j : NULL);
    sum += log_normal(model->noise, theta[features + 2], gradient ? gradient + features + 2 : NULL);
    if (model->fit_scale)
        sum += log_normal(model->scale, theta[features], gradient ? gradient + features : NULL);
    if (model->fit_scale && model->kernel.additive)
        sum += log_normal(model->additive, theta[features + 1], gradient ? gradient + features + 1 : NULL);
    return sum;
}
