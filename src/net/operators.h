/* The language of [network] and [block NAME]: which operators there are and which attributes they take.
 *
 * One table, from which templates are checked, presets are taken and the layers of `nasrun help config` are printed. A
 * new operator is a row here, a function in layers.c that gives its shapes, and its mathematics in every backend. */
#ifndef NASRUN_NET_OPERATORS_H
#define NASRUN_NET_OPERATORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum attribute_type {
    ATTRIBUTE_INT,    /* an expression: numbers, $name, classes, + - * / ( ) */
    ATTRIBUTE_REAL,   /* the same */
    ATTRIBUTE_BOOL,   /* yes, no, $name, !$name */
    ATTRIBUTE_CHOICE, /* one of `choices`, or $name */
    ATTRIBUTE_PADDING /* same, valid, or an int */
};

enum attribute_id {
    ATTR_IF,
    ATTR_UNITS,
    ATTR_CHANNELS,
    ATTR_KERNEL,
    ATTR_SIZE,
    ATTR_STRIDE,
    ATTR_PADDING,
    ATTR_GROUPS,
    ATTR_DEPTHWISE,
    ATTR_BIAS,
    ATTR_ACTIVATION,
    ATTR_KIND,
    ATTR_SLOPE,
    ATTR_RATE,
    ATTR_SHORTCUT,
    ATTR_REPEAT,
    ATTR_COUNT
};

/* Values of ATTR_PADDING below 0; of ATTR_SHORTCUT; of ATTR_ACTIVATION and ATTR_KIND beside enum activation_kind. */
enum { PADDING_SAME = -1, PADDING_VALID = -2 };
enum { SHORTCUT_IDENTITY, SHORTCUT_PROJECT };
enum { ACTIVATION_NONE = 6 };

/* Of units, channels and groups; what a layer may hold in all is limited in builder.h. */
#define ATTRIBUTE_MOST_SIZE 2147483647.0

struct attribute_spec {
    const char *name;
    enum attribute_type type;
    double minimum, maximum; /* of numbers, both allowed unless open_maximum */
    bool open_maximum;
    const char *const *choices; /* ATTRIBUTE_CHOICE, NULL-terminated */
    const char *help;
};
extern const struct attribute_spec attribute_specs[ATTR_COUNT];

enum preset_kind {
    PRESET_REQUIRED, /* must be given */
    PRESET_DERIVED,  /* follows from other attributes or from the input: the help says how */
    PRESET_VALUE
};

struct operator_attribute {
    enum attribute_id id;
    enum preset_kind preset;
    double value;
};

enum operator_row {
    ROW_DENSE,
    ROW_CONV,
    ROW_BATCHNORM,
    ROW_ACTIVATION,
    ROW_MAXPOOL,
    ROW_AVGPOOL,
    ROW_GLOBALAVGPOOL,
    ROW_DROPOUT,
    ROW_FLATTEN,
    ROW_RESIDUAL_BEGIN,
    ROW_RESIDUAL_END,
    ROW_BLOCK,
    ROW_COUNT
};

enum { OPERATOR_MOST_ATTRIBUTES = 10 };

struct operator_spec {
    const char *name, *word; /* word: "begin" or "end" where the operator wants one, else NULL */
    struct operator_attribute attribute[OPERATOR_MOST_ATTRIBUTES];
    size_t attributes;
    const char *help;
};
extern const struct operator_spec operator_specs[ROW_COUNT];

/* "dense" and NULL, "residual" and "begin"; ROW_COUNT when there is none. Blocks are not found by name. */
enum operator_row operator_find(const char *name, const char *word);

/* The part of `nasrun help config` that tells layers and attributes. */
void operators_print(FILE *stream);

#endif
