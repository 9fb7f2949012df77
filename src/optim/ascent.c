#include "optim/ascent.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const double sufficient = 1e-4; /* share of the increase that the slope promises (Armijo) */
static const double shortest = 1e-7;   /* step, by coordinate, that is still taken */
static const double flat = 1e-6;       /* a log value that rises less than that along a step has arrived */

nr_status ascent_create(size_t count, struct ascent *out)
{
    double *buffer = mem_array((4 + 2 * ASCENT_MEMORY), (count ? count : 1) * sizeof *buffer);
    if (!buffer)
        return NR_NO_MEMORY;
    *out = (struct ascent){.count = count,
                           .buffer = buffer,
                           .x = buffer,
                           .gradient = buffer + count,
                           .next = buffer + 2 * count,
                           .direction = buffer + 3 * count,
                           .step = buffer + 4 * count,
                           .change = buffer + (4 + ASCENT_MEMORY) * count,
                           .done = true};
    return NR_OK;
}

void ascent_clear(struct ascent *ascent)
{
    free(ascent->buffer);
    *ascent = (struct ascent){.done = true};
}

static bool is_free(const struct ascent *ascent, size_t i)
{
    return !(ascent->x[i] <= 0 && ascent->gradient[i] <= 0) && !(ascent->x[i] >= 1 && ascent->gradient[i] >= 0);
}

/* Products over the coordinates that are free. */
static double product(const struct ascent *ascent, const double *left, const double *right)
{
    double sum = 0;
    for (size_t i = 0; i < ascent->count; i++)
        if (is_free(ascent, i))
            sum += left[i] * right[i];
    return sum;
}

/* The two loops of L-BFGS (Nocedal and Wright 2006, algorithm 7.4) on the free coordinates. */
static void apply_curvature(struct ascent *ascent)
{
    double *d = ascent->direction, share[ASCENT_MEMORY], curvature[ASCENT_MEMORY], scale = 0;
    for (size_t p = ascent->pairs; p-- > 0;) {
        const double *s = ascent->step + p * ascent->count, *y = ascent->change + p * ascent->count;
        curvature[p] = product(ascent, s, y);
        share[p] = 0;
        if (!(curvature[p] > 0))
            continue;
        share[p] = product(ascent, s, d) / curvature[p];
        if (!(scale > 0))
            scale = curvature[p] / product(ascent, y, y);
        for (size_t i = 0; i < ascent->count; i++)
            d[i] -= share[p] * y[i];
    }
    for (size_t i = 0; i < ascent->count && scale > 0; i++)
        d[i] *= scale;
    for (size_t p = 0; p < ascent->pairs; p++) {
        const double *s = ascent->step + p * ascent->count, *y = ascent->change + p * ascent->count;
        if (!(curvature[p] > 0))
            continue;
        double correction = share[p] - product(ascent, y, d) / curvature[p];
        for (size_t i = 0; i < ascent->count; i++)
            d[i] += correction * s[i];
    }
}

static void propose_step(struct ascent *ascent)
{
    double longest = 0;
    for (size_t i = 0; i < ascent->count; i++) {
        ascent->next[i] = fmin(fmax(ascent->x[i] + ascent->length * ascent->direction[i], 0), 1);
        longest = fmax(longest, fabs(ascent->next[i] - ascent->x[i]));
    }
    ascent->done = !(longest > shortest);
}

/* Chooses a direction at x and its first step: the whole of it where curvature is known, else `reach` long. */
static void set_out(struct ascent *ascent, double reach)
{
    double largest = 0;
    memcpy(ascent->direction, ascent->gradient, ascent->count * sizeof *ascent->direction);
    apply_curvature(ascent);
    if (!(product(ascent, ascent->direction, ascent->gradient) > 0)) {
        ascent->pairs = 0;
        memcpy(ascent->direction, ascent->gradient, ascent->count * sizeof *ascent->direction);
    }
    for (size_t i = 0; i < ascent->count; i++) {
        if (!is_free(ascent, i))
            ascent->direction[i] = 0;
        largest = fmax(largest, fabs(ascent->direction[i]));
    }
    ascent->length = largest > reach || !ascent->pairs ? reach / largest : 1;
    ascent->done = !(largest > 0) || !isfinite(largest);
    if (!ascent->done)
        propose_step(ascent);
}

void ascent_start(struct ascent *ascent, const double *x, double value, const double *gradient, double reach)
{
    memcpy(ascent->x, x, ascent->count * sizeof *x);
    memcpy(ascent->gradient, gradient, ascent->count * sizeof *gradient);
    ascent->value = value;
    ascent->pairs = 0;
    ascent->done = !isfinite(value);
    if (!ascent->done)
        set_out(ascent, reach);
}

/* Keeps the newest pairs. */
static void remember(struct ascent *ascent, const double *gradient)
{
    size_t row = ascent->count;
    if (ascent->pairs == ASCENT_MEMORY) {
        memmove(ascent->step, ascent->step + row, (ASCENT_MEMORY - 1) * row * sizeof *ascent->step);
        memmove(ascent->change, ascent->change + row, (ASCENT_MEMORY - 1) * row * sizeof *ascent->change);
        ascent->pairs--;
    }
    for (size_t i = 0; i < row; i++) {
        ascent->step[ascent->pairs * row + i] = ascent->next[i] - ascent->x[i];
        ascent->change[ascent->pairs * row + i] = ascent->gradient[i] - gradient[i];
    }
    ascent->pairs++;
}

void ascent_advance(struct ascent *ascent, double value, const double *gradient)
{
    static const double longest_step = 0.5; /* in the unit cube: far from the data a quadratic says little */
    double promised = 0;
    for (size_t i = 0; i < ascent->count; i++)
        promised += ascent->gradient[i] * (ascent->next[i] - ascent->x[i]);
    if (!(value >= ascent->value + sufficient * promised) || !(value > ascent->value)) {
        /* the maximum of the parabola through both values and the slope, kept away from both ends */
        double share = isfinite(value) ? 0.5 * promised / (promised - (value - ascent->value)) : 0.1;
        ascent->length *= fmin(fmax(share, 0.1), 0.5);
        propose_step(ascent);
        return;
    }
    bool arrived = value - ascent->value < flat;
    remember(ascent, gradient);
    memcpy(ascent->x, ascent->next, ascent->count * sizeof *ascent->x);
    memcpy(ascent->gradient, gradient, ascent->count * sizeof *gradient);
    ascent->value = value;
    if (arrived)
        ascent->done = true;
    else
        set_out(ascent, longest_step);
}
