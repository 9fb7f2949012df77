#include "train/cuda/product.h"

#include <stdlib.h>

#include "base/memory.h"

struct product {
    struct lane *lane;
    struct product_setup setup;
    cublasLtMatmulDesc_t description;
    cublasLtMatrixLayout_t a, b, d;
    cublasLtMatmulPreference_t preference; /* only while the algorithm is chosen */
    cublasLtMatmulAlgo_t algorithm;
};

int64_t product_mask_bits(int64_t rows)
{
    return (rows + 127) / 128 * 128;
}

static cublasLtEpilogue_t library_epilogue(enum product_epilogue epilogue)
{
    static const cublasLtEpilogue_t names[] = {
        [PRODUCT_PLAIN] = CUBLASLT_EPILOGUE_DEFAULT,       [PRODUCT_BIAS] = CUBLASLT_EPILOGUE_BIAS,
        [PRODUCT_RELU_BIAS] = CUBLASLT_EPILOGUE_RELU_BIAS, [PRODUCT_RELU_AUX_BIAS] = CUBLASLT_EPILOGUE_RELU_AUX_BIAS,
        [PRODUCT_DRELU] = CUBLASLT_EPILOGUE_DRELU,         [PRODUCT_DRELU_BGRAD] = CUBLASLT_EPILOGUE_DRELU_BGRAD,
        [PRODUCT_BGRADA] = CUBLASLT_EPILOGUE_BGRADA,
    };
    return names[epilogue];
}

static bool uses_vector(enum product_epilogue epilogue)
{
    return epilogue != PRODUCT_PLAIN && epilogue != PRODUCT_DRELU;
}

static bool uses_mask(enum product_epilogue epilogue)
{
    return epilogue == PRODUCT_RELU_AUX_BIAS || epilogue == PRODUCT_DRELU || epilogue == PRODUCT_DRELU_BGRAD;
}

/* Float32 factors are multiplied as such by COMPUTE_32F: TF32 must be asked for (cuBLAS guide, "Tensor Core usage"). */
static nr_status describe(struct product *product)
{
    const struct product_setup *setup = &product->setup;
    struct failure *failure = product->lane->failure;
    const cublasComputeType_t compute =
        setup->precision == PRECISION_TF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    const cublasOperation_t transpose_a = setup->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t transpose_b = setup->transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    TRY_BLAS(failure, cublasLtMatmulDescCreate(&product->description, compute, CUDA_R_32F));
    TRY_BLAS(failure, cublasLtMatmulDescSetAttribute(product->description, CUBLASLT_MATMUL_DESC_TRANSA, &transpose_a,
                                                     sizeof transpose_a));
    TRY_BLAS(failure, cublasLtMatmulDescSetAttribute(product->description, CUBLASLT_MATMUL_DESC_TRANSB, &transpose_b,
                                                     sizeof transpose_b));
    return NR_OK;
}

/* The pointers are set before the algorithm is chosen: their alignment decides which ones are possible. */
static nr_status describe_epilogue(struct product *product)
{
    const struct product_setup *setup = &product->setup;
    struct failure *failure = product->lane->failure;
    const cublasLtEpilogue_t epilogue = library_epilogue(setup->epilogue);
    const cudaDataType_t type = CUDA_R_32F;
    TRY_BLAS(failure, cublasLtMatmulDescSetAttribute(product->description, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                                     sizeof epilogue));
    if (uses_vector(setup->epilogue)) {
        TRY_BLAS(failure, cublasLtMatmulDescSetAttribute(product->description, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                         &setup->vector, sizeof setup->vector));
        TRY_BLAS(failure, cublasLtMatmulDescSetAttribute(product->description, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE,
                                                         &type, sizeof type));
    }
    if (uses_mask(setup->epilogue)) {
        TRY_BLAS(failure,
                 cublasLtMatmulDescSetAttribute(product->description, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER,
                                                &setup->mask, sizeof setup->mask));
        TRY_BLAS(failure, cublasLtMatmulDescSetAttribute(product->description, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD,
                                                         &setup->mask_bits, sizeof setup->mask_bits));
    }
    return NR_OK;
}

static nr_status describe_matrices(struct product *product)
{
    const struct product_setup *setup = &product->setup;
    struct failure *failure = product->lane->failure;
    const cudaDataType_t factor = setup->precision == PRECISION_BF16 ? CUDA_R_16BF : CUDA_R_32F;
    const int64_t a_rows = setup->transpose_a ? setup->k : setup->m, a_columns = setup->m + setup->k - a_rows;
    const int64_t b_rows = setup->transpose_b ? setup->n : setup->k, b_columns = setup->n + setup->k - b_rows;
    TRY_BLAS(failure,
             cublasLtMatrixLayoutCreate(&product->a, factor, (uint64_t)a_rows, (uint64_t)a_columns, setup->lda));
    TRY_BLAS(failure,
             cublasLtMatrixLayoutCreate(&product->b, factor, (uint64_t)b_rows, (uint64_t)b_columns, setup->ldb));
    TRY_BLAS(failure,
             cublasLtMatrixLayoutCreate(&product->d, CUDA_R_32F, (uint64_t)setup->m, (uint64_t)setup->n, setup->ldd));
    return NR_OK;
}

/* The largest power of 2 that divides the address, at most 256 bytes, which is what the library assumes untold. */
static uint32_t alignment_of(const void *pointer)
{
    const uintptr_t lowest = (uintptr_t)pointer & (~(uintptr_t)pointer + 1);
    return lowest == 0 || lowest > 256 ? 256 : (uint32_t)lowest;
}

static nr_status prefer(struct product *product)
{
    struct failure *failure = product->lane->failure;
    const uint64_t workspace = product->lane->workspace_size;
    const uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE | CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE;
    const struct {
        cublasLtMatmulPreferenceAttributes_t name;
        uint32_t bytes;
    } alignments[] = {
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment_of(product->setup.a)},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_of(product->setup.b)},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment_of(product->setup.d)},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(product->setup.d)},
    };
    TRY_BLAS(failure, cublasLtMatmulPreferenceCreate(&product->preference));
    TRY_BLAS(failure, cublasLtMatmulPreferenceSetAttribute(
                          product->preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace));
    TRY_BLAS(failure,
             cublasLtMatmulPreferenceSetAttribute(product->preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                                  &reductions, sizeof reductions));
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++)
        TRY_BLAS(failure, cublasLtMatmulPreferenceSetAttribute(product->preference, alignments[i].name,
                                                               &alignments[i].bytes, sizeof alignments[i].bytes));
    return NR_OK;
}

/* Asked about a combination that it does not have, the library says so in several ways: no result, a result that is
 * none, NOT_SUPPORTED, and for some epilogues INVALID_VALUE. */
static nr_status choose(struct product *product)
{
    cublasLtMatmulHeuristicResult_t result;
    int found = 0;
    const cublasStatus_t code =
        cublasLtMatmulAlgoGetHeuristic(product->lane->blas, product->description, product->a, product->b, product->d,
                                       product->d, product->preference, 1, &result, &found);
    const bool fused = product->setup.epilogue != PRODUCT_PLAIN;
    if (code == CUBLAS_STATUS_NOT_SUPPORTED || (fused && code == CUBLAS_STATUS_INVALID_VALUE))
        return NR_INFEASIBLE;
    if (code != CUBLAS_STATUS_SUCCESS)
        return failure_blas(product->lane->failure, "cublasLtMatmulAlgoGetHeuristic", code);
    if (found < 1 || result.state != CUBLAS_STATUS_SUCCESS || result.workspaceSize > product->lane->workspace_size)
        return NR_INFEASIBLE;
    product->algorithm = result.algo;
    return NR_OK;
}

/* Epilogues that the library does not have for all products although its guide does not say so (nvmath-python, NVIDIA's
 * own wrapper, refuses the same): not even asked for, lest an algorithm be named that is wrong. */
static bool is_known_to_lack(const struct product_setup *setup)
{
    switch (setup->epilogue) {
    case PRODUCT_DRELU:
    case PRODUCT_DRELU_BGRAD:
        return setup->k == 1;
    case PRODUCT_BGRADA:
        return setup->transpose_a;
    default:
        return false;
    }
}

static nr_status prepare(struct product *product)
{
    if (is_known_to_lack(&product->setup))
        return NR_INFEASIBLE;
    nr_status status = describe(product);
    if (status == NR_OK)
        status = describe_epilogue(product);
    if (status == NR_OK)
        status = describe_matrices(product);
    if (status == NR_OK)
        status = prefer(product);
    if (status == NR_OK)
        status = choose(product);
    if (product->preference)
        cublasLtMatmulPreferenceDestroy(product->preference);
    product->preference = NULL;
    return status;
}

nr_status product_create(struct lane *lane, const struct product_setup *setup, struct product **out)
{
    struct product *product = mem_array(1, sizeof *product);
    if (!product)
        return failure_note(lane->failure, NR_NO_MEMORY, "out of memory while preparing a matrix product");
    product->lane = lane;
    product->setup = *setup;
    nr_status status = prepare(product);
    if (status != NR_OK) {
        product_destroy(product);
        return status;
    }
    *out = product;
    return NR_OK;
}

nr_status product_run(const struct product *product)
{
    const struct lane *lane = product->lane;
    const struct product_setup *setup = &product->setup;
    const float one = 1, zero = 0;
    TRY_BLAS(lane->failure, cublasLtMatmul(lane->blas, product->description, &one, setup->a, product->a, setup->b,
                                           product->b, &zero, setup->d, product->d, setup->d, product->d,
                                           &product->algorithm, lane->workspace, lane->workspace_size, lane->stream));
    return NR_OK;
}

void product_destroy(struct product *product)
{
    if (!product)
        return;
    if (product->d)
        cublasLtMatrixLayoutDestroy(product->d);
    if (product->b)
        cublasLtMatrixLayoutDestroy(product->b);
    if (product->a)
        cublasLtMatrixLayoutDestroy(product->a);
    if (product->description)
        cublasLtMatmulDescDestroy(product->description);
    free(product);
}
