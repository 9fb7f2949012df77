#include "optim/diagnosis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "optim/diagnosis_parts.h"
#include "optim/pareto.h"

/* Takes the model's entries of a recorded state; others ("sobol=7") say nothing about the model. */
static nr_status restore(struct surrogate *surrogate, const char *state)
{
    char *copy = mem_copy_string(state), *rest = NULL;
    if (!copy)
        return NR_NO_MEMORY;
    for (char *entry = strtok_r(copy, " ", &rest); entry; entry = strtok_r(NULL, " ", &rest))
        (void)surrogate_restore_entry(surrogate, entry);
    free(copy);
    return NR_OK;
}

nr_status diagnosis_create(const struct optimizer *optimizer, const char *fit, bool may_fit, struct text *note,
                           struct diagnosis **out)
{
    const struct optim_options *options = optimizer_options(optimizer);
    struct text state = {0};
    struct diagnosis *diagnosis = mem_array(1, sizeof *diagnosis);
    if (!diagnosis)
        return NR_NO_MEMORY;
    *diagnosis = (struct diagnosis){
        .problem = optimizer_problem(optimizer), .history = optimizer_history(optimizer), .seed = options->seed};
    nr_status status = surrogate_create(diagnosis->problem, options, &diagnosis->surrogate);
    optimizer_append_model(optimizer, &state);
    if (status == NR_OK && state.failed)
        status = NR_NO_MEMORY;
    if (status == NR_OK && state.data)
        status = restore(diagnosis->surrogate, state.data);
    if (status == NR_OK && fit)
        status = restore(diagnosis->surrogate, fit);
    if (status == NR_OK && !may_fit && !surrogate_is_fitted(diagnosis->surrogate)) {
        text_append(note, "the search has fitted none");
        status = NR_NO_RESULT;
    }
    if (status == NR_OK)
        status = surrogate_look(diagnosis->surrogate, diagnosis->history, note);
    text_clear(&state);
    if (status != NR_OK) {
        diagnosis_destroy(diagnosis);
        return status;
    }
    *out = diagnosis;
    return NR_OK;
}

void diagnosis_destroy(struct diagnosis *diagnosis)
{
    if (!diagnosis)
        return;
    surrogate_destroy(diagnosis->surrogate);
    free(diagnosis);
}

bool diagnosis_models(const struct diagnosis *diagnosis, size_t outcome)
{
    return surrogate_models(diagnosis->surrogate, outcome);
}

void diagnosis_append_model(const struct diagnosis *diagnosis, struct text *text)
{
    surrogate_append_state(diagnosis->surrogate, text);
}

size_t diagnosis_trials(const struct diagnosis *diagnosis)
{
    return diagnosis->history->count;
}

size_t diagnosis_rows(const struct diagnosis *diagnosis)
{
    return surrogate_rows(diagnosis->surrogate);
}

struct diagnosis_belief diagnosis_interval(const struct diagnosis *diagnosis, size_t outcome, double mean,
                                           double deviation)
{
    const struct surrogate *surrogate = diagnosis->surrogate;
    double worse = surrogate_to_unit(surrogate, outcome, mean - diagnosis_width * deviation);
    double better = surrogate_to_unit(surrogate, outcome, mean + diagnosis_width * deviation);
    return (struct diagnosis_belief){surrogate_to_unit(surrogate, outcome, mean), fmin(worse, better),
                                     fmax(worse, better)};
}

struct diagnosis_belief diagnosis_exact(double value)
{
    return (struct diagnosis_belief){value, value, value};
}

/* ---- leave-one-out ---- */

struct loo {
    size_t rows;
    double *observed, *mean, *variance; /* [rows], on the model's scale */
};

/* Share of the squared deviations from the mean of the others that predictions remove. */
static double r_squared(const double *value, const double *predicted, size_t count)
{
    double sum = 0, errors = 0, spread = 0;
    for (size_t i = 0; i < count; i++)
        sum += value[i];
    for (size_t i = 0; i < count; i++) {
        double others = (sum - value[i]) / (double)(count - 1);
        errors += (value[i] - predicted[i]) * (value[i] - predicted[i]);
        spread += (value[i] - others) * (value[i] - others);
    }
    return spread > 0 ? 1 - errors / spread : NAN;
}

static double log_normal_density(double z, double variance)
{
    return -0.5 * (log(2 * M_PI * variance) + z * z / variance);
}

/* The normal that knows nothing of the points has the others' mean and variance. Where the others are all equal it has
 * no density to compare with. */
static double density_gain(const struct loo *loo)
{
    double sum = 0, squares = 0, gain = 0, others = (double)loo->rows - 1;
    for (size_t i = 0; i < loo->rows; i++) {
        sum += loo->observed[i];
        squares += loo->observed[i] * loo->observed[i];
    }
    for (size_t i = 0; i < loo->rows; i++) {
        double value = loo->observed[i], mean = (sum - value) / others;
        double variance = (squares - value * value - others * mean * mean) / (others - 1);
        if (!(variance > 1e-12)) /* outcomes are standardised: what is smaller is rounding */
            return NAN;
        gain += log_normal_density(value - loo->mean[i], loo->variance[i]) - log_normal_density(value - mean, variance);
    }
    return gain / (double)loo->rows;
}

/* Half of what two standard deviations of noise span in the unit, around the best result. */
static double noise_in_unit(const struct diagnosis *diagnosis, size_t outcome, const struct loo *loo)
{
    double deviation = sqrt(surrogate_noise(diagnosis->surrogate, outcome)), best = -INFINITY;
    for (size_t i = 0; i < loo->rows; i++)
        best = fmax(best, loo->observed[i]);
    return 0.5 * fabs(surrogate_to_unit(diagnosis->surrogate, outcome, best + deviation) -
                      surrogate_to_unit(diagnosis->surrogate, outcome, best - deviation));
}

static nr_status measure(const struct diagnosis *diagnosis, size_t outcome, const struct loo *loo,
                         struct diagnosis_row *row, struct diagnosis_quality *quality)
{
    size_t inside = 0;
    double *value = mem_array(loo->rows, sizeof *value), *predicted = mem_array(loo->rows, sizeof *predicted);
    for (size_t i = 0; value && predicted && i < loo->rows; i++) {
        double deviation = sqrt(loo->variance[i]);
        struct diagnosis_belief belief = diagnosis_interval(diagnosis, outcome, loo->mean[i], deviation);
        double error = (loo->observed[i] - loo->mean[i]) / deviation;
        value[i] = surrogate_to_unit(diagnosis->surrogate, outcome, loo->observed[i]);
        predicted[i] = belief.mean;
        inside += fabs(error) <= diagnosis_width;
        if (row)
            row[i] = (struct diagnosis_row){diagnosis->history->trial[surrogate_row_trial(diagnosis->surrogate, i)].id,
                                            value[i],
                                            belief.mean,
                                            belief.low,
                                            belief.high,
                                            error};
    }
    if (value && predicted)
        *quality = (struct diagnosis_quality){.rows = loo->rows,
                                              .r_squared = r_squared(value, predicted, loo->rows),
                                              .r_squared_modelled = r_squared(loo->observed, loo->mean, loo->rows),
                                              .density_gain = density_gain(loo),
                                              .coverage = (double)inside / (double)loo->rows,
                                              .noise = noise_in_unit(diagnosis, outcome, loo),
                                              .half_rank = surrogate_half_rank(diagnosis->surrogate, outcome)};
    nr_status status = value && predicted ? NR_OK : NR_NO_MEMORY;
    free(value);
    free(predicted);
    return status;
}

nr_status diagnosis_leave_one_out(struct diagnosis *diagnosis, size_t outcome, struct diagnosis_row *row,
                                  struct diagnosis_quality *quality)
{
    struct loo loo = {.rows = surrogate_rows(diagnosis->surrogate)};
    double *space = mem_array(loo.rows, 3 * sizeof *space);
    if (!space)
        return NR_NO_MEMORY;
    loo.observed = space;
    loo.mean = space + loo.rows;
    loo.variance = space + 2 * loo.rows;
    nr_status status = surrogate_leave_one_out(diagnosis->surrogate, outcome, loo.observed, loo.mean, loo.variance);
    if (status == NR_OK)
        status = measure(diagnosis, outcome, &loo, row, quality);
    free(space);
    return status;
}

/* ---- beliefs ---- */

static nr_status believe(struct diagnosis *diagnosis, size_t index, struct diagnosis_belief *belief)
{
    const struct optim_admission *admission = &diagnosis->history->trial[index].admission;
    for (size_t j = 0; j < diagnosis_outcomes(diagnosis); j++) {
        double mean, variance;
        if (!diagnosis_models(diagnosis, j)) {
            belief[j] = diagnosis_exact(admission->exact[j]);
            continue;
        }
        nr_status status =
            surrogate_predict(diagnosis->surrogate, j, history_point(diagnosis->history, index), 1, &mean, &variance);
        if (status != NR_OK)
            return status;
        belief[j] = diagnosis_interval(diagnosis, j, mean, sqrt(variance));
    }
    return NR_OK;
}

nr_status diagnosis_believe(struct diagnosis *diagnosis, int64_t trial, struct diagnosis_belief *belief)
{
    const struct history_trial *known = history_find(diagnosis->history, trial);
    return known ? believe(diagnosis, (size_t)(known - diagnosis->history->trial), belief) : NR_NOT_FOUND;
}

/* Whether the constraints are believed to be kept; `mean` by outcome. */
static bool keeps(const struct optim_problem *problem, const double *mean)
{
    for (size_t c = 0; c < problem->constraints; c++) {
        double value = mean[problem->objectives + c], bound = problem->constraint[c].bound;
        if (problem->constraint[c].at_most ? value > bound : value < bound)
            return false;
    }
    return true;
}

/* What is believed of an outcome for every trial of the history, without intervals: those cost a solve per trial. */
static nr_status believe_means(struct diagnosis *diagnosis, size_t outcome, double *mean)
{
    const struct history *history = diagnosis->history;
    if (!diagnosis_models(diagnosis, outcome)) {
        for (size_t i = 0; i < history->count; i++)
            mean[i] = history->trial[i].admission.exact[outcome];
        return NR_OK;
    }
    nr_status status =
        surrogate_predict(diagnosis->surrogate, outcome, history_point(history, 0), history->count, mean, NULL);
    for (size_t i = 0; status == NR_OK && i < history->count; i++)
        mean[i] = surrogate_to_unit(diagnosis->surrogate, outcome, mean[i]);
    return status;
}

/* Collects the finished trials that keep the constraints, their objectives so that more is better. */
static size_t collect(const struct diagnosis *diagnosis, const double *mean, double *value, size_t *index)
{
    const struct optim_problem *problem = diagnosis->problem;
    const struct history *history = diagnosis->history;
    size_t count = 0;
    for (size_t i = 0; i < history->count; i++) {
        double own[OPTIM_MAX_OUTCOMES];
        for (size_t j = 0; j < diagnosis_outcomes(diagnosis); j++)
            own[j] = mean[j * history->count + i];
        if (history->trial[i].state != TRIAL_FINISHED || !keeps(problem, own))
            continue;
        for (size_t j = 0; j < problem->objectives; j++)
            value[count * problem->objectives + j] = problem->objective[j].maximize ? own[j] : -own[j];
        index[count++] = i;
    }
    return count;
}

nr_status diagnosis_front(struct diagnosis *diagnosis, int64_t *front, size_t *members)
{
    const struct history *history = diagnosis->history;
    size_t objectives = diagnosis->problem->objectives, outcomes = diagnosis_outcomes(diagnosis);
    double *mean = mem_array(history->count * outcomes, sizeof *mean);
    double *value = mem_array(history->count * objectives, sizeof *value);
    size_t *index = mem_array(history->count, sizeof *index), *chosen = mem_array(history->count, sizeof *chosen);
    nr_status status = mean && value && index && chosen ? NR_OK : NR_NO_MEMORY;
    for (size_t j = 0; status == NR_OK && j < outcomes; j++)
        status = believe_means(diagnosis, j, mean + j * history->count);
    if (status == NR_OK)
        *members = pareto_front(value, collect(diagnosis, mean, value, index), objectives, chosen);
    for (size_t k = 0; status == NR_OK && k < *members; k++)
        front[k] = history->trial[index[chosen[k]]].id;
    free(mean);
    free(value);
    free(index);
    free(chosen);
    return status;
}
