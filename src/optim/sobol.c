#include "optim/sobol.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"
#include "optim/streams.h"

struct sobol {
    size_t dimensions;
    uint64_t seed;
    uint32_t (*direction)[SOBOL_BITS]; /* [dimensions], v_1 .. v_32 of the recurrence */
};

/* Bratley and Fox 1988: v_k = v_{k-s} ^ (v_{k-s} >> s) ^ the v_{k-i} whose coefficient a_i is 1; a_1 is the highest
 * of the s - 1 bits of a. */
static const uint16_t *fill_directions(const uint16_t *entry, uint32_t *v)
{
    unsigned degree = entry[0], coefficients = entry[1];
    for (unsigned k = 0; k < SOBOL_BITS; k++) {
        if (k < degree) {
            v[k] = (uint32_t)entry[2 + k] << (SOBOL_BITS - 1 - k);
            continue;
        }
        v[k] = v[k - degree] ^ (v[k - degree] >> degree);
        for (unsigned i = 1; i < degree; i++)
            if (coefficients >> (degree - 1 - i) & 1)
                v[k] ^= v[k - i];
    }
    return entry + 2 + degree;
}

nr_status sobol_create(size_t dimensions, uint64_t seed, struct sobol **out)
{
    size_t tabled = dimensions < SOBOL_DIMENSIONS ? dimensions : SOBOL_DIMENSIONS;
    struct sobol *sobol = mem_array(1, sizeof *sobol);
    uint32_t(*direction)[SOBOL_BITS] = mem_array(tabled, sizeof *direction);
    if (!sobol || !direction) {
        free(sobol);
        free(direction);
        return NR_NO_MEMORY;
    }
    const uint16_t *entry = sobol_table;
    for (size_t d = 0; d < tabled; d++) {
        if (d > 0)
            entry = fill_directions(entry, direction[d]);
        else
            for (unsigned k = 0; k < SOBOL_BITS; k++) /* van der Corput */
                direction[d][k] = (uint32_t)1 << (SOBOL_BITS - 1 - k);
    }
    *sobol = (struct sobol){.dimensions = dimensions, .seed = seed, .direction = direction};
    *out = sobol;
    return NR_OK;
}

void sobol_destroy(struct sobol *sobol)
{
    if (!sobol)
        return;
    free(sobol->direction);
    free(sobol);
}

static uint32_t coordinate(const uint32_t *v, uint32_t index)
{
    uint32_t bits = 0;
    for (uint32_t gray = index ^ index >> 1; gray; gray &= gray - 1)
        bits ^= v[__builtin_ctz(gray)];
    return bits;
}

void sobol_bits(const struct sobol *sobol, uint32_t index, uint32_t *out)
{
    for (size_t d = 0; d < sobol->dimensions && d < SOBOL_DIMENSIONS; d++)
        out[d] = coordinate(sobol->direction[d], index);
}

/* Owen's scrambling word for word: whether digit b is flipped is one random bit for each value of the digits above it.
 * The counter-based generator hands out any node of that tree directly, so no hash that only imitates it is needed. */
static uint32_t scramble(uint64_t seed, uint32_t dimension, uint32_t bits)
{
    uint32_t flips = 0, words[4];
    for (uint32_t b = 0; b < SOBOL_BITS; b++) {
        uint32_t above = b ? bits >> (SOBOL_BITS - b) : 0;
        random_block(seed, 0, RANDOM_SEARCH, STREAM_SCRAMBLE + dimension, b, above, words);
        flips |= (words[0] & 1) << (SOBOL_BITS - 1 - b);
    }
    return bits ^ flips;
}

void sobol_point(const struct sobol *sobol, uint32_t index, double *unit)
{
    for (size_t d = 0; d < sobol->dimensions; d++) {
        uint32_t bits, words[4];
        if (d < SOBOL_DIMENSIONS) {
            bits = scramble(sobol->seed, (uint32_t)d, coordinate(sobol->direction[d], index));
        } else {
            random_block(sobol->seed, 0, RANDOM_SEARCH, STREAM_PADDING, (uint32_t)d, index, words);
            bits = words[0];
        }
        unit[d] = ((double)bits + 0.5) * 0x1p-32;
    }
}
