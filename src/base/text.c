#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text_reserve(struct text *text, size_t extra)
{
    if (text->failed)
        return false;
    size_t needed = text->length + extra + 1;
    if (needed <= text->capacity)
        return true;
    size_t capacity = text->capacity ? text->capacity : 64;
    while (capacity < needed)
        capacity *= 2;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_append_bytes(struct text *text, const char *bytes, size_t count)
{
    if (!text_reserve(text, count))
        return;
    if (count)
        memcpy(text->data + text->length, bytes, count);
    text->length += count;
    text->data[text->length] = '\0';
}

void text_append(struct text *text, const char *string)
{
    text_append_bytes(text, string, strlen(string));
}

void text_format(struct text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int count = vsnprintf(NULL, 0, format, arguments);
    if (count >= 0 && text_reserve(text, (size_t)count)) {
        vsnprintf(text->data + text->length, (size_t)count + 1, format, again);
        text->length += (size_t)count;
    }
    va_end(again);
    va_end(arguments);
}

void text_clear(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

char *text_take(struct text *text)
{
    text_reserve(text, 0);
    char *data = text->failed ? NULL : text->data;
    if (text->failed)
        free(text->data);
    else
        data[text->length] = '\0';
    *text = (struct text){0};
    return data;
}

static bool only_blanks(const char *string)
{
    while (isspace((unsigned char)*string))
        string++;
    return *string == '\0';
}

bool text_to_real(const char *string, double *out)
{
    const char *start = string;
    while (isspace((unsigned char)*start))
        start++;
    const char *digits = start + (*start == '-' || *start == '+');
    if (!isdigit((unsigned char)*digits) && *digits != '.')
        return false;
    if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X'))
        return false; /* strtod reads hexadecimal; configurations do not */
    char *end;
    double value = strtod(start, &end);
    if (end == start || !only_blanks(end) || !isfinite(value))
        return false;
    *out = value;
    return true;
}

bool text_to_int(const char *string, int64_t *out)
{
    char *end;
    errno = 0;
    long long whole = strtoll(string, &end, 10);
    if (end != string && only_blanks(end)) {
        if (errno == ERANGE)
            return false;
        *out = whole;
        return true;
    }
    double value; /* 5e6 */
    if (!text_to_real(string, &value) || value != floor(value) || fabs(value) > 9007199254740992.0)
        return false;
    *out = (int64_t)value;
    return true;
}

bool text_to_bool(const char *string, bool *out)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (!strcmp(string, yes[i])) {
            *out = true;
            return true;
        }
        if (!strcmp(string, no[i])) {
            *out = false;
            return true;
        }
    }
    return false;
}

bool text_to_seconds(const char *string, double *out)
{
    static const struct {
        char unit;
        double seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t length = strlen(string);
    char number[64];
    if (length == 0 || length >= sizeof number)
        return false;
    memcpy(number, string, length + 1);
    double factor = 1, value;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (number[length - 1] == units[i].unit) {
            factor = units[i].seconds;
            number[length - 1] = '\0';
            break;
        }
    }
    if (!text_to_real(number, &value) || value < 0)
        return false;
    *out = value * factor;
    return true;
}

void text_append_real(struct text *text, double value)
{
    char buffer[32];
    for (int digits = 15; digits <= 17; digits++) { /* %g drops zeros: whatever fewer digits can say, 15 say as short */
        snprintf(buffer, sizeof buffer, "%.*g", digits, value);
        if (strtod(buffer, NULL) == value)
            break;
    }
    text_append(text, buffer);
}

void text_append_shell(struct text *text, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,+@%";
    if (*word && strspn(word, plain) == strlen(word)) {
        text_append(text, word);
        return;
    }
    text_append(text, "'");
    for (; *word; word++)
        if (*word == '\'')
            text_append(text, "'\\''");
        else
            text_append_bytes(text, word, 1);
    text_append(text, "'");
}

char *text_trim(char *string)
{
    while (isspace((unsigned char)*string))
        string++;
    size_t length = strlen(string);
    while (length && isspace((unsigned char)string[length - 1]))
        string[--length] = '\0';
    return string;
}

size_t text_split(char *string, char separator, char **parts, size_t most)
{
    size_t count = 0;
    int depth = 0;
    bool quoted = false;
    char *start = string;
    for (char *c = string;; c++) {
        if (*c == '"')
            quoted = !quoted;
        else if (!quoted && (*c == '(' || *c == '['))
            depth++;
        else if (!quoted && (*c == ')' || *c == ']'))
            depth--;
        bool end = *c == '\0';
        if (!end && !(*c == separator && depth <= 0 && !quoted))
            continue;
        *c = '\0';
        if (count == most)
            return most + 1;
        parts[count++] = text_trim(start);
        if (end)
            return count;
        start = c + 1;
    }
}

bool text_starts_with(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

bool text_is_name(const char *string)
{
    if (!isalpha((unsigned char)*string) && *string != '_')
        return false;
    for (; *string; string++)
        if (!isalnum((unsigned char)*string) && *string != '_')
            return false;
    return true;
}

/* Levenshtein distance in one row; names are short, longer ones count as far away. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 64 };
    size_t row[LONGEST + 1], length = strlen(b);
    if (length > LONGEST || strlen(a) > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            size_t substituted = diagonal + (a[i] != b[j]);
            size_t shorter = row[j] < row[j + 1] ? row[j] : row[j + 1];
            diagonal = row[j + 1];
            row[j + 1] = substituted < shorter + 1 ? substituted : shorter + 1;
        }
    }
    return row[length];
}

const char *text_nearest(const char *name, const char *const *candidates, size_t count)
{
    const char *nearest = NULL;
    size_t best = 0;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(name, candidates[i]);
        size_t limit = strlen(candidates[i]) / 3 + 1;
        if (distance <= limit && (!nearest || distance < best)) {
            nearest = candidates[i];
            best = distance;
        }
    }
    return nearest;
}
