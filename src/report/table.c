#include "report/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "report/json_text.h"
#include "report/terminal.h"

enum { GAP = 2, NARROWEST_TEXT = 12, ALL_FORMS = 1u << TABLE_TEXT | 1u << TABLE_CSV | 1u << TABLE_JSON };

struct column {
    char *name, *heading;
    enum column_kind kind;
    int decimals;
    unsigned forms;
};

struct table_cell {
    bool known;
    char *string;
    int64_t whole;
    double real;
};

struct table {
    struct column *column;
    size_t columns, column_capacity;
    struct table_cell *cell; /* [rows][columns] */
    size_t rows, cell_capacity;
};

nr_status table_create(struct table **out)
{
    struct table *table = mem_array(1, sizeof *table);
    if (!table)
        return NR_NO_MEMORY;
    *out = table;
    return NR_OK;
}

void table_destroy(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->columns; i++) {
        free(table->column[i].name);
        free(table->column[i].heading);
    }
    for (size_t i = 0; i < table->rows * table->columns; i++)
        free(table->cell[i].string);
    free(table->column);
    free(table->cell);
    free(table);
}

/* A copy that is valid UTF-8, as JSON and terminals need it. */
static char *copy_valid(const char *string)
{
    struct text text = {0};
    terminal_append_valid(&text, string);
    return text_take(&text);
}

nr_status table_add_column(struct table *table, const char *name, const char *heading, enum column_kind kind,
                           int decimals, bool only_data)
{
    if (table->rows)
        return NR_INVALID;
    if (mem_grow(&table->column, &table->column_capacity, table->columns + 1, sizeof *table->column) != NR_OK)
        return NR_NO_MEMORY;
    struct column *column = &table->column[table->columns];
    *column = (struct column){.name = copy_valid(name),
                              .heading = copy_valid(heading ? heading : name),
                              .kind = kind,
                              .decimals = decimals,
                              .forms = ALL_FORMS & ~(only_data ? 1u << TABLE_TEXT : 0u)};
    if (!column->name || !column->heading) {
        free(column->name);
        free(column->heading);
        return NR_NO_MEMORY;
    }
    table->columns++;
    return NR_OK;
}

void table_limit_column(struct table *table, unsigned forms)
{
    if (table->columns)
        table->column[table->columns - 1].forms = forms;
}

nr_status table_add_row(struct table *table)
{
    size_t used = table->rows * table->columns;
    if (mem_grow(&table->cell, &table->cell_capacity, used + table->columns, sizeof *table->cell) != NR_OK)
        return NR_NO_MEMORY;
    for (size_t i = 0; i < table->columns; i++)
        table->cell[used + i] = (struct table_cell){0};
    table->rows++;
    return NR_OK;
}

/* The cell of the last row, NULL when there is none of that kind. */
static struct table_cell *last_cell(struct table *table, size_t column, enum column_kind kind)
{
    if (!table->rows || column >= table->columns || table->column[column].kind != kind)
        return NULL;
    return &table->cell[(table->rows - 1) * table->columns + column];
}

static nr_status set_string(struct table *table, size_t column, enum column_kind kind, const char *value)
{
    struct table_cell *cell = last_cell(table, column, kind);
    if (!cell)
        return NR_INVALID;
    char *string = value ? copy_valid(value) : NULL;
    if (value && !string)
        return NR_NO_MEMORY;
    free(cell->string);
    cell->string = string;
    cell->known = value != NULL;
    return NR_OK;
}

nr_status table_set_text(struct table *table, size_t column, const char *value)
{
    return set_string(table, column, COLUMN_TEXT, value);
}

nr_status table_set_list(struct table *table, size_t column, const char *lines)
{
    return set_string(table, column, COLUMN_LIST, lines);
}

nr_status table_set_int(struct table *table, size_t column, int64_t value)
{
    struct table_cell *cell = last_cell(table, column, COLUMN_INT);
    if (!cell)
        return NR_INVALID;
    cell->whole = value;
    cell->known = true;
    return NR_OK;
}

nr_status table_set_real(struct table *table, size_t column, double value)
{
    struct table_cell *cell = last_cell(table, column, COLUMN_REAL);
    if (!cell)
        return NR_INVALID;
    cell->real = value;
    cell->known = !isnan(value);
    return NR_OK;
}

static void append_joined(struct text *text, const char *lines)
{
    for (; *lines; lines++)
        text_append_bytes(text, *lines == '\n' ? "; " : lines, *lines == '\n' ? 2 : 1);
}

/* The value as every form but JSON's strings shows it; nothing when unknown. */
static void append_value(const struct table *table, size_t row, size_t c, bool rounded, struct text *text)
{
    const struct column *column = &table->column[c];
    const struct table_cell *cell = &table->cell[row * table->columns + c];
    if (!cell->known)
        return;
    if (column->kind == COLUMN_TEXT)
        text_append(text, cell->string);
    else if (column->kind == COLUMN_LIST)
        append_joined(text, cell->string);
    else if (column->kind == COLUMN_INT)
        text_format(text, "%" PRId64, cell->whole);
    else if (rounded && column->decimals >= 0)
        text_format(text, "%.*f", column->decimals, cell->real);
    else if (rounded && column->decimals < -1)
        text_format(text, "%.*g", -column->decimals, cell->real);
    else
        text_append_real(text, cell->real);
}

/* Writes the text out, or says why not, and clears it. */
static nr_status flush(struct text *text, FILE *stream)
{
    nr_status status = NR_OK;
    if (text->failed)
        status = NR_NO_MEMORY;
    else if (text->length && fwrite(text->data, 1, text->length, stream) != text->length)
        status = NR_IO;
    else if (fflush(stream) != 0)
        status = NR_IO;
    text_clear(text);
    return status;
}

static bool in_form(const struct table *table, size_t column, enum table_format form)
{
    return table->column[column].forms & 1u << form;
}

/* --- text --- */

static nr_status measure(const struct table *table, size_t *width)
{
    for (size_t c = 0; c < table->columns; c++) {
        width[c] = terminal_columns(table->column[c].heading);
        for (size_t row = 0; row < table->rows; row++) {
            struct text value = {0};
            append_value(table, row, c, true, &value);
            size_t columns = value.data ? terminal_columns(value.data) : 0;
            if (columns > width[c])
                width[c] = columns;
            if (value.failed)
                return NR_NO_MEMORY;
            text_clear(&value);
        }
    }
    return NR_OK;
}

/* Takes columns from the widest text until the rows fit, or until texts are as narrow as is still of use; numbers are
 * never cut. */
static void narrow(const struct table *table, size_t limit, size_t *width)
{
    for (;;) {
        size_t total = 0, widest = SIZE_MAX;
        for (size_t c = 0; c < table->columns; c++) {
            if (!in_form(table, c, TABLE_TEXT))
                continue;
            total += width[c] + (total ? GAP : 0);
            if (table->column[c].kind == COLUMN_TEXT && width[c] > NARROWEST_TEXT &&
                (widest == SIZE_MAX || width[c] > width[widest]))
                widest = c;
        }
        if (total <= limit || widest == SIZE_MAX)
            return;
        width[widest]--;
    }
}

static void end_line(struct text *text)
{
    while (text->length && text->data[text->length - 1] == ' ')
        text->data[--text->length] = '\0';
    text_append(text, "\n");
}

/* One line: the headings when `row` is SIZE_MAX. */
static void append_line(const struct table *table, size_t row, const size_t *width, struct text *text)
{
    bool first = true;
    for (size_t c = 0; c < table->columns; c++) {
        if (!in_form(table, c, TABLE_TEXT))
            continue;
        struct text value = {0};
        if (row == SIZE_MAX)
            text_append(&value, table->column[c].heading);
        else
            append_value(table, row, c, true, &value);
        if (!first)
            text_append(text, "  ");
        first = false;
        terminal_append_fit(text, value.data ? value.data : "", width[c], table->column[c].kind != COLUMN_TEXT);
        text->failed |= value.failed;
        text_clear(&value);
    }
}

nr_status table_write_text(const struct table *table, size_t width, bool styled, FILE *stream)
{
    struct text text = {0};
    size_t *columns = mem_array(table->columns, sizeof *columns);
    if (!columns || measure(table, columns) != NR_OK) {
        free(columns);
        return NR_NO_MEMORY;
    }
    if (width)
        narrow(table, width, columns);
    text_append(&text, styled ? "\033[1m" : "");
    append_line(table, SIZE_MAX, columns, &text);
    end_line(&text);
    if (styled) { /* within the line: some terminals fill the next one otherwise */
        text.length--;
        text_append(&text, "\033[0m\n");
    }
    for (size_t row = 0; row < table->rows; row++) {
        append_line(table, row, columns, &text);
        end_line(&text);
    }
    free(columns);
    return flush(&text, stream);
}

/* --- CSV --- */

static void append_csv(struct text *text, const char *value)
{
    if (!strpbrk(value, ",\"\r\n")) {
        text_append(text, value);
        return;
    }
    text_append(text, "\"");
    for (; *value; value++)
        text_append_bytes(text, *value == '"' ? "\"\"" : value, *value == '"' ? 2 : 1);
    text_append(text, "\"");
}

static void append_csv_line(const struct table *table, size_t row, struct text *text)
{
    bool first = true;
    for (size_t c = 0; c < table->columns; c++) {
        if (!in_form(table, c, TABLE_CSV))
            continue;
        struct text value = {0};
        if (row == SIZE_MAX)
            text_append(&value, table->column[c].name);
        else
            append_value(table, row, c, false, &value);
        if (!first)
            text_append(text, ",");
        first = false;
        append_csv(text, value.data ? value.data : "");
        text->failed |= value.failed;
        text_clear(&value);
    }
    text_append(text, "\n"); /* RFC 4180's CRLF would end up in the last column of awk and cut */
}

static nr_status write_csv(const struct table *table, FILE *stream)
{
    struct text text = {0};
    append_csv_line(table, SIZE_MAX, &text);
    for (size_t row = 0; row < table->rows; row++)
        append_csv_line(table, row, &text);
    return flush(&text, stream);
}

/* --- JSON --- */

static void append_json_list(struct text *text, const char *lines)
{
    const char *before = "";
    text_append(text, "[");
    while (*lines) {
        size_t length = strcspn(lines, "\n");
        struct text line = {0};
        text_append_bytes(&line, lines, length);
        text_append(text, before);
        if (!line.failed)
            json_text_string(text, line.data ? line.data : "");
        text->failed |= line.failed;
        text_clear(&line);
        before = ", ";
        lines += length + (lines[length] == '\n');
    }
    text_append(text, "]");
}

static void append_json_value(const struct table *table, size_t row, size_t c, struct text *text)
{
    const struct table_cell *cell = &table->cell[row * table->columns + c];
    enum column_kind kind = table->column[c].kind;
    if (!cell->known || (kind == COLUMN_REAL && !isfinite(cell->real)))
        text_append(text, "null");
    else if (kind == COLUMN_TEXT)
        json_text_string(text, cell->string);
    else if (kind == COLUMN_LIST)
        append_json_list(text, cell->string);
    else
        append_value(table, row, c, false, text);
}

static nr_status write_json(const struct table *table, FILE *stream)
{
    struct text text = {0};
    text_append(&text, "[");
    for (size_t row = 0; row < table->rows; row++) {
        const char *before = row ? ",\n {" : "\n {";
        for (size_t c = 0; c < table->columns; c++) {
            if (!in_form(table, c, TABLE_JSON))
                continue;
            text_append(&text, before);
            json_text_string(&text, table->column[c].name);
            text_append(&text, ": ");
            append_json_value(table, row, c, &text);
            before = ", ";
        }
        text_append(&text, "}");
    }
    text_append(&text, table->rows ? "\n]\n" : "]\n");
    return flush(&text, stream);
}

nr_status table_write(const struct table *table, enum table_format format, FILE *stream)
{
    if (format == TABLE_CSV)
        return write_csv(table, stream);
    if (format == TABLE_JSON)
        return write_json(table, stream);
    struct terminal terminal = terminal_of(stream);
    return table_write_text(table, terminal.width, terminal.styled, stream);
}
