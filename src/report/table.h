/* Tables for people and programs: the same rows as aligned text, CSV or JSON. Used by every command that lists.
 *
 * All columns first, then rows. Numbers are written so that they read back as the same double. */
#ifndef NASRUN_REPORT_TABLE_H
#define NASRUN_REPORT_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

enum table_format { TABLE_TEXT, TABLE_CSV, TABLE_JSON };
enum column_kind { COLUMN_TEXT, COLUMN_INT, COLUMN_REAL, COLUMN_LIST };

struct table;

nr_status table_create(struct table **out) NR_MUST_CHECK;
/* `name` heads CSV and JSON, `heading` the text form (NULL: the name); `decimals` of reals in text (-1: shortest;
 * less: so many significant digits).
 * A column with `only_data` is left out of the text form. */
nr_status table_add_column(struct table *table, const char *name, const char *heading, enum column_kind kind,
                           int decimals, bool only_data) NR_MUST_CHECK;
/* Shows the last column in the given forms only: bits 1u << TABLE_TEXT, ... */
void table_limit_column(struct table *table, unsigned forms);
nr_status table_add_row(struct table *table) NR_MUST_CHECK;
/* Into the last row; a cell never set is unknown: blank in text, empty in CSV, null in JSON. NaN counts as unknown. */
nr_status table_set_text(struct table *table, size_t column, const char *value) NR_MUST_CHECK;
/* Of a COLUMN_LIST: one entry a line; "" is none. An array of strings in JSON, elsewhere joined by semicolons. */
nr_status table_set_list(struct table *table, size_t column, const char *lines) NR_MUST_CHECK;
nr_status table_set_int(struct table *table, size_t column, int64_t value) NR_MUST_CHECK;
nr_status table_set_real(struct table *table, size_t column, double value) NR_MUST_CHECK;
/* CSV quotes where needed (RFC 4180, lines ending as this system's do); JSON is an array of objects, keys in the order
 * of the columns, numbers that are not finite null. Text fits the terminal that the stream is, as table_write_text()
 * with its width. NR_IO when the stream failed. */
nr_status table_write(const struct table *table, enum table_format format, FILE *stream) NR_MUST_CHECK;
/* Numbers to the right; where the rows are wider than `width` columns (0: unlimited) the widest texts are cut. */
nr_status table_write_text(const struct table *table, size_t width, bool styled, FILE *stream) NR_MUST_CHECK;
void table_destroy(struct table *table);

#endif
