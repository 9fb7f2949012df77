/* A climb to a maximum inside the unit cube by its gradient: projected L-BFGS, one evaluation at a time.
 *
 * The caller evaluates what `next` asks for, so that several climbs can advance together and share a batch:
 *   ascent_start(ascent, x, value, gradient);
 *   while (!ascent->done)
 *       ascent_advance(ascent, value at ascent->next, gradient there);
 * Coordinates at a bound towards which the gradient points stay there. A value of -inf is allowed: no such step. */
#ifndef NASRUN_OPTIM_ASCENT_H
#define NASRUN_OPTIM_ASCENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { ASCENT_MEMORY = 5 };

struct ascent {
    size_t count;          /* coordinates */
    double *x, *gradient;  /* where the climb stands */
    double *next;          /* what is to be evaluated */
    double *direction;     /* from x */
    double *step, *change; /* [ASCENT_MEMORY][count] of x and of minus the gradient, the newest last */
    double *buffer;        /* what the above lie in */
    double value, length;  /* at x; of the step to `next`, in directions */
    size_t pairs;
    bool done;
};

nr_status ascent_create(size_t count, struct ascent *out) NR_MUST_CHECK;
void ascent_clear(struct ascent *ascent);
/* `reach`: the longest first step, by coordinate. */
void ascent_start(struct ascent *ascent, const double *x, double value, const double *gradient, double reach);
void ascent_advance(struct ascent *ascent, double value, const double *gradient);

#endif
