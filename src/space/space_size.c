/* How many points a space has.
 *
 * Dimensions that share no condition are independent: their counts multiply. Within a group only those that a condition
 * mentions are enumerated; the others multiply wherever they are active. So the cost is the product of the sizes of
 * the mentioned ones, not of the space. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "space/space.h"

static const double most_cases = 1e6;

struct counting {
    const struct space *space;
    const size_t *group; /* by dimension: the least index of its group */
    const bool *mentioned;
    size_t current; /* the group being counted */
    double *point;
};

/* Points of the current group from place `place` of the order on, the earlier ones chosen in `point`. */
static double count_from(const struct counting *counting, size_t place)
{
    const struct space *space = counting->space;
    while (place < space->count && counting->group[space->order[place]] != counting->current)
        place++;
    if (place == space->count)
        return 1;
    size_t d = space->order[place];
    const struct dimension *dimension = &space->dimension[d];
    double truth = dimension->condition ? expression_value(dimension->condition, counting->point) : 1;
    counting->point[d] = NAN;
    if (isnan(truth) || truth == 0)
        return count_from(counting, place + 1);
    if (!counting->mentioned[d]) /* its value changes nothing: no need to choose one */
        return dimension_size(dimension) * count_from(counting, place + 1);
    double count = 0;
    size_t size = (size_t)dimension_size(dimension);
    for (size_t i = 0; i < size; i++) {
        counting->point[d] = dimension_value(dimension, i);
        count += count_from(counting, place + 1);
    }
    return count;
}

static void find_groups(const struct space *space, size_t *group, bool *mentioned)
{
    for (size_t d = 0; d < space->count; d++)
        group[d] = d;
    for (size_t d = 0; d < space->count; d++) {
        const struct expression *condition = space->dimension[d].condition;
        for (size_t other = 0; condition && other < space->count; other++) {
            if (!expression_uses(condition, other))
                continue;
            mentioned[other] = true;
            size_t from = group[d] > group[other] ? group[d] : group[other];
            size_t to = group[d] < group[other] ? group[d] : group[other];
            for (size_t i = 0; i < space->count; i++)
                if (group[i] == from)
                    group[i] = to;
        }
    }
}

double space_size(const struct space *space, bool *exact)
{
    double size = NAN;
    bool is_exact = true;
    size_t *group = mem_array(space->count, sizeof *group);
    bool *mentioned = mem_array(space->count, sizeof *mentioned);
    double *point = mem_array(space->count, sizeof *point);
    if (!group || !mentioned || !point)
        goto done;
    find_groups(space, group, mentioned);
    size = 1;
    for (size_t g = 0; g < space->count; g++) {
        double cases = 1, bound = 1;
        for (size_t d = g; d < space->count; d++) {
            if (group[d] != g)
                continue;
            double values = dimension_size(&space->dimension[d]);
            cases *= mentioned[d] ? values : 1;
            bound *= values + (space->dimension[d].condition ? 1 : 0); /* inactive is a value too */
        }
        if (group[g] != g)
            continue;
        struct counting counting = {space, group, mentioned, g, point};
        bool enumerates = cases <= most_cases;
        size *= enumerates ? count_from(&counting, 0) : bound;
        is_exact &= enumerates || isinf(bound);
    }

done:
    free(group);
    free(mentioned);
    free(point);
    if (exact)
        *exact = is_exact && !isnan(size);
    return size;
}
