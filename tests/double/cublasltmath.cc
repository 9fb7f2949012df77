/* The arithmetic of the double of cublasLt: factors as they are stored, sums in double, results float. */
#include "cublasltproblem.h"

#include <cmath>
#include <cstring>
#include <vector>

namespace cudadouble
{

namespace
{

float from_bits(uint32_t bits)
{
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

/* A factor with 10 bits of mantissa, to nearest even: what the tensor cores see of a float. */
float to_tf32(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (!std::isfinite(value))
        return value;
    bits += 0xfffu + (bits >> 13 & 1u);
    return from_bits(bits & ~0x1fffu);
}

/* op(X), [rows][columns] row-major in double, so that the loops below run along memory; one matrix of the batch. */
std::vector<double> unpack(const void *start, const matrix &m, int index, bool transpose, bool tf32)
{
    std::vector<double> out(m.rows * m.columns);
    const uint64_t first = static_cast<uint64_t>(index) * static_cast<uint64_t>(m.stride);
    const float *floats = static_cast<const float *>(start) + (m.type == CUDA_R_32F ? first : 0);
    const uint16_t *halves = static_cast<const uint16_t *>(start) + (m.type == CUDA_R_16BF ? first : 0);
    for (uint64_t column = 0; column < m.columns; column++)
        for (uint64_t row = 0; row < m.rows; row++) {
            const uint64_t at = row + column * static_cast<uint64_t>(m.ld);
            float value = m.type == CUDA_R_32F ? floats[at] : from_bits(static_cast<uint32_t>(halves[at]) << 16);
            if (tf32)
                value = to_tf32(value);
            out[transpose ? column * m.rows + row : row * m.columns + column] = static_cast<double>(value);
        }
    return out;
}

/* The bits of one column of the mask. */
class mask_column
{
  public:
    mask_column(const operation &op, int index, uint64_t column)
        : bytes(static_cast<unsigned char *>(op.aux)),
          first(static_cast<uint64_t>(index) * static_cast<uint64_t>(op.aux_stride) +
                column * static_cast<uint64_t>(op.aux_ld))
    {
    }
    bool get(uint64_t row) const
    {
        return (bytes[(first + row) / 8] >> (first + row) % 8 & 1) != 0;
    }
    void set(uint64_t row, bool value)
    {
        unsigned char &byte = bytes[(first + row) / 8];
        const unsigned bit = 1u << (first + row) % 8;
        byte = static_cast<unsigned char>(value ? byte | bit : byte & ~bit);
    }

  private:
    unsigned char *bytes;
    uint64_t first;
};

/* What happens to one column of D before it is stored. */
void finish_column(const operation &op, const float *bias, int index, uint64_t column, std::vector<double> &sum)
{
    mask_column mask(op, index, column);
    for (uint64_t row = 0; row < sum.size(); row++) {
        double &x = sum[row];
        if (has(op, BIAS))
            x += static_cast<double>(bias[row]);
        if (has(op, RELU) && has(op, AUX))
            mask.set(row, x > 0);
        if (has(op, RELU))
            x = x > 0 ? x : 0;
        if (has(op, DRELU) && !mask.get(row))
            x = 0;
    }
}

/* Sums of each row of [rows][columns]. */
void store_row_sums(const std::vector<double> &x, uint64_t rows, float *out)
{
    const uint64_t columns = x.size() / rows;
    for (uint64_t row = 0; row < rows; row++) {
        double sum = 0;
        for (uint64_t column = 0; column < columns; column++)
            sum += x[row * columns + column];
        out[row] = static_cast<float>(sum);
    }
}

double dot(const double *x, const double *y, uint64_t count)
{
    double sum[8] = {0}; /* so that the compiler may use vectors */
    uint64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (uint64_t lane = 0; lane < 8; lane++)
            sum[lane] += x[i + lane] * y[i + lane];
    for (; i < count; i++)
        sum[0] += x[i] * y[i];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

void multiply_one(const problem &p, const operands &x, int index)
{
    const bool tf32 = p.op.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    const uint64_t m = p.d.rows, n = p.d.columns, depth = p.depth();
    const std::vector<double> a = unpack(x.a, p.a, index, p.op.transpose_a == CUBLAS_OP_T, tf32); /* [m][k] */
    const std::vector<double> b = unpack(x.b, p.b, index, p.op.transpose_b == CUBLAS_OP_N, tf32); /* [n][k] */
    const uint64_t c_first = static_cast<uint64_t>(index) * static_cast<uint64_t>(p.c.stride);
    float *d = x.d + static_cast<uint64_t>(index) * static_cast<uint64_t>(p.d.stride);
    float *vector = static_cast<float *>(p.op.bias);
    if (vector != nullptr)
        vector += static_cast<uint64_t>(index) * static_cast<uint64_t>(p.op.bias_stride);
    std::vector<double> column(m), sums(m, 0.0);
    for (uint64_t j = 0; j < n; j++) {
        for (uint64_t i = 0; i < m; i++) {
            column[i] = static_cast<double>(x.alpha) * dot(&a[i * depth], &b[j * depth], depth);
            if (x.beta != 0)
                column[i] += static_cast<double>(x.beta * x.c[c_first + i + j * static_cast<uint64_t>(p.c.ld)]);
        }
        finish_column(p.op, vector, index, j, column);
        for (uint64_t i = 0; i < m; i++) {
            sums[i] += column[i];
            d[i + j * static_cast<uint64_t>(p.d.ld)] = static_cast<float>(column[i]);
        }
    }
    if (has(p.op, BGRAD))
        store_row_sums(sums, m, vector);
    if (has(p.op, BGRADA))
        store_row_sums(a, m, vector);
    if (has(p.op, BGRADB))
        store_row_sums(b, n, vector);
}

} // namespace

void multiply(const problem &p, const operands &x)
{
    for (int index = 0; index < p.d.batch; index++)
        multiply_one(p, x, index);
}

} // namespace cudadouble
