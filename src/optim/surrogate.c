#include "optim/surrogate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/pareto.h"
#include "optim/streams.h"
#include "optim/surrogate_parts.h"

enum {
    REFIT_SHARE = 25, /* results per result without a fit: from 25 on every second is fitted, from 250 on one in 11 */
    FULL_UNTIL = 60,  /* results up to which doubling their number asks for a full fit */
    MIN_RESULTS = 4,
    SPARSE_FROM = 50 /* features from which on AUTO takes the sparse prior (src/README.md has what was measured) */
};
/* Log lengths ~ N(length_middle + ln(d) / 2, length_sd^2): the mode of the prior of Hvarfner et al. (2024), but three
 * times as narrow (src/README.md has what was measured). */
static const double length_middle = -1.7, length_sd = 0.6;
/* Failures mostly have one reason: longer lengths, so that what one dimension does holds over the others. */
static const double success_middle = 0, success_sd = 1;
static const double reference_margin = 0.1; /* of the observed range, beyond the worst */

/* N(middle + ln(d) / 2, sd^2) of log lengths; gp_prior is that of lengths, whose density has a factor 1 / length. */
static struct gp_prior length_prior(size_t features, double middle, double sd)
{
    return (struct gp_prior){middle + 0.5 * log((double)features) + sd * sd, sd};
}

static nr_status create_outcomes(struct surrogate *surrogate)
{
    const struct optim_problem *problem = surrogate->problem;
    const struct features *features = &surrogate->evidence.features;
    struct gp_model model = gp_model_default((struct kernel){KERNEL_RBF, features->count, features->category, true});
    model.fit_scale = true;
    model.length = length_prior(features->count, length_middle, length_sd);
    model.sparse = surrogate->options.model == MODEL_SPARSE ||
                   (surrogate->options.model == MODEL_AUTO && features->count >= SPARSE_FROM);
    model.kernel.additive = !model.sparse; /* it would share one variance among all features, whether they matter */
    for (size_t j = 0; j < problem_outcomes(problem); j++) {
        enum optim_transform transform =
            j < problem->objectives ? problem->objective[j].transform : TRANSFORM_NONE; /* a bound may lie anywhere */
        if (problem_knows(problem, j))
            continue;
        nr_status status = outcome_create(&model, problem_sign(problem, j), transform, &surrogate->outcome[j]);
        if (status != NR_OK)
            return status;
    }
    model.length = length_prior(features->count, success_middle, success_sd);
    return outcome_create(&model, 1, TRANSFORM_NONE, &surrogate->success);
}

nr_status surrogate_create(const struct optim_problem *problem, const struct optim_options *options,
                           struct surrogate **out)
{
    struct surrogate *surrogate = mem_array(1, sizeof *surrogate);
    if (!surrogate)
        return NR_NO_MEMORY;
    *surrogate = (struct surrogate){.problem = problem, .options = *options};
    surrogate->needed = options->initial < 2             ? 2
                        : options->initial < MIN_RESULTS ? (size_t)options->initial
                                                         : MIN_RESULTS;
    if (evidence_create(problem, &surrogate->evidence) != NR_OK || create_outcomes(surrogate) != NR_OK)
        goto err_destroy;
    surrogate->batch_x = mem_array(surrogate->evidence.features.count, SURROGATE_BATCH * sizeof *surrogate->batch_x);
    if (!surrogate->batch_x)
        goto err_destroy;
    *out = surrogate;
    return NR_OK;

err_destroy:
    surrogate_destroy(surrogate);
    return NR_NO_MEMORY;
}

static void free_rows(struct surrogate *surrogate)
{
    free(surrogate->value);
    free(surrogate->candidate);
    free(surrogate->front);
    free(surrogate->column);
    free(surrogate->ended);
    surrogate->value = surrogate->column = surrogate->ended = NULL;
    surrogate->candidate = surrogate->front = NULL;
    surrogate->capacity = 0;
}

void surrogate_destroy(struct surrogate *surrogate)
{
    if (!surrogate)
        return;
    for (size_t j = 0; j < OPTIM_MAX_OUTCOMES; j++)
        outcome_destroy(surrogate->outcome[j]);
    outcome_destroy(surrogate->success);
    boxes_destroy(surrogate->boxes);
    evidence_clear(&surrogate->evidence);
    free_rows(surrogate);
    free(surrogate->batch_x);
    free(surrogate->whitened);
    free(surrogate->slopes);
    free(surrogate);
}

static nr_status reserve(struct surrogate *surrogate, size_t rows)
{
    size_t capacity = 2 * rows;
    if (rows <= surrogate->capacity)
        return NR_OK;
    free_rows(surrogate);
    surrogate->value = mem_array(capacity, surrogate->problem->objectives * sizeof *surrogate->value);
    surrogate->candidate = mem_array(capacity, sizeof *surrogate->candidate);
    surrogate->front = mem_array(capacity, sizeof *surrogate->front);
    surrogate->column = mem_array(capacity, sizeof *surrogate->column);
    surrogate->ended = mem_array(capacity, sizeof *surrogate->ended);
    if (!surrogate->value || !surrogate->candidate || !surrogate->front || !surrogate->column || !surrogate->ended)
        return NR_NO_MEMORY;
    surrogate->capacity = capacity;
    return NR_OK;
}

/* ---- learning ---- */

static enum outcome_fit fit_due(const struct surrogate *surrogate, size_t results)
{
    if (surrogate->results == 0 || (results >= 2 * surrogate->full_results && results <= FULL_UNTIL))
        return FIT_FULL;
    return results >= surrogate->results + 1 + surrogate->results / REFIT_SHARE ? FIT_WARM : FIT_NONE;
}

static struct rng fit_stream(const struct surrogate *surrogate, uint32_t suggestion, size_t outcome)
{
    return rng_create(surrogate->options.seed, suggestion, RANDOM_SEARCH, STREAM_FIT, (uint32_t)outcome);
}

static nr_status learn_outcome(struct surrogate *surrogate, size_t j, enum outcome_fit fit, uint32_t suggestion)
{
    const struct evidence *evidence = &surrogate->evidence;
    struct outcome_data data = {.x = evidence_points(evidence),
                                .observed = evidence->observed,
                                .window = evidence_window(evidence),
                                .value = evidence->value + j * evidence->capacity,
                                .variance = evidence->variance + j * evidence->capacity,
                                .repeats = evidence->repeats};
    return outcome_learn(surrogate->outcome[j], &data, fit, fit_stream(surrogate, suggestion, j));
}

/* Success as an outcome that is 1 or -1, by regression: the posterior's share above 0, noise included, is its
 * probability. Closed form, and where failures have no pattern the fitted noise says so. */
static nr_status learn_success(struct surrogate *surrogate, enum outcome_fit fit, uint32_t suggestion)
{
    const struct evidence *evidence = &surrogate->evidence;
    struct outcome_data data = {.x = evidence_ended(evidence),
                                .observed = evidence->failed + evidence->observed,
                                .window = evidence_ended_window(evidence)};
    surrogate->success_modelled = evidence->failed > 0;
    if (!surrogate->success_modelled)
        return NR_OK;
    for (size_t i = 0; i < data.observed; i++)
        surrogate->ended[i] = i < evidence->failed ? -1 : 1;
    data.value = surrogate->ended;
    nr_status status =
        outcome_learn(surrogate->success, &data, fit, fit_stream(surrogate, suggestion, OPTIM_MAX_OUTCOMES));
    if (status == NR_OK)
        surrogate->success_bound = outcome_model_unit(surrogate->success, 0);
    return status;
}

static nr_status learn(struct surrogate *surrogate, enum outcome_fit fit, uint32_t suggestion, struct text *note)
{
    const struct optim_problem *problem = surrogate->problem;
    bool varies = false, modelled = false;
    nr_status status = NR_OK;
    for (size_t j = 0; j < problem_outcomes(problem) && status == NR_OK; j++) {
        if (!surrogate->outcome[j])
            continue;
        status = learn_outcome(surrogate, j, fit, suggestion);
        varies |= status == NR_OK && !surrogate->outcome[j]->map.constant;
        modelled = true;
    }
    if (status == NR_OK)
        status = learn_success(surrogate, fit, suggestion);
    if (status == NR_INVALID) {
        text_append(note, "the model's covariance could not be factored");
        return NR_NO_RESULT;
    }
    if (status == NR_OK && modelled && !varies) {
        text_append(note, "all results are equal");
        return NR_NO_RESULT;
    }
    return status;
}

/* ---- what is believed of the trials ---- */

static size_t rows_of(const struct surrogate *surrogate)
{
    return surrogate->evidence.observed + surrogate->evidence.awaited;
}

static const struct history_trial *trial_of(const struct surrogate *surrogate, const struct history *history,
                                            size_t row)
{
    return &history->trial[surrogate->evidence.trial[surrogate->evidence.failed + row]];
}

/* An exact objective as a share of its observed range, and where the reference lies. */
static void believe_exact(struct surrogate *surrogate, const struct history *history, size_t j)
{
    double sign = problem_sign(surrogate->problem, j), low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < surrogate->evidence.observed; i++) {
        double value = sign * trial_of(surrogate, history, i)->admission.exact[j];
        low = fmin(low, value);
        high = fmax(high, value);
    }
    surrogate->offset[j] = low;
    surrogate->scale[j] = high > low ? 1 / (high - low) : 1;
    for (size_t i = 0; i < rows_of(surrogate); i++)
        surrogate->value[i * surrogate->problem->objectives + j] =
            surrogate_exact(surrogate, j, trial_of(surrogate, history, i)->admission.exact[j]);
    surrogate->reference[j] = -reference_margin;
}

static void believe_modelled(struct surrogate *surrogate, size_t j)
{
    const struct outcome *outcome = surrogate->outcome[j];
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < outcome->observed; i++) {
        low = fmin(low, outcome->modelled[i]);
        high = fmax(high, outcome->modelled[i]);
    }
    surrogate->reference[j] = low - reference_margin * (high > low ? high - low : 1);
    gp_fitted(outcome->gp, surrogate->column);
    for (size_t i = 0; i < rows_of(surrogate); i++)
        surrogate->value[i * surrogate->problem->objectives + j] = surrogate->column[i];
}

/* Marks in candidate[] the rows of which every constraint is believed to hold, by the posterior mean. */
static void believe_feasible(struct surrogate *surrogate)
{
    const struct optim_problem *problem = surrogate->problem;
    for (size_t i = 0; i < rows_of(surrogate); i++)
        surrogate->candidate[i] = true;
    for (size_t c = 0; c < problem->constraints; c++) {
        const struct outcome *outcome = surrogate->outcome[problem->objectives + c];
        surrogate->bound[c] = outcome_model_unit(outcome, problem->constraint[c].bound);
        gp_fitted(outcome->gp, surrogate->column);
        for (size_t i = 0; i < rows_of(surrogate); i++)
            surrogate->candidate[i] &= surrogate->column[i] >= surrogate->bound[c];
    }
    size_t kept = 0; /* now the list of their indices, and their values in front of all others' */
    for (size_t i = 0; i < rows_of(surrogate); i++) {
        if (!surrogate->candidate[i])
            continue;
        memmove(surrogate->value + kept * problem->objectives, surrogate->value + i * problem->objectives,
                problem->objectives * sizeof *surrogate->value);
        surrogate->candidate[kept++] = i;
    }
    surrogate->candidates = kept;
}

/* Some finished trial beats every threshold, by what was measured. */
static bool thresholds_met(const struct surrogate *surrogate)
{
    const struct optim_problem *problem = surrogate->problem;
    const struct evidence *evidence = &surrogate->evidence;
    for (size_t k = 0; k < surrogate->candidates && surrogate->candidate[k] < evidence->observed; k++) {
        bool met = true;
        for (size_t j = 0; j < problem->objectives; j++) {
            double value = evidence->value[j * evidence->capacity + surrogate->candidate[k]];
            double threshold = problem->objective[j].threshold, sign = problem_sign(problem, j);
            met &= isnan(threshold) || sign * value > sign * threshold;
        }
        if (met)
            return true;
    }
    return false;
}

/* Thresholds say what is of interest, not that all else is worth nothing: they serve once something beats them. */
static void place_reference(struct surrogate *surrogate)
{
    const struct optim_problem *problem = surrogate->problem;
    if (!thresholds_met(surrogate))
        return;
    for (size_t j = 0; j < problem->objectives; j++) {
        double threshold = problem->objective[j].threshold;
        if (!isnan(threshold))
            surrogate->reference[j] = surrogate->outcome[j] ? outcome_model_unit(surrogate->outcome[j], threshold)
                                                            : surrogate_exact(surrogate, j, threshold);
    }
}

static nr_status make_boxes(struct surrogate *surrogate)
{
    const struct optim_problem *problem = surrogate->problem;
    size_t open = 0;
    for (size_t j = problem->objectives; j-- > 0;)
        if (!problem_knows(problem, j))
            open = j;
    boxes_destroy(surrogate->boxes);
    surrogate->boxes = NULL;
    surrogate->front_count =
        pareto_front(surrogate->value, surrogate->candidates, problem->objectives, surrogate->front);
    return boxes_create(surrogate->value, surrogate->candidates, problem->objectives, surrogate->reference, open,
                        &surrogate->boxes);
}

static nr_status believe(struct surrogate *surrogate, const struct history *history)
{
    for (size_t j = 0; j < surrogate->problem->objectives; j++) {
        if (surrogate->outcome[j])
            believe_modelled(surrogate, j);
        else
            believe_exact(surrogate, history, j);
    }
    believe_feasible(surrogate);
    place_reference(surrogate);
    if (surrogate->options.cost_aware)
        duration_fit(&surrogate->duration, history);
    return make_boxes(surrogate);
}

/* Gathers what there is to learn from. NR_NO_RESULT where that is too little. */
static nr_status prepare(struct surrogate *surrogate, const struct history *history, struct text *note)
{
    struct evidence *evidence = &surrogate->evidence;
    if (evidence->features.count > KERNEL_MAX_FEATURES || evidence->features.count == 0) {
        text_format(note, "no model for %zu dimensions", evidence->features.count);
        return NR_NO_RESULT;
    }
    if (evidence_gather(evidence, history) != NR_OK)
        return NR_NO_MEMORY;
    if (evidence->observed < surrogate->needed) {
        text_format(note, "%zu results, a model needs %zu", evidence->observed, surrogate->needed);
        return NR_NO_RESULT;
    }
    return reserve(surrogate, evidence->failed + evidence->observed + evidence->awaited);
}

/* Whether some model has no hyper-parameters: a first failure does not wait for the next fit, nor does an outcome of
 * which the last one found none. */
static bool lacks_fit(const struct surrogate *surrogate)
{
    for (size_t j = 0; j < problem_outcomes(surrogate->problem); j++)
        if (surrogate->outcome[j] && !surrogate->outcome[j]->fitted)
            return true;
    return surrogate->evidence.failed && !surrogate->success->fitted;
}

nr_status surrogate_fit(struct surrogate *surrogate, const struct history *history, uint32_t suggestion, bool *refitted,
                        struct text *note)
{
    *refitted = false;
    nr_status status = prepare(surrogate, history, note);
    if (status != NR_OK)
        return status;
    size_t ended = surrogate->evidence.ended;
    enum outcome_fit fit = fit_due(surrogate, ended);
    *refitted = fit != FIT_NONE || lacks_fit(surrogate);
    status = learn(surrogate, fit, suggestion, note);
    if (fit != FIT_NONE) /* whatever came of it: the hyper-parameters have moved */
        surrogate->results = ended;
    if (fit == FIT_FULL)
        surrogate->full_results = ended;
    return status == NR_OK ? believe(surrogate, history) : status;
}

nr_status surrogate_look(struct surrogate *surrogate, const struct history *history, struct text *note)
{
    nr_status status = prepare(surrogate, history, note);
    if (status != NR_OK)
        return status;
    status = learn(surrogate, surrogate->results ? FIT_NONE : FIT_FULL, 0, note);
    if (!surrogate->results) /* its state says that there are hyper-parameters now */
        surrogate->results = surrogate->full_results = surrogate->evidence.ended;
    return status == NR_OK ? believe(surrogate, history) : status;
}

size_t surrogate_front(const struct surrogate *surrogate, size_t position)
{
    if (position >= surrogate->front_count)
        return SIZE_MAX;
    return surrogate->evidence.trial[surrogate->evidence.failed + surrogate->candidate[surrogate->front[position]]];
}

/* ---- state ---- */

void surrogate_append_state(const struct surrogate *surrogate, struct text *text)
{
    char name[24];
    text_format(text, "results=%zu full=%zu", surrogate->results, surrogate->full_results);
    for (size_t j = 0; j < problem_outcomes(surrogate->problem); j++) {
        snprintf(name, sizeof name, "%zu", j);
        if (surrogate->outcome[j])
            outcome_append_state(surrogate->outcome[j], name, text);
    }
    if (surrogate->success->fitted)
        outcome_append_state(surrogate->success, "s", text);
}

/* The outcome that "3" or "s" stands for in a state, NULL: none. */
static struct outcome *named(const struct surrogate *surrogate, char name)
{
    if (name == 's')
        return surrogate->success;
    size_t j = (size_t)(name - '0');
    return name >= '0' && j < problem_outcomes(surrogate->problem) ? surrogate->outcome[j] : NULL;
}

bool surrogate_restore_entry(struct surrogate *surrogate, const char *entry)
{
    int64_t number;
    const char *value = strchr(entry, '=');
    if (!value)
        return false;
    bool model = text_starts_with(entry, "model"), warp = text_starts_with(entry, "warp");
    if (model || warp) {
        struct outcome *outcome = value[-1] && value == entry + (model ? 6 : 5) ? named(surrogate, value[-1]) : NULL;
        return outcome &&
               (model ? outcome_restore_model(outcome, value + 1) : outcome_restore_warp(outcome, value + 1));
    }
    if (!text_to_int(value + 1, &number) || number < 0)
        return false;
    if (text_starts_with(entry, "results="))
        surrogate->results = (size_t)number;
    else if (text_starts_with(entry, "full="))
        surrogate->full_results = (size_t)number;
    else
        return false;
    return true;
}
