#include "optim/evolution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "optim/neighbours.h"
#include "optim/pareto.h"
#include "optim/streams.h"

enum { TRIES = 100, TRIES_PER_MUTATION = 20, LEAST_POPULATION = 4, MOST_POPULATION = 200 };

/* Steps of numbers, in the unit cube: evenly spread in the logarithm. */
static const double longest_step = 0.3, shortest_step = 0.05;

struct member {
    size_t trial;                       /* index in the history */
    double value[OPTIM_MAX_OBJECTIVES]; /* maximised */
    size_t broken;                      /* outcome constraints that did not hold */
    size_t rank;                        /* 0: dominated by none */
    double crowding;
};

struct evolution {
    const struct optim_problem *problem;
    const struct history *history;
    uint64_t seed;
    size_t population;
    struct neighbours neighbours;
    double *parent, *child; /* [space->count] */
    size_t *order;          /* [population] */
    struct member *member;  /* [population], the youngest first */
    size_t living;
};

nr_status evolution_create(const struct optim_problem *problem, const struct history *history, uint64_t seed,
                           size_t population, struct evolution **out)
{
    struct evolution *evolution = mem_array(1, sizeof *evolution);
    if (!evolution)
        return NR_NO_MEMORY;
    *evolution = (struct evolution){.problem = problem, .history = history, .seed = seed};
    evolution->population = population < LEAST_POPULATION  ? LEAST_POPULATION
                            : population > MOST_POPULATION ? MOST_POPULATION
                                                           : population;
    evolution->parent = mem_array(problem->space->count, sizeof *evolution->parent);
    evolution->child = mem_array(problem->space->count, sizeof *evolution->child);
    evolution->order = mem_array(evolution->population, sizeof *evolution->order);
    evolution->member = mem_array(evolution->population, sizeof *evolution->member);
    if (!evolution->parent || !evolution->child || !evolution->order || !evolution->member ||
        neighbours_create(problem->space, &evolution->neighbours) != NR_OK) {
        evolution_destroy(evolution);
        return NR_NO_MEMORY;
    }
    *out = evolution;
    return NR_OK;
}

void evolution_destroy(struct evolution *evolution)
{
    if (!evolution)
        return;
    neighbours_clear(&evolution->neighbours);
    free(evolution->parent);
    free(evolution->child);
    free(evolution->order);
    free(evolution->member);
    free(evolution);
}

/* ---- the population ---- */

/* False when an objective is not a finite number. */
static bool read_member(const struct evolution *evolution, size_t index, struct member *member)
{
    const struct optim_problem *problem = evolution->problem;
    const struct history_trial *trial = &evolution->history->trial[index];
    *member = (struct member){.trial = index};
    for (size_t j = 0; j < problem->objectives; j++) {
        const struct optim_objective *objective = &problem->objective[j];
        double value = objective->exact ? trial->admission.exact[j] : trial->result.value[j];
        if (!isfinite(value))
            return false;
        member->value[j] = objective->maximize ? value : -value;
    }
    for (size_t k = 0; k < problem->constraints; k++) {
        double value = trial->result.value[problem->objectives + k], bound = problem->constraint[k].bound;
        bool holds = problem->constraint[k].at_most ? value <= bound : value >= bound;
        member->broken += !holds; /* NaN holds nothing */
    }
    return true;
}

static void gather(struct evolution *evolution)
{
    const struct history *history = evolution->history;
    evolution->living = 0;
    for (size_t i = history->count; i-- > 0 && evolution->living < evolution->population;)
        if (history->trial[i].state == TRIAL_FINISHED &&
            read_member(evolution, i, &evolution->member[evolution->living]))
            evolution->living++;
}

/* Deb's rule: who breaks fewer constraints dominates. */
static bool dominates(const struct member *a, const struct member *b, size_t objectives)
{
    return a->broken != b->broken ? a->broken < b->broken : pareto_dominates(a->value, b->value, objectives);
}

/* A rank is one more than the worst of those that dominate the member; they are found rank by rank. */
static void rank(struct evolution *evolution)
{
    size_t left = evolution->living;
    for (size_t i = 0; i < evolution->living; i++)
        evolution->member[i].rank = SIZE_MAX;
    for (size_t front = 0; left > 0; front++) {
        for (size_t i = 0; i < evolution->living; i++) {
            struct member *member = &evolution->member[i];
            bool dominated = member->rank < front; /* has its rank already */
            for (size_t k = 0; k < evolution->living && !dominated; k++)
                dominated = evolution->member[k].rank >= front &&
                            dominates(&evolution->member[k], member, evolution->problem->objectives);
            if (!dominated) {
                member->rank = front;
                left--;
            }
        }
    }
}

struct sorting {
    const struct member *member;
    size_t objective;
};

static int by_objective(const void *a, const void *b, void *context)
{
    const struct sorting *sorting = context;
    double first = sorting->member[*(const size_t *)a].value[sorting->objective];
    double second = sorting->member[*(const size_t *)b].value[sorting->objective];
    return (first > second) - (first < second);
}

/* Adds what one objective contributes within a front of `count` members, whose indices are in `order`. */
static void add_crowding(struct evolution *evolution, size_t count, size_t objective)
{
    struct member *member = evolution->member;
    struct sorting sorting = {member, objective};
    qsort_r(evolution->order, count, sizeof *evolution->order, by_objective, &sorting);
    double low = member[evolution->order[0]].value[objective];
    double range = member[evolution->order[count - 1]].value[objective] - low;
    member[evolution->order[0]].crowding = member[evolution->order[count - 1]].crowding = INFINITY;
    for (size_t i = 1; i + 1 < count && range > 0; i++) {
        double below = member[evolution->order[i - 1]].value[objective];
        double above = member[evolution->order[i + 1]].value[objective];
        member[evolution->order[i]].crowding += (above - below) / range;
    }
}

static void crowd(struct evolution *evolution)
{
    size_t done = 0;
    for (size_t front = 0; done < evolution->living; front++) {
        size_t count = 0;
        for (size_t i = 0; i < evolution->living; i++)
            if (evolution->member[i].rank == front)
                evolution->order[count++] = i;
        for (size_t j = 0; j < evolution->problem->objectives && count > 0; j++)
            add_crowding(evolution, count, j);
        done += count;
    }
}

static bool wins(const struct member *a, const struct member *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->crowding > b->crowding;
}

static const struct member *hold_tournament(const struct evolution *evolution, struct rng *rng)
{
    const struct member *winner = NULL;
    size_t entrants = (evolution->population + 1) / 2;
    for (size_t i = 0; i < entrants; i++) {
        const struct member *entrant = &evolution->member[rng_below(rng, (uint32_t)evolution->living)];
        if (!winner || wins(entrant, winner))
            winner = entrant;
    }
    return winner;
}

/* ---- mutation ---- */

/* One of the neighbours in a dimension, each as likely as the others (reservoir sampling). */
struct mutation {
    struct evolution *evolution;
    struct rng *rng;
    struct optim_admission *admission; /* NULL: an intermediate step, which need not be allowed */
    uint32_t seen;
};

static nr_status take_neighbour(void *context, const double *point)
{
    struct mutation *mutation = context;
    struct evolution *evolution = mutation->evolution;
    struct optim_admission admission;
    if (mutation->admission && !history_accepts(evolution->history, evolution->problem, point, &admission))
        return NR_OK;
    if (rng_below(mutation->rng, ++mutation->seen) > 0)
        return NR_OK;
    memcpy(evolution->child, point, evolution->problem->space->count * sizeof *point);
    if (mutation->admission)
        *mutation->admission = admission;
    return NR_OK;
}

/* A dimension of the parent that can change, each as likely as the others; SIZE_MAX when there is none. */
static size_t choose_dimension(const struct evolution *evolution, struct rng *rng)
{
    const struct space *space = evolution->problem->space;
    uint32_t seen = 0;
    size_t chosen = SIZE_MAX;
    for (size_t d = 0; d < space->count; d++)
        if (!isnan(evolution->parent[d]) && dimension_size(&space->dimension[d]) >= 2 && rng_below(rng, ++seen) == 0)
            chosen = d;
    return chosen;
}

/* Changes the parent in one dimension; *changed: a child was found. */
static nr_status mutate(struct evolution *evolution, struct rng *rng, struct optim_admission *admission, bool *changed)
{
    struct mutation mutation = {evolution, rng, admission, 0};
    double step = longest_step * pow(shortest_step / longest_step, rng_unit(rng));
    size_t d = choose_dimension(evolution, rng);
    nr_status status = NR_OK;
    if (d != SIZE_MAX)
        status = neighbours_visit_dimension(&evolution->neighbours, evolution->parent, d, step, rng, take_neighbour,
                                            &mutation);
    *changed = mutation.seen > 0;
    return status;
}

nr_status evolution_breed(struct evolution *evolution, uint32_t suggestion, struct evolution_child *out)
{
    size_t bytes = evolution->problem->space->count * sizeof *evolution->parent;
    struct rng rng = rng_create(evolution->seed, suggestion, RANDOM_SEARCH, STREAM_EVOLUTION, 0);
    gather(evolution);
    if (evolution->living == 0)
        return NR_NO_RESULT;
    rank(evolution);
    crowd(evolution);
    for (size_t tries = 0; tries < TRIES; tries++) {
        struct evolution_child child = {.point = evolution->child, .living = evolution->living};
        const struct member *winner = hold_tournament(evolution, &rng);
        bool changed = true;
        child.parent = evolution->history->trial[winner->trial].id;
        child.mutations = 1 + tries / TRIES_PER_MUTATION;
        memcpy(evolution->child, history_point(evolution->history, winner->trial), bytes);
        for (size_t i = 1; i <= child.mutations && changed; i++) {
            memcpy(evolution->parent, evolution->child, bytes);
            nr_status status = mutate(evolution, &rng, i == child.mutations ? &child.admission : NULL, &changed);
            if (status != NR_OK)
                return status;
        }
        if (changed) {
            *out = child;
            return NR_OK;
        }
    }
    return NR_NO_RESULT;
}
