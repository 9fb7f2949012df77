/* Curves summed up over seeds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "bench/curves.h"

static bool same_group(const struct curve *a, const struct curve *b)
{
    return a->pending == b->pending && !strcmp(a->problem, b->problem) && !strcmp(a->method, b->method);
}

static nr_status fill_mean(struct curve_group *group)
{
    group->mean = mem_array(group->longest, sizeof *group->mean);
    if (!group->mean)
        return NR_NO_MEMORY;
    for (size_t k = 0; k < group->longest; k++) {
        double sum = 0, count = 0;
        for (size_t m = 0; m < group->members; m++) {
            const struct curve *curve = group->member[m];
            double value = k < curve->count ? curve->value[k] : NAN;
            sum += isnan(value) ? 0 : value;
            count += !isnan(value);
        }
        group->mean[k] = count > 0 ? sum / count : NAN;
    }
    return NR_OK;
}

static nr_status make_group(const struct curves *curves, size_t first, struct curve_group *group)
{
    *group = (struct curve_group){.first = &curves->curve[first], .shortest = SIZE_MAX};
    group->member = mem_array(curves->count - first, sizeof *group->member);
    if (!group->member)
        return NR_NO_MEMORY;
    for (size_t i = first; i < curves->count; i++) {
        const struct curve *curve = &curves->curve[i];
        if (!same_group(curve, group->first))
            continue;
        group->member[group->members++] = curve;
        group->longest = curve->count > group->longest ? curve->count : group->longest;
        group->shortest = curve->count < group->shortest ? curve->count : group->shortest;
    }
    return fill_mean(group);
}

static bool is_grouped(const struct curve_groups *groups, const struct curve *curve)
{
    for (size_t g = 0; g < groups->count; g++)
        if (same_group(groups->group[g].first, curve))
            return true;
    return false;
}

/* The groups of the problem of curve number `first`, those before it being grouped. */
static nr_status group_problem(const struct curves *curves, size_t first, struct curve_groups *groups)
{
    for (size_t i = first; i < curves->count; i++) {
        if (strcmp(curves->curve[i].problem, curves->curve[first].problem) != 0 ||
            is_grouped(groups, &curves->curve[i]))
            continue;
        if (make_group(curves, i, &groups->group[groups->count++]) != NR_OK)
            return NR_NO_MEMORY;
    }
    return NR_OK;
}

nr_status curves_group(const struct curves *curves, struct curve_groups *out)
{
    struct curve_groups groups = {.group = mem_array(curves->count, sizeof *groups.group)};
    if (!groups.group)
        return NR_NO_MEMORY;
    for (size_t i = 0; i < curves->count; i++) {
        if (!is_grouped(&groups, &curves->curve[i]) && group_problem(curves, i, &groups) != NR_OK) {
            curve_groups_clear(&groups);
            return NR_NO_MEMORY;
        }
    }
    *out = groups;
    return NR_OK;
}

void curve_groups_clear(struct curve_groups *groups)
{
    for (size_t g = 0; g < groups->count; g++) {
        free((void *)groups->group[g].member);
        free(groups->group[g].mean);
    }
    free(groups->group);
    *groups = (struct curve_groups){0};
}

const struct curve_group *curve_groups_sequential(const struct curve_groups *groups, const struct curve_group *group)
{
    for (size_t g = 0; g < groups->count; g++) {
        const struct curve *first = groups->group[g].first;
        if (first->pending == 1 && !strcmp(first->problem, group->first->problem) &&
            !strcmp(first->method, group->first->method))
            return &groups->group[g];
    }
    return NULL;
}

static int compare_reals(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;
    return (first > second) - (first < second);
}

static nr_status median_seconds(const struct curve_group *group, double *out)
{
    size_t count = 0;
    double *seconds = mem_array(group->members * group->longest, sizeof *seconds);
    if (!seconds)
        return NR_NO_MEMORY;
    for (size_t m = 0; m < group->members; m++)
        for (size_t k = 0; k < group->member[m]->count; k++)
            if (group->member[m]->seconds[k] > 0) /* false for NaN */
                seconds[count++] = group->member[m]->seconds[k];
    qsort(seconds, count, sizeof *seconds, compare_reals);
    *out = count ? seconds[count / 2] : NAN;
    free(seconds);
    return NR_OK;
}

/* A search that ended earlier stays where it was. */
static double value_at(const struct curve *curve, size_t evaluation)
{
    size_t count = evaluation < curve->count ? evaluation : curve->count;
    return count ? curve->value[count - 1] : NAN;
}

/* Values that have a known best: nearer is better. Others are hypervolumes. */
static double first_as_good(const struct curve_group *group, double target)
{
    double best = group->first->best;
    for (size_t k = 0; k < group->longest; k++) {
        double value = group->mean[k];
        if (isnan(best) ? value >= target : fabs(best - value) <= fabs(best - target))
            return (double)k + 1;
    }
    return NAN;
}

nr_status curve_group_summarise(const struct curve_group *group, size_t evaluation, double target,
                                struct curve_statistics *out)
{
    double sum = 0, squares = 0, count = 0;
    for (size_t m = 0; m < group->members; m++) {
        double value = value_at(group->member[m], evaluation);
        sum += isnan(value) ? 0 : value;
        count += !isnan(value);
    }
    double mean = sum / count; /* NaN when there is none */
    for (size_t m = 0; m < group->members; m++) {
        double off = value_at(group->member[m], evaluation) - mean;
        squares += isnan(off) ? 0 : off * off;
    }
    *out = (struct curve_statistics){.seeds = group->members,
                                     .mean = mean,
                                     .standard_error = count > 1 ? sqrt(squares / (count - 1) / count) : NAN,
                                     .missing = fabs(group->first->best - mean),
                                     .reached = isnan(target) ? NAN : first_as_good(group, target)};
    return median_seconds(group, &out->seconds);
}
