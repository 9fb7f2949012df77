/* Expressions over the parameters of a study: conditions ("optimizer = sgd and blocks > 1"), constraints
 * ("hidden2 <= hidden1", "groups divides width"), exact objectives ("784*h1 + h1*h2").
 *
 *   or | and | not | = == != < <= > >= divides | + - | * / % | unary - | ^ | number, name, name[i], "text", (...),
 *   min(a,b), max(a,b), abs(a), sqrt(a), log(a), log2(a), exp(a), floor(a), ceil(a), round(a),
 *   sum(a), product(a): over the elements of the vectors in it, as in sum(width * kernel^2); unknown terms, as those of
 *   elements that do not exist, count as 0 or 1
 *   if(condition, a, b): a where the condition holds, b where it does not or is unknown
 *   and at the end of the whole: "... if condition", which is unknown where the condition does not hold
 *
 * A bare word that names no dimension is text when it is compared with a dimension: a level of it. Levels can be equal
 * or not; those of an `ordered` can also be less or greater. `ordered`, `choice` and `fixed` whose levels are all
 * numbers count as these numbers, `bool` as 0 or 1. `$name` is the same as `name`. Truth is 1 or 0. A name whose
 * dimension is inactive makes unknown (NaN) what is computed from it; in if(...) only the branch taken counts. */
#ifndef NASRUN_SPACE_EXPRESSION_H
#define NASRUN_SPACE_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"

struct space;
struct expression;

/* `where` opens messages ("mnist.ini:12: [constraints] narrowing"). Names are resolved against the dimensions of
 * `space` that are declared already; an unknown one is NR_INVALID with the nearest known name. */
nr_status expression_parse(const char *text, const struct space *space, const char *where, struct log *log,
                           struct expression **out) NR_MUST_CHECK;
/* The same where a vector's bare name means its element number `element` (-1: a bare vector is refused). */
nr_status expression_parse_element(const char *text, const struct space *space, int element, const char *where,
                                   struct log *log, struct expression **out) NR_MUST_CHECK;
/* `point` as in space.h. NaN when a name in it is inactive or the arithmetic is undefined (1/0, log -1). */
double expression_value(const struct expression *expression, const double *point);
/* Does it mention dimension d? */
bool expression_uses(const struct expression *expression, size_t d);
/* Does it give a truth (a comparison, or/and/not) or a number? A bare name may be meant as either. */
bool expression_is_condition(const struct expression *expression);
bool expression_is_number(const struct expression *expression);
const char *expression_text(const struct expression *expression);
/* `expression` with one blank between tokens, as it is compared between configurations. */
void expression_append_normal(const char *expression, struct text *text);
void expression_destroy(struct expression *expression);

#endif
