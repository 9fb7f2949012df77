/* Strings: a growing buffer, numbers from and to text, lists, the nearest known name. */
#ifndef NASRUN_BASE_TEXT_H
#define NASRUN_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* A growing string. Zero-initialised is empty. When memory runs out `failed` is set, later calls do nothing, and
 * whoever uses the result checks it once. */
struct text {
    char *data; /* NUL-terminated; NULL while empty */
    size_t length;
    size_t capacity;
    bool failed;
};

void text_append(struct text *text, const char *string);
void text_append_bytes(struct text *text, const char *bytes, size_t count);
void text_format(struct text *text, const char *format, ...) NR_PRINTF(2, 3);
void text_clear(struct text *text);
/* Takes the string out (caller frees) and leaves the text empty; NULL when it failed. An empty text gives "". */
char *text_take(struct text *text) NR_MUST_CHECK;

/* The whole of `string` as a number; false on anything else (blanks around are allowed, "nan" and "inf" are not).
 * Integers accept forms such as 5e6 when the value is a whole number. */
bool text_to_real(const char *string, double *out);
bool text_to_int(const char *string, int64_t *out);
/* "yes/no", "true/false", "on/off", "1/0" */
bool text_to_bool(const char *string, bool *out);
/* "90", "90s", "12m", "1.5h", "2d": seconds */
bool text_to_seconds(const char *string, double *out);
/* Shortest decimal that reads back as the same double ("0.001", "1e-05"); whole numbers without ".0". */
void text_append_real(struct text *text, double value);

/* A word as a shell reads it back: quoted where something in it is not plain. */
void text_append_shell(struct text *text, const char *word);

/* Cuts blanks at both ends, in place; returns the new start. */
char *text_trim(char *string);
/* Splits at `separator` outside of brackets and quotes, trims every part. Parts point into `string`, which is
 * changed. Returns the number of parts (at most `most`; more than that returns most + 1). */
size_t text_split(char *string, char separator, char **parts, size_t most);
bool text_starts_with(const char *string, const char *prefix);
/* A name: letters, digits, '_', starting with a letter or '_'. */
bool text_is_name(const char *string);

/* The candidate at most a third of its length away in edits (Levenshtein), or NULL. */
const char *text_nearest(const char *name, const char *const *candidates, size_t count);

#endif
