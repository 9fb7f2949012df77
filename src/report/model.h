/* What a search's model believes, as tables: how far it can be trusted, what matters to it, its predictions of the
 * trials, the front that follows from them. Behind `nasrun model`, `importance`, `loo`, `pareto --predicted`, `best`.
 * The caller destroys every table. */
#ifndef NASRUN_REPORT_MODEL_H
#define NASRUN_REPORT_MODEL_H

#include "optim/diagnosis.h"
#include "report/results.h"
#include "report/table.h"

/* Outcomes of the model: the objectives, then what the outcome constraints bound. */
size_t model_outcomes(const struct study *study);
const char *model_outcome_name(const struct study *study, size_t outcome);
double model_outcome_value(const struct study *study, const struct record *record, size_t outcome); /* NaN: unknown */

/* A row per modelled outcome: errors left out one by one, and the noise. */
nr_status model_quality_table(const struct study *study, struct diagnosis *diagnosis, struct log *log,
                              struct table **out) NR_MUST_CHECK;
/* A row per modelled outcome and dimension, those that matter most first; at most `most` of them per outcome. */
nr_status model_importance_table(const struct study *study, struct diagnosis *diagnosis, size_t most, struct log *log,
                                 struct table **out) NR_MUST_CHECK;
/* A row per modelled outcome and result: measured, and predicted from all others. */
nr_status model_loo_table(const struct study *study, struct diagnosis *diagnosis, struct log *log,
                          struct table **out) NR_MUST_CHECK;
/* The front by what is believed: objectives with their 95 % intervals, beside what was measured. */
nr_status model_front_table(const struct results *results, struct diagnosis *diagnosis, struct log *log,
                            struct table **out) NR_MUST_CHECK;

/* The best finished trial by what is believed: most thresholds met by the means, then the best first objective. Its
 * beliefs by outcome. NR_NO_RESULT where none is believed to keep the constraints. */
nr_status model_best(const struct results *results, struct diagnosis *diagnosis, int64_t *trial,
                     struct diagnosis_belief belief[OPTIM_MAX_OUTCOMES]) NR_MUST_CHECK;

#endif
