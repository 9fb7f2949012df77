#include "train/cpu/lane_sums.h"

enum { MOST_CHANNELS = LANE_SUMS_CHANNELS, MOST_TAPS = LANE_SUMS_TAPS };

VEC_INLINE void add_tile(const int channels, const int taps, const struct lane_sums *tile)
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
    static __attribute__((noinline)) void tile_##channels##_##taps(const struct lane_sums *tile) \
    {                                                                                     \
        add_tile(channels, taps, tile);                                                   \
    }
#define TILES_4(channels) TILE(channels, 1) TILE(channels, 2) TILE(channels, 3) TILE(channels, 4)
#define TILES_6(channels) TILES_4(channels) TILE(channels, 5) TILE(channels, 6)
#define NAMES_4(channels) \
    NULL, tile_##channels##_1, tile_##channels##_2, tile_##channels##_3, tile_##channels##_4
#define NAMES_6(channels) NAMES_4(channels), tile_##channels##_5, tile_##channels##_6

typedef void tile_function(const struct lane_sums *tile);

#if VEC_REGISTERS == 32
TILES_6(1) TILES_6(2) TILES_6(3) TILES_6(4)
static tile_function *const tiles[MOST_CHANNELS + 1][MOST_TAPS + 1] = {
    {NULL}, {NAMES_6(1)}, {NAMES_6(2)}, {NAMES_6(3)}, {NAMES_6(4)}};
#else
TILES_4(1) TILES_4(2) TILES_4(3)
static tile_function *const tiles[MOST_CHANNELS + 1][MOST_TAPS + 1] = {
    {NULL}, {NAMES_4(1)}, {NAMES_4(2)}, {NAMES_4(3)}};
#endif

void lane_sums_add(size_t channels, size_t taps, const struct lane_sums *tile)
{
    tiles[channels][taps](tile);
}

void lane_sums_reduce(const real *sums, size_t count, real *to)
{
    for (size_t k = 0; k < count; k += LANES) {
        vec row[LANES];
        VEC_UNROLL
        for (int i = 0; i < LANES; i++)
            row[i] = vec_load(sums + (k + (size_t)i) * LANES);
        vec total = vec_sums(row);
        if (k + LANES <= count) {
            vec_store_unaligned(to + k, vec_load_unaligned(to + k) + total);
        } else {
            for (size_t i = 0; i < count - k; i++)
                to[k + i] += total[i];
        }
    }
}
