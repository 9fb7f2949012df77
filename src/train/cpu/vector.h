/* One vector register as a type, for the code of a training step.
 *
 * Everything that runs inside a step is compiled several times from the same sources, once per variant (variants.h,
 * cpu.cmake): float with AVX-512, with AVX2 and FMA, with what every machine has, and double, which exists so that
 * finite differences test the production source. A variant is chosen by compiler flags alone:
 *   real   the arithmetic type: float, or double under NR_DOUBLE
 *   vec    LANES reals: exactly one hardware register, by the compilers' vector extension, so that + - * and unary -
 *          work and a * b + c becomes a fused multiply-add where there is one
 *   NR_VARIANT(name)  the name under which this variant's copy of an exported function is compiled. Headers say
 *                         #define conv_forward NR_VARIANT(conv_forward)
 *                     before the declaration; callers in the same variant then write conv_forward().
 * Sources that include this header belong to a variant; all others must not include it. */
#ifndef NASRUN_TRAIN_CPU_VECTOR_H
#define NASRUN_TRAIN_CPU_VECTOR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __SSE2__
#include <immintrin.h>
#endif

#ifndef NR_SUFFIX
#define NR_SUFFIX plain
#endif
#define NR_JOIN_(name, suffix) name##_##suffix
#define NR_JOIN(name, suffix) NR_JOIN_(name, suffix)
#define NR_VARIANT(name) NR_JOIN(name, NR_SUFFIX)

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define VEC_BYTES 64
#elif defined(__AVX2__)
#define VEC_BYTES 32
#else
#define VEC_BYTES 16
#endif

#ifdef NR_DOUBLE
typedef double real;
typedef int64_t lane_int; /* as wide as a real: what comparisons give */
#define LANES (VEC_BYTES / 8)
#else
typedef float real;
typedef int32_t lane_int;
#define LANES (VEC_BYTES / 4)
#endif

/* Vector registers of the instruction set: sizes of register tiles derive from it. */
#if VEC_BYTES == 64 || defined(__aarch64__)
#define VEC_REGISTERS 32
#else
#define VEC_REGISTERS 16
#endif

/* Native AVX-512 masks are worth a special case: a select is one instruction instead of three. */
#if VEC_BYTES == 64 && !defined(NR_DOUBLE)
#define VEC_MASK_REGISTERS 1
#else
#define VEC_MASK_REGISTERS 0
#endif

typedef real vec __attribute__((vector_size(VEC_BYTES)));
typedef lane_int ivec __attribute__((vector_size(VEC_BYTES)));
typedef vec vec_memory __attribute__((may_alias));

typedef uint8_t lane_bytes __attribute__((vector_size(LANES)));
typedef uint16_t lane_words __attribute__((vector_size(2 * LANES)));

#define VEC_INLINE static inline __attribute__((always_inline, unused))

/* Unrolls the loop that follows completely (register tiles live in arrays that must not stay arrays). */
#ifdef __clang__
#define VEC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define VEC_UNROLL _Pragma("GCC unroll 32")
#endif

/* Addresses are multiples of VEC_BYTES. */
VEC_INLINE vec vec_load(const real *from)
{
    return *(const vec_memory *)__builtin_assume_aligned(from, VEC_BYTES);
}

VEC_INLINE void vec_store(real *to, vec value)
{
    *(vec_memory *)__builtin_assume_aligned(to, VEC_BYTES) = value;
}

/* Any address that is a multiple of the element's size. */
VEC_INLINE vec vec_load_unaligned(const real *from)
{
    vec value;
    __builtin_memcpy(&value, from, sizeof value);
    return value;
}

VEC_INLINE void vec_store_unaligned(real *to, vec value)
{
    __builtin_memcpy(to, &value, sizeof value);
}

/* For loops that go once, in order, over a value of the whole batch, which lies in the third cache or in memory: the
 * processor's own prefetching stops at the end of every page, after 64 vectors, and then each line is waited for. The
 * distance, measured, is a quarter of a plane of 28 x 28; past the end of an array nothing happens. The same for
 * what is to be written. */
VEC_INLINE void vec_prefetch(const real *at)
{
    __builtin_prefetch((const char *)at + 12 * 1024);
}

VEC_INLINE vec vec_zero(void)
{
    return (vec){0};
}

VEC_INLINE vec vec_set(real value)
{
    return value - (vec){0}; /* scalar op vector broadcasts; x - 0 is x for every x, -0 and NaN included */
}

/* ---- comparisons and masks ---- */

#if VEC_MASK_REGISTERS
typedef __mmask16 vmask;

VEC_INLINE vmask vec_greater(vec a, vec b)
{
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ);
}

VEC_INLINE vmask vec_equal(vec a, vec b)
{
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_EQ_OQ);
}

VEC_INLINE vmask ivec_equal(ivec a, ivec b)
{
    return _mm512_cmpeq_epi32_mask((__m512i)a, (__m512i)b);
}

VEC_INLINE vec vec_select(vmask mask, vec yes, vec no)
{
    return (vec)_mm512_mask_blend_ps(mask, (__m512)no, (__m512)yes);
}

VEC_INLINE ivec ivec_select(vmask mask, ivec yes, ivec no)
{
    return (ivec)_mm512_mask_blend_epi32(mask, (__m512i)no, (__m512i)yes);
}

VEC_INLINE vec vec_keep(vmask mask, vec value)
{
    return (vec)_mm512_maskz_mov_ps(mask, (__m512)value);
}

VEC_INLINE vec vec_drop(vmask mask, vec value)
{
    return vec_keep((vmask)~mask, value);
}

/* One bit per lane, lane 0 lowest: how masks are kept in memory. */
VEC_INLINE uint16_t vmask_bits(vmask mask)
{
    return mask;
}

VEC_INLINE vmask vmask_from_bits(uint16_t bits)
{
    return bits;
}
#else
typedef ivec vmask; /* -1 or 0 per lane */

VEC_INLINE vmask vec_greater(vec a, vec b)
{
    return (vmask)(a > b);
}

VEC_INLINE vmask vec_equal(vec a, vec b)
{
    return (vmask)(a == b);
}

VEC_INLINE vmask ivec_equal(ivec a, ivec b)
{
    return (vmask)(a == b);
}

VEC_INLINE vec vec_select(vmask mask, vec yes, vec no)
{
    return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

VEC_INLINE ivec ivec_select(vmask mask, ivec yes, ivec no)
{
    return (mask & yes) | (~mask & no);
}

VEC_INLINE vec vec_keep(vmask mask, vec value)
{
    return (vec)(mask & (ivec)value);
}

VEC_INLINE vec vec_drop(vmask mask, vec value)
{
    return (vec)(~mask & (ivec)value);
}

VEC_INLINE uint16_t vmask_bits(vmask mask)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < LANES; i++)
        bits |= (unsigned)(mask[i] & 1) << i;
    return (uint16_t)bits;
}

VEC_INLINE vmask vmask_from_bits(uint16_t bits)
{
    ivec bit;
    for (unsigned i = 0; i < LANES; i++)
        bit[i] = (lane_int)1 << i;
    return (vmask)(((lane_int)bits & bit) == bit);
}
#endif

/* The lanes below `count`. */
VEC_INLINE vmask vmask_first(size_t count)
{
    return vmask_from_bits((uint16_t)(count >= LANES ? (1u << LANES) - 1 : (1u << count) - 1));
}

/* a when a > b, else b: a NaN in b is kept, one in a is lost. ReLU is vec_max(vec_zero(), x), so that NaN shows. */
VEC_INLINE vec vec_max(vec a, vec b)
{
#if VEC_BYTES == 64 && !defined(NR_DOUBLE)
    return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#else
    return vec_select(vec_greater(a, b), a, b);
#endif
}

VEC_INLINE vec vec_min(vec a, vec b)
{
#if VEC_BYTES == 64 && !defined(NR_DOUBLE)
    return (vec)_mm512_min_ps((__m512)a, (__m512)b);
#else
    return vec_select(vec_greater(b, a), a, b);
#endif
}

/* ---- across lanes ---- */

/* The sum of the lanes, always in the same order: halves are added to halves. */
VEC_INLINE real vec_sum(vec value)
{
    real lane[LANES];
    __builtin_memcpy(lane, &value, sizeof lane);
    for (int half = LANES / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    return lane[0];
}

/* Lanes of a and b by number, b's counted from LANES on; compile-time constants. */
#define VEC_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)

/* One stage of a transpose: exchanges the off-diagonal squares of side `side` between rows i and i + side. */
VEC_INLINE void vec_exchange(vec *low, vec *high, int side)
{
    vec a = *low, b = *high;
#if LANES == 16
    if (side == 8) {
        *low = VEC_SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        *high = VEC_SHUFFLE(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    } else if (side == 4) {
        *low = VEC_SHUFFLE(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
        *high = VEC_SHUFFLE(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
    } else if (side == 2) {
        *low = VEC_SHUFFLE(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
        *high = VEC_SHUFFLE(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    } else {
        *low = VEC_SHUFFLE(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
        *high = VEC_SHUFFLE(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
    }
#elif LANES == 8
    if (side == 4) {
        *low = VEC_SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11);
        *high = VEC_SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
    } else if (side == 2) {
        *low = VEC_SHUFFLE(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
        *high = VEC_SHUFFLE(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
    } else {
        *low = VEC_SHUFFLE(a, b, 0, 8, 2, 10, 4, 12, 6, 14);
        *high = VEC_SHUFFLE(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
    }
#elif LANES == 4
    if (side == 2) {
        *low = VEC_SHUFFLE(a, b, 0, 1, 4, 5);
        *high = VEC_SHUFFLE(a, b, 2, 3, 6, 7);
    } else {
        *low = VEC_SHUFFLE(a, b, 0, 4, 2, 6);
        *high = VEC_SHUFFLE(a, b, 1, 5, 3, 7);
    }
#else
    (void)side;
    *low = VEC_SHUFFLE(a, b, 0, 2);
    *high = VEC_SHUFFLE(a, b, 1, 3);
#endif
}

/* Transposes LANES rows of LANES in registers. */
VEC_INLINE void vec_transpose(vec row[LANES])
{
    VEC_UNROLL
    for (int side = LANES / 2; side; side /= 2) {
        VEC_UNROLL
        for (int i = 0; i < LANES; i++)
            if (!(i & side))
                vec_exchange(&row[i], &row[i + side], side);
    }
}

/* Lane i of the result is the sum of the lanes of row[i]: LANES sums for the price of one and a half transposes.
 * `row` is destroyed. Each stage adds what a transpose would exchange, so half the rows are left after it. */
VEC_INLINE vec vec_sums(vec row[LANES])
{
    VEC_UNROLL
    for (int side = LANES / 2; side; side /= 2) {
        VEC_UNROLL
        for (int i = 0; i < side; i++) {
            vec_exchange(&row[i], &row[i + side], side);
            row[i] += row[i + side];
        }
    }
    return row[0];
}

#endif
