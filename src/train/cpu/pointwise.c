/* Bias, activation and dropout in one pass, forward and backward, in either layout.
 *
 * The inner loops are specialised for every combination by inlining with constant arguments; each is plain C over
 * the per-element functions of kernels/math, which the compiler turns into vector code. */
#ifdef NR_DOUBLE
#define NR_MATH_DOUBLE
#endif
#include "train/cpu/vector.h" /* first: `real` */

#include "kernels/math/activation.h"
#include "train/cpu/dropout.h"
#include "train/cpu/loop.h"
#include "train/cpu/network.h"

#include <string.h>

/* leaky_relu with a negative slope: its output does not show the sign of its input. */
enum { ACT_NONE = ACT_KINDS, ACT_FOLDED };

/* One row: what the loops work on. Pointers may be equal where the storage is shared. */
struct span {
    real *x, *y; /* forward: input, output; backward: whichever the derivative needs is read */
    real *dx;    /* backward: in and out */
    const real *dy;
    const real *bias;    /* NULL: none */
    real *bias_gradient; /* NULL: none */
    const uint8_t *keep; /* NULL: no dropout */
    real scale;          /* of what is kept: 1 / (1 - rate) */
    real slope;
    size_t count;
};

VEC_INLINE bool from_input(const int kind)
{
    return kind == ACT_GELU || kind == ACT_SILU || kind == ACT_FOLDED;
}

VEC_INLINE real activate(const int kind, real x, real slope)
{
    switch (kind) {
    case ACT_RELU:
        return activation_relu(x);
    case ACT_LEAKY_RELU:
    case ACT_FOLDED:
        return activation_leaky_relu(x, slope);
    case ACT_GELU:
        return activation_gelu(x);
    case ACT_SILU:
        return activation_silu(x);
    case ACT_TANH:
        return math_tanh(x);
    case ACT_SIGMOID:
        return math_logistic(x);
    default:
        return x;
    }
}

/* `y` is the activation's output, before dropout. */
VEC_INLINE real derivative(const int kind, real x, real y, real slope)
{
    switch (kind) {
    case ACT_RELU:
        return activation_relu_slope(y);
    case ACT_LEAKY_RELU:
        return activation_leaky_relu_slope(y, slope);
    case ACT_FOLDED:
        return activation_leaky_relu_slope(x, slope);
    case ACT_GELU:
        return activation_gelu_slope(x);
    case ACT_SILU:
        return activation_silu_slope(x);
    case ACT_TANH:
        return activation_tanh_slope(y);
    case ACT_SIGMOID:
        return activation_logistic_slope(y);
    default:
        return 1;
    }
}

VEC_INLINE void forward_loop(const struct span *span, const int kind, const bool biased, const bool dropped)
{
    real *const x = span->x, *const y = span->y;
    const real *const bias = span->bias;
    const uint8_t *const keep = span->keep;
    const real scale = span->scale, slope = span->slope;
    const bool stored = biased && from_input(kind);
    const size_t count = span->count;
    LOOP_INDEPENDENT
    for (size_t i = 0; i < count; i++) {
        real in = biased ? x[i] + bias[i] : x[i];
        real out = activate(kind, in, slope);
        if (stored)
            x[i] = in; /* the backward pass wants it */
        y[i] = dropped ? out * (scale * (real)keep[i]) : out;
    }
}

VEC_INLINE void backward_loop(const struct span *span, const int kind, const bool biased, const bool dropped)
{
    const real *const x = span->x, *const y = span->y, *const dy = span->dy;
    real *const dx = span->dx, *const sum = span->bias_gradient;
    const uint8_t *const keep = span->keep;
    const real scale = span->scale, inverse = 1 / scale, slope = span->slope;
    const size_t count = span->count;
    LOOP_INDEPENDENT
    for (size_t i = 0; i < count; i++) {
        real in = from_input(kind) ? x[i] : 0;
        real out = kind == ACT_NONE || from_input(kind) ? 0 : dropped ? y[i] * inverse : y[i];
        real gradient = dy[i];
        if (dropped)
            gradient *= scale * (real)keep[i];
        if (kind != ACT_NONE)
            gradient *= derivative(kind, in, out, slope);
        dx[i] = gradient;
        if (biased)
            sum[i] += gradient;
    }
}

/* One function per kind and combination, chosen once per span. */
#define CASES(loop, kind)                                                                                              \
    case kind:                                                                                                         \
        if (biased && span->keep)                                                                                      \
            loop(span, kind, true, true);                                                                              \
        else if (biased)                                                                                               \
            loop(span, kind, true, false);                                                                             \
        else if (span->keep)                                                                                           \
            loop(span, kind, false, true);                                                                             \
        else                                                                                                           \
            loop(span, kind, false, false);                                                                            \
        break;
#define ALL_CASES(loop)                                                                                                \
    switch (kind) {                                                                                                    \
        CASES(loop, ACT_RELU)                                                                                          \
        CASES(loop, ACT_LEAKY_RELU)                                                                                    \
        CASES(loop, ACT_GELU)                                                                                          \
        CASES(loop, ACT_SILU)                                                                                          \
        CASES(loop, ACT_TANH)                                                                                          \
        CASES(loop, ACT_SIGMOID)                                                                                       \
        CASES(loop, ACT_FOLDED)                                                                                        \
        CASES(loop, ACT_NONE)                                                                                          \
    }

static void forward_span(const struct span *span, int kind)
{
    const bool biased = span->bias != NULL;
    ALL_CASES(forward_loop)
}

static void backward_span(const struct span *span, int kind)
{
    const bool biased = span->bias_gradient != NULL;
    ALL_CASES(backward_loop)
}

static int kind_of(const struct pointwise_step *state)
{
    if (!state->activation)
        return ACT_NONE;
    int kind = (int)state->activation->activation;
    return kind == ACT_LEAKY_RELU && state->activation->slope < 0 ? (int)ACT_FOLDED : kind;
}

static struct span span_create(const struct network *network, const struct pointwise_step *state)
{
    bool dropped = state->dropout && network->training;
    return (struct span){.keep = dropped ? state->keep : NULL,
                         .scale = dropped ? (real)(1 / (1 - state->dropout->rate)) : 1,
                         .slope = state->activation ? (real)state->activation->slope : 0,
                         .bias = state->bias ? state->bias_row : NULL};
}

static void place(struct network *network, struct step *step, struct arena *arena)
{
    struct pointwise_step *state = step->state;
    const struct value *y = step->output;
    size_t pitch = round_to_lanes(y->features);
    if (state->bias) {
        state->bias_row = arena_take(arena, pitch, sizeof(real));
        state->bias_gradient = arena_take(arena, pitch, sizeof(real));
    }
    if (state->dropout) {
        state->keep = arena_take(arena, network->capacity * y->features + DROPOUT_SLACK + 8, 1);
        if (y->lanes)
            state->draws = arena_take(arena, LANES * y->features + DROPOUT_SLACK + 8, 1);
    }
}

static void begin(struct network *network, struct step *step)
{
    struct pointwise_step *state = step->state;
    if (!state->bias)
        return;
    memcpy(state->bias_row, network->parameter + state->bias->bias_at, step->output->features * sizeof(real));
    memset(state->bias_gradient, 0, round_to_lanes(step->output->features) * sizeof(real));
}

static void draw(const struct network *network, const struct pointwise_step *state, size_t first, size_t count,
                 uint8_t *keep)
{
    const struct batch *batch = network->batch;
    const struct dropout_stream stream = {.seed = network->setup.seed,
                                          .trial = network->setup.trial,
                                          .stream = state->dropout->stream,
                                          .step = (uint32_t)batch->step,
                                          .threshold = random_dropout_threshold(state->dropout->rate)};
    dropout_draw(&stream, first, count, keep);
}

/* Elements are numbered as in rows of the whole batch, whatever the layout and the number of ranks. */
static size_t element_of_row(const struct network *network, size_t row, size_t features)
{
    return ((size_t)network->batch->first + row) * features;
}

/* In rows: where this rank's first element lies in its mask, since masks are drawn from multiples of 8 on. */
static size_t mask_offset(const struct network *network, const struct value *value)
{
    return network->batch->masks || value->lanes ? 0 : element_of_row(network, 0, value->features) % 8;
}

static void draw_lanes(const struct network *network, const struct pointwise_step *state, size_t features, size_t block,
                       uint8_t *keep)
{
    size_t first = element_of_row(network, block * LANES, features), offset = first % 8;
    draw(network, state, first - offset, LANES * features + offset, state->draws);
    for (size_t image = 0; image < LANES; image++) {
        const uint8_t *from = state->draws + offset + image * features;
        for (size_t i = 0; i < features; i++)
            keep[i * LANES + image] = from[i];
    }
}

static void draw_masks(const struct network *network, struct pointwise_step *state, const struct value *value,
                       size_t block)
{
    const struct batch *batch = network->batch;
    size_t features = value->features;
    uint8_t *keep = state->keep + block * LANES * features;
    if (batch->masks) {
        const uint8_t *given = batch->masks(batch->masks_context, state->dropout->stream);
        size_t from = block * LANES, to = value->lanes && from + LANES < network->count ? from + LANES : network->count;
        for (size_t image = from; image < to; image++)
            for (size_t i = 0; i < features; i++)
                keep[value->lanes ? i * LANES + image % LANES : image * features + i] = given[image * features + i];
    } else if (value->lanes) {
        draw_lanes(network, state, features, block, keep);
    } else {
        size_t offset = mask_offset(network, value);
        draw(network, state, element_of_row(network, 0, features) - offset, offset + network->count * features, keep);
    }
}

static void forward(struct network *network, struct step *step, size_t block)
{
    struct pointwise_step *state = step->state;
    const struct value *x = step->input, *y = step->output;
    struct span span = span_create(network, state);
    if (state->forwarded)
        return;
    if (span.keep)
        draw_masks(network, state, y, block);
    size_t rows = y->lanes ? 1 : network->count;
    span.count = y->lanes ? y->features * LANES : y->pitch;
    if (span.keep)
        span.keep += y->lanes ? block * span.count : mask_offset(network, y);
    for (size_t row = 0; row < rows; row++) {
        span.x = value_data(x, block) + row * x->pitch;
        span.y = value_data(y, block) + row * y->pitch;
        forward_span(&span, kind_of(state));
        if (span.keep)
            span.keep += y->features;
    }
}

static void backward(struct network *network, struct step *step, size_t block, real *target)
{
    struct pointwise_step *state = step->state;
    const struct value *x = step->input, *y = step->output;
    struct span span = span_create(network, state);
    size_t rows = y->lanes ? 1 : network->count;
    span.count = y->lanes ? y->features * LANES : y->pitch;
    span.bias_gradient = state->bias ? state->bias_gradient : NULL;
    if (span.keep)
        span.keep += y->lanes ? block * span.count : mask_offset(network, y);
    for (size_t row = 0; row < rows; row++) {
        span.x = value_data(x, block) + row * x->pitch;
        span.y = value_data(y, block) + row * y->pitch;
        span.dy = value_gradient(y, block) + row * y->gradient_pitch;
        span.dx = target + row * x->gradient_pitch;
        backward_span(&span, kind_of(state));
        if (span.keep)
            span.keep += y->features;
    }
}

static void end(struct network *network, struct step *step)
{
    struct pointwise_step *state = step->state;
    if (state->bias)
        memcpy(network->gradient + state->bias->bias_at, state->bias_gradient, step->output->features * sizeof(real));
}

const struct step_kind step_pointwise = {
    .name = "pointwise", .place = place, .begin = begin, .forward = forward, .backward = backward, .end = end};
