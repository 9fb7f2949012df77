#include "net/operators.h"

#include <string.h>

#include "base/text.h"

enum { NAME_WIDTH = 16 };

static void append_value(const struct attribute_spec *spec, double value, struct text *text)
{
    if (spec->type == ATTRIBUTE_BOOL)
        text_append(text, value != 0 ? "yes" : "no");
    else if (spec->type == ATTRIBUTE_CHOICE)
        text_append(text, spec->choices[(size_t)value]);
    else if (spec->type == ATTRIBUTE_PADDING && value < 0)
        text_append(text, value == PADDING_SAME ? "same" : "valid");
    else
        text_append_real(text, value);
}

/* "units bias=yes": what may be given, with its preset; `if` is told once for all. */
static void print_operator(FILE *stream, const struct operator_spec *operator)
{
    struct text text = {0};
    text_append(&text, operator->name);
    if (operator->word)
        text_format(&text, " %s", operator->word);
    fprintf(stream, "  %-*s %s\n", NAME_WIDTH, text.data ? text.data : "", operator->help);
    text_clear(&text);
    for (size_t i = 0; i < operator->attributes; i++) {
        const struct operator_attribute *attribute = &operator->attribute[i];
        const struct attribute_spec *spec = &attribute_specs[attribute->id];
        if (attribute->id == ATTR_IF)
            continue;
        text_format(&text, "%s%s", text.length ? " " : "", spec->name);
        if (attribute->preset == PRESET_VALUE) {
            text_append(&text, "=");
            append_value(spec, attribute->value, &text);
        }
    }
    if (text.length)
        fprintf(stream, "  %-*s   %s\n", NAME_WIDTH, "", text.data);
    text_clear(&text);
}

static void print_attribute(FILE *stream, const struct attribute_spec *spec)
{
    fprintf(stream, "  %-*s %s", NAME_WIDTH, spec->name, spec->help);
    if (spec->type == ATTRIBUTE_BOOL)
        fprintf(stream, " (yes, no, $name or !$name)");
    else if (spec->type == ATTRIBUTE_INT && spec->maximum == ATTRIBUTE_MOST_SIZE)
        fprintf(stream, " (%g or more)", spec->minimum);
    else if (spec->type != ATTRIBUTE_CHOICE)
        fprintf(stream, " (%g..%.10g%s)", spec->minimum, spec->maximum, spec->open_maximum ? ", excluded" : "");
    for (size_t i = 0; spec->choices && spec->choices[i]; i++)
        fprintf(stream, "%s%s", i ? ", " : "; one of ", spec->choices[i]);
    fprintf(stream, "\n");
}

void operators_print(FILE *stream)
{
    fprintf(stream,
            "\nLayers, with their attributes and defaults; those without a default must be given or follow from\n"
            "others. All but `residual end` also take if=. The last layer gives one value per class.\n");
    for (int row = 0; row < ROW_COUNT; row++)
        print_operator(stream, &operator_specs[row]);
    fprintf(stream, "\nAttributes. Numbers may be arithmetic, as in units=2*$width+classes; any value may be $name\n");
    for (int id = 0; id < ATTR_COUNT; id++)
        print_attribute(stream, &attribute_specs[id]);
}
