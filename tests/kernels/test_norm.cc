/* Batch norm of a single value per channel against its definition. */
#include "kernels/kernels.h"
#include "kernels/support.h"

#include <cmath>

static void forward(void)
{
    for (const int64_t channels : sizes_around(128)) {
        shape("%ld channels", static_cast<long>(channels));
        const values<float> x = random_floats(channels, -5, 5), beta = random_floats(channels);
        const values<float> mean = random_floats(channels), variance = random_floats(channels, 0, 2);
        const device_array<float> device_x(x), device_beta(beta);
        device_array<float> y(channels), running_mean(mean), running_variance(variance);
        expect_ok(k_norm_single_forward(device_x.data(), device_beta.data(), channels, 0.1f, y.data(),
                                        running_mean.data(), running_variance.data(), device_stream()));
        values<double> want_mean(channels), want_variance(channels);
        for (int64_t c = 0; c < channels; c++) {
            want_mean[c] = 0.9 * static_cast<double>(mean[c]) + 0.1 * static_cast<double>(x[c]);
            want_variance[c] = 0.9 * static_cast<double>(variance[c]);
        }
        expect_same("y", y, beta);
        /* 0.1f is off by 1.5e-9, numbers below 6 are rounded twice */
        expect_near("running mean", running_mean, want_mean, 0, 6e-7);
        expect_near("running variance", running_variance, want_variance, 0, 3e-7);
    }
}

static void backward(void)
{
    for (const int64_t channels : sizes_around(128)) {
        shape("%ld channels", static_cast<long>(channels));
        const values<float> content = random_floats(channels);
        const device_array<float> dy(content);
        device_array<float> dx(channels), dgamma(channels), dbeta(channels);
        expect_ok(k_norm_single_backward(dy.data(), channels, dx.data(), dgamma.data(), dbeta.data(), device_stream()));
        expect_same("dx", dx, values<float>(channels));
        expect_same("dgamma", dgamma, values<float>(channels));
        expect_same("dbeta", dbeta, content);
    }
}

/* Over itself; and what is not finite is seen behind it. */
static void in_place(void)
{
    values<float> content(3);
    content[1] = NAN;
    content[2] = INFINITY;
    device_array<float> x(content), mean(content), variance(content), dgamma(3), dbeta(3);
    const device_array<float> beta(values<float>(3, 2));
    values<float> want(3, NAN);
    want[0] = 2;
    shape("a number, NaN, infinity");
    expect_ok(
        k_norm_single_forward(x.data(), beta.data(), 3, 0.1f, x.data(), mean.data(), variance.data(), device_stream()));
    expect_same("x", x, want);
    mean.fetch();
    variance.fetch();
    expect_ok(k_norm_single_backward(x.data(), 3, x.data(), dgamma.data(), dbeta.data(), device_stream()));
    expect_same("dbeta", dbeta, want);
    expect_same("dx", x, values<float>(3));
}

static void refused(void)
{
    expect_error(k_norm_single_forward(nullptr, nullptr, -1, 0, nullptr, nullptr, nullptr, device_stream()),
                 cudaErrorInvalidValue);
    expect_error(k_norm_single_backward(nullptr, -1, nullptr, nullptr, nullptr, device_stream()),
                 cudaErrorInvalidValue);
}

static const test_case cases[] = {
    {"forward", forward}, {"backward", backward}, {"in_place", in_place}, {"refused", refused}};
TEST_MAIN(cases)
