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
    char *name;  /* "hidden1"; the elements of a vector are "width[0]", "width[1]", ... */
    char *base;  /* "width" for an element of a vector, else equal to name */
    int element; /* 0, 1, ... in a vector, else -1 */
    enum dimension_kind kind;
    bool log;
    double low, high;             /* real, int: inclusive */
    double step;                  /* real: a grid low, low + step, ... <= high (high is lowered to the grid); 0: none */
    int decimals;                 /* real without log: values are multiples of 10^-decimals; see point.c */
    double log_low, log_high;     /* log: the ends in log space; an int's reach half a unit further out */
    size_t levels;                /* ordered, choice, bool, fixed: number of levels; else 0 */
    char **level;                 /* their texts; "no", "yes" for bool */
    double *number;               /* level as a number, NaN where it is none; NULL when levels is 0 */
    struct expression *condition; /* NULL: always active. Uses earlier dimensions only after ordering. */
    char *condition_text;         /* as declared, without what an element's index adds; NULL: none */
    char *length;     /* of a vector's elements: the name of the dimension that says how many are active; else NULL */
    char *text;       /* the declaration */
    const char *file; /* where it was declared */
    int line;
};

enum {
    SPACE_MOST_DIMENSIONS = 1000,
    SPACE_MOST_ELEMENTS = 100, /* of a vector */
    SPACE_MOST_LEVELS = 1000,
    SPACE_HINT_SIZE = 96
};

struct space {
    struct dimension *dimension; /* in the order of the file */
    size_t count, capacity;
    size_t *order; /* the same, so that every condition uses earlier ones only */
};

/* Parses one entry of [space]: "int 16..128 log", "real 0.8..0.99 step 0.01 if optimizer = sgd", "ordered 3, 5",
 * "choice a, b", "bool", "fixed 5e-4"; a name "width[blocks]" makes one dimension per possible element of `blocks`,
 * active while its index < blocks. Conditions and lengths may name later dimensions: space_complete() resolves them.
 * "int 16..128 step 16" is short for "ordered 16, 32, ... 128" and becomes that. */
nr_status space_add(struct space *space, const char *name, const char *text, const char *file, int line,
                    struct log *log) NR_MUST_CHECK;
/* Resolves conditions, orders dimensions, refuses circles. After the last space_add(). */
nr_status space_complete(struct space *space, struct log *log) NR_MUST_CHECK;
void space_clear(struct space *space);

/* Index of a dimension by name, SIZE_MAX when there is none. */
size_t space_find(const struct space *space, const char *name);
/* The same for element `element` of the vector `base`. After space_complete(). */
size_t space_find_element(const struct space *space, const char *base, int element);
/* "; did you mean "x"?" where a dimension or vector has a name near `name`, else "". The buffer holds the text. */
const char *space_hint(const struct space *space, const char *name, char buffer[SPACE_HINT_SIZE]);
/* Number of different points, constraints not regarded; infinity when a dimension is continuous. Conditions are counted
 * exactly where enumeration is cheap (<= 1e6 cases), else as an upper bound: *exact (may be NULL) says which. */
double space_size(const struct space *space, bool *exact);
/* Number of different values of one dimension, infinity for a real without step. */
double dimension_size(const struct dimension *dimension);
/* Value number `index` of a dimension of finite size, ascending from 0; and the other way round. */
double dimension_value(const struct dimension *dimension, size_t index);
size_t dimension_index(const struct dimension *dimension, double value);

/* Sets dimensions whose condition does not hold to NaN, and gives inactive ones that became active their middle value;
 * rounds ints and grids, clips to ranges. The result is canonical. */
void point_canonicalise(const struct space *space, double *point);
/* From the unit cube [0,1]^count to a canonical point. A dimension of k values cuts [0,1] into k equal parts; a log int
 * gives value v the part that [v - 1/2, v + 1/2] takes of [low - 1/2, high + 1/2] in log space, so that equal factors
 * get equal shares and the ends are reached; a log real is even in log space. Values of a continuous dimension are
 * rounded: to 10 significant digits (log), or to about a billionth of the range. So texts of points are short, and
 * point_from_unit(point_to_unit(p)) is p, bit for bit. */
void point_from_unit(const struct space *space, const double *unit, double *point);
/* To the unit cube: the centre of the part for discrete dimensions; inactive and fixed ones give 0.5. */
void point_to_unit(const struct space *space, const double *point, double *unit);
/* One dimension of point_from_unit(), as if it were active. */
double dimension_from_unit(const struct dimension *dimension, double unit);
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
/* The canonical point of values that somebody has given, NaN where none: exactly its active dimensions must be given;
 * fixed ones need not be. `given` and `point` do not overlap. */
nr_status point_complete(const struct space *space, const double *given, struct log *log, double *point) NR_MUST_CHECK;

#endif
