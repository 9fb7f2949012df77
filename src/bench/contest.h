/* One run of one search method on one problem: the optimizer is asked and told as a driver would. */
#ifndef NASRUN_BENCH_CONTEST_H
#define NASRUN_BENCH_CONTEST_H

#include "bench/bench_problem.h"

struct contest {
    enum optim_method method;
    uint64_t seed; /* of the optimizer and of the noise */
    size_t evaluations;
    size_t pending; /* trials under way at once: the oldest is told, then the next is asked for */
    size_t initial; /* Sobol points */
};

/* After each evaluation, in the order of their results: what was reached so far (bench_problem_judge), and the seconds
 * of processor time that choosing its point took; arrays of `evaluations`. Fewer were made than asked for
 * when the space was exhausted: *made. */
nr_status contest_run(const struct contest *contest, const struct bench_problem *problem, struct log *log,
                      double *value, double *seconds, size_t *made) NR_MUST_CHECK;

#endif
