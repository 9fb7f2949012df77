#include "optim/propose.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/neighbours.h"
#include "optim/streams.h"

enum {
    POOL = 1000,       /* random candidates */
    POOL_TRIES = 8000, /* draws for them, where few points are allowed */
    FRONT_MOST = 24,   /* members of the front whose neighbours are candidates */
    CLIMBERS = 5,      /* local searches, from the best candidates */
    ROUNDS = 12,       /* of a local search */
};
static const double first_step = 0.1; /* in the unit cube */
static const double last_step = 0.004;

struct climber {
    size_t at;   /* candidate */
    double step; /* in the unit cube; halved where no neighbour is better */
};

struct proposer {
    const struct optim_problem *problem;
    const struct history *history;
    struct sampler *sampler;
    uint64_t seed;
    struct neighbours neighbours;
    double *draw; /* [space->count] */

    double *points; /* [count][space->count] */
    struct optim_admission *admission;
    struct score *score;
    size_t count, scored;
    size_t points_capacity, admission_capacity, score_capacity;
};

nr_status proposer_create(const struct optim_problem *problem, const struct history *history, struct sampler *sampler,
                          uint64_t seed, struct proposer **out)
{
    struct proposer *proposer = mem_array(1, sizeof *proposer);
    if (!proposer)
        return NR_NO_MEMORY;
    *proposer = (struct proposer){.problem = problem, .history = history, .sampler = sampler, .seed = seed};
    proposer->draw = mem_array(problem->space->count, sizeof *proposer->draw);
    if (!proposer->draw || neighbours_create(problem->space, &proposer->neighbours) != NR_OK) {
        proposer_destroy(proposer);
        return NR_NO_MEMORY;
    }
    *out = proposer;
    return NR_OK;
}

void proposer_destroy(struct proposer *proposer)
{
    if (!proposer)
        return;
    neighbours_clear(&proposer->neighbours);
    free(proposer->draw);
    free(proposer->points);
    free(proposer->admission);
    free(proposer->score);
    free(proposer);
}

static const double *candidate(const struct proposer *proposer, size_t index)
{
    return proposer->points + index * proposer->problem->space->count;
}

static nr_status add_admitted(struct proposer *proposer, const double *point, const struct optim_admission *admission)
{
    size_t dimensions = proposer->problem->space->count, count = proposer->count + 1;
    if (mem_grow(&proposer->points, &proposer->points_capacity, count * dimensions, sizeof *point) != NR_OK ||
        mem_grow(&proposer->admission, &proposer->admission_capacity, count, sizeof *admission) != NR_OK ||
        mem_grow(&proposer->score, &proposer->score_capacity, count, sizeof *proposer->score) != NR_OK)
        return NR_NO_MEMORY;
    memcpy(proposer->points + proposer->count * dimensions, point, dimensions * sizeof *point);
    proposer->admission[proposer->count++] = *admission;
    return NR_OK;
}

/* Takes a point for candidate when it is allowed and new; also the visitor of neighbours. */
static nr_status add(void *context, const double *point)
{
    struct proposer *proposer = context;
    struct optim_admission admission;
    if (!history_accepts(proposer->history, proposer->problem, point, &admission))
        return NR_OK;
    return add_admitted(proposer, point, &admission);
}

static nr_status score_new(struct proposer *proposer, struct surrogate *surrogate)
{
    size_t first = proposer->scored;
    proposer->scored = proposer->count;
    return surrogate_score(surrogate, candidate(proposer, first), proposer->admission + first, proposer->count - first,
                           proposer->score + first);
}

static size_t best_from(const struct proposer *proposer, size_t first)
{
    size_t best = first;
    for (size_t i = first + 1; i < proposer->count; i++)
        if (score_better(proposer->score[i], proposer->score[best]))
            best = i;
    return best;
}

static nr_status add_whole_space(struct proposer *proposer)
{
    struct sampler *sampler = proposer->sampler;
    nr_status status = sampler_list(sampler);
    for (size_t i = 0; i < sampler->pooled && status == NR_OK; i++)
        if (!history_knows(proposer->history, sampler->pool_admission[i].identity))
            status = add_admitted(proposer, sampler->pool + i * proposer->problem->space->count,
                                  &sampler->pool_admission[i]);
    return status;
}

static nr_status add_random(struct proposer *proposer, uint32_t suggestion)
{
    struct rng rng = rng_create(proposer->seed, suggestion, RANDOM_SEARCH, STREAM_CANDIDATES, 0);
    nr_status status = NR_OK;
    for (size_t tries = 0; tries < POOL_TRIES && proposer->count < POOL && status == NR_OK; tries++) {
        sampler_draw(proposer->sampler, &rng, proposer->draw);
        status = add(proposer, proposer->draw);
    }
    return status;
}

static nr_status add_front_neighbours(struct proposer *proposer, const struct surrogate *surrogate, struct rng *rng)
{
    size_t members = 0;
    nr_status status = NR_OK;
    while (surrogate_front(surrogate, members) != SIZE_MAX)
        members++;
    size_t stride = members > FRONT_MOST ? (members + FRONT_MOST - 1) / FRONT_MOST : 1;
    for (size_t i = 0; i < members && status == NR_OK; i += stride) {
        const double *point = history_point(proposer->history, surrogate_front(surrogate, i));
        status = neighbours_visit(&proposer->neighbours, point, first_step, rng, add, proposer);
    }
    return status;
}

/* The best candidates so far, best first; equal identities are one network and get one climber. */
static size_t choose_climbers(const struct proposer *proposer, struct climber *climber)
{
    size_t chosen = 0;
    for (; chosen < CLIMBERS; chosen++) {
        size_t best = SIZE_MAX;
        for (size_t i = 0; i < proposer->count; i++) {
            if (best != SIZE_MAX && !score_better(proposer->score[i], proposer->score[best]))
                continue;
            bool taken = false;
            for (size_t k = 0; k < chosen && !taken; k++)
                taken = !strcmp(proposer->admission[climber[k].at].identity, proposer->admission[i].identity);
            if (!taken)
                best = i;
        }
        if (best == SIZE_MAX)
            break;
        climber[chosen] = (struct climber){best, first_step};
    }
    return chosen;
}

/* All climbers take a step at once, so that their neighbours are scored in one batch. A climber moves to its best
 * neighbour if that is better, else it halves its step; whole numbers and levels always have neighbours one step away.
 */
static nr_status climb(struct proposer *proposer, struct surrogate *surrogate, struct rng *rng)
{
    struct climber climber[CLIMBERS];
    size_t climbers = choose_climbers(proposer, climber), end[CLIMBERS];
    for (int round = 0; round < ROUNDS; round++) {
        size_t start = proposer->count;
        for (size_t k = 0; k < climbers; k++) {
            if (climber[k].step >= last_step) {
                /* a copy: adding candidates can move the array that the point lies in */
                memcpy(proposer->draw, candidate(proposer, climber[k].at),
                       proposer->problem->space->count * sizeof *proposer->draw);
                nr_status status =
                    neighbours_visit(&proposer->neighbours, proposer->draw, climber[k].step, rng, add, proposer);
                if (status != NR_OK)
                    return status;
            }
            end[k] = proposer->count;
        }
        if (proposer->count == start)
            break;
        nr_status status = score_new(proposer, surrogate);
        if (status != NR_OK)
            return status;
        for (size_t k = 0; k < climbers; start = end[k++]) {
            bool moved = false;
            for (size_t i = start; i < end[k]; i++) {
                if (!score_better(proposer->score[i], proposer->score[climber[k].at]))
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

nr_status propose(struct proposer *proposer, struct surrogate *surrogate, uint32_t suggestion, struct proposal *out)
{
    struct rng rng = rng_create(proposer->seed, suggestion, RANDOM_SEARCH, STREAM_NEIGHBOURS, 0);
    bool small = proposer->sampler->small;
    proposer->count = proposer->scored = 0;
    nr_status status = small ? add_whole_space(proposer) : add_random(proposer, suggestion);
    if (status == NR_OK && !small)
        status = add_front_neighbours(proposer, surrogate, &rng);
    if (status == NR_OK && proposer->count == 0)
        return NR_NO_RESULT;
    if (status == NR_OK)
        status = score_new(proposer, surrogate);
    if (status == NR_OK && !small)
        status = climb(proposer, surrogate, &rng);
    if (status != NR_OK)
        return status;
    size_t best = best_from(proposer, 0);
    *out = (struct proposal){candidate(proposer, best), proposer->admission[best], proposer->score[best].log_value,
                             proposer->count};
    return NR_OK;
}
