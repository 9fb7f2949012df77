/* One declaration of [space] as a dimension; for space.c and point.c alone. */
#ifndef NASRUN_SPACE_DIMENSION_H
#define NASRUN_SPACE_DIMENSION_H

#include "space/space.h"

/* Parses the text of a declaration. `name` as written ("width[blocks]"); element -1 for the vector as a whole or a
 * plain dimension, else "width[element]" is made. NR_INVALID with file and line. */
nr_status dimension_parse(const char *name, int element, const char *text, const char *file, int line, struct log *log,
                          struct dimension *out) NR_MUST_CHECK;
void dimension_clear(struct dimension *dimension);
/* `value` to a multiple of 10^-decimals, as the double nearest to that decimal number. */
double dimension_round(double value, int decimals);

#endif
