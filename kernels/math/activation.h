/* Activations and their derivatives for one element; C and CUDA. Where the derivative follows from the output, it is
 * computed from that (the input need not be kept); gelu and silu need their input. Derivative of relu and leaky_relu at
 * 0: 0 and the slope. */
#ifndef NASRUN_KERNELS_MATH_ACTIVATION_H
#define NASRUN_KERNELS_MATH_ACTIVATION_H

#include "kernels/math/elementary.h"

NR_MATH math_real activation_relu(math_real x)
{
    return x < 0 ? 0 : x; /* this way round NaN stays NaN */
}

NR_MATH math_real activation_relu_slope(math_real y)
{
    return y > 0 ? 1 : 0;
}

NR_MATH math_real activation_leaky_relu(math_real x, math_real slope)
{
    return x < 0 ? slope * x : x;
}

NR_MATH math_real activation_leaky_relu_slope(math_real y, math_real slope)
{
    return y > 0 ? 1 : slope; /* slope >= 0: the output has the input's sign */
}

NR_MATH math_real activation_tanh_slope(math_real y)
{
    return 1 - y * y;
}

NR_MATH math_real activation_logistic_slope(math_real y)
{
    return y * (1 - y);
}

/* x Phi(x) */
NR_MATH math_real activation_gelu(math_real x)
{
    math_real gauss;
    return x * math_normal(x, &gauss);
}

NR_MATH math_real activation_gelu_slope(math_real x)
{
    math_real gauss, phi = math_normal(x, &gauss);
    return phi + x * gauss * (math_real)0.39894228040143267794; /* 1 / sqrt(2 pi) */
}

NR_MATH math_real activation_silu(math_real x)
{
    return x * math_logistic(x);
}

NR_MATH math_real activation_silu_slope(math_real x)
{
    math_real s = math_logistic(x);
    return s * (1 + x * (1 - s));
}

#endif
