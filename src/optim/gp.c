#include "optim/gp.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const double log_two_pi = 1.8378770664093453;

struct gp {
    struct gp_model model;
    size_t observed, total; /* points with an outcome; all points */
    double *x;              /* [features][total] */
    double *y, *known;      /* [observed] */
    double *factor;         /* lower Cholesky factor [total][total], by column; work matrix of gp_evaluate */
    double *scratch;        /* [total][total] */
    double *alpha;          /* A^-1 (y - mean) [observed] */
    double *theta;          /* of the last gp_condition */
    double added;           /* noise and jitter on the diagonal at that theta */
    size_t x_capacity, vector_capacity, matrix_capacity;
};

struct gp_model gp_model_default(struct kernel kernel)
{
    return (struct gp_model){.kernel = kernel,
                             .length = {sqrt(2) + 0.5 * log((double)kernel.features), sqrt(3)},
                             .noise = {-4, 1},
                             .scale = {0, 1},
                             .additive = {0, 1}};
}

nr_status gp_create(const struct gp_model *model, struct gp **out)
{
    struct gp *gp = mem_array(1, sizeof *gp);
    double *theta = mem_array(gp_parameters(model), sizeof *theta);
    if (!gp || !theta) {
        free(gp);
        free(theta);
        return NR_NO_MEMORY;
    }
    *gp = (struct gp){.model = *model, .theta = theta};
    *out = gp;
    return NR_OK;
}

void gp_destroy(struct gp *gp)
{
    if (!gp)
        return;
    free(gp->x);
    free(gp->y);
    free(gp->known);
    free(gp->factor);
    free(gp->scratch);
    free(gp->alpha);
    free(gp->theta);
    free(gp);
}

const struct gp_model *gp_model_of(const struct gp *gp)
{
    return &gp->model;
}

static nr_status reserve(struct gp *gp, size_t total)
{
    size_t y = gp->vector_capacity, known = y, matrix = gp->matrix_capacity, cells = total * total;
    if (mem_grow(&gp->x, &gp->x_capacity, total * gp->model.kernel.features, sizeof *gp->x) != NR_OK ||
        mem_grow(&gp->y, &y, total, sizeof *gp->y) != NR_OK ||
        mem_grow(&gp->known, &known, total, sizeof *gp->known) != NR_OK ||
        mem_grow(&gp->alpha, &gp->vector_capacity, total, sizeof *gp->alpha) != NR_OK ||
        mem_grow(&gp->factor, &matrix, cells, sizeof *gp->factor) != NR_OK ||
        mem_grow(&gp->scratch, &gp->matrix_capacity, cells, sizeof *gp->scratch) != NR_OK)
        return NR_NO_MEMORY;
    return NR_OK;
}

nr_status gp_set_data(struct gp *gp, struct kernel_points x, size_t observed, const double *y, const double *known)
{
    if (reserve(gp, x.count) != NR_OK)
        return NR_NO_MEMORY;
    gp->observed = observed;
    gp->total = x.count;
    for (size_t j = 0; j < gp->model.kernel.features; j++)
        memcpy(gp->x + j * x.count, x.value + j * x.stride, x.count * sizeof *x.value);
    for (size_t i = 0; i < observed; i++) {
        gp->y[i] = y[i];
        gp->known[i] = known ? known[i] : 0;
    }
    return NR_OK;
}

size_t gp_points(const struct gp *gp)
{
    return gp->total;
}

static struct kernel_points data_points(const struct gp *gp, size_t count)
{
    return (struct kernel_points){gp->x, count, gp->total};
}

/* Factors k + noise over the first `count` points into gp->factor; a matrix that rounding has made indefinite gets ever
 * more jitter. *added: what stands on the diagonal beside k and the known variances. */
static nr_status factorise(struct gp *gp, const double *theta, size_t count, double *added)
{
    static const double ladder[] = {0, 1e-10, 1e-8, 1e-6, 1e-4};
    const struct kernel *kernel = &gp->model.kernel;
    double variance = kernel_variance(kernel, theta), noise = exp(theta[kernel_parameters(kernel)]);
    for (size_t rung = 0; rung < sizeof ladder / sizeof *ladder; rung++) {
        *added = noise + ladder[rung] * variance;
        kernel_gram(kernel, theta, data_points(gp, count), gp->factor, count);
        for (size_t i = 0; i < count; i++)
            gp->factor[i * (count + 1)] += *added + (i < gp->observed ? gp->known[i] : 0);
        if (LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', (lapack_int)count, gp->factor, (lapack_int)count) == 0)
            return NR_OK;
    }
    return NR_INVALID;
}

/* alpha = A^-1 (y - mean), from the factor of the observed (a leading block of the factor of all). Returns
 * (y - mean)' alpha. */
static double solve_outcomes(struct gp *gp, double mean, size_t stride)
{
    size_t n = gp->observed;
    double quadratic = 0;
    for (size_t i = 0; i < n; i++)
        gp->alpha[i] = gp->y[i] - mean;
    cblas_dtrsv(CblasColMajor, CblasLower, CblasNoTrans, CblasNonUnit, (blasint)n, gp->factor, (blasint)stride,
                gp->alpha, 1);
    for (size_t i = 0; i < n; i++)
        quadratic += gp->alpha[i] * gp->alpha[i];
    cblas_dtrsv(CblasColMajor, CblasLower, CblasTrans, CblasNonUnit, (blasint)n, gp->factor, (blasint)stride, gp->alpha,
                1);
    return quadratic;
}

/* log LogNormal(e^t; mean, sd) = -t - (t - mean)^2 / (2 sd^2) - log(sd sqrt(2 pi)); its derivative by t is added. */
static double log_prior(struct gp_prior prior, double t, double *gradient)
{
    if (prior.sd <= 0)
        return 0;
    double z = (t - prior.mean) / prior.sd;
    if (gradient)
        *gradient += -1 - z / prior.sd;
    return -t - 0.5 * z * z - log(prior.sd) - 0.5 * log_two_pi;
}

static double log_priors(const struct gp_model *model, const double *theta, double *gradient)
{
    size_t features = model->kernel.features;
    double sum = 0;
    for (size_t j = 0; j < features; j++)
        sum += log_prior(model->length, theta[j], gradient ? gradient + j : NULL);
    sum += log_prior(model->noise, theta[features + 2], gradient ? gradient + features + 2 : NULL);
    if (model->fit_scale)
        sum += log_prior(model->scale, theta[features], gradient ? gradient + features : NULL);
    if (model->fit_scale && model->kernel.additive)
        sum += log_prior(model->additive, theta[features + 1], gradient ? gradient + features + 1 : NULL);
    return sum;
}

/* d log likelihood / d theta = 1/2 tr((alpha alpha' - A^-1) dA/d theta) (Rasmussen and Williams 2006, eq. 5.9). */
static nr_status likelihood_gradient(struct gp *gp, const double *theta, double *gradient)
{
    size_t n = gp->observed, parameters = kernel_parameters(&gp->model.kernel);
    double trace = 0, sum = 0;
    if (LAPACKE_dpotri_work(LAPACK_COL_MAJOR, 'L', (lapack_int)n, gp->factor, (lapack_int)n) != 0)
        return NR_INVALID;
    for (size_t k = 0; k < n; k++) {
        double *column = gp->factor + k * n;
        for (size_t i = k; i < n; i++)
            column[i] = gp->alpha[i] * gp->alpha[k] - column[i];
        trace += column[k];
        sum += gp->alpha[k];
    }
    kernel_gradient(&gp->model.kernel, theta, data_points(gp, n), gp->factor, n, gradient);
    for (size_t t = 0; t < parameters; t++)
        gradient[t] *= 0.5;
    gradient[parameters] = 0.5 * trace * exp(theta[parameters]);
    gradient[parameters + 1] = sum;
    return NR_OK;
}

nr_status gp_evaluate(struct gp *gp, const double *theta, struct gp_value *value, double *gradient)
{
    size_t n = gp->observed;
    double added, log_determinant = 0;
    nr_status status = factorise(gp, theta, n, &added);
    if (status != NR_OK)
        return status;
    double quadratic = solve_outcomes(gp, theta[kernel_parameters(&gp->model.kernel) + 1], n);
    for (size_t i = 0; i < n; i++)
        log_determinant += log(gp->factor[i * (n + 1)]);
    double likelihood = -0.5 * quadratic - log_determinant - 0.5 * (double)n * log_two_pi;
    if (gradient) {
        status = likelihood_gradient(gp, theta, gradient);
        if (status != NR_OK)
            return status;
    }
    double posterior = likelihood + log_priors(&gp->model, theta, gradient);
    if (!isfinite(posterior))
        return NR_INVALID;
    *value = (struct gp_value){likelihood, posterior};
    return NR_OK;
}

nr_status gp_condition(struct gp *gp, const double *theta)
{
    nr_status status = factorise(gp, theta, gp->total, &gp->added);
    if (status != NR_OK)
        return status;
    (void)solve_outcomes(gp, theta[kernel_parameters(&gp->model.kernel) + 1], gp->total);
    memcpy(gp->theta, theta, gp_parameters(&gp->model) * sizeof *theta);
    return NR_OK;
}

/* Fills `work` with L^-1 k(data, x), one column per point of x, and `mean` on the way. */
static void whiten(const struct gp *gp, struct kernel_points x, double *work, double *mean)
{
    const struct kernel *kernel = &gp->model.kernel;
    blasint stride = (blasint)gp->total, count = (blasint)x.count;
    kernel_cross(kernel, gp->theta, data_points(gp, gp->total), x, work, gp->total);
    for (size_t k = 0; k < x.count; k++)
        mean[k] = gp->theta[kernel_parameters(kernel) + 1];
    if (!gp->total)
        return;
    cblas_dgemv(CblasColMajor, CblasTrans, (blasint)gp->observed, count, 1, work, stride, gp->alpha, 1, 1, mean, 1);
    cblas_dtrsm(CblasColMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, stride, count, 1, gp->factor, stride,
                work, stride);
}

void gp_posterior(const struct gp *gp, struct kernel_points x, double *work, double *mean, double *variance)
{
    double prior = kernel_variance(&gp->model.kernel, gp->theta);
    whiten(gp, x, work, mean);
    for (size_t k = 0; k < x.count; k++) {
        const double *column = work + k * gp->total;
        double known = cblas_ddot((blasint)gp->total, column, 1, column, 1);
        variance[k] = fmax(prior - known, 1e-14 * prior); /* rounding can take it below 0 */
    }
}

void gp_posterior_joint(const struct gp *gp, struct kernel_points x, double *work, double *mean, double *joint)
{
    blasint count = (blasint)x.count;
    whiten(gp, x, work, mean);
    kernel_cross(&gp->model.kernel, gp->theta, x, x, joint, x.count);
    if (gp->total && count)
        cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, count, count, (blasint)gp->total, -1, work,
                    (blasint)gp->total, work, (blasint)gp->total, 1, joint, count);
}

void gp_fitted(const struct gp *gp, double *mean)
{
    size_t n = gp->observed, awaited = gp->total - n;
    for (size_t i = 0; i < n; i++) /* A alpha = y - m, and A = K + diagonal, so K alpha + m = y - diagonal alpha */
        mean[i] = gp->y[i] - (gp->added + gp->known[i]) * gp->alpha[i];
    struct kernel_points rest = {gp->x + n, awaited, gp->total};
    kernel_cross(&gp->model.kernel, gp->theta, data_points(gp, n), rest, gp->scratch, n);
    for (size_t k = 0; k < awaited; k++)
        mean[n + k] = gp->theta[kernel_parameters(&gp->model.kernel) + 1] +
                      cblas_ddot((blasint)n, gp->scratch + k * n, 1, gp->alpha, 1);
}

nr_status gp_leave_one_out(struct gp *gp, double *mean, double *variance)
{
    size_t n = gp->observed;
    for (size_t k = 0; k < n; k++)
        memcpy(gp->scratch + k * n, gp->factor + k * gp->total, n * sizeof *gp->scratch);
    if (LAPACKE_dpotri_work(LAPACK_COL_MAJOR, 'L', (lapack_int)n, gp->scratch, (lapack_int)n) != 0)
        return NR_INVALID;
    for (size_t i = 0; i < n; i++) {
        double precision = gp->scratch[i * (n + 1)];
        mean[i] = gp->y[i] - gp->alpha[i] / precision;
        variance[i] = 1 / precision;
    }
    return NR_OK;
}
