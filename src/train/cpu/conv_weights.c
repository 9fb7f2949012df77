/* The gradient of weight and bias:
 *   dweight[o][k] = sum over images and positions of dy[o][h][w] * x(k)[h * stride][w * stride]
 * where k counts the taps (c, i, j) of one output channel and x(k) is plane c of the padded input, moved by (i, j).
 *
 * Products are vectors of LANES images; a tile of channels times taps of such sums stays in registers over a few rows
 * and then in memory, one vector per weight, until the end of a group of blocks; only then are lanes added up. */
#include "train/cpu/conv_parts.h"

/* Sums of a tile: channels * taps + channels + 1 registers. */
#if VEC_REGISTERS == 32
enum { MOST_CHANNELS = 4, MOST_TAPS = 6 };
#else
enum { MOST_CHANNELS = 3, MOST_TAPS = 4 };
#endif

/* Bytes of dy that one tile of channels goes over before the next taps: they stay in the first cache. And bytes of
 * padded input of the blocks whose sums are added up at once: they stay in the second. */
enum { ROWS_BYTES = 16 * 1024, GROUP_BYTES = 512 * 1024, GROUP_MOST = 8 };

struct tile {
    const real *dy;
    size_t dy_plane, dy_row;
    const real *x[MOST_TAPS];
    size_t x_row, x_step; /* between rows and between neighbours of the output */
    size_t height, width; /* rows and columns of dy to go over */
    real *sums;           /* [channels][...]: sums + o * sums_row + tap * LANES */
    size_t sums_row;
};

VEC_INLINE void add_tile(const int channels, const int taps, const struct tile *tile)
{
    vec sum[MOST_CHANNELS][MOST_TAPS];
    const real *x[MOST_TAPS];
    VEC_UNROLL
    for (int k = 0; k < taps; k++)
        x[k] = tile->x[k];
    VEC_UNROLL
    for (int o = 0; o < channels; o++) {
        VEC_UNROLL
        for (int k = 0; k < taps; k++)
            sum[o][k] = vec_load(tile->sums + (size_t)o * tile->sums_row + k * LANES);
    }
    for (size_t h = 0; h < tile->height; h++) {
        const real *dy = tile->dy + h * tile->dy_row;
        size_t at = h * tile->x_row;
        for (const real *end = dy + tile->width * LANES; dy < end; dy += LANES, at += tile->x_step) {
            vec gradient[MOST_CHANNELS];
            VEC_UNROLL
            for (int o = 0; o < channels; o++)
                gradient[o] = vec_load(dy + (size_t)o * tile->dy_plane);
            VEC_UNROLL
            for (int k = 0; k < taps; k++) {
                vec value = vec_load(x[k] + at);
                VEC_UNROLL
                for (int o = 0; o < channels; o++)
                    sum[o][k] += gradient[o] * value;
            }
        }
    }
    VEC_UNROLL
    for (int o = 0; o < channels; o++) {
        VEC_UNROLL
        for (int k = 0; k < taps; k++)
            vec_store(tile->sums + (size_t)o * tile->sums_row + k * LANES, sum[o][k]);
    }
}

#define TILE(channels, taps)                                                              \
    static __attribute__((noinline)) void tile_##channels##_##taps(const struct tile *tile) \
    {                                                                                     \
        add_tile(channels, taps, tile);                                                   \
    }
#define TILES_4(channels) TILE(channels, 1) TILE(channels, 2) TILE(channels, 3) TILE(channels, 4)
#define TILES_6(channels) TILES_4(channels) TILE(channels, 5) TILE(channels, 6)
#define NAMES_4(channels) \
    NULL, tile_##channels##_1, tile_##channels##_2, tile_##channels##_3, tile_##channels##_4
#define NAMES_6(channels) NAMES_4(channels), tile_##channels##_5, tile_##channels##_6

typedef void tile_function(const struct tile *tile);

#if VEC_REGISTERS == 32
TILES_6(1) TILES_6(2) TILES_6(3) TILES_6(4)
static tile_function *const tiles[MOST_CHANNELS + 1][MOST_TAPS + 1] = {
    {NULL}, {NAMES_6(1)}, {NAMES_6(2)}, {NAMES_6(3)}, {NAMES_6(4)}};
#else
TILES_4(1) TILES_4(2) TILES_4(3)
static tile_function *const tiles[MOST_CHANNELS + 1][MOST_TAPS + 1] = {
    {NULL}, {NAMES_4(1)}, {NAMES_4(2)}, {NAMES_4(3)}};
#endif

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
    return group_blocks(conv) * conv_planes_scratch(conv) + MOST_CHANNELS * sums_row(conv);
}

/* A tile of channels against all taps of their group of channels, in one block. x: the group's first plane. */
static void add_channels(const struct conv *conv, struct conv_planes x, const real *dy, size_t channels, real *sums)
{
    size_t taps = taps_of(conv), area = conv->kernel_height * conv->kernel_width;
    size_t dy_row = conv->out_width * LANES;
    size_t rows = ROWS_BYTES / sizeof(real) / (channels * dy_row);
    rows = rows < 1 ? 1 : rows;
    struct tile tile = {.dy_plane = conv->out_height * dy_row,
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
            count = taps - start < MOST_TAPS ? taps - start : MOST_TAPS;
            for (size_t k = 0; k < count; k++) {
                size_t tap = (start + k) % area;
                tile.x[k] = x.data + (start + k) / area * x.plane + tap % conv->kernel_width * LANES +
                            (h * conv->stride + tap / conv->kernel_width) * x.row;
            }
            tile.sums = sums + start * LANES;
            tiles[channels][count](&tile);
        }
    }
}

/* Adds up the lanes of every sum of one output channel. */
static void reduce_channel(const real *sums, size_t taps, real *dweight)
{
    for (size_t k = 0; k < taps; k += LANES) {
        vec row[LANES];
        VEC_UNROLL
        for (int i = 0; i < LANES; i++)
            row[i] = vec_load(sums + (k + (size_t)i) * LANES);
        vec total = vec_sums(row);
        if (k + LANES <= taps) {
            vec_store_unaligned(dweight + k, vec_load_unaligned(dweight + k) + total);
        } else {
            for (size_t i = 0; i < taps - k; i++)
                dweight[k + i] += total[i];
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
        size_t count = (out_per_group + MOST_CHANNELS - 1) / MOST_CHANNELS;
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
                reduce_channel(scratch + o * row, taps, dweight + (start + o) * taps);
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
    for (size_t count, group = group_blocks(conv); blocks; blocks -= count) {
        count = blocks < group ? blocks : group;
        add_group(conv, x, dy, count, dweight, scratch);
        x += count * in_block;
        dy += count * out_block;
    }
}
