#include "space/dimension.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "space/config.h"

static const double most_int = 1e9, most_real = 1e30;
static const double least_log = 1e-12; /* rounding to significant digits is exact from here on, see point.c */
static const double most_grid = 1e6;

/* The declaration in parsing. */
struct declaration {
    const char *name, *file, *text;
    int line;
    struct log *log;
};

static nr_status refuse(const struct declaration *at, const char *format, ...) NR_PRINTF(2, 3);

/* `mnist.ini:12: [space] hidden1: "int 128..16" <message>` */
static nr_status refuse(const struct declaration *at, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return config_error(at->log, at->file, at->line, "space", at->name, "\"%s\" %s", at->text, message);
}

/* Cuts the first word off *rest; "" at the end. */
static char *take_word(char **rest)
{
    char *word = *rest;
    while (isspace((unsigned char)*word))
        word++;
    char *end = word;
    while (*end && !isspace((unsigned char)*end))
        end++;
    *rest = *end ? end + 1 : end;
    *end = '\0';
    return word;
}

/* Cuts " if CONDITION" off; the condition, or NULL. */
static char *take_condition(char *text)
{
    for (char *c = text; (c = strstr(c, "if")); c += 2) {
        bool begins = c > text && isspace((unsigned char)c[-1]);
        bool ends = c[2] == '\0' || isspace((unsigned char)c[2]) || c[2] == '(';
        if (!begins || !ends)
            continue;
        *c = '\0';
        return text_trim(c + 2);
    }
    return NULL;
}

static nr_status allocate_levels(const struct declaration *at, size_t count, struct dimension *out)
{
    out->level = mem_array(count, sizeof *out->level);
    out->number = mem_array(count, sizeof *out->number);
    if (!out->level || !out->number)
        return log_no_memory(at->log, at->name);
    out->levels = count;
    return NR_OK;
}

static nr_status set_level(const struct declaration *at, struct dimension *out, size_t i, const char *text)
{
    out->level[i] = mem_copy_string(text);
    if (!out->level[i])
        return log_no_memory(at->log, at->name);
    if (!text_to_real(text, &out->number[i]))
        out->number[i] = NAN;
    return NR_OK;
}

static bool is_level(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_.+-/:", *c))
            return false;
    return *text != '\0';
}

static nr_status check_levels(const struct declaration *at, const struct dimension *out)
{
    bool rises = true, falls = true;
    for (size_t i = 0; i < out->levels; i++) {
        for (size_t j = 0; j < i; j++)
            if (!strcmp(out->level[i], out->level[j]) || out->number[i] == out->number[j])
                return refuse(at, "has the level %s twice", out->level[i]);
        rises &= i == 0 || !(out->number[i] < out->number[i - 1]);
        falls &= i == 0 || !(out->number[i] > out->number[i - 1]);
    }
    if (out->kind == DIM_ORDERED && !rises && !falls)
        return refuse(at, "has levels in no order; write them from the smallest to the largest");
    return NR_OK;
}

static nr_status parse_levels(const struct declaration *at, char *rest, struct dimension *out)
{
    nr_status status = NR_INVALID;
    char **part = mem_array(SPACE_MOST_LEVELS, sizeof *part);
    if (!part)
        return log_no_memory(at->log, at->name);
    size_t count = text_split(rest, ',', part, SPACE_MOST_LEVELS);
    const char *example = out->kind == DIM_FIXED ? "fixed 5e-4" : out->kind == DIM_CHOICE ? "choice relu, tanh"
                                                                                         : "ordered 32, 64, 128";
    if (count > SPACE_MOST_LEVELS) {
        status = refuse(at, "has more than %d levels", SPACE_MOST_LEVELS);
        goto err_part;
    }
    if (out->kind == DIM_FIXED && count != 1) {
        status = refuse(at, "has %zu values; \"fixed\" takes one", count);
        goto err_part;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_level(part[i]))
            continue;
        status = *part[i] ? refuse(at, "has the level \"%s\", which is no single word; expected levels between commas, "
                                       "as in \"%s\"", part[i], example)
                          : refuse(at, "lacks a level; expected levels between commas, as in \"%s\"", example);
        goto err_part;
    }
    status = allocate_levels(at, count, out);
    for (size_t i = 0; status == NR_OK && i < count; i++)
        status = set_level(at, out, i, part[i]);
    if (status == NR_OK)
        status = check_levels(at, out);

err_part:
    free(part);
    return status;
}

static nr_status parse_bool(const struct declaration *at, const char *rest, struct dimension *out)
{
    if (*rest)
        return refuse(at, "has \"%s\" after \"bool\", where nothing but a condition (if ...) may stand", rest);
    nr_status status = allocate_levels(at, 2, out);
    for (size_t i = 0; status == NR_OK && i < 2; i++) {
        status = set_level(at, out, i, i ? "yes" : "no");
        out->number[i] = (double)i;
    }
    return status;
}

static nr_status parse_bound(const struct declaration *at, const struct dimension *out, const char *text,
                             const char *which, double *bound)
{
    const char *kind = out->kind == DIM_INT ? "int" : "real";
    if (!*text)
        return refuse(at, "lacks its %s bound; expected %s", which,
                      out->kind == DIM_INT ? "LOW..HIGH, as in \"int 16..128\"" : "LOW..HIGH, as in \"real 0..0.5\"");
    if (!text_to_real(text, bound))
        return refuse(at, "has the %s bound \"%s\", which is no number", which, text);
    if (out->kind == DIM_INT && *bound != floor(*bound))
        return refuse(at, "has the %s bound %s, which is no whole number; use \"real\" for others", which, text);
    double most = out->kind == DIM_INT ? most_int : most_real;
    if (fabs(*bound) > most)
        return refuse(at, "has the %s bound %s; bounds of \"%s\" lie within %g and %g", which, text, kind, -most, most);
    return NR_OK;
}

/* "int 16..128 step 16" as ordered levels. */
static nr_status make_int_grid(const struct declaration *at, struct dimension *out)
{
    if (out->step != floor(out->step))
        return refuse(at, "has a step that is no whole number");
    size_t count = (size_t)((out->high - out->low) / out->step) + 1;
    if (count > SPACE_MOST_LEVELS)
        return refuse(at, "has more than %d values with that step", SPACE_MOST_LEVELS);
    nr_status status = allocate_levels(at, count, out);
    for (size_t i = 0; status == NR_OK && i < count; i++) {
        char number[32];
        snprintf(number, sizeof number, "%.0f", out->low + (double)i * out->step);
        status = set_level(at, out, i, number);
    }
    out->kind = DIM_ORDERED;
    out->low = out->high = out->step = 0;
    return status;
}

static nr_status set_step(const struct declaration *at, const char *text, struct dimension *out)
{
    if (!text_to_real(text, &out->step) || !(out->step > 0))
        return refuse(at, "has the step \"%s\"; expected a number above 0", text);
    if (out->log)
        return refuse(at, "has both \"log\" and \"step\"; use one of them, or \"ordered\" with the values");
    if (out->step > out->high - out->low)
        return refuse(at, "has a step wider than its range");
    if (out->kind == DIM_INT)
        return make_int_grid(at, out);
    double steps = floor((out->high - out->low) / out->step * (1 + 1e-12) + 1e-9);
    if (steps >= most_grid)
        return refuse(at, "has more than %.0f values with that step; leave the step out", most_grid);
    out->high = fmin(out->high, dimension_round(out->low + steps * out->step, out->decimals));
    return NR_OK;
}

static nr_status set_log(const struct declaration *at, struct dimension *out)
{
    if (out->low <= 0)
        return refuse(at, "is a log range from %g, but a logarithm needs a lower bound above 0", out->low);
    if (out->low < least_log)
        return refuse(at, "is a log range from %g; the least is %g", out->low, least_log);
    if (out->step > 0)
        return refuse(at, "has both \"log\" and \"step\"; use one of them, or \"ordered\" with the values");
    double margin = out->kind == DIM_INT ? 0.5 : 0;
    out->log = true;
    out->log_low = log(out->low - margin);
    out->log_high = log(out->high + margin);
    return NR_OK;
}

/* A quantum that is far finer than anybody can tell apart in training, and far coarser than the rounding of
 * low + u (high - low). */
static int choose_decimals(double low, double high)
{
    double quantum = fmax((high - low) * 1e-9, fmax(fabs(low), fabs(high)) * 1e-12);
    return quantum > 0 ? -(int)floor(log10(quantum)) : 0;
}

/* What follows the upper bound: "log", "step 0.01". */
static nr_status parse_range_options(const struct declaration *at, char *rest, struct dimension *out)
{
    nr_status status = NR_OK;
    for (char *word = take_word(&rest); *word && status == NR_OK; word = take_word(&rest)) {
        if (!strcmp(word, "log") && out->kind != DIM_ORDERED && !out->log)
            status = set_log(at, out);
        else if (!strcmp(word, "step") && out->kind != DIM_ORDERED && out->step == 0)
            status = set_step(at, take_word(&rest), out);
        else
            status = refuse(at, "has \"%s\" after the range; expected \"log\", \"step NUMBER\" or \"if CONDITION\"",
                            word);
    }
    return status;
}

static nr_status parse_range(const struct declaration *at, char *rest, struct dimension *out)
{
    char *dots = strstr(rest, "..");
    if (!dots)
        return refuse(at, "has no range; expected LOW..HIGH, as in \"%s\"",
                      out->kind == DIM_INT ? "int 16..128" : "real 0..0.5");
    *dots = '\0';
    char *options = dots + 2;
    nr_status status = parse_bound(at, out, text_trim(rest), "lower", &out->low);
    if (status == NR_OK)
        status = parse_bound(at, out, take_word(&options), "upper", &out->high);
    if (status == NR_OK && out->low > out->high)
        status = refuse(at, "is a reversed range; write the lower bound first");
    if (status == NR_OK && out->kind == DIM_REAL)
        out->decimals = choose_decimals(out->low, out->high);
    return status == NR_OK ? parse_range_options(at, options, out) : status;
}

/* "width[blocks]" into base and length; a plain name has no length. */
static nr_status parse_name(const struct declaration *at, int element, struct dimension *out)
{
    static const char *const reserved[] = {"and", "or", "not", "divides", "if", "classes"};
    const char *open = strchr(at->name, '[');
    size_t length = strlen(at->name), base = open ? (size_t)(open - at->name) : length;
    out->base = strndup(at->name, base);
    out->length = open && length > base + 2 ? strndup(open + 1, length - base - 2) : NULL;
    if (!out->base || (open && length > base + 2 && !out->length))
        return log_no_memory(at->log, at->name);
    bool closed = !open || (at->name[length - 1] == ']' && out->length && text_is_name(out->length));
    if (!text_is_name(out->base) || !closed)
        return config_error(at->log, at->file, at->line, "space", at->name, "is no name of a parameter; expected "
                            "letters, digits and \"_\", or NAME[LENGTH] with the parameter that is the length");
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (!strcmp(out->base, reserved[i]))
            return config_error(at->log, at->file, at->line, "space", at->name, "is a word of the language; choose "
                                "another name");
    struct text name = {0};
    text_append(&name, out->base);
    if (element >= 0)
        text_format(&name, "[%d]", element);
    out->name = text_take(&name);
    out->element = element;
    return out->name ? NR_OK : log_no_memory(at->log, at->name);
}

static nr_status parse_kind(const struct declaration *at, char *rest, struct dimension *out)
{
    static const char *const kinds[] = {"real", "int", "ordered", "choice", "bool", "fixed"}; /* as the enum */
    const char *word = take_word(&rest);
    size_t count = sizeof kinds / sizeof *kinds, kind = 0;
    while (kind < count && strcmp(kinds[kind], word))
        kind++;
    if (kind == count) {
        char hint[CONFIG_HINT_SIZE];
        return refuse(at, "begins with \"%s\"; expected int, real, ordered, choice, bool or fixed%s", word,
                      config_hint(word, kinds, count, hint));
    }
    out->kind = (enum dimension_kind)kind;
    rest = text_trim(rest);
    switch (out->kind) {
    case DIM_REAL:
    case DIM_INT:
        return parse_range(at, rest, out);
    case DIM_BOOL:
        return parse_bool(at, rest, out);
    default:
        return parse_levels(at, rest, out);
    }
}

nr_status dimension_parse(const char *name, int element, const char *text, const char *file, int line, struct log *log,
                          struct dimension *out)
{
    const struct declaration at = {name, file, text, line, log};
    struct dimension dimension = {.file = file, .line = line, .text = mem_copy_string(text)};
    char *copy = mem_copy_string(text);
    nr_status status = copy && dimension.text ? parse_name(&at, element, &dimension) : log_no_memory(log, name);
    if (status != NR_OK)
        goto err_copy;
    const char *condition = take_condition(copy);
    if (condition) {
        dimension.condition_text = mem_copy_string(condition);
        status = !dimension.condition_text ? log_no_memory(log, name)
                 : *condition              ? NR_OK
                                           : refuse(&at, "has no condition after \"if\"");
    }
    if (status == NR_OK)
        status = parse_kind(&at, copy, &dimension);
    if (status == NR_OK)
        *out = dimension;

err_copy:
    free(copy);
    if (status != NR_OK)
        dimension_clear(&dimension);
    return status;
}

void dimension_clear(struct dimension *dimension)
{
    for (size_t i = 0; dimension->level && i < dimension->levels; i++)
        free(dimension->level[i]);
    free(dimension->level);
    free(dimension->number);
    free(dimension->name);
    free(dimension->base);
    free(dimension->length);
    free(dimension->text);
    free(dimension->condition_text);
    expression_destroy(dimension->condition);
    *dimension = (struct dimension){0};
}
