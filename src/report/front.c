#include "report/front.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "optim/pareto.h"
#include "report/phrase.h"

static double sign_of(const struct objective *objective)
{
    return objective->maximize ? 1 : -1;
}

/* Done, every objective is known, and what constraints bound is within its bounds. */
static bool counts(const struct study *study, const struct record *record)
{
    bool known = record->status == TRIAL_DONE && study_feasible(study, record->value);
    for (size_t i = 0; i < study->objectives; i++)
        known = known && !isnan(record->value[i]);
    return known;
}

static size_t thresholds_met(const struct study *study, const struct record *record)
{
    size_t met = 0;
    for (size_t i = 0; i < study->objectives; i++) {
        const struct objective *objective = &study->objective[i];
        met += !isnan(objective->threshold) &&
               sign_of(objective) * record->value[i] >= sign_of(objective) * objective->threshold;
    }
    return met;
}

static bool better(const struct study *study, const struct record *a, const struct record *b)
{
    size_t met_a = thresholds_met(study, a), met_b = thresholds_met(study, b);
    if (met_a != met_b)
        return met_a > met_b;
    for (size_t i = 0; i < study->objectives; i++)
        if (a->value[i] != b->value[i])
            return sign_of(&study->objective[i]) * (a->value[i] - b->value[i]) > 0;
    return false;
}

static void find_best(const struct results *results, struct front *front)
{
    const struct study *study = results->study;
    front->best = SIZE_MAX;
    for (size_t i = 0; i < results->count; i++)
        if (counts(study, &results->record[i]) &&
            (front->best == SIZE_MAX || better(study, &results->record[i], &results->record[front->best])))
            front->best = i;
    for (size_t i = 0; i < study->objectives; i++)
        front->thresholds += isnan(study->objective[i].threshold) ? 0 : 1;
    if (front->best != SIZE_MAX)
        front->met = thresholds_met(study, &results->record[front->best]);
}

static bool all_have_thresholds(const struct study *study)
{
    for (size_t i = 0; i < study->objectives; i++)
        if (isnan(study->objective[i].threshold))
            return false;
    return true;
}

/* The trials that the reference is from: those of the initial design; where none of these counts, up to the first that
 * does. */
static void choose_observed(const struct results *results, struct front *front)
{
    int64_t initial = study_int(results->study, KEY_INITIAL, NULL), first = 1;
    while (first <= (int64_t)results->count && !counts(results->study, &results->record[first - 1]))
        first++;
    front->observed = first > initial ? first : initial;
    front->settled = (int64_t)results->count >= front->observed;
    for (int64_t i = 0; front->settled && i < front->observed; i++) {
        enum trial_status status = results->record[i].status;
        front->settled = status != TRIAL_QUEUED && status != TRIAL_RUNNING;
    }
}

/* Worst value observed and 10 % of the range beyond; of a range of nothing, 10 % of the value. */
static double observed_reference(const struct results *results, const struct front *front, size_t objective)
{
    double sign = sign_of(&results->study->objective[objective]), worst = INFINITY, best = -INFINITY;
    for (size_t i = 0; i < results->count && (int64_t)i < front->observed; i++) {
        if (!counts(results->study, &results->record[i]))
            continue;
        worst = fmin(worst, sign * results->record[i].value[objective]);
        best = fmax(best, sign * results->record[i].value[objective]);
    }
    double range = best > worst ? best - worst : fabs(worst) > 0 ? fabs(worst) : 1;
    return sign * (worst - 0.1 * range);
}

static void choose_reference(const struct results *results, struct front *front)
{
    const struct study *study = results->study;
    front->rule = !front->members              ? REFERENCE_NONE
                  : all_have_thresholds(study) ? REFERENCE_THRESHOLDS
                                               : REFERENCE_OBSERVED;
    front->settled = front->rule == REFERENCE_THRESHOLDS;
    if (front->rule == REFERENCE_OBSERVED)
        choose_observed(results, front);
    for (size_t i = 0; i < study->objectives; i++)
        front->reference[i] = front->rule == REFERENCE_THRESHOLDS ? study->objective[i].threshold
                              : front->rule == REFERENCE_OBSERVED ? observed_reference(results, front, i)
                                                                  : NAN;
}

static bool is_share(const struct front *front, const struct study *study, size_t objective)
{
    return !study->objective[objective].maximize && front->reference[objective] > 0;
}

static nr_status measure(const struct results *results, struct log *log, struct front *front)
{
    const struct study *study = results->study;
    double reference[STUDY_MAX_OBJECTIVES];
    if (front->rule == REFERENCE_NONE)
        return NR_OK;
    double *points = mem_array(front->members * study->objectives, sizeof *points);
    if (!points)
        return log_no_memory(log, "measuring the front");
    for (size_t j = 0; j < study->objectives; j++) {
        double sign = sign_of(&study->objective[j]);
        reference[j] = sign * front->reference[j];
        for (size_t i = 0; i < front->members; i++)
            points[i * study->objectives + j] = sign * results->record[front->member[i]].value[j];
    }
    nr_status status = pareto_hypervolume(points, front->members, study->objectives, reference, &front->volume);
    front->hypervolume = front->volume;
    for (size_t j = 0; j < study->objectives; j++)
        if (is_share(front, study, j))
            front->hypervolume /= front->reference[j];
    free(points);
    return status;
}

nr_status front_compute(const struct results *results, struct log *log, struct front *out)
{
    struct front front = {.member = mem_array(results->count, sizeof *front.member)};
    if (!front.member || results_front(results, front.member, &front.members) != NR_OK) {
        front_clear(&front);
        return log_no_memory(log, "computing the front");
    }
    find_best(results, &front);
    choose_reference(results, &front);
    nr_status status = measure(results, log, &front);
    if (status != NR_OK) {
        front_clear(&front);
        return status;
    }
    *out = front;
    return NR_OK;
}

void front_clear(struct front *front)
{
    free(front->member);
    *front = (struct front){0};
}

void front_append_hypervolume(const struct front *front, const struct study *study, struct text *text)
{
    if (front->rule == REFERENCE_NONE) {
        text_append(text, "unknown: no trial has finished");
        return;
    }
    text_format(text, "%.4g beyond ", front->hypervolume);
    for (size_t i = 0; i < study->objectives; i++) {
        text_format(text, "%s%s ", i ? ", " : "", study->objective[i].name);
        text_format(text, "%.6g", front->reference[i]);
    }
    if (front->rule == REFERENCE_THRESHOLDS)
        text_append(text, front->volume > 0 ? " (the thresholds)" : " (the thresholds, which no trial beats yet)");
    else if (front->settled)
        text_format(text, " (10 %% worse than the worst of trials 1 to %" PRId64 ")", front->observed);
    else
        text_format(text, " (10 %% worse than the worst so far; settled when trials 1 to %" PRId64 " have ended)",
                    front->observed);
    for (size_t i = 0; i < study->objectives; i++)
        if (is_share(front, study, i))
            text_format(text, "; %s as a share of %.6g", study->objective[i].name, front->reference[i]);
}

void front_append_best(const struct front *front, const struct results *results, struct text *text)
{
    if (front->best == SIZE_MAX) {
        text_append(text, "none: no trial has finished");
        return;
    }
    const struct record *best = &results->record[front->best];
    text_format(text, "%" PRId64 ": ", best->trial);
    phrase_append_values(text, results->study, best->value);
    if (front->thresholds == 1)
        text_append(text, front->met ? "; meets the threshold" : "; does not meet the threshold");
    else if (front->thresholds > 1 && front->met == front->thresholds)
        text_append(text, "; meets all thresholds");
    else if (front->thresholds > 1)
        text_format(text, "; meets %s%zu of %zu thresholds", front->met ? "only " : "", front->met, front->thresholds);
}
