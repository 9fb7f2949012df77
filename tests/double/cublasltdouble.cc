/* The double of cublasLt: descriptors, algorithms, the call. An algorithm carries a digest of the problem that it was
 * chosen for, and what was promised about pointers and workspace; another problem, or less, ends the test. */
#include "cublasltproblem.h"
#include "runtime.h"

#include <cstring>

struct cublasLtContext {
    int device;
};

using namespace cudadouble;

namespace
{

constexpr uint64_t MARK = 0x6e612064656c6c61; /* in data[0] of an algorithm that was chosen here */
constexpr uint64_t WORKSPACE = 64 << 10;      /* what an algorithm takes where it may */

const char HANDLE[] = "cublasLt handle", OPERATION[] = "matmul descriptor", LAYOUT[] = "matrix layout",
           PREFERENCE[] = "matmul preference";

template <class T> cublasStatus_t create(const char *call, const char *kind, void **out, T object)
{
    const cublasStatus_t error = failure(call, CUBLAS_STATUS_ALLOC_FAILED, CUBLAS_STATUS_NOT_INITIALIZED);
    if (error != CUBLAS_STATUS_SUCCESS)
        return error;
    *out = new T(std::move(object));
    born(*out, kind);
    return CUBLAS_STATUS_SUCCESS;
}

template <class T> cublasStatus_t destroy(const char *call, const char *kind, void *object)
{
    died(object, kind, call);
    delete static_cast<T *>(object);
    return CUBLAS_STATUS_SUCCESS;
}

template <class T> const T &get(const char *call, const char *kind, const void *object)
{
    known(object, kind, call);
    return *static_cast<const T *>(object);
}

template <class T> cublasStatus_t take(T &field, const void *value, size_t bytes)
{
    if (bytes != sizeof field)
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(&field, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

/* Attributes that the double has in one form only. */
cublasStatus_t expect(const char *call, int attribute, int32_t only, const void *value, size_t bytes)
{
    int32_t given = 0;
    const cublasStatus_t error = take(given, value, bytes);
    if (error == CUBLAS_STATUS_SUCCESS && given != only)
        misuse("%s: attribute %d = %d is not in the double", call, attribute, given);
    return error;
}

problem problem_of(const char *call, const cublasLtMatmulDesc_t op, const cublasLtMatrixLayout_t a,
                   const cublasLtMatrixLayout_t b, const cublasLtMatrixLayout_t c, const cublasLtMatrixLayout_t d)
{
    return {get<operation>(call, OPERATION, op), get<matrix>(call, LAYOUT, a), get<matrix>(call, LAYOUT, b),
            get<matrix>(call, LAYOUT, c), get<matrix>(call, LAYOUT, d)};
}

/* The vectors of fused epilogues are read 16 bytes at a time. */
bool epilogue_is_aligned(const operation &op)
{
    return (!uses_vector(op) || reinterpret_cast<uintptr_t>(op.bias) % 16 == 0) &&
           (!has(op, AUX) || reinterpret_cast<uintptr_t>(op.aux) % 16 == 0);
}

/* NASRUN_DOUBLE_NO_EPILOGUE names it. */
bool is_withheld(const operation &op)
{
    const std::string list = "," + configuration().no_epilogue + ",";
    return list.find("," + std::string(epilogue_name(op.epilogue)) + ",") != std::string::npos;
}

/* The ways in which a library says that it has no algorithm. */
cublasStatus_t refuse(cublasLtMatmulHeuristicResult_t *result, int *found)
{
    const uint64_t way = draw(3);
    *found = way == 2 ? 1 : 0;
    if (way == 2)
        result->state = CUBLAS_STATUS_NOT_SUPPORTED;
    return way == 0 ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
}

void need_matrix(const void *p, const matrix &m, uint64_t alignment, const char *argument)
{
    const uint64_t size = m.type == CUDA_R_32F ? sizeof(float) : sizeof(uint16_t);
    need(p, m.elements() * size, alignment, "cublasLtMatmul", argument);
}

bool overlap(const void *p, uint64_t p_bytes, const void *q, uint64_t q_bytes)
{
    const char *a = static_cast<const char *>(p), *b = static_cast<const char *>(q);
    return a < b + q_bytes && b < a + p_bytes;
}

/* D may be C, but nothing else. */
void check_overlap(const problem &p, const operands &x)
{
    const uint64_t bytes = p.d.elements() * sizeof(float);
    const uint64_t size = p.a.type == CUDA_R_32F ? sizeof(float) : sizeof(uint16_t);
    if (overlap(x.d, bytes, x.a, p.a.elements() * size) || overlap(x.d, bytes, x.b, p.b.elements() * size))
        misuse("cublasLtMatmul: D overlaps A or B");
    if (uses_vector(p.op) && overlap(x.d, bytes, p.op.bias, vector_length(p) * sizeof(float)))
        misuse("cublasLtMatmul: D overlaps the bias vector");
    if (has(p.op, AUX) && overlap(x.d, bytes, p.op.aux, mask_bytes(p)))
        misuse("cublasLtMatmul: D overlaps the mask");
}

/* Ends the test unless the algorithm was chosen for this problem. */
void check_algorithm(const problem &p, const cublasLtMatmulAlgo_t *algo)
{
    if (algo == nullptr)
        misuse("cublasLtMatmul: no algorithm; the project fixes them before capture");
    if (algo->data[0] != MARK)
        misuse("cublasLtMatmul: the algorithm is not from cublasLtMatmulAlgoGetHeuristic");
    if (algo->data[1] != digest(p))
        misuse("cublasLtMatmul: the algorithm was chosen for another problem");
    if (!epilogue_is_aligned(p.op))
        misuse("cublasLtMatmul: the bias vector or the mask is less aligned than when the algorithm was chosen");
}

void check_memory(const problem &p, const operands &x, const cublasLtMatmulAlgo_t &algo, const void *workspace)
{
    const uint64_t alignments = algo.data[3];
    need_matrix(x.a, p.a, alignments & 0xffff, "A");
    need_matrix(x.b, p.b, alignments >> 16 & 0xffff, "B");
    if (x.beta != 0)
        need_matrix(x.c, p.c, alignments >> 32 & 0xffff, "C");
    need_matrix(x.d, p.d, alignments >> 48, "D");
    if (uses_vector(p.op))
        need(p.op.bias, vector_length(p) * sizeof(float), 16, "cublasLtMatmul", "the bias vector");
    if (has(p.op, AUX))
        need(p.op.aux, mask_bytes(p), 16, "cublasLtMatmul", "the mask");
    need(workspace, algo.data[2], 16, "cublasLtMatmul", "workspace");
    check_overlap(p, x);
}

} // namespace

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    if (configuration().driver != driver_kind::present || unsafe_in_capture())
        return CUBLAS_STATUS_NOT_INITIALIZED;
    void *out;
    const cublasStatus_t error = create("cublasLtCreate", HANDLE, &out, cublasLtContext{current_device()});
    if (error == CUBLAS_STATUS_SUCCESS)
        *handle = static_cast<cublasLtHandle_t>(out);
    return error;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    return destroy<cublasLtContext>("cublasLtDestroy", HANDLE, handle);
}

size_t cublasLtGetVersion(void)
{
    return CUBLAS_VERSION;
}

const char *cublasLtGetStatusString(cublasStatus_t status)
{
    switch (status) {
    case CUBLAS_STATUS_SUCCESS:
        return "success";
    case CUBLAS_STATUS_NOT_INITIALIZED:
        return "the library was not initialized";
    case CUBLAS_STATUS_ALLOC_FAILED:
        return "the resource allocation failed";
    case CUBLAS_STATUS_INVALID_VALUE:
        return "an unsupported value or parameter was passed to the function";
    case CUBLAS_STATUS_ARCH_MISMATCH:
        return "the function requires an architectural feature absent from the device";
    case CUBLAS_STATUS_EXECUTION_FAILED:
        return "the function failed to launch on the GPU";
    case CUBLAS_STATUS_INTERNAL_ERROR:
        return "an internal operation failed";
    case CUBLAS_STATUS_NOT_SUPPORTED:
        return "the requested functionality is not supported";
    default:
        return "unrecognized status";
    }
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *desc, cublasComputeType_t compute, cudaDataType_t scale)
{
    operation op;
    op.compute = compute;
    if (scale != CUDA_R_32F)
        misuse("cublasLtMatmulDescCreate: scale type %d is not in the double", static_cast<int>(scale));
    return create("cublasLtMatmulDescCreate", OPERATION, reinterpret_cast<void **>(desc), op);
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc)
{
    return destroy<operation>("cublasLtMatmulDescDestroy", OPERATION, desc);
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t bytes)
{
    const char *const call = "cublasLtMatmulDescSetAttribute";
    const cublasStatus_t error = failure(call, CUBLAS_STATUS_INTERNAL_ERROR, CUBLAS_STATUS_NOT_INITIALIZED);
    if (error != CUBLAS_STATUS_SUCCESS)
        return error;
    operation &op = const_cast<operation &>(get<operation>(call, OPERATION, desc));
    switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return take(op.transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
        return take(op.transpose_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return take(op.epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return take(op.bias, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE:
        return take(op.bias_stride, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
        return take(op.bias_type, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER:
        return take(op.aux, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD:
        return take(op.aux_ld, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE:
        return take(op.aux_stride, value, bytes);
    case CUBLASLT_MATMUL_DESC_POINTER_MODE:
        return expect(call, attribute, CUBLASLT_POINTER_MODE_HOST, value, bytes);
    default:
        misuse("%s: attribute %d is not in the double", call, static_cast<int>(attribute));
    }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t ld)
{
    return create("cublasLtMatrixLayoutCreate", LAYOUT, reinterpret_cast<void **>(layout),
                  matrix{type, rows, columns, ld});
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    return destroy<matrix>("cublasLtMatrixLayoutDestroy", LAYOUT, layout);
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void *value,
                                                size_t bytes)
{
    const char *const call = "cublasLtMatrixLayoutSetAttribute";
    const cublasStatus_t error = failure(call, CUBLAS_STATUS_INTERNAL_ERROR, CUBLAS_STATUS_NOT_INITIALIZED);
    if (error != CUBLAS_STATUS_SUCCESS)
        return error;
    matrix &m = const_cast<matrix &>(get<matrix>(call, LAYOUT, layout));
    switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
        return take(m.batch, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
        return take(m.stride, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_ORDER:
        return expect(call, attribute, CUBLASLT_ORDER_COL, value, bytes);
    default:
        misuse("%s: attribute %d is not in the double", call, static_cast<int>(attribute));
    }
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out)
{
    return create("cublasLtMatmulPreferenceCreate", PREFERENCE, reinterpret_cast<void **>(out), preference{});
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p)
{
    return destroy<preference>("cublasLtMatmulPreferenceDestroy", PREFERENCE, p);
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t object,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void *value,
                                                    size_t bytes)
{
    const char *const call = "cublasLtMatmulPreferenceSetAttribute";
    const cublasStatus_t error = failure(call, CUBLAS_STATUS_INTERNAL_ERROR, CUBLAS_STATUS_NOT_INITIALIZED);
    if (error != CUBLAS_STATUS_SUCCESS)
        return error;
    preference &p = const_cast<preference &>(get<preference>(call, PREFERENCE, object));
    switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
        return take(p.workspace, value, bytes);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
        return take(p.reductions, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
        return take(p.alignment_a, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
        return take(p.alignment_b, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
        return take(p.alignment_c, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
        return take(p.alignment_d, value, bytes);
    default:
        misuse("%s: attribute %d is not in the double", call, static_cast<int>(attribute));
    }
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t op,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t wish, int wanted,
                                              cublasLtMatmulHeuristicResult_t results[], int *found)
{
    const char *const call = "cublasLtMatmulAlgoGetHeuristic";
    cublasStatus_t error = failure(call, CUBLAS_STATUS_INTERNAL_ERROR, CUBLAS_STATUS_NOT_INITIALIZED);
    if (error != CUBLAS_STATUS_SUCCESS)
        return error;
    known(handle, HANDLE, call);
    const problem p = problem_of(call, op, a, b, c, d);
    const preference q = get<preference>(call, PREFERENCE, wish);
    if (epilogue_name(p.op.epilogue) == nullptr)
        misuse("%s: epilogue %u is not in the double", call, p.op.epilogue);
    error = wanted < 1 ? CUBLAS_STATUS_INVALID_VALUE : judge(p);
    if (error != CUBLAS_STATUS_SUCCESS)
        return error;
    results[0] = {};
    if (is_withheld(p.op) || !epilogue_is_aligned(p.op))
        return refuse(results, found);
    results[0].workspaceSize = q.workspace >= WORKSPACE ? WORKSPACE : 0;
    results[0].algo.data[0] = MARK;
    results[0].algo.data[1] = digest(p);
    results[0].algo.data[2] = results[0].workspaceSize;
    results[0].algo.data[3] = static_cast<uint64_t>(q.alignment_d) << 48 | static_cast<uint64_t>(q.alignment_c) << 32 |
                              static_cast<uint64_t>(q.alignment_b) << 16 | q.alignment_a;
    *found = 1;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t op, const void *alpha, const void *a,
                              cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout,
                              const void *beta, const void *c, cublasLtMatrixLayout_t c_layout, void *d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo, void *workspace,
                              size_t workspace_bytes, cudaStream_t stream)
{
    const char *const call = "cublasLtMatmul";
    cublasStatus_t error = failure(call, CUBLAS_STATUS_EXECUTION_FAILED, CUBLAS_STATUS_EXECUTION_FAILED);
    if (error != CUBLAS_STATUS_SUCCESS)
        return error;
    if (get<cublasLtContext>(call, HANDLE, handle).device != current_device())
        misuse("%s: the handle belongs to another device", call);
    const problem p = problem_of(call, op, a_layout, b_layout, c_layout, d_layout);
    error = judge(p);
    if (error != CUBLAS_STATUS_SUCCESS)
        return error;
    if (was_allocated(alpha) || was_allocated(beta))
        misuse("%s: alpha and beta are read from the host", call);
    const operands x{a,
                     b,
                     static_cast<const float *>(c),
                     static_cast<float *>(d),
                     *static_cast<const float *>(alpha),
                     *static_cast<const float *>(beta)};
    check_algorithm(p, algo);
    if (workspace_bytes < algo->data[2])
        return CUBLAS_STATUS_INVALID_VALUE;
    check_memory(p, x, *algo, workspace);
    const size_t scratch = algo->data[2];
    const cudaError_t queued = enqueue(stream, call, [=] {
        multiply(p, x);
        if (scratch > 0)
            memset(workspace, 0xff, scratch); /* whoever keeps something there loses it */
    });
    return queued == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
