/* The CUDA built-ins that kernels may call, for blockexec.h. Those that threads wait in know their caller's place. */
#ifndef NASRUN_TESTS_BLOCKEXEC_BUILTINS_H
#define NASRUN_TESTS_BLOCKEXEC_BUILTINS_H

#include <math.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

enum bx_op { BX_SYNC, BX_DOWN, BX_UP, BX_XOR, BX_INDEX, BX_BALLOT, BX_SYNCTHREADS, BX_COUNT };
/* For how many threads `predicate` holds. */
unsigned bx_block_collective(bx_op op, bool predicate, const char *file, int line);
uint64_t bx_warp_collective(bx_op op, unsigned mask, uint64_t value, int argument, int width, const char *file,
                            int line);
void bx_fence(void);
void bx_atomic_order(const void *address);
[[noreturn]] void bx_trap(const char *file, int line);

#define BX_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

/* ---- barriers and votes ---- */

inline void __syncthreads(BX_HERE)
{
    bx_block_collective(BX_SYNCTHREADS, false, file, line);
}

inline int __syncthreads_count(int predicate, BX_HERE)
{
    return static_cast<int>(bx_block_collective(BX_COUNT, predicate != 0, file, line));
}

inline int __syncthreads_or(int predicate, BX_HERE)
{
    return bx_block_collective(BX_COUNT, predicate != 0, file, line) != 0;
}

inline int __syncthreads_and(int predicate, BX_HERE)
{
    return bx_block_collective(BX_COUNT, predicate == 0, file, line) == 0;
}

inline void __syncwarp(unsigned mask = 0xffffffffu, BX_HERE)
{
    bx_warp_collective(BX_SYNC, mask, 0, 0, 32, file, line);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, BX_HERE)
{
    return static_cast<unsigned>(bx_warp_collective(BX_BALLOT, mask, predicate != 0, 0, 32, file, line));
}

inline int __any_sync(unsigned mask, int predicate, BX_HERE)
{
    return __ballot_sync(mask, predicate, file, line) != 0;
}

inline int __all_sync(unsigned mask, int predicate, BX_HERE)
{
    return __ballot_sync(mask, predicate, file, line) == mask;
}

/* ---- shuffles: a value from a lane outside the mask is undefined on the device, 0xff bytes here ---- */

template <class T> T bx_shuffle(bx_op op, unsigned mask, T value, int argument, int width, const char *file, int line)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 4 or 8 bytes");
    static_assert(std::is_arithmetic_v<T>, "a shuffle moves a number");
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = bx_warp_collective(op, mask, bits, argument, width, file, line);
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, BX_HERE)
{
    return bx_shuffle(BX_DOWN, mask, value, static_cast<int>(delta), width, file, line);
}

template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, BX_HERE)
{
    return bx_shuffle(BX_UP, mask, value, static_cast<int>(delta), width, file, line);
}

template <class T> T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, BX_HERE)
{
    return bx_shuffle(BX_XOR, mask, value, lanes, width, file, line);
}

template <class T> T __shfl_sync(unsigned mask, T value, int lane, int width = 32, BX_HERE)
{
    return bx_shuffle(BX_INDEX, mask, value, lane, width, file, line);
}

/* ---- atomics: a fiber never yields inside one, so that load and store are enough; both are relaxed, as on the
 * device, so that TSan orders nothing by them alone ---- */

template <class T, class F> T bx_atomic(T *address, F update)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "atomics are of 4 or 8 bytes");
    bx_atomic_order(address);
    T old;
    __atomic_load(address, &old, __ATOMIC_RELAXED);
    T fresh = update(old);
    __atomic_store(address, &fresh, __ATOMIC_RELAXED);
    return old;
}

template <class T> using bx_same = std::common_type_t<T>; /* the operand does not choose the type */

template <class T> T atomicAdd(T *address, bx_same<T> value)
{
    return bx_atomic(address, [=](T old) {
        if constexpr (std::is_same_v<T, int>) /* it wraps, without being an error */
            return static_cast<int>(static_cast<unsigned>(old) + static_cast<unsigned>(value));
        else
            return static_cast<T>(old + value);
    });
}

template <class T> T atomicMax(T *address, bx_same<T> value)
{
    static_assert(std::is_integral_v<T>, "atomicMax is of integers");
    return bx_atomic(address, [=](T old) { return old < value ? value : old; });
}

template <class T> T atomicMin(T *address, bx_same<T> value)
{
    static_assert(std::is_integral_v<T>, "atomicMin is of integers");
    return bx_atomic(address, [=](T old) { return value < old ? value : old; });
}

template <class T> T atomicAnd(T *address, bx_same<T> value)
{
    return bx_atomic(address, [=](T old) { return old & value; });
}

template <class T> T atomicOr(T *address, bx_same<T> value)
{
    return bx_atomic(address, [=](T old) { return old | value; });
}

template <class T> T atomicXor(T *address, bx_same<T> value)
{
    return bx_atomic(address, [=](T old) { return old ^ value; });
}

template <class T> T atomicExch(T *address, bx_same<T> value)
{
    return bx_atomic(address, [=](T) { return value; });
}

template <class T> T atomicCAS(T *address, bx_same<T> expected, bx_same<T> value)
{
    static_assert(std::is_integral_v<T>, "atomicCAS is of integers");
    return bx_atomic(address, [=](T old) { return old == expected ? value : old; });
}

inline unsigned atomicInc(unsigned *address, unsigned top)
{
    return bx_atomic(address, [=](unsigned old) { return old >= top ? 0u : old + 1u; });
}

inline unsigned atomicDec(unsigned *address, unsigned top)
{
    return bx_atomic(address, [=](unsigned old) { return old == 0 || old > top ? top : old - 1u; });
}

inline void __threadfence()
{
    bx_fence();
}

inline void __trap(BX_HERE)
{
    bx_trap(file, line);
}

/* ---- memory and bits ---- */

template <class T> T __ldg(const T *address)
{
    return *address;
}

template <class To, class From> To bx_bits(From value)
{
    static_assert(sizeof(To) == sizeof(From), "the same bits");
    To result;
    std::memcpy(&result, &value, sizeof result);
    return result;
}

inline unsigned __float_as_uint(float value)
{
    return bx_bits<unsigned>(value);
}

inline int __float_as_int(float value)
{
    return bx_bits<int>(value);
}

inline float __uint_as_float(unsigned value)
{
    return bx_bits<float>(value);
}

inline float __int_as_float(int value)
{
    return bx_bits<float>(value);
}

inline long long __double_as_longlong(double value)
{
    return bx_bits<long long>(value);
}

inline double __longlong_as_double(long long value)
{
    return bx_bits<double>(value);
}

inline int __popc(unsigned value)
{
    return __builtin_popcount(value);
}

inline int __ffs(int value)
{
    return __builtin_ffs(value);
}

inline int __clz(int value)
{
    return value ? __builtin_clz(static_cast<unsigned>(value)) : 32;
}

inline unsigned __umulhi(unsigned a, unsigned b)
{
    return static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32);
}

/* ---- mathematics that <math.h> lacks ---- */

template <class T> std::enable_if_t<std::is_integral_v<T>, T> min(T a, T b)
{
    return b < a ? b : a;
}

template <class T> std::enable_if_t<std::is_integral_v<T>, T> max(T a, T b)
{
    return a < b ? b : a;
}

/* Of a NaN and a number, the number, as the device has it. */
inline float min(float a, float b)
{
    return fminf(a, b);
}

inline float max(float a, float b)
{
    return fmaxf(a, b);
}

inline double min(double a, double b)
{
    return fmin(a, b);
}

inline double max(double a, double b)
{
    return fmax(a, b);
}

inline float rsqrtf(float value)
{
    return 1.0f / sqrtf(value);
}

inline double rsqrt(double value)
{
    return 1.0 / sqrt(value);
}

inline float __expf(float value)
{
    return expf(value);
}

inline float __logf(float value)
{
    return logf(value);
}

inline float __fdividef(float a, float b)
{
    return a / b;
}

/* Not fused, whatever the compiler may do with a plain product and sum. */
inline float __fmul_rn(float a, float b)
{
    return a * b;
}

inline float __fadd_rn(float a, float b)
{
    return a + b;
}

inline float __fsub_rn(float a, float b)
{
    return a - b;
}

inline float __fdiv_rn(float a, float b)
{
    return a / b;
}

inline float __fsqrt_rn(float value)
{
    return sqrtf(value);
}

inline float __fmaf_rn(float a, float b, float c)
{
    return fmaf(a, b, c);
}

inline double __dmul_rn(double a, double b)
{
    return a * b;
}

inline double __dadd_rn(double a, double b)
{
    return a + b;
}

#endif
