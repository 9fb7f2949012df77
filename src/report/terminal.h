/* What a stream can show: its size when it is a terminal, styles, and how many columns UTF-8 text takes.
 * Used by everything that prints for people. */
#ifndef NASRUN_REPORT_TERMINAL_H
#define NASRUN_REPORT_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/text.h"

struct terminal {
    bool live;            /* a terminal that moves its cursor: not a file, a pipe, or TERM=dumb */
    bool styled;          /* live, and NO_COLOR is not set (no-color.org) */
    size_t width, height; /* of a terminal; 0: unlimited */
};

struct terminal terminal_of(FILE *stream);

/* The next character of valid UTF-8 (terminal_append_valid()): its bytes, and the columns that it takes: 0 for
 * combining marks, 2 for wide characters of East Asia and pictures, else 1. */
size_t terminal_next(const char *string, size_t *columns);
size_t terminal_columns(const char *string);
/* Bytes that are no UTF-8 become U+FFFD. */
void terminal_append_valid(struct text *text, const char *string);
/* The string in exactly `columns` columns: cut with an ellipsis, or filled with blanks on the right (or left). Control
 * characters become blanks, so that nothing breaks the line. */
void terminal_append_fit(struct text *text, const char *string, size_t columns, bool right);

#endif
