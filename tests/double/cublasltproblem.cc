/* Which matrix products a real cublasLt takes, as its header and guide have it. */
#include "cublasltproblem.h"

namespace cudadouble
{

uint64_t matrix::elements() const
{
    return static_cast<uint64_t>(stride) * static_cast<uint64_t>(batch - 1) +
           static_cast<uint64_t>(ld) * (columns - 1) + rows;
}

uint64_t problem::depth() const
{
    return op.transpose_a == CUBLAS_OP_T ? a.rows : a.columns;
}

bool has(const operation &op, epilogue_part part)
{
    return (op.epilogue & part) != 0;
}

bool uses_vector(const operation &op)
{
    return has(op, BIAS) || has(op, BGRAD) || has(op, BGRADA) || has(op, BGRADB);
}

uint64_t vector_length(const problem &p)
{
    const uint64_t one = has(p.op, BGRADB) ? p.d.columns : p.d.rows;
    return one + static_cast<uint64_t>(p.op.bias_stride) * static_cast<uint64_t>(p.d.batch - 1);
}

uint64_t mask_bytes(const problem &p)
{
    const uint64_t bits = static_cast<uint64_t>(p.op.aux_ld) * p.d.columns;
    return (bits + static_cast<uint64_t>(p.op.aux_stride) * static_cast<uint64_t>(p.d.batch - 1)) / 8;
}

const char *epilogue_name(uint32_t epilogue)
{
    switch (epilogue) {
    case CUBLASLT_EPILOGUE_DEFAULT:
        return "DEFAULT";
    case CUBLASLT_EPILOGUE_RELU:
        return "RELU";
    case CUBLASLT_EPILOGUE_RELU_AUX:
        return "RELU_AUX";
    case CUBLASLT_EPILOGUE_BIAS:
        return "BIAS";
    case CUBLASLT_EPILOGUE_RELU_BIAS:
        return "RELU_BIAS";
    case CUBLASLT_EPILOGUE_RELU_AUX_BIAS:
        return "RELU_AUX_BIAS";
    case CUBLASLT_EPILOGUE_DRELU:
        return "DRELU";
    case CUBLASLT_EPILOGUE_DRELU_BGRAD:
        return "DRELU_BGRAD";
    case CUBLASLT_EPILOGUE_BGRADA:
        return "BGRADA";
    case CUBLASLT_EPILOGUE_BGRADB:
        return "BGRADB";
    default:
        return nullptr;
    }
}

namespace
{

bool shape_is_possible(const matrix &m)
{
    return m.rows > 0 && m.columns > 0 && m.ld >= static_cast<int64_t>(m.rows) && m.batch > 0 &&
           (m.batch == 1 || m.stride >= 0);
}

bool shapes_agree(const problem &p)
{
    const bool ta = p.op.transpose_a == CUBLAS_OP_T, tb = p.op.transpose_b == CUBLAS_OP_T;
    return (ta ? p.a.columns : p.a.rows) == p.d.rows && (tb ? p.b.rows : p.b.columns) == p.d.columns &&
           p.depth() == (tb ? p.b.columns : p.b.rows) && p.c.rows == p.d.rows && p.c.columns == p.d.columns &&
           p.a.batch == p.d.batch && p.b.batch == p.d.batch && p.c.batch == p.d.batch;
}

/* The rows of the guide's table of types that the project wants: float32, and bf16 summed in float32. */
bool types_are_supported(const problem &p)
{
    const bool factors = p.a.type == p.b.type && (p.a.type == CUDA_R_32F || p.a.type == CUDA_R_16BF);
    const bool compute =
        p.op.compute == CUBLAS_COMPUTE_32F || (p.op.compute == CUBLAS_COMPUTE_32F_FAST_TF32 && p.a.type == CUDA_R_32F);
    const bool vector = p.op.bias_type == -1 || p.op.bias_type == CUDA_R_32F;
    return factors && compute && p.c.type == CUDA_R_32F && p.d.type == CUDA_R_32F && vector;
}

/* What nvmath-python, NVIDIA's own wrapper, refuses before it asks. */
bool epilogue_is_supported(const problem &p)
{
    const bool masks = has(p.op, DRELU), sums = has(p.op, BGRADA);
    return !(masks && p.depth() == 1) && !(sums && p.op.transpose_a == CUBLAS_OP_T);
}

bool mask_is_possible(const problem &p)
{
    return p.op.aux_ld % 128 == 0 && p.op.aux_ld >= static_cast<int64_t>(p.d.rows) &&
           (p.d.batch == 1 || p.op.aux_stride % 128 == 0);
}

uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x100000001b3u; /* FNV-1a, a word at a time */
}

uint64_t mix(uint64_t hash, const matrix &m)
{
    const uint64_t values[] = {
        static_cast<uint64_t>(m.type),  m.rows, m.columns, static_cast<uint64_t>(m.ld), static_cast<uint64_t>(m.batch),
        static_cast<uint64_t>(m.stride)};
    for (const uint64_t value : values)
        hash = mix(hash, value);
    return hash;
}

} // namespace

cublasStatus_t judge(const problem &p)
{
    if (!shape_is_possible(p.a) || !shape_is_possible(p.b) || !shape_is_possible(p.c) || !shape_is_possible(p.d) ||
        !shapes_agree(p) || (has(p.op, AUX) && !mask_is_possible(p)))
        return CUBLAS_STATUS_INVALID_VALUE;
    return types_are_supported(p) && epilogue_is_supported(p) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

uint64_t digest(const problem &p)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const matrix *m : {&p.a, &p.b, &p.c, &p.d})
        hash = mix(hash, *m);
    for (const int64_t value : {static_cast<int64_t>(p.op.compute), static_cast<int64_t>(p.op.transpose_a),
                                static_cast<int64_t>(p.op.transpose_b), static_cast<int64_t>(p.op.epilogue),
                                p.op.bias_stride, p.op.aux_ld, p.op.aux_stride})
        hash = mix(hash, static_cast<uint64_t>(value));
    return hash;
}

} // namespace cudadouble
