#include "optim/propose.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/candidates.h"
#include "optim/neighbours.h"
#include "optim/refine.h"
#include "optim/streams.h"

enum {
    POOL = 500,           /* random candidates */
    POOL_TRIES = 8000,    /* draws for them, where few points are allowed */
    POOL_SCARCE = 100,    /* fewer than that call for repairs, */
    REPAIR_TRIES = 20000, /* which look at so many points */
    FRONT_MOST = 16,      /* members of the front whose neighbours are candidates */
    CLIMBERS = 4,         /* local searches, from the best candidates */
    ROUNDS = 6,           /* of a local search */
    REFINE_ROUNDS = 24,   /* evaluations of a gradient climb */
    REFINE_RESULTS = 300, /* with more results each evaluation is dear: fewer climbs, */
    REFINE_FEWEST = 2,    /* at least so many, */
    REFINE_SHORTEST = 10  /* of so many evaluations */
};
static const double first_step = 0.1; /* in the unit cube */
static const double last_step = 0.02; /* finer is what gradients are for */
static const double apart = 0.1;      /* starts of gradient climbs differ by so much in some dimension */

struct climber {
    size_t at;   /* candidate */
    double step; /* in the unit cube; halved where no neighbour is better */
};

struct ranked {
    struct score score;
    size_t index;
};

struct proposer {
    const struct optim_problem *problem;
    const struct history *history;
    struct sampler *sampler;
    uint64_t seed;
    struct neighbours neighbours;
    struct candidates candidates;
    struct refiner refiner;
    double *draw;       /* [space->count] */
    double *start_unit; /* [REFINE_STARTS][space->count] */
    struct ranked *ranked;
    size_t ranked_capacity;
};

nr_status proposer_create(const struct optim_problem *problem, const struct optim_options *options,
                          const struct history *history, struct sampler *sampler, struct proposer **out)
{
    size_t dimensions = problem->space->count;
    struct proposer *proposer = mem_array(1, sizeof *proposer);
    if (!proposer)
        return NR_NO_MEMORY;
    *proposer = (struct proposer){.problem = problem, .history = history, .sampler = sampler, .seed = options->seed};
    proposer->candidates = (struct candidates){.problem = problem, .history = history};
    proposer->draw = mem_array((REFINE_STARTS + 1) * dimensions, sizeof *proposer->draw);
    if (!proposer->draw || neighbours_create(problem->space, &proposer->neighbours) != NR_OK ||
        refiner_create(problem, options, &proposer->refiner) != NR_OK) {
        proposer_destroy(proposer);
        return NR_NO_MEMORY;
    }
    proposer->start_unit = proposer->draw + dimensions;
    *out = proposer;
    return NR_OK;
}

void proposer_destroy(struct proposer *proposer)
{
    if (!proposer)
        return;
    neighbours_clear(&proposer->neighbours);
    candidates_clear(&proposer->candidates);
    refiner_clear(&proposer->refiner);
    free(proposer->draw);
    free(proposer->ranked);
    free(proposer);
}

static size_t front_members(const struct surrogate *surrogate)
{
    size_t members = 0;
    while (surrogate_front(surrogate, members) != SIZE_MAX)
        members++;
    return members;
}

static nr_status add_whole_space(struct proposer *proposer)
{
    struct sampler *sampler = proposer->sampler;
    nr_status status = sampler_list(sampler);
    for (size_t i = 0; i < sampler->pooled && status == NR_OK; i++)
        if (!history_knows(proposer->history, sampler->pool_admission[i].identity))
            status = candidates_add_admitted(&proposer->candidates, sampler->pool + i * proposer->problem->space->count,
                                             &sampler->pool_admission[i]);
    return status;
}

static nr_status add_random(struct proposer *proposer, uint32_t suggestion)
{
    struct rng rng = rng_create(proposer->seed, suggestion, RANDOM_SEARCH, STREAM_CANDIDATES, 0);
    nr_status status = NR_OK;
    for (size_t tries = 0; tries < POOL_TRIES && proposer->candidates.count < POOL && status == NR_OK; tries++) {
        sampler_draw(proposer->sampler, &rng, proposer->draw);
        status = candidates_add(&proposer->candidates, proposer->draw);
    }
    return status;
}

/* Where draws find too little: what is one repair away from trials of which one or two dimensions are changed, half of
 * them of the front. */
static nr_status add_repaired(struct proposer *proposer, const struct surrogate *surrogate, uint32_t suggestion)
{
    const struct space *space = proposer->problem->space;
    struct candidates *candidates = &proposer->candidates;
    struct repair *repair = &proposer->sampler->repair;
    struct rng rng = rng_create(proposer->seed, suggestion, RANDOM_SEARCH, STREAM_REPAIR, 1);
    size_t tries = REPAIR_TRIES, members = front_members(surrogate);
    nr_status status = NR_OK;
    while (tries && candidates->count < POOL_SCARCE && status == NR_OK) {
        struct optim_admission admission;
        bool of_front = members && rng_below(&rng, 2);
        size_t trial = of_front ? surrogate_front(surrogate, rng_below(&rng, (uint32_t)members))
                                : rng_below(&rng, (uint32_t)proposer->history->count);
        point_to_unit(space, history_point(proposer->history, trial), proposer->start_unit);
        for (uint32_t changes = 1 + rng_below(&rng, 2); changes; changes--)
            proposer->start_unit[rng_below(&rng, (uint32_t)space->count)] = rng_unit(&rng);
        point_from_unit(space, proposer->start_unit, proposer->draw);
        tries--;
        if (repair_point(repair, proposer->draw, &rng, &tries, &admission))
            status = candidates_add_admitted(candidates, repair->point, &admission);
    }
    return status;
}

static nr_status add_front_neighbours(struct proposer *proposer, const struct surrogate *surrogate, struct rng *rng)
{
    size_t members = front_members(surrogate);
    nr_status status = NR_OK;
    size_t stride = members > FRONT_MOST ? (members + FRONT_MOST - 1) / FRONT_MOST : 1;
    for (size_t i = 0; i < members && status == NR_OK; i += stride) {
        const double *point = history_point(proposer->history, surrogate_front(surrogate, i));
        status = neighbours_visit(&proposer->neighbours, point, first_step, rng, candidates_add, &proposer->candidates);
    }
    return status;
}

/* The best candidates so far, best first; equal identities are one network and get one climber. */
static size_t choose_climbers(const struct proposer *proposer, struct climber *climber)
{
    const struct candidates *candidates = &proposer->candidates;
    size_t chosen = 0;
    for (; chosen < CLIMBERS; chosen++) {
        size_t best = SIZE_MAX;
        for (size_t i = 0; i < candidates->count; i++) {
            if (best != SIZE_MAX && !score_better(candidates->score[i], candidates->score[best]))
                continue;
            bool taken = false;
            for (size_t k = 0; k < chosen && !taken; k++)
                taken = !strcmp(candidates->admission[climber[k].at].identity, candidates->admission[i].identity);
            if (!taken)
                best = i;
        }
        if (best == SIZE_MAX)
            break;
        climber[chosen] = (struct climber){best, first_step};
    }
    return chosen;
}

static nr_status visit_climbers(struct proposer *proposer, const struct climber *climber, size_t climbers,
                                struct rng *rng, size_t *end)
{
    struct candidates *candidates = &proposer->candidates;
    for (size_t k = 0; k < climbers; k++) {
        if (climber[k].step >= last_step) {
            /* a copy: adding candidates can move the array that the point lies in */
            memcpy(proposer->draw, candidates_point(candidates, climber[k].at),
                   proposer->problem->space->count * sizeof *proposer->draw);
            nr_status status = neighbours_visit(&proposer->neighbours, proposer->draw, climber[k].step, rng,
                                                candidates_add, candidates);
            if (status != NR_OK)
                return status;
        }
        end[k] = candidates->count;
    }
    return NR_OK;
}

/* All climbers take a step at once, so that their neighbours are scored in one batch. A climber moves to its best
 * neighbour if that is better, else it halves its step; whole numbers and levels always have neighbours one step away.
 */
static nr_status climb(struct proposer *proposer, struct surrogate *surrogate, struct rng *rng)
{
    struct candidates *candidates = &proposer->candidates;
    struct climber climber[CLIMBERS];
    size_t climbers = choose_climbers(proposer, climber), end[CLIMBERS];
    for (int round = 0; round < ROUNDS; round++) {
        size_t start = candidates->count;
        nr_status status = visit_climbers(proposer, climber, climbers, rng, end);
        if (status == NR_OK && candidates->count == start)
            break;
        if (status == NR_OK)
            status = candidates_score(candidates, surrogate);
        if (status != NR_OK)
            return status;
        for (size_t k = 0; k < climbers; start = end[k++]) {
            bool moved = false;
            for (size_t i = start; i < end[k]; i++) {
                if (!score_better(candidates->score[i], candidates->score[climber[k].at]))
                    continue;
                climber[k].at = i;
                moved = true;
            }
            if (!moved)
                climber[k].step *= 0.5;
        }
    }
    return NR_OK;
}

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (score_better(a->score, b->score))
        return -1;
    return score_better(b->score, a->score) ? 1 : a->index < b->index ? -1 : a->index > b->index;
}

static bool is_apart(const struct proposer *proposer, size_t starts, const double *unit)
{
    size_t dimensions = proposer->problem->space->count;
    for (size_t k = 0; k < starts; k++) {
        double farthest = 0;
        for (size_t d = 0; d < dimensions; d++)
            farthest = fmax(farthest, fabs(unit[d] - proposer->start_unit[k * dimensions + d]));
        if (farthest < apart)
            return false;
    }
    return true;
}

/* The best candidates that lie apart, so that climbs do not all end on the same hill. */
static nr_status choose_starts(struct proposer *proposer, size_t *start, size_t *starts)
{
    const struct candidates *candidates = &proposer->candidates;
    size_t dimensions = proposer->problem->space->count, chosen = 0;
    if (mem_grow(&proposer->ranked, &proposer->ranked_capacity, candidates->scored, sizeof *proposer->ranked) != NR_OK)
        return NR_NO_MEMORY;
    for (size_t i = 0; i < candidates->scored; i++)
        proposer->ranked[i] = (struct ranked){candidates->score[i], i};
    qsort(proposer->ranked, candidates->scored, sizeof *proposer->ranked, compare_ranked);
    for (size_t i = 0; i < candidates->scored && chosen < *starts; i++) {
        double *unit = proposer->start_unit + chosen * dimensions;
        point_to_unit(proposer->problem->space, candidates_point(candidates, proposer->ranked[i].index), unit);
        if (is_apart(proposer, chosen, unit))
            start[chosen++] = proposer->ranked[i].index;
    }
    *starts = chosen;
    return NR_OK;
}

static nr_status refine_best(struct proposer *proposer, struct surrogate *surrogate)
{
    size_t start[REFINE_STARTS], starts = REFINE_STARTS, results = surrogate_rows(surrogate);
    int rounds = REFINE_ROUNDS;
    if (!proposer->refiner.count)
        return NR_OK;
    if (results > REFINE_RESULTS) {
        size_t fewer = REFINE_STARTS * REFINE_RESULTS / results, shorter = REFINE_ROUNDS * REFINE_RESULTS / results;
        starts = fewer > REFINE_FEWEST ? fewer : REFINE_FEWEST;
        rounds = shorter > REFINE_SHORTEST ? (int)shorter : REFINE_SHORTEST;
    }
    nr_status status = choose_starts(proposer, start, &starts);
    if (status == NR_OK)
        status = refine(&proposer->refiner, &proposer->candidates, surrogate, start, starts, rounds);
    return status;
}

static nr_status search(struct proposer *proposer, struct surrogate *surrogate, uint32_t suggestion)
{
    struct rng rng = rng_create(proposer->seed, suggestion, RANDOM_SEARCH, STREAM_NEIGHBOURS, 0);
    nr_status status = add_random(proposer, suggestion);
    if (status == NR_OK && proposer->candidates.count < POOL_SCARCE)
        status = add_repaired(proposer, surrogate, suggestion);
    if (status == NR_OK)
        status = add_front_neighbours(proposer, surrogate, &rng);
    if (status == NR_OK)
        status = candidates_score(&proposer->candidates, surrogate);
    if (status == NR_OK)
        status = climb(proposer, surrogate, &rng);
    if (status == NR_OK)
        status = refine_best(proposer, surrogate);
    return status;
}

nr_status propose(struct proposer *proposer, struct surrogate *surrogate, uint32_t suggestion, struct proposal *out)
{
    struct candidates *candidates = &proposer->candidates;
    nr_status status;
    candidates->count = candidates->scored = 0;
    if (proposer->sampler->small) {
        status = add_whole_space(proposer);
        if (status == NR_OK)
            status = candidates_score(candidates, surrogate);
    } else {
        status = search(proposer, surrogate, suggestion);
    }
    if (status != NR_OK)
        return status;
    size_t best = candidates_best(candidates, 0);
    if (best == SIZE_MAX)
        return NR_NO_RESULT;
    *out = (struct proposal){candidates_point(candidates, best), candidates->admission[best],
                             candidates->score[best].log_value, candidates->count};
    return NR_OK;
}
