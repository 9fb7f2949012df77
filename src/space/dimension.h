/* One declaration of [space] as a dimension; used by space.c alone. */
#ifndef NASRUN_SPACE_DIMENSION_H
#define NASRUN_SPACE_DIMENSION_H

#include "space/space.h"

/* Parses the text of a declaration. `name` as written ("width[blocks]"); element -1 for the vector as a whole or a plain
 * dimension, else "width[element]" is made. NR_INVALID with file and line. */
nr_status dimension_parse(const char *name, int element, const char *text, const char *file, int line, struct log *log,
                          struct dimension *out) NR_MUST_CHECK;
void dimension_clear(struct dimension *dimension);

#endif
