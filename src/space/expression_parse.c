/* Expressions from text to code: recursive descent by levels of precedence. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "space/expression_code.h"
#include "space/space.h"

enum level { LEVEL_OR, LEVEL_AND, LEVEL_NOT, LEVEL_COMPARISON, LEVEL_SUM, LEVEL_PRODUCT, LEVEL_SIGN };

struct parser {
    const char *text, *where;
    const struct space *space;
    int element;
    struct log *log;
    struct expression *out;
    struct token token; /* the next one */
    size_t depth;       /* of the stack, where the code so far leaves it */
    size_t nesting;     /* of the parser itself */
};

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
    if (mem_grow(&out->code, &out->capacity, out->count + 1, sizeof *out->code) != NR_OK) {
        free(step.table);
        return log_no_memory(parser->log, parser->where);
    }
    out->code[out->count++] = step;
    return NR_OK;
}

static nr_status refuse_unknown(struct parser *parser, const struct token *token)
{
    struct text name = {0};
    char hint[SPACE_HINT_SIZE];
    text_format(&name, "%.*s", (int)token->length, token->start);
    log_error(parser->log, "%s: \"%s\" is no parameter of [space]%s", parser->where, name.data ? name.data : "",
              name.data ? space_hint(parser->space, name.data, hint) : "");
    text_clear(&name);
    return NR_INVALID;
}

static bool is_all_numbers(const double *table, size_t levels)
{
    for (size_t i = 0; i < levels; i++)
        if (isnan(table[i]))
            return false;
    return true;
}

/* The code from `at` up to `end` as an operand of arithmetic: no bare text, no levels that are no numbers. */
static nr_status require_number(struct parser *parser, size_t at, size_t end)
{
    const struct instruction *step = &parser->out->code[at];
    if (end - at != 1)
        return NR_OK;
    if (step->operation == DO_WORD && step->token.kind == TOKEN_WORD)
        return refuse_unknown(parser, &step->token);
    if (step->operation == DO_WORD) {
        log_error(parser->log, "%s: the text \"%.*s\" can only be compared with a parameter", parser->where,
                  (int)step->token.length, step->token.start);
        return NR_INVALID;
    }
    if (step->operation != DO_NAME || !step->table)
        return NR_OK;
    const struct dimension *dimension = &parser->space->dimension[step->dimension];
    if (is_all_numbers(step->table, dimension->levels))
        return NR_OK;
    log_error(parser->log, "%s: the levels of \"%s\" are no numbers; compare it with one of them, as in %s = %s",
              parser->where, dimension->name, dimension->name, dimension->level[0]);
    return NR_INVALID;
}

static bool is_equality(enum operation operation)
{
    return operation == DO_EQUAL || operation == DO_UNEQUAL;
}

static size_t find_level(const struct dimension *dimension, const struct instruction *literal)
{
    const struct token *token = &literal->token;
    for (size_t i = 0; i < dimension->levels; i++)
        if (strlen(dimension->level[i]) == token->length && !strncmp(dimension->level[i], token->start, token->length))
            return i;
    for (size_t i = 0; literal->operation == DO_NUMBER && i < dimension->levels; i++)
        if (dimension->number[i] == literal->number)
            return i;
    char word[8] = "";
    bool yes;
    if (dimension->kind == DIM_BOOL && token->length < sizeof word) {
        memcpy(word, token->start, token->length);
        if (text_to_bool(word, &yes))
            return yes;
    }
    return SIZE_MAX;
}

static nr_status refuse_level(struct parser *parser, const struct dimension *dimension, const struct token *token)
{
    struct text levels = {0};
    for (size_t i = 0; i < dimension->levels; i++)
        text_format(&levels, "%s%s", i ? ", " : "", dimension->level[i]);
    log_error(parser->log, "%s: \"%.*s\" is no level of \"%s\"; expected one of %s", parser->where, (int)token->length,
              token->start, dimension->name, levels.data ? levels.data : "its levels");
    text_clear(&levels);
    return NR_INVALID;
}

/* A name beside a literal: the name counts as the index of its level, the literal as that of the level it spells. */
static nr_status compare_level(struct parser *parser, enum operation operation, struct instruction *name,
                               struct instruction *literal)
{
    const struct dimension *dimension = &parser->space->dimension[name->dimension];
    bool numeric = is_all_numbers(name->table, dimension->levels) && literal->operation == DO_NUMBER;
    size_t level = find_level(dimension, literal);
    if (numeric && !is_equality(operation))
        return NR_OK;
    if (level == SIZE_MAX)
        return refuse_level(parser, dimension, &literal->token);
    if (!is_equality(operation) && dimension->kind != DIM_ORDERED) {
        log_error(parser->log, "%s: the levels of \"%s\" have no order; compare by = or !=", parser->where,
                  dimension->name);
        return NR_INVALID;
    }
    for (size_t i = 0; i < dimension->levels; i++)
        name->table[i] = (double)i;
    literal->operation = DO_NUMBER;
    literal->number = (double)level;
    return NR_OK;
}

/* Two names: equal when their levels are spelt alike. */
static void compare_names(struct parser *parser, struct instruction *left, struct instruction *right)
{
    const struct dimension *a = &parser->space->dimension[left->dimension];
    const struct dimension *b = &parser->space->dimension[right->dimension];
    if (is_all_numbers(left->table, a->levels) && is_all_numbers(right->table, b->levels))
        return;
    for (size_t i = 0; i < a->levels; i++)
        left->table[i] = (double)i;
    for (size_t j = 0; j < b->levels; j++) {
        right->table[j] = -1;
        for (size_t i = 0; i < a->levels; i++)
            if (!strcmp(a->level[i], b->level[j]))
                right->table[j] = (double)i;
    }
}

/* Gives text its meaning before a comparison is emitted; other operations want numbers. */
static nr_status resolve_operands(struct parser *parser, enum operation operation, size_t left_at, size_t right_at)
{
    struct expression *out = parser->out;
    struct instruction *left = &out->code[left_at], *right = &out->code[right_at];
    bool single = right_at - left_at == 1 && out->count - right_at == 1;
    bool compares = operation >= DO_EQUAL && operation <= DO_GREATER_EQUAL;
    bool left_levels = left->operation == DO_NAME && left->table;
    bool right_levels = right->operation == DO_NAME && right->table;
    bool left_literal = left->operation == DO_WORD || left->operation == DO_NUMBER;
    bool right_literal = right->operation == DO_WORD || right->operation == DO_NUMBER;
    nr_status status = NR_OK;
    if (single && compares && left_levels && right_literal)
        status = compare_level(parser, operation, left, right);
    else if (single && compares && right_levels && left_literal)
        status = compare_level(parser, operation, right, left);
    else if (single && is_equality(operation) && left_levels && right_levels)
        compare_names(parser, left, right);
    if (status == NR_OK)
        status = require_number(parser, left_at, right_at);
    return status == NR_OK ? require_number(parser, right_at, out->count) : status;
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

/* A name or a bare word; the parser stands behind it. */
static nr_status parse_name(struct parser *parser, struct token word)
{
    char name[128];
    int length = snprintf(name, sizeof name, "%.*s", (int)word.length, word.start);
    bool indexed = token_is(&parser->token, "[");
    if (indexed) {
        advance(parser);
        if (parser->token.kind != TOKEN_NUMBER)
            return refuse_token(parser, "the number of an element");
        length +=
            snprintf(name + length, length < 64 ? 64 : 0, "[%.*s]", (int)parser->token.length, parser->token.start);
        advance(parser);
        nr_status status = expect(parser, "]");
        if (status != NR_OK)
            return status;
    }
    size_t d = length < (int)sizeof name ? space_find(parser->space, name) : SIZE_MAX;
    bool is_vector = d == SIZE_MAX && !indexed && space_find_element(parser->space, name, 0) != SIZE_MAX;
    if (is_vector && parser->element >= 0)
        d = space_find_element(parser->space, name, parser->element);
    if (d != SIZE_MAX)
        return emit_name(parser, d, word);
    if (is_vector) {
        log_error(parser->log, "%s: \"%s\" is a vector; name one of its elements, as in %s[0]", parser->where, name,
                  name);
        return NR_INVALID;
    }
    if (indexed) {
        word.length = (size_t)length;
        word.start = name;
        return refuse_unknown(parser, &word);
    }
    return emit(parser, (struct instruction){.operation = DO_WORD, .token = word});
}

static nr_status parse_function(struct parser *parser, struct token word)
{
    enum operation operation = DO_WORD;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (token_is(&word, functions[i].name))
            operation = functions[i].operation;
    if (operation == DO_WORD) {
        log_error(parser->log,
                  "%s: \"%.*s\" is no function; there are min, max, abs, sqrt, log, log2, exp, floor, ceil, "
                  "round and if",
                  parser->where, (int)word.length, word.start);
        return NR_INVALID;
    }
    nr_status status = expect(parser, "(");
    for (size_t i = 0; status == NR_OK && i < operation_operands(operation); i++) {
        size_t at = parser->out->count;
        status = i ? expect(parser, ",") : NR_OK;
        if (status == NR_OK)
            status = parse_level(parser, LEVEL_OR);
        if (status == NR_OK)
            status = require_number(parser, at, parser->out->count);
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
    nr_status status = second == SIZE_MAX ? require_number(parser, first, parser->out->count)
                                          : resolve_operands(parser, operation, first, second);
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
    return status == NR_OK ? require_number(parser, 0, parser->out->count) : status;
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
