#include "optim/refine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const double reach = 0.05;      /* of a climb's first step */
static const double difference = 1e-5; /* in the unit cube, for the slopes of what is known beforehand */

static bool has_exact(const struct optim_problem *problem)
{
    for (size_t j = 0; j < problem->objectives; j++)
        if (problem->objective[j].exact)
            return true;
    return false;
}

nr_status refiner_create(const struct optim_problem *problem, const struct optim_options *options, struct refiner *out)
{
    size_t dimensions = problem->space->count, block = REFINE_STARTS * dimensions;
    struct refiner refiner = {.problem = problem, .slopes = has_exact(problem) || options->cost_aware};
    refiner.dimension = mem_array(dimensions, sizeof *refiner.dimension);
    refiner.base = mem_array(3 * block + 4 * dimensions, sizeof *refiner.base);
    refiner.slope = mem_array(block, sizeof *refiner.slope);
    if (!refiner.dimension || !refiner.base || !refiner.slope)
        goto err_clear;
    refiner.point = refiner.base + block;
    refiner.gradient = refiner.point + block;
    refiner.shifted = refiner.gradient + block;
    refiner.shifted_unit = refiner.shifted + dimensions;
    refiner.x = refiner.shifted_unit + dimensions;
    refiner.by_x = refiner.x + dimensions;
    for (size_t d = 0; d < dimensions; d++)
        if (isinf(dimension_size(&problem->space->dimension[d])))
            refiner.dimension[refiner.count++] = d;
    for (size_t k = 0; k < REFINE_STARTS; k++)
        if (ascent_create(refiner.count, &refiner.ascent[k]) != NR_OK)
            goto err_clear;
    *out = refiner;
    return NR_OK;

err_clear:
    refiner_clear(&refiner);
    return NR_NO_MEMORY;
}

void refiner_clear(struct refiner *refiner)
{
    for (size_t k = 0; k < REFINE_STARTS; k++)
        ascent_clear(&refiner->ascent[k]);
    free(refiner->dimension);
    free(refiner->base);
    free(refiner->slope);
    *refiner = (struct refiner){0};
}

/* Forward differences (backward at the upper end) of exact objectives and work. A shifted point that is not allowed
 * says nothing. */
static void find_slopes(struct refiner *refiner, const double *point, const struct optim_admission *admission,
                        struct admission_slope *slope)
{
    const struct optim_problem *problem = refiner->problem;
    size_t dimensions = problem->space->count;
    memset(slope, 0, dimensions * sizeof *slope);
    for (size_t i = 0; i < refiner->count; i++) {
        size_t d = refiner->dimension[i];
        struct optim_admission shifted;
        if (isnan(point[d]))
            continue;
        point_to_unit(problem->space, point, refiner->shifted_unit);
        double step = refiner->shifted_unit[d] + difference > 1 ? -difference : difference;
        refiner->shifted_unit[d] += step;
        point_from_unit(problem->space, refiner->shifted_unit, refiner->shifted);
        if (!problem_admits(problem, refiner->shifted, &shifted))
            continue;
        for (size_t j = 0; j < problem->objectives; j++)
            if (problem->objective[j].exact)
                slope[d].exact[j] = (shifted.exact[j] - admission->exact[j]) / step;
        slope[d].work = (shifted.work - admission->work) / step;
    }
}

/* Scores and gradients of refiner->point[0 .. count-1], whose admissions are given. */
static nr_status evaluate(struct refiner *refiner, struct surrogate *surrogate, const struct optim_admission *admission,
                          size_t count, struct score *score)
{
    size_t dimensions = refiner->problem->space->count;
    for (size_t i = 0; i < count && refiner->slopes; i++)
        find_slopes(refiner, refiner->point + i * dimensions, &admission[i], refiner->slope + i * dimensions);
    return surrogate_score_gradient(surrogate, refiner->point, admission, refiner->slopes ? refiner->slope : NULL,
                                    count, score, refiner->gradient);
}

static const double *gather_gradient(struct refiner *refiner, size_t row)
{
    for (size_t i = 0; i < refiner->count; i++)
        refiner->by_x[i] = refiner->gradient[row * refiner->problem->space->count + refiner->dimension[i]];
    return refiner->by_x;
}

static nr_status set_out(struct refiner *refiner, const struct candidates *candidates, struct surrogate *surrogate,
                         const size_t *start, size_t starts)
{
    size_t dimensions = refiner->problem->space->count;
    struct optim_admission admission[REFINE_STARTS] = {{{0}, 0, {0}}};
    struct score score[REFINE_STARTS];
    for (size_t k = 0; k < starts; k++) {
        const double *point = candidates_point(candidates, start[k]);
        memcpy(refiner->point + k * dimensions, point, dimensions * sizeof *point);
        point_to_unit(refiner->problem->space, point, refiner->base + k * dimensions);
        admission[k] = candidates->admission[start[k]];
    }
    nr_status status = evaluate(refiner, surrogate, admission, starts, score);
    for (size_t k = 0; k < starts && status == NR_OK; k++) {
        for (size_t i = 0; i < refiner->count; i++)
            refiner->x[i] = refiner->base[k * dimensions + refiner->dimension[i]];
        ascent_start(&refiner->ascent[k], refiner->x, score[k].log_value, gather_gradient(refiner, k), reach);
    }
    return status;
}

/* The point that a climb asks for, into row `row`. */
static void place(struct refiner *refiner, size_t k, size_t row)
{
    size_t dimensions = refiner->problem->space->count;
    memcpy(refiner->shifted_unit, refiner->base + k * dimensions, dimensions * sizeof *refiner->base);
    for (size_t i = 0; i < refiner->count; i++)
        refiner->shifted_unit[refiner->dimension[i]] = refiner->ascent[k].next[i];
    point_from_unit(refiner->problem->space, refiner->shifted_unit, refiner->point + row * dimensions);
}

/* One evaluation of every climb that goes on. */
static nr_status advance(struct refiner *refiner, struct candidates *candidates, struct surrogate *surrogate,
                         size_t starts)
{
    size_t climb[REFINE_STARTS], count = 0, dimensions = refiner->problem->space->count;
    struct optim_admission admission[REFINE_STARTS] = {{{0}, 0, {0}}};
    struct score score[REFINE_STARTS];
    for (size_t k = 0; k < starts; k++) {
        if (refiner->ascent[k].done)
            continue;
        place(refiner, k, count);
        if (history_accepts(candidates->history, refiner->problem, refiner->point + count * dimensions,
                            &admission[count]))
            climb[count++] = k;
        else
            ascent_advance(&refiner->ascent[k], -INFINITY, refiner->by_x);
    }
    if (!count)
        return NR_OK;
    nr_status status = evaluate(refiner, surrogate, admission, count, score);
    for (size_t i = 0; i < count && status == NR_OK; i++) {
        ascent_advance(&refiner->ascent[climb[i]], score[i].log_value, gather_gradient(refiner, i));
        status = candidates_add_admitted(candidates, refiner->point + i * dimensions, &admission[i]);
        if (status == NR_OK)
            candidates->score[candidates->scored++] = score[i];
    }
    return status;
}

nr_status refine(struct refiner *refiner, struct candidates *candidates, struct surrogate *surrogate,
                 const size_t *start, size_t starts, int rounds)
{
    if (!refiner->count || !starts)
        return NR_OK;
    nr_status status = set_out(refiner, candidates, surrogate, start, starts);
    for (int round = 0; round < rounds && status == NR_OK; round++)
        status = advance(refiner, candidates, surrogate, starts);
    return status;
}
