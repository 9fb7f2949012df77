#include "report/filling.h"

#include <math.h>

struct filling filling_begin(void)
{
    struct filling filling = {0};
    filling.status = table_create(&filling.table);
    return filling;
}

void filling_column(struct filling *filling, const char *name, const char *heading, enum column_kind kind, int decimals,
                    unsigned forms)
{
    if (filling->status == NR_OK)
        filling->status = table_add_column(filling->table, name, heading, kind, decimals, false);
    if (filling->status == NR_OK)
        table_limit_column(filling->table, forms);
}

void filling_row(struct filling *filling)
{
    if (filling->status == NR_OK)
        filling->status = table_add_row(filling->table);
    filling->column = 0;
}

void filling_text(struct filling *filling, const char *value)
{
    if (filling->status == NR_OK)
        filling->status = table_set_text(filling->table, filling->column, value);
    filling->column++;
}

void filling_int(struct filling *filling, int64_t value)
{
    if (filling->status == NR_OK)
        filling->status = table_set_int(filling->table, filling->column, value);
    filling->column++;
}

void filling_real(struct filling *filling, double value)
{
    if (filling->status == NR_OK)
        filling->status = table_set_real(filling->table, filling->column, value);
    filling->column++;
}

void filling_skip(struct filling *filling)
{
    filling->column++;
}

nr_status filling_end(struct filling *filling, struct log *log, const char *what, struct table **out)
{
    if (filling->status == NR_OK) {
        *out = filling->table;
        return NR_OK;
    }
    table_destroy(filling->table);
    filling->table = NULL;
    if (filling->status == NR_NO_MEMORY)
        return log_no_memory(log, what);
    log_error(log, "%s: %s", what, status_text(filling->status));
    return filling->status;
}

enum column_kind filling_kind(const struct dimension *dimension)
{
    if (dimension->kind == DIM_INT)
        return COLUMN_INT;
    if (dimension->kind == DIM_REAL)
        return COLUMN_REAL;
    for (size_t i = 0; i < dimension->levels; i++)
        if (dimension->kind == DIM_BOOL || !dimension->number || isnan(dimension->number[i]))
            return COLUMN_TEXT;
    return COLUMN_REAL;
}

void filling_dimension(struct filling *filling, const struct dimension *dimension, double value)
{
    struct text text = {0};
    if (isnan(value)) {
        filling_skip(filling);
    } else if (filling_kind(dimension) == COLUMN_INT) {
        filling_int(filling, (int64_t)value);
    } else if (filling_kind(dimension) == COLUMN_REAL) {
        filling_real(filling, dimension_number(dimension, value));
    } else {
        dimension_append_value(dimension, value, &text);
        if (text.failed)
            filling->status = NR_NO_MEMORY;
        filling_text(filling, text.data ? text.data : "");
        text_clear(&text);
    }
}
