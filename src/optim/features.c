#include "optim/features.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

nr_status features_create(const struct space *space, struct features *out)
{
    struct features features = {.space = space};
    features.dimension = mem_array(space->count, sizeof *features.dimension);
    features.category = mem_array(space->count, sizeof *features.category);
    features.unit = mem_array(space->count, sizeof *features.unit);
    if (!features.dimension || !features.category || !features.unit) {
        features_clear(&features);
        return NR_NO_MEMORY;
    }
    for (size_t d = 0; d < space->count; d++) {
        const struct dimension *dimension = &space->dimension[d];
        if (dimension_size(dimension) < 2 && !dimension->condition)
            continue;
        features.category[features.count] = dimension->kind == DIM_CHOICE || dimension->kind == DIM_BOOL;
        features.dimension[features.count++] = d;
    }
    *out = features;
    return NR_OK;
}

void features_clear(struct features *features)
{
    free(features->dimension);
    free(features->category);
    free(features->unit);
    *features = (struct features){0};
}

void features_of(struct features *features, const double *point, double *column, size_t stride)
{
    point_to_unit(features->space, point, features->unit);
    for (size_t j = 0; j < features->count; j++) {
        size_t d = features->dimension[j];
        double value = features->unit[d];
        if (features->category[j])
            value = isnan(point[d]) ? -1 : point[d];
        column[j * stride] = value;
    }
}
