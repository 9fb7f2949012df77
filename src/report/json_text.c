#include "report/json_text.h"

#include <math.h>
#include <string.h>

/* Length of the UTF-8 sequence that `bytes` starts with, 0 where there is none (overlong forms and surrogates are
 * none: RFC 3629). */
static size_t sequence_length(const unsigned char *bytes)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t length;
    } forms[] = {{0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                 {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (bytes[0] < forms[i].first_low || bytes[0] > forms[i].first_high)
            continue;
        if (forms[i].length > 1 && (bytes[1] < forms[i].second_low || bytes[1] > forms[i].second_high))
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((bytes[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

void json_text_string(struct text *text, const char *string)
{
    text_append(text, "\"");
    for (const unsigned char *c = (const unsigned char *)string; *c;) {
        size_t length = sequence_length(c);
        if (length == 0)
            text_append(text, "\xef\xbf\xbd");
        else if (*c == '"' || *c == '\\')
            text_format(text, "\\%c", *c);
        else if (*c == '\n')
            text_append(text, "\\n");
        else if (*c < 0x20 || *c == 0x7f)
            text_format(text, "\\u%04x", *c);
        else
            text_append_bytes(text, (const char *)c, length);
        c += length ? length : 1;
    }
    text_append(text, "\"");
}

void json_text_real(struct text *text, double value)
{
    if (isfinite(value))
        text_append_real(text, value);
    else
        text_append(text, "null");
}

static void append_level(struct text *text, const struct dimension *dimension, double value)
{
    if (dimension->kind == DIM_BOOL)
        text_append(text, value != 0 ? "true" : "false");
    else if (dimension->kind == DIM_FIXED && isfinite(dimension_number(dimension, value)))
        json_text_real(text, dimension_number(dimension, value));
    else
        json_text_string(text, dimension->level[(size_t)value]);
}

void json_text_point(struct text *text, const struct space *space, const double *point)
{
    const char *separator = "{";
    for (size_t d = 0; d < space->count; d++) {
        const struct dimension *dimension = &space->dimension[d];
        if (isnan(point[d]))
            continue;
        text_append(text, separator);
        json_text_string(text, dimension->name);
        text_append(text, ":");
        if (dimension->levels)
            append_level(text, dimension, point[d]);
        else
            json_text_real(text, point[d]);
        separator = ",";
    }
    text_append(text, *separator == '{' ? "{}" : "}");
}

void json_text_values(struct text *text, const struct study *study, const double *value)
{
    text_append(text, "{");
    for (size_t i = 0; i < study_values(study); i++) {
        text_append(text, i ? "," : "");
        json_text_string(text, study_value_name(study, i));
        text_append(text, ":");
        json_text_real(text, value[i]);
    }
    text_append(text, "}");
}
