/* Inside of expressions: tokens and the compiled code. For the files expression*.c alone. */
#ifndef NASRUN_SPACE_EXPRESSION_CODE_H
#define NASRUN_SPACE_EXPRESSION_CODE_H

#include "space/expression.h"

enum token_kind { TOKEN_END, TOKEN_NUMBER, TOKEN_WORD, TOKEN_TEXT, TOKEN_SYMBOL, TOKEN_WRONG };

struct token {
    enum token_kind kind;
    const char *start; /* of the text of a quoted TOKEN_TEXT: after the quote */
    size_t length;
    double number;    /* TOKEN_NUMBER */
    const char *next; /* where the following token is sought */
};

/* The token at or after `from`. A `$` before a word is passed over. */
struct token token_read(const char *from);
bool token_is(const struct token *token, const char *spelling);

enum operation {
    DO_NUMBER,
    DO_NAME,
    DO_WORD, /* text that a comparison has yet to resolve; never in finished code */
    DO_OR,
    DO_AND,
    DO_NOT,
    DO_EQUAL,
    DO_UNEQUAL,
    DO_LESS,
    DO_LESS_EQUAL,
    DO_GREATER,
    DO_GREATER_EQUAL,
    DO_DIVIDES,
    DO_ADD,
    DO_SUBTRACT,
    DO_MULTIPLY,
    DO_DIVIDE,
    DO_REMAINDER,
    DO_NEGATE,
    DO_POWER,
    DO_MIN,
    DO_MAX,
    DO_ABS,
    DO_SQRT,
    DO_LOG,
    DO_LOG2,
    DO_EXP,
    DO_FLOOR,
    DO_CEIL,
    DO_ROUND,
    DO_CHOOSE, /* condition, a, b: a where the condition holds, b where it does not or is unknown */
    DO_KNOWN,  /* a where it is known, else `number` */
    DO_WHERE   /* a, condition: a where the condition holds, else unknown */
};

struct instruction {
    enum operation operation;
    double number;      /* DO_NUMBER, DO_KNOWN */
    size_t dimension;   /* DO_NAME */
    double *table;      /* DO_NAME of a dimension with levels: what each level counts as; else NULL */
    struct token token; /* where it was written, while parsing */
};

enum { EXPRESSION_DEPTH = 64, EXPRESSION_LONGEST = 100000 /* instructions: sums in sums multiply */ };

/* Reverse Polish: operands first. Points carry no dimension, so that code outlives moves of the space. */
struct expression {
    char *text;
    struct instruction *code;
    size_t count, capacity;
};

/* How many values an operation takes from the stack (it leaves one). */
size_t operation_operands(enum operation operation);

#endif
