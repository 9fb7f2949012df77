#include "run/extremes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

enum { RANDOM_POINTS = 2000, VALUES_PER_DIMENSION = 16, PROOF = 100000 };

struct descent {
    struct problem *problem;
    double sign;             /* +1: fewest parameters, -1: most */
    bool ignores_constraints; /* to reach the allowed region from outside */
    double *unit, *point, *best_unit;
    double best; /* sign * parameters; infinity before the first */
};

/* sign * parameters of the point in the unit cube; infinity where there is no network or it is not allowed. */
static double measure(const struct descent *descent, const double *unit, double *point, struct text *reason)
{
    struct problem unconstrained = *descent->problem;
    struct study study = *descent->problem->study;
    if (descent->ignores_constraints) {
        study.constraints = 0;
        unconstrained.study = &study;
    }
    struct plan *plan;
    struct recipe recipe;
    point_from_unit(&study.space, unit, point);
    if (problem_plan(&unconstrained, point, reason, &plan, &recipe) != NR_OK)
        return INFINITY;
    double value = descent->sign * (double)plan->parameters;
    plan_destroy(plan);
    return value;
}

static void consider(struct descent *descent)
{
    double value = measure(descent, descent->unit, descent->point, NULL);
    if (value < descent->best) {
        descent->best = value;
        memcpy(descent->best_unit, descent->unit, descent->problem->study->space.count * sizeof *descent->unit);
    }
}

/* One value of one dimension after another, until nothing improves: networks grow monotonically in nearly every dimension, so
 * that few rounds suffice. */
static void descend(struct descent *descent)
{
    const struct space *space = &descent->problem->study->space;
    for (double before = INFINITY; descent->best < before;) {
        before = descent->best;
        for (size_t d = 0; d < space->count; d++) {
            double size = dimension_size(&space->dimension[d]);
            int values = size < VALUES_PER_DIMENSION ? (int)size : VALUES_PER_DIMENSION;
            for (int v = 0; v < values; v++) {
                memcpy(descent->unit, descent->best_unit, space->count * sizeof *descent->unit);
                descent->unit[d] = size <= VALUES_PER_DIMENSION ? (v + 0.5) / values
                                   : v == values - 1            ? 1
                                                                : (double)v / (values - 1);
                consider(descent);
            }
        }
    }
}

/* Every point of a small space, one after the other in mixed radix. */
static void enumerate(struct descent *descent)
{
    const struct space *space = &descent->problem->study->space;
    for (int64_t number = 0;; number++) {
        int64_t rest = number;
        for (size_t d = 0; d < space->count; d++) {
            int64_t size = (int64_t)dimension_size(&space->dimension[d]);
            descent->unit[d] = ((double)(rest % size) + 0.5) / (double)size;
            rest /= size;
        }
        if (rest > 0)
            return;
        consider(descent);
        if (descent->best < INFINITY)
            return;
    }
}

static double naive_size(const struct space *space)
{
    double size = 1;
    for (size_t d = 0; d < space->count; d++)
        size *= dimension_size(&space->dimension[d]);
    return size;
}

static nr_status no_point(struct descent *descent, struct log *log, int64_t tried)
{
    struct text reason = {0};
    for (size_t d = 0; d < descent->problem->study->space.count; d++)
        descent->unit[d] = 0;
    (void)measure(descent, descent->unit, descent->point, &reason);
    bool proof = naive_size(&descent->problem->study->space) <= PROOF;
    log_error(log, "%s: no point of the space gives an allowed network (%s%lld tried); for example: %s",
              descent->problem->study->config.path, proof ? "all were tried, " : "", (long long)tried,
              reason.data ? reason.data : "a constraint does not hold");
    text_clear(&reason);
    return NR_INVALID;
}

static void sample(struct descent *descent, struct extremes *out)
{
    const struct study *study = descent->problem->study;
    struct rng rng = rng_create(study_seed(study), 0, RANDOM_SEARCH, 0xe07, 0);
    for (int i = 0; i < RANDOM_POINTS; i++) {
        for (size_t d = 0; d < study->space.count; d++)
            descent->unit[d] = rng_unit(&rng);
        double before = descent->best;
        double value = measure(descent, descent->unit, descent->point, NULL);
        out->tried++;
        out->allowed += value < INFINITY;
        if (value < before) {
            descent->best = value;
            memcpy(descent->best_unit, descent->unit, study->space.count * sizeof *descent->unit);
        }
    }
}

/* Where no random point is allowed: the smallest (largest) network that the template gives at all may be. */
static void approach(struct descent *descent)
{
    double sign = descent->sign;
    for (double direction = 1; direction >= -1 && isinf(descent->best); direction -= 2) {
        descent->sign = direction;
        descent->ignores_constraints = true;
        for (size_t d = 0; d < descent->problem->study->space.count; d++)
            descent->best_unit[d] = 0.5;
        descent->best = measure(descent, descent->best_unit, descent->point, NULL);
        descend(descent);
        descent->ignores_constraints = false;
        descent->sign = sign;
        descent->best = measure(descent, descent->best_unit, descent->point, NULL);
    }
}

static nr_status find(struct descent *descent, struct log *log, struct extremes *out)
{
    const struct space *space = &descent->problem->study->space;
    sample(descent, out);
    if (isinf(descent->best))
        approach(descent);
    if (isinf(descent->best) && naive_size(space) <= PROOF)
        enumerate(descent);
    if (isinf(descent->best))
        return no_point(descent, log, out->tried);
    descend(descent);
    point_from_unit(space, descent->best_unit, out->smallest);
    descent->sign = -1;
    descent->best = measure(descent, descent->best_unit, descent->point, NULL);
    descend(descent);
    point_from_unit(space, descent->best_unit, out->largest);
    return NR_OK;
}

nr_status extremes_find(struct problem *problem, struct log *log, struct extremes *out)
{
    size_t count = problem->study->space.count;
    struct extremes extremes = {.smallest = mem_array(count, sizeof(double)), .largest = mem_array(count, sizeof(double))};
    struct descent descent = {.problem = problem,
                              .sign = 1,
                              .unit = mem_array(count, sizeof(double)),
                              .point = mem_array(count, sizeof(double)),
                              .best_unit = mem_array(count, sizeof(double)),
                              .best = INFINITY};
    nr_status status;
    if (extremes.smallest && extremes.largest && descent.unit && descent.point && descent.best_unit)
        status = find(&descent, log, &extremes);
    else
        status = log_no_memory(log, "looking for the smallest network");
    free(descent.unit);
    free(descent.point);
    free(descent.best_unit);
    if (status == NR_OK)
        *out = extremes;
    else
        extremes_clear(&extremes);
    return status;
}

void extremes_clear(struct extremes *extremes)
{
    free(extremes->smallest);
    free(extremes->largest);
    *extremes = (struct extremes){0};
}
