/* Plans in one line for people, short enough for a table:
 *
 *   784-64-relu-drop0.2-32-relu-10
 *   conv32k3-bn-relu-max2 conv64k3-bn-relu-max2 128-relu-10
 *   conv16k3-bn-relu res(conv32k3s2-bn-relu conv32k3-bn +conv32k1s2) gap 10
 *
 * A dash joins a layer to the one before; a blank begins a new convolution, residual or the first dense layer after an
 * image. Padding and biases are left out. */
#include <stdio.h>

#include "net/builder.h"

static bool is_image(struct shape shape)
{
    return shape.height > 1 || shape.width > 1;
}

static void append_conv(const struct plan_layer *layer, struct text *text)
{
    bool depthwise = layer->groups > 1 && layer->groups == layer->in.channels;
    text_append(text, depthwise ? "dw" : "conv");
    if (!depthwise || layer->out.channels != layer->in.channels)
        text_format(text, "%lld", (long long)layer->out.channels);
    text_format(text, "k%lld", (long long)layer->kernel_height);
    if (layer->stride > 1)
        text_format(text, "s%lld", (long long)layer->stride);
    if (layer->groups > 1 && !depthwise)
        text_format(text, "g%lld", (long long)layer->groups);
}

static void append_pool(const struct plan_layer *layer, const char *name, struct text *text)
{
    text_format(text, "%s%lld", name, (long long)layer->kernel_height);
    if (layer->stride != layer->kernel_height)
        text_format(text, "s%lld", (long long)layer->stride);
}

static void append_layer(const struct plan_layer *layer, struct text *text)
{
    switch (layer->kind) {
    case OP_DENSE:
        text_format(text, "%lld", (long long)layer->out.channels);
        break;
    case OP_CONV:
        append_conv(layer, text);
        break;
    case OP_BATCHNORM:
        text_append(text, "bn");
        break;
    case OP_ACTIVATION:
        text_append(text, activation_name(layer->activation));
        break;
    case OP_MAXPOOL:
        append_pool(layer, "max", text);
        break;
    case OP_AVGPOOL:
        append_pool(layer, "avg", text);
        break;
    case OP_GLOBALAVGPOOL:
        text_append(text, "gap");
        break;
    case OP_DROPOUT:
        text_format(text, "drop%.2g", layer->rate);
        break;
    case OP_FLATTEN:
        text_append(text, "flatten");
        break;
    default: /* OP_ADD closes a parenthesis */
        break;
    }
}

/* A projection stands just before the sum that it serves and reads something older than the layer before it. */
static bool is_projection(const struct plan *plan, size_t i)
{
    return i + 1 < plan->count && plan->layer[i + 1].kind == OP_ADD && plan->layer[i + 1].skip == (int)i;
}

/* How many residuals begin right before layer i. */
static size_t residuals_begun(const struct plan *plan, size_t i)
{
    size_t count = 0;
    for (size_t add = i + 1; add < plan->count; add++) {
        if (plan->layer[add].kind != OP_ADD)
            continue;
        int source = plan->layer[add].skip;
        if (is_projection(plan, add - 1))
            source = plan->layer[add - 1].input;
        count += source + 1 == (int)i;
    }
    return count;
}

static bool begins_group(const struct plan *plan, size_t i)
{
    const struct plan_layer *layer = &plan->layer[i];
    return layer->kind == OP_CONV || (layer->kind == OP_DENSE && is_image(layer->in)) ||
           (layer->kind == OP_DENSE && i > 0 && plan->layer[i - 1].kind == OP_GLOBALAVGPOOL) ||
           (i > 0 && plan->layer[i - 1].kind == OP_ADD && layer->kind != OP_ADD && layer->kind != OP_ACTIVATION);
}

void plan_append_summary(const struct plan *plan, struct text *text)
{
    bool opened = true; /* nothing to separate from */
    if (plan->layer[0].kind == OP_DENSE) {
        text_format(text, "%lld-", (long long)shape_size(plan->input));
    }
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_layer *layer = &plan->layer[i];
        if (layer->kind == OP_ADD) {
            text_append(text, ")");
            continue;
        }
        size_t begun = residuals_begun(plan, i);
        if (!opened)
            text_append(text, begun || begins_group(plan, i) || is_projection(plan, i) ? " " : "-");
        for (size_t k = 0; k < begun; k++)
            text_append(text, "res(");
        if (is_projection(plan, i))
            text_append(text, "+");
        append_layer(layer, text);
        opened = false;
    }
}
