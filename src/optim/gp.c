#include "optim/gp.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/linear.h"

static const double log_two_pi = 1.8378770664093453;

struct gp {
    struct gp_model model;
    size_t observed, total; /* points with an outcome; all points */
    struct gp_span window;  /* of observed points that fits look at */
    double *x;              /* [features][total] */
    double *y, *known;      /* [observed] */
    double *share;          /* 1 / repeats [observed] */
    double *factor;         /* Cholesky factor U of A = U'U [total][total]; work matrix of gp_evaluate */
    double *scratch;        /* [observed][observed], where an inverse is wanted; [total] */
    double *alpha;          /* A^-1 (y - mean) [observed] */
    double *theta;          /* of the last gp_condition */
    double jitter;          /* on the diagonal at that theta */
    size_t x_capacity, vector_capacity, factor_capacity, scratch_capacity;
};

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
    free(gp->share);
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
    size_t y = gp->vector_capacity, known = y, share = y;
    if (mem_grow(&gp->x, &gp->x_capacity, total * gp->model.kernel.features, sizeof *gp->x) != NR_OK ||
        mem_grow(&gp->y, &y, total, sizeof *gp->y) != NR_OK ||
        mem_grow(&gp->known, &known, total, sizeof *gp->known) != NR_OK ||
        mem_grow(&gp->share, &share, total, sizeof *gp->share) != NR_OK ||
        mem_grow(&gp->alpha, &gp->vector_capacity, total, sizeof *gp->alpha) != NR_OK ||
        mem_grow(&gp->factor, &gp->factor_capacity, total * total, sizeof *gp->factor) != NR_OK ||
        mem_grow(&gp->scratch, &gp->scratch_capacity, total, sizeof *gp->scratch) != NR_OK)
        return NR_NO_MEMORY;
    return NR_OK;
}

nr_status gp_set_data(struct gp *gp, struct kernel_points x, size_t observed, const double *y, const double *known,
                      const double *repeats)
{
    if (reserve(gp, x.count) != NR_OK)
        return NR_NO_MEMORY;
    gp->observed = observed;
    gp->total = x.count;
    gp->window = (struct gp_span){0, observed};
    for (size_t j = 0; j < gp->model.kernel.features; j++)
        memcpy(gp->x + j * x.count, x.value + j * x.stride, x.count * sizeof *x.value);
    for (size_t i = 0; i < observed; i++) {
        gp->y[i] = y[i];
        gp->known[i] = known ? known[i] : 0;
        gp->share[i] = repeats ? 1 / repeats[i] : 1;
    }
    return NR_OK;
}

void gp_set_window(struct gp *gp, struct gp_span window)
{
    assert(window.first + window.count <= gp->observed);
    gp->window = window;
}

struct gp_span gp_window(const struct gp *gp)
{
    return gp->window;
}

size_t gp_points(const struct gp *gp)
{
    return gp->total;
}

static struct linear_matrix square(double *cell, size_t size)
{
    return (struct linear_matrix){cell, size};
}

const double *gp_outcomes(const struct gp *gp)
{
    return gp->y;
}

static struct kernel_points data_points(const struct gp *gp, size_t first, size_t count)
{
    return (struct kernel_points){gp->x + first, count, gp->total};
}

/* What stands on the diagonal beside k. */
static double diagonal(const struct gp *gp, size_t i, double noise, double jitter)
{
    return i < gp->observed ? gp->known[i] + noise * gp->share[i] + jitter : noise + jitter;
}

/* Factors k + noise over `count` points from `first` on into gp->factor; a matrix that rounding has made indefinite
 * gets ever more jitter. */
static nr_status factorise(struct gp *gp, const double *theta, size_t first, size_t count, double *jitter)
{
    static const double ladder[] = {0, 1e-10, 1e-8, 1e-6, 1e-4};
    const struct kernel *kernel = &gp->model.kernel;
    double variance = kernel_variance(kernel, theta), noise = exp(theta[kernel_parameters(kernel)]);
    for (size_t rung = 0; rung < sizeof ladder / sizeof *ladder; rung++) {
        *jitter = ladder[rung] * variance;
        kernel_gram(kernel, theta, data_points(gp, first, count), gp->factor, count);
        for (size_t i = 0; i < count; i++)
            gp->factor[i * (count + 1)] += diagonal(gp, first + i, noise, *jitter);
        if (linear_cholesky(square(gp->factor, count), count))
            return NR_OK;
    }
    return NR_INVALID;
}

/* alpha = A^-1 (y - mean) for n points from `first` on, whose factor is a leading block of gp->factor with its stride.
 * Returns (y - mean)' alpha. */
static double solve_outcomes(struct gp *gp, double mean, size_t first, size_t n, size_t stride)
{
    for (size_t i = 0; i < n; i++)
        gp->alpha[i] = gp->y[first + i] - mean;
    linear_solve_vector(square(gp->factor, stride), n, gp->alpha);
    double quadratic = linear_dot(gp->alpha, gp->alpha, n);
    linear_solve_vector_back(square(gp->factor, stride), n, gp->alpha);
    return quadratic;
}

/* U'^-1 of the first n points that were factored into `scratch`. */
static nr_status invert_factor(struct gp *gp, size_t n, size_t stride)
{
    if (mem_grow(&gp->scratch, &gp->scratch_capacity, n * n, sizeof *gp->scratch) != NR_OK)
        return NR_NO_MEMORY;
    linear_invert_factor(square(gp->factor, stride), n, square(gp->scratch, n));
    return NR_OK;
}

/* d log likelihood / d theta = 1/2 tr((alpha alpha' - A^-1) dA/d theta) (Rasmussen and Williams 2006, eq. 5.9). */
static nr_status likelihood_gradient(struct gp *gp, const double *theta, double *gradient)
{
    size_t n = gp->window.count, parameters = kernel_parameters(&gp->model.kernel);
    double trace = 0, sum = 0;
    if (invert_factor(gp, n, n) != NR_OK)
        return NR_NO_MEMORY;
    linear_square(square(gp->scratch, n), n, square(gp->factor, n));
    for (size_t k = 0; k < n; k++) {
        double *row = gp->factor + k * n;
        for (size_t i = k; i < n; i++)
            row[i] = gp->alpha[i] * gp->alpha[k] - row[i];
        trace += row[k] * gp->share[gp->window.first + k];
        sum += gp->alpha[k];
    }
    kernel_gradient(&gp->model.kernel, theta, data_points(gp, gp->window.first, n), gp->factor, n, gradient);
    for (size_t t = 0; t < parameters; t++)
        gradient[t] *= 0.5;
    gradient[parameters] = 0.5 * trace * exp(theta[parameters]);
    gradient[parameters + 1] = sum;
    if (gp->model.sparse)
        gradient[parameters + 2] = 0; /* the likelihood does not know it */
    return NR_OK;
}

nr_status gp_evaluate(struct gp *gp, const double *theta, struct gp_value *value, double *gradient)
{
    size_t n = gp->window.count;
    double jitter, log_determinant = 0;
    nr_status status = factorise(gp, theta, gp->window.first, n, &jitter);
    if (status != NR_OK)
        return status;
    double quadratic = solve_outcomes(gp, theta[kernel_parameters(&gp->model.kernel) + 1], gp->window.first, n, n);
    for (size_t i = 0; i < n; i++)
        log_determinant += log(gp->factor[i * (n + 1)]);
    double likelihood = -0.5 * quadratic - log_determinant - 0.5 * (double)n * log_two_pi;
    if (gradient) {
        status = likelihood_gradient(gp, theta, gradient);
        if (status != NR_OK)
            return status;
    }
    double posterior = likelihood + gp_log_prior(&gp->model, theta, gradient);
    if (!isfinite(posterior))
        return NR_INVALID;
    *value = (struct gp_value){likelihood, posterior};
    return NR_OK;
}

nr_status gp_condition(struct gp *gp, const double *theta)
{
    nr_status status = factorise(gp, theta, 0, gp->total, &gp->jitter);
    if (status != NR_OK)
        return status;
    (void)solve_outcomes(gp, theta[kernel_parameters(&gp->model.kernel) + 1], 0, gp->observed, gp->total);
    memcpy(gp->theta, theta, gp_parameters(&gp->model) * sizeof *theta);
    return NR_OK;
}

/* Fills `work` with k(data, x), one column per point of x, and `mean` from it. */
static struct linear_matrix cross(const struct gp *gp, struct kernel_points x, double *work, double *mean)
{
    const struct kernel *kernel = &gp->model.kernel;
    struct linear_matrix crossed = {work, x.count};
    kernel_cross(kernel, gp->theta, x, data_points(gp, 0, gp->total), work, x.count);
    for (size_t k = 0; k < x.count; k++)
        mean[k] = gp->theta[kernel_parameters(kernel) + 1];
    linear_add_weighted(crossed, 0, gp->observed, x.count, gp->alpha, mean);
    return crossed;
}

/* variance = k(x,x) - the squares of the first `rows` whitened rows */
static void subtract_known(const struct gp *gp, struct linear_matrix whitened, size_t rows, size_t count,
                           double *variance)
{
    double prior = kernel_variance(&gp->model.kernel, gp->theta);
    memset(variance, 0, count * sizeof *variance);
    linear_add_squares(whitened, 0, rows, count, variance);
    for (size_t k = 0; k < count; k++)
        variance[k] = fmax(prior - variance[k], 1e-14 * prior); /* rounding can take it below 0 */
}

void gp_posterior_bound(const struct gp *gp, struct kernel_points x, size_t rows, double *work, double *mean,
                        double *variance)
{
    struct linear_matrix whitened = cross(gp, x, work, mean);
    if (rows > gp->total)
        rows = gp->total;
    linear_solve(square(gp->factor, gp->total), rows, whitened, x.count);
    subtract_known(gp, whitened, rows, x.count, variance);
}

void gp_posterior(const struct gp *gp, struct kernel_points x, double *work, double *mean, double *variance)
{
    gp_posterior_bound(gp, x, gp->total, work, mean, variance);
}

void gp_posterior_complete(const struct gp *gp, size_t rows, const double *work, size_t stride, const size_t *chosen,
                           size_t count, double *columns, double *variance)
{
    struct linear_matrix whitened = {columns, count};
    for (size_t i = 0; i < gp->total; i++)
        for (size_t k = 0; k < count; k++)
            columns[i * count + k] = work[i * stride + chosen[k]];
    linear_solve_rows(square(gp->factor, gp->total), rows, gp->total, whitened, count);
    subtract_known(gp, whitened, gp->total, count, variance);
}

void gp_posterior_mean(const struct gp *gp, struct kernel_points x, double *work, double *mean)
{
    (void)cross(gp, x, work, mean);
}

void gp_posterior_gradient(const struct gp *gp, struct kernel_points x, double *work, double *mean, double *variance,
                           double *mean_gradient, double *variance_gradient)
{
    const struct kernel *kernel = &gp->model.kernel;
    size_t features = kernel->features;
    struct kernel_points observed = data_points(gp, 0, gp->observed), all = data_points(gp, 0, gp->total);
    gp_posterior(gp, x, work, mean, variance);
    linear_solve_back(square(gp->factor, gp->total), gp->total, (struct linear_matrix){work, x.count}, x.count);
    for (size_t k = 0; k < x.count; k++) { /* work: A^-1 k(data, x) */
        double *by = variance_gradient + k * features;
        kernel_cross_slope(kernel, gp->theta, observed, x, k, gp->alpha, 1, mean_gradient + k * features);
        kernel_cross_slope(kernel, gp->theta, all, x, k, work + k, x.count, by);
        for (size_t j = 0; j < features; j++)
            by[j] *= -2;
    }
}

void gp_posterior_joint(const struct gp *gp, struct kernel_points x, double *work, double *mean, double *joint)
{
    struct linear_matrix whitened = cross(gp, x, work, mean);
    linear_solve(square(gp->factor, gp->total), gp->total, whitened, x.count);
    kernel_cross(&gp->model.kernel, gp->theta, x, x, joint, x.count);
    linear_subtract_product(whitened, x.count, whitened, x.count, gp->total, square(joint, x.count));
}

void gp_fitted(const struct gp *gp, double *mean)
{
    size_t n = gp->observed, awaited = gp->total - n;
    double noise = exp(gp->theta[kernel_parameters(&gp->model.kernel)]);
    for (size_t i = 0; i < n; i++) /* A alpha = y - m, and A = K + diagonal, so K alpha + m = y - diagonal alpha */
        mean[i] = gp->y[i] - diagonal(gp, i, noise, gp->jitter) * gp->alpha[i];
    for (size_t k = 0; k < awaited; k++) {
        struct kernel_points one = data_points(gp, n + k, 1);
        kernel_cross(&gp->model.kernel, gp->theta, data_points(gp, 0, n), one, gp->scratch, n);
        mean[n + k] = gp->theta[kernel_parameters(&gp->model.kernel) + 1] + linear_dot(gp->scratch, gp->alpha, n);
    }
}

nr_status gp_leave_one_out(struct gp *gp, double *mean, double *variance)
{
    size_t n = gp->observed;
    if (invert_factor(gp, n, gp->total) != NR_OK)
        return NR_NO_MEMORY;
    memset(variance, 0, n * sizeof *variance);
    linear_add_squares(square(gp->scratch, n), 0, n, n, variance); /* the diagonal of A^-1 */
    for (size_t i = 0; i < n; i++) {
        mean[i] = gp->y[i] - gp->alpha[i] / variance[i];
        variance[i] = 1 / variance[i];
    }
    return NR_OK;
}
