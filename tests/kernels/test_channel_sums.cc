/* Sums of channels against double. */
#include "kernels/kernels.h"
#include "kernels/support.h"

#include <cmath>

static void check(int64_t rows, int64_t channels, int64_t positions, int64_t skew = 0)
{
    const values<float> content = random_floats(rows * channels * positions);
    const device_array<float> x(content, skew);
    device_array<float> sum(channels);
    shape("%ld x %ld x %ld, skew %ld", static_cast<long>(rows), static_cast<long>(channels),
          static_cast<long>(positions), static_cast<long>(skew));
    expect_ok(k_channel_sums(x.data(), rows, channels, positions, sum.data(), device_stream()));
    values<double> want(channels), bound(channels, 1e-30);
    for (int64_t i = 0; i < content.count(); i++) {
        const int64_t c = i / positions % channels;
        want[c] += static_cast<double>(content[i]);
        /* Each number goes through some additions in float: of its thread, of the tree. */
        bound[c] += std::fabs(static_cast<double>(content[i])) * 16 * 0x1p-24;
    }
    expect_within("sum", sum, want, bound);
}

/* Blocks of 32 channels and 16 rows; four of them, then they walk on (kernel.h). */
static void columns(void)
{
    for (const int64_t channels : {1, 31, 32, 33, 173})
        for (const int64_t rows : {0, 1, 15, 17, 93})
            if (!racing() || (rows < 20 && channels < 40))
                check(rows, channels, 1);
    check(racing() ? 40 : 1000, 3, 1);
    check(2, 161, 1); /* six pieces for four blocks: some do two */
}

/* Blocks of 1024 threads, of one position each or of four. */
static void planes(void)
{
    for (const int64_t positions : {2, 3, 4, 784})
        for (const int64_t rows : {0, 1, 5})
            if (!racing() || (rows == 5 && positions < 10)) {
                check(rows, 3, positions);
                check(rows, racing() ? 1 : 6, positions, 1);
            }
    if (racing())
        return;
    check(3, 1, 1023);
    check(3, 1, 1025);
    check(11, 2, 1021);
    check(2, 2, 4100);
    check(9, 1, 4100);
}

static void empty(void)
{
    check(3, 0, 5);
    check(3, 2, 0);
    check(0, 2, 3);
}

static void not_finite(void)
{
    for (const int64_t positions : {1, 4}) {
        values<float> content(3 * 4 * positions, 1);
        content[5 * positions] = NAN;
        content[6 * positions] = INFINITY;
        const device_array<float> x(content);
        device_array<float> sum(4);
        shape("a NaN and infinity among %ld positions", static_cast<long>(positions));
        expect_ok(k_channel_sums(x.data(), 3, 4, positions, sum.data(), device_stream()));
        values<double> want(4, 3 * static_cast<double>(positions));
        want[1] = NAN;
        want[2] = INFINITY;
        expect_near("sum", sum, want, 0, 0);
    }
}

static void refused(void)
{
    expect_error(k_channel_sums(nullptr, -1, 1, 1, nullptr, device_stream()), cudaErrorInvalidValue);
    expect_error(k_channel_sums(nullptr, 1, 1, INT64_C(1) << 31, nullptr, device_stream()), cudaErrorInvalidValue);
    expect_error(k_channel_sums(nullptr, 1, 1, -1, nullptr, device_stream()), cudaErrorInvalidValue);
}

static const test_case cases[] = {
    {"columns", columns}, {"planes", planes}, {"empty", empty}, {"not_finite", not_finite}, {"refused", refused}};
TEST_MAIN(cases)
