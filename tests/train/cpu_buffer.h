/* Buffers for tests of the CPU's step code: aligned, between guard zones, poisoned or filled with random numbers. */
#ifndef NASRUN_TESTS_CPU_BUFFER_H
#define NASRUN_TESTS_CPU_BUFFER_H

#include "support/test.h"
#include "train/cpu/lanes.h"

struct buffer {
    real *data;
    size_t count;
    real *memory;
};

enum { BUFFER_GUARD = 64 };
static const real buffer_mark = 12345;

/* Poisoned with NaN. */
static inline struct buffer buffer_create(size_t count)
{
    struct buffer buffer = {.count = count};
    size_t all = (count + 2 * BUFFER_GUARD + 15) / 16 * 16;
    buffer.memory = aligned_alloc(64, all * sizeof(real));
    assert_non_null(buffer.memory);
    for (size_t i = 0; i < all; i++)
        buffer.memory[i] = buffer_mark;
    buffer.data = buffer.memory + BUFFER_GUARD;
    for (size_t i = 0; i < count; i++)
        buffer.data[i] = (real)NAN;
    return buffer;
}

/* Fails when something wrote outside. */
static inline void buffer_clear(struct buffer *buffer)
{
    for (size_t i = 0; i < BUFFER_GUARD; i++) {
        assert_true(buffer->memory[i] >= buffer_mark && buffer->memory[i] <= buffer_mark);
        assert_true(buffer->data[buffer->count + i] >= buffer_mark && buffer->data[buffer->count + i] <= buffer_mark);
    }
    free(buffer->memory);
    *buffer = (struct buffer){0};
}

/* Uniform in -1..1, from a fixed seed in *state. */
static inline double random_value(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(*state >> 11) / (double)((int64_t)1 << 52) - 1;
}

/* An integer of low .. high. */
static inline int64_t random_integer(uint64_t *state, int64_t low, int64_t high)
{
    return low + (int64_t)((random_value(state) + 1) / 2 * (double)(high - low + 1));
}

static inline void buffer_fill(struct buffer *buffer, double value)
{
    for (size_t i = 0; i < buffer->count; i++)
        buffer->data[i] = (real)value;
}

static inline void buffer_randomise(struct buffer *buffer, uint64_t *state)
{
    for (size_t i = 0; i < buffer->count; i++)
        buffer->data[i] = (real)random_value(state);
}

/* A batch of `images` images in lanes: random, or 0 in lanes without an image. */
static inline void buffer_randomise_lanes(struct buffer *buffer, size_t images, size_t features, uint64_t *state)
{
    for (size_t i = 0; i < buffer->count; i++) {
        size_t image = i / (features * LANES) * LANES + i % LANES;
        buffer->data[i] = image < images ? (real)random_value(state) : 0;
    }
}

/* Feature `feature` of image `image`. */
static inline real *lane_at(real *data, size_t features, size_t image, size_t feature)
{
    return data + (image / LANES * features + feature) * LANES + image % LANES;
}

/* How far a sum of `count` products of uniform numbers may be off: each of `count` roundings is half a unit of a
 * partial sum, which is of the size of the root of the count; together that is of the size of the count. */
static inline double sum_tolerance(size_t count)
{
    double unit = sizeof(real) == sizeof(float) ? 6e-8 : 1.2e-16;
    return unit * (16 + 2 * (double)count);
}

#endif
