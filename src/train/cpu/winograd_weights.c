/* The gradient of 3x3 weights by Winograd's identity. One row of four frequencies at a time: the transformed planes of
 * a chunk of tiles then fit the second cache, and each input is read four times in all. */
#include "train/cpu/lane_sums.h"
#include "train/cpu/winograd.h"

enum { FREQUENCIES = 16, ROW = 4, GROUP = 16, CHUNK_BYTES = 768 * 1024, LEAST_CHUNK = 32 };

static size_t tiles_wide(const struct winograd *w)
{
    return (w->out_width + 1) / 2;
}

static size_t tiles_of(const struct winograd *w)
{
    return (w->out_height + 1) / 2 * tiles_wide(w);
}

/* Tiles whose transformed input and gradient are held at a time. */
static size_t chunk_tiles(const struct winograd *w)
{
    size_t tiles = CHUNK_BYTES / (ROW * (w->in_channels + GROUP) * VEC_BYTES), total = tiles_of(w);
    tiles = tiles < LEAST_CHUNK ? LEAST_CHUNK : tiles;
    return tiles < total ? tiles : total;
}

/* From one channel to the next; odd, so that channels fall into different cache sets. */
static size_t plane_of(const struct winograd *w)
{
    return (chunk_tiles(w) | 1) * LANES;
}

static size_t sums_row(const struct winograd *w)
{
    return lanes_blocks(w->in_channels) * LANES * LANES;
}

static size_t products_of(const struct winograd *w)
{
    return FREQUENCIES * w->out_channels * w->in_channels;
}

static size_t rounded(size_t count)
{
    return (count + 15) / 16 * 16;
}

size_t winograd_gradient_scratch(const struct winograd *w)
{
    return rounded(products_of(w)) + ROW * (w->in_channels + GROUP) * plane_of(w) + LANE_SUMS_CHANNELS * sums_row(w);
}

/* ---- one row of B' d B and of A dy A', for a run of tiles ---- */

struct run {
    size_t first, count; /* tiles, numbered in row-major order */
    int row;             /* of the frequencies */
};

VEC_INLINE vec load_or_zero(const real *plane, size_t height, size_t width, size_t h, size_t w)
{
    return h < height && w < width ? vec_load(plane + (h * width + w) * LANES) : vec_zero(); /* negative ones are huge */
}

/* Rows of B': d0 - d2, d1 + d2, d2 - d1, d1 - d3. */
static void transform_input(const struct winograd *w, const real *x, struct run run, real *to, size_t plane)
{
    static const size_t plus[ROW] = {0, 1, 2, 1}, other[ROW] = {2, 2, 1, 3};
    size_t frequency = w->in_channels * plane;
    for (size_t t = 0; t < run.count; t++) {
        size_t row = 2 * ((run.first + t) / tiles_wide(w)) - w->pad_top;
        size_t column = 2 * ((run.first + t) % tiles_wide(w)) - w->pad_left;
        size_t upper = row + plus[run.row], lower = row + other[run.row];
        vec sign = vec_set(run.row == 1 ? 1 : -1);
        real *at = to + t * LANES;
        const real *from = x;
        for (size_t c = 0; c < w->in_channels; c++, at += plane, from += w->in_height * w->in_width * LANES) {
            vec d[ROW];
            VEC_UNROLL
            for (size_t j = 0; j < ROW; j++)
                d[j] = load_or_zero(from, w->in_height, w->in_width, upper, column + j) +
                       sign * load_or_zero(from, w->in_height, w->in_width, lower, column + j);
            vec_store(at, d[0] - d[2]);
            vec_store(at + frequency, d[1] + d[2]);
            vec_store(at + 2 * frequency, d[2] - d[1]);
            vec_store(at + 3 * frequency, d[1] - d[3]);
        }
    }
}

/* Rows of A: d0, d0 + d1, d0 - d1, -d1. */
static void transform_gradient(const struct winograd *w, const real *dy, size_t channels, struct run run, real *to,
                               size_t plane)
{
    static const real upper[ROW] = {1, 1, 1, 0}, lower[ROW] = {0, 1, -1, -1};
    vec from_upper = vec_set(upper[run.row]), from_lower = vec_set(lower[run.row]);
    size_t frequency = channels * plane;
    for (size_t t = 0; t < run.count; t++) {
        size_t row = 2 * ((run.first + t) / tiles_wide(w)), column = 2 * ((run.first + t) % tiles_wide(w));
        real *at = to + t * LANES;
        const real *from = dy;
        for (size_t o = 0; o < channels; o++, at += plane, from += w->out_height * w->out_width * LANES) {
            vec d[2];
            VEC_UNROLL
            for (size_t j = 0; j < 2; j++)
                d[j] = from_upper * load_or_zero(from, w->out_height, w->out_width, row, column + j) +
                       from_lower * load_or_zero(from, w->out_height, w->out_width, row + 1, column + j);
            vec_store(at, d[0]);
            vec_store(at + frequency, d[0] + d[1]);
            vec_store(at + 2 * frequency, d[0] - d[1]);
            vec_store(at + 3 * frequency, -d[1]);
        }
    }
}

/* ---- products ---- */

/* A tile of output channels against all input channels, one frequency; products [channel][in] += . */
static void add_channels(const struct winograd *w, const real *input, const real *gradient, size_t channels,
                         size_t count, size_t plane, real *sums, real *products)
{
    struct lane_sums tile = {
        .dy = gradient, .dy_plane = plane, .x_step = LANES, .height = 1, .width = count, .sums_row = sums_row(w)};
    for (size_t i = 0; i < channels * sums_row(w); i += LANES)
        vec_store(sums + i, vec_zero());
    for (size_t c = 0, taps; c < w->in_channels; c += taps) {
        taps = w->in_channels - c < LANE_SUMS_TAPS ? w->in_channels - c : LANE_SUMS_TAPS;
        for (size_t k = 0; k < taps; k++)
            tile.x[k] = input + (c + k) * plane;
        tile.sums = sums + c * LANES;
        lane_sums_add(channels, taps, &tile);
    }
    for (size_t o = 0; o < channels; o++)
        lane_sums_reduce(sums + o * sums_row(w), w->in_channels, products + o * w->in_channels);
}

/* Four frequencies of a run of tiles. `input` is transformed; room for a group of gradients and for sums follows. */
static void add_run(const struct winograd *w, const real *dy, struct run run, real *input, real *products)
{
    size_t plane = plane_of(w);
    real *gradient = input + ROW * w->in_channels * plane, *sums = gradient + ROW * GROUP * plane;
    for (size_t start = 0, size; start < w->out_channels; start += size) {
        size = w->out_channels - start < GROUP ? w->out_channels - start : GROUP;
        transform_gradient(w, dy + start * w->out_height * w->out_width * LANES, size, run, gradient, plane);
        for (size_t f = 0; f < ROW; f++) {
            real *to = products + ((size_t)run.row * ROW + f) * w->out_channels * w->in_channels;
            for (size_t o = 0, channels; o < size; o += channels) {
                channels = size - o < LANE_SUMS_CHANNELS ? size - o : LANE_SUMS_CHANNELS;
                add_channels(w, input + f * w->in_channels * plane, gradient + (f * size + o) * plane, channels,
                             run.count, plane, sums, to + (start + o) * w->in_channels);
            }
        }
    }
}

/* ---- G' m G, G' = [1 1/2 1/2 0; 0 1/2 -1/2 0; 0 1/2 1/2 1] ---- */

static void transform_back(const real *from, size_t step, real *to, size_t to_step)
{
    real sum = (from[step] + from[2 * step]) / 2;
    to[0] = from[0] + sum;
    to[to_step] = (from[step] - from[2 * step]) / 2;
    to[2 * to_step] = sum + from[3 * step];
}

static void add_weights(const struct winograd *w, const real *products, real *dweight)
{
    size_t pairs = w->out_channels * w->in_channels;
    for (size_t i = 0; i < pairs; i++) {
        real half[12], g[9]; /* [3][4], [3][3] */
        for (size_t j = 0; j < ROW; j++)
            transform_back(products + j * pairs + i, ROW * pairs, half + j, ROW);
        for (size_t k = 0; k < 3; k++)
            transform_back(half + k * ROW, 1, g + 3 * k, 1);
        for (size_t k = 0; k < 9; k++)
            dweight[9 * i + k] += g[k];
    }
}

void winograd_gradient(const struct winograd *w, const real *x, const real *dy, size_t blocks, real *dweight,
                      real *scratch)
{
    size_t total = tiles_of(w), chunks = (total + chunk_tiles(w) - 1) / chunk_tiles(w);
    real *products = scratch, *input = scratch + rounded(products_of(w));
    for (size_t i = 0; i < products_of(w); i++)
        products[i] = 0;
    for (size_t block = 0; block < blocks; block++) {
        for (size_t chunk = 0; chunk < chunks; chunk++) {
            struct run run = {.first = total * chunk / chunks};
            run.count = total * (chunk + 1) / chunks - run.first;
            for (run.row = 0; run.row < ROW; run.row++) {
                transform_input(w, x, run, input, plane_of(w));
                add_run(w, dy, run, input, products);
            }
        }
        x += w->in_channels * w->in_height * w->in_width * LANES;
        dy += w->out_channels * w->out_height * w->out_width * LANES;
    }
    add_weights(w, products, dweight);
}
