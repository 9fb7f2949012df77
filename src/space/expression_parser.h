/* The parser of expressions while it works. For the files expression*.c alone. */
#ifndef NASRUN_SPACE_EXPRESSION_PARSER_H
#define NASRUN_SPACE_EXPRESSION_PARSER_H

#include "space/expression_code.h"

struct parser {
    const char *text, *where;
    const struct space *space;
    int element;     /* that a vector's bare name means; -1: none */
    size_t elements; /* of the longest vector named so since the last sum or product began */
    struct log *log;
    struct expression *out;
    struct token token; /* the next one */
    size_t depth;       /* of the stack, where the code so far leaves it */
    size_t nesting;     /* of the parser itself */
};

/* The token names nothing: NR_INVALID with the nearest name. */
nr_status parser_refuse_unknown(struct parser *parser, const struct token *token) NR_MUST_CHECK;
/* The code from `at` up to `end` as an operand of arithmetic: no bare text, no levels that are no numbers. */
nr_status parser_require_number(struct parser *parser, size_t at, size_t end) NR_MUST_CHECK;
/* Gives text its meaning before a comparison is emitted; other operations want numbers. The right operand's code ends
 * the code so far. */
nr_status parser_resolve_operands(struct parser *parser, enum operation operation, size_t left_at,
                                  size_t right_at) NR_MUST_CHECK;

#endif
