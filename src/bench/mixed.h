/* Two search problems over spaces of many kinds, made to behave like small networks, whose best fronts can be computed
 * by enumeration. Both objectives are minimised: an error that falls with size, and a cost. */
#ifndef NASRUN_BENCH_MIXED_H
#define NASRUN_BENCH_MIXED_H

#include <stdbool.h>

/* Their spaces: pairs of name and declaration, NULL at the end. */
extern const char *const mixed_entries[], *const conditional_entries[];

/* Six dimensions: int, real and ordered ones on log scales, a choice that interacts with the depth, a bool. The best
 * rate depends on three others; false, the trial diverges, where it is more than ten times that. */
bool mixed_evaluate(const double *point, double value[2]);
/* One to four blocks, each with a width and a kernel, and an optimizer with parameters of its own: 14 dimensions, 6 to
 * 13 of them active. The cost is known beforehand; always true. */
bool conditional_evaluate(const double *point, double value[2]);

/* The limit on the cost of `conditional`. */
enum { CONDITIONAL_MOST_COST = 11 };

#endif
