/* Sums, factors, bfloat16 and borders of zeros. Memory is the limit: four elements a thread where the addresses allow
 * it, the last count % 4 one by one. */
#include "kernels/walk.h"

#include <string.h>

constexpr int BLOCK = 256;

static unsigned blocks_for(int64_t count, bool fours)
{
    return walk_blocks(fours ? (count + 3) / 4 : count, BLOCK);
}

/* ---- sums and factors ---- */

/* y may be a or b. */
template <bool FOURS>
static __global__ void __launch_bounds__(BLOCK) add(const float *a, const float *b, float *y, int64_t count)
{
    const int64_t groups = FOURS ? count / 4 : 0;
    for (int64_t i = walk_first(); i < groups; i += walk_stride()) {
        const float4 p = reinterpret_cast<const float4 *>(a)[i], q = reinterpret_cast<const float4 *>(b)[i];
        reinterpret_cast<float4 *>(y)[i] = {p.x + q.x, p.y + q.y, p.z + q.z, p.w + q.w};
    }
    for (int64_t i = groups * 4 + walk_first(); i < count; i += walk_stride())
        y[i] = a[i] + b[i];
}

cudaError_t k_add(const float *a, const float *b, float *y, int64_t count, cudaStream_t stream)
{
    const bool fours = aligned_for<float4>(a) && aligned_for<float4>(b) && aligned_for<float4>(y);
    if (count < 0)
        return cudaErrorInvalidValue;
    if (count == 0)
        return cudaSuccess;
    if (fours)
        return NR_LAUNCH(add<true>, blocks_for(count, true), BLOCK, 0, stream, a, b, y, count);
    return NR_LAUNCH(add<false>, blocks_for(count, false), BLOCK, 0, stream, a, b, y, count);
}

template <bool FOURS> static __global__ void __launch_bounds__(BLOCK) scale(float *x, float factor, int64_t count)
{
    const int64_t groups = FOURS ? count / 4 : 0;
    for (int64_t i = walk_first(); i < groups; i += walk_stride()) {
        const float4 p = reinterpret_cast<const float4 *>(x)[i];
        reinterpret_cast<float4 *>(x)[i] = {p.x * factor, p.y * factor, p.z * factor, p.w * factor};
    }
    for (int64_t i = groups * 4 + walk_first(); i < count; i += walk_stride())
        x[i] *= factor;
}

cudaError_t k_scale(float *x, float factor, int64_t count, cudaStream_t stream)
{
    if (count < 0)
        return cudaErrorInvalidValue;
    if (count == 0)
        return cudaSuccess;
    if (aligned_for<float4>(x))
        return NR_LAUNCH(scale<true>, blocks_for(count, true), BLOCK, 0, stream, x, factor, count);
    return NR_LAUNCH(scale<false>, blocks_for(count, false), BLOCK, 0, stream, x, factor, count);
}

/* ---- bfloat16: the upper half of a float ---- */

/* Adding 0x7fff and the last bit that stays rounds to nearest even, also into the exponent and to infinity. A NaN keeps
 * its sign and upper bits, and gets one bit that makes it quiet and keeps it from becoming infinity. */
static __device__ inline uint16_t to_bf16_one(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x)
        return static_cast<uint16_t>(bits >> 16 | 0x40);
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static __device__ inline float from_bf16_one(uint16_t x)
{
    const uint32_t bits = static_cast<uint32_t>(x) << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

template <bool FOURS>
static __global__ void __launch_bounds__(BLOCK)
    to_bf16(const float *__restrict__ x, uint16_t *__restrict__ y, int64_t count)
{
    const int64_t groups = FOURS ? count / 4 : 0;
    for (int64_t i = walk_first(); i < groups; i += walk_stride()) {
        const float4 p = reinterpret_cast<const float4 *>(x)[i];
        reinterpret_cast<ushort4 *>(y)[i] = {to_bf16_one(p.x), to_bf16_one(p.y), to_bf16_one(p.z), to_bf16_one(p.w)};
    }
    for (int64_t i = groups * 4 + walk_first(); i < count; i += walk_stride())
        y[i] = to_bf16_one(x[i]);
}

cudaError_t k_to_bf16(const float *x, uint16_t *y, int64_t count, cudaStream_t stream)
{
    if (count < 0)
        return cudaErrorInvalidValue;
    if (count == 0)
        return cudaSuccess;
    if (aligned_for<float4>(x) && aligned_for<ushort4>(y))
        return NR_LAUNCH(to_bf16<true>, blocks_for(count, true), BLOCK, 0, stream, x, y, count);
    return NR_LAUNCH(to_bf16<false>, blocks_for(count, false), BLOCK, 0, stream, x, y, count);
}

template <bool FOURS>
static __global__ void __launch_bounds__(BLOCK)
    from_bf16(const uint16_t *__restrict__ x, float *__restrict__ y, int64_t count)
{
    const int64_t groups = FOURS ? count / 4 : 0;
    for (int64_t i = walk_first(); i < groups; i += walk_stride()) {
        const ushort4 p = reinterpret_cast<const ushort4 *>(x)[i];
        reinterpret_cast<float4 *>(y)[i] = {from_bf16_one(p.x), from_bf16_one(p.y), from_bf16_one(p.z),
                                            from_bf16_one(p.w)};
    }
    for (int64_t i = groups * 4 + walk_first(); i < count; i += walk_stride())
        y[i] = from_bf16_one(x[i]);
}

cudaError_t k_from_bf16(const uint16_t *x, float *y, int64_t count, cudaStream_t stream)
{
    if (count < 0)
        return cudaErrorInvalidValue;
    if (count == 0)
        return cudaSuccess;
    if (aligned_for<ushort4>(x) && aligned_for<float4>(y))
        return NR_LAUNCH(from_bf16<true>, blocks_for(count, true), BLOCK, 0, stream, x, y, count);
    return NR_LAUNCH(from_bf16<false>, blocks_for(count, false), BLOCK, 0, stream, x, y, count);
}

/* ---- borders ---- */

/* Planes with a border of zeros around what is within. */
struct border {
    int height, width, top, left, outer_width;
    struct divisor inner_plane, inner_row, outer_plane, outer_row;
};

/* A thread does one element of the padded planes. */
static __global__ void __launch_bounds__(BLOCK)
    pad(const float *__restrict__ x, struct border border, int64_t count, float *__restrict__ y)
{
    NR_UNROLL(1) /* more would keep more registers alive over the 64-bit divisions, and spill */
    for (int64_t i = walk_first(); i < count; i += walk_stride()) {
        const int64_t plane = quotient(i, border.outer_plane);
        const int position = static_cast<int>(i - plane * border.outer_plane.value);
        const int line = static_cast<int>(quotient(position, border.outer_row)), row = line - border.top;
        const int column = position - line * border.outer_width - border.left;
        const bool inside = row >= 0 && row < border.height && column >= 0 && column < border.width;
        y[i] = inside ? x[plane * border.inner_plane.value + row * border.width + column] : 0;
    }
}

/* A thread does one element of what is left. */
static __global__ void __launch_bounds__(BLOCK)
    crop(const float *__restrict__ y, struct border border, int64_t count, float *__restrict__ x)
{
    NR_UNROLL(1)
    for (int64_t i = walk_first(); i < count; i += walk_stride()) {
        const int64_t plane = quotient(i, border.inner_plane);
        const int position = static_cast<int>(i - plane * border.inner_plane.value);
        const int row = static_cast<int>(quotient(position, border.inner_row)), column = position - row * border.width;
        x[i] = y[plane * border.outer_plane.value + (row + border.top) * border.outer_width + border.left + column];
    }
}

/* Whether a side, with its border, fits 31 bits. */
static bool fits(int64_t size, int64_t before, int64_t behind)
{
    return size >= 0 && before >= 0 && behind >= 0 && size <= INT32_MAX && before <= INT32_MAX && behind <= INT32_MAX &&
           size + before + behind <= INT32_MAX;
}

static struct border border_of(int64_t height, int64_t width, int64_t top, int64_t bottom, int64_t left, int64_t right)
{
    const int64_t outer_width = width + left + right;
    struct border border = {};
    border.height = static_cast<int>(height);
    border.width = static_cast<int>(width);
    border.top = static_cast<int>(top);
    border.left = static_cast<int>(left);
    border.outer_width = static_cast<int>(outer_width);
    border.inner_plane = divisor_of(height * width);
    border.inner_row = divisor_of(width);
    border.outer_plane = divisor_of((height + top + bottom) * outer_width);
    border.outer_row = divisor_of(outer_width);
    return border;
}

static bool is_valid(int64_t planes, int64_t height, int64_t width, int64_t top, int64_t bottom, int64_t left,
                     int64_t right)
{
    return planes >= 0 && fits(height, top, bottom) && fits(width, left, right) &&
           (height + top + bottom) * (width + left + right) <= INT32_MAX;
}

cudaError_t k_pad(const float *x, int64_t planes, int64_t height, int64_t width, int64_t top, int64_t bottom,
                  int64_t left, int64_t right, float *y, cudaStream_t stream)
{
    if (!is_valid(planes, height, width, top, bottom, left, right))
        return cudaErrorInvalidValue;
    const struct border border = border_of(height, width, top, bottom, left, right);
    const int64_t count = planes * border.outer_plane.value;
    if (count == 0)
        return cudaSuccess;
    return NR_LAUNCH(pad, walk_blocks(count, BLOCK), BLOCK, 0, stream, x, border, count, y);
}

cudaError_t k_crop(const float *y, int64_t planes, int64_t height, int64_t width, int64_t top, int64_t bottom,
                   int64_t left, int64_t right, float *x, cudaStream_t stream)
{
    if (!is_valid(planes, height, width, top, bottom, left, right))
        return cudaErrorInvalidValue;
    const struct border border = border_of(height, width, top, bottom, left, right);
    const int64_t count = planes * border.inner_plane.value;
    if (count == 0)
        return cudaSuccess;
    return NR_LAUNCH(crop, walk_blocks(count, BLOCK), BLOCK, 0, stream, y, border, count, x);
}
