/* Pooling against double, window by window; backward by scattering what the kernel gathers. */
#include "kernels/kernels.h"
#include "kernels/support.h"

#include <algorithm>
#include <cmath>

enum { NONE = 0xffff };

static int64_t planes_of(const k_pool &pool)
{
    return pool.rows * pool.channels;
}

static int64_t inputs_of(const k_pool &pool)
{
    return planes_of(pool) * pool.in_height * pool.in_width;
}

static int64_t outputs_of(const k_pool &pool)
{
    return planes_of(pool) * pool.out_height * pool.out_width;
}

/* Calls f(place, input) for every place of window (a, b) of a plane that lies in the image, in order. */
template <class F> static void for_window(const k_pool &pool, int64_t plane, int64_t a, int64_t b, F f)
{
    for (int64_t i = 0; i < pool.kernel_height; i++)
        for (int64_t j = 0; j < pool.kernel_width; j++) {
            const int64_t y = a * pool.stride + i - pool.pad_top, x = b * pool.stride + j - pool.pad_left;
            if (y >= 0 && y < pool.in_height && x >= 0 && x < pool.in_width)
                f(i * pool.kernel_width + j, (plane * pool.in_height + y) * pool.in_width + x);
        }
}

/* f(output, plane, a, b) */
template <class F> static void for_outputs(const k_pool &pool, F f)
{
    for (int64_t plane = 0; plane < planes_of(pool); plane++)
        for (int64_t a = 0; a < pool.out_height; a++)
            for (int64_t b = 0; b < pool.out_width; b++)
                f((plane * pool.out_height + a) * pool.out_width + b, plane, a, b);
}

struct expected {
    values<double> y, dx;
    values<uint16_t> trace;
    explicit expected(const k_pool &pool) : y(outputs_of(pool)), dx(inputs_of(pool)), trace(outputs_of(pool), NONE)
    {
    }
};

static void expect_maximum(const k_pool &pool, const values<float> &in, const values<float> &dy, expected *want)
{
    for_outputs(pool, [&](int64_t output, int64_t plane, int64_t a, int64_t b) {
        int64_t best = -1, best_place = NONE;
        for_window(pool, plane, a, b, [&](int64_t place, int64_t input) {
            if (best >= 0 && !(in[input] > in[best]) && !(std::isnan(in[input]) && !std::isnan(in[best])))
                return;
            best = input;
            best_place = place;
        });
        if (best < 0 || (pool.relu && in[best] <= 0))
            return;
        want->y[output] = static_cast<double>(in[best]);
        want->trace[output] = static_cast<uint16_t>(best_place);
        want->dx[best] += static_cast<double>(dy[output]);
    });
}

static void expect_average(const k_pool &pool, const values<float> &in, const values<float> &dy, expected *want)
{
    const double area = static_cast<double>(pool.kernel_height * pool.kernel_width);
    for_outputs(pool, [&](int64_t output, int64_t plane, int64_t a, int64_t b) {
        for_window(pool, plane, a, b, [&](int64_t, int64_t input) {
            const bool cut = pool.relu && in[input] <= 0, passes = !pool.relu || in[input] > 0; /* a NaN: neither */
            want->y[output] += cut ? 0 : static_cast<double>(in[input]) / area;
            want->dx[input] += passes ? static_cast<double>(dy[output]) / area : 0;
        });
    });
}

/* What is pooled: x + bias, in float, as the kernel adds it. */
static values<float> biased(const k_pool &pool, const values<float> &x, const values<float> &bias)
{
    values<float> in(x);
    for (int64_t i = 0; i < x.count(); i++)
        in[i] += pool.bias ? bias[i / (pool.in_height * pool.in_width) % pool.channels] : 0;
    return in;
}

/* Each gradient, below 1, goes through some additions in float before those in double. */
static void expect_bias_gradient(const k_pool &pool, const values<double> &dx, device_array<float> *got)
{
    values<double> want(pool.channels), bound(pool.channels, 1e-30);
    for (int64_t i = 0; i < dx.count(); i++) {
        const int64_t channel = i / (pool.in_height * pool.in_width) % pool.channels;
        want[channel] += dx[i];
        bound[channel] += std::fabs(dx[i]) * 16 * 0x1p-24;
    }
    for (int64_t c = 0; c < pool.channels; c++)
        bound[c] += 1e-6; /* where gradients of overlapping windows cancel out */
    expect_within("bias gradient", *got, want, bound);
}

static void run(const k_pool &pool, const values<float> &content, const values<float> &bias_content)
{
    const values<float> dy_content = random_floats(outputs_of(pool)), in = biased(pool, content, bias_content);
    const device_array<float> x(content), dy(dy_content);
    device_array<float> y(outputs_of(pool)), dx(inputs_of(pool)), bias_gradient(pool.channels);
    device_array<uint16_t> trace(outputs_of(pool));
    uint16_t *const places = pool.maximum ? trace.data() : nullptr;
    expect_ok(k_pool_forward(&pool, x.data(), y.data(), places, device_stream()));
    expect_ok(k_pool_backward(&pool, pool.maximum ? nullptr : x.data(), places, dy.data(), dx.data(),
                              pool.maximum && pool.bias ? bias_gradient.data() : nullptr, device_stream()));
    expected want(pool);
    if (pool.maximum) {
        expect_maximum(pool, in, dy_content, &want);
        expect_same("trace", trace, want.trace);
        if (pool.bias)
            expect_bias_gradient(pool, want.dx, &bias_gradient);
    } else {
        expect_average(pool, in, dy_content, &want);
    }
    /* Sums of up to 10,000 numbers below 3, a tree's worth of roundings each or one per window. */
    expect_near("y", y, want.y, 0, pool.maximum ? 0 : 2e-6);
    expect_near("dx", dx, want.dx, 0, 2e-6);
}

static void name(const k_pool &pool)
{
    shape("%s %ld x %ld x %ld x %ld -> %ld x %ld, window %ld x %ld, stride %ld, padding %ld %ld, bias %d, relu %d",
          pool.maximum ? "maximum" : "average", static_cast<long>(pool.rows), static_cast<long>(pool.channels),
          static_cast<long>(pool.in_height), static_cast<long>(pool.in_width), static_cast<long>(pool.out_height),
          static_cast<long>(pool.out_width), static_cast<long>(pool.kernel_height),
          static_cast<long>(pool.kernel_width), static_cast<long>(pool.stride), static_cast<long>(pool.pad_top),
          static_cast<long>(pool.pad_left), pool.bias != nullptr, pool.relu);
}

/* Few different values: ties, and sums that are 0. */
static values<float> coarse(int64_t count)
{
    values<float> numbers = random_floats(count, -2, 2);
    for (float &x : numbers)
        x = std::floor(x * 2) / 2;
    return numbers;
}

static void check(k_pool pool)
{
    const values<float> bias_content = coarse(pool.channels);
    const device_array<float> bias(bias_content);
    for (const bool maximum : {true, false})
        for (const bool with_bias : {false, true})
            for (const bool relu : {false, true}) {
                if (racing() && with_bias != relu)
                    continue;
                pool.maximum = maximum;
                pool.bias = with_bias ? bias.data() : nullptr;
                pool.relu = relu;
                name(pool);
                run(pool, random_floats(inputs_of(pool), -2, 2), bias_content);
                run(pool, coarse(inputs_of(pool)), bias_content);
            }
}

/* Outputs as a layer has them: all windows that begin in the image with its padding on both sides. */
static k_pool make(int64_t rows, int64_t channels, int64_t height, int64_t width, int64_t kernel_height,
                   int64_t kernel_width, int64_t stride, int64_t pad)
{
    k_pool pool = {};
    pool.rows = rows;
    pool.channels = channels;
    pool.in_height = height;
    pool.in_width = width;
    pool.out_height = (height + 2 * pad - kernel_height) / stride + 1;
    pool.out_width = (width + 2 * pad - kernel_width) / stride + 1;
    pool.kernel_height = kernel_height;
    pool.kernel_width = kernel_width;
    pool.stride = stride;
    pool.pad_top = pool.pad_left = pad;
    return pool;
}

/* Beside each other, overlapping, apart, over the edge. */
static void windows(void)
{
    check(make(2, 3, 8, 8, 2, 2, 2, 0));
    check(make(2, 3, 7, 9, 2, 2, 2, 0)); /* a row and a column in no window */
    check(make(1, 2, 9, 7, 3, 3, 2, 1));
    check(make(1, 2, 6, 5, 3, 3, 1, 1));
    check(make(1, 2, 10, 11, 2, 2, 3, 0));
    check(make(1, 2, 9, 10, 2, 3, 5, 1));
    check(make(2, 1, 5, 6, 3, 1, 1, 0));
    check(make(1, 1, 1, 1, 1, 1, 1, 0));
    check(make(3, 2, 1, 5, 1, 5, 1, 0));
    check(make(1, 1, 3, 3, 5, 5, 1, 2));
}

/* Padding before the image alone, and windows that see nothing of it. */
static void padding(void)
{
    k_pool uneven = make(1, 2, 6, 6, 3, 3, 2, 0);
    uneven.pad_top = 1;
    uneven.pad_left = 0;
    check(uneven);
    check(make(1, 2, 3, 3, 2, 2, 1, 2));
    check(make(1, 1, 2, 2, 2, 2, 2, 2));
}

/* From 64 places on a warp works on one output; 8 of them to a block, 32 to the four blocks on the host. */
static void large_windows(void)
{
    check(make(2, 3, 7, 9, 7, 9, 1, 0));
    check(make(racing() ? 2 : 13, 3, 8, 8, 8, 8, 1, 0));
    check(make(1, 2, 12, 13, 9, 8, 2, 3));
    check(make(2, 1, 14, 14, 14, 14, 1, 0));
    check(make(1, 2, 5, 5, 11, 11, 3, 5)); /* lanes whose places all lie in the padding */
    if (!racing())
        check(make(1, 1, 100, 100, 100, 100, 1, 0));
}

/* Blocks of 256 outputs and inputs, four of them, then they walk on. */
static void sizes(void)
{
    check(make(1, 1, 16, 16, 1, 1, 1, 0));
    check(make(1, 1, 17, 15, 1, 1, 1, 0));
    check(make(1, 257, 1, 1, 1, 1, 1, 0));
    if (!racing())
        check(make(3, 5, 10, 13, 2, 2, 1, 0));
    check(make(2, 7, 9, 9, 2, 2, 2, 0)); /* more channels than blocks for their sums */
    if (!racing())
        check(make(17, 2, 16, 16, 2, 2, 2, 0));
    check(make(0, 3, 4, 4, 2, 2, 2, 0));
    check(make(2, 0, 4, 4, 2, 2, 2, 0));
}

/* A NaN becomes the maximum, the first of several; an average shows it. Infinity is a number. */
static void not_finite(void)
{
    for (const int64_t side : {4, 16})
        for (const bool relu : {false, true})
            for (const bool maximum : {false, true}) {
                k_pool pool = make(1, 2, side, side, side / 2, side / 2, side / 2, 0);
                pool.maximum = maximum;
                pool.relu = relu;
                values<float> content = random_floats(inputs_of(pool));
                content[side * side / 4] = content[side * side / 4 + 1] = NAN; /* in one window */
                content[side * side - 1] = INFINITY;
                content[side * side] = content[side * side + 1] = -INFINITY;
                for (int64_t i = side * side * 3 / 2; i < content.count(); i++)
                    content[i] = -INFINITY;
                name(pool);
                run(pool, content, values<float>(2));
            }
}

/* Evaluation has no trace. */
static void without_trace(void)
{
    k_pool pool = make(1, 2, 4, 4, 2, 2, 2, 0);
    pool.maximum = true;
    const values<float> content = random_floats(inputs_of(pool));
    const device_array<float> x(content);
    device_array<float> y(outputs_of(pool));
    name(pool);
    expect_ok(k_pool_forward(&pool, x.data(), y.data(), nullptr, device_stream()));
    expected want(pool);
    expect_maximum(pool, content, values<float>(outputs_of(pool)), &want);
    expect_near("y", y, want.y, 0, 0);
}

static void expect_refused(const k_pool &pool)
{
    expect_error(k_pool_forward(&pool, nullptr, nullptr, nullptr, device_stream()), cudaErrorInvalidValue);
}

static void refused(void)
{
    k_pool pool = make(1, 1, 256, 256, 256, 256, 1, 0);
    pool.maximum = true;
    shape("65,536 places");
    expect_refused(pool);
    pool = make(1, 1, 4, 4, 2, 2, 2, 0);
    shape("no trace, no x");
    pool.maximum = true;
    expect_error(k_pool_backward(&pool, nullptr, nullptr, nullptr, nullptr, nullptr, device_stream()),
                 cudaErrorInvalidValue);
    pool.maximum = false;
    float sum = 0;
    expect_error(k_pool_backward(&pool, nullptr, nullptr, nullptr, nullptr, &sum, device_stream()),
                 cudaErrorInvalidValue); /* an average's sums */
    pool.relu = true;
    expect_error(k_pool_backward(&pool, nullptr, nullptr, nullptr, nullptr, nullptr, device_stream()),
                 cudaErrorInvalidValue);
    shape("a stride of 0, negative padding, too large");
    pool.stride = 0;
    expect_refused(pool);
    pool = make(1, 1, 4, 4, 2, 2, 2, 0);
    pool.pad_left = -1;
    expect_refused(pool);
    pool = make(1, 1, 65536, 65536, 1, 1, 1, 0);
    expect_refused(pool);
}

static const test_case cases[] = {{"windows", windows}, {"padding", padding},       {"large_windows", large_windows},
                                  {"sizes", sizes},     {"not_finite", not_finite}, {"without_trace", without_trace},
                                  {"refused", refused}};
TEST_MAIN(cases)
