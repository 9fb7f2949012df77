#include "train/cpu/winograd.h"

#include "train/cpu/conv_tile.h"

/* FREQUENCIES: elements of a transformed tile. A chunk of CHUNK tiles and all input channels is transformed at a time,
 * and multiplied for GROUP output channels at a time, so that both lie in the second cache. */
enum { FREQUENCIES = 16, CHUNK = 12, SMALL_CHUNK = 6, GROUP = 32, CHUNK_BYTES = 512 * 1024 };

bool winograd_pays(size_t in_channels, size_t out_channels)
{
    return in_channels >= 12 && out_channels >= 12;
}

static size_t chunk_tiles(size_t in_channels)
{
    return in_channels * CHUNK * FREQUENCIES * VEC_BYTES <= CHUNK_BYTES ? CHUNK : SMALL_CHUNK;
}

/* From one frequency to the next. One vector more than needed: distances of 4096 bytes would put all frequencies of an
 * element into the same cache set. */
static size_t frequency_distance(size_t channels, size_t tiles)
{
    return (channels * tiles + 1) * LANES;
}

static size_t group_count(size_t out_channels)
{
    return (out_channels + GROUP - 1) / GROUP;
}

static size_t group_start(size_t out_channels, size_t group)
{
    return out_channels * group / group_count(out_channels);
}

size_t winograd_packed(size_t in_channels, size_t out_channels)
{
    return FREQUENCIES * in_channels * out_channels;
}

size_t winograd_scratch(size_t in_channels, size_t out_channels)
{
    size_t tiles = chunk_tiles(in_channels), group = out_channels < GROUP ? out_channels : GROUP;
    return FREQUENCIES * (frequency_distance(in_channels, tiles) + frequency_distance(group, tiles));
}

/* ---- weights: G g G', G = [1 0 0; 1/2 1/2 1/2; 1/2 -1/2 1/2; 0 0 1] ---- */

static void transform_three(const real *g, size_t step, real *to, size_t to_step)
{
    real sum = (g[0] + g[2 * step]) / 2, half = g[step] / 2;
    to[0] = g[0];
    to[to_step] = sum + half;
    to[2 * to_step] = sum - half;
    to[3 * to_step] = g[2 * step];
}

static void transform_weight(const real *weight, bool reversed, real to[FREQUENCIES])
{
    real g[9], half[12]; /* [4][3] */
    for (int k = 0; k < 9; k++)
        g[k] = weight[reversed ? 8 - k : k];
    for (int j = 0; j < 3; j++)
        transform_three(g + j, 3, half + j, 3);
    for (int i = 0; i < 4; i++)
        transform_three(half + 3 * i, 1, to + 4 * i, 1);
}

/* [group][frequency][tile][c][channels of the tile]: per group and frequency what conv_sweep_run() reads. */
void winograd_pack(size_t in_channels, size_t out_channels, const real *weight, size_t out_distance, size_t in_distance,
                   bool reversed, real *packed)
{
    for (size_t group = 0; group < group_count(out_channels); group++) {
        size_t first = group_start(out_channels, group), size = group_start(out_channels, group + 1) - first;
        struct conv_tiling tiling = conv_tiling_for(size);
        real *at = packed;
        for (size_t t = 0; t < tiling.count; t++) {
            for (size_t c = 0; c < in_channels; c++) {
                for (size_t o = 0; o < conv_tile_size(&tiling, t); o++, at++) {
                    real value[FREQUENCIES];
                    transform_weight(weight + (first + o) * out_distance + c * in_distance, reversed, value);
                    for (size_t f = 0; f < FREQUENCIES; f++)
                        at[f * size * in_channels] = value[f];
                }
            }
            first += conv_tile_size(&tiling, t);
        }
        packed += FREQUENCIES * size * in_channels;
    }
}

/* ---- input: B' d B, B' = [1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1] ---- */

VEC_INLINE void transform_four(vec *d, int step)
{
    vec a = d[0] - d[2 * step], b = d[step] + d[2 * step], c = d[2 * step] - d[step], e = d[step] - d[3 * step];
    d[0] = a;
    d[step] = b;
    d[2 * step] = c;
    d[3 * step] = e;
}

/* The 4x4 tile of one channel whose corner is (row, column), which may lie outside; `inside` when none of it does. */
VEC_INLINE void load_tile(const real *plane, const struct winograd *w, ptrdiff_t row, ptrdiff_t column, bool inside,
                          vec d[FREQUENCIES])
{
    VEC_UNROLL
    for (ptrdiff_t i = 0; i < 4; i++) {
        bool row_inside = inside || (size_t)(row + i) < w->in_height; /* negative ones are huge */
        VEC_UNROLL
        for (ptrdiff_t j = 0; j < 4; j++) {
            bool all = row_inside && (inside || (size_t)(column + j) < w->in_width);
            d[4 * i + j] = all ? vec_load(plane + ((row + i) * (ptrdiff_t)w->in_width + column + j) * LANES) : vec_zero();
        }
    }
}

VEC_INLINE void transform_tile(const struct winograd *w, const real *x, ptrdiff_t row, ptrdiff_t column, bool inside,
                               size_t tiles, real *to)
{
    size_t distance = frequency_distance(w->in_channels, tiles);
    for (size_t c = 0; c < w->in_channels; c++, x += w->in_height * w->in_width * LANES, to += tiles * LANES) {
        vec d[FREQUENCIES];
        load_tile(x, w, row, column, inside, d);
        VEC_UNROLL
        for (int j = 0; j < 4; j++)
            transform_four(d + j, 4);
        VEC_UNROLL
        for (int i = 0; i < 4; i++)
            transform_four(d + 4 * i, 1);
        VEC_UNROLL
        for (size_t f = 0; f < FREQUENCIES; f++)
            vec_store(to + f * distance, d[f]);
    }
}

/* A run of tiles, numbered in row-major order, into [frequency][c][tiles of a full chunk]. */
static void transform_input(const struct winograd *w, const real *x, size_t first, size_t count, size_t tiles, real *to)
{
    size_t tiles_wide = (w->out_width + 1) / 2;
    for (size_t t = 0; t < count; t++, to += LANES) {
        ptrdiff_t row = (ptrdiff_t)(2 * ((first + t) / tiles_wide)) - (ptrdiff_t)w->pad_top;
        ptrdiff_t column = (ptrdiff_t)(2 * ((first + t) % tiles_wide)) - (ptrdiff_t)w->pad_left;
        bool inside = row >= 0 && column >= 0 && (size_t)row + 4 <= w->in_height && (size_t)column + 4 <= w->in_width;
        if (inside)
            transform_tile(w, x, row, column, true, tiles, to);
        else
            transform_tile(w, x, row, column, false, tiles, to);
    }
}

/* ---- output: A' m A, A' = [1 1 1 0; 0 1 -1 -1] ---- */

VEC_INLINE void store_tile(const struct winograd *w, const real *from, size_t distance, vec bias, size_t row,
                           size_t column, real *y)
{
    vec half[8], out[4]; /* [2][4], [2][2] */
    VEC_UNROLL
    for (size_t j = 0; j < 4; j++) {
        vec a = vec_load(from + j * distance), b = vec_load(from + (4 + j) * distance);
        vec c = vec_load(from + (8 + j) * distance), d = vec_load(from + (12 + j) * distance);
        half[j] = a + b + c;
        half[4 + j] = b - c - d;
    }
    VEC_UNROLL
    for (int i = 0; i < 2; i++) {
        out[2 * i] = half[4 * i] + half[4 * i + 1] + half[4 * i + 2] + bias;
        out[2 * i + 1] = half[4 * i + 1] - half[4 * i + 2] - half[4 * i + 3] + bias;
    }
    if (w->relu) {
        VEC_UNROLL
        for (int i = 0; i < 4; i++)
            out[i] = vec_max(vec_zero(), out[i]);
    }
    bool below = row + 1 < w->out_height, right = column + 1 < w->out_width;
    real *to = y + (row * w->out_width + column) * LANES;
    vec_store(to, out[0]);
    if (right)
        vec_store(to + LANES, out[1]);
    if (below)
        vec_store(to + w->out_width * LANES, out[2]);
    if (below && right)
        vec_store(to + (w->out_width + 1) * LANES, out[3]);
}

/* One group of output channels of a run of tiles. */
static void transform_output(const struct winograd *w, const real *from, size_t first_channel, size_t channels,
                             size_t first, size_t count, size_t tiles, real *y)
{
    size_t tiles_wide = (w->out_width + 1) / 2, distance = frequency_distance(channels, tiles);
    for (size_t o = 0; o < channels; o++) {
        vec bias = w->bias ? vec_set(w->bias[first_channel + o]) : vec_zero();
        for (size_t t = 0; t < count; t++)
            store_tile(w, from + (o * tiles + t) * LANES, distance, bias, 2 * ((first + t) / tiles_wide),
                       2 * ((first + t) % tiles_wide), y + (first_channel + o) * w->out_height * w->out_width * LANES);
    }
}

/* ---- the product: per frequency a matrix times vectors of tiles, which is a 1x1 convolution ---- */

static void multiply(const struct winograd *w, const real *packed, const real *input, size_t channels,
                     struct conv_tiling tiling, size_t count, size_t tiles, real *output)
{
    struct conv_sweep sweep = {.groups = 1,
                               .in_per_group = w->in_channels,
                               .tiling = tiling,
                               .taps_high = 1,
                               .taps_wide = 1,
                               .stride = 1,
                               .height = 1,
                               .width = count,
                               .x_plane = tiles * LANES,
                               .x_end = 1,
                               .y_plane = tiles * LANES,
                               .y_step = LANES};
    for (size_t f = 0; f < FREQUENCIES; f++) {
        sweep.weight = packed + f * w->in_channels * channels;
        sweep.x = input + f * frequency_distance(w->in_channels, tiles);
        sweep.y = output + f * frequency_distance(channels, tiles);
        conv_sweep_run(&sweep);
    }
}

void winograd_run(const struct winograd *w, const real *x, real *y, real *scratch)
{
    size_t tiles = chunk_tiles(w->in_channels);
    size_t total = (w->out_height + 1) / 2 * ((w->out_width + 1) / 2);
    real *output = scratch + FREQUENCIES * frequency_distance(w->in_channels, tiles);
    size_t chunks = (total + tiles - 1) / tiles, least = w->out_channels / group_count(w->out_channels);
    const struct conv_tiling tilings[2] = {conv_tiling_for(least), conv_tiling_for(least + 1)};
    for (size_t chunk = 0; chunk < chunks; chunk++) {
        size_t first = total * chunk / chunks, count = total * (chunk + 1) / chunks - first;
        transform_input(w, x, first, count, tiles, scratch);
        const real *packed = w->packed;
        for (size_t group = 0; group < group_count(w->out_channels); group++) {
            size_t start = group_start(w->out_channels, group), end = group_start(w->out_channels, group + 1);
            multiply(w, packed, scratch, end - start, tilings[end - start - least], count, tiles, output);
            transform_output(w, output, start, end - start, first, count, tiles, y);
            packed += FREQUENCIES * w->in_channels * (end - start);
        }
    }
}
