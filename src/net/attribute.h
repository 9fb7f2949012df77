/* Values of attributes at a point: "2*$width", "classes", "same", "!$norm", "relu". Inside of net/ only. */
#ifndef NASRUN_NET_ATTRIBUTE_H
#define NASRUN_NET_ATTRIBUTE_H

#include "net/operators.h"
#include "space/study.h"

/* What names mean where an attribute stands. */
struct scope {
    const struct space *space;
    const double *point; /* NULL while a template is checked: names and `classes` are then numbers that nobody knows */
    int64_t classes;
    int element; /* of the vectors: the repetition of the block, or -1 outside of blocks */
};

enum attribute_outcome {
    ATTRIBUTE_OK,
    ATTRIBUTE_INACTIVE, /* names a parameter that is inactive at this point */
    ATTRIBUTE_RANGE,    /* *value is outside of the attribute's range, or no whole number */
    ATTRIBUTE_SYNTAX    /* template_check() lets none of these through */
};

/* The value of an attribute's text: ints are whole numbers, bools 0 or 1, choices indices, padding as in operators.h.
 * While a template is checked *value is NaN where it depends on a name. */
enum attribute_outcome attribute_value(const struct scope *scope, const struct attribute_spec *spec, const char *text,
                                       double *value);
/* The same for one level of a parameter, or any text without names and arithmetic. */
enum attribute_outcome attribute_literal(const struct attribute_spec *spec, const char *text, double *value);
/* Is a number within the attribute's range? */
bool attribute_in_range(const struct attribute_spec *spec, double number);

/* Characters of the name at the start of `text` ("width", "width[0]"), 0 when there is none. */
size_t attribute_name_length(const char *text);
/* The parameter that such a name means here (an element of a vector inside of blocks); NULL when there is none. */
const struct dimension *attribute_dimension(const struct scope *scope, const char *name, size_t length);

#endif
