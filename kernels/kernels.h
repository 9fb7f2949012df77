/* Launchers of the CUDA kernels, callable from C; one operator per .cu.
 *
 * What all of them have in common: asynchronous in `stream`; pointers are device memory unless a comment says host;
 * counts are elements, not bytes; an empty shape launches nothing and succeeds (a grid of 0 is an error in CUDA); the
 * value is the launch's error. Sums are taken in a fixed order: the same input gives the same bits. Values are float32
 * in [images][channels][positions] order, positions = height * width (1 behind dense layers), without padding.
 * The definitions are those of the CPU engine (src/train/cpu), which the tests hold both to.
 *
 * Nothing here is known at capture time but shapes and addresses: whatever changes from step to step is read from
 * `struct k_state` on the device, which k_update_apply() moves on, so that one graph serves all steps. */
#ifndef NASRUN_KERNELS_KERNELS_H
#define NASRUN_KERNELS_KERNELS_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a training stands; one per trainer, in device memory. Written by k_update_apply() alone. */
struct k_state {
    int64_t step;      /* optimizer steps done since the start of the trial */
    int64_t failed_at; /* the first step whose loss or gradient was not finite; -1: none */
    double loss_sum;   /* of the images trained since the host last set it to 0 */
    int64_t images;
};

/* A data set on the device: uint8 [count][channels][height][width] and [count]. */
struct k_images {
    const uint8_t *pixels, *labels;
    int64_t channels, height, width;
};

/* ---- gather.cu: from the data set to normalised images, x = pixel * scale[channel] + shift[channel] ---- */

/* Which images a step takes: position p of the endless sequence of passes is order[p / count % slots][p % count], and
 * row r of step s is position s / steps_per_epoch * epoch_images + s % steps_per_epoch * batch + first + r. */
struct k_feed {
    const uint32_t *order; /* [slots][count] indices into the data set; the host refills passes ahead */
    int64_t count, slots;
    int64_t steps_per_epoch, epoch_images, batch;
    int64_t first; /* row of the whole batch where this rank's share begins */
};

/* Moves, mirrors, erases: src/train/cpu/input.c. All 0: none of it. Drawn from (seed, trial, pass, image). */
struct k_augmentation {
    uint64_t seed;
    uint32_t trial;
    int32_t shift, erase; /* pixels */
    double flip;          /* probability */
};

/* x [rows][channels][height][width] and label [rows] of step state->step. */
cudaError_t k_gather(const struct k_images *images, const struct k_feed *feed,
                     const struct k_augmentation *augmentation, const float *scale, const float *shift,
                     const struct k_state *state, int64_t rows, float *x, int32_t *label, cudaStream_t stream);
/* The same for evaluation: images index[0..count); rows [count, rows) become 0 and their labels -1. */
cudaError_t k_gather_indexed(const struct k_images *images, const uint32_t *index, int64_t count, const float *scale,
                             const float *shift, int64_t rows, float *x, int32_t *label, cudaStream_t stream);

/* ---- pointwise.cu: y = dropout(activation(x + bias)), any part may be absent ---- */

enum k_activation { /* as enum activation_kind of src/net/plan.h */
                    K_RELU,
                    K_LEAKY_RELU,
                    K_GELU,
                    K_SILU,
                    K_TANH,
                    K_SIGMOID,
                    K_IDENTITY
};

struct k_pointwise {
    int64_t rows, channels, positions;
    const float *bias; /* [channels]; NULL: none */
    enum k_activation activation;
    float slope; /* leaky ReLU */
    /* dropout; threshold 0: none. kernels/math/random.h says which element takes which half-word. */
    uint32_t threshold;
    float scale; /* of what is kept: 1 / (1 - rate) */
    uint64_t seed;
    uint32_t trial, stream;
    int64_t first; /* row of the whole batch where this rank's share begins */
};

/* y may be x. `before` (may be NULL, may be x): x + bias, for activations whose derivative needs their input.
 * state: NULL in evaluation, which has no dropout. */
cudaError_t k_pointwise_forward(const struct k_pointwise *pointwise, const struct k_state *state, const float *x,
                                float *before, float *y, cudaStream_t stream);
/* dx = dropout'(dy) * activation'; dx may be dy. `before` for gelu, silu and leaky ReLU of a negative slope (else
 * NULL): x + bias. `y`: what forward put out, for the others (NULL for K_IDENTITY and where `before` is given). The
 * bias's gradient is k_channel_sums() of dx. */
cudaError_t k_pointwise_backward(const struct k_pointwise *pointwise, const struct k_state *state, const float *before,
                                 const float *y, const float *dy, float *dx, cudaStream_t stream);

/* ---- channel_sums.cu ---- */

/* sum[c] = sum of x over images and positions. */
cudaError_t k_channel_sums(const float *x, int64_t rows, int64_t channels, int64_t positions, float *sum,
                           cudaStream_t stream);

/* ---- pool.cu: maximum, average, global average; bias and ReLU before it in the same pass ---- */

struct k_pool {
    bool maximum; /* else average over the whole window, padding counted as 0 */
    int64_t rows, channels, in_height, in_width, out_height, out_width;
    int64_t kernel_height, kernel_width, stride, pad_top, pad_left;
    const float *bias; /* [channels]; NULL: none */
    bool relu;         /* y = pool(relu(x + bias)) */
};

/* trace (maximum only, [rows][channels][out_height][out_width]; may be NULL in evaluation): which place of the window,
 * row-major, was the first maximum; 0xffff where ReLU gave 0, or no place did. A NaN in a window becomes the maximum.
 * Windows of more than 65,535 places are refused (cudaErrorInvalidValue). */
cudaError_t k_pool_forward(const struct k_pool *pool, const float *x, float *y, uint16_t *trace, cudaStream_t stream);
/* dx [rows][channels][in_height][in_width], before bias and ReLU. x: what forward read (average with ReLU; else NULL).
 * No atomics: every input gathers from the windows that it lies in. bias_gradient [channels] (maximum only; NULL: not
 * wanted) = sum of dx over images and positions; of an average it is k_channel_sums() of dx. */
cudaError_t k_pool_backward(const struct k_pool *pool, const float *x, const uint16_t *trace, const float *dy,
                            float *dx, float *bias_gradient, cudaStream_t stream);

/* ---- loss.cu: softmax cross-entropy ---- */

/* dlogits = (softmax - q) * scale, q = (1 - smoothing) one-hot + smoothing / classes; *loss = sum over the rows.
 * logits and dlogits [rows][classes]; dlogits may be logits. rows = 0: *loss = 0. */
cudaError_t k_loss_gradient(const float *logits, const int32_t *label, int64_t rows, int64_t classes, float smoothing,
                            float scale, float *dlogits, float *loss, cudaStream_t stream);

struct k_evaluation {
    double loss_sum;         /* cross-entropy without smoothing */
    int64_t images, correct; /* the first largest logit is the label's */
};
/* Adds the first `rows` rows to *out (device memory). */
cudaError_t k_evaluate(const float *logits, const int32_t *label, int64_t rows, int64_t classes,
                       struct k_evaluation *out, cudaStream_t stream);

/* ---- update.cu: one optimizer step over the flat vector, and the end of the step ---- */

/* What changes from step to step; one row per step of the trial, made by the host in double. */
struct k_rate {
    float rate;      /* sgd: learning rate; adam: rate * sqrt(1 - b2^t) / (1 - b1^t) */
    float epsilon;   /* adam: epsilon * sqrt(1 - b2^t) */
    float decoupled; /* adamw: 1 - rate * decay; else 1 */
};

enum k_optimizer { K_SGD, K_MOMENTUM, K_NESTEROV, K_ADAM }; /* K_ADAM: adamw too */

struct k_update {
    enum k_optimizer optimizer;
    int64_t count;
    float *parameter;
    const float *gradient;
    float *slot[2];                             /* momentum; or Adam's moments */
    float momentum, beta1, rest1, beta2, rest2; /* rest = 1 - beta, from the double */
    float decay;                                /* coupled: gradient += decay * parameter */
    const struct k_rate *rates;                 /* [steps of the trial] */
    double clip_norm;                           /* 0: none */
    double *squares;                            /* [K_SQUARES] scratch, where clip_norm > 0 */
    unsigned *arrived;                          /* [2] scratch: 0 before the first call, left 0 by each */
    const float *loss;                          /* of the step, k_loss_gradient()'s */
    double loss_scale; /* what makes *loss the sum over the whole batch: ranks where a mean over
                          them was taken, else 1 */
    int64_t images;    /* of the whole batch */
};
enum { K_SQUARES = 256 };

/* With clip_norm > 0, before k_update_apply(): partial sums of squares of the gradient. */
cudaError_t k_squares(const struct k_update *update, cudaStream_t stream);
/* The update; then, once every block has read it, the last block ends the step: loss_sum and images are added to,
 * failed_at is set to `step` if it was -1 and the loss or any gradient is not finite, step += 1. A failed training goes
 * on counting and its weights are of no account. count = 0 still ends the step. */
cudaError_t k_update_apply(const struct k_update *update, struct k_state *state, cudaStream_t stream);

/* ---- elementwise.cu ---- */

cudaError_t k_add(const float *a, const float *b, float *y, int64_t count, cudaStream_t stream); /* y may be a or b */
cudaError_t k_scale(float *x, float factor, int64_t count, cudaStream_t stream);
/* bf16 as uint16_t: round to nearest even, NaN stays NaN. */
cudaError_t k_to_bf16(const float *x, uint16_t *y, int64_t count, cudaStream_t stream);
cudaError_t k_from_bf16(const uint16_t *x, float *y, int64_t count, cudaStream_t stream);
/* y [planes][height + top + bottom][width + left + right]: x with zeros around it; k_crop() takes them away again. */
cudaError_t k_pad(const float *x, int64_t planes, int64_t height, int64_t width, int64_t top, int64_t bottom,
                  int64_t left, int64_t right, float *y, cudaStream_t stream);
cudaError_t k_crop(const float *y, int64_t planes, int64_t height, int64_t width, int64_t top, int64_t bottom,
                   int64_t left, int64_t right, float *x, cudaStream_t stream);

/* ---- norm.cu: batch norm of a batch with a single value per channel, which cuDNN cannot do (its unbiased variance
 * divides by 0): the output is beta, the running variance moves towards 0, dx and dgamma are 0, dbeta is dy ---- */
cudaError_t k_norm_single_forward(const float *x, const float *beta, int64_t channels, float momentum, float *y,
                                  float *running_mean, float *running_variance, cudaStream_t stream);
cudaError_t k_norm_single_backward(const float *dy, int64_t channels, float *dx, float *dgamma, float *dbeta,
                                   cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
