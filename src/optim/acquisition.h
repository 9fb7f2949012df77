/* Expected improvement and expected hypervolume improvement, in closed form and in logarithms (Ament et al. 2023).
 * Everything is maximised. Called once per candidate, some thousand times per suggestion; allocates nothing there. */
#ifndef NASRUN_OPTIM_ACQUISITION_H
#define NASRUN_OPTIM_ACQUISITION_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* log h(u), h(u) = phi(u) + u Phi(u): the expected positive part of u + N(0,1). `slope` may be NULL; it gets the
 * derivative Phi(u) / h(u). Accurate to a few units in the last place from -1e150 to 1e300. */
double acquisition_log_h(double u, double *slope);

/* u[i] = h(u[i]), with a relative error below 1e-15 (4 + u^2); 0 where u < -37. */
void acquisition_h(double *u, size_t count);

/* log E[max(0, Y - best)] for Y ~ N(mu, sigma^2). Derivatives may be NULL. */
double acquisition_log_ei(double mu, double sigma, double best, double *by_mu, double *by_sigma);

/* The region that no member of a front dominates, above a reference point, cut into boxes that are open upwards in one
 * objective. Then EHVI = sum over boxes of products of one-dimensional expectations, and every term is positive. */
struct boxes;

enum { BOXES_MAX_OBJECTIVES = 4 };

/* `front` [count][objectives]: any points; dominated ones and those not above the reference do no harm. `open`: the
 * objective in which boxes are open; best one with sigma > 0. 1 to 4 objectives. */
nr_status boxes_create(const double *front, size_t count, size_t objectives, const double *reference, size_t open,
                       struct boxes **out) NR_MUST_CHECK;
void boxes_destroy(struct boxes *boxes);
size_t boxes_count(const struct boxes *boxes);

/* log EHVI at independent Y_j ~ N(mu_j, sigma_j^2); sigma_j = 0 says that mu_j is known exactly. -inf where no
 * improvement is possible. Uses work memory in `boxes`: one thread at a time. */
double boxes_log_ehvi(struct boxes *boxes, const double *mu, const double *sigma);
/* The same in a third of the time, but -inf also where the value is below 1e-200. */
double boxes_log_ehvi_coarse(struct boxes *boxes, const double *mu, const double *sigma);
/* The same with its derivatives, [objectives] each; all 0 where the value is -inf, by_sigma also where sigma is 0. */
double boxes_log_ehvi_slope(struct boxes *boxes, const double *mu, const double *sigma, double *by_mu,
                            double *by_sigma);

#endif
