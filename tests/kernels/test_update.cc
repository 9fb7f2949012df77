/* Optimizers against their recurrences in double over several steps; the end of a step; norms and clipping. */
#include "kernels/kernels.h"
#include "kernels/support.h"

#include <cmath>

enum { STEPS = 4 };

struct options {
    k_optimizer optimizer;
    double decay, decoupled_decay, clip_norm;
};

static const double momentum = 0.9, beta1 = 0.9, beta2 = 0.999, rate = 0.01, epsilon = 1e-8;

/* The device's side of a training. */
struct training {
    device_array<float> parameter, gradient, slot0, slot1, loss;
    device_array<k_rate> rates;
    device_array<double> squares;
    device_array<unsigned> arrived;
    device_array<k_state> state;
    k_update update;
    training(const options &options, const values<float> &weights, const values<k_rate> &table, int64_t skew = 0,
             int64_t slot_skew = 0)
        : parameter(weights, skew), gradient(values<float>(weights.count()), skew),
          slot0(values<float>(weights.count()), slot_skew), slot1(values<float>(weights.count()), slot_skew),
          loss(values<float>(1)), rates(table), squares(K_SQUARES), arrived(values<unsigned>(2)),
          state(values<k_state>(1, {0, -1, 0, 0})), update{}
    {
        update.optimizer = options.optimizer;
        update.count = weights.count();
        update.parameter = parameter.data();
        update.gradient = gradient.data();
        update.slot[0] = slot0.data();
        update.slot[1] = slot1.data();
        update.momentum = static_cast<float>(momentum);
        update.beta1 = static_cast<float>(beta1);
        update.rest1 = static_cast<float>(1 - beta1);
        update.beta2 = static_cast<float>(beta2);
        update.rest2 = static_cast<float>(1 - beta2);
        update.decay = static_cast<float>(options.decay);
        update.rates = rates.data();
        update.clip_norm = options.clip_norm;
        update.squares = squares.data();
        update.arrived = arrived.data();
        update.loss = loss.data();
        update.loss_scale = 1;
        update.images = 64;
    }
    ~training() /* all of it may change */
    {
        parameter.fetch();
        slot0.fetch();
        slot1.fetch();
    }
    void step(const values<float> &g, float loss_now)
    {
        device_write(gradient.data(), g.data(), g.size() * sizeof(float));
        gradient.fetch();
        device_write(loss.data(), &loss_now, sizeof loss_now);
        loss.fetch();
        if (update.clip_norm > 0)
            expect_ok(k_squares(&update, device_stream()));
        expect_ok(k_update_apply(&update, state.data(), device_stream()));
        arrived.fetch();
        if (arrived[0] != 0 || arrived[1] != 0)
            failure("arrived is left %u, %u", arrived[0], arrived[1]);
    }
    const k_state &now(void)
    {
        return state.fetch()[0];
    }
};

/* The rates table as kernels.h defines it; they change from step to step. */
static double rate_of(int64_t step)
{
    return rate / static_cast<double>(step + 1);
}

static values<k_rate> make_rates(const options &options, int64_t steps)
{
    values<k_rate> rates(steps);
    for (int64_t step = 0; step < steps; step++) {
        const double t = static_cast<double>(step) + 1, root = std::sqrt(1 - std::pow(beta2, t));
        const double adam = rate_of(step) * root / (1 - std::pow(beta1, t));
        rates[step] = {static_cast<float>(options.optimizer == K_ADAM ? adam : rate_of(step)),
                       static_cast<float>(epsilon * root),
                       static_cast<float>(1 - rate_of(step) * options.decoupled_decay)};
    }
    return rates;
}

struct reference {
    values<double> w, a, b;
    explicit reference(const values<float> &weights) : w(weights.count()), a(weights.count()), b(weights.count())
    {
        for (int64_t i = 0; i < w.count(); i++)
            w[i] = static_cast<double>(weights[i]);
    }
};

static double norm_of(const values<float> &g)
{
    double sum = 0;
    for (const float x : g)
        sum += static_cast<double>(x) * static_cast<double>(x);
    return std::sqrt(sum);
}

/* As the papers have it: Adam with its corrected moments, not with the rates' shortcut. */
static void advance(const options &options, int64_t step, const values<float> &gradient, reference *r)
{
    const double t = static_cast<double>(step) + 1, norm = norm_of(gradient) + 1e-6;
    const double clip = options.clip_norm > 0 && options.clip_norm < norm ? options.clip_norm / norm : 1;
    for (int64_t i = 0; i < gradient.count(); i++) {
        double *const w = &r->w[i], *const a = &r->a[i], *const b = &r->b[i];
        const double g = static_cast<double>(gradient[i]) * clip + options.decay * *w;
        switch (options.optimizer) {
        case K_SGD:
            *w -= rate_of(step) * g;
            break;
        case K_MOMENTUM:
        case K_NESTEROV:
            *a = momentum * *a + g;
            *w -= rate_of(step) * (options.optimizer == K_NESTEROV ? g + momentum * *a : *a);
            break;
        case K_ADAM:
            *a = beta1 * *a + (1 - beta1) * g;
            *b = beta2 * *b + (1 - beta2) * g * g;
            *w -= rate_of(step) * options.decoupled_decay * *w;
            *w -=
                rate_of(step) * (*a / (1 - std::pow(beta1, t))) / (std::sqrt(*b / (1 - std::pow(beta2, t))) + epsilon);
            break;
        }
    }
}

/* Weights and gradients below 2, moments below 10: some roundings of 6e-8 a step, the quotient of Adam, which is at
 * most 3, times the rate. Betas and rates are rounded to float: 6e-8 of what they multiply. */
static const double weight_bound = 1e-6, slot_bound = 3e-6;

static void check(const options &options, int64_t count, int64_t skew, int64_t slot_skew)
{
    shape("optimizer %d, %ld parameters, skew %ld %ld, decay %g %g, clip %g", static_cast<int>(options.optimizer),
          static_cast<long>(count), static_cast<long>(skew), static_cast<long>(slot_skew), options.decay,
          options.decoupled_decay, options.clip_norm);
    const values<float> weights = random_floats(count);
    training device(options, weights, make_rates(options, STEPS), skew, slot_skew);
    reference host(weights);
    double loss_sum = 0;
    for (int64_t step = 0; step < STEPS; step++) {
        const values<float> g = random_floats(count);
        const float loss = random_float(0, 100);
        device.step(g, loss);
        advance(options, step, g, &host);
        loss_sum += static_cast<double>(loss);
        const k_state &state = device.now();
        expect_number("step", static_cast<double>(state.step), static_cast<double>(step + 1), 0, 0);
        expect_number("failed_at", static_cast<double>(state.failed_at), -1, 0, 0);
        expect_number("loss_sum", state.loss_sum, loss_sum, 1e-15, 0);
        expect_number("images", static_cast<double>(state.images), 64 * static_cast<double>(step + 1), 0, 0);
    }
    const values<double> none(count);
    const bool has_slot0 = options.optimizer != K_SGD, has_slot1 = options.optimizer == K_ADAM;
    expect_near("parameter", device.parameter, host.w, 0, weight_bound);
    expect_near("slot 0", device.slot0, has_slot0 ? host.a : none, 0, slot_bound);
    expect_near("slot 1", device.slot1, has_slot1 ? host.b : none, 0, slot_bound);
}

static const options all_options[] = {{K_SGD, 0, 0, 0},        {K_SGD, 0.1, 0, 0},    {K_MOMENTUM, 0, 0, 0},
                                      {K_MOMENTUM, 0.1, 0, 0}, {K_NESTEROV, 0, 0, 0}, {K_NESTEROV, 0.1, 0, 0},
                                      {K_ADAM, 0, 0, 0},       {K_ADAM, 0.1, 0, 0},   {K_ADAM, 0, 0.1, 0}};

/* 4 blocks of 256 threads of 4: 4096 parameters, beyond which blocks walk on (kernel.h). */
static void optimizers(void)
{
    for (const options &options : all_options)
        for (const int64_t count : {0, 1, 3, 5, 1023, 1024, 1025, 5133})
            if (!racing() || count <= 1025)
                check(options, count, 0, 0);
}

static void unaligned(void)
{
    for (const options &options : all_options)
        for (const int64_t count : {1, 258, 1293})
            if (!racing() || count <= 258) {
                check(options, count, 1, 0);
                check(options, count, 0, 2);
            }
}

static void clipping(void)
{
    check({K_SGD, 0.1, 0, 0.5}, racing() ? 300 : 5133, 0, 0);
    if (racing())
        return;
    check({K_SGD, 0, 0, 1e6}, 100, 0, 0); /* the norm is below the bound */
    check({K_NESTEROV, 0, 0, 0.5}, 1500, 0, 0);
    check({K_ADAM, 0, 0.1, 1e-3}, 1500, 1, 0);
}

/* Blocks of 256 threads of 4 elements, K_SQUARES of them: 262,144 in a round. */
static void norms(void)
{
    for (const int64_t count : {0, 1, 3, 1023, 1024, 2048 + 5, 263000})
        for (const int64_t skew : {0, 1}) {
            if (racing() && count != 1023)
                continue;
            shape("the norm of %ld", static_cast<long>(count));
            const values<float> g = random_floats(count);
            const device_array<float> gradient(g, skew);
            device_array<double> squares(K_SQUARES);
            k_update update = {};
            update.count = count;
            update.gradient = gradient.data();
            update.squares = squares.data();
            expect_ok(k_squares(&update, device_stream()));
            double sum = 0;
            for (const double part : squares.fetch())
                sum += part;
            expect_number("norm", std::sqrt(sum), norm_of(g), 1e-11, 0); /* one by one: 263,000 roundings */
        }
}

/* The largest and the smallest numbers: their squares are beyond float. */
static void norms_of_extremes(void)
{
    for (const float size : {1e30f, 1e-30f}) {
        const values<float> weights(8, 1), g(8, size);
        training device({K_SGD, 0, 0, 1}, weights, values<k_rate>(1, {1, 0, 1}));
        shape("gradients of %g", static_cast<double>(size));
        device.step(g, 1);
        const double norm = static_cast<double>(size) * std::sqrt(8.0);
        const double moved = norm > 1 ? 1 / std::sqrt(8.0) : 0;
        expect_near("parameter", device.parameter, values<double>(8, 1 - moved), 0, 1e-7);
        expect_number("failed_at", static_cast<double>(device.now().failed_at), -1, 0, 0);
    }
}

/* A gradient or loss that is not finite is noted at its step, once; the training goes on counting. */
static void failures(void)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (const int64_t count : {5, racing() ? 1030 : 5133})
        for (int64_t where = -1; where < 3; where++) /* -1: the loss */
            for (const float value : bad) {
                const options options = {where == 1 ? K_ADAM : K_SGD, 0, 0, 0};
                shape("%g at %ld of %ld", static_cast<double>(value), static_cast<long>(where),
                      static_cast<long>(count));
                training device(options, random_floats(count), make_rates(options, STEPS));
                for (int64_t step = 0; step < STEPS; step++) {
                    values<float> g = random_floats(count);
                    const bool now = step == 1 || step == 3;
                    if (now && where >= 0)
                        g[where == 0 ? 0 : where == 1 ? count / 2 : count - 1] = value;
                    device.step(g, now && where < 0 ? value : 1);
                    expect_number("failed_at", static_cast<double>(device.now().failed_at), step < 1 ? -1 : 1, 0, 0);
                    expect_number("step", static_cast<double>(device.now().step), static_cast<double>(step + 1), 0, 0);
                }
                if (where >= 0)
                    expect_number("loss_sum", device.now().loss_sum, STEPS, 0, 0);
            }
}

/* The rate is that of the step; ranks: the loss is scaled back, images are those of the whole batch. */
static void later_steps(void)
{
    values<k_rate> rates(100, {NAN, NAN, NAN});
    rates[70] = {0.5f, 0, 1};
    training device({K_SGD, 0, 0, 0}, values<float>(3, 1), rates);
    const k_state before = {70, -1, 2.5, 7};
    device_write(device.state.data(), &before, sizeof before);
    device.update.loss_scale = 4;
    device.update.images = 256;
    shape("step 70 of 4 ranks");
    device.step(values<float>(3, 1), 0.25f);
    expect_near("parameter", device.parameter, values<double>(3, 0.5), 0, 0);
    expect_number("step", static_cast<double>(device.now().step), 71, 0, 0);
    expect_number("loss_sum", device.now().loss_sum, 3.5, 0, 0);
    expect_number("images", static_cast<double>(device.now().images), 263, 0, 0);
}

static void refused(void)
{
    k_update update = {};
    update.count = -1;
    expect_error(k_update_apply(&update, nullptr, device_stream()), cudaErrorInvalidValue);
    expect_error(k_squares(&update, device_stream()), cudaErrorInvalidValue);
}

static const test_case cases[] = {{"optimizers", optimizers},
                                  {"unaligned", unaligned},
                                  {"clipping", clipping},
                                  {"norms", norms},
                                  {"norms_of_extremes", norms_of_extremes},
                                  {"failures", failures},
                                  {"later_steps", later_steps},
                                  {"refused", refused}};
TEST_MAIN(cases)
