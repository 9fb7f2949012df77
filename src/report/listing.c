#include "report/listing.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/phrase.h"

enum {
    FORM_TEXT = 1u << TABLE_TEXT,
    FORM_JSON = 1u << TABLE_JSON,
    FORM_DATA = 1u << TABLE_CSV | FORM_JSON,
    FORM_ALL = FORM_DATA | FORM_TEXT,
};

struct layout {
    struct table *table;
    nr_status status; /* of the first call that failed */
};

static void add(struct layout *layout, const char *name, enum column_kind kind, int decimals, unsigned forms)
{
    if (layout->status == NR_OK)
        layout->status = table_add_column(layout->table, name, NULL, kind, decimals, false);
    if (layout->status == NR_OK)
        table_limit_column(layout->table, forms);
}

/* A column beyond those that are promised: where a dimension or a value has its name ("epochs" often has), JSON goes
 * without it. */
static void add_extra(struct layout *layout, const struct study *study, const char *name, enum column_kind kind,
                      int decimals, unsigned forms)
{
    bool taken = space_find(&study->space, name) != SIZE_MAX;
    for (size_t i = 0; i < study_values(study); i++)
        taken |= !strcmp(study_value_name(study, i), name);
    add(layout, name, kind, decimals, taken ? forms & ~(unsigned)FORM_JSON : forms);
}

/* Dimensions whose every value is a number are numbers in JSON, too. */
static enum column_kind kind_of(const struct dimension *dimension)
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

/* The order of add_record(). Text has the cause at the end, where a long one harms nothing, if there is any. */
static void add_columns(struct layout *layout, const struct study *study, bool front, bool causes)
{
    const struct space *space = &study->space;
    add(layout, "trial", COLUMN_INT, 0, FORM_ALL);
    add(layout, "state", COLUMN_TEXT, 0, front ? FORM_DATA : FORM_ALL);
    add(layout, "cause", COLUMN_TEXT, 0, FORM_DATA);
    for (size_t i = 0; i < study->objectives; i++)
        add(layout, study->objective[i].name, COLUMN_REAL, phrase_decimals(&study->objective[i]), FORM_ALL);
    for (size_t i = study->objectives; i < study_values(study); i++)
        add(layout, study_value_name(study, i), COLUMN_REAL, 4, FORM_ALL);
    for (size_t i = 0; i < space->count; i++)
        add(layout, space->dimension[i].name, kind_of(&space->dimension[i]), -1, FORM_DATA);
    add_extra(layout, study, "epochs", COLUMN_INT, 0, front ? FORM_JSON : FORM_JSON | FORM_TEXT);
    add_extra(layout, study, "seconds", COLUMN_REAL, 2, front ? FORM_JSON : FORM_JSON | FORM_TEXT);
    add_extra(layout, study, "method", COLUMN_TEXT, 0, FORM_JSON);
    add_extra(layout, study, "attempt", COLUMN_INT, 0, FORM_JSON);
    add_extra(layout, study, "started", COLUMN_REAL, -1, FORM_JSON);
    add_extra(layout, study, "ended", COLUMN_REAL, -1, FORM_JSON);
    if (study->external)
        add(layout, "point", COLUMN_TEXT, 0, FORM_TEXT);
    else
        add_extra(layout, study, "network", COLUMN_TEXT, 0, FORM_JSON | FORM_TEXT);
    add(layout, "cause", COLUMN_TEXT, 0, causes ? FORM_TEXT : 0);
}

/* Cells are set from left to right. */
struct row {
    struct table *table;
    size_t column;
    nr_status status;
};

static void set_text(struct row *row, const char *value)
{
    if (row->status == NR_OK)
        row->status = table_set_text(row->table, row->column++, value);
}

static void set_int(struct row *row, int64_t value)
{
    if (row->status == NR_OK)
        row->status = table_set_int(row->table, row->column++, value);
}

static void set_real(struct row *row, double value)
{
    if (row->status == NR_OK)
        row->status = table_set_real(row->table, row->column++, value);
}

static void set_dimension(struct row *row, const struct dimension *dimension, double value)
{
    struct text text = {0};
    if (isnan(value)) {
        row->column++;
    } else if (kind_of(dimension) == COLUMN_INT) {
        set_int(row, (int64_t)value);
    } else if (kind_of(dimension) == COLUMN_REAL) {
        set_real(row, dimension_number(dimension, value));
    } else {
        dimension_append_value(dimension, value, &text);
        if (text.failed)
            row->status = NR_NO_MEMORY;
        set_text(row, text.data ? text.data : "");
        text_clear(&text);
    }
}

static nr_status add_record(struct table *table, const struct study *study, const struct record *record)
{
    struct row row = {.table = table, .status = table_add_row(table)};
    set_int(&row, record->trial);
    set_text(&row, trial_status_name(record->status));
    set_text(&row, record->cause);
    for (size_t i = 0; i < study_values(study); i++)
        set_real(&row, record->value[i]);
    for (size_t i = 0; i < study->space.count; i++)
        set_dimension(&row, &study->space.dimension[i], record->point[i]);
    set_int(&row, record->epochs);
    set_real(&row, record->seconds);
    set_text(&row, record->method);
    set_int(&row, record->attempt);
    set_real(&row, record->started);
    set_real(&row, record->ended);
    set_text(&row, study->external ? record->point_text : record->summary);
    set_text(&row, record->cause);
    return row.status;
}

static nr_status list(const struct results *results, const size_t *which, size_t count, bool front, struct log *log,
                      struct table **out)
{
    struct layout layout = {0};
    bool causes = false;
    for (size_t i = 0; i < count && !front; i++)
        causes |= *results->record[which ? which[i] : i].cause != '\0';
    if (table_create(&layout.table) != NR_OK)
        return log_no_memory(log, "listing trials");
    add_columns(&layout, results->study, front, causes);
    for (size_t i = 0; layout.status == NR_OK && i < count; i++)
        layout.status = add_record(layout.table, results->study, &results->record[which ? which[i] : i]);
    if (layout.status != NR_OK) {
        table_destroy(layout.table);
        return log_no_memory(log, "listing trials");
    }
    *out = layout.table;
    return NR_OK;
}

nr_status listing_trials(const struct results *results, const size_t *which, size_t count, struct log *log,
                         struct table **out)
{
    return list(results, which, which ? count : results->count, false, log, out);
}

nr_status listing_front(const struct results *results, const struct front *front, struct log *log, struct table **out)
{
    return list(results, front->member, front->members, true, log, out);
}

/* Takes the table. */
static nr_status replace_csv(struct table *table, const char *folder, const char *name, struct log *log)
{
    char *content = NULL, *path = file_join(folder, name);
    size_t length = 0;
    nr_status status = NR_NO_MEMORY;
    FILE *stream = open_memstream(&content, &length);
    if (stream)
        status = table_write(table, TABLE_CSV, stream);
    if (stream && fclose(stream) != 0)
        status = NR_NO_MEMORY;
    table_destroy(table);
    if (status != NR_OK || !path)
        status = log_no_memory(log, "writing a table");
    else
        status = file_replace(path, content, length, false, log);
    free(content);
    free(path);
    return status;
}

nr_status listing_write_files(const struct results *results, const struct front *front, const char *folder,
                              struct log *log)
{
    struct table *table;
    nr_status status = listing_trials(results, NULL, 0, log, &table);
    if (status == NR_OK)
        status = replace_csv(table, folder, "trials.csv", log);
    if (status == NR_OK)
        status = listing_front(results, front, log, &table);
    return status == NR_OK ? replace_csv(table, folder, "pareto.csv", log) : status;
}
