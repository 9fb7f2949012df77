#include "optim/walk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct walk {
    const struct space *space;
    walk_visit *visit;
    void *context;
    double *point, *canonical;
};

static double value_at(const struct dimension *dimension, size_t index)
{
    switch (dimension->kind) {
    case DIM_REAL:
        return dimension->low + (double)index * dimension->step;
    case DIM_INT:
        return dimension->low + (double)index;
    default:
        return (double)index;
    }
}

/* Depth is a position in space->order, so a condition finds everything that it uses already set. */
static bool descend(struct walk *walk, size_t depth)
{
    const struct space *space = walk->space;
    if (depth == space->count) {
        memcpy(walk->canonical, walk->point, space->count * sizeof *walk->point);
        point_canonicalise(space, walk->canonical); /* grid values exactly as everywhere else */
        return walk->visit(walk->context, walk->canonical);
    }
    size_t d = space->order[depth];
    const struct dimension *dimension = &space->dimension[d];
    double active = dimension->condition ? expression_value(dimension->condition, walk->point) : 1;
    if (isnan(active) || active == 0) {
        walk->point[d] = NAN;
        return descend(walk, depth + 1);
    }
    size_t values = (size_t)dimension_size(dimension);
    for (size_t i = 0; i < values; i++) {
        walk->point[d] = value_at(dimension, i);
        if (!descend(walk, depth + 1))
            return false;
    }
    return true;
}

nr_status walk_points(const struct space *space, walk_visit *visit, void *context, bool *complete)
{
    double *buffer = mem_array(2 * space->count, sizeof *buffer);
    if (!buffer)
        return NR_NO_MEMORY;
    struct walk walk = {space, visit, context, buffer, buffer + space->count};
    *complete = descend(&walk, 0);
    free(buffer);
    return NR_OK;
}
