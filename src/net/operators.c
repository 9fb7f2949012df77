#include "net/operators.h"

#include <string.h>

#include "net/plan.h"

static const char *const activation_choices[] = {"relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid", "none", NULL};
static const char *const shortcut_choices[] = {"identity", "project", NULL};
_Static_assert((int)ACTIVATION_NONE == (int)ACT_KINDS, "`none` follows the activations");

const struct attribute_spec attribute_specs[ATTR_COUNT] = {
    [ATTR_IF] = {"if", ATTRIBUTE_BOOL, 0, 1, false, NULL,
                 "no leaves the layer out; an inactive parameter counts as no"},
    [ATTR_UNITS] = {"units", ATTRIBUTE_INT, 1, ATTRIBUTE_MOST_SIZE, false, NULL,
                    "outputs; `classes` is the number of classes"},
    [ATTR_CHANNELS] = {"channels", ATTRIBUTE_INT, 1, ATTRIBUTE_MOST_SIZE, false, NULL,
                       "outputs; depthwise: a multiple of the inputs, by default as many"},
    [ATTR_KERNEL] = {"kernel", ATTRIBUTE_INT, 1, 1024, false, NULL, "side of the square kernel"},
    [ATTR_SIZE] = {"size", ATTRIBUTE_INT, 1, 1024, false, NULL, "side of the square window"},
    [ATTR_STRIDE] = {"stride", ATTRIBUTE_INT, 1, 1024, false, NULL,
                     "pixels between windows; of a pool its size by default"},
    [ATTR_PADDING] = {"padding", ATTRIBUTE_PADDING, 0, 1024, false, NULL,
                      "valid: none; same: output is ceil(input / stride); or pixels on every side"},
    [ATTR_GROUPS] = {"groups", ATTRIBUTE_INT, 1, ATTRIBUTE_MOST_SIZE, false, NULL, "must divide inputs and outputs"},
    [ATTR_DEPTHWISE] = {"depthwise", ATTRIBUTE_BOOL, 0, 1, false, NULL, "yes: as many groups as inputs"},
    [ATTR_BIAS] = {"bias", ATTRIBUTE_BOOL, 0, 1, false, NULL, "adds a trained value per output"},
    [ATTR_ACTIVATION] = {"activation", ATTRIBUTE_CHOICE, 0, 0, false, activation_choices, "applied to the output"},
    [ATTR_KIND] = {"kind", ATTRIBUTE_CHOICE, 0, 0, false, activation_choices, "which activation"},
    [ATTR_SLOPE] = {"slope", ATTRIBUTE_REAL, -1, 1, false, NULL, "of leaky_relu below 0"},
    [ATTR_RATE] = {"rate", ATTRIBUTE_REAL, 0, 1, true, NULL, "share of the values set to 0; 0 is no layer"},
    [ATTR_SHORTCUT] = {"shortcut", ATTRIBUTE_CHOICE, 0, 0, false, shortcut_choices,
                       "identity: equal shapes only; project: a 1x1 convolution where they differ"},
    [ATTR_REPEAT] = {"repeat", ATTRIBUTE_INT, 0, 1000, false, NULL, "times; $name of a vector is its element then"},
};

/* clang-format off */
#define REQUIRED(id) {id, PRESET_REQUIRED, 0}
#define DERIVED(id) {id, PRESET_DERIVED, 0}
#define PRESET(id, value) {id, PRESET_VALUE, value}
#define IF PRESET(ATTR_IF, 1)

/* `if` comes last, so that it is read first (plan.c). */
const struct operator_spec operator_specs[ROW_COUNT] = {
    [ROW_DENSE] = {"dense", NULL,
        {REQUIRED(ATTR_UNITS), PRESET(ATTR_BIAS, 1), PRESET(ATTR_ACTIVATION, ACTIVATION_NONE),
         PRESET(ATTR_SLOPE, 0.01), IF}, 5,
        "every output from every input; an image is flattened in the order C, H, W"},
    [ROW_CONV] = {"conv", NULL,
        {DERIVED(ATTR_CHANNELS), REQUIRED(ATTR_KERNEL), PRESET(ATTR_STRIDE, 1), PRESET(ATTR_PADDING, PADDING_VALID),
         PRESET(ATTR_GROUPS, 1), PRESET(ATTR_DEPTHWISE, 0), PRESET(ATTR_BIAS, 1),
         PRESET(ATTR_ACTIVATION, ACTIVATION_NONE), PRESET(ATTR_SLOPE, 0.01), IF}, 10,
        "convolution over height and width"},
    [ROW_BATCHNORM] = {"batchnorm", NULL, {IF}, 1,
        "batch normalisation per channel"},
    [ROW_ACTIVATION] = {"activation", NULL, {REQUIRED(ATTR_KIND), PRESET(ATTR_SLOPE, 0.01), IF}, 3,
        "a function of every value"},
    [ROW_MAXPOOL] = {"maxpool", NULL,
        {REQUIRED(ATTR_SIZE), DERIVED(ATTR_STRIDE), PRESET(ATTR_PADDING, PADDING_VALID), IF}, 4,
        "largest value of each window"},
    [ROW_AVGPOOL] = {"avgpool", NULL,
        {REQUIRED(ATTR_SIZE), DERIVED(ATTR_STRIDE), PRESET(ATTR_PADDING, PADDING_VALID), IF}, 4,
        "mean of each window, padding counted as zeros"},
    [ROW_GLOBALAVGPOOL] = {"globalavgpool", NULL, {IF}, 1,
        "mean of each channel: an image becomes a vector"},
    [ROW_DROPOUT] = {"dropout", NULL, {REQUIRED(ATTR_RATE), IF}, 2,
        "sets random values to 0 while training"},
    [ROW_FLATTEN] = {"flatten", NULL, {IF}, 1,
        "an image becomes a vector in the order C, H, W"},
    [ROW_RESIDUAL_BEGIN] = {"residual", "begin", {PRESET(ATTR_SHORTCUT, SHORTCUT_IDENTITY), IF}, 2,
        "what is here is added to what arrives at `residual end`"},
    [ROW_RESIDUAL_END] = {"residual", "end", {{0}}, 0,
        "see `residual begin`"},
    [ROW_BLOCK] = {"block", NULL, {PRESET(ATTR_REPEAT, 1), IF}, 2,
        "the layers of [block NAME]"},
};
/* clang-format on */

enum operator_row operator_find(const char *name, const char *word)
{
    for (int row = 0; row < ROW_BLOCK; row++) {
        const struct operator_spec *spec = &operator_specs[row];
        if (!strcmp(spec->name, name) && (word && spec->word ? !strcmp(spec->word, word) : word == spec->word))
            return (enum operator_row)row;
    }
    return ROW_COUNT;
}
