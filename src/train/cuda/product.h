/* Matrix products by cuBLASLt, everything fixed before capture: shapes, epilogue, algorithm.
 *
 * Column-major, as the library has it: D [m][n] = op(A) [m][k] op(B) [k][n], each with a leading dimension. A row-major
 * [rows][columns] is a column-major [columns][rows]: y = x W with W [in][out] is D = y (m = out, n = images), A = W,
 * B = x. Algorithms that reduce in place over split k are left out, so that results repeat. */
#ifndef NASRUN_TRAIN_CUDA_PRODUCT_H
#define NASRUN_TRAIN_CUDA_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

#include "train/cuda/lane.h"
#include "train/recipe.h"

enum product_epilogue {
    PRODUCT_PLAIN,
    PRODUCT_BIAS,          /* D += vector[m] */
    PRODUCT_RELU_BIAS,     /* then max(0, .) */
    PRODUCT_RELU_AUX_BIAS, /* and the mask of what was above 0 */
    PRODUCT_DRELU,         /* D where the mask is set, else 0; not for k = 1 */
    PRODUCT_DRELU_BGRAD,   /* and vector[m] = its sum over n */
    PRODUCT_BGRADA         /* vector[m] = sum of A over k: beside the weights' gradient that of the bias; A as it is */
};

struct product_setup {
    bool transpose_a, transpose_b;
    int64_t m, n, k, lda, ldb, ldd;
    enum precision_kind precision; /* float32; tf32; bf16: A and B are bf16, D is float32 */
    enum product_epilogue epilogue;
    const void *a, *b; /* where they lie when the product runs; for their alignment too */
    float *d;
    float *vector;     /* bias or its gradient, float32 */
    void *mask;        /* bits, [n] of mask_bits */
    int64_t mask_bits; /* product_mask_bits(m) */
};

struct product;

/* Leading dimension of a mask of so many rows, in bits: a multiple of 128. */
int64_t product_mask_bits(int64_t rows);
/* NR_INFEASIBLE without a word in the failure when the library has no algorithm for this shape with this epilogue: the
 * caller takes the plain product and a kernel of ours. */
nr_status product_create(struct lane *lane, const struct product_setup *setup, struct product **out) NR_MUST_CHECK;
nr_status product_run(const struct product *product) NR_MUST_CHECK; /* enqueues; D is overwritten */
void product_destroy(struct product *product);

#endif
