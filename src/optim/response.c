#include "optim/response.h"

#include <cerf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Abramowitz and Stegun 26.2.23 (4.5e-4) for a start, then Halley's steps, which triple the digits each. */
double normal_quantile(double p)
{
    double tail = p < 0.5 ? p : 1 - p, t = sqrt(-2 * log(tail));
    double x = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    for (int i = 0; i < 2; i++) {
        double density = exp(-0.5 * x * x) * 0.3989422804014327;
        double newton = (0.5 * erfc(x * 0.7071067811865476) - tail) / density; /* x is in the upper tail */
        x += newton / (1 - 0.5 * x * newton);
    }
    return p < 0.5 ? -x : x;
}

/* Below -5 by erfcx: Phi(z) = exp(-z^2/2) erfcx(-z / sqrt2) / 2. */
double normal_log_probability(double z, double *slope)
{
    double log_density = -0.5 * z * z - 0.9189385332046727;
    double log_probability =
        z > -5 ? log(0.5 * erfc(-z * 0.7071067811865476)) : -0.5 * z * z + log(0.5 * erfcx(-z * 0.7071067811865476));
    if (slope)
        *slope = exp(log_density - log_probability);
    return log_probability;
}

static int compare_reals(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static double median_of(const double *sorted, size_t count)
{
    return count % 2 ? sorted[count / 2] : 0.5 * (sorted[count / 2 - 1] + sorted[count / 2]);
}

/* Root mean square distance of the better half from the median. */
static double upper_width(const double *sorted, size_t count, double median)
{
    double sum = 0;
    size_t above = 0;
    for (size_t i = 0; i < count; i++) {
        if (sorted[i] < median)
            continue;
        sum += (sorted[i] - median) * (sorted[i] - median);
        above++;
    }
    return sqrt(sum / (double)above);
}

static void warp(struct response_map *map, double *warped)
{
    double width = upper_width(map->raw, map->count, map->median);
    if (!(width > 0)) /* more than half are the best: nothing to take a width from */
        return;
    for (size_t i = 0; i < map->count && map->raw[i] < map->median;) {
        size_t end = i;
        while (end < map->count && map->raw[end] == map->raw[i])
            end++;
        double rank = 0.5 * (double)(i + end) / (double)map->count; /* ties share the middle of their ranks */
        double value = map->median + width * normal_quantile(rank);
        for (; i < end; i++)
            warped[i] = value;
    }
    if (map->raw[0] < map->median)
        map->slope = (map->median - warped[0]) / (map->median - map->raw[0]);
}

static void standardise(struct response_map *map)
{
    double sum = 0, squares = 0, n = (double)map->count;
    for (size_t i = 0; i < map->count; i++)
        sum += map->warped[i];
    map->mean = sum / n;
    for (size_t i = 0; i < map->count; i++)
        squares += (map->warped[i] - map->mean) * (map->warped[i] - map->mean);
    map->deviation = map->count > 1 ? sqrt(squares / (n - 1)) : 0;
    map->constant = !(map->warped[map->count - 1] > map->warped[0]) || !(map->deviation > 0);
    if (map->constant)
        map->deviation = 1;
}

void response_fit(const double *value, size_t count, bool half_rank, double *work, struct response_map *map,
                  double *modelled)
{
    double *raw = work, *warped = work + count;
    memcpy(raw, value, count * sizeof *raw);
    qsort(raw, count, sizeof *raw, compare_reals);
    memcpy(warped, raw, count * sizeof *raw);
    *map = (struct response_map){.raw = raw, .warped = warped, .count = count, .slope = 1, .affine = !half_rank};
    map->median = median_of(raw, count);
    if (half_rank)
        warp(map, warped);
    standardise(map);
    for (size_t i = 0; i < count; i++)
        modelled[i] = response_apply(map, value[i]);
}

static double warp_one(const struct response_map *map, double value)
{
    size_t low = 0, high = map->count - 1;
    if (map->affine)
        return value;
    if (value <= map->raw[0])
        return map->warped[0];
    if (value >= map->raw[high])
        return map->warped[high] + (value - map->raw[high]);
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (map->raw[middle] <= value)
            low = middle;
        else
            high = middle;
    }
    double share = (value - map->raw[low]) / (map->raw[high] - map->raw[low]);
    return map->warped[low] + share * (map->warped[high] - map->warped[low]);
}

double response_apply(const struct response_map *map, double value)
{
    return (warp_one(map, value) - map->mean) / map->deviation;
}

double response_restore(const struct response_map *map, double modelled)
{
    double warped = map->mean + map->deviation * modelled;
    size_t low = 0, high = map->count - 1;
    if (map->affine)
        return warped;
    if (warped <= map->warped[0])
        return map->raw[0] - (map->warped[0] - warped) / map->slope;
    if (warped >= map->warped[high])
        return map->raw[high] + (warped - map->warped[high]);
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (map->warped[middle] <= warped)
            low = middle;
        else
            high = middle;
    }
    double share = (warped - map->warped[low]) / (map->warped[high] - map->warped[low]);
    return map->raw[low] + share * (map->raw[high] - map->raw[low]);
}

double response_variance(const struct response_map *map, double value, double variance)
{
    double slope = (value < map->median ? map->slope : 1) / map->deviation;
    return variance * slope * slope;
}
