/* The one matrix product of the dense layers, row-major, one thread:
 *     c[m][n] = op(a)[m][k] op(b)[k][n],  op(x) = x or its transpose
 * with leading dimensions (reals from one row to the next, as stored). c is only written. */
#ifndef NASRUN_TRAIN_CPU_GEMM_H
#define NASRUN_TRAIN_CPU_GEMM_H

#include <stdbool.h>

#include "train/cpu/vector.h"

#define gemm NR_VARIANT(gemm)

void gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const real *a, size_t lda, const real *b,
          size_t ldb, real *c, size_t ldc);

#endif
