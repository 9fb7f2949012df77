/* exp, expm1, tanh, the logistic function and the normal distribution for one element; C and CUDA.
 *
 * Free of branches and of calls, so that a compiler turns a loop over them into vector code. In float the relative
 * error is below 4e-7, at arguments so negative that the result approaches the smallest normal float below 2e-5;
 * results are clamped there instead of becoming subnormal, and exp() at 2.4e38 instead of infinity. NaN goes in and NaN
 * comes out: divergence stays visible. With NR_MATH_DOUBLE the type is double and the C library serves; the CPU
 * backend's double precision, which tests use, is made that way. */
#ifndef NASRUN_KERNELS_MATH_ELEMENTARY_H
#define NASRUN_KERNELS_MATH_ELEMENTARY_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifndef NR_HOST_DEVICE
#ifdef __CUDACC__
#define NR_HOST_DEVICE __host__ __device__
#else
#define NR_HOST_DEVICE
#endif
#endif
#define NR_MATH static inline NR_HOST_DEVICE __attribute__((always_inline))

#ifdef NR_MATH_DOUBLE

typedef double math_real;

NR_MATH double math_exp(double x)
{
    return exp(x);
}

NR_MATH double math_tanh(double x)
{
    return tanh(x);
}

/* Phi(x), and the density's exp(-x^2/2) which comes along at no cost. */
NR_MATH double math_normal(double x, double *gauss)
{
    *gauss = exp(-0.5 * x * x);
    return 0.5 * erfc(-0.70710678118654752440 * x);
}

#else

typedef float math_real;

/* expm1(x) = scale * part + (scale - 1) and exp(x) = scale * part + scale, with scale = 2^n, n = round(x / ln 2), and
 * part = expm1(x - n ln 2) by a polynomial fitted for least relative error (1.1e-8). Adding 1.5 * 2^23 rounds to an
 * integer and leaves it in the low bits, where a shift makes it the exponent. */
NR_MATH float math_reduced_exp(float x, float *scale)
{
    const float shifter = 12582912.0f;
    x = x < -87.3f ? -87.3f : x;
    x = x > 88.3f ? 88.3f : x;
    float shifted = x * 1.44269504089f + shifter;
    float n = shifted - shifter;
    float r = x - n * 0.693145751953125f; /* ln 2 in two parts: n times the first is exact */
    r = r - n * 1.428606765330187e-6f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127u) << 23;
    memcpy(scale, &bits, sizeof bits);
    float p = 0.00138888639f;
    p = p * r + 0.00836907568f;
    p = p * r + 0.0416671365f;
    p = p * r + 0.166665062f;
    p = p * r + 0.499999981f;
    p = p * r;
    return p * r + r;
}

NR_MATH float math_exp(float x)
{
    float scale, part = math_reduced_exp(x, &scale);
    return scale * part + scale;
}

/* tanh|x| = t / (t + 2) with t = expm1(2|x|): exact to rounding also near 0. */
NR_MATH float math_tanh(float x)
{
    float twice = 2.0f * fabsf(x);
    twice = twice > 20.0f ? 20.0f : twice; /* from 18.1 on the quotient is 1 */
    float scale, part = math_reduced_exp(twice, &scale);
    float t = scale * part + (scale - 1.0f);
    return copysignf(t / (t + 2.0f), x);
}

/* Phi(x), and the density's exp(-x^2/2) which comes along at no cost. erfc(z) = exp(-z^2) t G(t), t = 1 / (1 + z / 2):
 * the substitution of Press et al. (Numerical Recipes, 6.2); G is fitted for least relative error (1.0e-8). */
NR_MATH float math_normal(float x, float *gauss)
{
    float z = 0.70710678118654752f * fabsf(x), t = 1.0f / (1.0f + 0.5f * z);
    float density = math_exp(-0.5f * x * x);
    float g = 0.0424781498f;
    g = g * t - 0.231474636f;
    g = g * t + 0.487470305f;
    g = g * t - 0.448479996f;
    g = g * t + 0.128153053f;
    g = g * t - 0.0577037787f;
    g = g * t + 0.0931302282f;
    g = g * t + 0.175355621f;
    g = g * t + 0.246882472f;
    g = g * t + 0.282093777f;
    g = g * t + 0.282094796f;
    float tail = 0.5f * density * t * g;
    *gauss = density;
    return x < 0.0f ? tail : 1.0f - tail;
}

#endif

NR_MATH math_real math_logistic(math_real x)
{
    return 1 / (1 + math_exp(-x));
}

#endif
