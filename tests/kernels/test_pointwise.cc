/* Bias, activation and dropout against double; masks against the definition in kernels/math/random.h. */
#include "kernels/kernels.h"
#include "kernels/math/random.h"
#include "kernels/support.h"

#include <cmath>

enum { STEP = 12345 };

/* ---- the definition ---- */

static double activate(k_activation kind, double x, double slope)
{
    switch (kind) {
    case K_RELU:
        return x > 0 ? x : 0;
    case K_LEAKY_RELU:
        return x < 0 ? slope * x : x;
    case K_GELU:
        return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case K_SILU:
        return x / (1 + std::exp(-x));
    case K_TANH:
        return std::tanh(x);
    case K_SIGMOID:
        return 1 / (1 + std::exp(-x));
    case K_IDENTITY:
        break;
    }
    return x;
}

static double derivative(k_activation kind, double x, double slope)
{
    const double logistic = 1 / (1 + std::exp(-x));
    switch (kind) {
    case K_RELU:
        return x > 0;
    case K_LEAKY_RELU:
        return x > 0 ? 1 : slope;
    case K_GELU:
        return 0.5 * std::erfc(-x / std::sqrt(2.0)) + x * std::exp(-x * x / 2) / std::sqrt(8 * std::atan(1.0));
    case K_SILU:
        return logistic * (1 + x * (1 - logistic));
    case K_TANH:
        return 1 - std::tanh(x) * std::tanh(x);
    case K_SIGMOID:
        return logistic * (1 - logistic);
    case K_IDENTITY:
        break;
    }
    return 1;
}

/* The 16 bits of element e of the whole batch. */
static uint32_t half_word(const k_pointwise &how, int64_t step, int64_t e)
{
    uint32_t words[4];
    random_block(how.seed, how.trial, RANDOM_DROPOUT, how.stream, static_cast<uint32_t>(step),
                 static_cast<uint32_t>(e / 8), words);
    return words[e % 8 / 2] >> 16 * (e % 2) & 0xffff;
}

static bool is_kept(const k_pointwise &how, int64_t step, int64_t e)
{
    return half_word(how, step, e) >= how.threshold;
}

static double factor(const k_pointwise &how, bool training, int64_t i)
{
    if (!training || how.threshold == 0)
        return 1;
    const int64_t e = how.first * how.channels * how.positions + i;
    return is_kept(how, STEP, e) ? static_cast<double>(how.scale) : 0;
}

/* ---- a layer ---- */

struct layer {
    k_pointwise how;
    values<float> x, bias, dy;
    explicit layer(const k_pointwise &options)
        : how(options), x(random_floats(options.rows * options.channels * options.positions, -4, 4)),
          bias(random_floats(options.channels)), dy(random_floats(x.count()))
    {
    }
    /* In float, as the kernel adds it: its rounding decides on which side of 0 a sum lies. */
    float input(int64_t i, bool biased) const
    {
        return biased ? x[i] + bias[i / how.positions % how.channels] : x[i];
    }
};

static bool needs_input(const k_pointwise &how)
{
    return how.activation == K_GELU || how.activation == K_SILU || (how.activation == K_LEAKY_RELU && how.slope < 0);
}

enum placing { APART, IN_PLACE, UNALIGNED };

static void check_forward(const layer &layer, bool biased, bool training, placing placing)
{
    const int64_t count = layer.x.count(), skew = placing == UNALIGNED ? 1 : 0;
    device_array<float> x(layer.x, skew), apart(placing == IN_PLACE ? 0 : count, skew), before(count);
    const device_array<float> bias(layer.bias);
    const device_array<k_state> state(values<k_state>(1, {STEP, -1, 0, 0}));
    device_array<float> &y = placing == IN_PLACE ? x : apart;
    k_pointwise how = layer.how;
    how.bias = biased ? bias.data() : nullptr;
    expect_ok(k_pointwise_forward(&how, training ? state.data() : nullptr, x.data(),
                                  needs_input(how) ? before.data() : nullptr, y.data(), device_stream()));
    values<double> want(count);
    values<float> want_before(count, NAN);
    for (int64_t i = 0; i < count; i++) {
        const float in = layer.input(i, biased);
        want[i] = activate(how.activation, static_cast<double>(in), static_cast<double>(how.slope)) *
                  factor(how, training, i);
        if (needs_input(how))
            want_before[i] = in;
    }
    /* kernels/math: 4e-7 relative, 2e-5 where the result is next to nothing; a product with the factor */
    expect_near("y", y, want, 1e-6, 1e-7);
    expect_same("before", before, want_before);
}

/* x + bias over x itself, y elsewhere: what the backend does for gelu. */
static void check_before_in_place(const layer &layer)
{
    const int64_t count = layer.x.count();
    device_array<float> x(layer.x), y(count);
    const device_array<float> bias(layer.bias);
    k_pointwise how = layer.how;
    how.bias = bias.data();
    expect_ok(k_pointwise_forward(&how, nullptr, x.data(), x.data(), y.data(), device_stream()));
    values<float> want(count);
    for (int64_t i = 0; i < count; i++)
        want[i] = layer.input(i, true);
    expect_same("before", x, want);
}

/* What forward put out comes from a launch of it: masks must agree. */
static void check_backward(const layer &layer, bool training, placing placing)
{
    const int64_t count = layer.x.count(), skew = placing == UNALIGNED ? 1 : 0;
    device_array<float> x(layer.x), y(count, skew), dy(layer.dy, skew), apart(placing == IN_PLACE ? 0 : count, skew);
    const device_array<k_state> state(values<k_state>(1, {STEP, -1, 0, 0}));
    const k_state *const now = training ? state.data() : nullptr;
    device_array<float> &dx = placing == IN_PLACE ? dy : apart;
    const k_pointwise &how = layer.how;
    expect_ok(k_pointwise_forward(&how, now, x.data(), nullptr, y.data(), device_stream()));
    expect_ok(k_pointwise_backward(&how, now, needs_input(how) ? x.data() : nullptr,
                                   needs_input(how) || how.activation == K_IDENTITY ? nullptr : y.data(), dy.data(),
                                   dx.data(), device_stream()));
    y.fetch();
    values<double> want(count);
    for (int64_t i = 0; i < count; i++)
        want[i] = static_cast<double>(layer.dy[i]) * factor(how, training, i) *
                  derivative(how.activation, static_cast<double>(layer.x[i]), static_cast<double>(how.slope));
    /* from y: 1 - y y loses 3e-7 where tanh is near 1, y times 1 / scale is rounded twice */
    expect_near("dx", dx, want, 2e-6, 1e-6);
}

static void name(const k_pointwise &how, const char *what)
{
    shape("%s: %ld x %ld x %ld, activation %d, slope %g, threshold %u, first %ld", what, static_cast<long>(how.rows),
          static_cast<long>(how.channels), static_cast<long>(how.positions), static_cast<int>(how.activation),
          static_cast<double>(how.slope), how.threshold, static_cast<long>(how.first));
}

static void check(const k_pointwise &how)
{
    const layer layer(how);
    for (const bool training : {false, true}) {
        name(how, training ? "training" : "evaluation");
        for (const placing placing : {APART, IN_PLACE, UNALIGNED}) {
            if (racing() && placing == UNALIGNED)
                continue;
            check_forward(layer, true, training, placing);
            check_forward(layer, false, training, placing);
            check_backward(layer, training, placing);
        }
    }
    check_before_in_place(layer);
}

static const k_pointwise plain = {1, 1, 1, nullptr, K_RELU, 0, 0, 1, 0, 0, 0, 0};

static k_pointwise with_dropout(k_pointwise how, double rate)
{
    how.threshold = random_dropout_threshold(rate);
    how.scale = static_cast<float>(1 / (1 - rate));
    how.seed = UINT64_C(0x123456789abcdef0);
    how.trial = 17;
    how.stream = 3;
    return how;
}

static const struct {
    k_activation kind;
    float slope;
} activations[] = {{K_RELU, 0}, {K_LEAKY_RELU, 0.1f}, {K_LEAKY_RELU, -0.3f}, {K_LEAKY_RELU, 0}, {K_GELU, 0},
                   {K_SILU, 0}, {K_TANH, 0},          {K_SIGMOID, 0},        {K_IDENTITY, 0}};

static k_pointwise with_shape(k_pointwise how, int64_t rows, int64_t channels, int64_t positions)
{
    how.rows = rows;
    how.channels = channels;
    how.positions = positions;
    return how;
}

static void every_activation(void)
{
    for (const auto &activation : activations) {
        k_pointwise how = with_shape(plain, 3, 7, 5);
        how.activation = activation.kind;
        how.slope = activation.slope;
        check(how);
        check(with_dropout(how, 0.4));
    }
}

/* A thread does 8, a block 2048, four blocks 8192, beyond which they walk on (kernel.h). */
static void shapes(void)
{
    const int64_t sizes[][3] = {{0, 3, 3},    {1, 1, 1},    {1, 7, 1},   {1, 8, 1},    {3, 3, 1},   {1, 2047, 1},
                                {1, 1, 2049}, {2, 1024, 1}, {5, 3, 684}, {9, 1001, 1}, {2, 33, 125}};
    for (const auto &size : sizes) {
        if (racing() && size[0] * size[1] * size[2] > 2100)
            continue;
        check(with_shape(plain, size[0], size[1], size[2]));
        check(with_dropout(with_shape(plain, size[0], size[1], size[2]), 0.25));
    }
}

/* Shares of a batch whose first element is none of a block of random numbers; the masks of the whole batch, cut. */
static void shares(void)
{
    for (const int64_t features : {1, 3, 7, 8, 12, 16, 101})
        for (const int64_t first : {0, 1, 2, 3, 5, 8, 1000}) {
            k_pointwise how = with_dropout(with_shape(plain, 4, features, 1), 0.5);
            how.activation = K_TANH;
            how.first = first;
            if (!racing() || first < 3)
                check(how);
        }
    k_pointwise far = with_dropout(with_shape(plain, 2, 5, 1), 0.5);
    far.first = INT64_C(1) << 34; /* the number of the block wraps, as uint32_t */
    check(far);
}

/* Rates next to 0 and 1, and the share that is kept. */
static void rates(void)
{
    for (const double rate : {1e-5, 0.5, 0.99, 0.99999}) {
        const k_pointwise how = with_dropout(with_shape(plain, 4, racing() ? 50 : 500, 1), rate);
        check(how);
        int64_t kept = 0;
        for (int64_t i = 0; i < 2000; i++)
            kept += is_kept(how, STEP, i);
        /* five deviations of a binomial distribution */
        expect_number("kept", static_cast<double>(kept), 2000 * (1 - rate), 0,
                      1 + 5 * std::sqrt(2000 * rate * (1 - rate)));
    }
}

/* One element's number is the threshold itself: it is kept. */
static void threshold(void)
{
    for (const int64_t e : {0, 5, 14}) {
        k_pointwise how = with_dropout(with_shape(plain, 3, 5, 1), 0.5);
        how.threshold = half_word(how, STEP, e);
        check(how);
    }
}

/* NaN stays, infinity too; both signs of 0. */
static void not_finite(void)
{
    const float inputs[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1e38f, -1e38f, 1e-40f};
    for (const auto &activation : activations) {
        k_pointwise how = with_shape(plain, 1, 8, 1);
        how.activation = activation.kind;
        how.slope = activation.slope;
        values<float> x(8);
        for (int64_t i = 0; i < 8; i++)
            x[i] = inputs[i];
        device_array<float> device_x(x), y(8);
        name(how, "extremes");
        expect_ok(k_pointwise_forward(&how, nullptr, device_x.data(), nullptr, y.data(), device_stream()));
        y.fetch();
        for (int64_t i = 0; i < 8; i++)
            if (std::isnan(y[i]) != std::isnan(x[i]) &&
                !((activation.kind == K_SILU || activation.kind == K_GELU || activation.slope == 0) &&
                  x[i] == -INFINITY)) /* 0 times infinity */
                failure("y of %g is %g", static_cast<double>(x[i]), static_cast<double>(y[i]));
    }
}

static void refused(void)
{
    k_pointwise how = with_shape(plain, -1, 2, 3);
    expect_error(k_pointwise_forward(&how, nullptr, nullptr, nullptr, nullptr, device_stream()), cudaErrorInvalidValue);
    how = with_shape(plain, 1, 2, 3);
    how.activation = K_GELU;
    device_array<float> y(values<float>(6));
    expect_error(k_pointwise_backward(&how, nullptr, nullptr, y.data(), y.data(), y.data(), device_stream()),
                 cudaErrorInvalidValue); /* needs `before` */
    how.activation = K_RELU;
    expect_error(k_pointwise_backward(&how, nullptr, nullptr, nullptr, y.data(), y.data(), device_stream()),
                 cudaErrorInvalidValue); /* needs `y` */
}

static const test_case cases[] = {{"every_activation", every_activation},
                                  {"shapes", shapes},
                                  {"shares", shares},
                                  {"rates", rates},
                                  {"threshold", threshold},
                                  {"not_finite", not_finite},
                                  {"refused", refused}};
TEST_MAIN(cases)
