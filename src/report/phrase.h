/* Small pieces of text for people: durations, values of objectives. */
#ifndef NASRUN_REPORT_PHRASE_H
#define NASRUN_REPORT_PHRASE_H

#include "base/text.h"
#include "space/study.h"

/* "0.8 s", "52 s", "3 min 20 s", "2 h 05 min", "3 d 4 h"; "unknown" for NaN. */
void phrase_append_duration(struct text *text, double seconds);
/* How an objective's values are shown, as table_add_column() takes it: metrics of training with 4 decimals, what is
 * exact in full, all else with 6 significant digits. */
int phrase_decimals(const struct objective *objective);
void phrase_append_value(struct text *text, const struct objective *objective, double value);
/* "val_accuracy 0.9798, parameters 72218" */
void phrase_append_values(struct text *text, const struct study *study, const double *value);

#endif
