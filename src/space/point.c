/* Points: values from and to the unit cube and text. See point_from_unit() for the mapping.
 *
 * Why continuous values are rounded: u -> value -> u loses bits, so that without rounding a point read back from text,
 * or mapped to the cube and back, would be another point than the recorded one, and differ between mathematics
 * libraries. The quantum is several thousand times the error of the mapping, so both ways meet in the same value. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "space/dimension.h"

static double clip(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

/* Dividing by a power of ten that is exact rounds once; exact are those up to 10^22. */
double dimension_round(double value, int decimals)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    size_t size = (size_t)abs(decimals);
    double power = size < sizeof exact / sizeof *exact ? exact[size] : pow(10, (double)size);
    return decimals >= 0 ? round(value * power) / power : round(value / power) * power;
}

static double round_significant(double value)
{
    enum { DIGITS = 10 };
    return dimension_round(value, DIGITS - 1 - (int)floor(log10(value)));
}

static size_t grid_size(const struct dimension *dimension)
{
    return (size_t)llround((dimension->high - dimension->low) / dimension->step) + 1;
}

double dimension_size(const struct dimension *dimension)
{
    if (dimension->levels)
        return (double)dimension->levels;
    if (dimension->low == dimension->high)
        return 1;
    if (dimension->kind == DIM_INT)
        return dimension->high - dimension->low + 1;
    return dimension->step > 0 ? (double)grid_size(dimension) : INFINITY;
}

/* The value nearest to `value` that the dimension takes; + 0.0 makes -0 a 0. */
static double snap(const struct dimension *dimension, double value)
{
    if (dimension->levels)
        return clip(round(value), 0, (double)(dimension->levels - 1)) + 0.0;
    if (dimension->kind == DIM_INT)
        return clip(round(value), dimension->low, dimension->high) + 0.0;
    if (dimension->step > 0) {
        double steps = round((clip(value, dimension->low, dimension->high) - dimension->low) / dimension->step);
        value = dimension_round(dimension->low + steps * dimension->step, dimension->decimals);
    } else if (dimension->log) {
        value = round_significant(clip(value, dimension->low, dimension->high));
    } else {
        value = dimension_round(clip(value, dimension->low, dimension->high), dimension->decimals);
    }
    return clip(value, dimension->low, dimension->high) + 0.0;
}

double dimension_value(const struct dimension *dimension, size_t index)
{
    double i = (double)index;
    if (dimension->levels)
        return snap(dimension, i);
    double step = dimension->kind == DIM_INT ? 1 : dimension->step;
    return snap(dimension, dimension->low + i * step);
}

size_t dimension_index(const struct dimension *dimension, double value)
{
    if (dimension->levels)
        return (size_t)value;
    double step = dimension->kind == DIM_INT ? 1 : dimension->step;
    return step > 0 ? (size_t)llround((value - dimension->low) / step) : 0;
}

double dimension_from_unit(const struct dimension *dimension, double unit)
{
    double size = dimension_size(dimension);
    unit = isnan(unit) ? 0.5 : clip(unit, 0, 1);
    if (size == 1)
        return dimension_value(dimension, 0);
    if (dimension->log)
        return snap(dimension, exp(dimension->log_low + unit * (dimension->log_high - dimension->log_low)));
    if (isfinite(size))
        return dimension_value(dimension, (size_t)fmin(floor(unit * size), size - 1));
    return snap(dimension, unit == 1 ? dimension->high : dimension->low + unit * (dimension->high - dimension->low));
}

static double to_unit(const struct dimension *dimension, double value)
{
    double size = dimension_size(dimension);
    if (isnan(value) || size == 1)
        return 0.5;
    if (dimension->log) {
        double centre = dimension->kind == DIM_INT ? (log(value - 0.5) + log(value + 0.5)) / 2 : log(value);
        return clip((centre - dimension->log_low) / (dimension->log_high - dimension->log_low), 0, 1);
    }
    if (isfinite(size))
        return ((double)dimension_index(dimension, value) + 0.5) / size;
    return clip((value - dimension->low) / (dimension->high - dimension->low), 0, 1);
}

/* Not by truth alone: an unknown condition (an inactive name in it) does not hold. */
static bool is_active(const struct dimension *dimension, const double *point)
{
    if (!dimension->condition)
        return true;
    double truth = expression_value(dimension->condition, point);
    return !isnan(truth) && truth != 0;
}

void point_canonicalise(const struct space *space, double *point)
{
    for (size_t i = 0; i < space->count; i++) {
        size_t d = space->order[i];
        const struct dimension *dimension = &space->dimension[d];
        if (!is_active(dimension, point))
            point[d] = NAN;
        else
            point[d] = isnan(point[d]) ? dimension_from_unit(dimension, 0.5) : snap(dimension, point[d]);
    }
}

void point_from_unit(const struct space *space, const double *unit, double *point)
{
    for (size_t d = 0; d < space->count; d++)
        point[d] = dimension_from_unit(&space->dimension[d], unit[d]);
    point_canonicalise(space, point);
}

void point_to_unit(const struct space *space, const double *point, double *unit)
{
    for (size_t d = 0; d < space->count; d++)
        unit[d] = to_unit(&space->dimension[d], point[d]);
}

bool point_equal(const struct space *space, const double *a, const double *b)
{
    for (size_t d = 0; d < space->count; d++)
        if (a[d] != b[d] && !(isnan(a[d]) && isnan(b[d])))
            return false;
    return true;
}

void dimension_append_value(const struct dimension *dimension, double value, struct text *text)
{
    if (isnan(value))
        return;
    if (dimension->levels)
        text_append(text, dimension->level[(size_t)value]);
    else
        text_append_real(text, value);
}

double dimension_number(const struct dimension *dimension, double value)
{
    return isnan(value) || !dimension->levels ? value : dimension->number[(size_t)value];
}

bool dimension_parse_value(const struct dimension *dimension, const char *text, double *value)
{
    for (size_t i = 0; i < dimension->levels; i++) {
        if (!strcmp(dimension->level[i], text)) {
            *value = (double)i;
            return true;
        }
    }
    double real;
    if (!text_to_real(text, &real))
        return false;
    for (size_t i = 0; i < dimension->levels; i++) {
        if (dimension->number[i] == real) {
            *value = (double)i;
            return true;
        }
    }
    if (dimension->levels || !(real >= dimension->low && real <= dimension->high))
        return false;
    double snapped = snap(dimension, real);
    bool grid = dimension->kind == DIM_INT || dimension->step > 0;
    if (grid && fabs(snapped - real) > 1e-9 * fmax(1, fabs(real)) * (dimension->step > 0 ? dimension->step : 1))
        return false;
    *value = snapped;
    return true;
}

void point_append_text(const struct space *space, const double *point, struct text *text)
{
    const char *separator = "";
    for (size_t d = 0; d < space->count; d++) {
        const struct dimension *dimension = &space->dimension[d];
        if (isnan(point[d]) || dimension->kind == DIM_FIXED)
            continue;
        text_format(text, "%s%s=", separator, dimension->name);
        dimension_append_value(dimension, point[d], text);
        separator = " ";
    }
}

/* One "name=value" into `point`, where NaN means not given yet. */
static nr_status parse_assignment(const struct space *space, char *assignment, struct log *log, double *point)
{
    char hint[SPACE_HINT_SIZE], *equals = strchr(assignment, '=');
    if (!equals) {
        log_error(log, "\"%s\" is no part of a point; expected NAME=VALUE", assignment);
        return NR_INVALID;
    }
    *equals = '\0';
    size_t d = space_find(space, assignment);
    if (d == SIZE_MAX) {
        log_error(log, "\"%s\" is no parameter of the space%s", assignment, space_hint(space, assignment, hint));
        return NR_INVALID;
    }
    if (!isnan(point[d])) {
        log_error(log, "\"%s\" is given twice", assignment);
        return NR_INVALID;
    }
    if (!dimension_parse_value(&space->dimension[d], equals + 1, &point[d])) {
        log_error(log, "\"%s\" is no value of %s; expected one of \"%s\"", equals + 1, assignment,
                  space->dimension[d].text);
        return NR_INVALID;
    }
    return NR_OK;
}

nr_status point_complete(const struct space *space, const double *given, struct log *log, double *point)
{
    memcpy(point, given, space->count * sizeof *point);
    point_canonicalise(space, point);
    for (size_t d = 0; d < space->count; d++) {
        const struct dimension *dimension = &space->dimension[d];
        if (isnan(given[d]) && !isnan(point[d]) && dimension->kind != DIM_FIXED) {
            log_error(log, "the point lacks %s; expected a value of \"%s\"", dimension->name, dimension->text);
            return NR_INVALID;
        }
        if (!isnan(given[d]) && isnan(point[d])) {
            log_error(log, "the point has %s, which is inactive here: \"%s\" does not hold", dimension->name,
                      expression_text(dimension->condition));
            return NR_INVALID;
        }
    }
    return NR_OK;
}

nr_status point_parse(const struct space *space, const char *text, struct log *log, double *point)
{
    nr_status status = NR_OK;
    char *rest, *copy = mem_copy_string(text);
    double *given = mem_array(2 * space->count, sizeof *given);
    if (!copy || !given) {
        status = log_no_memory(log, "reading a point");
        goto err_given;
    }
    for (size_t d = 0; d < space->count; d++)
        given[d] = NAN;
    for (char *part = strtok_r(copy, " \t\n", &rest); part && status == NR_OK; part = strtok_r(NULL, " \t\n", &rest))
        status = parse_assignment(space, part, log, given);
    if (status == NR_OK)
        status = point_complete(space, given, log, given + space->count);
    if (status == NR_OK)
        memcpy(point, given + space->count, space->count * sizeof *point);

err_given:
    free(given);
    free(copy);
    return status;
}
