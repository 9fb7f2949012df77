#include "run/protocol_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

const char *protocol_kind(const json_t *value)
{
    if (!value)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        break;
    }
    return "null";
}

nr_status protocol_expect_members(const json_t *message, const char *name, const char *const *members, struct log *log)
{
    const char *key;
    json_t *member;
    if (!json_is_object(message)) {
        log_error(log, "%s is %s; expected an object", name, protocol_kind(message));
        return NR_INVALID;
    }
    json_object_foreach((json_t *)message, key, member)
    {
        size_t i = 0;
        while (members[i] && strcmp(members[i], key) != 0)
            i++;
        if (members[i])
            continue;
        struct text known = {0};
        for (i = 0; members[i]; i++)
            text_format(&known, "%s%s", i ? ", " : "", members[i]);
        log_error(log, "%s has a member \"%s\"; expected %s", name, key, known.data ? known.data : "none");
        text_clear(&known);
        return NR_INVALID;
    }
    return NR_OK;
}

nr_status protocol_read_whole(const json_t *value, const char *name, struct log *log, int64_t *out)
{
    enum { DIGITS_OF_DOUBLE = 53 };
    if (!json_is_number(value)) {
        log_error(log, "%s is %s; expected a whole number", name, protocol_kind(value));
        return NR_INVALID;
    }
    double real = json_number_value(value);
    if (real != floor(real) || fabs(real) > (double)(INT64_C(1) << DIGITS_OF_DOUBLE)) {
        log_error(log, "%s is %g; expected a whole number", name, real);
        return NR_INVALID;
    }
    *out = (int64_t)real;
    return NR_OK;
}

nr_status protocol_read_string(const json_t *value, const char *name, struct log *log, const char **out)
{
    if (!json_is_string(value)) {
        log_error(log, "%s is %s; expected a string", name, protocol_kind(value));
        return NR_INVALID;
    }
    *out = json_string_value(value);
    return NR_OK;
}

static nr_status set_value(struct told *told, const struct study *study, const char *name, const json_t *value,
                           struct log *log)
{
    if (json_is_number(value))
        return told_set(told, study, name, json_number_value(value), log);
    log_error(log, "%s is %s; expected a number", name, protocol_kind(value));
    return NR_INVALID;
}

nr_status protocol_read_told(const json_t *message, const struct study *study, struct log *log, struct told *out)
{
    const json_t *values = json_object_get(message, "values"), *seconds = json_object_get(message, "seconds");
    const char *key;
    json_t *member;
    nr_status status = NR_OK;
    told_init(out);
    if (!json_is_object(values)) {
        log_error(log, "values is %s; expected an object such as {\"%s\":0.5}", protocol_kind(values),
                  study_value_name(study, 0));
        return NR_INVALID;
    }
    json_object_foreach((json_t *)values, key, member)
    {
        status = set_value(out, study, key, member, log);
        if (status != NR_OK)
            return status;
    }
    if (seconds && (!json_is_number(seconds) || json_number_value(seconds) < 0)) {
        log_error(log, "seconds is %s; expected a number of 0 or more",
                  json_is_number(seconds) ? "below 0" : protocol_kind(seconds));
        return NR_INVALID;
    }
    if (seconds)
        out->seconds = json_number_value(seconds);
    return NR_OK;
}

/* As it would be written in a point's text; false for what no parameter can be. */
static bool append_parameter(const json_t *value, const struct dimension *dimension, struct text *text)
{
    if (json_is_string(value))
        text_append(text, json_string_value(value));
    else if (json_is_number(value))
        text_append_real(text, json_number_value(value));
    else if (json_is_boolean(value) && dimension->kind == DIM_BOOL)
        text_append(text, dimension->level[json_is_true(value)]);
    else
        return false;
    return true;
}

static nr_status read_parameter(const char *name, const json_t *value, const struct space *space, struct log *log,
                                double *given)
{
    char hint[SPACE_HINT_SIZE];
    struct text text = {0};
    size_t d = space_find(space, name);
    if (d == SIZE_MAX) {
        log_error(log, "\"%s\" is no parameter of the space%s", name, space_hint(space, name, hint));
        return NR_INVALID;
    }
    const struct dimension *dimension = &space->dimension[d];
    bool written = append_parameter(value, dimension, &text);
    nr_status status = NR_OK;
    if (text.failed) {
        status = log_no_memory(log, "reading a point");
    } else if (!written || !dimension_parse_value(dimension, text.data ? text.data : "", &given[d])) {
        log_error(log, "%s is %s%s%s; expected one of \"%s\"", name, written ? "\"" : "",
                  written && text.data ? text.data : protocol_kind(value), written ? "\"" : "", dimension->text);
        status = NR_INVALID;
    }
    text_clear(&text);
    return status;
}

nr_status protocol_read_point(const json_t *value, const struct space *space, struct log *log, double *point)
{
    const char *key;
    json_t *member;
    nr_status status = NR_OK;
    if (!json_is_object(value)) {
        log_error(log, "point is %s; expected an object of parameters", protocol_kind(value));
        return NR_INVALID;
    }
    double *given = mem_array(space->count, sizeof *given);
    if (!given)
        return log_no_memory(log, "reading a point");
    for (size_t d = 0; d < space->count; d++)
        given[d] = NAN;
    json_object_foreach((json_t *)value, key, member)
    {
        status = read_parameter(key, member, space, log, given);
        if (status != NR_OK)
            break;
    }
    if (status == NR_OK)
        status = point_complete(space, given, log, point);
    free(given);
    return status;
}
