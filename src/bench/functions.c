#include "bench/functions.h"

#include <math.h>

static double branin(double x, double y)
{
    double bend = y - 5.1 / (4 * M_PI * M_PI) * x * x + 5 / M_PI * x - 6;
    return bend * bend + 10 * (1 - 1 / (8 * M_PI)) * cos(x) + 10;
}

void function_branin(const double *x, size_t dimensions, double *value)
{
    (void)dimensions;
    *value = branin(x[0], x[1]);
}

void function_hartmann6(const double *x, size_t dimensions, double *value)
{
    static const double weight[4] = {1.0, 1.2, 3.0, 3.2};
    static const double a[4][6] = {
        {10, 3, 17, 3.5, 1.7, 8}, {0.05, 10, 17, 0.1, 8, 14}, {3, 3.5, 1.7, 10, 17, 8}, {17, 8, 0.05, 10, 0.1, 14}};
    static const double p[4][6] = {{0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886},
                                   {0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991},
                                   {0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650},
                                   {0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381}};
    double sum = 0;
    for (size_t i = 0; i < 4; i++) {
        double distance = 0;
        for (size_t d = 0; d < dimensions; d++)
            distance += a[i][d] * (x[d] - p[i][d]) * (x[d] - p[i][d]);
        sum += weight[i] * exp(-distance);
    }
    *value = -sum;
}

void function_ackley(const double *x, size_t dimensions, double *value)
{
    double squares = 0, waves = 0, count = (double)dimensions;
    for (size_t d = 0; d < dimensions; d++) {
        squares += x[d] * x[d];
        waves += cos(2 * M_PI * x[d]);
    }
    *value = -20 * exp(-0.2 * sqrt(squares / count)) - exp(waves / count) + 20 + M_E;
}

void function_branin_currin(const double *x, size_t dimensions, double *value)
{
    double a = x[0], factor = x[1] > 0 ? 1 - exp(-1 / (2 * x[1])) : 1;
    (void)dimensions;
    value[0] = branin(15 * x[0] - 5, 15 * x[1]);
    value[1] = factor * (((2300 * a + 1900) * a + 2092) * a + 60) / (((100 * a + 500) * a + 4) * a + 20);
}

/* 1 + 9 times the mean of all coordinates but the first. */
static double zdt_distance(const double *x, size_t dimensions)
{
    double sum = 0;
    for (size_t d = 1; d < dimensions; d++)
        sum += x[d];
    return 1 + 9 * sum / (double)(dimensions - 1);
}

void function_zdt1(const double *x, size_t dimensions, double *value)
{
    double g = zdt_distance(x, dimensions);
    value[0] = x[0];
    value[1] = g * (1 - sqrt(x[0] / g));
}

void function_zdt2(const double *x, size_t dimensions, double *value)
{
    double g = zdt_distance(x, dimensions);
    value[0] = x[0];
    value[1] = g * (1 - (x[0] / g) * (x[0] / g));
}

void function_dtlz2(const double *x, size_t dimensions, double *value)
{
    double g = 0;
    for (size_t d = 1; d < dimensions; d++)
        g += (x[d] - 0.5) * (x[d] - 0.5);
    value[0] = (1 + g) * cos(x[0] * M_PI / 2);
    value[1] = (1 + g) * sin(x[0] * M_PI / 2);
}
