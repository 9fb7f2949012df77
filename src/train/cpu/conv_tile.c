#include "train/cpu/conv_tile.h"

enum { MOST_CHANNELS = 6, MOST_POSITIONS = 8 };

/* Positions of a tile by its channels: channels * positions sums, one vector of x per position and one weight at a
 * time have to fit the registers. */
#if VEC_REGISTERS == 32
static const unsigned char tile_positions[MOST_CHANNELS + 1] = {0, 8, 8, 7, 6, 5, 4};
#else
static const unsigned char tile_positions[MOST_CHANNELS + 1] = {0, 7, 5, 3, 3, 2, 2};
#endif

struct tile {
    size_t in_channels, taps_high, taps_wide;
    size_t first, end; /* the rows of taps that are summed */
    size_t x_plane, x_row;
    const real *x[MOST_POSITIONS]; /* of the first tap of every position */
    const real *weight;            /* [c][i][j][channels of the tile] */
    const real *bias;
    bool relu;
    real *y[MOST_POSITIONS];
    size_t y_plane;
};

/* Inlined with constant sizes, so that `sum` is registers. Positions have pointers of their own: a tile may run over
 * the end of a row, and narrow planes fill it as well as wide ones. */
VEC_INLINE void sum_tile(const int channels, const int positions, const struct tile *tile)
{
    vec sum[MOST_CHANNELS][MOST_POSITIONS];
    const real *x[MOST_POSITIONS];
    size_t tap_row = tile->taps_wide * (size_t)channels;
    const real *weight = tile->weight + tile->first * tap_row;
    VEC_UNROLL
    for (int o = 0; o < channels; o++) {
        vec start = tile->bias ? vec_set(tile->bias[o]) : vec_zero();
        VEC_UNROLL
        for (int p = 0; p < positions; p++)
            sum[o][p] = start;
    }
    VEC_UNROLL
    for (int p = 0; p < positions; p++)
        x[p] = tile->x[p];
    for (size_t c = 0; c < tile->in_channels; c++, weight += (tile->taps_high - (tile->end - tile->first)) * tap_row) {
        for (size_t i = tile->first; i < tile->end; i++) {
            size_t at = c * tile->x_plane + i * tile->x_row;
            for (size_t end = at + tile->taps_wide * LANES; at < end; at += LANES, weight += channels) {
                vec value[MOST_POSITIONS];
                VEC_UNROLL
                for (int p = 0; p < positions; p++)
                    value[p] = vec_load(x[p] + at);
                VEC_UNROLL
                for (int o = 0; o < channels; o++) {
                    vec w = vec_set(weight[o]);
                    VEC_UNROLL
                    for (int p = 0; p < positions; p++)
                        sum[o][p] += w * value[p];
                }
            }
        }
    }
    VEC_UNROLL
    for (int o = 0; o < channels; o++) {
        VEC_UNROLL
        for (int p = 0; p < positions; p++)
            vec_store(tile->y[p] + (size_t)o * tile->y_plane,
                      tile->relu ? vec_max(vec_zero(), sum[o][p]) : sum[o][p]);
    }
}

#define TILE(channels, positions)                                                             \
    static __attribute__((noinline)) void tile_##channels##_##positions(const struct tile *tile) \
    {                                                                                         \
        sum_tile(channels, positions, tile);                                                  \
    }
#define TILES_2(channels) TILE(channels, 1) TILE(channels, 2)
#define TILES_3(channels) TILES_2(channels) TILE(channels, 3)
#define TILES_4(channels) TILES_3(channels) TILE(channels, 4)
#define TILES_5(channels) TILES_4(channels) TILE(channels, 5)
#define TILES_6(channels) TILES_5(channels) TILE(channels, 6)
#define TILES_7(channels) TILES_6(channels) TILE(channels, 7)
#define TILES_8(channels) TILES_7(channels) TILE(channels, 8)
#define NAMES_2(channels) NULL, tile_##channels##_1, tile_##channels##_2
#define NAMES_3(channels) NAMES_2(channels), tile_##channels##_3
#define NAMES_4(channels) NAMES_3(channels), tile_##channels##_4
#define NAMES_5(channels) NAMES_4(channels), tile_##channels##_5
#define NAMES_6(channels) NAMES_5(channels), tile_##channels##_6
#define NAMES_7(channels) NAMES_6(channels), tile_##channels##_7
#define NAMES_8(channels) NAMES_7(channels), tile_##channels##_8

typedef void tile_function(const struct tile *tile);

#if VEC_REGISTERS == 32
TILES_8(1) TILES_8(2) TILES_7(3) TILES_6(4) TILES_5(5) TILES_4(6)
static tile_function *const tiles[MOST_CHANNELS + 1][MOST_POSITIONS + 1] = {
    {NULL}, {NAMES_8(1)}, {NAMES_8(2)}, {NAMES_7(3)}, {NAMES_6(4)}, {NAMES_5(5)}, {NAMES_4(6)}};
#else
TILES_7(1) TILES_5(2) TILES_3(3) TILES_3(4) TILES_2(5) TILES_2(6)
static tile_function *const tiles[MOST_CHANNELS + 1][MOST_POSITIONS + 1] = {
    {NULL}, {NAMES_7(1)}, {NAMES_5(2)}, {NAMES_3(3)}, {NAMES_3(4)}, {NAMES_2(5)}, {NAMES_2(6)}};
#endif

/* Half cycles that one tap takes, for one position: two multiply-adds a cycle, but a sum waits 4 cycles for itself,
 * and there are two loads a cycle. The constant stands for the loop. */
static double tap_cost(size_t channels, size_t positions)
{
    size_t work = channels * positions, loads = channels + positions;
    size_t most = work > loads ? work : loads;
    return ((double)(most > 8 ? most : 8) + 2) / (double)positions;
}

size_t conv_tile_channels(size_t channels)
{
    size_t best = 1;
    double best_cost = 0;
    for (size_t most = 1; most <= MOST_CHANNELS && most <= channels; most++) {
        size_t count = conv_tile_count(channels, most);
        double cost = 0;
        for (size_t t = 0; t < count; t++)
            cost += tap_cost(conv_tile_start(channels, count, t + 1) - conv_tile_start(channels, count, t),
                             tile_positions[most]);
        if (most == 1 || cost < best_cost) {
            best = most;
            best_cost = cost;
        }
    }
    return best;
}

/* All output channels of `positions` positions: what of x they need stays in the first cache, the weights stream. */
static void run_positions(const struct conv_sweep *sweep, struct tile *tile, size_t positions, size_t most)
{
    size_t count = conv_tile_count(sweep->out_per_group, most);
    size_t taps = sweep->in_per_group * sweep->taps_high * sweep->taps_wide;
    tile->weight = sweep->weight;
    tile->bias = sweep->bias;
    for (size_t group = 0; group < sweep->groups; group++) {
        for (size_t t = 0; t < count; t++) {
            size_t channels = conv_tile_start(sweep->out_per_group, count, t + 1) -
                              conv_tile_start(sweep->out_per_group, count, t);
            tiles[channels][positions](tile);
            tile->weight += channels * taps;
            if (tile->bias)
                tile->bias += channels;
            for (size_t p = 0; p < positions; p++)
                tile->y[p] += channels * sweep->y_plane;
        }
        for (size_t p = 0; p < positions; p++)
            tile->x[p] += sweep->in_per_group * sweep->x_plane;
    }
}

/* Rows of taps that meet rows of x which are not zero, for a tile whose positions begin in row `first` and end in row
 * `last` of the output. */
static void choose_rows(const struct conv_sweep *sweep, size_t first, size_t last, struct tile *tile)
{
    ptrdiff_t end = sweep->x_end - (ptrdiff_t)(first * sweep->stride), taps = (ptrdiff_t)sweep->taps_high;
    ptrdiff_t start = sweep->x_top - (ptrdiff_t)(last * sweep->stride);
    end = end < 0 ? 0 : end > taps ? taps : end;
    start = start < 0 ? 0 : start > end ? end : start;
    tile->first = (size_t)start;
    tile->end = (size_t)end;
}

void conv_sweep_run(const struct conv_sweep *sweep)
{
    struct tile tile = {.in_channels = sweep->in_per_group,
                        .taps_high = sweep->taps_high,
                        .taps_wide = sweep->taps_wide,
                        .x_plane = sweep->x_plane,
                        .x_row = sweep->x_row,
                        .relu = sweep->relu,
                        .y_plane = sweep->y_plane};
    size_t most = conv_tile_channels(sweep->out_per_group), total = sweep->height * sweep->width;
    size_t row = 0, column = 0;
    for (size_t done = 0, positions; done < total; done += positions) {
        positions = total - done < tile_positions[most] ? total - done : tile_positions[most];
        choose_rows(sweep, row, row + (column + positions - 1) / sweep->width, &tile);
        for (size_t p = 0; p < positions; p++) {
            tile.x[p] = sweep->x + row * sweep->stride * sweep->x_row + column * sweep->stride * LANES;
            tile.y[p] = sweep->y + row * sweep->y_row + column * sweep->y_step;
            if (++column == sweep->width) {
                column = 0;
                row++;
            }
        }
        run_positions(sweep, &tile, positions, most);
    }
}
