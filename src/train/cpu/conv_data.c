/* The gradient of the input:
 *   dx[c][h][w] = sum over o, i, j with (h + pad_top - i) and (w + pad_left - j) multiples of the stride
 *                 of weight[o][c][i][j] * dy[o][(h + pad_top - i) / stride][(w + pad_left - j) / stride]
 * For positions of one residue of h and one of w modulo the stride (a phase) the taps that take part are the same, and
 * the sum is a correlation of dy with those taps in reverse: stride * stride sweeps, which do no work in vain. */
#include "train/cpu/conv_parts.h"

/* One axis of one phase: positions residue + stride * a, a < count. Position a reads dy at a + first .. a + first +
 * taps - 1 (first may be negative), with the taps start + stride * (taps - 1), ..., start + stride, start. */
struct phase_axis {
    size_t count, start, taps;
    ptrdiff_t first;
};

static struct phase_axis phase_axis(size_t residue, size_t size, size_t kernel, size_t stride, size_t pad)
{
    struct phase_axis axis = {.count = residue < size ? (size - residue + stride - 1) / stride : 0,
                              .start = (residue + pad) % stride};
    axis.taps = axis.start < kernel ? (kernel - axis.start + stride - 1) / stride : 0;
    axis.first = (ptrdiff_t)((residue + pad - axis.start) / stride) - (ptrdiff_t)axis.taps + 1;
    return axis;
}

static struct phase_axis phase_rows(const struct conv *conv, size_t residue)
{
    return phase_axis(residue, conv->in_height, conv->kernel_height, conv->stride, conv->pad_top);
}

static struct phase_axis phase_columns(const struct conv *conv, size_t residue)
{
    return phase_axis(residue, conv->in_width, conv->kernel_width, conv->stride, conv->pad_left);
}

/* Zeros needed before and after dy along one axis, over all phases. */
struct margin {
    size_t before, after;
};

static struct margin axis_margin(size_t size, size_t out_size, size_t kernel, size_t stride, size_t pad)
{
    struct margin margin = {0};
    for (size_t residue = 0; residue < stride; residue++) {
        struct phase_axis axis = phase_axis(residue, size, kernel, stride, pad);
        if (!axis.count || !axis.taps)
            continue;
        ptrdiff_t end = axis.first + (ptrdiff_t)(axis.count + axis.taps) - 1 - (ptrdiff_t)out_size;
        if (-axis.first > (ptrdiff_t)margin.before)
            margin.before = (size_t)-axis.first;
        if (end > (ptrdiff_t)margin.after)
            margin.after = (size_t)end;
    }
    return margin;
}

static struct conv_frame gradient_frame(const struct conv *conv)
{
    struct margin rows =
        axis_margin(conv->in_height, conv->out_height, conv->kernel_height, conv->stride, conv->pad_top);
    struct margin columns =
        axis_margin(conv->in_width, conv->out_width, conv->kernel_width, conv->stride, conv->pad_left);
    return (struct conv_frame){.channels = conv->out_channels,
                               .height = conv->out_height,
                               .width = conv->out_width,
                               .top = rows.before,
                               .left = columns.before,
                               .padded_height = rows.before + conv->out_height + rows.after,
                               .padded_width = columns.before + conv->out_width + columns.after};
}

static bool frame_is_larger(const struct conv_frame *frame)
{
    return frame->padded_height > frame->height || frame->padded_width > frame->width;
}

size_t conv_data_scratch(const struct conv *conv)
{
    if (conv->winograd_data)
        return winograd_scratch(conv->out_channels, conv->in_channels);
    struct conv_frame frame = gradient_frame(conv);
    return frame_is_larger(&frame) ? frame.channels * frame.padded_height * frame.padded_width * LANES : 0;
}

/* [group][tile][o][i reversed][j reversed][channels of the tile] of one phase; returns where the next one starts. */
static real *pack_phase(const struct conv *conv, const real *weight, struct phase_axis rows, struct phase_axis columns,
                        real *packed)
{
    size_t in_per_group = conv->in_channels / conv->groups, out_per_group = conv->out_channels / conv->groups;
    size_t area = conv->kernel_height * conv->kernel_width;
    struct conv_tiling tiling = conv_tiling_for(in_per_group);
    for (size_t group = 0; group < conv->groups; group++, weight += out_per_group * in_per_group * area)
        for (size_t t = 0, start = 0; t < tiling.count; start += conv_tile_size(&tiling, t++))
            for (size_t o = 0; o < out_per_group; o++)
                for (size_t i = rows.taps; i-- > 0;)
                    for (size_t j = columns.taps; j-- > 0;) {
                        size_t tap = (rows.start + i * conv->stride) * conv->kernel_width + columns.start +
                                     j * conv->stride;
                        for (size_t c = 0; c < conv_tile_size(&tiling, t); c++)
                            *packed++ = weight[(o * in_per_group + start + c) * area + tap];
                    }
    return packed;
}

void conv_data_pack(const struct conv *conv, const real *weight, real *packed)
{
    if (conv->winograd_data) {
        winograd_pack(conv->out_channels, conv->in_channels, weight, 9, 9 * conv->in_channels, true, packed);
        return;
    }
    for (size_t i = 0; i < conv->stride; i++)
        for (size_t j = 0; j < conv->stride; j++)
            packed = pack_phase(conv, weight, phase_rows(conv, i), phase_columns(conv, j), packed);
}

/* All phases of one block; dy has the margins of gradient_frame(). */
static void data_block(const struct conv *conv, const real *packed, struct conv_planes dy, size_t top, size_t left,
                       real *dx)
{
    struct conv_sweep sweep = {.groups = conv->groups,
                               .in_per_group = conv->out_channels / conv->groups,
                               .tiling = conv_tiling_for(conv->in_channels / conv->groups),
                               .stride = 1,
                               .x_plane = dy.plane,
                               .x_row = dy.row,
                               .weight = packed,
                               .y_plane = conv->in_height * conv->in_width * LANES,
                               .y_row = conv->stride * conv->in_width * LANES,
                               .y_step = conv->stride * LANES};
    for (size_t i = 0; i < conv->stride; i++) {
        for (size_t j = 0; j < conv->stride; j++) {
            struct phase_axis rows = phase_rows(conv, i), columns = phase_columns(conv, j);
            bool taps = rows.taps && columns.taps;
            sweep.taps_high = taps ? rows.taps : 0;
            sweep.taps_wide = taps ? columns.taps : 0;
            sweep.height = rows.count;
            sweep.x_top = -rows.first;
            sweep.x_end = (ptrdiff_t)conv->out_height - rows.first;
            sweep.width = columns.count;
            sweep.x = taps ? dy.data + (size_t)((ptrdiff_t)top + rows.first) * dy.row +
                                 (size_t)((ptrdiff_t)left + columns.first) * LANES
                           : dy.data;
            sweep.y = dx + (i * conv->in_width + j) * LANES;
            if (rows.count && columns.count)
                conv_sweep_run(&sweep);
            sweep.weight += conv->weights / (conv->kernel_height * conv->kernel_width) * rows.taps * columns.taps;
        }
    }
}

/* With stride 1 there is one phase: the correlation of dy, padded by 2 - padding, with the reversed weights. */
static void data_winograd(const struct conv *conv, const real *packed, const real *dy, size_t blocks, real *dx,
                          real *scratch)
{
    struct winograd winograd = {.in_channels = conv->out_channels,
                                .out_channels = conv->in_channels,
                                .in_height = conv->out_height,
                                .in_width = conv->out_width,
                                .out_height = conv->in_height,
                                .out_width = conv->in_width,
                                .pad_top = 2 - conv->pad_top,
                                .pad_left = 2 - conv->pad_left,
                                .packed = packed};
    for (size_t block = 0; block < blocks; block++)
        winograd_run(&winograd, dy + block * conv->out_channels * conv->out_height * conv->out_width * LANES,
                     dx + block * conv->in_channels * conv->in_height * conv->in_width * LANES, scratch);
}

void conv_backward_data(const struct conv *conv, const real *packed, const real *dy, size_t blocks, real *dx,
                        real *scratch)
{
    if (conv->winograd_data) {
        data_winograd(conv, packed + conv->packed_data, dy, blocks, dx, scratch);
        return;
    }
    struct conv_frame frame = gradient_frame(conv);
    size_t plane = conv->out_height * conv->out_width * LANES;
    for (size_t block = 0; block < blocks; block++) {
        const real *from = dy + block * conv->out_channels * plane;
        struct conv_planes planes = {.data = from, .plane = plane, .row = conv->out_width * LANES};
        if (frame_is_larger(&frame))
            planes = conv_pad(frame, from, scratch);
        data_block(conv, packed + conv->packed_data, planes, frame.top, frame.left,
                   dx + block * conv->in_channels * conv->in_height * conv->in_width * LANES);
    }
}
