/* For tests of the calls of NVIDIA's libraries: a lane, arrays on its device, values in float32 or bfloat16, and the
 * failure of every call in turn. On the double the sanitizers watch the arrays' ends. Files that name its functions are
 * for it alone; the others run with NVIDIA's libraries too (tests/gpu). */
#ifndef NASRUN_TESTS_LANE_DEVICE_H
#define NASRUN_TESTS_LANE_DEVICE_H

#include "support/test.h"

#include "double/cudadouble.h"
#include "train/cuda/lane.h"

enum { LANE_WORKSPACE = 32 << 20 }; /* as on Hopper */

static struct failure lane_failure;

static inline struct lane *lane_open(void)
{
    struct lane *lane;
    lane_failure = (struct failure){0};
    assert_ok(lane_create(LANE_WORKSPACE, &lane_failure, &lane));
    return lane;
}

/* Fails the test when something is left on the device. */
static inline void lane_close(struct lane *lane)
{
    lane_destroy(lane);
    if (cudadouble_live() != 0)
        cudadouble_print_live();
    assert_int_equal(cudadouble_live(), 0);
}

/* Filled with NaN. */
static inline void *device_make(const struct lane *lane, size_t bytes)
{
    void *memory;
    assert_int_equal(cudaMalloc(&memory, bytes), cudaSuccess);
    assert_int_equal(cudaMemsetAsync(memory, 0xff, bytes, lane->stream), cudaSuccess);
    return memory;
}

static inline void *device_put(const struct lane *lane, const void *values, size_t bytes)
{
    void *memory = device_make(lane, bytes);
    assert_int_equal(cudaMemcpyAsync(memory, values, bytes, cudaMemcpyHostToDevice, lane->stream), cudaSuccess);
    return memory;
}

static inline void device_get(const struct lane *lane, const void *memory, void *values, size_t bytes)
{
    assert_int_equal(cudaMemcpyAsync(values, memory, bytes, cudaMemcpyDeviceToHost, lane->stream), cudaSuccess);
    assert_int_equal(cudaStreamSynchronize(lane->stream), cudaSuccess);
}

static inline float bfloat16_value(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

/* Cut, not rounded: only for values that are made so. */
static inline uint16_t bfloat16_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)(bits >> 16);
}

/* Between -1 and 1, the same for the same seed; never 0. `narrow`: with the 8 bits of a bfloat16's mantissa. */
static inline void fill_values(float *values, size_t count, unsigned seed, bool narrow)
{
    uint32_t state = seed * 2654435761u + 12345;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = ((float)(state >> 8) + 0.5f) / 8388608.0f - 1.0f;
        if (narrow)
            values[i] = bfloat16_value(bfloat16_bits(values[i]));
    }
}

/* Values on the device as float32, or as bfloat16, which they must be exactly. */
static inline void *device_values(const struct lane *lane, const float *values, size_t count, bool narrow)
{
    if (!narrow)
        return device_put(lane, values, count * sizeof *values);
    uint16_t *bits = malloc(count * sizeof *bits);
    for (size_t i = 0; i < count; i++)
        bits[i] = bfloat16_bits(values[i]);
    void *memory = device_put(lane, bits, count * sizeof *bits);
    assert_int_equal(cudaStreamSynchronize(lane->stream), cudaSuccess);
    free(bits);
    return memory;
}

static inline float *host_values(const struct lane *lane, const void *memory, size_t count, bool narrow)
{
    float *values = malloc(count * sizeof *values);
    if (!narrow) {
        device_get(lane, memory, values, count * sizeof *values);
        return values;
    }
    uint16_t *bits = malloc(count * sizeof *bits);
    device_get(lane, memory, bits, count * sizeof *bits);
    for (size_t i = 0; i < count; i++)
        values[i] = bfloat16_value(bits[i]);
    free(bits);
    return values;
}

/* Makes the first, second, ... call of `body` fail that can, until it goes through: each time `body` must report it,
 * say why, and leave nothing behind. quiet: NR_INFEASIBLE need not be explained. */
static inline void fail_everywhere(nr_status (*body)(struct lane *lane, void *context), void *context, bool quiet)
{
    struct lane *lane = lane_open();
    assert_ok(lane_use_dnn(lane));
    const size_t before = cudadouble_live();
    for (long n = 1;; n++) {
        assert_true(n < 1000);
        failure_clear(&lane_failure);
        lane_failure.sticky = false;
        cudadouble_fail_at(n);
        const nr_status status = body(lane, context);
        const bool failed = *cudadouble_failed() != '\0';
        cudadouble_fail_at(0);
        assert_int_equal(cudadouble_live(), before);
        if (!failed) {
            assert_ok(status);
            break;
        }
        assert_int_not_equal(status, NR_OK);
        if (quiet && status == NR_INFEASIBLE && lane_failure.status == NR_OK)
            continue;
        assert_int_equal(lane_failure.status, status);
        assert_non_null(strchr(lane_failure.text, ':'));
    }
    lane_destroy(lane);
}

#endif
