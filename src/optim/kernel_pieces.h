/* The inner loops of kernel.c, over pieces of one column of a covariance matrix, for the instruction set of this CPU.
 * All instruction sets give the same bits: eight lanes, whatever the width of a register, and no contraction. */
#ifndef NASRUN_OPTIM_KERNEL_PIECES_H
#define NASRUN_OPTIM_KERNEL_PIECES_H

#include "optim/kernel.h"

enum { KERNEL_LANES = 8 };

/* Hyper-parameters as the loops want them. */
struct kernel_natural {
    double inverse[KERNEL_MAX_FEATURES]; /* 1 / l^2 */
    double unequal[KERNEL_MAX_FEATURES]; /* profile(1 / l^2): of two different categories */
    double scale, share;                 /* share: additive / D, 0 where that term is left out */
};

/* Partial sums of a gradient, a row of lanes per hyper-parameter. */
struct kernel_sums {
    double lane[KERNEL_MAX_FEATURES + 2][KERNEL_LANES];
};

/* The piece: points first .. first + count - 1 of `a` against point k of `b`. */
struct kernel_piece {
    const struct kernel *kernel;
    const struct kernel_natural *natural;
    struct kernel_points a, b;
    size_t first, count, k;
};

struct kernel_pieces {
    /* out[i] = k(a_{first + i}, b_k) */
    void (*entries)(const struct kernel_piece *piece, double *out);
    /* Adds sum_i weight[i] dk(a_{first + i}, b_k) / dtheta_t to the lanes of t, log lengths and log scale complete, the
     * additive part's without its factor. */
    void (*gradient)(const struct kernel_piece *piece, const double *weight, struct kernel_sums *sums);
    /* Adds sum_i weight[i] dk(a_{first + i}, b_k) / db_j to the lanes of j; nothing for categories. */
    void (*slope)(const struct kernel_piece *piece, const double *weight, struct kernel_sums *sums);
    void (*exponential)(double *x, size_t count);
};

/* By instruction set, slowest first; NULL where this CPU lacks it. `index` < kernel_pieces_count(). */
size_t kernel_pieces_count(void);
const struct kernel_pieces *kernel_pieces_at(size_t index);
/* The fastest that this CPU has. */
const struct kernel_pieces *kernel_pieces_best(void);

#endif
