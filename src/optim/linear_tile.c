#include "optim/linear_tile.h"

#include <string.h>

/* One set of functions per instruction set, from one text: the loops are written in vectors of its width, and as many
 * sums are kept in registers as it has room for. */
#define TILE_NAME(part) part##_baseline
#define TILE_TARGET
#define TILE_BYTES 16
#define TILE_ROWS 4
#define TILE_VECTORS 2
#include "optim/linear_tile_body.h"

#if defined(__x86_64__)
#define TILE_NAME(part) part##_avx2
#define TILE_TARGET __attribute__((target("avx2")))
#define TILE_BYTES 32
#define TILE_ROWS 4
#define TILE_VECTORS 2
#include "optim/linear_tile_body.h"

#define TILE_NAME(part) part##_avx512
#define TILE_TARGET __attribute__((target("avx512f,avx512dq")))
#define TILE_BYTES 64
#define TILE_ROWS 8
#define TILE_VECTORS 3
#include "optim/linear_tile_body.h"
#endif

static const struct linear_tile *const tiles[] = {
    &tile_baseline,
#if defined(__x86_64__)
    &tile_avx2,
    &tile_avx512,
#endif
};

size_t linear_tiles(void)
{
    return sizeof tiles / sizeof *tiles;
}

const struct linear_tile *linear_tile_at(size_t index)
{
#if defined(__x86_64__)
    if ((tiles[index] == &tile_avx2 && !__builtin_cpu_supports("avx2")) ||
        (tiles[index] == &tile_avx512 && !__builtin_cpu_supports("avx512dq")))
        return NULL;
#endif
    return tiles[index];
}

const struct linear_tile *linear_tile_best(void)
{
    size_t index = linear_tiles() - 1;
    while (!linear_tile_at(index))
        index--;
    return linear_tile_at(index);
}
