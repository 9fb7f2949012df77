#include "optim/candidates.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void candidates_clear(struct candidates *candidates)
{
    free(candidates->points);
    free(candidates->admission);
    free(candidates->score);
    *candidates = (struct candidates){0};
}

nr_status candidates_add_admitted(struct candidates *candidates, const double *point,
                                  const struct optim_admission *admission)
{
    size_t dimensions = candidates->problem->space->count, count = candidates->count + 1;
    if (mem_grow(&candidates->points, &candidates->points_capacity, count * dimensions, sizeof *point) != NR_OK ||
        mem_grow(&candidates->admission, &candidates->admission_capacity, count, sizeof *admission) != NR_OK ||
        mem_grow(&candidates->score, &candidates->score_capacity, count, sizeof *candidates->score) != NR_OK)
        return NR_NO_MEMORY;
    memcpy(candidates->points + candidates->count * dimensions, point, dimensions * sizeof *point);
    candidates->admission[candidates->count++] = *admission;
    return NR_OK;
}

nr_status candidates_add(void *context, const double *point)
{
    struct candidates *candidates = context;
    struct optim_admission admission;
    if (!history_accepts(candidates->history, candidates->problem, point, &admission))
        return NR_OK;
    return candidates_add_admitted(candidates, point, &admission);
}

nr_status candidates_score(struct candidates *candidates, struct surrogate *surrogate)
{
    size_t first = candidates->scored;
    candidates->scored = candidates->count;
    return surrogate_score(surrogate, candidates_point(candidates, first), candidates->admission + first,
                           candidates->count - first, candidates->score + first);
}

size_t candidates_best(const struct candidates *candidates, size_t first)
{
    size_t best = first < candidates->scored ? first : SIZE_MAX;
    for (size_t i = first + 1; i < candidates->scored; i++)
        if (score_better(candidates->score[i], candidates->score[best]))
            best = i;
    return best;
}
