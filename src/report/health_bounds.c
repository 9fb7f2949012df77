/* A dimension stuck at its bound: the front lies at an end of the range, and better points may lie beyond it. */
#include <math.h>

#include "report/health_parts.h"

enum { FEWEST_STUCK = 4 };               /* fewer may be chance */
static const double end_share = 0.02;    /* of a continuous range that counts as its end */
static const double stuck_share = 0.5;   /* more than that of the front's members at one end ... */
static const double chance_factor = 2.5; /* ... and so many times as many as chance would put there */

/* Whether a dimension has an order, and ends that a person could move. */
static bool has_ends(const struct dimension *dimension)
{
    bool ordered = dimension->kind == DIM_REAL || dimension->kind == DIM_INT || dimension->kind == DIM_ORDERED;
    return ordered && dimension_size(dimension) > 2;
}

/* The end as a value, and the share of the range, as the search spreads it, that counts as that end. */
static double end_value(const struct dimension *dimension, bool high)
{
    if (dimension->levels)
        return high ? (double)dimension->levels - 1 : 0;
    return high ? dimension->high : dimension->low;
}

static double share_of_end(const struct space *space, size_t d, double end)
{
    const struct dimension *dimension = &space->dimension[d];
    double size = dimension_size(dimension);
    if (!isfinite(size))
        return end_share;
    if (!dimension->log)
        return 1 / size;
    double next = end == dimension->low ? end + 0.5 : end - 0.5; /* whole numbers in log space */
    return fabs(log(next) - (end == dimension->low ? dimension->log_low : dimension->log_high)) /
           (dimension->log_high - dimension->log_low);
}

/* Whether a value lies at the end: is it, or is within a fiftieth of a continuous range. */
static bool at_end(const struct dimension *dimension, double value, double end)
{
    if (isfinite(dimension_size(dimension)))
        return value == end;
    double place = dimension->log ? log(value / end) / (dimension->log_high - dimension->log_low)
                                  : (value - end) / (dimension->high - dimension->low);
    return fabs(place) <= end_share;
}

static void check_end(const struct health_subject *subject, size_t d, bool high, struct text *findings)
{
    const struct results *results = subject->results;
    const struct space *space = &results->study->space;
    const struct dimension *dimension = &space->dimension[d];
    double end = end_value(dimension, high);
    size_t active = 0, stuck = 0;
    for (size_t i = 0; i < subject->front->members; i++) {
        double value = results->record[subject->front->member[i]].point[d];
        if (isnan(value))
            continue;
        active++;
        stuck += at_end(dimension, value, end);
    }
    double share = (double)stuck / (double)active;
    if (stuck < FEWEST_STUCK || share <= stuck_share || share < chance_factor * share_of_end(space, d, end))
        return;
    struct text value = {0};
    dimension_append_value(dimension, end, &value);
    if (!value.failed)
        health_add(
            findings,
            "bound: %s is at its %s value %s in %zu of %zu trials of the front: better ones may lie beyond; widen "
            "[space] %s = %s, or fix it there",
            dimension->name, high ? "highest" : "lowest", value.data, stuck, active, dimension->base, dimension->text);
    findings->failed |= value.failed;
    text_clear(&value);
}

void health_check_bounds(const struct health_subject *subject, struct text *findings)
{
    const struct space *space = &subject->results->study->space;
    for (size_t d = 0; d < space->count; d++) {
        if (!has_ends(&space->dimension[d]))
            continue;
        check_end(subject, d, false, findings);
        check_end(subject, d, true, findings);
    }
}
