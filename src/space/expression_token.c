#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "space/expression_code.h"

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static struct token read_number(const char *start)
{
    struct token token = {.kind = TOKEN_WRONG, .start = start};
    char *end;
    token.number = strtod(start, &end);
    bool hexadecimal = start[0] == '0' && (start[1] == 'x' || start[1] == 'X');
    if (!is_word(*end) && !hexadecimal && isfinite(token.number))
        token.kind = TOKEN_NUMBER;
    while (is_word(*end))
        end++;
    token.length = (size_t)(end - start);
    token.next = end;
    return token;
}

static struct token read_quoted(const char *start)
{
    const char *close = strchr(start + 1, '"');
    if (!close)
        return (struct token){TOKEN_WRONG, start, strlen(start), 0, start + strlen(start)};
    return (struct token){TOKEN_TEXT, start + 1, (size_t)(close - start - 1), 0, close + 1};
}

struct token token_read(const char *from)
{
    static const char *const doubles[] = {"==", "!=", "<=", ">="};
    while (isspace((unsigned char)*from))
        from++;
    if (*from == '\0')
        return (struct token){TOKEN_END, from, 0, 0, from};
    if (isdigit((unsigned char)*from) || (*from == '.' && isdigit((unsigned char)from[1])))
        return read_number(from);
    if (*from == '"')
        return read_quoted(from);
    if (*from == '$' && is_word(from[1]))
        from++;
    size_t length = 0;
    while (is_word(from[length]))
        length++;
    if (length)
        return (struct token){TOKEN_WORD, from, length, 0, from + length};
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
        if (!strncmp(from, doubles[i], 2))
            return (struct token){TOKEN_SYMBOL, from, 2, 0, from + 2};
    enum token_kind kind = strchr("=<>()[]+-*/%^,", *from) ? TOKEN_SYMBOL : TOKEN_WRONG;
    return (struct token){kind, from, 1, 0, from + 1};
}

bool token_is(const struct token *token, const char *spelling)
{
    return (token->kind == TOKEN_SYMBOL || token->kind == TOKEN_WORD) && strlen(spelling) == token->length &&
           !strncmp(token->start, spelling, token->length);
}
