/* The search space: typed dimensions, conditions, and points in it.
 *
 * A point is an array of `space->count` doubles, one per dimension in order:
 *   real     the value                      int      the value, a whole number
 *   ordered  index of the level             choice   index of the level
 *   bool     0 or 1                         fixed    0 (its only level)
 *   NaN      the dimension is inactive (its condition does not hold)
 * Points are canonical: points of the same meaning are bitwise equal arrays. */
#ifndef NASRUN_SPACE_SPACE_H
#define NASRUN_SPACE_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "space/expression.h"

enum dimension_kind { DIM_REAL, DIM_INT, DIM_ORDERED, DIM_CHOICE, DIM_BOOL, DIM_FIXED };

struct dimension {
    char *name; /* "hidden1"; the elements of a vector are "width[0]", "width[1]", ... */
    char *base; /* "width" for an element of a vector, else equal to name */
    int element; /* 0, 1, ... in a vector, else -1 */
    enum dimension_kind kind;
    bool log;
    double low, high; /* real, int: inclusive */
    double step;      /* real: a grid low, low + step, ... <= high (high is lowered to the grid); 0: none */
    size_t levels;    /* ordered, choice, bool, fixed: number of levels; else 0 */
    char **level;     /* their texts; "no", "yes" for bool */
    double *number;   /* level as a number, NaN where it is none; NULL when levels is 0 */
    struct expression *condition; /* NULL: always active. Uses earlier dimensions only after ordering. */
    const char *file; /* where it was declared */
    int line;
};

struct space {
    struct dimension *dimension; /* in the order of the file */
    size_t count, capacity;
    size_t *order; /* the same, so that every condition uses earlier ones only */
};

/* Parses one entry of [space]: "int 16..128 log", "real 0.8..0.99 step 0.01 if optimizer = sgd", "ordered 3, 5",
 * "choice a, b", "bool", "fixed 5e-4"; a name "width[blocks]" makes one dimension per possible element of `blocks`,
 * active while its index < blocks. Conditions may name later dimensions: space_complete() resolves them. */
nr_status space_add(struct space *space, const char *name, const char *text, const char *file, int line,
                    struct log *log) NR_MUST_CHECK;
/* Resolves conditions, orders dimensions, refuses circles. After the last space_add(). */
nr_status space_complete(struct space *space, struct log *log) NR_MUST_CHECK;
void space_clear(struct space *space);

/* Index of a dimension by name, SIZE_MAX when there is none. */
size_t space_find(const struct space *space, const char *name);
/* Number of different points; infinity when a dimension is continuous. Conditions are counted exactly where
 * enumeration is cheap (<= 1e6), else as an upper bound: *exact says which. */
double space_size(const struct space *space, bool *exact);
/* Number of different values of one dimension, infinity for a real without step. */
double dimension_size(const struct dimension *dimension);

/* Sets dimensions whose condition does not hold to NaN, and gives inactive ones that became active their middle value;
 * rounds ints and grids, clips to ranges. The result is canonical. */
void point_canonicalise(const struct space *space, double *point);
/* From the unit cube [0,1]^count (log dimensions in log space; a dimension of k values cuts [0,1] into k equal parts)
 * to a canonical point. */
void point_from_unit(const struct space *space, const double *unit, double *point);
/* To the unit cube: the centre of the part for discrete dimensions; inactive and fixed ones give 0.5. */
void point_to_unit(const struct space *space, const double *point, double *unit);
bool point_equal(const struct space *space, const double *a, const double *b);

/* The value of one dimension as the user would write it ("64", "0.0031", "relu"); "" when inactive. */
void dimension_append_value(const struct dimension *dimension, double value, struct text *text);
/* A value as a number: for ordered, choice and fixed the number that the level spells (NaN when it is none). */
double dimension_number(const struct dimension *dimension, double value);
/* The opposite of dimension_append_value(); false when the text is no value of the dimension. */
bool dimension_parse_value(const struct dimension *dimension, const char *text, double *value);

/* "hidden1=64 hidden2=32 learning_rate=0.0031": active dimensions that are not fixed; round trip is exact. */
void point_append_text(const struct space *space, const double *point, struct text *text);
nr_status point_parse(const struct space *space, const char *text, struct log *log, double *point) NR_MUST_CHECK;

#endif
