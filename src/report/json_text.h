/* JSON written as text. jansson writes numbers with 17 digits (0.95 as 0.94999999999999996); here they are the shortest
 * that read back as the same double. */
#ifndef NASRUN_REPORT_JSON_TEXT_H
#define NASRUN_REPORT_JSON_TEXT_H

#include "base/text.h"
#include "space/study.h"

/* With quotes; bytes that are not UTF-8 become U+FFFD. */
void json_text_string(struct text *text, const char *string);
/* null where it is not finite. */
void json_text_real(struct text *text, double value);
/* {"h1":64,"lr":0.003,"norm":true,"op":"skip"}: active dimensions; ordered and choice as strings, fixed ones that are
 * numbers as numbers. */
void json_text_point(struct text *text, const struct space *space, const double *point);
/* {"loss":0.2,"size":1234}: by study_value_name(). */
void json_text_values(struct text *text, const struct study *study, const double *value);

#endif
