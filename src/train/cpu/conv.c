#include "train/cpu/conv.h"

#include "train/cpu/conv_parts.h"

static size_t rounded(size_t count)
{
    return (count + 15) / 16 * 16; /* 64 bytes of floats, 128 of doubles */
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void choose_winograd(struct conv *conv)
{
    bool fits = conv->kernel_height == 3 && conv->kernel_width == 3 && conv->stride == 1 && conv->groups == 1;
    conv->winograd_forward = fits && winograd_pays(conv->in_channels, conv->out_channels);
    /* the gradient's own padding is 2 - padding */
    conv->winograd_data = conv->winograd_forward && conv->pad_top <= 2 && conv->pad_left <= 2;
    /* the sums of lanes at the end, 16 per weight instead of 9, have to be paid by the positions */
    conv->winograd_weights = conv->winograd_forward && conv->out_height * conv->out_width >= 40;
}

static size_t forward_scratch(const struct conv *conv)
{
    return conv->winograd_forward ? winograd_scratch(conv->in_channels, conv->out_channels) : conv_planes_scratch(conv);
}

void conv_prepare(const struct plan_layer *layer, struct conv *out)
{
    struct conv conv = {.in_channels = (size_t)layer->in.channels,
                        .in_height = (size_t)layer->in.height,
                        .in_width = (size_t)layer->in.width,
                        .out_channels = (size_t)layer->out.channels,
                        .out_height = (size_t)layer->out.height,
                        .out_width = (size_t)layer->out.width,
                        .kernel_height = (size_t)layer->kernel_height,
                        .kernel_width = (size_t)layer->kernel_width,
                        .stride = (size_t)layer->stride,
                        .groups = (size_t)layer->groups,
                        .pad_top = (size_t)layer->pad_top,
                        .pad_bottom = (size_t)layer->pad_bottom,
                        .pad_left = (size_t)layer->pad_left,
                        .pad_right = (size_t)layer->pad_right};
    conv.weights = conv.out_channels * (conv.in_channels / conv.groups) * conv.kernel_height * conv.kernel_width;
    choose_winograd(&conv);
    size_t transformed = winograd_packed(conv.in_channels, conv.out_channels);
    conv.packed_data = rounded(conv.winograd_forward ? transformed : conv.weights);
    conv.packed = conv.packed_data + rounded(conv.winograd_data ? transformed : conv.weights);
    conv.scratch = larger(rounded(forward_scratch(&conv)),
                          larger(rounded(conv_data_scratch(&conv)), rounded(conv_weights_scratch(&conv))));
    *out = conv;
}

/* [out][c][i][j] -> [group][tile][c][i][j][channels of the tile], as conv_sweep reads it. */
static void pack_forward(const struct conv *conv, const real *weight, real *packed)
{
    size_t taps = conv->weights / conv->out_channels;
    struct conv_tiling tiling = conv_tiling_for(conv->out_channels / conv->groups);
    for (size_t group = 0; group < conv->groups; group++) {
        for (size_t t = 0; t < tiling.count; t++) {
            size_t channels = conv_tile_size(&tiling, t);
            for (size_t tap = 0; tap < taps; tap++)
                for (size_t o = 0; o < channels; o++)
                    *packed++ = weight[o * taps + tap];
            weight += channels * taps;
        }
    }
}

void conv_pack(const struct conv *conv, const real *weight, bool data_gradient, real *packed)
{
    if (conv->winograd_forward)
        winograd_pack(conv->in_channels, conv->out_channels, weight, 9 * conv->in_channels, 9, false, packed);
    else
        pack_forward(conv, weight, packed);
    if (data_gradient)
        conv_data_pack(conv, weight, packed + conv->packed_data);
}

/* ---- the input with its padding ---- */

static size_t needed_height(const struct conv *conv)
{
    return (conv->out_height - 1) * conv->stride + conv->kernel_height;
}

static size_t needed_width(const struct conv *conv)
{
    return (conv->out_width - 1) * conv->stride + conv->kernel_width;
}

static bool needs_padding(const struct conv *conv)
{
    return conv->pad_top || conv->pad_left || needed_height(conv) > conv->in_height ||
           needed_width(conv) > conv->in_width;
}

size_t conv_planes_scratch(const struct conv *conv)
{
    return needs_padding(conv) ? conv->in_channels * needed_height(conv) * needed_width(conv) * LANES : 0;
}

static void clear(real *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        vec_store(to + i * LANES, vec_zero());
}

struct conv_planes conv_pad(struct conv_frame frame, const real *from, real *to)
{
    size_t row = frame.padded_width;
    real *at = to;
    for (size_t c = 0; c < frame.channels; c++, from += frame.height * frame.width * LANES) {
        for (size_t h = 0; h < frame.padded_height; h++, at += row * LANES) {
            if (h < frame.top || h >= frame.top + frame.height) {
                clear(at, row);
                continue;
            }
            size_t room = row - frame.left, width = room < frame.width ? room : frame.width;
            const real *source = from + (h - frame.top) * frame.width * LANES;
            clear(at, frame.left);
            for (size_t w = 0; w < width; w++)
                vec_store(at + (frame.left + w) * LANES, vec_load(source + w * LANES));
            clear(at + (frame.left + width) * LANES, room - width);
        }
    }
    return (struct conv_planes){.data = to, .plane = frame.padded_height * row * LANES, .row = row * LANES};
}

struct conv_planes conv_pad_input(const struct conv *conv, const real *x, real *scratch)
{
    if (!needs_padding(conv))
        return (struct conv_planes){
            .data = x, .plane = conv->in_height * conv->in_width * LANES, .row = conv->in_width * LANES};
    struct conv_frame frame = {.channels = conv->in_channels,
                               .height = conv->in_height,
                               .width = conv->in_width,
                               .top = conv->pad_top,
                               .left = conv->pad_left,
                               .padded_height = needed_height(conv),
                               .padded_width = needed_width(conv)};
    return conv_pad(frame, x, scratch);
}

struct winograd conv_winograd(const struct conv *conv)
{
    return (struct winograd){.in_channels = conv->in_channels,
                             .out_channels = conv->out_channels,
                             .in_height = conv->in_height,
                             .in_width = conv->in_width,
                             .out_height = conv->out_height,
                             .out_width = conv->out_width,
                             .pad_top = conv->pad_top,
                             .pad_left = conv->pad_left};
}

static void forward_winograd(const struct conv *conv, const real *packed, const real *bias, bool relu, const real *x,
                             size_t blocks, real *y, real *scratch)
{
    struct winograd winograd = conv_winograd(conv);
    winograd.packed = packed;
    winograd.bias = bias;
    winograd.relu = relu;
    for (size_t block = 0; block < blocks; block++)
        winograd_run(&winograd, x + block * conv->in_channels * conv->in_height * conv->in_width * LANES,
                     y + block * conv->out_channels * conv->out_height * conv->out_width * LANES, scratch);
}

void conv_forward(const struct conv *conv, const real *packed, const real *bias, bool relu, const real *x,
                  size_t blocks, real *y, real *scratch)
{
    if (conv->winograd_forward) {
        forward_winograd(conv, packed, bias, relu, x, blocks, y, scratch);
        return;
    }
    struct conv_sweep sweep = {.groups = conv->groups,
                               .in_per_group = conv->in_channels / conv->groups,
                               .tiling = conv_tiling_for(conv->out_channels / conv->groups),
                               .taps_high = conv->kernel_height,
                               .taps_wide = conv->kernel_width,
                               .stride = conv->stride,
                               .height = conv->out_height,
                               .width = conv->out_width,
                               .x_top = (ptrdiff_t)conv->pad_top,
                               .x_end = (ptrdiff_t)(conv->pad_top + conv->in_height),
                               .weight = packed,
                               .bias = bias,
                               .relu = relu,
                               .y_plane = conv->out_height * conv->out_width * LANES,
                               .y_row = conv->out_width * LANES,
                               .y_step = LANES};
    for (size_t block = 0; block < blocks; block++) {
        struct conv_planes planes =
            conv_pad_input(conv, x + block * conv->in_channels * conv->in_height * conv->in_width * LANES, scratch);
        sweep.x = planes.data;
        sweep.x_plane = planes.plane;
        sweep.x_row = planes.row;
        sweep.y = y + block * conv->out_channels * sweep.y_plane;
        conv_sweep_run(&sweep);
    }
}
