#include "optim/acquisition.h"

#include <cerf.h>
#include <math.h>

#include "optim/kernel.h"

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

/* h(-t) = phi(t) g(t), and h(t) = h(-t) + t. g(t) (1 + t)^2 varies little over t >= 0 and is a polynomial in
 * (t - 4) / (t + 4), here its Chebyshev expansion, cut at degree 24 (error 1e-15), in powers. Without
 * branches loops become vectors; libm's erfc and exp take several times as long. */
static inline __attribute__((always_inline)) void h_of_all(double *u, size_t count)
{
    static const double power[] = {
        0x1.55b2f17e942a8p+0,   -0x1.63306e6d142eap-2, -0x1.61a6f28fb69a6p-3,  0x1.6a084c183cf54p-2,
        -0x1.c524c0ae0568ap-3,  0x1.bc4bba7d8fa71p-6,  0x1.cb6e5a0e8971fp-5,   -0x1.3e9887cf7484bp-5,
        0x1.328d782dad318p-8,   0x1.7e3ef42c92c8dp-8,  -0x1.fb7738e4ea270p-10, -0x1.ce8b5606c1746p-11,
        0x1.bef927610e353p-12,  0x1.6dd019ca48bedp-13, -0x1.538bcd895fd97p-14, -0x1.6bd55f74613fep-15,
        0x1.a82c1ac2afedbp-17,  0x1.7f260446dd77fp-17, -0x1.0669e616de539p-20, -0x1.6a8785d517750p-19,
        -0x1.11c4a8a6f7a44p-22, 0x1.018c308eec005p-21, 0x1.e5a071ed4c8f9p-24,  -0x1.8865bb3a991e9p-25,
        -0x1.0a088bfd8da1ap-26};
    enum { PIECE = 64, DEGREE = sizeof power / sizeof *power - 1 };
    const double far = 37; /* beyond lie subnormal numbers, which are slow */
    double t[PIECE], density[PIECE], place[PIECE], sum[PIECE];
    for (size_t first = 0; first < count; first += PIECE) {
        size_t length = count - first < PIECE ? count - first : PIECE;
        double *piece = u + first;
        for (size_t i = 0; i < length; i++) {
            t[i] = fabs(piece[i]) < far ? fabs(piece[i]) : far;
            density[i] = -0.5 * t[i] * t[i];
            place[i] = (t[i] - 4) / (t[i] + 4);
            sum[i] = power[DEGREE];
        }
        kernel_exp(density, length);
        for (size_t k = DEGREE; k-- > 0;) /* outside, so that the loop over i is one of vectors */
            for (size_t i = 0; i < length; i++)
                sum[i] = sum[i] * place[i] + power[k];
        for (size_t i = 0; i < length; i++) {
            double below = density[i] * 0.3989422804014327 * sum[i] / ((1 + t[i]) * (1 + t[i]));
            piece[i] = (piece[i] > -far ? below : 0) + (piece[i] > 0 ? piece[i] : 0);
        }
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void h_avx2(double *u, size_t count)
{
    h_of_all(u, count);
}

__attribute__((target("avx512f,avx512dq"))) static void h_avx512(double *u, size_t count)
{
    h_of_all(u, count);
}
#endif

/* Every instruction set gives the same bits: no sum runs over i, and nothing is contracted. */
void acquisition_h(double *u, size_t count)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512dq")) {
        h_avx512(u, count);
        return;
    }
    if (__builtin_cpu_supports("avx2")) {
        h_avx2(u, count);
        return;
    }
#endif
    h_of_all(u, count);
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
