/* The gradient of weight and bias:
 *   dweight[o][k] = sum over images and positions of dy[o][h][w] * x(k)[h * stride][w * stride]
 * where k counts the taps (c, i, j) of one output channel and x(k) is plane c of the padded input, moved by (i, j).
 *
 * Products are vectors of LANES images; a tile of channels times taps of such sums stays in registers over a few rows
 * and then in memory, one vector per weight, until the end of a group of blocks; only then are lanes added up. */
#include "train/cpu/conv_parts.h"
#include "train/cpu/lane_sums.h"

/* Bytes of dy that one tile of channels goes over before the next taps: they stay in the first cache. And bytes of
 * padded input of the blocks whose sums are added up at once: they stay in the second. */
enum { ROWS_BYTES = 16 * 1024, GROUP_BYTES = 512 * 1024, GROUP_MOST = 8 };

static size_t taps_of(const struct conv *conv)
{
    return conv->weights / conv->out_channels;
}

/* Sums of one tap more than there are would be read by the transpose at the end. */
static size_t sums_row(const struct conv *conv)
{
    return lanes_blocks(taps_of(conv)) * LANES * LANES;
}

/* Blocks whose sums are added up at once: as many as keep the padded input small. */
static size_t group_blocks(const struct conv *conv)
{
    size_t bytes = conv_planes_scratch(conv) * sizeof(real);
    size_t blocks = bytes ? GROUP_BYTES / bytes : GROUP_MOST;
    return blocks < 1 ? 1 : blocks > GROUP_MOST ? GROUP_MOST : blocks;
}

size_t conv_weights_scratch(const struct conv *conv)
{
    struct winograd winograd = conv_winograd(conv);
    if (conv->winograd_weights)
        return winograd_gradient_scratch(&winograd);
    return group_blocks(conv) * conv_planes_scratch(conv) + LANE_SUMS_CHANNELS * sums_row(conv);
}

/* A tile of channels against all taps of their group of channels, in one block. x: the group's first plane. */
static void add_channels(const struct conv *conv, struct conv_planes x, const real *dy, size_t channels, real *sums)
{
    size_t taps = taps_of(conv), area = conv->kernel_height * conv->kernel_width;
    size_t dy_row = conv->out_width * LANES;
    size_t rows = ROWS_BYTES / sizeof(real) / (channels * dy_row);
    rows = rows < 1 ? 1 : rows;
    struct lane_sums tile = {.dy_plane = conv->out_height * dy_row,
                        .dy_row = dy_row,
                        .x_row = conv->stride * x.row,
                        .x_step = conv->stride * LANES,
                        .width = conv->out_width,
                        .sums_row = sums_row(conv)};
    for (size_t h = 0; h < conv->out_height; h += rows) {
        tile.height = conv->out_height - h < rows ? conv->out_height - h : rows;
        tile.dy = dy + h * dy_row;
        size_t count;
        for (size_t start = 0; start < taps; start += count) {
            count = taps - start < LANE_SUMS_TAPS ? taps - start : LANE_SUMS_TAPS;
            for (size_t k = 0; k < count; k++) {
                size_t tap = (start + k) % area;
                tile.x[k] = x.data + (start + k) / area * x.plane + tap % conv->kernel_width * LANES +
                            (h * conv->stride + tap / conv->kernel_width) * x.row;
            }
            tile.sums = sums + start * LANES;
            lane_sums_add(channels, count, &tile);
        }
    }
}

/* All weights from `blocks` <= group_blocks() blocks. */
static void add_group(const struct conv *conv, const real *x, const real *dy, size_t blocks, real *dweight,
                      real *scratch)
{
    struct conv_planes planes[GROUP_MOST];
    for (size_t block = 0; block < blocks; block++) {
        planes[block] = conv_pad_input(conv, x + block * conv->in_channels * conv->in_height * conv->in_width * LANES,
                                       scratch);
        scratch += conv_planes_scratch(conv);
    }
    size_t taps = taps_of(conv), out_per_group = conv->out_channels / conv->groups;
    size_t in_per_group = conv->in_channels / conv->groups, row = sums_row(conv);
    size_t dy_plane = conv->out_height * conv->out_width * LANES;
    for (size_t group = 0; group < conv->groups; group++) {
        size_t count = (out_per_group + LANE_SUMS_CHANNELS - 1) / LANE_SUMS_CHANNELS;
        for (size_t t = 0; t < count; t++) {
            size_t start = group * out_per_group + out_per_group * t / count;
            size_t channels = group * out_per_group + out_per_group * (t + 1) / count - start;
            for (size_t i = 0; i < channels * row; i += LANES)
                vec_store(scratch + i, vec_zero());
            for (size_t block = 0; block < blocks; block++) {
                struct conv_planes part = planes[block];
                part.data += group * in_per_group * part.plane;
                add_channels(conv, part, dy + (block * conv->out_channels + start) * dy_plane, channels, scratch);
            }
            for (size_t o = 0; o < channels; o++)
                lane_sums_reduce(scratch + o * row, taps, dweight + (start + o) * taps);
        }
    }
}

static void add_bias(const struct conv *conv, const real *dy, size_t blocks, real *dbias)
{
    size_t positions = conv->out_height * conv->out_width;
    for (size_t block = 0; block < blocks; block++) {
        for (size_t o = 0; o < conv->out_channels; o++, dy += positions * LANES) {
            vec sum = vec_zero(), other = vec_zero(); /* two, for an addition takes 4 cycles */
            size_t i = 0;
            for (; i + 2 <= positions; i += 2) {
                sum += vec_load(dy + i * LANES);
                other += vec_load(dy + (i + 1) * LANES);
            }
            if (i < positions)
                sum += vec_load(dy + i * LANES);
            dbias[o] += vec_sum(sum + other);
        }
    }
}

void conv_backward_weights(const struct conv *conv, const real *x, const real *dy, size_t blocks, real *dweight,
                           real *dbias, real *scratch)
{
    size_t in_block = conv->in_channels * conv->in_height * conv->in_width * LANES;
    size_t out_block = conv->out_channels * conv->out_height * conv->out_width * LANES;
    if (dbias)
        add_bias(conv, dy, blocks, dbias);
    if (conv->winograd_weights) {
        struct winograd winograd = conv_winograd(conv);
        winograd_gradient(&winograd, x, dy, blocks, dweight, scratch);
        return;
    }
    for (size_t count, group = group_blocks(conv); blocks; blocks -= count) {
        count = blocks < group ? blocks : group;
        add_group(conv, x, dy, count, dweight, scratch);
        x += count * in_block;
        dy += count * out_block;
    }
}
