/* Softmax cross-entropy against double, and evaluation against a loop from class 0 on. */
#include "kernels/kernels.h"
#include "kernels/support.h"

#include <algorithm>
#include <cmath>

struct problem {
    int64_t rows, classes;
    values<float> z;
    values<int32_t> label;
    problem(int64_t row_count, int64_t class_count, float scale)
        : rows(row_count), classes(class_count), z(random_floats(rows * classes, -scale, scale)), label(rows)
    {
        for (int32_t &right : label)
            right = static_cast<int32_t>(random_below(classes));
    }
    double logit(int64_t row, int64_t c) const
    {
        return static_cast<double>(z[row * classes + c]);
    }
    bool is_right(int64_t row, int64_t c) const
    {
        return c == label[row];
    }
};

static double log_sum(const problem &p, int64_t row)
{
    double most = p.logit(row, 0), sum = 0;
    for (int64_t c = 1; c < p.classes; c++)
        most = std::max(most, p.logit(row, c));
    for (int64_t c = 0; c < p.classes; c++)
        sum += std::exp(p.logit(row, c) - most);
    return most + std::log(sum);
}

/* q of the definition */
static double target(const problem &p, int64_t row, int64_t c, double smoothing)
{
    return (1 - smoothing) * p.is_right(row, c) + smoothing / static_cast<double>(p.classes);
}

static double loss_of(const problem &p, int64_t row, double all, double smoothing)
{
    double sum = 0;
    for (int64_t c = 0; c < p.classes; c++)
        sum += target(p, row, c, smoothing) * (all - p.logit(row, c));
    return sum;
}

/* A row's loss is log(sum) + (most - z): exp to 4e-7 (kernels/math/elementary.h), a sum in a tree, and a difference
 * that is rounded once, relative to its size, which the absolute losses bound. */
static double loss_bound(double absolute_losses, int64_t rows)
{
    return 1e-6 * absolute_losses + 1e-6 * static_cast<double>(rows);
}

static void check_gradient(const problem &p, float smoothing, float scale, bool in_place)
{
    device_array<float> z(p.z), own(in_place ? 0 : p.z.count()), loss(1);
    const device_array<int32_t> label(p.label);
    device_array<float> &dz = in_place ? z : own;
    shape("%ld rows of %ld classes, smoothing %g", static_cast<long>(p.rows), static_cast<long>(p.classes),
          static_cast<double>(smoothing));
    expect_ok(k_loss_gradient(z.data(), label.data(), p.rows, p.classes, smoothing, scale, dz.data(), loss.data(),
                              device_stream()));
    values<double> want(p.z.count());
    double total = 0, size = 0;
    for (int64_t row = 0; row < p.rows; row++) {
        const double all = log_sum(p, row), one = loss_of(p, row, all, static_cast<double>(smoothing));
        total += one;
        size += std::fabs(one);
        for (int64_t c = 0; c < p.classes; c++)
            want[row * p.classes + c] =
                static_cast<double>(scale) *
                (std::exp(p.logit(row, c) - all) - target(p, row, c, static_cast<double>(smoothing)));
    }
    expect_near("loss", loss, values<double>(1, total), 0, loss_bound(size, p.rows));
    /* probabilities of at most 1: exp, its sum, a quotient, two products and two differences */
    expect_near("dz", dz, want, 0, 1.5e-6 * static_cast<double>(scale));
}

static std::vector<int64_t> class_counts(void)
{
    if (racing())
        return {1, 2, 10, 33};
    return {1, 2, 3, 10, 16, 17, 31, 32, 33, 65, 333};
}

static void gradients(void)
{
    for (const int64_t classes : class_counts())
        for (const int64_t rows : {0, 1, 3, 17}) {
            check_gradient(problem(rows, classes, 4), 0, 1.0f / 64, false);
            check_gradient(problem(rows, classes, 4), 0.1f, 1.0f / 64, true);
        }
}

/* More rows than a block of 1024 threads has places for: 64 of 10 classes, 1024 of 1, 32 of 40. */
static void many_rows(void)
{
    const int64_t shapes[][2] = {{65, 10}, {205, 10}, {1025, 1}, {73, 40}};
    for (const auto &rows_classes : shapes) {
        if (racing() && rows_classes[0] != 65)
            continue;
        check_gradient(problem(rows_classes[0], rows_classes[1], 3), 0.2f, 0.5f, true);
    }
}

static void large_logits(void)
{
    for (const float scale : {40.0f, 1e4f, 1e30f})
        check_gradient(problem(5, 10, scale), 0, 1, false);
}

/* The loss shows it, and the gradient of that row alone. */
static void not_finite(void)
{
    for (const float bad : {NAN, INFINITY})
        for (const int64_t where : {0, 3, 9}) {
            problem p(3, 10, 1);
            p.z[10 + where] = bad;
            device_array<float> z(p.z), dz(30), loss(1);
            const device_array<int32_t> label(p.label);
            shape("%g in class %ld", static_cast<double>(bad), static_cast<long>(where));
            expect_ok(k_loss_gradient(z.data(), label.data(), 3, 10, 0.1f, 1, dz.data(), loss.data(), device_stream()));
            expect_near("loss", loss, values<double>(1, NAN), 0, 0);
            dz.fetch();
            for (int64_t i = 0; i < 30; i++)
                if (std::isnan(dz[i]) != (i >= 10 && i < 20))
                    failure("dz[%ld] is %g", static_cast<long>(i), static_cast<double>(dz[i]));
        }
}

static void check_evaluation(const problem &p, const k_evaluation &before)
{
    const device_array<float> z(p.z);
    const device_array<int32_t> label(p.label);
    device_array<k_evaluation> out(values<k_evaluation>(1, before));
    shape("%ld rows of %ld classes", static_cast<long>(p.rows), static_cast<long>(p.classes));
    expect_ok(k_evaluate(z.data(), label.data(), p.rows, p.classes, out.data(), device_stream()));
    double total = 0;
    int64_t correct = 0;
    for (int64_t row = 0; row < p.rows; row++) {
        int64_t best = 0;
        for (int64_t c = 1; c < p.classes; c++)
            if (p.logit(row, c) > p.logit(row, best))
                best = c;
        correct += p.is_right(row, best);
        total += loss_of(p, row, log_sum(p, row), 0);
    }
    const k_evaluation got = out.fetch()[0];
    expect_number("loss_sum", got.loss_sum, before.loss_sum + total, 0, loss_bound(total, p.rows));
    expect_number("correct", static_cast<double>(got.correct), static_cast<double>(before.correct + correct), 0, 0);
    expect_number("images", static_cast<double>(got.images), static_cast<double>(before.images + p.rows), 0, 0);
}

static void evaluation(void)
{
    for (const int64_t classes : class_counts())
        for (const int64_t rows : {0, 1, 17})
            check_evaluation(problem(rows, classes, 4), {0.5, 7, 3});
    check_evaluation(problem(racing() ? 65 : 205, 10, 4), {});
}

/* Few different values, so that the largest is often there more than once. */
static void ties(void)
{
    for (const int64_t classes : {2, 10, 31, 70}) {
        problem p(racing() ? 5 : 20, classes, 2);
        for (float &z : p.z)
            z = std::floor(z);
        check_evaluation(p, {});
        for (float &z : p.z)
            z = 0;
        p.label.assign(p.label.size(), 0);
        check_evaluation(p, {});
    }
}

/* The loss shows a NaN; which class is found is that of the loop. */
static void evaluation_not_finite(void)
{
    for (const int64_t where : {0, 4, 9}) {
        problem p(20, 10, 1);
        for (int64_t row = 0; row < p.rows; row++)
            p.z[row * 10 + where] = NAN;
        check_evaluation(p, {});
    }
    problem p(2, 40, 1);
    p.z.assign(p.z.size(), NAN);
    p.label[0] = 0;
    check_evaluation(p, {});
}

static void refused(void)
{
    expect_error(k_loss_gradient(nullptr, nullptr, -1, 10, 0, 1, nullptr, nullptr, device_stream()),
                 cudaErrorInvalidValue);
    expect_error(k_loss_gradient(nullptr, nullptr, 1, 0, 0, 1, nullptr, nullptr, device_stream()),
                 cudaErrorInvalidValue);
    expect_error(k_evaluate(nullptr, nullptr, 1, INT64_C(1) << 31, nullptr, device_stream()), cudaErrorInvalidValue);
}

static const test_case cases[] = {{"gradients", gradients},
                                  {"many_rows", many_rows},
                                  {"large_logits", large_logits},
                                  {"not_finite", not_finite},
                                  {"evaluation", evaluation},
                                  {"ties", ties},
                                  {"evaluation_not_finite", evaluation_not_finite},
                                  {"refused", refused}};
TEST_MAIN(cases)
