/* Trials by what the model believes of them. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "report/filling.h"
#include "report/model.h"
#include "report/phrase.h"

static size_t thresholds_met(const struct study *study, const struct diagnosis_belief *belief)
{
    size_t met = 0;
    for (size_t i = 0; i < study->objectives; i++) {
        double threshold = study->objective[i].threshold;
        met += study->objective[i].maximize ? belief[i].mean >= threshold : belief[i].mean <= threshold;
    }
    return met; /* comparisons with NaN, where there is none, are false */
}

/* Whoever dominates the best meets as many thresholds and has as good a first objective: the best is on the front. */
nr_status model_best(const struct results *results, struct diagnosis *diagnosis, int64_t *trial,
                     struct diagnosis_belief belief[OPTIM_MAX_OUTCOMES])
{
    size_t members = 0, most = 0;
    int64_t *front = mem_array(diagnosis_trials(diagnosis), sizeof *front);
    nr_status status = front ? diagnosis_front(diagnosis, front, &members) : NR_NO_MEMORY;
    if (status == NR_OK && !members)
        status = NR_NO_RESULT;
    for (size_t k = 0; status == NR_OK && k < members; k++) { /* best first objective first */
        struct diagnosis_belief other[OPTIM_MAX_OUTCOMES];
        status = diagnosis_believe(diagnosis, front[k], other);
        size_t met = status == NR_OK ? thresholds_met(results->study, other) : 0;
        if (status != NR_OK || (k > 0 && met <= most))
            continue;
        most = met;
        *trial = front[k];
        for (size_t j = 0; j < model_outcomes(results->study); j++)
            belief[j] = other[j];
    }
    free(front);
    return status;
}

static nr_status add_columns(struct filling *filling, const struct study *study, const struct diagnosis *diagnosis)
{
    filling_column(filling, "trial", NULL, COLUMN_INT, 0, FORM_ALL);
    for (size_t j = 0; j < study->objectives; j++) {
        const struct objective *objective = &study->objective[j];
        int decimals = phrase_decimals(objective);
        struct text low = {0}, high = {0}, measured = {0};
        text_format(&low, "%s_low", objective->name);
        text_format(&high, "%s_high", objective->name);
        text_format(&measured, "%s_measured", objective->name);
        bool complete = !low.failed && !high.failed && !measured.failed;
        filling_column(filling, objective->name, NULL, COLUMN_REAL, decimals, FORM_ALL);
        if (complete && diagnosis_models(diagnosis, j)) {
            filling_column(filling, low.data, "low", COLUMN_REAL, decimals, FORM_ALL);
            filling_column(filling, high.data, "high", COLUMN_REAL, decimals, FORM_ALL);
            filling_column(filling, measured.data, "measured", COLUMN_REAL, decimals, FORM_ALL);
        }
        text_clear(&low);
        text_clear(&high);
        text_clear(&measured);
        if (!complete)
            return NR_NO_MEMORY;
    }
    for (size_t i = 0; i < study->space.count; i++)
        filling_column(filling, study->space.dimension[i].name, NULL, filling_kind(&study->space.dimension[i]), -1,
                       FORM_DATA);
    filling_column(filling, study->external ? "point" : "network", NULL, COLUMN_TEXT, 0, FORM_TEXT);
    return filling->status;
}

static nr_status add_member(struct filling *filling, const struct results *results, struct diagnosis *diagnosis,
                            int64_t trial)
{
    const struct study *study = results->study;
    const struct record *record = &results->record[trial - 1];
    struct diagnosis_belief belief[OPTIM_MAX_OUTCOMES];
    nr_status status = diagnosis_believe(diagnosis, trial, belief);
    if (status != NR_OK)
        return status;
    filling_row(filling);
    filling_int(filling, trial);
    for (size_t j = 0; j < study->objectives; j++) {
        filling_real(filling, belief[j].mean);
        if (!diagnosis_models(diagnosis, j))
            continue;
        filling_real(filling, belief[j].low);
        filling_real(filling, belief[j].high);
        filling_real(filling, record->value[j]);
    }
    for (size_t i = 0; i < study->space.count; i++)
        filling_dimension(filling, &study->space.dimension[i], record->point[i]);
    filling_text(filling, study->external ? record->point_text : record->summary);
    return filling->status;
}

nr_status model_front_table(const struct results *results, struct diagnosis *diagnosis, struct log *log,
                            struct table **out)
{
    struct filling filling = filling_begin();
    size_t members = 0;
    int64_t *front = mem_array(diagnosis_trials(diagnosis), sizeof *front);
    if (filling.status == NR_OK)
        filling.status = front ? diagnosis_front(diagnosis, front, &members) : NR_NO_MEMORY;
    if (filling.status == NR_OK)
        filling.status = add_columns(&filling, results->study, diagnosis);
    for (size_t k = 0; k < members && filling.status == NR_OK; k++)
        filling.status = add_member(&filling, results, diagnosis, front[k]);
    free(front);
    return filling_end(&filling, log, "predicting the front", out);
}
