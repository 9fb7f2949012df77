/* Sums, factors, bfloat16 and borders. */
#include "kernels/kernels.h"
#include "kernels/support.h"

#include <cmath>
#include <cstring>

/* Blocks of 256 threads of four elements, or of one where an address is not a multiple of 16 bytes. */
template <class F> static void for_sizes(F check)
{
    for (const int64_t block : {4, 256, 1024})
        for (const int64_t count : sizes_around(block))
            for (const int64_t skew : {0, 1}) {
                shape("%ld elements, skew %ld", static_cast<long>(count), static_cast<long>(skew));
                check(count, skew);
            }
}

static void add(void)
{
    for_sizes([](int64_t count, int64_t skew) {
        const values<float> a = random_floats(count), b = random_floats(count);
        values<float> want(count);
        for (int64_t i = 0; i < count; i++)
            want[i] = a[i] + b[i];
        device_array<float> p(a, skew), q(b), y(count);
        expect_ok(k_add(p.data(), q.data(), y.data(), count, device_stream()));
        expect_same("y", y, want);
        expect_ok(k_add(p.data(), q.data(), q.data(), count, device_stream())); /* over b */
        expect_same("b", q, want);
    });
    const values<float> a = random_floats(9);
    device_array<float> p(a);
    values<float> want(9);
    for (int64_t i = 0; i < 9; i++)
        want[i] = a[i] + a[i];
    expect_ok(k_add(p.data(), p.data(), p.data(), 9, device_stream()));
    expect_same("a + a over a", p, want);
}

static void scale(void)
{
    for_sizes([](int64_t count, int64_t skew) {
        const values<float> content = random_floats(count);
        values<float> want(count);
        for (int64_t i = 0; i < count; i++)
            want[i] = content[i] * 0.3f;
        device_array<float> x(content, skew);
        expect_ok(k_scale(x.data(), 0.3f, count, device_stream()));
        expect_same("x", x, want);
    });
}

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The nearest of the two neighbours of 8 significant bits, the even one where both are as near; by distance, not by
 * bits. */
static uint16_t nearest_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (std::isnan(x) || std::isinf(x))
        return static_cast<uint16_t>(bits >> 16 | (std::isnan(x) ? 0x40 : 0));
    const uint32_t low = bits >> 16, high = low + 1; /* away from 0 */
    const double size = std::fabs(static_cast<double>(x)), below = std::fabs(static_cast<double>(from_bits(low << 16)));
    /* Behind the largest number comes 2^128. */
    const double above = (high & 0x7fff) == 0x7f80 ? 0x1p128 : std::fabs(static_cast<double>(from_bits(high << 16)));
    if (size - below == above - size)
        return static_cast<uint16_t>(low % 2 == 0 ? low : high);
    return static_cast<uint16_t>(size - below < above - size ? low : high);
}

static const uint32_t special_floats[] = {0x00000000, 0x80000000, 0x00000001, 0x00007fff, 0x00008000, 0x00008001,
                                          0x00018000, 0x007fffff, 0x00800000, 0x3f800000, 0x3f807fff, 0x3f808000,
                                          0x3f808001, 0x3f818000, 0x3f817fff, 0x3fffffff, 0x7f7f7fff, 0x7f7f8000,
                                          0x7f7fffff, 0x7f800000, 0xff800000, 0x7f800001, 0x7fc00000, 0x7fffffff,
                                          0xffc00000, 0xff800001, 0xffffffff, 0x807fffff, 0xbf808000, 0xbf818000};

static void to_bf16(void)
{
    for_sizes([](int64_t count, int64_t skew) {
        values<float> content(count);
        values<uint16_t> want(count);
        for (int64_t i = 0; i < count; i++) {
            const int64_t specials = static_cast<int64_t>(sizeof special_floats / sizeof *special_floats);
            content[i] = from_bits(i % 2 && i / 2 < specials ? special_floats[i / 2] : random_word());
            want[i] = nearest_bf16(content[i]);
        }
        const device_array<float> x(content, skew);
        device_array<uint16_t> y(count);
        expect_ok(k_to_bf16(x.data(), y.data(), count, device_stream()));
        expect_same("y", y, want);
    });
}

/* All of them, there and back. */
static void from_bf16(void)
{
    const int64_t count = racing() ? 700 : 65536;
    values<uint16_t> content(count), again(count);
    values<float> want(count);
    for (int64_t i = 0; i < count; i++) {
        content[i] = static_cast<uint16_t>(i * 65536 / count);
        want[i] = from_bits(static_cast<uint32_t>(content[i]) << 16);
        again[i] = static_cast<uint16_t>(content[i] | (std::isnan(want[i]) ? 0x40 : 0));
    }
    for (const int64_t skew : {0, 1}) {
        const device_array<uint16_t> x(content, skew);
        device_array<float> y(count);
        device_array<uint16_t> back(count, skew);
        shape("all of bfloat16, skew %ld", static_cast<long>(skew));
        expect_ok(k_from_bf16(x.data(), y.data(), count, device_stream()));
        expect_ok(k_to_bf16(y.data(), back.data(), count, device_stream()));
        expect_same("y", y, want);
        expect_same("back", back, again);
    }
    device_array<uint16_t> none(0);
    device_array<float> nothing(0);
    expect_ok(k_from_bf16(none.data(), nothing.data(), 0, device_stream()));
}

static void check_border(int64_t planes, int64_t height, int64_t width, int64_t top, int64_t bottom, int64_t left,
                         int64_t right)
{
    const int64_t outer_height = top + height + bottom, outer_width = left + width + right;
    const values<float> content = random_floats(planes * height * width);
    values<float> want(planes * outer_height * outer_width);
    for (int64_t i = 0; i < content.count(); i++) {
        const int64_t plane = i / (height * width), y = i / width % height, x = i % width;
        want[(plane * outer_height + y + top) * outer_width + x + left] = content[i];
    }
    const device_array<float> x(content);
    device_array<float> y(want.count()), back(content.count());
    shape("%ld x %ld x %ld, border %ld %ld %ld %ld", static_cast<long>(planes), static_cast<long>(height),
          static_cast<long>(width), static_cast<long>(top), static_cast<long>(bottom), static_cast<long>(left),
          static_cast<long>(right));
    expect_ok(k_pad(x.data(), planes, height, width, top, bottom, left, right, y.data(), device_stream()));
    expect_same("y", y, want);
    expect_ok(k_crop(y.data(), planes, height, width, top, bottom, left, right, back.data(), device_stream()));
    expect_same("x", back, content);
}

static void borders(void)
{
    check_border(1, 1, 1, 0, 0, 0, 0);
    check_border(2, 3, 5, 1, 0, 0, 0);
    check_border(2, 3, 5, 0, 1, 0, 0);
    check_border(2, 3, 5, 0, 0, 1, 0);
    check_border(2, 3, 5, 0, 0, 0, 1);
    check_border(3, 4, 7, 1, 2, 3, 4);
    check_border(1, 15, 15, 1, 0, 0, 1);
    check_border(1, 1, 255, 0, 0, 1, 0);
    check_border(0, 3, 3, 1, 1, 1, 1);
    check_border(2, 0, 3, 1, 1, 1, 1);
    if (!racing())
        check_border(7, 13, 11, 2, 1, 1, 2);
}

static void refused(void)
{
    expect_error(k_add(nullptr, nullptr, nullptr, -1, device_stream()), cudaErrorInvalidValue);
    expect_error(k_scale(nullptr, 1, -1, device_stream()), cudaErrorInvalidValue);
    expect_error(k_to_bf16(nullptr, nullptr, -1, device_stream()), cudaErrorInvalidValue);
    expect_error(k_from_bf16(nullptr, nullptr, -1, device_stream()), cudaErrorInvalidValue);
    expect_error(k_pad(nullptr, 1, 2, 2, 0, 0, -1, 0, nullptr, device_stream()), cudaErrorInvalidValue);
    expect_error(k_crop(nullptr, 1, INT64_MAX, 2, 1, 0, 0, 0, nullptr, device_stream()), cudaErrorInvalidValue);
    expect_error(k_pad(nullptr, 1, 65535, 65535, 1, 0, 1, 0, nullptr, device_stream()), cudaErrorInvalidValue);
}

static const test_case cases[] = {{"add", add},         {"scale", scale},
                                  {"to_bf16", to_bf16}, {"from_bf16", from_bf16},
                                  {"borders", borders}, {"refused", refused}};
TEST_MAIN(cases)
