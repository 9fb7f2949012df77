#include "optim/surrogate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/pareto.h"
#include "optim/streams.h"
#include "optim/surrogate_parts.h"

enum {
    REFIT_EVERY = 5,   /* results between fits; more often brings nothing (DESIGN.md) */
    WARM_STEPS = 6,    /* L-BFGS iterations of a warm fit */
    FULL_STEPS = 40,   /* ... of each start of a full one */
    RANDOM_STARTS = 2, /* besides the fixed ones */
    FULL_UNTIL = 60,   /* results up to which doubling their number asks for a full fit */
    MIN_RESULTS = 4
};
static const double reference_margin = 0.1; /* of the observed range, beyond the worst */

static size_t parameters(const struct surrogate *surrogate)
{
    return surrogate->features.count + 4;
}

nr_status surrogate_create(const struct optim_problem *problem, uint64_t seed, int64_t initial, struct surrogate **out)
{
    struct surrogate *surrogate = mem_array(1, sizeof *surrogate);
    if (!surrogate)
        return NR_NO_MEMORY;
    *surrogate = (struct surrogate){.problem = problem, .seed = seed};
    surrogate->needed = initial < 2 ? 2 : initial < MIN_RESULTS ? (size_t)initial : MIN_RESULTS;
    if (features_create(problem->space, &surrogate->features) != NR_OK)
        goto err_destroy;
    size_t count = surrogate->features.count;
    struct kernel kernel = {KERNEL_RBF, count, surrogate->features.category, true};
    struct gp_model model = gp_model_default(kernel);
    model.fit_scale = true;
    surrogate->batch_x = mem_array(count, SURROGATE_BATCH * sizeof *surrogate->batch_x);
    if (!surrogate->batch_x)
        goto err_destroy;
    for (size_t j = 0; j < problem->objectives; j++) {
        if (problem->objective[j].exact)
            continue;
        surrogate->theta[j] = mem_array(parameters(surrogate), sizeof(double));
        if (!surrogate->theta[j] || gp_create(&model, &surrogate->gp[j]) != NR_OK)
            goto err_destroy;
    }
    *out = surrogate;
    return NR_OK;

err_destroy:
    surrogate_destroy(surrogate);
    return NR_NO_MEMORY;
}

void surrogate_destroy(struct surrogate *surrogate)
{
    if (!surrogate)
        return;
    for (size_t j = 0; j < OPTIM_MAX_OBJECTIVES; j++) {
        gp_destroy(surrogate->gp[j]);
        free(surrogate->theta[j]);
        free(surrogate->map_work[j]);
    }
    boxes_destroy(surrogate->boxes);
    features_clear(&surrogate->features);
    free(surrogate->trial);
    free(surrogate->front);
    free(surrogate->x);
    free(surrogate->value);
    free(surrogate->column);
    free(surrogate->modelled);
    free(surrogate->known);
    free(surrogate->batch_x);
    free(surrogate->whitened);
    free(surrogate);
}

/* ---- data ---- */

static nr_status reserve(struct surrogate *surrogate, size_t count)
{
    if (count <= surrogate->capacity)
        return NR_OK;
    size_t capacity = 2 * count, features = surrogate->features.count, objectives = surrogate->problem->objectives;
    struct {
        void *slot;
        size_t size;
    } arrays[] = {{&surrogate->trial, sizeof(size_t)},           {&surrogate->front, sizeof(size_t)},
                  {&surrogate->x, features * sizeof(double)},    {&surrogate->value, objectives * sizeof(double)},
                  {&surrogate->column, sizeof(double)},          {&surrogate->modelled, sizeof(double)},
                  {&surrogate->known, sizeof(double)},           {&surrogate->map_work[0], 2 * sizeof(double)},
                  {&surrogate->map_work[1], 2 * sizeof(double)}, {&surrogate->map_work[2], 2 * sizeof(double)},
                  {&surrogate->map_work[3], 2 * sizeof(double)}};
    _Static_assert(OPTIM_MAX_OBJECTIVES == 4, "one work array per objective");
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        void *fresh = mem_array(capacity, arrays[i].size), *old;
        if (!fresh)
            return NR_NO_MEMORY;
        memcpy(&old, arrays[i].slot, sizeof old); /* contents are rebuilt at each suggestion */
        free(old);
        memcpy(arrays[i].slot, &fresh, sizeof fresh);
    }
    surrogate->capacity = capacity;
    return NR_OK;
}

static bool usable(const struct surrogate *surrogate, const struct history_trial *trial)
{
    for (size_t j = 0; j < surrogate->problem->objectives; j++)
        if (!surrogate->problem->objective[j].exact && !isfinite(trial->result.value[j]))
            return false;
    return true;
}

/* Chooses the trials that count and writes their features. Failed ones count for nothing. */
static nr_status gather(struct surrogate *surrogate, const struct history *history)
{
    if (reserve(surrogate, history->count) != NR_OK)
        return NR_NO_MEMORY;
    size_t total = 0;
    for (size_t i = 0; i < history->count; i++)
        if (history->trial[i].state == TRIAL_FINISHED && usable(surrogate, &history->trial[i]))
            surrogate->trial[total++] = i;
    surrogate->observed = total;
    for (size_t i = 0; i < history->count; i++)
        if (history->trial[i].state == TRIAL_PENDING)
            surrogate->trial[total++] = i;
    surrogate->total = total;
    for (size_t i = 0; i < total; i++)
        features_of(&surrogate->features, history_point(history, surrogate->trial[i]), surrogate->x + i,
                    surrogate->capacity);
    return NR_OK;
}

/* ---- hyper-parameters ---- */

enum fit { FIT_NONE, FIT_WARM, FIT_FULL };

static enum fit fit_due(const struct surrogate *surrogate)
{
    size_t results = surrogate->observed;
    if (surrogate->results == 0 || (results >= 2 * surrogate->full_results && results <= FULL_UNTIL))
        return FIT_FULL;
    return results >= surrogate->results + REFIT_EVERY ? FIT_WARM : FIT_NONE;
}

static nr_status fit_objective(struct surrogate *surrogate, size_t j, enum fit fit, uint32_t suggestion)
{
    struct gp *gp = surrogate->gp[j];
    double *theta = surrogate->theta[j], *fresh;
    struct gp_value old = {-INFINITY, -INFINITY}, value;
    nr_status status = NR_OK;
    if (fit != FIT_NONE && surrogate->results > 0)
        status = gp_climb(gp, theta, WARM_STEPS, &old);
    if (fit != FIT_FULL || status == NR_NO_MEMORY)
        return status == NR_NO_MEMORY ? status : NR_OK; /* a climb that finds nothing better leaves theta as it is */
    fresh = mem_array(parameters(surrogate), sizeof *fresh);
    if (!fresh)
        return NR_NO_MEMORY;
    struct rng rng = rng_create(surrogate->seed, suggestion, RANDOM_SEARCH, STREAM_FIT, (uint32_t)j);
    status = gp_fit(gp, &rng, RANDOM_STARTS, FULL_STEPS, fresh, &value);
    if (status == NR_OK && value.log_posterior > old.log_posterior)
        memcpy(theta, fresh, parameters(surrogate) * sizeof *theta);
    free(fresh);
    return surrogate->results > 0 && status == NR_INVALID ? NR_OK : status;
}

/* ---- what is believed ---- */

/* Values, thresholds and reference point of one exact objective, as shares of the observed range. */
static void believe_exact(struct surrogate *surrogate, const struct history *history, size_t j, double *reference,
                          double *threshold)
{
    size_t objectives = surrogate->problem->objectives;
    double sign = surrogate_sign(surrogate->problem, j), low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < surrogate->observed; i++) {
        double value = sign * history->trial[surrogate->trial[i]].admission.exact[j];
        low = fmin(low, value);
        high = fmax(high, value);
    }
    surrogate->offset[j] = low;
    surrogate->scale[j] = high > low ? 1 / (high - low) : 1;
    for (size_t i = 0; i < surrogate->total; i++) {
        double value = sign * history->trial[surrogate->trial[i]].admission.exact[j];
        surrogate->value[i * objectives + j] = (value - low) * surrogate->scale[j];
    }
    *reference = -reference_margin;
    *threshold = (sign * surrogate->problem->objective[j].threshold - low) * surrogate->scale[j];
}

static nr_status believe_modelled(struct surrogate *surrogate, const struct history *history, size_t j, enum fit fit,
                                  uint32_t suggestion, double *reference, double *threshold, bool *constant)
{
    const struct optim_objective *objective = &surrogate->problem->objective[j];
    size_t observed = surrogate->observed, objectives = surrogate->problem->objectives;
    double sign = surrogate_sign(surrogate->problem, j), low = INFINITY, high = -INFINITY;
    struct response_map *map = &surrogate->map[j];
    for (size_t i = 0; i < observed; i++)
        surrogate->column[i] = sign * history->trial[surrogate->trial[i]].result.value[j];
    response_fit(surrogate->column, observed, objective->transform == TRANSFORM_HALF_RANK, surrogate->map_work[j], map,
                 surrogate->modelled);
    for (size_t i = 0; i < observed; i++) {
        double variance = history->trial[surrogate->trial[i]].result.variance[j];
        surrogate->known[i] =
            variance > 0 && isfinite(variance) ? response_variance(map, surrogate->column[i], variance) : 0;
        low = fmin(low, surrogate->modelled[i]);
        high = fmax(high, surrogate->modelled[i]);
    }
    *reference = low - reference_margin * (high > low ? high - low : 1);
    *threshold = isnan(objective->threshold) ? NAN : response_apply(map, sign * objective->threshold);
    *constant = map->constant;
    struct kernel_points x = {surrogate->x, surrogate->total, surrogate->capacity};
    nr_status status = gp_set_data(surrogate->gp[j], x, observed, surrogate->modelled, surrogate->known);
    if (status == NR_OK)
        status = fit_objective(surrogate, j, fit, suggestion);
    if (status == NR_OK)
        status = gp_condition(surrogate->gp[j], surrogate->theta[j]);
    if (status != NR_OK)
        return status;
    gp_fitted(surrogate->gp[j], surrogate->column);
    for (size_t i = 0; i < surrogate->total; i++)
        surrogate->value[i * objectives + j] = surrogate->column[i];
    return NR_OK;
}

/* Some finished trial beats every threshold, by what was measured. */
static bool thresholds_met(const struct surrogate *surrogate, const struct history *history)
{
    const struct optim_problem *problem = surrogate->problem;
    for (size_t i = 0; i < surrogate->observed; i++) {
        const struct history_trial *trial = &history->trial[surrogate->trial[i]];
        bool met = true;
        for (size_t j = 0; j < problem->objectives; j++) {
            double value = problem->objective[j].exact ? trial->admission.exact[j] : trial->result.value[j];
            double threshold = problem->objective[j].threshold;
            met &= isnan(threshold) || surrogate_sign(problem, j) * value > surrogate_sign(problem, j) * threshold;
        }
        if (met)
            return true;
    }
    return false;
}

static nr_status make_boxes(struct surrogate *surrogate, const double *reference)
{
    const struct optim_problem *problem = surrogate->problem;
    size_t open = 0;
    for (size_t j = problem->objectives; j-- > 0;)
        if (!problem->objective[j].exact)
            open = j;
    boxes_destroy(surrogate->boxes);
    surrogate->boxes = NULL;
    surrogate->front_count = pareto_front(surrogate->value, surrogate->total, problem->objectives, surrogate->front);
    return boxes_create(surrogate->value, surrogate->total, problem->objectives, reference, open, &surrogate->boxes);
}

static nr_status believe(struct surrogate *surrogate, const struct history *history, enum fit fit, uint32_t suggestion,
                         struct text *note)
{
    const struct optim_problem *problem = surrogate->problem;
    double reference[OPTIM_MAX_OBJECTIVES], threshold[OPTIM_MAX_OBJECTIVES];
    bool learnt = false, modelled = false;
    for (size_t j = 0; j < problem->objectives; j++) {
        bool constant = false;
        nr_status status = NR_OK;
        if (problem->objective[j].exact)
            believe_exact(surrogate, history, j, &reference[j], &threshold[j]);
        else
            status = believe_modelled(surrogate, history, j, fit, suggestion, &reference[j], &threshold[j], &constant);
        if (status == NR_INVALID) {
            text_append(note, "the model's covariance could not be factored");
            return NR_NO_RESULT;
        }
        if (status != NR_OK)
            return status;
        learnt |= !problem->objective[j].exact && !constant;
        modelled |= !problem->objective[j].exact;
    }
    if (modelled && !learnt) {
        text_append(note, "all results are equal");
        return NR_NO_RESULT;
    }
    /* Thresholds say what is of interest, not that all else is worth nothing: they serve once something beats them. */
    if (thresholds_met(surrogate, history))
        for (size_t j = 0; j < problem->objectives; j++)
            if (!isnan(threshold[j]))
                reference[j] = threshold[j];
    return make_boxes(surrogate, reference);
}

/* Whether there is anything to model; then the trials are gathered. */
static nr_status prepare(struct surrogate *surrogate, const struct history *history, struct text *note)
{
    if (surrogate->features.count > KERNEL_MAX_FEATURES || surrogate->features.count == 0) {
        text_format(note, "no model for %zu dimensions", surrogate->features.count);
        return NR_NO_RESULT;
    }
    nr_status status = gather(surrogate, history);
    if (status != NR_OK)
        return status;
    if (surrogate->observed < surrogate->needed) {
        text_format(note, "%zu results, a model needs %zu", surrogate->observed, surrogate->needed);
        return NR_NO_RESULT;
    }
    return NR_OK;
}

nr_status surrogate_fit(struct surrogate *surrogate, const struct history *history, uint32_t suggestion, bool *refitted,
                        struct text *note)
{
    *refitted = false;
    nr_status status = prepare(surrogate, history, note);
    if (status != NR_OK)
        return status;
    enum fit fit = fit_due(surrogate);
    status = believe(surrogate, history, fit, suggestion, note);
    if (fit != FIT_NONE) { /* whatever came of it: the hyper-parameters have moved */
        surrogate->results = surrogate->observed;
        if (fit == FIT_FULL)
            surrogate->full_results = surrogate->observed;
        *refitted = true;
    }
    return status;
}

nr_status surrogate_look(struct surrogate *surrogate, const struct history *history, struct text *note)
{
    nr_status status = prepare(surrogate, history, note);
    if (status != NR_OK)
        return status;
    status = believe(surrogate, history, surrogate->results ? FIT_NONE : FIT_FULL, 0, note);
    if (!surrogate->results) /* its state says that there are hyper-parameters now */
        surrogate->results = surrogate->full_results = surrogate->observed;
    return status;
}

/* ---- scores ---- */

static void score_batch(struct surrogate *surrogate, const double *points, const struct optim_admission *admission,
                        size_t count, struct score *score)
{
    const struct optim_problem *problem = surrogate->problem;
    double mean[OPTIM_MAX_OBJECTIVES][SURROGATE_BATCH], variance[OPTIM_MAX_OBJECTIVES][SURROGATE_BATCH];
    for (size_t i = 0; i < count; i++)
        features_of(&surrogate->features, points + i * problem->space->count, surrogate->batch_x + i, SURROGATE_BATCH);
    struct kernel_points x = {surrogate->batch_x, count, SURROGATE_BATCH};
    for (size_t j = 0; j < problem->objectives; j++)
        if (!problem->objective[j].exact)
            gp_posterior(surrogate->gp[j], x, surrogate->whitened, mean[j], variance[j]);
    for (size_t i = 0; i < count; i++) {
        double mu[OPTIM_MAX_OBJECTIVES], sigma[OPTIM_MAX_OBJECTIVES];
        score[i].optimism = 0;
        for (size_t j = 0; j < problem->objectives; j++) {
            if (problem->objective[j].exact) {
                double value = surrogate_sign(problem, j) * admission[i].exact[j];
                mu[j] = (value - surrogate->offset[j]) * surrogate->scale[j];
                sigma[j] = 0;
            } else {
                mu[j] = mean[j][i];
                sigma[j] = sqrt(variance[j][i]);
            }
            score[i].optimism += mu[j] + sigma[j];
        }
        score[i].log_value = boxes_log_ehvi(surrogate->boxes, mu, sigma);
    }
}

nr_status surrogate_score(struct surrogate *surrogate, const double *points, const struct optim_admission *admission,
                          size_t count, struct score *score)
{
    nr_status status = mem_grow(&surrogate->whitened, &surrogate->whitened_capacity, surrogate->total * SURROGATE_BATCH,
                                sizeof(double));
    if (status != NR_OK)
        return status;
    for (size_t i = 0; i < count; i += SURROGATE_BATCH)
        score_batch(surrogate, points + i * surrogate->problem->space->count, admission + i,
                    count - i < SURROGATE_BATCH ? count - i : SURROGATE_BATCH, score + i);
    return NR_OK;
}

size_t surrogate_front(const struct surrogate *surrogate, size_t position)
{
    return position < surrogate->front_count ? surrogate->trial[surrogate->front[position]] : SIZE_MAX;
}

/* ---- state ---- */

void surrogate_append_state(const struct surrogate *surrogate, struct text *text)
{
    text_format(text, "results=%zu full=%zu", surrogate->results, surrogate->full_results);
    for (size_t j = 0; j < surrogate->problem->objectives; j++) {
        if (!surrogate->theta[j])
            continue;
        text_format(text, " model%zu=", j);
        for (size_t t = 0; t < parameters(surrogate); t++) {
            text_append(text, t ? "," : "");
            text_append_real(text, surrogate->theta[j][t]);
        }
    }
}

static bool restore_theta(struct surrogate *surrogate, size_t j, const char *list)
{
    size_t count = parameters(surrogate);
    char *copy = mem_copy_string(list), *rest = NULL;
    bool valid = copy && j < surrogate->problem->objectives && surrogate->theta[j];
    size_t t = 0;
    for (char *part = valid ? strtok_r(copy, ",", &rest) : NULL; part && valid; part = strtok_r(NULL, ",", &rest)) {
        valid = t < count && text_to_real(part, &surrogate->theta[j][t]);
        t++;
    }
    free(copy);
    return valid && t == count;
}

bool surrogate_restore_entry(struct surrogate *surrogate, const char *entry)
{
    int64_t number;
    const char *value = strchr(entry, '=');
    if (!value)
        return false;
    value++;
    if (text_starts_with(entry, "model") && entry[5] >= '0' && entry[5] < '0' + OPTIM_MAX_OBJECTIVES &&
        value == entry + 7)
        return restore_theta(surrogate, (size_t)(entry[5] - '0'), value);
    if (!text_to_int(value, &number) || number < 0)
        return false;
    if (text_starts_with(entry, "results="))
        surrogate->results = (size_t)number;
    else if (text_starts_with(entry, "full="))
        surrogate->full_results = (size_t)number;
    else
        return false;
    return true;
}
