#include "run/extremes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

enum { RANDOM_POINTS = 2000, VALUES_PER_DIMENSION = 64, PROOF = 100000 };

/* What is made small or large. EXACT: an objective that is an expression of the parameters; NOTHING: 0 wherever a point
 * is allowed. */
enum quantity { QUANTITY_PARAMETERS, QUANTITY_BYTES, QUANTITY_EXACT, QUANTITY_NOTHING };

struct descent {
    struct problem *problem;
    double sign; /* +1: least, -1: most */
    enum quantity quantity;
    size_t objective;         /* QUANTITY_EXACT: which */
    bool ignores_constraints; /* to reach the allowed region from outside */
    double *raw;              /* the point in hand, values of inactive dimensions included */
    double *point;            /* the same made canonical */
    double *best_raw;
    double best; /* sign * quantity; infinity before the first */
};

/* The quantity at descent->point; infinity where there is no network or it is not allowed. */
static double value_of_network(const struct descent *descent, const struct problem *problem, struct text *reason)
{
    struct plan *plan;
    struct recipe recipe;
    if (problem_plan(problem, descent->point, reason, &plan, &recipe) != NR_OK)
        return INFINITY;
    double value = descent->sign * (descent->quantity == QUANTITY_BYTES ? problem_exact("memory", plan, &recipe)
                                                                        : (double)plan->parameters);
    plan_destroy(plan);
    return value;
}

static double value_of_point(const struct descent *descent, const struct problem *problem, struct text *reason)
{
    if (problem_check_point(problem, descent->point, reason) != NR_OK)
        return INFINITY;
    if (descent->quantity == QUANTITY_NOTHING)
        return 0;
    return descent->sign * study_exact_value(problem->study, descent->objective, descent->point);
}

/* sign * the quantity at a raw point, which is left canonical in descent->point; infinity where it is not allowed. */
static double measure(const struct descent *descent, const double *raw, struct text *reason)
{
    struct problem unconstrained = *descent->problem;
    struct study study = *descent->problem->study;
    if (descent->ignores_constraints) {
        study.constraints = 0;
        unconstrained.study = &study;
    }
    memcpy(descent->point, raw, study.space.count * sizeof *raw);
    point_canonicalise(&study.space, descent->point);
    return study.external ? value_of_point(descent, &unconstrained, reason)
                          : value_of_network(descent, &unconstrained, reason);
}

static void consider(struct descent *descent)
{
    double value = measure(descent, descent->raw, NULL);
    if (value < descent->best) {
        descent->best = value;
        memcpy(descent->best_raw, descent->raw, descent->problem->study->space.count * sizeof *descent->raw);
    }
}

static void consider_point(struct descent *descent, const double *point)
{
    memcpy(descent->raw, point, descent->problem->study->space.count * sizeof *descent->raw);
    consider(descent);
}

/* Value v of `values`: all of a small dimension, else evenly from end to end. */
static double nth_value(const struct dimension *dimension, int v, int values)
{
    double size = dimension_size(dimension);
    if (size <= values)
        return dimension_value(dimension, (size_t)v < (size_t)size ? (size_t)v : (size_t)size - 1);
    if (isinf(size))
        return dimension->low + (dimension->high - dimension->low) * v / (values - 1);
    return dimension_value(dimension, (size_t)(v * (size - 1) / (values - 1)));
}

/* One value of one dimension after another, until nothing improves: networks grow monotonically in nearly every
 * dimension, so that few rounds suffice. */
static void descend(struct descent *descent)
{
    const struct space *space = &descent->problem->study->space;
    for (double before = INFINITY; descent->best < before;) {
        before = descent->best;
        for (size_t d = 0; d < space->count; d++) {
            double size = dimension_size(&space->dimension[d]);
            int values = size < VALUES_PER_DIMENSION ? (int)size : VALUES_PER_DIMENSION;
            for (int v = 0; v < values; v++) {
                memcpy(descent->raw, descent->best_raw, space->count * sizeof *descent->raw);
                descent->raw[d] = nth_value(&space->dimension[d], v, values);
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
static void nth_point(const struct space *space, int64_t number, double *raw)
{
    for (size_t d = 0; d < space->count; d++) {
        int64_t size = (int64_t)dimension_size(&space->dimension[d]);
        raw[d] = dimension_value(&space->dimension[d], (size_t)(number % size));
        number /= size;
    }
}

/* Remembers a raw point for both directions. */
static bool consider_both(struct descent *smallest, struct descent *largest, const double *raw)
{
    double value = measure(smallest, raw, NULL);
    if (isinf(value))
        return false;
    struct descent *both[] = {smallest, largest};
    for (int i = 0; i < 2; i++) {
        if (both[i]->sign * value >= both[i]->best)
            continue;
        both[i]->best = both[i]->sign * value;
        memcpy(both[i]->best_raw, raw, smallest->problem->study->space.count * sizeof *raw);
    }
    return true;
}

static nr_status no_point(struct descent *descent, struct log *log, int64_t tried)
{
    struct text reason = {0};
    for (size_t d = 0; d < descent->problem->study->space.count; d++)
        descent->raw[d] = nth_value(&descent->problem->study->space.dimension[d], 0, 2);
    (void)measure(descent, descent->raw, &reason);
    bool proof = naive_size(&descent->problem->study->space) <= PROOF;
    log_error(log, "%s: no point of the space %s (%s%lld tried); for example: %s", descent->problem->study->config.path,
              descent->problem->study->external ? "is allowed" : "gives an allowed network",
              proof ? "all were tried, " : "", (long long)tried,
              reason.data ? reason.data : "a constraint does not hold");
    text_clear(&reason);
    return NR_INVALID;
}

/* All points of a space of up to `most`, random ones of a larger one. */
static void sample(struct descent *smallest, struct descent *largest, int64_t most, double *unit, struct extremes *out)
{
    const struct study *study = smallest->problem->study;
    double size = naive_size(&study->space);
    struct rng rng = rng_create(study_seed(study), 0, RANDOM_SEARCH, 0xe07, 0);
    bool all = size <= (double)most;
    int64_t points = all ? (int64_t)size : RANDOM_POINTS;
    for (int64_t i = 0; i < points; i++) {
        for (size_t d = 0; d < study->space.count; d++)
            unit[d] = rng_unit(&rng);
        point_from_unit(&study->space, unit, largest->raw);
        if (all)
            nth_point(&study->space, i, largest->raw);
        out->tried++;
        out->allowed += consider_both(smallest, largest, largest->raw);
    }
}

/* Every point, until one is allowed. */
static void enumerate(struct descent *smallest, struct descent *largest, struct extremes *out)
{
    const struct space *space = &smallest->problem->study->space;
    int64_t points = (int64_t)naive_size(space);
    for (int64_t i = 0; i < points && isinf(smallest->best); i++) {
        nth_point(space, i, largest->raw);
        out->tried++;
        out->allowed += consider_both(smallest, largest, largest->raw);
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
            descent->best_raw[d] = nth_value(&descent->problem->study->space.dimension[d], 1, 3); /* the middle */
        descent->best = measure(descent, descent->best_raw, NULL);
        descend(descent);
        descent->ignores_constraints = false;
        descent->sign = sign;
        descent->best = measure(descent, descent->best_raw, NULL);
    }
}

static nr_status find(struct descent *smallest, struct descent *largest, struct log *log, struct extremes *out)
{
    const struct space *space = &smallest->problem->study->space;
    sample(smallest, largest, RANDOM_POINTS, out->smallest, out); /* any room for a point will do */
    if (isinf(smallest->best))
        approach(smallest);
    if (isinf(smallest->best) && naive_size(space) > RANDOM_POINTS && naive_size(space) <= PROOF)
        enumerate(smallest, largest, out);
    if (isinf(smallest->best))
        return no_point(smallest, log, out->tried);
    if (isinf(largest->best)) {
        memcpy(largest->best_raw, smallest->best_raw, space->count * sizeof *smallest->best_raw);
        largest->best = -smallest->best;
    }
    descend(smallest);
    descend(largest);
    memcpy(out->smallest, smallest->best_raw, space->count * sizeof *out->smallest);
    memcpy(out->largest, largest->best_raw, space->count * sizeof *out->largest);
    point_canonicalise(space, out->smallest);
    point_canonicalise(space, out->largest);
    return NR_OK;
}

/* By the number of parameters; where there is no network, by the first objective that is exact. */
static enum quantity usual_quantity(const struct study *study, size_t *objective)
{
    if (!study->external)
        return QUANTITY_PARAMETERS;
    for (*objective = 0; *objective < study->objectives; ++*objective)
        if (study->objective[*objective].exact)
            return QUANTITY_EXACT;
    return QUANTITY_NOTHING;
}

static bool descent_create(struct descent *descent, struct problem *problem, double sign)
{
    size_t count = problem->study->space.count, objective = 0;
    enum quantity quantity = usual_quantity(problem->study, &objective);
    *descent = (struct descent){.problem = problem,
                                .sign = sign,
                                .quantity = quantity,
                                .objective = objective,
                                .raw = mem_array(count, sizeof(double)),
                                .point = mem_array(count, sizeof(double)),
                                .best_raw = mem_array(count, sizeof(double)),
                                .best = INFINITY};
    return descent->raw && descent->point && descent->best_raw;
}

static void descent_clear(struct descent *descent)
{
    free(descent->raw);
    free(descent->point);
    free(descent->best_raw);
}

nr_status extremes_find(struct problem *problem, struct log *log, struct extremes *out)
{
    size_t count = problem->study->space.count;
    struct extremes extremes = {.smallest = mem_array(count, sizeof(double)),
                                .largest = mem_array(count, sizeof(double))};
    struct descent smallest, largest;
    bool complete = descent_create(&smallest, problem, 1);
    complete = descent_create(&largest, problem, -1) && complete && extremes.smallest && extremes.largest;
    nr_status status =
        complete ? find(&smallest, &largest, log, &extremes) : log_no_memory(log, "looking for the smallest network");
    descent_clear(&smallest);
    descent_clear(&largest);
    if (status == NR_OK)
        *out = extremes;
    else
        extremes_clear(&extremes);
    return status;
}

nr_status extremes_most_bytes(struct problem *problem, const struct extremes *extremes, struct log *log, double *out)
{
    struct descent heaviest;
    nr_status status = NR_OK;
    if (descent_create(&heaviest, problem, -1)) {
        heaviest.quantity = QUANTITY_BYTES;
        consider_point(&heaviest, extremes->largest);
        descend(&heaviest);
        *out = -heaviest.best;
    } else {
        status = log_no_memory(log, "looking for the network that takes most memory");
    }
    descent_clear(&heaviest);
    return status;
}

nr_status extremes_of_objective(struct problem *problem, const struct extremes *extremes, size_t objective,
                                struct log *log, struct extent *out)
{
    struct descent smallest, largest;
    struct extremes tried = {0};
    double *unit = mem_array(problem->study->space.count, sizeof *unit);
    bool complete = descent_create(&smallest, problem, 1);
    complete = descent_create(&largest, problem, -1) && complete && unit;
    smallest.quantity = largest.quantity = QUANTITY_EXACT;
    smallest.objective = largest.objective = objective;
    if (complete) {
        (void)consider_both(&smallest, &largest, extremes->smallest);
        (void)consider_both(&smallest, &largest, extremes->largest);
        sample(&smallest, &largest, PROOF, unit, &tried);
        descend(&smallest);
        descend(&largest);
        *out = (struct extent){smallest.best, -largest.best, naive_size(&problem->study->space) <= PROOF};
    }
    descent_clear(&smallest);
    descent_clear(&largest);
    free(unit);
    return complete ? NR_OK : log_no_memory(log, "looking for the ends of an exact objective");
}

void extremes_clear(struct extremes *extremes)
{
    free(extremes->smallest);
    free(extremes->largest);
    *extremes = (struct extremes){0};
}
