#include "train/cpu/dropout.h"

#include <string.h>

/* A block of Philox per 64-bit element of a vector. Only the lower half of each counts; what is above is rubbish, which
 * the widening multiplication ignores, so nothing needs to be masked between rounds. */
typedef uint64_t wide __attribute__((vector_size(VEC_BYTES)));
typedef uint16_t halves __attribute__((vector_size(VEC_BYTES)));
enum { BLOCKS = VEC_BYTES / 8, ELEMENTS = 8 * BLOCKS };

/* Lower halves: 32 x 32 -> 64 bits. */
VEC_INLINE wide multiply(wide a, uint32_t factor)
{
#if VEC_BYTES == 64
    return (wide)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(factor));
#elif VEC_BYTES == 32
    return (wide)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(factor));
#elif defined(__SSE2__)
    return (wide)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(factor));
#else
    return (a & 0xffffffff) * factor;
#endif
}

/* Philox4x32-10 (Salmon et al. 2011) on BLOCKS counters that differ in their first word; equal to Random123's scalar
 * code, which tests/train/test_cpu_dropout.c checks. */
VEC_INLINE void philox(wide word[4], uint64_t seed)
{
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        wide a = multiply(word[0], 0xD2511F53u), b = multiply(word[2], 0xCD9E8D57u);
        word[0] = (b >> 32) ^ word[1] ^ (uint64_t)key0;
        word[2] = (a >> 32) ^ word[3] ^ (uint64_t)key1;
        word[1] = b;
        word[3] = a;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

/* Four halves of each 64-bit element, 1 where at least the threshold, as its four lowest bytes. */
VEC_INLINE wide compare(wide words, halves threshold)
{
    wide kept = (wide)((halves)words >= threshold) & 0x0001000100010001;
    kept = (kept | kept >> 8) & 0x0000ffff0000ffff;
    return (kept | kept >> 16) & 0xffffffff;
}

void dropout_draw(const struct dropout_stream *stream, size_t first, size_t count, uint8_t *keep)
{
    const uint64_t purpose = ((uint32_t)RANDOM_DROPOUT << 24) + stream->stream;
    const halves threshold = (uint16_t)stream->threshold - (halves){0};
    if (stream->threshold > UINT16_MAX) { /* a rate that rounds to 1 */
        memset(keep, 0, count);
        return;
    }
    wide counter;
    for (unsigned i = 0; i < BLOCKS; i++)
        counter[i] = (uint32_t)(first / 8) + i;
    for (size_t done = 0; done < count; done += ELEMENTS, keep += ELEMENTS, counter += BLOCKS) {
        wide word[4] = {counter, stream->step - (wide){0}, purpose - (wide){0}, stream->trial - (wide){0}};
        philox(word, stream->seed);
        wide low = (word[0] & 0xffffffff) | word[1] << 32, high = (word[2] & 0xffffffff) | word[3] << 32;
        wide kept = compare(low, threshold) | compare(high, threshold) << 32;
        memcpy(keep, &kept, sizeof kept);
    }
}
