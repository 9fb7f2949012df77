#include "run/extremes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

enum { RANDOM_POINTS = 2000, VALUES_PER_DIMENSION = 64, PROOF = 100000 };

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

static double naive_size(const struct space *space)
{
    double size = 1;
    for (size_t d = 0; d < space->count; d++)
        size *= dimension_size(&space->dimension[d]);
    return size;
}

/* Point number `number` of a space of finite size, in mixed radix. */
static void nth_point(const struct space *space, int64_t number, double *unit)
{
    for (size_t d = 0; d < space->count; d++) {
        int64_t size = (int64_t)dimension_size(&space->dimension[d]);
        unit[d] = ((double)(number % size) + 0.5) / (double)size;
        number /= size;
    }
}

/* Remembers the point in `unit` for both directions. */
static bool consider_both(struct descent *smallest, struct descent *largest, const double *unit)
{
    memcpy(smallest->unit, unit, smallest->problem->study->space.count * sizeof *unit);
    double parameters = measure(smallest, unit, smallest->point, NULL);
    if (isinf(parameters))
        return false;
    struct descent *both[] = {smallest, largest};
    for (int i = 0; i < 2; i++) {
        if (both[i]->sign * parameters >= both[i]->best)
            continue;
        both[i]->best = both[i]->sign * parameters;
        memcpy(both[i]->best_unit, unit, smallest->problem->study->space.count * sizeof *unit);
    }
    return true;
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

/* All points of a small space, random ones of a large one. */
static void sample(struct descent *smallest, struct descent *largest, struct extremes *out)
{
    const struct study *study = smallest->problem->study;
    double size = naive_size(&study->space);
    struct rng rng = rng_create(study_seed(study), 0, RANDOM_SEARCH, 0xe07, 0);
    int64_t points = size <= RANDOM_POINTS ? (int64_t)size : RANDOM_POINTS;
    for (int64_t i = 0; i < points; i++) {
        for (size_t d = 0; d < study->space.count; d++)
            largest->unit[d] = rng_unit(&rng);
        if (size <= RANDOM_POINTS)
            nth_point(&study->space, i, largest->unit);
        out->tried++;
        out->allowed += consider_both(smallest, largest, largest->unit);
    }
}

/* Every point, until one is allowed. */
static void enumerate(struct descent *smallest, struct descent *largest, struct extremes *out)
{
    const struct space *space = &smallest->problem->study->space;
    int64_t points = (int64_t)naive_size(space);
    for (int64_t i = 0; i < points && isinf(smallest->best); i++) {
        nth_point(space, i, largest->unit);
        out->tried++;
        out->allowed += consider_both(smallest, largest, largest->unit);
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

static nr_status find(struct descent *smallest, struct descent *largest, struct log *log, struct extremes *out)
{
    const struct space *space = &smallest->problem->study->space;
    sample(smallest, largest, out);
    if (isinf(smallest->best))
        approach(smallest);
    if (isinf(smallest->best) && naive_size(space) <= PROOF)
        enumerate(smallest, largest, out);
    if (isinf(smallest->best))
        return no_point(smallest, log, out->tried);
    if (isinf(largest->best)) {
        memcpy(largest->best_unit, smallest->best_unit, space->count * sizeof *smallest->best_unit);
        largest->best = -smallest->best;
    }
    descend(smallest);
    descend(largest);
    point_from_unit(space, smallest->best_unit, out->smallest);
    point_from_unit(space, largest->best_unit, out->largest);
    return NR_OK;
}

static bool descent_create(struct descent *descent, struct problem *problem, double sign)
{
    size_t count = problem->study->space.count;
    *descent = (struct descent){.problem = problem,
                                .sign = sign,
                                .unit = mem_array(count, sizeof(double)),
                                .point = mem_array(count, sizeof(double)),
                                .best_unit = mem_array(count, sizeof(double)),
                                .best = INFINITY};
    return descent->unit && descent->point && descent->best_unit;
}

static void descent_clear(struct descent *descent)
{
    free(descent->unit);
    free(descent->point);
    free(descent->best_unit);
}

nr_status extremes_find(struct problem *problem, struct log *log, struct extremes *out)
{
    size_t count = problem->study->space.count;
    struct extremes extremes = {.smallest = mem_array(count, sizeof(double)),
                                .largest = mem_array(count, sizeof(double))};
    struct descent smallest, largest;
    bool complete = descent_create(&smallest, problem, 1);
    complete = descent_create(&largest, problem, -1) && complete && extremes.smallest && extremes.largest;
    nr_status status = complete ? find(&smallest, &largest, log, &extremes)
                                : log_no_memory(log, "looking for the smallest network");
    descent_clear(&smallest);
    descent_clear(&largest);
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
