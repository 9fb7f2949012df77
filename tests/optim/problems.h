/* Search problems with known answers, for the tests of the optimizer. */
#ifndef NASRUN_TESTS_OPTIM_PROBLEMS_H
#define NASRUN_TESTS_OPTIM_PROBLEMS_H

#include "support/test.h"

#include "optim/optimizer.h"
#include "optim/pareto.h"

/* Builds a space from "name", "text" pairs, NULL-terminated. */
static inline struct space make_space(const char *const *entries)
{
    struct space space = {0};
    struct log *log = test_log();
    for (int line = 1; entries[0]; entries += 2, line++)
        assert_ok(space_add(&space, entries[0], entries[1], "test.ini", line, log));
    assert_ok(space_complete(&space, log));
    log_destroy(log);
    return space;
}

/* Values of a point of any of the problems: maximised both. */
typedef void evaluate_point(const double *point, double *value);

struct world {
    struct space space;
    evaluate_point *evaluate;
    double size_limit; /* points of exact objective 1 above it are not allowed */
    size_t asked;
};

/* Objective 1 is exact and minimised: it is minus the second value. */
static inline bool world_admit(void *context, const double *point, struct optim_admission *out)
{
    struct world *world = context;
    double value[2];
    world->asked++;
    world->evaluate(point, value);
    out->exact[1] = out->work = -value[1];
    return -value[1] <= world->size_limit;
}

/* A small network's life: accuracy saturates with both widths, falls off the best learning rate, and the wrong
 * activation or too much dropout costs a little; a bad learning rate fails badly. Size is the parameter count. */
static const char *const network_entries[] = {
    "hidden1", "int 16..128 log", "hidden2",    "int 16..128 log",          "learning_rate", "real 1e-4..1e-1 log",
    "dropout", "real 0..0.5",     "batch_size", "ordered 32, 64, 128, 256", "activation",    "choice relu, gelu, tanh",
    NULL};

static inline void network_evaluate(const double *point, double *value)
{
    static const double penalty[] = {0.002, 0, 0.012};
    double width = log2(point[0]) - 4, depth = log2(point[1]) - 4; /* 0 .. 3 */
    double best = -2.6 + 0.15 * point[4], off = log10(point[2]) - best;
    double accuracy = 0.985 - 0.05 * exp(-1.1 * width) - 0.012 * exp(-1.3 * depth) - 0.02 * off * off -
                      0.03 * (point[3] - 0.1) * (point[3] - 0.1) - penalty[(int)point[5]];
    if (off > 1)
        accuracy -= 0.5 * (off - 1);
    value[0] = accuracy;
    value[1] = -(784 * point[0] + point[0] * point[1] + 10 * point[1]);
}

/* Branin and Currin on the unit square, both negated: the usual pair for tests with two modelled objectives. */
static const char *const square_entries[] = {"x", "real 0..1", "y", "real 0..1", NULL};

static inline void square_evaluate(const double *point, double *value)
{
    double x = 15 * point[0] - 5, y = 15 * point[1], pi = 3.141592653589793;
    double bowl = y - 5.1 / (4 * pi * pi) * x * x + 5 / pi * x - 6;
    double u = point[0], v = point[1];
    double damp = v > 1e-12 ? 1 - exp(-1 / (2 * v)) : 1;
    value[0] = -(bowl * bowl + 10 * (1 - 1 / (8 * pi)) * cos(x) + 10);
    value[1] = -damp * (2300 * u * u * u + 1900 * u * u + 2092 * u + 60) / (100 * u * u * u + 500 * u * u + 4 * u + 20);
}

#endif
