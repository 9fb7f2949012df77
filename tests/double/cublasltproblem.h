/* A matrix product as the double of cublasLt sees it: what its descriptors say, whether a real library takes it, and
 * its arithmetic. D [m][n] = epilogue(alpha op(A) op(B) + beta C), column-major, `batch` times. */
#ifndef CUBLASLTPROBLEM_H
#define CUBLASLTPROBLEM_H

#include <cublasLt.h>

#include <cstdint>

namespace cudadouble
{

struct matrix {
    cudaDataType type;
    uint64_t rows, columns;
    int64_t ld;
    int32_t batch = 1;
    int64_t stride = 0;        /* between the matrices of a batch, in elements */
    uint64_t elements() const; /* from the first to the last */
};

struct operation {
    cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
    int32_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
    uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    void *bias = nullptr; /* float: [m], BGRADB [n] */
    int64_t bias_stride = 0;
    int32_t bias_type = -1; /* D's */
    void *aux = nullptr;    /* a bit per element of D, columns aux_ld apart */
    int64_t aux_ld = 0, aux_stride = 0;
};

struct preference {
    uint64_t workspace = 0;
    uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_MASK;
    uint32_t alignment_a = 256, alignment_b = 256, alignment_c = 256, alignment_d = 256;
};

struct problem {
    operation op;
    matrix a, b, c, d;
    uint64_t depth() const; /* k */
};

/* Parts of an epilogue: the header's values are sums of these. */
enum epilogue_part : uint32_t { RELU = 2, BIAS = 4, DRELU = 8, BGRAD = 16, AUX = 128, BGRADA = 256, BGRADB = 512 };
bool has(const operation &op, epilogue_part part);
bool uses_vector(const operation &op);
uint64_t vector_length(const problem &p);
uint64_t mask_bytes(const problem &p);
const char *epilogue_name(uint32_t epilogue); /* "DRELU_BGRAD"; NULL: the double does not have it */

/* What a library says of it before it looks for an algorithm: INVALID_VALUE, NOT_SUPPORTED. */
cublasStatus_t judge(const problem &p);

/* Everything of a problem that an algorithm was chosen for; pointers count by whether they are there. */
uint64_t digest(const problem &p);

struct operands {
    const void *a, *b;
    const float *c;
    float *d;
    float alpha, beta;
};
void multiply(const problem &p, const operands &x);

} // namespace cudadouble

#endif
