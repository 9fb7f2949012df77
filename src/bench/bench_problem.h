/* The problems of `nasrun bench optimise`: what the optimizer is given, what an evaluation tells it, and what it is
 * judged by, which has no noise. The reference point that a hypervolume is judged by is told to the optimizer, as the
 * objectives' thresholds: so is it to other tools that take one. */
#ifndef NASRUN_BENCH_BENCH_PROBLEM_H
#define NASRUN_BENCH_BENCH_PROBLEM_H

#include "base/log.h"
#include "base/rng.h"
#include "bench/trained.h"
#include "optim/optimizer.h"

enum { BENCH_OBJECTIVES = 2, BENCH_NAME_SIZE = 32 };

struct bench_definition;

struct bench_problem {
    char name[BENCH_NAME_SIZE];
    const struct bench_definition *definition; /* NULL for a replayed table */
    struct space own_space;                    /* of a definition; a table has its study's */
    struct trained *trained;
    struct optim_problem optim; /* points into this struct */
    double reference[BENCH_OBJECTIVES];
    double best; /* that is possible: of a single objective the value, else the hypervolume */
};

/* Names of those that are built in, NULL from `index` = their number on. */
const char *bench_problem_name(size_t index);
/* What is best possible, and whether it is a value to be minimised rather than a hypervolume; NaN for a name that is
 * not built in. */
double bench_problem_best(const char *name);

/* A built-in problem by its name, or a replayed table by its file: a name that ends in ".ini". */
nr_status bench_problem_open(const char *name, struct log *log, struct bench_problem **out) NR_MUST_CHECK;
void bench_problem_close(struct bench_problem *problem);

struct bench_outcome {
    bool failed;
    struct optim_result told;
    double truth[BENCH_OBJECTIVES]; /* in the sense and unit of the reference; NaN where it failed */
};
/* Evaluates an admissible point; `rng` makes the noise. */
void bench_problem_evaluate(const struct bench_problem *problem, const double *point, struct rng *rng,
                            struct bench_outcome *out);

/* What was reached by `count` evaluations, by their truths [count][BENCH_OBJECTIVES]: the lowest value or the
 * hypervolume. NaN for a single objective while all failed. */
nr_status bench_problem_judge(const struct bench_problem *problem, const double *truths, size_t count,
                              double *out) NR_MUST_CHECK;

#endif
