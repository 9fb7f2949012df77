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
    case DO_KNOWN:
        return 1;
    case DO_CHOOSE:
        return 3;
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
    case DO_WHERE:
        return b != 0 ? a : NAN;
    default:
        return NAN;
    }
}

static double compute(const struct instruction *step, const double *operand)
{
    if (step->operation == DO_CHOOSE)
        return !isnan(operand[0]) && operand[0] != 0 ? operand[1] : operand[2];
    if (step->operation == DO_KNOWN)
        return isnan(operand[0]) ? step->number : operand[0];
    size_t operands = operation_operands(step->operation);
    for (size_t i = 0; i < operands; i++)
        if (isnan(operand[i])) /* inactive or undefined, and so is what is made of it */
            return NAN;
    double value =
        operands == 1 ? compute_one(step->operation, operand[0]) : compute_two(step->operation, operand[0], operand[1]);
    return isfinite(value) ? value : NAN;
}

static double value_of_name(const struct instruction *step, const double *point)
{
    double value = point[step->dimension];
    return step->table && !isnan(value) ? step->table[(size_t)value] : value;
}

double expression_value(const struct expression *expression, const double *point)
{
    double stack[EXPRESSION_DEPTH + 1]; /* the parser saw to the depth */
    size_t top = 0;
    for (size_t i = 0; i < expression->count; i++) {
        const struct instruction *step = &expression->code[i];
        size_t operands = operation_operands(step->operation);
        top -= operands;
        if (step->operation == DO_NAME)
            stack[top] = value_of_name(step, point);
        else
            stack[top] = operands ? compute(step, &stack[top]) : step->number;
        top++;
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

/* What a value may be meant as. */
enum { MEANS_NUMBER = 1, MEANS_TRUTH = 2 };

static unsigned meaning_of(enum operation operation, const unsigned *operand)
{
    if (operation == DO_NAME)
        return MEANS_NUMBER | MEANS_TRUTH;
    if (operation == DO_CHOOSE)
        return operand[1] & operand[2];
    if (operation == DO_WHERE)
        return operand[0];
    return operation >= DO_OR && operation <= DO_DIVIDES ? MEANS_TRUTH : MEANS_NUMBER;
}

static unsigned meaning(const struct expression *expression)
{
    unsigned stack[EXPRESSION_DEPTH + 1];
    size_t top = 0;
    for (size_t i = 0; i < expression->count; i++) {
        enum operation operation = expression->code[i].operation;
        top -= operation_operands(operation);
        stack[top] = meaning_of(operation, &stack[top]);
        top++;
    }
    return stack[0];
}

bool expression_is_condition(const struct expression *expression)
{
    return meaning(expression) & MEANS_TRUTH;
}

bool expression_is_number(const struct expression *expression)
{
    return meaning(expression) & MEANS_NUMBER;
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
