#include "optim/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

static size_t hash_identity(const char *identity) /* FNV-1a */
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *identity; identity++)
        hash = (hash ^ (unsigned char)*identity) * 0x100000001b3u;
    return (size_t)(hash ^ hash >> 32);
}

/* The slot of an identity: the one that holds it, else the empty one where it belongs. */
static size_t find_slot(const struct history *history, const char *identity)
{
    size_t slot = hash_identity(identity) & (history->slots - 1);
    while (history->slot[slot] && strcmp(history->trial[history->slot[slot] - 1].admission.identity, identity) != 0)
        slot = (slot + 1) & (history->slots - 1);
    return slot;
}

static size_t find_id_slot(const struct history *history, int64_t id)
{
    uint64_t hash = (uint64_t)id * 0x9e3779b97f4a7c15u; /* Fibonacci hashing: the high bits are the good ones */
    size_t slot = (size_t)(hash >> 32) & (history->slots - 1);
    while (history->id_slot[slot] && history->trial[history->id_slot[slot] - 1].id != id)
        slot = (slot + 1) & (history->slots - 1);
    return slot;
}

static void enter(struct history *history, size_t index)
{
    const struct history_trial *trial = &history->trial[index];
    size_t at = find_slot(history, trial->admission.identity);
    if (!history->slot[at])
        history->slot[at] = (uint32_t)index + 1;
    history->id_slot[find_id_slot(history, trial->id)] = (uint32_t)index + 1;
}

static nr_status grow_slots(struct history *history)
{
    if (history->slots > 2 * (history->count + 1))
        return NR_OK;
    size_t slots = history->slots ? 2 * history->slots : 64;
    uint32_t *slot = mem_array(slots, sizeof *slot), *id_slot = mem_array(slots, sizeof *id_slot);
    if (!slot || !id_slot) {
        free(slot);
        free(id_slot);
        return NR_NO_MEMORY;
    }
    free(history->slot);
    free(history->id_slot);
    history->slot = slot;
    history->id_slot = id_slot;
    history->slots = slots;
    for (size_t i = 0; i < history->count; i++)
        enter(history, i);
    return NR_OK;
}

nr_status history_add(struct history *history, int64_t id, const double *point, const struct optim_admission *admission)
{
    size_t values = (history->count + 1) * history->dimensions;
    if (mem_grow(&history->trial, &history->capacity, history->count + 1, sizeof *history->trial) != NR_OK ||
        mem_grow(&history->points, &history->points_capacity, values, sizeof *history->points) != NR_OK ||
        grow_slots(history) != NR_OK)
        return NR_NO_MEMORY;
    struct history_trial *trial = &history->trial[history->count];
    *trial = (struct history_trial){
        .id = id, .state = TRIAL_PENDING, .admission = *admission, .ended_before = history->ended};
    for (size_t j = 0; j < OPTIM_MAX_OUTCOMES; j++)
        trial->result.value[j] = trial->result.variance[j] = NAN;
    trial->result.seconds = NAN;
    memcpy(history->points + history->count * history->dimensions, point, history->dimensions * sizeof *point);
    enter(history, history->count++);
    return NR_OK;
}

struct history_trial *history_find(const struct history *history, int64_t id)
{
    uint32_t entry = history->slots ? history->id_slot[find_id_slot(history, id)] : 0;
    return entry ? &history->trial[entry - 1] : NULL;
}

const double *history_point(const struct history *history, size_t index)
{
    return history->points + index * history->dimensions;
}

size_t history_first(const struct history *history, const char *identity)
{
    return history->slot[find_slot(history, identity)] - 1;
}

bool history_knows(const struct history *history, const char *identity)
{
    return history->slots && history->slot[find_slot(history, identity)];
}

void history_clear(struct history *history)
{
    free(history->trial);
    free(history->points);
    free(history->slot);
    free(history->id_slot);
    *history = (struct history){0};
}

bool problem_admits(const struct optim_problem *problem, const double *point, struct optim_admission *out)
{
    memset(out, 0, sizeof *out);
    if (problem->admit && !problem->admit(problem->context, point, out))
        return false;
    for (size_t j = 0; j < problem->objectives; j++)
        if (problem->objective[j].exact && !isfinite(out->exact[j]))
            return false;
    if (!out->identity[0]) {
        _Static_assert((int)FILE_DIGEST_SIZE == (int)OPTIM_IDENTITY_SIZE, "a digest is an identity");
        digest_bytes(point, problem->space->count * sizeof *point, out->identity);
    }
    return true;
}

bool history_accepts(const struct history *history, const struct optim_problem *problem, const double *point,
                     struct optim_admission *out)
{
    return problem_admits(problem, point, out) && !history_knows(history, out->identity);
}
