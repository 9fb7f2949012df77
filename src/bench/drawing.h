/* The curves of searches as one SVG: a panel per problem, a colour per method, seeds thin and their mean thick. */
#ifndef NASRUN_BENCH_DRAWING_H
#define NASRUN_BENCH_DRAWING_H

#include "bench/curves.h"

nr_status drawing_write(const struct curve_groups *groups, const char *path, struct log *log) NR_MUST_CHECK;

#endif
