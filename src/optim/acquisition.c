#include "optim/acquisition.h"

#include <cerf.h>
#include <math.h>

static const double root_half_pi = 1.2533141373155003; /* sqrt(pi/2) */
static const double root_half = 0.7071067811865476;
static const double log_root_two_pi = 0.9189385332046727;

/* h/phi and Phi/phi for u < -30 by the asymptotic series of Mills' ratio (Abramowitz and Stegun 26.2.13):
 *   Phi/phi = 1/|u| (1 - 1/u^2 + 3/u^4 - ...),   h/phi = 1/u^2 (1 - 3/u^2 + 15/u^4 - ...)
 * At |u| = 30 nine terms reach 2e-16. */
static void far_ratios(double u, double *h, double *cdf)
{
    double inverse = 1 / (u * u), term = 1, sum = 0, tail = 0;
    for (int k = 0; k < 10; k++) {
        sum += term;                /* (2k-1)!! (-1)^k / u^2k */
        tail += term * (2 * k + 1); /* (2k+1)!! (-1)^k / u^2k */
        term *= -(2 * k + 1) * inverse;
    }
    *cdf = sum / -u;
    *h = tail * inverse;
}

/* Three branches. Above -1 the definition is accurate. Below, phi is split off: h = phi (1 - |u| Phi/phi) with
 * Phi/phi = sqrt(pi/2) erfcx(|u|/sqrt2), where the difference loses u^2 units in the last place; so from -30 on, rather
 * than from -1e6 on as in the paper, a series takes over. */
double acquisition_log_h(double u, double *slope)
{
    double h, cdf;
    if (u > -1) {
        double density = exp(-0.5 * u * u - log_root_two_pi);
        cdf = 0.5 * erfc(-u * root_half);
        h = density + u * cdf;
        if (slope)
            *slope = cdf / h;
        return log(h);
    }
    if (u > -30) {
        cdf = root_half_pi * erfcx(-u * root_half);
        h = 1 + u * cdf;
    } else {
        far_ratios(u, &h, &cdf);
    }
    if (slope)
        *slope = cdf / h;
    return -0.5 * u * u - log_root_two_pi + log(h);
}

double acquisition_h(double u)
{
    if (u < -38.5) /* phi(u) is below the smallest double */
        return 0;
    double density = exp(-0.5 * u * u) * 0.3989422804014327;
    if (u > -1)
        return density + u * 0.5 * erfc(-u * root_half);
    if (u > -30)
        return density * (1 + u * root_half_pi * erfcx(-u * root_half));
    double h, cdf;
    far_ratios(u, &h, &cdf);
    return density * h;
}

double acquisition_log_ei(double mu, double sigma, double best, double *by_mu, double *by_sigma)
{
    double slope, u = (mu - best) / sigma;
    double log_h = acquisition_log_h(u, &slope);
    /* phi / h, without a difference of what is nearly equal on either side */
    double share = u < 0 ? 1 - u * slope : exp(-0.5 * u * u - log_root_two_pi - log_h);
    if (by_mu)
        *by_mu = slope / sigma;
    if (by_sigma)
        *by_sigma = share / sigma;
    return log(sigma) + log_h;
}
