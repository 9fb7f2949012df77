#include "optim/repair.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

nr_status repair_create(const struct optim_problem *problem, const struct history *history, struct repair *out)
{
    size_t dimensions = problem->space->count;
    struct repair repair = {.problem = problem, .history = history};
    repair.order = mem_array(dimensions + REPAIR_VALUES, sizeof *repair.order);
    repair.point = mem_array(dimensions, sizeof *repair.point);
    if (!repair.order || !repair.point) {
        repair_clear(&repair);
        return NR_NO_MEMORY;
    }
    repair.value = repair.order + dimensions;
    *out = repair;
    return NR_OK;
}

void repair_clear(struct repair *repair)
{
    free(repair->order);
    free(repair->point);
    *repair = (struct repair){0};
}

/* Value number `index` of those that are tried; a continuous dimension has as many, evenly spread. */
static double value_at(const struct dimension *dimension, double size, uint32_t index, struct rng *rng)
{
    if (size <= REPAIR_VALUES)
        return dimension_value(dimension, index);
    if (isfinite(size))
        return dimension_value(dimension, (size_t)(rng_unit(rng) * size));
    double share = ((double)index + rng_unit(rng)) / REPAIR_VALUES;
    if (dimension->log)
        return exp(dimension->log_low + share * (dimension->log_high - dimension->log_low));
    return dimension->low + share * (dimension->high - dimension->low);
}

static bool repair_dimension(struct repair *repair, const double *point, size_t d, struct rng *rng, size_t *tries,
                             struct optim_admission *out)
{
    const struct space *space = repair->problem->space;
    const struct dimension *dimension = &space->dimension[d];
    double size = dimension_size(dimension);
    uint32_t count = size < REPAIR_VALUES ? (uint32_t)size : REPAIR_VALUES;
    for (uint32_t i = 0; i < count; i++)
        repair->value[i] = i;
    rng_shuffle(rng, repair->value, count);
    for (uint32_t i = 0; i < count && *tries; i++) {
        memcpy(repair->point, point, space->count * sizeof *point);
        repair->point[d] = value_at(dimension, size, repair->value[i], rng);
        point_canonicalise(space, repair->point);
        --*tries;
        if (history_accepts(repair->history, repair->problem, repair->point, out))
            return true;
    }
    return false;
}

bool repair_point(struct repair *repair, const double *point, struct rng *rng, size_t *tries,
                  struct optim_admission *out)
{
    size_t dimensions = repair->problem->space->count;
    for (size_t d = 0; d < dimensions; d++)
        repair->order[d] = (uint32_t)d;
    rng_shuffle(rng, repair->order, (uint32_t)dimensions);
    for (size_t i = 0; i < dimensions && *tries; i++) {
        size_t d = repair->order[i];
        if (!isnan(point[d]) && dimension_size(&repair->problem->space->dimension[d]) > 1 &&
            repair_dimension(repair, point, d, rng, tries, out))
            return true;
    }
    return false;
}
