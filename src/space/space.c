#include "space/space.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "space/config.h"
#include "space/dimension.h"

size_t space_find(const struct space *space, const char *name)
{
    for (size_t i = 0; i < space->count; i++)
        if (!strcmp(space->dimension[i].name, name))
            return i;
    return SIZE_MAX;
}

size_t space_find_element(const struct space *space, const char *base, int element)
{
    for (size_t i = 0; i < space->count; i++)
        if (space->dimension[i].element == element && !strcmp(space->dimension[i].base, base))
            return i;
    return SIZE_MAX;
}

const char *space_hint(const struct space *space, const char *name, char buffer[SPACE_HINT_SIZE])
{
    *buffer = '\0';
    const char **names = mem_array(space->count, sizeof *names);
    if (!names)
        return buffer; /* a hint is no reason to fail */
    for (size_t i = 0; i < space->count; i++)
        names[i] = space->dimension[i].base;
    const char *nearest = text_nearest(name, names, space->count);
    if (nearest)
        snprintf(buffer, SPACE_HINT_SIZE, "; did you mean \"%s\"?", nearest);
    free(names);
    return buffer;
}

nr_status space_add(struct space *space, const char *name, const char *text, const char *file, int line,
                    struct log *log)
{
    struct dimension dimension;
    nr_status status = dimension_parse(name, -1, text, file, line, log, &dimension);
    if (status != NR_OK)
        return status;
    for (size_t i = 0; i < space->count; i++) {
        if (strcmp(space->dimension[i].base, dimension.base))
            continue;
        status = config_error(log, file, line, "space", name, "a parameter of this name is declared in line %d already",
                              space->dimension[i].line);
        goto err_dimension;
    }
    if (space->count == SPACE_MOST_DIMENSIONS) {
        status =
            config_error(log, file, line, "space", name, "a space has at most %d parameters", SPACE_MOST_DIMENSIONS);
        goto err_dimension;
    }
    if (mem_grow(&space->dimension, &space->capacity, space->count + 1, sizeof *space->dimension) != NR_OK) {
        status = log_no_memory(log, name);
        goto err_dimension;
    }
    space->dimension[space->count++] = dimension;
    return NR_OK;

err_dimension:
    dimension_clear(&dimension);
    return status;
}

/* `width[blocks]` as the user wrote it, for messages. */
static void append_written_name(const struct dimension *dimension, struct text *text)
{
    text_append(text, dimension->base);
    if (dimension->length)
        text_format(text, "[%s]", dimension->length);
}

static nr_status refuse(const struct dimension *dimension, struct log *log, const char *problem, const char *detail)
{
    struct text name = {0};
    append_written_name(dimension, &name);
    nr_status status = config_error(log, dimension->file, dimension->line, "space",
                                    name.data ? name.data : dimension->base, "%s%s", problem, detail);
    text_clear(&name);
    return status;
}

/* The largest value that a dimension takes as a length; -1 when it is none. */
static double largest_length(const struct dimension *dimension)
{
    if (dimension->length || dimension->kind == DIM_REAL || dimension->kind == DIM_BOOL)
        return -1;
    if (dimension->kind == DIM_INT)
        return dimension->low >= 0 ? dimension->high : -1;
    double largest = -1;
    for (size_t i = 0; i < dimension->levels; i++) {
        double number = dimension->number[i];
        if (!(number >= 0) || number != floor(number))
            return -1;
        largest = fmax(largest, number);
    }
    return largest;
}

/* How many elements the vector needs; SIZE_MAX after an error. */
static size_t count_elements(const struct space *space, const struct dimension *vector, struct log *log)
{
    char hint[SPACE_HINT_SIZE];
    size_t d = space_find(space, vector->length);
    if (d == SIZE_MAX) {
        struct text problem = {0};
        text_format(&problem, "its length \"%s\" is no parameter", vector->length);
        (void)refuse(vector, log, problem.data ? problem.data : "", space_hint(space, vector->length, hint));
        text_clear(&problem);
        return SIZE_MAX;
    }
    double most = largest_length(&space->dimension[d]);
    if (most < 1 || most > SPACE_MOST_ELEMENTS) {
        (void)refuse(vector, log, "its length must be a parameter with whole values from 0 to 100, not ",
                     space->dimension[d].text);
        return SIZE_MAX;
    }
    return (size_t)most;
}

static bool is_vector(const struct dimension *dimension)
{
    return dimension->length && dimension->element < 0;
}

static nr_status append_elements(const struct dimension *vector, size_t elements, struct log *log, struct space *out)
{
    struct text name = {0};
    append_written_name(vector, &name);
    nr_status status = name.failed ? log_no_memory(log, vector->base) : NR_OK;
    for (size_t i = 0; status == NR_OK && i < elements; i++) {
        status = dimension_parse(name.data, (int)i, vector->text, vector->file, vector->line, log,
                                 &out->dimension[out->count]);
        if (status == NR_OK)
            out->count++;
    }
    text_clear(&name);
    return status;
}

/* Vectors become their elements, in their place. */
static nr_status expand_vectors(struct space *space, struct log *log)
{
    struct space expanded = {0};
    size_t total = 0;
    nr_status status = NR_INVALID;
    size_t *elements = mem_array(space->count, sizeof *elements);
    if (!elements)
        return log_no_memory(log, "reading the space");
    for (size_t i = 0; i < space->count; i++) {
        const struct dimension *dimension = &space->dimension[i];
        elements[i] = is_vector(dimension) ? count_elements(space, dimension, log) : 1;
        if (elements[i] == SIZE_MAX)
            goto err_elements;
        total += elements[i];
        if (total > SPACE_MOST_DIMENSIONS) {
            status = refuse(dimension, log, "with its elements the space has more than 1000 parameters", "");
            goto err_elements;
        }
    }
    expanded.dimension = mem_array(total, sizeof *expanded.dimension);
    expanded.capacity = total;
    status = expanded.dimension ? NR_OK : log_no_memory(log, "reading the space");
    for (size_t i = 0; status == NR_OK && i < space->count; i++) {
        struct dimension *dimension = &space->dimension[i];
        if (is_vector(dimension)) {
            status = append_elements(dimension, elements[i], log, &expanded);
        } else {
            expanded.dimension[expanded.count++] = *dimension;
            *dimension = (struct dimension){0};
        }
    }
    space_clear(space);
    *space = expanded;

err_elements:
    free(elements);
    return status;
}

/* An element is active while its index < the length, and the declared condition holds. */
static nr_status resolve_condition(struct space *space, struct dimension *dimension, struct log *log)
{
    struct text where = {0}, condition = {0}, name = {0};
    append_written_name(dimension, &name);
    config_append_place(&where, dimension->file, dimension->line, "space", name.data ? name.data : "");
    if (dimension->length) {
        const struct dimension *length = &space->dimension[space_find(space, dimension->length)];
        bool always = length->kind == DIM_INT && !length->condition_text && length->low > dimension->element;
        if (!always)
            text_format(&condition, "%s > %d", dimension->length, dimension->element);
    }
    if (dimension->condition_text)
        text_format(&condition, condition.length ? " and (%s)" : "%s", dimension->condition_text);
    nr_status status = NR_OK;
    if (name.failed || where.failed || condition.failed)
        status = log_no_memory(log, dimension->name);
    else if (condition.length)
        status =
            expression_parse_element(condition.data, space, dimension->element, where.data, log, &dimension->condition);
    text_clear(&where);
    text_clear(&condition);
    text_clear(&name);
    if (status == NR_OK && dimension->condition && !expression_is_condition(dimension->condition))
        return refuse(dimension, log, "its condition is a number; expected a comparison, as in optimizer = sgd", "");
    return status;
}

static bool is_ready(const struct dimension *dimension, const bool *placed, size_t count)
{
    for (size_t i = 0; dimension->condition && i < count; i++)
        if (!placed[i] && expression_uses(dimension->condition, i))
            return false;
    return true;
}

/* The order of the file, but for dimensions that must wait for those in their conditions. */
static nr_status order_dimensions(struct space *space, struct log *log)
{
    nr_status status = NR_OK;
    bool *placed = mem_array(space->count, sizeof *placed);
    space->order = mem_array(space->count, sizeof *space->order);
    if (!placed || !space->order) {
        free(placed);
        return log_no_memory(log, "ordering the space");
    }
    for (size_t ordered = 0; ordered < space->count; ordered++) {
        size_t next = 0;
        while (next < space->count && (placed[next] || !is_ready(&space->dimension[next], placed, space->count)))
            next++;
        if (next == space->count) {
            size_t first = 0;
            while (placed[first])
                first++;
            status = refuse(&space->dimension[first], log,
                            "the conditions go in a circle: whether it is active depends "
                            "on itself",
                            "");
            break;
        }
        placed[next] = true;
        space->order[ordered] = next;
    }
    free(placed);
    return status;
}

nr_status space_complete(struct space *space, struct log *log)
{
    nr_status status = expand_vectors(space, log);
    for (size_t i = 0; status == NR_OK && i < space->count; i++)
        status = resolve_condition(space, &space->dimension[i], log);
    return status == NR_OK ? order_dimensions(space, log) : status;
}

void space_clear(struct space *space)
{
    for (size_t i = 0; i < space->count; i++)
        dimension_clear(&space->dimension[i]);
    free(space->dimension);
    free(space->order);
    *space = (struct space){0};
}
