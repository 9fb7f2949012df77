/* What searches reached after each evaluation: collected, written and read as CSV, summed up over seeds.
 *
 * The file has one row per evaluation: problem, method, pending, seed, evaluation, value, seconds, best. Other tools
 * write it too: `pending` and `best` may be missing, other columns are ignored, rows come in any order. */
#ifndef NASRUN_BENCH_CURVES_H
#define NASRUN_BENCH_CURVES_H

#include <stdint.h>

#include "base/log.h"
#include "bench/bench_problem.h"

/* Of one problem, one method, one number of trials under way, one seed. */
struct curve {
    char problem[BENCH_NAME_SIZE], method[BENCH_NAME_SIZE];
    int64_t pending, seed;
    double best;     /* that is possible; NaN: unknown */
    double *value;   /* [count]: the lowest value or the hypervolume so far; NaN: none yet */
    double *seconds; /* [count]: that choosing the point took */
    size_t count;
    size_t value_capacity, seconds_capacity;
};

struct curves {
    struct curve *curve;
    size_t count, capacity;
};

/* A new curve without evaluations, the last of the set; NULL when out of memory. Valid until the next call. */
struct curve *curves_add(struct curves *curves, const char *problem, const char *method, int64_t pending, int64_t seed,
                         double best) NR_MUST_CHECK;
nr_status curve_append(struct curve *curve, double value, double seconds) NR_MUST_CHECK;
void curves_clear(struct curves *curves);

/* Where a file does not say what is best possible, it is taken from what is built in or from curves of the same problem
 * that are there already. */
nr_status curves_read(struct curves *curves, const char *path, struct log *log) NR_MUST_CHECK;
nr_status curves_write(const struct curves *curves, const char *path, struct log *log) NR_MUST_CHECK;

/* The seeds of one problem, method and number of trials under way, and what they have in common. */
struct curve_group {
    const struct curve *first; /* stands for the group */
    const struct curve **member;
    size_t members;
    size_t shortest, longest; /* evaluations */
    double *mean;             /* [longest], over the members that got so far; NaN values do not count */
};

struct curve_groups {
    struct curve_group *group; /* by problem, in the order of their first curves */
    size_t count;
};

nr_status curves_group(const struct curves *curves, struct curve_groups *out) NR_MUST_CHECK;
void curve_groups_clear(struct curve_groups *groups);

struct curve_statistics {
    size_t seeds;
    double mean, standard_error; /* of the values at an evaluation, or the last one before it */
    double missing;              /* |best - mean|; NaN: unknown */
    double seconds;              /* median of a suggestion that took any time */
    double reached; /* first evaluation at which the mean curve is as good as `target`; NaN: never, or no target */
};

nr_status curve_group_summarise(const struct curve_group *group, size_t evaluation, double target,
                                struct curve_statistics *out) NR_MUST_CHECK;
/* The group of the same problem and method with one trial under way, NULL where there is none. */
const struct curve_group *curve_groups_sequential(const struct curve_groups *groups, const struct curve_group *group);

#endif
