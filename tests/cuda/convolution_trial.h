/* One convolution, all three directions, with its operands here and on the device, and what it should give.
 *
 * Tolerance: with exact factors a sum of T products may be off by (T + 2) 2^-24 of the sum of their magnitudes S;
 * Winograd's transforms add some tens of that rounding: (T + 64) 2^-24 S. TF32 cuts each factor by up to 2^-10: 2^-9 S
 * more. A bfloat16 result is rounded by 2^-8 of itself. */
#ifndef NASRUN_TESTS_CONVOLUTION_TRIAL_H
#define NASRUN_TESTS_CONVOLUTION_TRIAL_H

#include "cuda/lane_device.h"

#include "train/cuda/convolution.h"

/* images, in_channels, in_height, in_width, out_channels, kernel's height and width, stride, padding, groups */
#define SETUP(...)                                                                                                     \
    {                                                                                                                  \
        __VA_ARGS__, PRECISION_FLOAT32, true, true                                                                     \
    }
static const struct convolution_setup setups[] = {
    SETUP(2, 3, 7, 6, 4, 3, 3, 1, 1, 1, 1),    /* the usual */
    SETUP(3, 1, 9, 8, 2, 5, 3, 2, 2, 1, 1),    /* stride, more padding above than beside */
    SETUP(2, 4, 5, 5, 6, 1, 1, 1, 0, 0, 1),    /* pointwise */
    SETUP(2, 4, 5, 5, 6, 1, 1, 2, 0, 0, 1),    /* that leaves columns out */
    SETUP(1, 3, 4, 6, 5, 4, 6, 1, 0, 0, 1),    /* the kernel is the image */
    SETUP(2, 4, 6, 6, 6, 3, 3, 1, 1, 1, 2),    /* groups */
    SETUP(2, 5, 6, 7, 5, 3, 3, 2, 1, 1, 5),    /* depthwise */
    SETUP(2, 3, 8, 8, 6, 3, 3, 3, 0, 2, 3),    /* depthwise, two each */
    SETUP(1, 1, 1, 1, 1, 3, 3, 1, 1, 1, 1),    /* one pixel */
    SETUP(1, 2, 3, 3, 2, 2, 2, 5, 0, 0, 1),    /* a stride over the image */
    SETUP(4, 16, 14, 14, 8, 5, 5, 1, 2, 2, 1), /* of a network */
};
enum { SETUPS = sizeof setups / sizeof *setups };

/* One convolution with its arrays here (the gradients: of what is named) and on the device. */
struct trial {
    struct convolution_setup setup;
    int64_t out_height, out_width;
    size_t x_count, w_count, y_count;
    float *x, *w, *dy;
    void *device_x, *device_w, *device_y, *device_dy, *device_dx, *device_dw;
};

static inline bool is_narrow(const struct trial *trial)
{
    return trial->setup.precision == PRECISION_BF16;
}

static inline float *make_values(size_t count, unsigned seed, bool narrow)
{
    float *values = malloc(count * sizeof *values);
    fill_values(values, count, seed, narrow);
    return values;
}

static inline void trial_open(struct trial *trial, const struct lane *lane, const struct convolution_setup *setup)
{
    *trial = (struct trial){.setup = *setup};
    trial->out_height = (setup->in_height + 2 * setup->pad_height - setup->kernel_height) / setup->stride + 1;
    trial->out_width = (setup->in_width + 2 * setup->pad_width - setup->kernel_width) / setup->stride + 1;
    trial->x_count = (size_t)(setup->images * setup->in_channels * setup->in_height * setup->in_width);
    trial->w_count =
        (size_t)(setup->out_channels * setup->in_channels / setup->groups * setup->kernel_height * setup->kernel_width);
    trial->y_count = (size_t)(setup->images * setup->out_channels * trial->out_height * trial->out_width);
    const size_t width = is_narrow(trial) ? 2 : 4;
    trial->x = make_values(trial->x_count, 1, is_narrow(trial));
    trial->w = make_values(trial->w_count, 2, is_narrow(trial));
    trial->dy = make_values(trial->y_count, 3, is_narrow(trial));
    trial->device_x = device_values(lane, trial->x, trial->x_count, is_narrow(trial));
    trial->device_w = device_values(lane, trial->w, trial->w_count, is_narrow(trial));
    trial->device_dy = device_values(lane, trial->dy, trial->y_count, is_narrow(trial));
    trial->device_y = device_make(lane, trial->y_count * width);
    trial->device_dx = device_make(lane, trial->x_count * width);
    trial->device_dw = device_make(lane, trial->w_count * width);
}

static inline void trial_close(struct trial *trial)
{
    void *const memory[] = {trial->device_x, trial->device_w,  trial->device_dy,
                            trial->device_y, trial->device_dx, trial->device_dw};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++)
        assert_int_equal(cudaFree(memory[i]), cudaSuccess);
    free(trial->x);
    free(trial->w);
    free(trial->dy);
}

struct expected {
    double sum, magnitude;
    int64_t terms;
};

static inline void add_term(struct expected *to, float factor, float other)
{
    const double term = (double)factor * (double)other;
    to->sum += term;
    to->magnitude += fabs(term);
    to->terms++;
}

/* y, dx and dw together: every product of the definition (cross-correlation) belongs to one element of each. */
static inline void define(const struct trial *trial, struct expected *y, struct expected *dx, struct expected *dw)
{
    const struct convolution_setup *s = &trial->setup;
    const int64_t in = s->in_channels / s->groups, out = s->out_channels / s->groups;
    for (int64_t n = 0; n < s->images; n++)
        for (int64_t k = 0; k < s->out_channels; k++)
            for (int64_t row = 0; row < trial->out_height; row++)
                for (int64_t column = 0; column < trial->out_width; column++)
                    for (int64_t i = 0; i < in * s->kernel_height * s->kernel_width; i++) {
                        const int64_t c = i / (s->kernel_height * s->kernel_width) + k / out * in;
                        const int64_t h = row * s->stride - s->pad_height + i / s->kernel_width % s->kernel_height;
                        const int64_t w = column * s->stride - s->pad_width + i % s->kernel_width;
                        if (h < 0 || h >= s->in_height || w < 0 || w >= s->in_width)
                            continue;
                        const int64_t at_x = ((n * s->in_channels + c) * s->in_height + h) * s->in_width + w;
                        const int64_t at_w = k * in * s->kernel_height * s->kernel_width + i;
                        const int64_t at_y =
                            ((n * s->out_channels + k) * trial->out_height + row) * trial->out_width + column;
                        add_term(y + at_y, trial->x[at_x], trial->w[at_w]);
                        add_term(dx + at_x, trial->dy[at_y], trial->w[at_w]);
                        add_term(dw + at_w, trial->x[at_x], trial->dy[at_y]);
                    }
}

static inline void check_values(const struct trial *trial, const struct lane *lane, const void *memory,
                                const struct expected *expected, size_t count)
{
    float *got = host_values(lane, memory, count, is_narrow(trial));
    for (size_t i = 0; i < count; i++) {
        double error = expected[i].magnitude * (double)(expected[i].terms + 64) * 0x1p-24;
        if (trial->setup.precision == PRECISION_TF32)
            error += expected[i].magnitude * 0x1p-9;
        assert_near((double)got[i], expected[i].sum, is_narrow(trial) ? 0x1p-8 : 0, error);
    }
    free(got);
}

static inline void run_all(const struct trial *trial, const struct convolution *convolution)
{
    assert_ok(convolution_forward(convolution, trial->device_x, trial->device_w, trial->device_y));
    assert_ok(convolution_backward_data(convolution, trial->device_w, trial->device_dy, trial->device_dx));
    assert_ok(convolution_backward_weights(convolution, trial->device_x, trial->device_dy, trial->device_dw));
}

static inline void check_all(const struct trial *trial, const struct lane *lane)
{
    struct expected *y = calloc(trial->y_count, sizeof *y), *dx = calloc(trial->x_count, sizeof *dx),
                    *dw = calloc(trial->w_count, sizeof *dw);
    define(trial, y, dx, dw);
    check_values(trial, lane, trial->device_y, y, trial->y_count);
    check_values(trial, lane, trial->device_dx, dx, trial->x_count);
    check_values(trial, lane, trial->device_dw, dw, trial->w_count);
    free(y);
    free(dx);
    free(dw);
}

/* Bfloat16 and TF32 may be more than the library has; that is told. */
static inline void run_and_check(struct lane *lane, struct convolution_setup setup)
{
    struct trial trial;
    struct convolution *convolution;
    trial_open(&trial, lane, &setup);
    const nr_status status = convolution_create(lane, &trial.setup, &convolution);
    if (status == NR_INFEASIBLE && setup.precision != PRECISION_FLOAT32) {
        print_message("precision %d, kernel %d x %d, %d groups: %s\n", (int)setup.precision, (int)setup.kernel_height,
                      (int)setup.kernel_width, (int)setup.groups, lane_failure.text);
        failure_clear(&lane_failure);
        convolution = NULL;
    } else {
        assert_ok(status);
        run_all(&trial, convolution);
        check_all(&trial, lane);
    }
    convolution_destroy(convolution);
    trial_close(&trial);
}

/* Right, and the same bits again. */
static inline void run_twice(struct lane *lane, const struct convolution_setup *setup)
{
    struct trial trial;
    struct convolution *convolution;
    trial_open(&trial, lane, setup);
    assert_ok(convolution_create(lane, &trial.setup, &convolution));
    void *const memory[] = {trial.device_y, trial.device_dx, trial.device_dw};
    const size_t counts[] = {trial.y_count, trial.x_count, trial.w_count};
    float *first[3];
    run_all(&trial, convolution);
    for (int i = 0; i < 3; i++)
        first[i] = host_values(lane, memory[i], counts[i], false);
    check_all(&trial, lane);
    run_all(&trial, convolution);
    for (int i = 0; i < 3; i++) {
        float *again = host_values(lane, memory[i], counts[i], false);
        assert_memory_equal(first[i], again, counts[i] * sizeof *again);
        free(again);
        free(first[i]);
    }
    convolution_destroy(convolution);
    trial_close(&trial);
}

#endif
