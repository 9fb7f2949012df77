#include "optim/evidence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/subset.h"

double problem_sign(const struct optim_problem *problem, size_t outcome)
{
    bool upwards = outcome < problem->objectives ? problem->objective[outcome].maximize
                                                 : !problem->constraint[outcome - problem->objectives].at_most;
    return upwards ? 1 : -1;
}

nr_status evidence_create(const struct optim_problem *problem, struct evidence *out)
{
    struct evidence evidence = {.problem = problem};
    nr_status status = features_create(problem->space, &evidence.features);
    if (status == NR_OK)
        *out = evidence;
    return status;
}

static void free_rows(struct evidence *evidence)
{
    free(evidence->trial);
    free(evidence->x);
    free(evidence->value);
    free(evidence->variance);
    free(evidence->repeats);
    evidence->trial = NULL;
    evidence->x = evidence->value = evidence->variance = evidence->repeats = NULL;
    evidence->capacity = 0;
}

void evidence_clear(struct evidence *evidence)
{
    free_rows(evidence);
    features_clear(&evidence->features);
    free(evidence->row);
    *evidence = (struct evidence){0};
}

static nr_status reserve(struct evidence *evidence, size_t count)
{
    size_t outcomes = problem_outcomes(evidence->problem), capacity = 2 * count;
    if (mem_grow(&evidence->row, &evidence->row_capacity, count, sizeof *evidence->row) != NR_OK)
        return NR_NO_MEMORY;
    if (count <= evidence->capacity)
        return NR_OK;
    free_rows(evidence); /* contents are rebuilt at each suggestion */
    evidence->trial = mem_array(capacity, sizeof *evidence->trial);
    evidence->x = mem_array(capacity, evidence->features.count * sizeof *evidence->x);
    evidence->value = mem_array(capacity, outcomes * sizeof *evidence->value);
    evidence->variance = mem_array(capacity, outcomes * sizeof *evidence->variance);
    evidence->repeats = mem_array(capacity, sizeof *evidence->repeats);
    if (!evidence->trial || !evidence->x || !evidence->value || !evidence->variance || !evidence->repeats)
        return NR_NO_MEMORY;
    evidence->capacity = capacity;
    return NR_OK;
}

static bool measured(const struct optim_problem *problem, const struct history_trial *trial)
{
    for (size_t j = 0; j < problem_outcomes(problem); j++)
        if (!problem_knows(problem, j) && !isfinite(trial->result.value[j]))
            return false;
    return trial->state == TRIAL_FINISHED;
}

static bool awaited(const struct history *history, const struct history_trial *trial)
{
    size_t later = history->ended - trial->ended_before;
    return trial->state == TRIAL_PENDING && later < EVIDENCE_PATIENCE + 2 * (history->count - history->ended);
}

/* Outcomes of one trial; `row` counts observed rows. */
static void set_row(struct evidence *evidence, const struct history_trial *trial, size_t row)
{
    for (size_t j = 0; j < problem_outcomes(evidence->problem); j++) {
        bool known = problem_knows(evidence->problem, j);
        double variance = known ? 0 : trial->result.variance[j];
        evidence->value[j * evidence->capacity + row] = known ? trial->admission.exact[j] : trial->result.value[j];
        evidence->variance[j * evidence->capacity + row] = variance > 0 && isfinite(variance) ? variance : 0;
    }
    evidence->repeats[row] = 1;
}

/* The mean of what the row holds, which may be a mean already, and one more measurement. Every measurement has weight
 * 1 / count, so the fitted noise of the mean is that of one divided by count, and known variances add with the squares
 * of the weights. (Weights by known variances would be best only if nothing else made noise.) */
static void pool_row(struct evidence *evidence, const struct history_trial *trial, size_t row)
{
    double before = evidence->repeats[row], count = before + 1;
    for (size_t j = 0; j < problem_outcomes(evidence->problem); j++) {
        if (problem_knows(evidence->problem, j))
            continue;
        double *value = &evidence->value[j * evidence->capacity + row];
        double *variance = &evidence->variance[j * evidence->capacity + row], fresh = trial->result.variance[j];
        *value += (trial->result.value[j] - *value) / count;
        *variance = (*variance * before * before + (fresh > 0 && isfinite(fresh) ? fresh : 0)) / (count * count);
    }
    evidence->repeats[row] = count;
}

static void gather_failed(struct evidence *evidence, const struct history *history)
{
    size_t rows = 0;
    for (size_t i = 0; i < history->count; i++) {
        const struct history_trial *trial = &history->trial[i];
        if (trial->state != TRIAL_PENDING && !measured(evidence->problem, trial))
            evidence->trial[rows++] = i;
    }
    evidence->ended = rows;
    evidence->failed = rows < EVIDENCE_FAILED ? rows : EVIDENCE_FAILED;
    memmove(evidence->trial, evidence->trial + rows - evidence->failed, evidence->failed * sizeof *evidence->trial);
}

static void gather_observed(struct evidence *evidence, const struct history *history)
{
    size_t rows = 0;
    for (size_t i = 0; i < history->count; i++)
        evidence->row[i] = SIZE_MAX;
    for (size_t i = 0; i < history->count; i++) {
        const struct history_trial *trial = &history->trial[i];
        if (!measured(evidence->problem, trial))
            continue;
        size_t first = history_first(history, trial->admission.identity);
        if (evidence->row[first] != SIZE_MAX) {
            pool_row(evidence, trial, evidence->row[first]);
            continue;
        }
        set_row(evidence, trial, rows);
        evidence->row[first] = rows;
        evidence->trial[evidence->failed + rows++] = i;
    }
    evidence->observed = rows;
    evidence->ended += rows;
}

static void gather_awaited(struct evidence *evidence, const struct history *history)
{
    size_t rows = 0, *trial = evidence->trial + evidence->failed + evidence->observed;
    for (size_t i = 0; i < history->count; i++)
        if (awaited(history, &history->trial[i]))
            trial[rows++] = i;
    evidence->awaited = rows < EVIDENCE_AWAITED ? rows : EVIDENCE_AWAITED;
    memmove(trial, trial + rows - evidence->awaited, evidence->awaited * sizeof *trial);
}

/* Keeps of an array's observed rows those that were chosen, in their order; what follows moves up. `after`: number of
 * elements behind the observed rows; `work` [observed]. */
static void keep(double *array, size_t observed, size_t after, const size_t *chosen, size_t count, double *work)
{
    for (size_t i = 0; i < count; i++)
        work[i] = array[chosen[i]];
    memcpy(array, work, count * sizeof *array);
    memmove(array + count, array + observed, after * sizeof *array);
}

static void keep_chosen(struct evidence *evidence, const size_t *chosen, size_t count, double *work)
{
    size_t observed = evidence->observed, capacity = evidence->capacity, *trial = evidence->trial + evidence->failed;
    for (size_t i = 0; i < count; i++)
        evidence->row[i] = trial[chosen[i]];
    memcpy(trial, evidence->row, count * sizeof *trial);
    memmove(trial + count, trial + observed, evidence->awaited * sizeof *trial);
    for (size_t j = 0; j < evidence->features.count; j++)
        keep(evidence->x + j * capacity + evidence->failed, observed, evidence->awaited, chosen, count, work);
    for (size_t j = 0; j < problem_outcomes(evidence->problem); j++) {
        keep(evidence->value + j * capacity, observed, 0, chosen, count, work);
        keep(evidence->variance + j * capacity, observed, 0, chosen, count, work);
    }
    keep(evidence->repeats, observed, 0, chosen, count, work);
    evidence->observed = count;
}

/* Bounds the number of observed rows and puts the important ones in front. */
static nr_status thin(struct evidence *evidence)
{
    const struct optim_problem *problem = evidence->problem;
    size_t observed = evidence->observed, objectives = problem->objectives;
    size_t most = observed < EVIDENCE_MOST ? observed : EVIDENCE_MOST;
    if (observed <= EVIDENCE_WINDOW)
        return NR_OK;
    double *upward = mem_array(observed, objectives * sizeof *upward); /* and work */
    size_t *chosen = mem_array(most, sizeof *chosen);
    nr_status status = NR_NO_MEMORY;
    if (upward && chosen) {
        struct subset_rows rows = {{evidence->x + evidence->failed, observed, evidence->capacity},
                                   evidence->features.count,
                                   evidence->features.category,
                                   upward,
                                   objectives};
        for (size_t i = 0; i < observed; i++)
            for (size_t j = 0; j < objectives; j++)
                upward[i * objectives + j] = problem_sign(problem, j) * evidence->value[j * evidence->capacity + i];
        status = subset_choose(&rows, most, chosen);
    }
    if (status == NR_OK)
        keep_chosen(evidence, chosen, most, upward);
    free(upward);
    free(chosen);
    return status;
}

nr_status evidence_gather(struct evidence *evidence, const struct history *history)
{
    nr_status status = reserve(evidence, history->count + 1);
    if (status != NR_OK)
        return status;
    gather_failed(evidence, history);
    gather_observed(evidence, history);
    gather_awaited(evidence, history);
    for (size_t i = 0; i < evidence->failed + evidence->observed + evidence->awaited; i++)
        features_of(&evidence->features, history_point(history, evidence->trial[i]), evidence->x + i,
                    evidence->capacity);
    return thin(evidence);
}
