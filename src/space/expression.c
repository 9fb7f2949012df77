#include "space/expression.h"

#include <math.h>
#include <stdlib.h>

#include "space/expression_code.h"

size_t operation_operands(enum operation operation)
{
    switch (operation) {
    case DO_NUMBER:
    case DO_NAME:
    case DO_WORD:
        return 0;
    case DO_NOT:
    case DO_NEGATE:
    case DO_ABS:
    case DO_SQRT:
    case DO_LOG:
    case DO_LOG2:
    case DO_EXP:
    case DO_FLOOR:
    case DO_CEIL:
    case DO_ROUND:
        return 1;
    default:
        return 2;
    }
}

static double compute_one(enum operation operation, double a)
{
    switch (operation) {
    case DO_NOT:
        return a == 0;
    case DO_NEGATE:
        return -a;
    case DO_ABS:
        return fabs(a);
    case DO_SQRT:
        return sqrt(a);
    case DO_LOG:
        return log(a);
    case DO_LOG2:
        return log2(a);
    case DO_EXP:
        return exp(a);
    case DO_FLOOR:
        return floor(a);
    case DO_CEIL:
        return ceil(a);
    case DO_ROUND:
        return round(a);
    default:
        return NAN;
    }
}

static double compute_two(enum operation operation, double a, double b)
{
    switch (operation) {
    case DO_OR:
        return a != 0 || b != 0;
    case DO_AND:
        return a != 0 && b != 0;
    case DO_EQUAL:
        return a == b;
    case DO_UNEQUAL:
        return a != b;
    case DO_LESS:
        return a < b;
    case DO_LESS_EQUAL:
        return a <= b;
    case DO_GREATER:
        return a > b;
    case DO_GREATER_EQUAL:
        return a >= b;
    case DO_DIVIDES:
        return a == 0 ? NAN : fmod(b, a) == 0;
    case DO_ADD:
        return a + b;
    case DO_SUBTRACT:
        return a - b;
    case DO_MULTIPLY:
        return a * b;
    case DO_DIVIDE:
        return a / b;
    case DO_REMAINDER:
        return fmod(a, b);
    case DO_POWER:
        return pow(a, b);
    case DO_MIN:
        return fmin(a, b);
    case DO_MAX:
        return fmax(a, b);
    default:
        return NAN;
    }
}

double expression_value(const struct expression *expression, const double *point)
{
    double stack[EXPRESSION_DEPTH + 1]; /* the parser saw to the depth */
    size_t top = 0;
    for (size_t i = 0; i < expression->count; i++) {
        const struct instruction *step = &expression->code[i];
        size_t operands = operation_operands(step->operation);
        double value = step->number;
        if (step->operation == DO_NAME)
            value = point[step->dimension];
        else if (operands == 1)
            value = compute_one(step->operation, stack[top - 1]);
        else if (operands == 2)
            value = compute_two(step->operation, stack[top - 2], stack[top - 1]);
        if (!isfinite(value)) /* inactive or undefined, and so is all that is made of it */
            return NAN;
        if (step->table)
            value = step->table[(size_t)value];
        top -= operands;
        stack[top++] = value;
    }
    return stack[0];
}

bool expression_uses(const struct expression *expression, size_t d)
{
    for (size_t i = 0; i < expression->count; i++)
        if (expression->code[i].operation == DO_NAME && expression->code[i].dimension == d)
            return true;
    return false;
}

bool expression_is_condition(const struct expression *expression)
{
    enum operation last = expression->code[expression->count - 1].operation;
    return (last >= DO_OR && last <= DO_DIVIDES) || last == DO_NAME;
}

const char *expression_text(const struct expression *expression)
{
    return expression->text;
}

void expression_append_normal(const char *expression, struct text *text)
{
    const char *separator = "";
    for (struct token token = token_read(expression); token.kind != TOKEN_END; token = token_read(token.next)) {
        const char *quote = token.kind == TOKEN_TEXT ? "\"" : "";
        text_format(text, "%s%s%.*s%s", separator, quote, (int)token.length, token.start, quote);
        separator = " ";
    }
}

void expression_destroy(struct expression *expression)
{
    if (!expression)
        return;
    for (size_t i = 0; i < expression->count; i++)
        free(expression->code[i].table);
    free(expression->code);
    free(expression->text);
    free(expression);
}
