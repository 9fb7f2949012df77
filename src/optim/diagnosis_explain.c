/* Why a point was chosen: what the model said of it before it was tried. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/diagnosis_parts.h"
#include "optim/response.h"
#include "optim/sobol.h"

enum { DRAWS = 4096 }; /* of what the outcomes may be: shares to about 1 % */

/* The point and the front believed then, objectives maximised and on the model's scale. */
struct standing {
    size_t objectives, members;
    size_t *member;                       /* [members], indices into the history */
    double *front;                        /* [members][objectives] */
    double mean[OPTIM_MAX_OUTCOMES];      /* at the point */
    double deviation[OPTIM_MAX_OUTCOMES]; /* 0 where exact */
};

static double exact_value(const struct diagnosis *diagnosis, const struct optim_admission *admission, size_t objective)
{
    return diagnosis->problem->objective[objective].maximize ? admission->exact[objective]
                                                             : -admission->exact[objective];
}

static nr_status predict_point(struct diagnosis *diagnosis, const double *point,
                               const struct optim_admission *admission, struct standing *standing)
{
    for (size_t j = 0; j < diagnosis_outcomes(diagnosis); j++) {
        if (!diagnosis_models(diagnosis, j)) {
            standing->mean[j] = exact_value(diagnosis, admission, j);
            standing->deviation[j] = 0;
            continue;
        }
        double variance;
        nr_status status = surrogate_predict(diagnosis->surrogate, j, point, 1, &standing->mean[j], &variance);
        if (status != NR_OK)
            return status;
        standing->deviation[j] = sqrt(variance);
    }
    return NR_OK;
}

static nr_status take_front(struct diagnosis *diagnosis, struct standing *standing)
{
    const struct history *history = diagnosis->history;
    while (surrogate_front(diagnosis->surrogate, standing->members) != SIZE_MAX)
        standing->members++;
    standing->member = mem_array(standing->members, sizeof *standing->member);
    standing->front = mem_array(standing->members * standing->objectives, sizeof *standing->front);
    if (!standing->member || !standing->front)
        return NR_NO_MEMORY;
    for (size_t k = 0; k < standing->members; k++) {
        size_t index = standing->member[k] = surrogate_front(diagnosis->surrogate, k);
        for (size_t j = 0; j < standing->objectives; j++) {
            double *value = &standing->front[k * standing->objectives + j];
            *value = exact_value(diagnosis, &history->trial[index].admission, j);
            if (!diagnosis_models(diagnosis, j))
                continue;
            nr_status status =
                surrogate_predict(diagnosis->surrogate, j, history_point(history, index), 1, value, NULL);
            if (status != NR_OK)
                return status;
        }
    }
    return NR_OK;
}

/* At least as good everywhere. */
static bool covers(const double *a, const double *b, size_t objectives)
{
    for (size_t j = 0; j < objectives; j++)
        if (a[j] < b[j])
            return false;
    return true;
}

/* Share of draws from the outcome's distribution that no member of the front covers. */
static nr_status find_chance(const struct diagnosis *diagnosis, const struct standing *standing, double *out)
{
    struct sobol *sobol;
    size_t objectives = standing->objectives, free_draws = 0;
    double unit[OPTIM_MAX_OBJECTIVES], value[OPTIM_MAX_OBJECTIVES];
    nr_status status = sobol_create(objectives, diagnosis->seed, &sobol);
    if (status != NR_OK)
        return status;
    for (uint32_t i = 0; i < DRAWS; i++) {
        bool covered = false;
        sobol_point(sobol, i, unit);
        for (size_t j = 0; j < objectives; j++)
            value[j] = standing->mean[j] +
                       (standing->deviation[j] > 0 ? standing->deviation[j] * normal_quantile(unit[j]) : 0);
        for (size_t k = 0; k < standing->members && !covered; k++)
            covered = covers(standing->front + k * objectives, value, objectives);
        free_draws += !covered;
    }
    sobol_destroy(sobol);
    *out = (double)free_draws / DRAWS;
    return NR_OK;
}

static nr_status find_competitors(const struct diagnosis *diagnosis, const struct standing *standing,
                                  struct diagnosis_reason *reason)
{
    double hoped[OPTIM_MAX_OBJECTIVES];
    reason->competitor = mem_array(standing->members, sizeof *reason->competitor);
    if (!reason->competitor)
        return NR_NO_MEMORY;
    for (size_t j = 0; j < standing->objectives; j++)
        hoped[j] = standing->mean[j] + diagnosis_width * standing->deviation[j];
    for (size_t k = 0; k < standing->members; k++)
        if (covers(hoped, standing->front + k * standing->objectives, standing->objectives))
            reason->competitor[reason->competitors++] = diagnosis->history->trial[standing->member[k]].id;
    return NR_OK;
}

/* Keeps the nearest ones in order. */
static void insert_near(struct diagnosis_reason *reason, int64_t trial, double similarity)
{
    size_t at = reason->nears;
    while (at > 0 && similarity > reason->similarity[at - 1])
        at--;
    if (at == DIAGNOSIS_NEAREST)
        return;
    size_t last = reason->nears < DIAGNOSIS_NEAREST ? reason->nears++ : DIAGNOSIS_NEAREST - 1;
    for (size_t k = last; k > at; k--) {
        reason->nearest[k] = reason->nearest[k - 1];
        reason->similarity[k] = reason->similarity[k - 1];
    }
    reason->nearest[at] = trial;
    reason->similarity[at] = similarity;
}

static nr_status find_nearest(struct diagnosis *diagnosis, const double *point, struct diagnosis_reason *reason)
{
    const struct history *history = diagnosis->history;
    size_t outcome = 0;
    while (outcome < diagnosis_outcomes(diagnosis) && !diagnosis_models(diagnosis, outcome))
        outcome++;
    if (outcome == diagnosis_outcomes(diagnosis))
        return NR_OK;
    for (size_t i = 0; i < history->count; i++) {
        double similarity;
        if (history->trial[i].state != TRIAL_FINISHED)
            continue;
        nr_status status =
            surrogate_similarity(diagnosis->surrogate, outcome, point, history_point(history, i), 1, &similarity);
        if (status != NR_OK)
            return status;
        insert_near(reason, history->trial[i].id, similarity);
    }
    return NR_OK;
}

/* What a measurement was expected to show, and how far off it was. */
static void expect(const struct diagnosis *diagnosis, const struct standing *standing,
                   const struct optim_admission *admission, const struct optim_result *result,
                   struct diagnosis_reason *reason)
{
    for (size_t j = 0; j < diagnosis_outcomes(diagnosis); j++) {
        const struct surrogate *surrogate = diagnosis->surrogate;
        reason->surprise[j] = NAN;
        if (!diagnosis_models(diagnosis, j)) {
            reason->expected[j] = diagnosis_exact(admission->exact[j]);
            reason->deviation[j] = 0;
            continue;
        }
        double variance = standing->deviation[j] * standing->deviation[j];
        double known = result ? surrogate_known_noise(surrogate, j, result->value[j], result->variance[j]) : 0;
        double measured = sqrt(variance + surrogate_noise(surrogate, j) + known);
        reason->expected[j] = diagnosis_interval(diagnosis, j, standing->mean[j], measured);
        reason->deviation[j] = standing->deviation[j] / sqrt(surrogate_prior_variance(surrogate, j));
        if (result && isfinite(result->value[j]))
            reason->surprise[j] = (surrogate_from_unit(surrogate, j, result->value[j]) - standing->mean[j]) / measured;
    }
}

nr_status diagnosis_explain(struct diagnosis *diagnosis, const double *point, const struct optim_admission *admission,
                            const struct optim_result *result, struct diagnosis_reason *out)
{
    struct standing standing = {.objectives = diagnosis->problem->objectives};
    struct diagnosis_reason reason = {0};
    struct forecast forecast;
    nr_status status = predict_point(diagnosis, point, admission, &standing);
    if (status == NR_OK)
        status = take_front(diagnosis, &standing);
    if (status == NR_OK)
        status = find_chance(diagnosis, &standing, &reason.front_chance);
    if (status == NR_OK)
        status = find_competitors(diagnosis, &standing, &reason);
    if (status == NR_OK)
        status = find_nearest(diagnosis, point, &reason);
    if (status == NR_OK)
        status = surrogate_forecast(diagnosis->surrogate, point, admission, &forecast);
    if (status == NR_OK) {
        reason.log_value = forecast.log_value;
        reason.log_improvement = forecast.log_improvement;
        reason.log_success = forecast.log_success;
        reason.log_seconds = forecast.log_seconds;
        memcpy(reason.log_feasible, forecast.log_feasible, sizeof reason.log_feasible);
        expect(diagnosis, &standing, admission, result, &reason);
        *out = reason;
    } else {
        diagnosis_reason_clear(&reason);
    }
    free(standing.member);
    free(standing.front);
    return status;
}

void diagnosis_reason_clear(struct diagnosis_reason *reason)
{
    free(reason->competitor);
    *reason = (struct diagnosis_reason){0};
}
