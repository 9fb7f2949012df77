/* Tables filled column by column, row by row, with one check at the end: the first failure makes all later calls do
 * nothing. For everything that lists. */
#ifndef NASRUN_REPORT_FILLING_H
#define NASRUN_REPORT_FILLING_H

#include "report/table.h"
#include "space/space.h"

/* In which forms a column is shown. */
enum {
    FORM_TEXT = 1u << TABLE_TEXT,
    FORM_CSV = 1u << TABLE_CSV,
    FORM_JSON = 1u << TABLE_JSON,
    FORM_DATA = FORM_CSV | FORM_JSON,
    FORM_ALL = FORM_DATA | FORM_TEXT,
};

struct filling {
    struct table *table;
    size_t column; /* of the last row: the next to be set */
    nr_status status;
};

struct filling filling_begin(void);
void filling_column(struct filling *filling, const char *name, const char *heading, enum column_kind kind, int decimals,
                    unsigned forms);
void filling_row(struct filling *filling);
/* The next cell of the row, in the order of the columns. */
void filling_text(struct filling *filling, const char *value);
void filling_int(struct filling *filling, int64_t value);
void filling_real(struct filling *filling, double value);
void filling_skip(struct filling *filling); /* unknown */
/* Hands the table out, or destroys it and returns what went wrong, logged with `what` was going on. */
nr_status filling_end(struct filling *filling, struct log *log, const char *what, struct table **out) NR_MUST_CHECK;

/* Dimensions whose every value is a number are numbers in data, too. */
enum column_kind filling_kind(const struct dimension *dimension);
void filling_dimension(struct filling *filling, const struct dimension *dimension, double value);

#endif
