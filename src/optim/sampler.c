#include "optim/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/streams.h"
#include "optim/walk.h"

nr_status sampler_create(const struct optim_problem *problem, const struct history *history, uint64_t seed,
                         struct sampler *out)
{
    bool exact;
    double size = space_size(problem->space, &exact);
    struct sampler sampler = {.problem = problem, .history = history, .seed = seed};
    sampler.finite = isfinite(size);
    sampler.small = size <= SAMPLER_SMALL;
    sampler.unit = mem_array(problem->space->count, sizeof *sampler.unit);
    if (!sampler.unit)
        return NR_NO_MEMORY;
    nr_status status = repair_create(problem, history, &sampler.repair);
    if (status == NR_OK)
        status = sobol_create(problem->space->count, seed, &sampler.sobol);
    if (status != NR_OK) {
        sampler_clear(&sampler);
        return status;
    }
    *out = sampler;
    return NR_OK;
}

void sampler_clear(struct sampler *sampler)
{
    sobol_destroy(sampler->sobol);
    free(sampler->pool);
    free(sampler->pool_admission);
    free(sampler->unit);
    repair_clear(&sampler->repair);
    *sampler = (struct sampler){0};
}

struct listing {
    struct sampler *sampler;
    nr_status status;
};

static bool list_point(void *context, const double *point)
{
    struct listing *listing = context;
    struct sampler *sampler = listing->sampler;
    size_t dimensions = sampler->problem->space->count, count = sampler->pooled + 1;
    struct optim_admission admission;
    if (!problem_admits(sampler->problem, point, &admission))
        return true;
    if (mem_grow(&sampler->pool, &sampler->pool_capacity, count * dimensions, sizeof *sampler->pool) != NR_OK ||
        mem_grow(&sampler->pool_admission, &sampler->admission_capacity, count, sizeof admission) != NR_OK) {
        listing->status = NR_NO_MEMORY;
        return false;
    }
    memcpy(sampler->pool + sampler->pooled * dimensions, point, dimensions * sizeof *point);
    sampler->pool_admission[sampler->pooled++] = admission;
    return true;
}

nr_status sampler_list(struct sampler *sampler)
{
    if (sampler->listed)
        return NR_OK;
    struct listing listing = {sampler, NR_OK};
    bool complete;
    sampler->pooled = 0;
    nr_status status = walk_points(sampler->problem->space, list_point, &listing, &complete);
    if (status == NR_OK)
        status = listing.status;
    sampler->listed = status == NR_OK;
    return status;
}

void sampler_draw(const struct sampler *sampler, struct rng *rng, double *point)
{
    for (size_t d = 0; d < sampler->problem->space->count; d++)
        sampler->unit[d] = rng_unit(rng);
    point_from_unit(sampler->problem->space, sampler->unit, point);
}

/* A uniform choice among the points of a small space that are left. */
static nr_status pick_left(struct sampler *sampler, uint32_t suggestion, double *point,
                           struct optim_admission *admission)
{
    nr_status status = sampler_list(sampler);
    if (status != NR_OK)
        return status;
    struct rng rng = rng_create(sampler->seed, suggestion, RANDOM_SEARCH, STREAM_RANDOM, 1);
    size_t dimensions = sampler->problem->space->count, left = 0, chosen = 0;
    for (size_t i = 0; i < sampler->pooled; i++) /* reservoir sampling: one pass */
        if (!history_knows(sampler->history, sampler->pool_admission[i].identity) &&
            rng_below(&rng, (uint32_t)++left) == 0)
            chosen = i;
    if (!left)
        return NR_EXHAUSTED;
    memcpy(point, sampler->pool + chosen * dimensions, dimensions * sizeof *point);
    *admission = sampler->pool_admission[chosen];
    return NR_OK;
}

struct hunt {
    const struct sampler *sampler;
    double *point;
    struct optim_admission *admission;
    size_t visits;
    bool found;
};

static bool hunt_point(void *context, const double *point)
{
    struct hunt *hunt = context;
    const struct sampler *sampler = hunt->sampler;
    if (history_accepts(sampler->history, sampler->problem, point, hunt->admission)) {
        memcpy(hunt->point, point, sampler->problem->space->count * sizeof *point);
        hunt->found = true;
        return false;
    }
    return ++hunt->visits < SAMPLER_VISITS;
}

/* After many draws in vain: the first point of a finite space that is left, by looking at all of them as far as that is
 * affordable. */
static nr_status pick_last(struct sampler *sampler, struct log *log, double *point, struct optim_admission *admission)
{
    bool complete = false;
    struct hunt hunt = {.sampler = sampler, .point = point, .admission = admission};
    if (sampler->finite) {
        nr_status status = walk_points(sampler->problem->space, hunt_point, &hunt, &complete);
        if (status != NR_OK || hunt.found)
            return status;
    }
    if (!complete)
        log_warning(log, "search: none of %d random points was both allowed and new; the space counts as exhausted",
                    SAMPLER_TRIES);
    return NR_EXHAUSTED;
}

static nr_status pick_any(struct sampler *sampler, uint32_t suggestion, struct log *log, double *point,
                          struct optim_admission *admission, const char **method)
{
    *method = "enumerate";
    return sampler->small ? pick_left(sampler, suggestion, point, admission)
                          : pick_last(sampler, log, point, admission);
}

/* Draws until a point is allowed and new. Many in vain say that few points are allowed: then each is also repaired. */
struct attempt {
    struct sampler *sampler;
    struct rng rng; /* of repairs */
    size_t tries;   /* left */
    size_t draws;
};

static struct attempt attempt_at(struct sampler *sampler, uint32_t number)
{
    return (struct attempt){.sampler = sampler,
                            .rng = rng_create(sampler->seed, number, RANDOM_SEARCH, STREAM_REPAIR, 0),
                            .tries = sampler->small ? 100 : SAMPLER_TRIES}; /* a small space is better listed */
}

static bool attempt_takes(struct attempt *attempt, double *point, struct optim_admission *admission)
{
    struct sampler *sampler = attempt->sampler;
    attempt->tries--;
    if (history_accepts(sampler->history, sampler->problem, point, admission))
        return true;
    if (++attempt->draws <= SAMPLER_PLAIN ||
        !repair_point(&sampler->repair, point, &attempt->rng, &attempt->tries, admission))
        return false;
    memcpy(point, sampler->repair.point, sampler->problem->space->count * sizeof *point);
    return true;
}

nr_status sampler_sobol(struct sampler *sampler, struct log *log, double *point, struct optim_admission *admission,
                        const char **method)
{
    uint32_t first = sampler->next_sobol;
    struct attempt attempt = attempt_at(sampler, first);
    *method = "sobol";
    while (attempt.tries) {
        sobol_point(sampler->sobol, sampler->next_sobol++, sampler->unit);
        point_from_unit(sampler->problem->space, sampler->unit, point);
        if (attempt_takes(&attempt, point, admission))
            return NR_OK;
    }
    return pick_any(sampler, first, log, point, admission, method);
}

nr_status sampler_random(struct sampler *sampler, uint32_t suggestion, struct log *log, double *point,
                         struct optim_admission *admission, const char **method)
{
    struct rng rng = rng_create(sampler->seed, suggestion, RANDOM_SEARCH, STREAM_RANDOM, 0);
    struct attempt attempt = attempt_at(sampler, suggestion);
    *method = "random";
    while (attempt.tries) {
        sampler_draw(sampler, &rng, point);
        if (attempt_takes(&attempt, point, admission))
            return NR_OK;
    }
    return pick_any(sampler, suggestion, log, point, admission, method);
}
