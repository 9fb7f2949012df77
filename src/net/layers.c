/* What each operator makes of the value at hand: shapes, parameters, multiply-accumulates. */
#include <math.h>

#include "net/builder.h"

static bool is_vector(struct shape shape)
{
    return shape.height == 1 && shape.width == 1;
}

static nr_status add_activation(struct builder *builder, double choice)
{
    if (choice == ACTIVATION_NONE)
        return NR_OK;
    struct plan_layer layer = {
        .kind = OP_ACTIVATION, .out = builder->shape, .activation = (enum activation_kind)choice};
    if (layer.activation == ACT_LEAKY_RELU)
        layer.slope = builder->value[ATTR_SLOPE];
    return builder_add(builder, layer, 0);
}

static nr_status add_dense(struct builder *builder, int64_t units, bool bias)
{
    int64_t features = shape_size(builder->shape);
    struct plan_layer layer = {.kind = OP_DENSE,
                               .out = {units, 1, 1},
                               .bias = bias,
                               .weights = size_product(features, units, 1),
                               .biases = bias ? units : 0};
    builder->flattened = false;
    return builder_add(builder, layer, layer.weights);
}

static nr_status build_dense(struct builder *builder)
{
    nr_status status = add_dense(builder, (int64_t)builder->value[ATTR_UNITS], builder->value[ATTR_BIAS] != 0);
    return status == NR_OK ? add_activation(builder, builder->value[ATTR_ACTIVATION]) : status;
}

/* One axis of a window that moves over a padded input. "same" gives ceil(size / stride) places; where that needs an
 * odd number of padded pixels, the spare one comes after (as in TensorFlow and ONNX's SAME_UPPER). */
static int64_t window_places(int64_t size, int64_t kernel, int64_t stride, double padding, int64_t *before,
                             int64_t *after)
{
    if (padding == PADDING_SAME) {
        int64_t places = (size + stride - 1) / stride;
        int64_t total = (places - 1) * stride + kernel - size;
        total = total > 0 ? total : 0;
        *before = total / 2;
        *after = total - total / 2;
        return places;
    }
    *before = *after = padding == PADDING_VALID ? 0 : (int64_t)padding;
    int64_t room = size + *before + *after - kernel;
    return room < 0 ? 0 : room / stride + 1;
}

/* Kernel, stride, padding and output size of a convolution or pool; `channels` are those of the output. */
static nr_status set_window(struct builder *builder, struct plan_layer *layer, int64_t kernel, int64_t stride,
                            int64_t channels)
{
    struct shape in = builder->shape;
    double padding = builder->value[ATTR_PADDING];
    layer->kernel_height = layer->kernel_width = kernel;
    layer->stride = stride;
    layer->out.channels = channels;
    layer->out.height = window_places(in.height, kernel, stride, padding, &layer->pad_top, &layer->pad_bottom);
    layer->out.width = window_places(in.width, kernel, stride, padding, &layer->pad_left, &layer->pad_right);
    if (layer->out.height >= 1 && layer->out.width >= 1)
        return NR_OK;
    return builder_refuse(builder, "%s %lld is larger than its input of %lldx%lld with padding %lld",
                          layer->kind == OP_CONV ? "kernel" : "size", (long long)kernel, (long long)in.height,
                          (long long)in.width, (long long)layer->pad_top);
}

static nr_status add_conv(struct builder *builder, struct plan_layer layer, bool bias)
{
    int64_t in_channels = builder->shape.channels, channels = layer.out.channels;
    layer.kind = OP_CONV;
    layer.bias = bias;
    layer.biases = bias ? channels : 0;
    layer.weights =
        size_product(size_product(channels, in_channels / layer.groups, 1), layer.kernel_height, layer.kernel_width);
    return builder_add(builder, layer, size_product(layer.weights, layer.out.height, layer.out.width));
}

static nr_status build_conv(struct builder *builder)
{
    const double *value = builder->value;
    struct plan_layer layer = {.kind = OP_CONV};
    nr_status status = builder_settle(builder);
    if (status != NR_OK)
        return status;
    int64_t in_channels = builder->shape.channels;
    bool depthwise = value[ATTR_DEPTHWISE] != 0;
    if (isnan(value[ATTR_CHANNELS]) && !depthwise)
        return builder_refuse(builder, "channels is needed unless depthwise=yes");
    int64_t channels = isnan(value[ATTR_CHANNELS]) ? in_channels : (int64_t)value[ATTR_CHANNELS];
    layer.groups = depthwise ? in_channels : (int64_t)value[ATTR_GROUPS];
    if (in_channels % layer.groups || channels % layer.groups)
        return builder_refuse(builder, "%lld groups do not divide %lld input and %lld output channels",
                              (long long)layer.groups, (long long)in_channels, (long long)channels);
    status = set_window(builder, &layer, (int64_t)value[ATTR_KERNEL], (int64_t)value[ATTR_STRIDE], channels);
    if (status == NR_OK)
        status = add_conv(builder, layer, value[ATTR_BIAS] != 0);
    return status == NR_OK ? add_activation(builder, value[ATTR_ACTIVATION]) : status;
}

static nr_status build_batchnorm(struct builder *builder)
{
    nr_status status = builder_settle(builder);
    int64_t channels = builder->shape.channels;
    struct plan_layer layer = {
        .kind = OP_BATCHNORM, .out = builder->shape, .weights = channels, .biases = channels, .buffers = 2 * channels};
    return status == NR_OK ? builder_add(builder, layer, 0) : status;
}

static nr_status build_pool(struct builder *builder, enum operator_kind kind)
{
    struct plan_layer layer = {.kind = kind, .groups = 1};
    nr_status status = builder_settle(builder);
    if (status != NR_OK)
        return status;
    int64_t size = (int64_t)builder->value[ATTR_SIZE];
    double stride = builder->value[ATTR_STRIDE];
    if (builder->value[ATTR_PADDING] >= (double)size)
        return builder_refuse(builder, "padding %g leaves windows of %lld without a pixel",
                              builder->value[ATTR_PADDING], (long long)size);
    status = set_window(builder, &layer, size, isnan(stride) ? size : (int64_t)stride, builder->shape.channels);
    if (status != NR_OK || (size == 1 && layer.stride == 1)) /* a window of one pixel changes nothing */
        return status;
    return builder_add(builder, layer, 0);
}

static nr_status build_globalavgpool(struct builder *builder)
{
    nr_status status = builder_settle(builder);
    struct plan_layer layer = {.kind = OP_GLOBALAVGPOOL, .out = {builder->shape.channels, 1, 1}};
    if (status != NR_OK || is_vector(builder->shape))
        return status;
    return builder_add(builder, layer, 0);
}

static nr_status build_dropout(struct builder *builder)
{
    struct plan_layer layer = {.kind = OP_DROPOUT, .out = builder->shape, .rate = builder->value[ATTR_RATE]};
    return layer.rate > 0 ? builder_add(builder, layer, 0) : NR_OK;
}

static nr_status begin_residual(struct builder *builder, bool present)
{
    nr_status status = present ? builder_settle(builder) : NR_OK;
    if (status != NR_OK)
        return status;
    if (builder->residuals == BUILDER_MOST_RESIDUALS)
        return builder_refuse(builder, "more than %d residuals in one another", BUILDER_MOST_RESIDUALS);
    builder->residual[builder->residuals++] = (struct residual){
        .source = builder->last,
        .count = builder->plan->count,
        .shape = builder->shape,
        .project = builder->value[ATTR_SHORTCUT] == SHORTCUT_PROJECT,
        .present = present,
    };
    return NR_OK;
}

/* A projection from the skip's shape to the shape at hand: a convolution of 1x1 whose stride makes it fit (He et al.
 * 2016, option B), a dense layer between vectors. It reads the skip; what was at hand before is at hand again after. */
static nr_status project(struct builder *builder, const struct residual *residual, int *skip)
{
    struct shape from = residual->shape, to = builder->shape;
    int last = builder->last;
    int64_t stride = (from.height + to.height - 1) / to.height;
    struct plan_layer layer = {.kernel_height = 1, .kernel_width = 1, .stride = stride, .groups = 1, .out = to};
    if ((from.height + stride - 1) / stride != to.height || (from.width + stride - 1) / stride != to.width)
        return builder_refuse(builder, "no stride of the shortcut makes %lldx%lld from %lldx%lld", (long long)to.height,
                              (long long)to.width, (long long)from.height, (long long)from.width);
    builder->last = residual->source;
    builder->shape = from;
    bool vectors = is_vector(from) && is_vector(to);
    nr_status status = vectors ? add_dense(builder, to.channels, false) : add_conv(builder, layer, false);
    *skip = builder->last;
    builder->last = last;
    builder->shape = to;
    return status;
}

static nr_status end_residual(struct builder *builder)
{
    if (builder->residuals == 0)
        return builder_refuse(builder, "there is no residual begin before it");
    const struct residual *residual = &builder->residual[--builder->residuals];
    if (!residual->present)
        return NR_OK;
    nr_status status = builder_settle(builder);
    if (status != NR_OK || residual->count == builder->plan->count) /* around nothing it is nothing */
        return status;
    struct shape from = residual->shape, to = builder->shape;
    int skip = residual->source;
    if (from.channels != to.channels || from.height != to.height || from.width != to.width) {
        if (!residual->project)
            return builder_refuse(builder,
                                  "%lldx%lldx%lld arrives, but %lldx%lldx%lld left at residual begin "
                                  "(shortcut=project would fit it)",
                                  (long long)to.channels, (long long)to.height, (long long)to.width,
                                  (long long)from.channels, (long long)from.height, (long long)from.width);
        status = project(builder, residual, &skip);
    }
    struct plan_layer layer = {.kind = OP_ADD, .out = to, .skip = skip};
    return status == NR_OK ? builder_add(builder, layer, 0) : status;
}

nr_status layer_build(struct builder *builder, enum operator_row row)
{
    bool absent = operator_specs[row].attributes && builder->value[ATTR_IF] == 0;
    if (row == ROW_RESIDUAL_BEGIN)
        return begin_residual(builder, !absent);
    if (absent)
        return NR_OK;
    switch (row) {
    case ROW_DENSE:
        return build_dense(builder);
    case ROW_CONV:
        return build_conv(builder);
    case ROW_BATCHNORM:
        return build_batchnorm(builder);
    case ROW_ACTIVATION:
        return add_activation(builder, builder->value[ATTR_KIND]);
    case ROW_MAXPOOL:
        return build_pool(builder, OP_MAXPOOL);
    case ROW_AVGPOOL:
        return build_pool(builder, OP_AVGPOOL);
    case ROW_GLOBALAVGPOOL:
        return build_globalavgpool(builder);
    case ROW_DROPOUT:
        return build_dropout(builder);
    case ROW_FLATTEN:
        builder->flattened = true;
        return NR_OK;
    case ROW_RESIDUAL_END:
        return end_residual(builder);
    default:
        return builder_refuse(builder, "unknown operator");
    }
}
