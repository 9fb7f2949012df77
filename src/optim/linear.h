/* Dense linear algebra for the Gaussian process: Cholesky factor, triangular solves, inverse.
 *
 * Matrices are stored by row: element (i, j) of `a` is a[i * stride + j]. A symmetric matrix is given by its upper
 * triangle (j >= i), and A = U'U with U upper triangular; what lies below the diagonal is neither read for a result nor
 * kept. Sizes from 0 on.
 *
 * Why not BLAS: its order of sums, and so the last bits of a suggestion, depends on the CPU that it finds; here every
 * sum is taken in one order and without fused multiply-adds, so that every instruction set gives the same bits. It is
 * also several times faster than a BLAS that does not know the CPU (README.md, decisions). Nothing here allocates. */
#ifndef NASRUN_OPTIM_LINEAR_H
#define NASRUN_OPTIM_LINEAR_H

#include <stdbool.h>
#include <stddef.h>

struct linear_matrix {
    double *cell;
    size_t stride;
};

/* Replaces the upper triangle of A [n][n] by U. False when A is not positive definite (or not finite): its content is
 * then lost. */
bool linear_cholesky(struct linear_matrix a, size_t n);

/* X [n][count] becomes U'^-1 X: a forward substitution for each column. */
void linear_solve(struct linear_matrix factor, size_t n, struct linear_matrix x, size_t count);
/* Rows first .. end - 1 of the same, given that those before `first` are solved already. */
void linear_solve_rows(struct linear_matrix factor, size_t first, size_t end, struct linear_matrix x, size_t count);
/* X [n][count] becomes U^-1 X: a back substitution for each column. */
void linear_solve_back(struct linear_matrix factor, size_t n, struct linear_matrix x, size_t count);
/* C [rows][count] -= A' B for A [depth][rows] and B [depth][count]; C must not overlap A or B. */
void linear_subtract_product(struct linear_matrix a, size_t rows, struct linear_matrix b, size_t count, size_t depth,
                             struct linear_matrix c);

/* `inverse` [n][n] becomes U'^-1, lower triangular with zeros above the diagonal, so that A^-1 = inverse' inverse. */
void linear_invert_factor(struct linear_matrix factor, size_t n, struct linear_matrix inverse);
/* The upper triangle of `out` becomes W'W for a lower triangular W [n][n] (zeros above its diagonal). */
void linear_square(struct linear_matrix w, size_t n, struct linear_matrix out);

/* x becomes U'^-1 x, and U^-1 x. */
void linear_solve_vector(struct linear_matrix factor, size_t n, double *x);
void linear_solve_vector_back(struct linear_matrix factor, size_t n, double *x);
/* Sum of left[i] * right[i]. */
double linear_dot(const double *left, const double *right, size_t count);
/* out[k] += sum_i weight[i] x_ik, and out[k] += sum_i x_ik^2, for rows first .. end - 1 of X [end][count]. */
void linear_add_weighted(struct linear_matrix x, size_t first, size_t end, size_t count, const double *weight,
                         double *out);
void linear_add_squares(struct linear_matrix x, size_t first, size_t end, size_t count, double *out);

#endif
