#include "bench/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

enum { MOST_COLUMNS = 1024 };

static nr_status add_line(struct csv *csv, char *text, int number, struct log *log)
{
    char *parts[MOST_COLUMNS];
    size_t count = 0, lines = csv->rows + (csv->columns > 0);
    for (char *rest = text, *part; count < MOST_COLUMNS && (part = strsep(&rest, ",")); count++)
        parts[count] = text_trim(part);
    if (csv->columns && count != csv->columns) {
        log_error(log, "%s:%d: %zu values were found, expected %zu as in the header", csv->path, number, count,
                  csv->columns);
        return NR_INVALID;
    }
    if (mem_grow(&csv->cell, &csv->capacity, (lines + 1) * count, sizeof *csv->cell) != NR_OK ||
        mem_grow(&csv->line, &csv->lines_capacity, lines + 1, sizeof *csv->line) != NR_OK)
        return log_no_memory(log, csv->path);
    memcpy(csv->cell + lines * count, parts, count * sizeof *parts);
    csv->line[lines] = number;
    csv->rows = lines; /* of which one is the header */
    csv->columns = count;
    return NR_OK;
}

nr_status csv_read(const char *path, struct log *log, struct csv *out)
{
    int number = 0;
    struct csv csv = {.path = mem_copy_string(path)};
    nr_status status = csv.path ? file_read(path, log, &csv.content, NULL) : log_no_memory(log, path);
    char *rest = csv.content;
    for (char *line; status == NR_OK && (line = strsep(&rest, "\n"));) {
        number++;
        line = text_trim(line);
        if (*line && *line != '#')
            status = add_line(&csv, line, number, log);
    }
    if (status == NR_OK && csv.columns == 0) {
        log_error(log, "%s: the file is empty, expected a header and rows", path);
        status = NR_INVALID;
    }
    if (status != NR_OK) {
        csv_clear(&csv);
        return status;
    }
    *out = csv;
    return NR_OK;
}

void csv_clear(struct csv *csv)
{
    free(csv->path);
    free(csv->content);
    free(csv->cell);
    free(csv->line);
    *csv = (struct csv){0};
}

int csv_column(const struct csv *csv, const char *name)
{
    for (size_t i = 0; i < csv->columns; i++)
        if (!strcmp(csv->cell[i], name))
            return (int)i;
    return CSV_NO_COLUMN;
}

nr_status csv_need_column(const struct csv *csv, const char *name, struct log *log, int *out)
{
    int column = csv_column(csv, name);
    if (column == CSV_NO_COLUMN) {
        log_error(log, "%s:%d: there is no column \"%s\"", csv->path, csv->line[0], name);
        return NR_INVALID;
    }
    *out = column;
    return NR_OK;
}

const char *csv_text(const struct csv *csv, size_t row, int column)
{
    return csv->cell[(row + 1) * csv->columns + (size_t)column];
}

nr_status csv_real(const struct csv *csv, size_t row, int column, struct log *log, double *out)
{
    const char *text = csv_text(csv, row, column);
    double value = NAN;
    if (*text && !text_to_real(text, &value)) {
        log_error(log, "%s:%d: %s is \"%s\", expected a number", csv->path, csv->line[row + 1], csv->cell[column],
                  text);
        return NR_INVALID;
    }
    *out = value;
    return NR_OK;
}
