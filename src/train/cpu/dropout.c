#include "train/cpu/dropout.h"

enum { WIDTH = 16, ELEMENTS = 8 * WIDTH }; /* blocks at a time, and the elements they decide */

/* Philox4x32-10 (Salmon et al. 2011) on WIDTH counters that differ in their first word. Equal to Random123's scalar
 * code (tests/train/test_cpu_dropout.c), which does one at a time. */
static void philox_blocks(uint32_t first, const uint32_t counter[3], uint64_t seed, uint32_t words[WIDTH][4])
{
    uint32_t c0[WIDTH], c1[WIDTH], c2[WIDTH], c3[WIDTH];
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (uint32_t i = 0; i < WIDTH; i++) {
        c0[i] = first + i;
        c1[i] = counter[0];
        c2[i] = counter[1];
        c3[i] = counter[2];
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < WIDTH; i++) {
            uint64_t a = (uint64_t)c0[i] * 0xD2511F53u, b = (uint64_t)c2[i] * 0xCD9E8D57u;
            c0[i] = (uint32_t)(b >> 32) ^ c1[i] ^ k0;
            c2[i] = (uint32_t)(a >> 32) ^ c3[i] ^ k1;
            c1[i] = (uint32_t)b;
            c3[i] = (uint32_t)a;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < WIDTH; i++) {
        words[i][0] = c0[i];
        words[i][1] = c1[i];
        words[i][2] = c2[i];
        words[i][3] = c3[i];
    }
}

void dropout_draw(const struct dropout_stream *stream, size_t first, size_t count, uint8_t *keep)
{
    const uint32_t counter[3] = {stream->step, ((uint32_t)RANDOM_DROPOUT << 24) + stream->stream, stream->trial};
    uint32_t words[WIDTH][4];
    for (size_t done = 0; done < count; done += ELEMENTS, keep += ELEMENTS) {
        philox_blocks((uint32_t)((first + done) / 8), counter, stream->seed, words);
        for (int i = 0; i < WIDTH * 4; i++) {
            uint32_t word = words[i / 4][i % 4];
            keep[2 * i] = (word & 0xffff) >= stream->threshold;
            keep[2 * i + 1] = (word >> 16) >= stream->threshold;
        }
    }
}
