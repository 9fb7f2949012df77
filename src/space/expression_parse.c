/* Expressions from text to code: recursive descent by levels of precedence. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "space/expression_parser.h"
#include "space/space.h"

enum level { LEVEL_OR, LEVEL_AND, LEVEL_NOT, LEVEL_COMPARISON, LEVEL_SUM, LEVEL_PRODUCT, LEVEL_SIGN };

static const struct {
    const char *spelling;
    enum level level;
    enum operation operation;
} operators[] = {
    {"or", LEVEL_OR, DO_OR},
    {"and", LEVEL_AND, DO_AND},
    {"=", LEVEL_COMPARISON, DO_EQUAL},
    {"==", LEVEL_COMPARISON, DO_EQUAL},
    {"!=", LEVEL_COMPARISON, DO_UNEQUAL},
    {"<", LEVEL_COMPARISON, DO_LESS},
    {"<=", LEVEL_COMPARISON, DO_LESS_EQUAL},
    {">", LEVEL_COMPARISON, DO_GREATER},
    {">=", LEVEL_COMPARISON, DO_GREATER_EQUAL},
    {"divides", LEVEL_COMPARISON, DO_DIVIDES},
    {"+", LEVEL_SUM, DO_ADD},
    {"-", LEVEL_SUM, DO_SUBTRACT},
    {"*", LEVEL_PRODUCT, DO_MULTIPLY},
    {"/", LEVEL_PRODUCT, DO_DIVIDE},
    {"%", LEVEL_PRODUCT, DO_REMAINDER},
};

/* Over the elements of the vectors in their argument; what is unknown, as of elements that do not exist, counts as the
 * neutral number. */
static const struct {
    const char *name;
    enum operation operation;
    double neutral;
} folds[] = {{"sum", DO_ADD, 0}, {"product", DO_MULTIPLY, 1}};
enum { FOLDS = sizeof folds / sizeof *folds };

static const struct {
    const char *name;
    enum operation operation;
} functions[] = {
    {"min", DO_MIN}, {"max", DO_MAX},     {"abs", DO_ABS},   {"sqrt", DO_SQRT},   {"log", DO_LOG},   {"log2", DO_LOG2},
    {"exp", DO_EXP}, {"floor", DO_FLOOR}, {"ceil", DO_CEIL}, {"round", DO_ROUND}, {"if", DO_CHOOSE},
};

static nr_status parse_level(struct parser *parser, enum level level);

static nr_status refuse_token(struct parser *parser, const char *expected)
{
    const struct token *token = &parser->token;
    if (token->kind == TOKEN_END)
        log_error(parser->log, "%s: \"%s\" ends where %s was expected", parser->where, parser->text, expected);
    else
        log_error(parser->log, "%s: \"%s\" has \"%.*s\" where %s was expected", parser->where, parser->text,
                  (int)token->length, token->start, expected);
    return NR_INVALID;
}

static void advance(struct parser *parser)
{
    parser->token = token_read(parser->token.next);
}

static nr_status expect(struct parser *parser, const char *spelling)
{
    char quoted[8];
    if (token_is(&parser->token, spelling)) {
        advance(parser);
        return NR_OK;
    }
    snprintf(quoted, sizeof quoted, "\"%s\"", spelling);
    return refuse_token(parser, quoted);
}

static nr_status emit(struct parser *parser, struct instruction step)
{
    struct expression *out = parser->out;
    parser->depth = parser->depth + 1 - operation_operands(step.operation);
    if (parser->depth > EXPRESSION_DEPTH) {
        free(step.table);
        log_error(parser->log, "%s: \"%s\" is nested too deeply", parser->where, parser->text);
        return NR_INVALID;
    }
    if (out->count == EXPRESSION_LONGEST) {
        free(step.table);
        log_error(parser->log, "%s: \"%s\" has too many terms", parser->where, parser->text);
        return NR_INVALID;
    }
    if (mem_grow(&out->code, &out->capacity, out->count + 1, sizeof *out->code) != NR_OK) {
        free(step.table);
        return log_no_memory(parser->log, parser->where);
    }
    out->code[out->count++] = step;
    return NR_OK;
}

static nr_status emit_name(struct parser *parser, size_t d, struct token token)
{
    const struct dimension *dimension = &parser->space->dimension[d];
    struct instruction step = {.operation = DO_NAME, .dimension = d, .token = token};
    if (dimension->levels) {
        step.table = mem_array(dimension->levels, sizeof *step.table);
        if (!step.table)
            return log_no_memory(parser->log, parser->where);
        memcpy(step.table, dimension->number, dimension->levels * sizeof *step.table);
    }
    return emit(parser, step);
}

/* "[3]" behind a name, appended to it. */
static nr_status parse_index(struct parser *parser, struct text *name)
{
    advance(parser);
    if (parser->token.kind != TOKEN_NUMBER)
        return refuse_token(parser, "the number of an element");
    text_format(name, "[%.*s]", (int)parser->token.length, parser->token.start);
    advance(parser);
    return expect(parser, "]");
}

/* An element of a vector that was named without an index: the one that the expression is for, or that is summed. */
static nr_status emit_element(struct parser *parser, const char *vector, struct token word)
{
    size_t elements = 0, d = space_find_element(parser->space, vector, parser->element);
    while (space_find_element(parser->space, vector, (int)elements) != SIZE_MAX)
        elements++;
    if (elements > parser->elements)
        parser->elements = elements;
    if (d != SIZE_MAX)
        return emit_name(parser, d, word);
    log_error(parser->log, "%s: \"%s\" has %zu elements, another vector beside it has more", parser->where, vector,
              elements);
    return NR_INVALID;
}

/* `name` is the word with its index, if it has one. */
static nr_status emit_named(struct parser *parser, const char *name, bool indexed, struct token word)
{
    size_t d = space_find(parser->space, name);
    if (d != SIZE_MAX)
        return emit_name(parser, d, word);
    if (!indexed && space_find_element(parser->space, name, 0) != SIZE_MAX) {
        if (parser->element >= 0)
            return emit_element(parser, name, word);
        log_error(parser->log, "%s: \"%s\" is a vector; name one of its elements, as in %s[0], or sum(%s)",
                  parser->where, name, name, name);
        return NR_INVALID;
    }
    if (!indexed)
        return emit(parser, (struct instruction){.operation = DO_WORD, .token = word});
    return parser_refuse_unknown(parser, &(struct token){.start = name, .length = strlen(name)});
}

/* A name or a bare word; the parser stands behind it. */
static nr_status parse_name(struct parser *parser, struct token word)
{
    struct text name = {0};
    bool indexed = token_is(&parser->token, "[");
    text_append_bytes(&name, word.start, word.length);
    nr_status status = indexed ? parse_index(parser, &name) : NR_OK;
    if (status == NR_OK)
        status = name.failed ? log_no_memory(parser->log, parser->where) : emit_named(parser, name.data, indexed, word);
    text_clear(&name);
    return status;
}

/* The argument for element number `element`, as a number that is never unknown. */
static nr_status parse_term(struct parser *parser, int element, double neutral)
{
    size_t at = parser->out->count;
    parser->element = element;
    nr_status status = parse_level(parser, LEVEL_OR);
    if (status == NR_OK)
        status = parser_require_number(parser, at, parser->out->count);
    return status == NR_OK ? emit(parser, (struct instruction){.operation = DO_KNOWN, .number = neutral}) : status;
}

/* The argument of "sum" or "product" is read once per element of its longest vector. */
static nr_status parse_fold(struct parser *parser, size_t fold)
{
    const struct token argument = parser->token;
    const int element = parser->element;
    const size_t elements = parser->elements;
    parser->elements = 0;
    nr_status status = parse_term(parser, 0, folds[fold].neutral);
    if (status == NR_OK && !parser->elements) {
        log_error(parser->log, "%s: %s(...) names no vector; expected one, as in %s(width) for width[blocks]",
                  parser->where, folds[fold].name, folds[fold].name);
        status = NR_INVALID;
    }
    for (int i = 1; status == NR_OK && i < (int)parser->elements; i++) {
        parser->token = argument;
        status = parse_term(parser, i, folds[fold].neutral);
        if (status == NR_OK)
            status = emit(parser, (struct instruction){.operation = folds[fold].operation});
    }
    parser->element = element;
    parser->elements = elements;
    return status == NR_OK ? expect(parser, ")") : status;
}

static nr_status parse_function(struct parser *parser, struct token word)
{
    enum operation operation = DO_WORD;
    size_t fold = 0;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (token_is(&word, functions[i].name))
            operation = functions[i].operation;
    while (fold < FOLDS && !token_is(&word, folds[fold].name))
        fold++;
    if (operation == DO_WORD && fold == FOLDS) {
        log_error(parser->log,
                  "%s: \"%.*s\" is no function; there are min, max, abs, sqrt, log, log2, exp, floor, ceil, "
                  "round, if, sum and product",
                  parser->where, (int)word.length, word.start);
        return NR_INVALID;
    }
    nr_status status = expect(parser, "(");
    if (status == NR_OK && fold < FOLDS)
        return parse_fold(parser, fold);
    for (size_t i = 0; status == NR_OK && i < operation_operands(operation); i++) {
        size_t at = parser->out->count;
        status = i ? expect(parser, ",") : NR_OK;
        if (status == NR_OK)
            status = parse_level(parser, LEVEL_OR);
        if (status == NR_OK)
            status = parser_require_number(parser, at, parser->out->count);
    }
    if (status == NR_OK)
        status = expect(parser, ")");
    return status == NR_OK ? emit(parser, (struct instruction){.operation = operation}) : status;
}

static bool is_keyword(const struct token *token)
{
    return token_is(token, "or") || token_is(token, "and") || token_is(token, "not") || token_is(token, "divides");
}

static nr_status parse_primary(struct parser *parser)
{
    struct token token = parser->token;
    if (token.kind == TOKEN_NUMBER || token.kind == TOKEN_TEXT) {
        advance(parser);
        return emit(parser, (struct instruction){.operation = token.kind == TOKEN_NUMBER ? DO_NUMBER : DO_WORD,
                                                 .number = token.number,
                                                 .token = token});
    }
    if (token_is(&token, "(")) {
        advance(parser);
        nr_status status = parse_level(parser, LEVEL_OR);
        return status == NR_OK ? expect(parser, ")") : status;
    }
    if (token.kind != TOKEN_WORD || is_keyword(&token))
        return refuse_token(parser, "a number, a name or \"(\"");
    advance(parser);
    return token_is(&parser->token, "(") ? parse_function(parser, token) : parse_name(parser, token);
}

/* `first` is the operation's only or left operand's start. */
static nr_status apply(struct parser *parser, enum operation operation, size_t first, size_t second)
{
    nr_status status = second == SIZE_MAX ? parser_require_number(parser, first, parser->out->count)
                                          : parser_resolve_operands(parser, operation, first, second);
    return status == NR_OK ? emit(parser, (struct instruction){.operation = operation}) : status;
}

/* -a, a^b: the power binds closer, and to the right: -2^2 is -4, 2^3^2 is 512, 2^-1 is 0.5. */
static nr_status parse_sign(struct parser *parser)
{
    size_t first = parser->out->count;
    if (token_is(&parser->token, "-")) {
        advance(parser);
        nr_status status = parse_level(parser, LEVEL_SIGN);
        return status == NR_OK ? apply(parser, DO_NEGATE, first, SIZE_MAX) : status;
    }
    nr_status status = parse_primary(parser);
    if (status != NR_OK || !token_is(&parser->token, "^"))
        return status;
    size_t second = parser->out->count;
    advance(parser);
    status = parse_level(parser, LEVEL_SIGN);
    return status == NR_OK ? apply(parser, DO_POWER, first, second) : status;
}

static nr_status parse_not(struct parser *parser)
{
    if (!token_is(&parser->token, "not"))
        return parse_level(parser, LEVEL_COMPARISON);
    size_t first = parser->out->count;
    advance(parser);
    nr_status status = parse_level(parser, LEVEL_NOT);
    return status == NR_OK ? apply(parser, DO_NOT, first, SIZE_MAX) : status;
}

/* The operator of this level that comes next, DO_WORD when there is none. */
static enum operation next_operator(const struct parser *parser, enum level level)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (operators[i].level == level && token_is(&parser->token, operators[i].spelling))
            return operators[i].operation;
    return DO_WORD;
}

static nr_status parse_binary(struct parser *parser, enum level level)
{
    size_t first = parser->out->count;
    nr_status status = parse_level(parser, level + 1);
    enum operation operation;
    while (status == NR_OK && (operation = next_operator(parser, level)) != DO_WORD) {
        size_t second = parser->out->count;
        advance(parser);
        status = parse_level(parser, level + 1);
        if (status == NR_OK)
            status = apply(parser, operation, first, second);
        if (status == NR_OK && level == LEVEL_COMPARISON && next_operator(parser, level) != DO_WORD)
            return refuse_token(parser, "\"and\" or the end (comparisons do not chain)");
    }
    return status;
}

static nr_status parse_level(struct parser *parser, enum level level)
{
    enum { MOST_NESTING = 1000 }; /* frames: about 7 per pair of parentheses */
    if (++parser->nesting > MOST_NESTING) {
        log_error(parser->log, "%s: \"%s\" is nested too deeply", parser->where, parser->text);
        return NR_INVALID;
    }
    nr_status status = level == LEVEL_NOT    ? parse_not(parser)
                       : level == LEVEL_SIGN ? parse_sign(parser)
                                             : parse_binary(parser, level);
    parser->nesting--;
    return status;
}

/* The whole: an expression, and a condition where it is meant to hold only there. */
static nr_status parse_whole(struct parser *parser)
{
    nr_status status = parse_level(parser, LEVEL_OR);
    if (status == NR_OK && token_is(&parser->token, "if")) {
        size_t second = parser->out->count;
        advance(parser);
        status = parse_level(parser, LEVEL_OR);
        if (status == NR_OK)
            status = apply(parser, DO_WHERE, 0, second);
    }
    if (status == NR_OK && parser->token.kind != TOKEN_END)
        status = refuse_token(parser, "an operator or the end");
    return status == NR_OK ? parser_require_number(parser, 0, parser->out->count) : status;
}

nr_status expression_parse_element(const char *text, const struct space *space, int element, const char *where,
                                   struct log *log, struct expression **out)
{
    struct expression *expression = mem_array(1, sizeof *expression);
    if (!expression)
        return log_no_memory(log, where);
    struct parser parser = {
        .text = text, .where = where, .space = space, .element = element, .log = log, .out = expression};
    nr_status status = NR_NO_MEMORY;
    expression->text = mem_copy_string(text);
    if (!expression->text) {
        log_no_memory(log, where);
        goto err_expression;
    }
    parser.token = token_read(text);
    status = parse_whole(&parser);
    if (status != NR_OK)
        goto err_expression;
    for (size_t i = 0; i < expression->count; i++)
        expression->code[i].token = (struct token){0}; /* pointed into the caller's text */
    *out = expression;
    return NR_OK;

err_expression:
    expression_destroy(expression);
    return status;
}

nr_status expression_parse(const char *text, const struct space *space, const char *where, struct log *log,
                           struct expression **out)
{
    return expression_parse_element(text, space, -1, where, log, out);
}
