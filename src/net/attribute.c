#include "net/attribute.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

size_t attribute_name_length(const char *text)
{
    size_t length = 0;
    if (!isalpha((unsigned char)*text) && *text != '_')
        return 0;
    while (isalnum((unsigned char)text[length]) || text[length] == '_')
        length++;
    if (text[length] != '[')
        return length;
    size_t digits = strspn(text + length + 1, "0123456789");
    return digits && text[length + 1 + digits] == ']' ? length + digits + 2 : length;
}

static bool is_named(const char *string, const char *name, size_t length)
{
    return strncmp(string, name, length) == 0 && string[length] == '\0';
}

const struct dimension *attribute_dimension(const struct scope *scope, const char *name, size_t length)
{
    bool indexed = name[length - 1] == ']';
    for (size_t i = 0; i < scope->space->count; i++) {
        const struct dimension *dimension = &scope->space->dimension[i];
        if (indexed ? is_named(dimension->name, name, length)
                    : (dimension->element < 0 || dimension->element == scope->element) &&
                          is_named(dimension->base, name, length))
            return dimension;
    }
    return NULL;
}

static double point_value(const struct scope *scope, const struct dimension *dimension)
{
    return scope->point[dimension - scope->space->dimension];
}

/* A reader of expressions; straight from the text, since a tree would cost more to keep than these few characters. */
struct reader {
    const struct scope *scope;
    const char *at;
    enum attribute_outcome outcome;
};

static double read_sum(struct reader *reader);

static bool skip_to(struct reader *reader, char expected)
{
    while (*reader->at == ' ')
        reader->at++;
    if (*reader->at != expected)
        return false;
    reader->at++;
    return true;
}

static double fail(struct reader *reader, enum attribute_outcome outcome)
{
    if (reader->outcome == ATTRIBUTE_OK)
        reader->outcome = outcome;
    return NAN;
}

static double read_name(struct reader *reader)
{
    size_t length = attribute_name_length(reader->at);
    const struct dimension *dimension = length ? attribute_dimension(reader->scope, reader->at, length) : NULL;
    reader->at += length;
    if (!dimension)
        return fail(reader, ATTRIBUTE_SYNTAX);
    if (!reader->scope->point)
        return NAN;
    double value = point_value(reader->scope, dimension);
    if (isnan(value))
        return fail(reader, ATTRIBUTE_INACTIVE);
    return dimension_number(dimension, value);
}

static double read_number(struct reader *reader)
{
    if (reader->at[0] == '0' && (reader->at[1] == 'x' || reader->at[1] == 'X'))
        return fail(reader, ATTRIBUTE_SYNTAX); /* strtod reads hexadecimal; configurations do not */
    char *end;
    double value = strtod(reader->at, &end);
    if (end == reader->at)
        return fail(reader, ATTRIBUTE_SYNTAX);
    reader->at = end;
    return value;
}

static double read_factor(struct reader *reader)
{
    if (skip_to(reader, '-'))
        return -read_factor(reader);
    if (skip_to(reader, '(')) {
        double value = read_sum(reader);
        return skip_to(reader, ')') ? value : fail(reader, ATTRIBUTE_SYNTAX);
    }
    if (skip_to(reader, '$'))
        return read_name(reader);
    if (isdigit((unsigned char)*reader->at) || *reader->at == '.')
        return read_number(reader);
    size_t length = attribute_name_length(reader->at);
    if (!is_named("classes", reader->at, length))
        return fail(reader, ATTRIBUTE_SYNTAX);
    reader->at += length;
    return reader->scope->point ? (double)reader->scope->classes : NAN;
}

static double read_product(struct reader *reader)
{
    double value = read_factor(reader);
    for (;;) {
        if (skip_to(reader, '*'))
            value *= read_factor(reader);
        else if (skip_to(reader, '/'))
            value /= read_factor(reader);
        else
            return value;
    }
}

static double read_sum(struct reader *reader)
{
    double value = read_product(reader);
    for (;;) {
        if (skip_to(reader, '+'))
            value += read_product(reader);
        else if (skip_to(reader, '-'))
            value -= read_product(reader);
        else
            return value;
    }
}

bool attribute_in_range(const struct attribute_spec *spec, double number)
{
    bool whole = spec->type == ATTRIBUTE_REAL || number == floor(number);
    return whole && number >= spec->minimum && (spec->open_maximum ? number < spec->maximum : number <= spec->maximum);
}

static enum attribute_outcome number_value(const struct scope *scope, const struct attribute_spec *spec,
                                           const char *text, double *value)
{
    struct reader reader = {.scope = scope, .at = text};
    *value = read_sum(&reader);
    reader.at += strspn(reader.at, " ");
    if (reader.outcome == ATTRIBUTE_OK && *reader.at != '\0')
        return ATTRIBUTE_SYNTAX;
    if (reader.outcome != ATTRIBUTE_OK || (!scope->point && isnan(*value)))
        return reader.outcome;
    return attribute_in_range(spec, *value) ? ATTRIBUTE_OK : ATTRIBUTE_RANGE;
}

static int choice_index(const char *const *choices, const char *text)
{
    for (int i = 0; choices[i]; i++)
        if (!strcmp(choices[i], text))
            return i;
    return -1;
}

enum attribute_outcome attribute_literal(const struct attribute_spec *spec, const char *text, double *value)
{
    bool truth;
    int index;
    switch (spec->type) {
    case ATTRIBUTE_BOOL:
        if (!text_to_bool(text, &truth))
            return ATTRIBUTE_SYNTAX;
        *value = truth;
        return ATTRIBUTE_OK;
    case ATTRIBUTE_CHOICE:
        if ((index = choice_index(spec->choices, text)) < 0)
            return ATTRIBUTE_SYNTAX;
        *value = index;
        return ATTRIBUTE_OK;
    case ATTRIBUTE_PADDING:
        if (!strcmp(text, "same") || !strcmp(text, "valid")) {
            *value = *text == 's' ? PADDING_SAME : PADDING_VALID;
            return ATTRIBUTE_OK;
        }
        break;
    default:
        break;
    }
    if (!text_to_real(text, value))
        return ATTRIBUTE_SYNTAX;
    return attribute_in_range(spec, *value) ? ATTRIBUTE_OK : ATTRIBUTE_RANGE;
}

/* A parameter as the value of a bool, choice or padding: its level's text counts. */
static enum attribute_outcome named_value(const struct scope *scope, const struct attribute_spec *spec,
                                          const char *name, double *value)
{
    size_t length = attribute_name_length(name);
    const struct dimension *dimension = length ? attribute_dimension(scope, name, length) : NULL;
    if (!dimension || name[length] != '\0')
        return ATTRIBUTE_SYNTAX;
    *value = NAN;
    if (!scope->point)
        return ATTRIBUTE_OK;
    double at = point_value(scope, dimension);
    if (isnan(at))
        return ATTRIBUTE_INACTIVE;
    if (dimension->kind != DIM_BOOL && dimension->levels)
        return attribute_literal(spec, dimension->level[(size_t)at], value);
    *value = at;
    return attribute_in_range(spec, at) ? ATTRIBUTE_OK : ATTRIBUTE_RANGE;
}

enum attribute_outcome attribute_value(const struct scope *scope, const struct attribute_spec *spec, const char *text,
                                       double *value)
{
    bool negated = spec->type == ATTRIBUTE_BOOL && *text == '!';
    text += negated;
    bool numeric = spec->type == ATTRIBUTE_INT || spec->type == ATTRIBUTE_REAL;
    enum attribute_outcome outcome;
    if (!numeric && *text == '$' && text[1 + attribute_name_length(text + 1)] == '\0')
        outcome = named_value(scope, spec, text + 1, value);
    else
        outcome = numeric ? ATTRIBUTE_SYNTAX : attribute_literal(spec, text, value);
    if (outcome == ATTRIBUTE_SYNTAX && (numeric || spec->type == ATTRIBUTE_PADDING))
        outcome = number_value(scope, spec, text, value); /* padding may be an expression, too */
    if (negated && outcome == ATTRIBUTE_OK)
        *value = 1 - *value;
    return outcome;
}
