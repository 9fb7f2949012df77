/* Reads CSV files of this project's own making: a header, commas, no quotes; lines that begin with '#' are remarks. */
#ifndef NASRUN_BENCH_CSV_H
#define NASRUN_BENCH_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/status.h"

struct csv {
    char *path, *content;
    char **cell; /* [1 + rows][columns], the header first; texts lie in `content` */
    int *line;   /* [1 + rows] in the file, for messages */
    size_t rows, columns, capacity, lines_capacity;
};

/* A row of another length than the header's: NR_INVALID with the line. */
nr_status csv_read(const char *path, struct log *log, struct csv *out) NR_MUST_CHECK;
void csv_clear(struct csv *csv);

enum { CSV_NO_COLUMN = -1 };
/* Number of a column, or CSV_NO_COLUMN; csv_need_column() logs that and returns NR_INVALID. */
int csv_column(const struct csv *csv, const char *name);
nr_status csv_need_column(const struct csv *csv, const char *name, struct log *log, int *out) NR_MUST_CHECK;
const char *csv_text(const struct csv *csv, size_t row, int column);
/* NaN for an empty cell; NR_INVALID, logged with its place, for one that is no number. */
nr_status csv_real(const struct csv *csv, size_t row, int column, struct log *log, double *out) NR_MUST_CHECK;

#endif
