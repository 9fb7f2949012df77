#include "bench/curves.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "bench/csv.h"

struct curve *curves_add(struct curves *curves, const char *problem, const char *method, int64_t pending, int64_t seed,
                         double best)
{
    if (mem_grow(&curves->curve, &curves->capacity, curves->count + 1, sizeof *curves->curve) != NR_OK)
        return NULL;
    struct curve *curve = &curves->curve[curves->count++];
    *curve = (struct curve){.pending = pending, .seed = seed, .best = best};
    snprintf(curve->problem, sizeof curve->problem, "%s", problem);
    snprintf(curve->method, sizeof curve->method, "%s", method);
    return curve;
}

nr_status curve_append(struct curve *curve, double value, double seconds)
{
    size_t count = curve->count + 1;
    if (mem_grow(&curve->value, &curve->value_capacity, count, sizeof *curve->value) != NR_OK ||
        mem_grow(&curve->seconds, &curve->seconds_capacity, count, sizeof *curve->seconds) != NR_OK)
        return NR_NO_MEMORY;
    curve->value[curve->count] = value;
    curve->seconds[curve->count++] = seconds;
    return NR_OK;
}

void curves_clear(struct curves *curves)
{
    for (size_t i = 0; i < curves->count; i++) {
        free(curves->curve[i].value);
        free(curves->curve[i].seconds);
    }
    free(curves->curve);
    *curves = (struct curves){0};
}

/* ---- reading ---- */

enum { MOST_COUNT = 1000000 };

struct row {
    const char *problem, *method;
    int64_t pending, seed, evaluation;
    double value, seconds, best;
};

struct layout {
    int problem, method, pending, seed, evaluation, value, seconds, best;
};

static nr_status find_columns(const struct csv *csv, struct log *log, struct layout *layout)
{
    nr_status status = csv_need_column(csv, "problem", log, &layout->problem);
    if (status == NR_OK)
        status = csv_need_column(csv, "method", log, &layout->method);
    if (status == NR_OK)
        status = csv_need_column(csv, "seed", log, &layout->seed);
    if (status == NR_OK)
        status = csv_need_column(csv, "evaluation", log, &layout->evaluation);
    if (status == NR_OK)
        status = csv_need_column(csv, "value", log, &layout->value);
    layout->pending = csv_column(csv, "pending");
    layout->seconds = csv_column(csv, "seconds");
    layout->best = csv_column(csv, "best");
    return status;
}

static nr_status read_optional(const struct csv *csv, size_t row, int column, struct log *log, double *out)
{
    *out = NAN;
    return column == CSV_NO_COLUMN ? NR_OK : csv_real(csv, row, column, log, out);
}

static nr_status read_whole(const struct csv *csv, size_t row, int column, int64_t least, struct log *log, int64_t *out)
{
    double value;
    nr_status status = csv_real(csv, row, column, log, &value);
    if (status == NR_OK && !(value >= (double)least && value <= MOST_COUNT && value == floor(value))) {
        log_error(log, "%s:%d: %s is \"%s\", expected a whole number from %" PRId64 " to %d", csv->path,
                  csv->line[row + 1], csv->cell[column], csv_text(csv, row, column), least, MOST_COUNT);
        return NR_INVALID;
    }
    *out = (int64_t)value;
    return status;
}

static nr_status read_name(const struct csv *csv, size_t row, int column, struct log *log, const char **out)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.+";
    const char *text = csv_text(csv, row, column);
    size_t length = strlen(text);
    if (length > 0 && length < BENCH_NAME_SIZE && strspn(text, plain) == length) {
        *out = text;
        return NR_OK;
    }
    log_error(log, "%s:%d: %s is \"%s\", expected a name of 1 to %d letters, digits, - and _", csv->path,
              csv->line[row + 1], csv->cell[column], text, BENCH_NAME_SIZE - 1);
    return NR_INVALID;
}

static nr_status read_row(const struct csv *csv, size_t row, const struct layout *layout, struct log *log,
                          struct row *out)
{
    out->pending = 1;
    nr_status status = read_name(csv, row, layout->problem, log, &out->problem);
    if (status == NR_OK)
        status = read_name(csv, row, layout->method, log, &out->method);
    if (status == NR_OK)
        status = read_whole(csv, row, layout->seed, 0, log, &out->seed);
    if (status == NR_OK)
        status = read_whole(csv, row, layout->evaluation, 1, log, &out->evaluation);
    if (status == NR_OK && layout->pending != CSV_NO_COLUMN)
        status = read_whole(csv, row, layout->pending, 1, log, &out->pending);
    if (status == NR_OK)
        status = csv_real(csv, row, layout->value, log, &out->value);
    if (status == NR_OK)
        status = read_optional(csv, row, layout->seconds, log, &out->seconds);
    if (status == NR_OK)
        status = read_optional(csv, row, layout->best, log, &out->best);
    return status;
}

static struct curve *find(const struct curves *curves, const struct row *row)
{
    for (size_t i = curves->count; i-- > 0;) { /* rows of a curve stand together */
        struct curve *curve = &curves->curve[i];
        if (curve->pending == row->pending && curve->seed == row->seed && !strcmp(curve->problem, row->problem) &&
            !strcmp(curve->method, row->method))
            return curve;
    }
    return NULL;
}

/* Puts a value in its place, NaN where others are missing so far. */
static nr_status place(struct curve *curve, size_t index, const struct row *row)
{
    while (curve->count <= index)
        if (curve_append(curve, NAN, NAN) != NR_OK)
            return NR_NO_MEMORY;
    curve->value[index] = row->value;
    curve->seconds[index] = row->seconds;
    return NR_OK;
}

static double best_of(const struct curves *curves, const struct row *row)
{
    double best = isnan(row->best) ? bench_problem_best(row->problem) : row->best;
    for (size_t i = 0; i < curves->count && isnan(best); i++)
        if (!strcmp(curves->curve[i].problem, row->problem))
            best = curves->curve[i].best;
    return best;
}

/* `before`: curves that were there before this file. */
static nr_status add_row(struct curves *curves, size_t before, const struct row *row, const char *path, int line,
                         struct log *log)
{
    struct curve *curve = find(curves, row);
    if (curve && curve < curves->curve + before) {
        log_error(log, "%s:%d: %s, %s, seed %" PRId64 " with %" PRId64 " pending is there already", path, line,
                  row->problem, row->method, row->seed, row->pending);
        return NR_INVALID;
    }
    if (!curve)
        curve = curves_add(curves, row->problem, row->method, row->pending, row->seed, best_of(curves, row));
    if (!curve || place(curve, (size_t)row->evaluation - 1, row) != NR_OK)
        return log_no_memory(log, path);
    return NR_OK;
}

nr_status curves_read(struct curves *curves, const char *path, struct log *log)
{
    struct csv csv;
    struct layout layout;
    struct row row;
    size_t before = curves->count;
    nr_status status = csv_read(path, log, &csv);
    if (status != NR_OK)
        return status;
    status = find_columns(&csv, log, &layout);
    for (size_t i = 0; i < csv.rows && status == NR_OK; i++) {
        status = read_row(&csv, i, &layout, log, &row);
        if (status == NR_OK)
            status = add_row(curves, before, &row, path, csv.line[i + 1], log);
    }
    csv_clear(&csv);
    return status;
}

/* ---- writing ---- */

static void append_number(struct text *text, double value)
{
    text_append(text, ",");
    if (!isnan(value))
        text_append_real(text, value);
}

nr_status curves_write(const struct curves *curves, const char *path, struct log *log)
{
    struct text text = {0};
    text_append(&text, "problem,method,pending,seed,evaluation,value,seconds,best\n");
    for (size_t i = 0; i < curves->count; i++) {
        const struct curve *curve = &curves->curve[i];
        for (size_t k = 0; k < curve->count; k++) {
            text_format(&text, "%s,%s,%" PRId64 ",%" PRId64 ",%zu", curve->problem, curve->method, curve->pending,
                        curve->seed, k + 1);
            append_number(&text, curve->value[k]);
            text_format(&text, ",%.3g", curve->seconds[k]);
            append_number(&text, curve->best);
            text_append(&text, "\n");
        }
    }
    nr_status status = text.failed ? log_no_memory(log, path) : file_replace(path, text.data, text.length, false, log);
    text_clear(&text);
    return status;
}
