#include "optim/neighbours.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { MOST_LEVELS = 6 }; /* of a category, tried at once */

nr_status neighbours_create(const struct space *space, struct neighbours *out)
{
    double *buffer = mem_array(3 * space->count, sizeof *buffer);
    if (!buffer)
        return NR_NO_MEMORY;
    *out = (struct neighbours){space, buffer, buffer + space->count, buffer + 2 * space->count};
    return NR_OK;
}

void neighbours_clear(struct neighbours *neighbours)
{
    free(neighbours->unit);
    *neighbours = (struct neighbours){0};
}

/* Visits the point with dimension d set to value, unless that is no change. */
static nr_status visit_value(struct neighbours *neighbours, const double *point, size_t d, double value,
                             neighbours_visitor *visit, void *context)
{
    const struct space *space = neighbours->space;
    memcpy(neighbours->point, point, space->count * sizeof *point);
    neighbours->point[d] = value;
    point_canonicalise(space, neighbours->point);
    if (neighbours->point[d] == point[d])
        return NR_OK;
    return visit(context, neighbours->point);
}

static double grid_step(const struct dimension *dimension)
{
    return dimension->kind == DIM_REAL ? dimension->step : 1;
}

static nr_status visit_number(struct neighbours *neighbours, const double *point, size_t d, double step,
                              neighbours_visitor *visit, void *context)
{
    const struct space *space = neighbours->space;
    const struct dimension *dimension = &space->dimension[d];
    double grid = grid_step(dimension), highest = dimension->levels ? (double)dimension->levels - 1 : dimension->high;
    double lowest = dimension->levels ? 0 : dimension->low;
    for (int side = -1; side <= 1; side += 2) {
        memcpy(neighbours->moved, neighbours->unit, space->count * sizeof *neighbours->unit);
        neighbours->moved[d] = fmin(fmax(neighbours->unit[d] + side * step, 0), 1);
        point_from_unit(space, neighbours->moved, neighbours->point);
        double far = neighbours->point[d], near = point[d] + side * grid;
        nr_status status = visit_value(neighbours, point, d, far, visit, context);
        if (status == NR_OK && grid > 0 && fabs(near - far) > 0.5 * grid && near >= lowest && near <= highest)
            status = visit_value(neighbours, point, d, near, visit, context);
        if (status != NR_OK)
            return status;
    }
    return NR_OK;
}

static nr_status visit_category(struct neighbours *neighbours, const double *point, size_t d, struct rng *rng,
                                neighbours_visitor *visit, void *context)
{
    size_t levels = neighbours->space->dimension[d].levels;
    size_t tries = levels <= MOST_LEVELS ? levels : MOST_LEVELS;
    nr_status status = NR_OK;
    for (size_t i = 0; i < tries && status == NR_OK; i++) {
        double value = levels <= MOST_LEVELS ? (double)i : rng_below(rng, (uint32_t)levels);
        status = visit_value(neighbours, point, d, value, visit, context);
    }
    return status;
}

/* The unit cube's coordinates of the point are in `unit`. */
static nr_status visit_dimension(struct neighbours *neighbours, const double *point, size_t d, double step,
                                 struct rng *rng, neighbours_visitor *visit, void *context)
{
    const struct dimension *dimension = &neighbours->space->dimension[d];
    if (isnan(point[d]) || dimension_size(dimension) < 2)
        return NR_OK;
    if (dimension->kind == DIM_CHOICE || dimension->kind == DIM_BOOL)
        return visit_category(neighbours, point, d, rng, visit, context);
    return visit_number(neighbours, point, d, step, visit, context);
}

nr_status neighbours_visit_dimension(struct neighbours *neighbours, const double *point, size_t d, double step,
                                     struct rng *rng, neighbours_visitor *visit, void *context)
{
    point_to_unit(neighbours->space, point, neighbours->unit);
    return visit_dimension(neighbours, point, d, step, rng, visit, context);
}

nr_status neighbours_visit(struct neighbours *neighbours, const double *point, double step, struct rng *rng,
                           neighbours_visitor *visit, void *context)
{
    nr_status status = NR_OK;
    point_to_unit(neighbours->space, point, neighbours->unit);
    for (size_t d = 0; d < neighbours->space->count && status == NR_OK; d++)
        status = visit_dimension(neighbours, point, d, step, rng, visit, context);
    return status;
}
