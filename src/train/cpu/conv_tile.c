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
    size_t y_at, y_plane; /* the tile's first channel, from one channel to the next */
};

/* Everything below is inlined with constant sizes, so that the sums are registers. Positions have pointers of their
 * own: a tile may run over the end of a row, and narrow planes fill it as well as wide ones. */
VEC_INLINE void add_tap(const int channels, const int positions, const real *const *x, size_t at, const real *weight,
                        vec sum[MOST_CHANNELS][MOST_POSITIONS])
{
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

VEC_INLINE void add_taps(const int channels, const int positions, const real *const *x, const struct tile *tile,
                         vec sum[MOST_CHANNELS][MOST_POSITIONS])
{
    size_t tap_row = tile->taps_wide * (size_t)channels;
    size_t left_out = (tile->taps_high - (tile->end - tile->first)) * tap_row;
    const real *weight = tile->weight + tile->first * tap_row;
    for (size_t c = 0; c < tile->in_channels; c++, weight += left_out) {
        for (size_t i = tile->first; i < tile->end; i++) {
            size_t at = c * tile->x_plane + i * tile->x_row;
            for (size_t end = at + tile->taps_wide * LANES; at < end; at += LANES, weight += channels)
                add_tap(channels, positions, x, at, weight, sum);
        }
    }
}

/* `point`: one tap, so one loop instead of three. */
VEC_INLINE void sum_tile(const int channels, const int positions, const bool point, const struct tile *tile)
{
    vec sum[MOST_CHANNELS][MOST_POSITIONS];
    const real *x[MOST_POSITIONS];
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
    if (point) {
        const real *weight = tile->weight;
        for (size_t c = 0, at = 0; c < tile->in_channels; c++, at += tile->x_plane, weight += channels)
            add_tap(channels, positions, x, at, weight, sum);
    } else {
        add_taps(channels, positions, x, tile, sum);
    }
    VEC_UNROLL
    for (int o = 0; o < channels; o++) {
        VEC_UNROLL
        for (int p = 0; p < positions; p++)
            vec_store(tile->y[p] + tile->y_at + (size_t)o * tile->y_plane,
                      tile->relu ? vec_max(vec_zero(), sum[o][p]) : sum[o][p]);
    }
}

#define TILE(channels, positions)                                                                 \
    static __attribute__((noinline)) void tile_##channels##_##positions(const struct tile *tile)  \
    {                                                                                             \
        sum_tile(channels, positions, false, tile);                                               \
    }                                                                                             \
    static __attribute__((noinline)) void point_##channels##_##positions(const struct tile *tile) \
    {                                                                                             \
        sum_tile(channels, positions, true, tile);                                                \
    }
#define TILES_2(channels) TILE(channels, 1) TILE(channels, 2)
#define TILES_3(channels) TILES_2(channels) TILE(channels, 3)
#define TILES_4(channels) TILES_3(channels) TILE(channels, 4)
#define TILES_5(channels) TILES_4(channels) TILE(channels, 5)
#define TILES_6(channels) TILES_5(channels) TILE(channels, 6)
#define TILES_7(channels) TILES_6(channels) TILE(channels, 7)
#define TILES_8(channels) TILES_7(channels) TILE(channels, 8)
#define NAMES_2(kind, channels) NULL, kind##_##channels##_1, kind##_##channels##_2
#define NAMES_3(kind, channels) NAMES_2(kind, channels), kind##_##channels##_3
#define NAMES_4(kind, channels) NAMES_3(kind, channels), kind##_##channels##_4
#define NAMES_5(kind, channels) NAMES_4(kind, channels), kind##_##channels##_5
#define NAMES_6(kind, channels) NAMES_5(kind, channels), kind##_##channels##_6
#define NAMES_7(kind, channels) NAMES_6(kind, channels), kind##_##channels##_7
#define NAMES_8(kind, channels) NAMES_7(kind, channels), kind##_##channels##_8

typedef void tile_function(const struct tile *tile);

#if VEC_REGISTERS == 32
TILES_8(1) TILES_8(2) TILES_7(3) TILES_6(4) TILES_5(5) TILES_4(6)
#define TABLE(kind)                                                                                              \
    {                                                                                                            \
        {NULL}, {NAMES_8(kind, 1)}, {NAMES_8(kind, 2)}, {NAMES_7(kind, 3)}, {NAMES_6(kind, 4)}, {NAMES_5(kind, 5)}, \
            {NAMES_4(kind, 6)}                                                                                   \
    }
#else
TILES_7(1) TILES_5(2) TILES_3(3) TILES_3(4) TILES_2(5) TILES_2(6)
#define TABLE(kind)                                                                                              \
    {                                                                                                            \
        {NULL}, {NAMES_7(kind, 1)}, {NAMES_5(kind, 2)}, {NAMES_3(kind, 3)}, {NAMES_3(kind, 4)}, {NAMES_2(kind, 5)}, \
            {NAMES_2(kind, 6)}                                                                                   \
    }
#endif
static tile_function *const tiles[2][MOST_CHANNELS + 1][MOST_POSITIONS + 1] = {TABLE(tile), TABLE(point)};

/* Half cycles that one tap takes, for one position: two multiply-adds a cycle, but a sum waits 4 cycles for itself,
 * and there are two loads a cycle. The constant stands for the loop. */
static double tap_cost(size_t channels, size_t positions)
{
    size_t work = channels * positions, loads = channels + positions;
    size_t most = work > loads ? work : loads;
    return ((double)(most > 8 ? most : 8) + 2) / (double)positions;
}

struct conv_tiling conv_tiling_for(size_t channels)
{
    struct conv_tiling best = {0};
    double best_cost = 0;
    for (size_t most = 1; most <= MOST_CHANNELS && most <= channels; most++) {
        size_t count = (channels + most - 1) / most;
        struct conv_tiling tiling = {.count = count, .channels = channels / count, .larger = channels % count};
        tiling.positions = tile_positions[conv_tile_size(&tiling, 0)];
        double cost = 0;
        for (size_t t = 0; t < count; t++)
            cost += tap_cost(conv_tile_size(&tiling, t), tiling.positions);
        if (most == 1 || cost < best_cost) {
            best = tiling;
            best_cost = cost;
        }
    }
    return best;
}

/* All output channels of `positions` positions: what of x they need stays in the first cache, the weights stream. */
static void run_positions(const struct conv_sweep *sweep, struct tile *tile, size_t positions)
{
    size_t taps = sweep->in_per_group * sweep->taps_high * sweep->taps_wide;
    bool point = sweep->taps_high == 1 && sweep->taps_wide == 1 && tile->first < tile->end;
    tile->weight = sweep->weight;
    tile->bias = sweep->bias;
    tile->y_at = 0;
    for (size_t group = 0; group < sweep->groups; group++) {
        for (size_t t = 0; t < sweep->tiling.count; t++) {
            size_t channels = conv_tile_size(&sweep->tiling, t);
            tiles[point][channels][positions](tile);
            tile->weight += channels * taps;
            tile->bias += tile->bias ? channels : 0;
            tile->y_at += channels * tile->y_plane;
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
    size_t total = sweep->height * sweep->width;
    size_t row = 0, column = 0, count = (total + sweep->tiling.positions - 1) / sweep->tiling.positions;
    for (size_t t = 0, done = 0; t < count; t++) { /* even tiles: a last one of one position would be a waste */
        size_t positions = (total - done + count - t - 1) / (count - t);
        done += positions;
        choose_rows(sweep, row, row + (column + positions - 1) / sweep->width, &tile);
        for (size_t p = 0; p < positions; p++) {
            tile.x[p] = sweep->x + row * sweep->stride * sweep->x_row + column * sweep->stride * LANES;
            tile.y[p] = sweep->y + row * sweep->y_row + column * sweep->y_step;
            if (++column == sweep->width) {
                column = 0;
                row++;
            }
        }
        run_positions(sweep, &tile, positions);
    }
}
