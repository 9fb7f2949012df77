#include "report/model.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "report/filling.h"

/* The outcome constraint of that number; NULL: there are fewer. */
static const struct constraint *outcome_constraint(const struct study *study, size_t number)
{
    for (size_t i = 0; i < study->constraints; i++)
        if (study->constraint[i].outcome && number-- == 0)
            return &study->constraint[i];
    return NULL;
}

size_t model_outcomes(const struct study *study)
{
    size_t count = study->objectives;
    for (size_t i = 0; i < study->constraints; i++)
        count += study->constraint[i].outcome;
    return count;
}

const char *model_outcome_name(const struct study *study, size_t outcome)
{
    return outcome < study->objectives ? study->objective[outcome].name
                                       : outcome_constraint(study, outcome - study->objectives)->name;
}

double model_outcome_value(const struct study *study, const struct record *record, size_t outcome)
{
    return record
        ->value[outcome < study->objectives ? outcome : outcome_constraint(study, outcome - study->objectives)->value];
}

/* ---- quality ---- */

nr_status model_quality_table(const struct study *study, struct diagnosis *diagnosis, struct log *log,
                              struct table **out)
{
    struct filling filling = filling_begin();
    filling_column(&filling, "outcome", NULL, COLUMN_TEXT, 0, FORM_ALL);
    filling_column(&filling, "results", NULL, COLUMN_INT, 0, FORM_ALL);
    filling_column(&filling, "r_squared", "R2", COLUMN_REAL, 3, FORM_ALL);
    filling_column(&filling, "r_squared_modelled", "R2 modelled", COLUMN_REAL, 3, FORM_ALL);
    filling_column(&filling, "coverage", "in 95 %", COLUMN_REAL, 3, FORM_ALL);
    filling_column(&filling, "density_gain", "gain", COLUMN_REAL, 2, FORM_ALL);
    filling_column(&filling, "noise", NULL, COLUMN_REAL, -3, FORM_ALL);
    filling_column(&filling, "transform", NULL, COLUMN_TEXT, 0, FORM_ALL);
    for (size_t j = 0; j < model_outcomes(study) && filling.status == NR_OK; j++) {
        struct diagnosis_quality quality;
        if (!diagnosis_models(diagnosis, j))
            continue;
        filling.status = diagnosis_leave_one_out(diagnosis, j, NULL, &quality);
        filling_row(&filling);
        filling_text(&filling, model_outcome_name(study, j));
        filling_int(&filling, (int64_t)quality.rows);
        filling_real(&filling, quality.r_squared);
        filling_real(&filling, quality.r_squared_modelled);
        filling_real(&filling, quality.coverage);
        filling_real(&filling, quality.density_gain);
        filling_real(&filling, quality.noise);
        filling_text(&filling, quality.half_rank ? "halfrank" : "none");
    }
    return filling_end(&filling, log, "describing the model", out);
}

/* ---- importances ---- */

struct ranked {
    size_t dimension;
    double total;
};

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->total != b->total)
        return a->total > b->total ? -1 : 1;
    return a->dimension < b->dimension ? -1 : a->dimension > b->dimension;
}

/* Of a dimension that does not matter no place is better than another. */
static const double least_total = 0.01;

static void append_best(struct text *text, const struct dimension *dimension,
                        const struct diagnosis_importance *importance)
{
    bool real = !dimension->levels && dimension->kind == DIM_REAL;
    if (importance->total < least_total || isnan(importance->best))
        return;
    if (real)
        text_format(text, "%.2g", importance->best); /* an eighth of the range is known to two digits */
    else
        dimension_append_value(dimension, importance->best, text);
}

static void add_importance(struct filling *filling, const char *outcome, const struct dimension *dimension,
                           const struct diagnosis_importance *importance)
{
    struct text best = {0};
    append_best(&best, dimension, importance);
    if (best.failed)
        filling->status = NR_NO_MEMORY;
    filling_row(filling);
    filling_text(filling, outcome);
    filling_text(filling, dimension->name);
    filling_real(filling, importance->first);
    filling_real(filling, importance->total);
    filling_text(filling, best.data);
    filling_text(filling, dimension->condition_text);
    text_clear(&best);
}

static nr_status add_importances(struct filling *filling, const struct study *study, struct diagnosis *diagnosis,
                                 size_t outcome, size_t most, struct diagnosis_importance *importance,
                                 struct ranked *ranked)
{
    const struct space *space = &study->space;
    size_t count = 0;
    nr_status status = diagnosis_importances(diagnosis, outcome, importance);
    if (status != NR_OK)
        return status;
    for (size_t d = 0; d < space->count; d++)
        if (!isnan(importance[d].total))
            ranked[count++] = (struct ranked){d, importance[d].total};
    qsort(ranked, count, sizeof *ranked, compare_ranked);
    for (size_t i = 0; i < count && i < most; i++)
        add_importance(filling, model_outcome_name(study, outcome), &space->dimension[ranked[i].dimension],
                       &importance[ranked[i].dimension]);
    return NR_OK;
}

nr_status model_importance_table(const struct study *study, struct diagnosis *diagnosis, size_t most, struct log *log,
                                 struct table **out)
{
    struct filling filling = filling_begin();
    struct diagnosis_importance *importance = mem_array(study->space.count, sizeof *importance);
    struct ranked *ranked = mem_array(study->space.count, sizeof *ranked);
    bool conditions = false;
    for (size_t d = 0; d < study->space.count; d++)
        conditions |= study->space.dimension[d].condition_text != NULL;
    filling_column(&filling, "outcome", NULL, COLUMN_TEXT, 0, FORM_ALL);
    filling_column(&filling, "dimension", NULL, COLUMN_TEXT, 0, FORM_ALL);
    filling_column(&filling, "alone", NULL, COLUMN_REAL, 3, FORM_ALL);
    filling_column(&filling, "total", NULL, COLUMN_REAL, 3, FORM_ALL);
    filling_column(&filling, "best_near", "best near", COLUMN_TEXT, 0, FORM_ALL);
    filling_column(&filling, "condition", "if", COLUMN_TEXT, 0, conditions ? FORM_ALL : FORM_DATA);
    if (!importance || !ranked)
        filling.status = NR_NO_MEMORY;
    for (size_t j = 0; j < model_outcomes(study) && filling.status == NR_OK; j++)
        if (diagnosis_models(diagnosis, j))
            filling.status = add_importances(&filling, study, diagnosis, j, most, importance, ranked);
    free(importance);
    free(ranked);
    return filling_end(&filling, log, "measuring importances", out);
}

/* ---- leave-one-out ---- */

static nr_status add_rows(struct filling *filling, const struct study *study, struct diagnosis *diagnosis,
                          size_t outcome)
{
    struct diagnosis_quality quality;
    struct diagnosis_row *row = mem_array(diagnosis_rows(diagnosis), sizeof *row);
    nr_status status = row ? diagnosis_leave_one_out(diagnosis, outcome, row, &quality) : NR_NO_MEMORY;
    for (size_t i = 0; status == NR_OK && i < quality.rows; i++) {
        filling_row(filling);
        filling_text(filling, model_outcome_name(study, outcome));
        filling_int(filling, row[i].trial);
        filling_real(filling, row[i].measured);
        filling_real(filling, row[i].mean);
        filling_real(filling, row[i].low);
        filling_real(filling, row[i].high);
        filling_real(filling, row[i].error);
        filling_text(filling, row[i].measured < row[i].low ? "below" : row[i].measured > row[i].high ? "above" : "");
    }
    free(row);
    return status;
}

nr_status model_loo_table(const struct study *study, struct diagnosis *diagnosis, struct log *log, struct table **out)
{
    struct filling filling = filling_begin();
    filling_column(&filling, "outcome", NULL, COLUMN_TEXT, 0, FORM_ALL);
    filling_column(&filling, "trial", NULL, COLUMN_INT, 0, FORM_ALL);
    filling_column(&filling, "measured", NULL, COLUMN_REAL, -5, FORM_ALL);
    filling_column(&filling, "predicted", NULL, COLUMN_REAL, -5, FORM_ALL);
    filling_column(&filling, "low", NULL, COLUMN_REAL, -5, FORM_ALL);
    filling_column(&filling, "high", NULL, COLUMN_REAL, -5, FORM_ALL);
    filling_column(&filling, "deviations", NULL, COLUMN_REAL, 2, FORM_ALL);
    filling_column(&filling, "outside", NULL, COLUMN_TEXT, 0, FORM_ALL);
    for (size_t j = 0; j < model_outcomes(study) && filling.status == NR_OK; j++)
        if (diagnosis_models(diagnosis, j))
            filling.status = add_rows(&filling, study, diagnosis, j);
    return filling_end(&filling, log, "leaving results out", out);
}
