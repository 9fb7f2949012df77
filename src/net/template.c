/* Checks of [network] and [block NAME] that need no point. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "net/attribute.h"
#include "net/builder.h"
#include "net/plan.h"

struct check {
    const struct study *study;
    struct log *log;
    bool in_block;
    int64_t most_repeats; /* of the block at hand, -1 when an expression leaves it open */
    const struct layer_spec *spec;
};

/* Logs "file:line: conv: " and the sentence; always NR_INVALID. */
static nr_status refuse(const struct check *check, const char *format, ...) NR_PRINTF(2, 3);

static nr_status refuse(const struct check *check, const char *format, ...)
{
    char sentence[512];
    va_list arguments;
    const struct layer_spec *spec = check->spec;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    log_error(check->log, "%s:%d: %s%s%s: %s", spec->file, spec->line, spec->kind, spec->word ? " " : "",
              spec->word ? spec->word : "", sentence);
    return NR_INVALID;
}

/* "; did you mean `dense`?", or nothing. Static storage is avoided by the caller's buffer. */
static const char *suggest(const char *name, const char *const *candidates, size_t count, char *buffer, size_t size)
{
    const char *nearest = text_nearest(name, candidates, count);
    buffer[0] = '\0';
    if (nearest)
        snprintf(buffer, size, "; did you mean `%s`?", nearest);
    return buffer;
}

static const char *expectation(const struct attribute_spec *spec, char *buffer, size_t size)
{
    size_t used = 0;
    switch (spec->type) {
    case ATTRIBUTE_INT:
    case ATTRIBUTE_REAL:
        snprintf(buffer, size, "a %snumber from %g to %.10g%s, $name, or arithmetic of these",
                 spec->type == ATTRIBUTE_INT ? "whole " : "", spec->minimum, spec->maximum,
                 spec->open_maximum ? " (excluded)" : "");
        break;
    case ATTRIBUTE_BOOL:
        snprintf(buffer, size, "yes, no, $name or !$name");
        break;
    case ATTRIBUTE_PADDING:
        snprintf(buffer, size, "same, valid, a whole number up to %g, or $name", spec->maximum);
        break;
    case ATTRIBUTE_CHOICE:
        for (int i = 0; spec->choices[i] && used < size; i++)
            used += (size_t)snprintf(buffer + used, size - used, "%s%s", i ? ", " : "", spec->choices[i]);
        break;
    }
    return buffer;
}

static nr_status refuse_value(const struct check *check, const struct attribute_spec *spec, const char *text,
                              const char *found)
{
    char expected[256];
    return refuse(check, "%s=%s%s, expected %s", spec->name, text, found, expectation(spec, expected, sizeof expected));
}

/* May a parameter be the whole value of an attribute, with every value that it can take? */
static bool dimension_fits(const struct dimension *dimension, const struct attribute_spec *spec)
{
    double value;
    if (dimension->kind == DIM_BOOL)
        return spec->type == ATTRIBUTE_BOOL;
    for (size_t i = 0; i < dimension->levels; i++)
        if (attribute_literal(spec, dimension->level[i], &value) != ATTRIBUTE_OK)
            return false;
    if (dimension->levels)
        return true;
    if (spec->type == ATTRIBUTE_CHOICE || (dimension->kind == DIM_REAL && spec->type != ATTRIBUTE_REAL))
        return false;
    return attribute_in_range(spec, dimension->low) && attribute_in_range(spec, dimension->high);
}

/* ": dropout (line 12) goes from 0 to 1.5", ": kernel (line 9) can be many" */
static const char *misfit(const struct dimension *dimension, const struct attribute_spec *spec, char *buffer,
                          size_t size)
{
    double value;
    for (size_t i = 0; i < dimension->levels; i++) {
        if (attribute_literal(spec, dimension->level[i], &value) == ATTRIBUTE_OK)
            continue;
        snprintf(buffer, size, ": %s (line %d) can be %s", dimension->name, dimension->line, dimension->level[i]);
        return buffer;
    }
    snprintf(buffer, size, ": %s (line %d) is %s from %.10g to %.10g", dimension->name, dimension->line,
             dimension->kind == DIM_REAL ? "a real" : "an int", dimension->low, dimension->high);
    return buffer;
}

static bool dimension_is_number(const struct dimension *dimension)
{
    for (size_t i = 0; i < dimension->levels; i++)
        if (isnan(dimension->number[i]))
            return false;
    return true;
}

/* Every dimension that `$name` can mean here: one, or the elements of a vector. `sole`: nothing else in the value. */
static nr_status check_name(const struct check *check, const struct attribute_spec *spec, const char *text,
                            const char *name, size_t length, bool sole)
{
    const struct space *space = &check->study->space;
    int64_t elements = 0, found = 0;
    bool indexed = name[length - 1] == ']';
    char values[256];
    for (size_t i = 0; i < space->count; i++) {
        const struct dimension *dimension = &space->dimension[i];
        const char *known = indexed ? dimension->name : dimension->base;
        if (strncmp(known, name, length) || known[length])
            continue;
        found++;
        elements += !indexed && dimension->element >= 0;
        if (sole && !dimension_fits(dimension, spec))
            return refuse_value(check, spec, text, misfit(dimension, spec, values, sizeof values));
        if (!sole && !dimension_is_number(dimension))
            return refuse_value(check, spec, text, ": some values of the parameter are no numbers");
    }
    if (!found)
        return refuse(check, "%s=%s names no parameter of [space]", spec->name, text);
    if (elements && !check->in_block)
        return refuse(check, "%s=%s is a vector, which has a value in a block only; name an element, such as %.*s[0]",
                      spec->name, text, (int)length, name);
    if (elements && check->most_repeats > elements)
        return refuse(check, "%s=%s has %lld elements, but the block can be repeated %lld times", spec->name, text,
                      (long long)elements, (long long)check->most_repeats);
    return NR_OK;
}

static nr_status check_value(const struct check *check, const struct attribute_spec *spec, const char *text)
{
    const char *start = *text == '!' && spec->type == ATTRIBUTE_BOOL ? text + 1 : text;
    for (const char *sign = strchr(start, '$'); sign; sign = strchr(sign + 1, '$')) {
        size_t length = attribute_name_length(sign + 1);
        if (length == 0)
            return refuse_value(check, spec, text, "");
        bool sole = sign == start && sign[1 + length] == '\0';
        nr_status status = check_name(check, spec, text, sign + 1, length, sole);
        if (status != NR_OK)
            return status;
    }
    struct scope scope = {.space = &check->study->space, .element = check->in_block ? 0 : -1};
    double value;
    if (attribute_value(&scope, spec, text, &value) != ATTRIBUTE_OK)
        return refuse_value(check, spec, text, "");
    return NR_OK;
}

static nr_status check_known(const struct check *check, const struct operator_spec *operator,
                             const struct attribute * given)
{
    const char *names[OPERATOR_MOST_ATTRIBUTES];
    char hint[96];
    for (size_t i = 0; i < operator->attributes; i++) {
        const struct attribute_spec *spec = &attribute_specs[operator->attribute[i].id];
        names[i] = spec->name;
        if (!strcmp(spec->name, given->key))
            return check_value(check, spec, given->value);
    }
    return refuse(check, "unknown attribute `%s`%s", given->key,
                  suggest(given->key, names, operator->attributes, hint, sizeof hint));
}

static nr_status check_attributes(const struct check *check, const struct operator_spec *operator)
{
    const struct layer_spec *spec = check->spec;
    for (size_t i = 0; i < spec->attributes; i++) {
        nr_status status = check_known(check, operator, & spec->attribute[i]);
        if (status != NR_OK)
            return status;
    }
    for (size_t i = 0; i < operator->attributes; i++) {
        const char *name = attribute_specs[operator->attribute[i].id].name;
        if (operator->attribute[i].preset == PRESET_REQUIRED && !builder_given(spec, name))
            return refuse(check, "attribute `%s` is missing", name);
    }
    return NR_OK;
}

static nr_status refuse_operator(const struct check *check)
{
    const struct layer_spec *spec = check->spec;
    const char *names[ROW_BLOCK];
    char hint[96];
    for (int row = 0; row < ROW_BLOCK; row++) {
        names[row] = operator_specs[row].name;
        if (strcmp(names[row], spec->kind))
            continue;
        if (operator_specs[row].word)
            return refuse(check, "expected `begin` or `end` after it%s%s", spec->word ? ", found " : "",
                          spec->word ? spec->word : "");
        return refuse(check, "unexpected word `%s`; attributes are written name=value", spec->word);
    }
    return refuse(check, "unknown operator%s", suggest(spec->kind, names, ROW_BLOCK, hint, sizeof hint));
}

static nr_status check_operator(const struct check *check, enum operator_row row)
{
    const struct layer_spec *spec = check->spec;
    nr_status status = check_attributes(check, &operator_specs[row]);
    if (status == NR_OK && row == ROW_CONV && !builder_given(spec, "channels") && !builder_given(spec, "depthwise"))
        return refuse(check, "attribute `channels` is missing");
    return status;
}

/* Residuals open and close within one list, so that a repeated block is whole. */
static nr_status check_residuals(struct check *check, const struct layer_list *list)
{
    const struct layer_spec *open[BUILDER_MOST_RESIDUALS];
    size_t depth = 0;
    for (size_t i = 0; i < list->count; i++) {
        check->spec = &list->layer[i];
        enum operator_row row = check->spec->is_block ? ROW_BLOCK : operator_find(check->spec->kind, check->spec->word);
        if (row == ROW_RESIDUAL_BEGIN && depth == BUILDER_MOST_RESIDUALS)
            return refuse(check, "more than %d residuals in one another", BUILDER_MOST_RESIDUALS);
        if (row == ROW_RESIDUAL_BEGIN)
            open[depth++] = check->spec;
        else if (row == ROW_RESIDUAL_END && depth-- == 0)
            return refuse(check, "there is no residual begin before it");
    }
    if (depth == 0)
        return NR_OK;
    check->spec = open[depth - 1];
    return refuse(check, "there is no residual end after it");
}

static nr_status check_list(struct check *check, const struct layer_list *list);

/* The largest value that `repeat` can have, -1 when only an expression tells. */
static int64_t most_repeats(const struct check *check, const char *text)
{
    double value = 0;
    if (!text)
        return 1;
    if (text_to_real(text, &value))
        return (int64_t)value;
    struct scope scope = {.space = &check->study->space, .element = -1};
    size_t length = *text == '$' ? attribute_name_length(text + 1) : 0;
    const struct dimension *dimension = length ? attribute_dimension(&scope, text + 1, length) : NULL;
    if (!dimension || text[1 + length] != '\0')
        return -1;
    if (!dimension->levels)
        return (int64_t)dimension->high;
    for (size_t i = 0; i < dimension->levels; i++)
        value = fmax(value, dimension->number[i]);
    return (int64_t)value;
}

/* That blocks exist and hold no blocks, study_read() has checked. */
static nr_status check_block(struct check *check)
{
    const struct network_template *network = &check->study->network;
    const struct layer_spec *spec = check->spec;
    nr_status status = check_attributes(check, &operator_specs[ROW_BLOCK]);
    if (status == NR_OK && spec->word)
        return refuse(check, "unexpected word `%s`; attributes are written name=value", spec->word);
    for (size_t i = 0; i < network->blocks && status == NR_OK; i++) {
        if (strcmp(network->block[i].name, spec->kind))
            continue;
        struct check inside = *check;
        inside.in_block = true;
        inside.most_repeats = most_repeats(check, builder_given(spec, "repeat"));
        status = check_list(&inside, &network->block[i].layers);
    }
    return status;
}

static nr_status check_list(struct check *check, const struct layer_list *list)
{
    nr_status status = NR_OK;
    for (size_t i = 0; i < list->count && status == NR_OK; i++) {
        check->spec = &list->layer[i];
        if (check->spec->is_block) {
            status = check_block(check);
            continue;
        }
        enum operator_row row = operator_find(check->spec->kind, check->spec->word);
        status = row == ROW_COUNT ? refuse_operator(check) : check_operator(check, row);
    }
    return status == NR_OK ? check_residuals(check, list) : status;
}

nr_status template_check(const struct study *study, struct log *log)
{
    struct check check = {.study = study, .log = log};
    return check_list(&check, &study->network.layers);
}
