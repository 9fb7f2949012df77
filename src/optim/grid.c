#include "optim/grid.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "optim/streams.h"

__extension__ typedef unsigned __int128 wide; /* products of two 64-bit numbers */

static const uint64_t most_points = (uint64_t)1 << 62;

struct axis {
    size_t levels;   /* 1 where no more fit */
    bool category;   /* all of its levels belong to every stage */
    uint32_t *order; /* [levels]: the levels as they are added, coarse to fine */
};

struct grid {
    const struct optim_problem *problem;
    const struct history *history;
    uint64_t seed;
    struct axis *axis; /* [space->count] */
    uint32_t *order;   /* of all axes */
    size_t *digit;     /* [space->count] of the point that is looked at */
    uint32_t stage;
    uint64_t next; /* of the stage's points */

    uint64_t points, stride, shift; /* of the stage */
};

static size_t levels_of(const struct dimension *dimension)
{
    double size = dimension_size(dimension);
    return size <= GRID_MOST_LEVELS ? (size_t)size : GRID_STEPS;
}

static double level_value(const struct axis *axis, const struct dimension *dimension, size_t level)
{
    if (dimension_size(dimension) <= GRID_MOST_LEVELS)
        return dimension_value(dimension, level);
    return dimension_from_unit(dimension, axis->levels > 1 ? (double)level / (double)(axis->levels - 1) : 0.5);
}

/* The levels in the order in which 1/2, 1/4, 3/4, 1/8, ... (van der Corput) meet them first. */
static void order_levels(struct axis *axis)
{
    bool seen[GRID_MOST_LEVELS] = {false};
    size_t count = 0;
    for (uint32_t i = 1; count < axis->levels; i++) {
        double place = 0, weight = 0.5;
        for (uint32_t bits = i; bits; bits >>= 1, weight /= 2)
            place += bits & 1 ? weight : 0;
        size_t level = (size_t)(place * (double)axis->levels);
        if (!seen[level])
            axis->order[count++] = (uint32_t)level;
        seen[level] = true;
    }
}

/* Digits of an axis that belong to a stage: 1, 3, 7, ... */
static size_t digits_of(const struct axis *axis, uint32_t stage)
{
    size_t most = stage < 30 ? ((size_t)2 << stage) - 1 : SIZE_MAX;
    return axis->category || axis->levels < most ? axis->levels : most;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Visiting the points 0, s, 2 s, ... modulo their number meets all of them when s has no common divisor with it; at the
 * golden section the places so far are spread evenly at any time. */
static void enter_stage(struct grid *grid, uint32_t stage)
{
    static const double golden = 0.6180339887498949;
    struct rng rng = rng_create(grid->seed, stage, RANDOM_SEARCH, STREAM_GRID, 0);
    uint64_t points = 1;
    for (size_t d = 0; d < grid->problem->space->count; d++)
        points *= digits_of(&grid->axis[d], stage);
    uint64_t stride = (uint64_t)(golden * (double)points);
    while (stride > 1 && common_divisor(stride, points) > 1)
        stride--;
    grid->stage = stage;
    grid->next = 0;
    grid->points = points;
    grid->stride = stride > 0 ? stride : 1;
    grid->shift = (uint64_t)(rng_unit(&rng) * (double)points) % points;
}

static void create_axes(struct grid *grid)
{
    const struct space *space = grid->problem->space;
    uint32_t *order = grid->order;
    uint64_t points = 1;
    for (size_t d = 0; d < space->count; d++) {
        const struct dimension *dimension = &space->dimension[d];
        struct axis *axis = &grid->axis[d];
        size_t levels = levels_of(dimension);
        bool fits = points <= most_points / levels;
        axis->levels = levels;
        axis->category = dimension->kind == DIM_CHOICE || dimension->kind == DIM_BOOL;
        axis->order = order;
        order_levels(axis);
        if (!fits)
            axis->levels = 1; /* the first of the order, its middle */
        points *= axis->levels;
        order += levels;
    }
}

nr_status grid_create(const struct optim_problem *problem, const struct history *history, uint64_t seed,
                      struct grid **out)
{
    size_t count = problem->space->count, levels = 0;
    struct grid *grid = mem_array(1, sizeof *grid);
    for (size_t d = 0; d < count; d++)
        levels += levels_of(&problem->space->dimension[d]);
    if (!grid)
        return NR_NO_MEMORY;
    *grid = (struct grid){.problem = problem, .history = history, .seed = seed};
    grid->axis = mem_array(count, sizeof *grid->axis);
    grid->order = mem_array(levels, sizeof *grid->order);
    grid->digit = mem_array(count, sizeof *grid->digit);
    if (!grid->axis || !grid->order || !grid->digit) {
        grid_destroy(grid);
        return NR_NO_MEMORY;
    }
    create_axes(grid);
    enter_stage(grid, 0);
    *out = grid;
    return NR_OK;
}

void grid_destroy(struct grid *grid)
{
    if (!grid)
        return;
    free(grid->axis);
    free(grid->order);
    free(grid->digit);
    free(grid);
}

double grid_points(const struct grid *grid, bool *exact)
{
    const struct space *space = grid->problem->space;
    double points = 1;
    bool certain = true;
    for (size_t d = 0; d < space->count; d++) {
        points *= (double)grid->axis[d].levels;
        certain &= !space->dimension[d].condition;
    }
    if (exact)
        *exact = certain;
    return points;
}

/* The digits of a point of the stage; false when all of them belonged to the stage before. */
static bool take_digits(struct grid *grid, uint64_t number)
{
    uint64_t place = (uint64_t)(((wide)number * grid->stride + grid->shift) % grid->points);
    bool fresh = grid->stage == 0;
    for (size_t d = 0; d < grid->problem->space->count; d++) {
        size_t digits = digits_of(&grid->axis[d], grid->stage);
        grid->digit[d] = (size_t)(place % digits);
        place /= digits;
        fresh |= grid->stage > 0 && grid->digit[d] >= digits_of(&grid->axis[d], grid->stage - 1);
    }
    return fresh;
}

/* The point of the digits; false when it is also that of others, which differ in a dimension that is inactive. */
static bool take_point(const struct grid *grid, double *point)
{
    const struct space *space = grid->problem->space;
    bool own = true;
    for (size_t d = 0; d < space->count; d++)
        point[d] = level_value(&grid->axis[d], &space->dimension[d], grid->axis[d].order[grid->digit[d]]);
    point_canonicalise(space, point);
    for (size_t d = 0; d < space->count; d++)
        own &= !isnan(point[d]) || grid->digit[d] == 0;
    return own;
}

/* Did this stage have every level of every axis? */
static bool is_last_stage(const struct grid *grid)
{
    for (size_t d = 0; d < grid->problem->space->count; d++)
        if (digits_of(&grid->axis[d], grid->stage) < grid->axis[d].levels)
            return false;
    return true;
}

nr_status grid_next(struct grid *grid, struct log *log, double *point, struct optim_admission *out)
{
    for (size_t visits = 0; visits < GRID_VISITS; visits++) {
        if (grid->next == grid->points) {
            if (is_last_stage(grid))
                return NR_EXHAUSTED;
            enter_stage(grid, grid->stage + 1);
        }
        if (take_digits(grid, grid->next++) && take_point(grid, point) &&
            history_accepts(grid->history, grid->problem, point, out))
            return NR_OK;
    }
    log_warning(log, "search: none of %d points of the grid was both allowed and new; it counts as exhausted",
                GRID_VISITS);
    return NR_EXHAUSTED;
}

void grid_append_state(const struct grid *grid, struct text *text)
{
    text_format(text, "%sgrid=%" PRIu32 ",%" PRIu64, text->length ? " " : "", grid->stage, grid->next);
}

bool grid_restore_entry(struct grid *grid, const char *entry)
{
    uint32_t stage;
    uint64_t next;
    int length = 0;
    enum { MOST_STAGE = 64 };
    if (sscanf(entry, "grid=%" SCNu32 ",%" SCNu64 "%n", &stage, &next, &length) != 2 || entry[length] ||
        stage > MOST_STAGE)
        return false;
    struct grid before = *grid;
    enter_stage(grid, stage);
    if (next > grid->points) {
        *grid = before;
        return false;
    }
    grid->next = next;
    return true;
}
