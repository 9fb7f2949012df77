/* The loops of linear.c in which the time goes, once per instruction set. All give the same bits: each element of a
 * result has its own sum, taken in ascending order, rounded after every operation. */
#ifndef NASRUN_OPTIM_LINEAR_TILE_H
#define NASRUN_OPTIM_LINEAR_TILE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    TILE_MAX_ROWS = 8,   /* of any tile */
    TILE_MAX_WIDTH = 24, /* ... in doubles */
    TILE_NARROW = 8,     /* columns of `narrow` */
    TILE_TRIANGLE = 8    /* rows of `triangle` at most */
};

struct linear_tile {
    size_t rows, width;
    /* c [rows][width] -= a' b for a [depth][rows] (packed) and b [depth][width]. */
    void (*product)(size_t depth, const double *a, const double *b, size_t b_stride, double *c, size_t c_stride);
    /* c [n][TILE_NARROW] -= a' b for b [depth][TILE_NARROW], 1 <= n <= rows; element (k, i) of a lies at
     * a[k * by_depth + i * by_row]. With so few columns it does not pay to pack a. */
    void (*narrow)(size_t depth, size_t n, const double *a, size_t by_depth, size_t by_row, const double *b, double *c);
    /* x [n][count] becomes U'^-1 x, n <= TILE_TRIANGLE. */
    void (*triangle)(size_t n, const double *u, size_t u_stride, double *x, size_t x_stride, size_t count);
};

/* The tile of an instruction set, slowest first; NULL where this CPU lacks it. `index` < linear_tiles(). */
size_t linear_tiles(void);
const struct linear_tile *linear_tile_at(size_t index);
/* The fastest that this CPU has. */
const struct linear_tile *linear_tile_best(void);

#endif
