/* Sobol points with the direction numbers of Joe and Kuo (new-joe-kuo-6.21201), scrambled.
 *
 * Called by the optimizer for its initial design and for the method `sobol`; a point costs some microseconds. */
#ifndef NASRUN_OPTIM_SOBOL_H
#define NASRUN_OPTIM_SOBOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { SOBOL_DIMENSIONS = 1111, SOBOL_BITS = 32 };

struct sobol;

/* Any number of dimensions: those past SOBOL_DIMENSIONS are plain random numbers. The scrambling depends on `seed`. */
nr_status sobol_create(size_t dimensions, uint64_t seed, struct sobol **out) NR_MUST_CHECK;
void sobol_destroy(struct sobol *sobol);

/* Point `index` before scrambling, at most SOBOL_DIMENSIONS entries, as integers to be divided by 2^32; Gray-code order
 * (point 0 is the origin), as in SciPy. */
void sobol_bits(const struct sobol *sobol, uint32_t index, uint32_t *out);
/* Point `index` after nested uniform scrambling (Owen 1995), in the open unit cube. */
void sobol_point(const struct sobol *sobol, uint32_t index, double *unit);

/* Degree, coefficients and m_1 .. m_degree of dimension 2, then of dimension 3, and so on. */
extern const uint16_t sobol_table[];

#endif
