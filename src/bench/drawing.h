/* The curves of searches as one SVG: a panel per problem, a colour per method, seeds thin and their mean thick. */
#ifndef NASRUN_BENCH_DRAWING_H
#define NASRUN_BENCH_DRAWING_H

#include "bench/curves.h"

/* At most so many evaluations of each. */
nr_status drawing_write(const struct curve_groups *groups, size_t evaluations, const char *path,
                        struct log *log) NR_MUST_CHECK;

#endif
