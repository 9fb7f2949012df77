/* What names and words mean where they meet in an expression: levels of dimensions against texts and numbers. */
#include <math.h>
#include <string.h>

#include "space/expression_parser.h"
#include "space/space.h"

nr_status parser_refuse_unknown(struct parser *parser, const struct token *token)
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

nr_status parser_require_number(struct parser *parser, size_t at, size_t end)
{
    const struct instruction *step = &parser->out->code[at];
    if (end - at != 1)
        return NR_OK;
    if (step->operation == DO_WORD && step->token.kind == TOKEN_WORD)
        return parser_refuse_unknown(parser, &step->token);
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

nr_status parser_resolve_operands(struct parser *parser, enum operation operation, size_t left_at, size_t right_at)
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
        status = parser_require_number(parser, left_at, right_at);
    return status == NR_OK ? parser_require_number(parser, right_at, out->count) : status;
}
