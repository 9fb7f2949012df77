/* How a trial is trained: the [training] section at a point, as plain numbers. */
#ifndef NASRUN_TRAIN_RECIPE_H
#define NASRUN_TRAIN_RECIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "space/study.h"

enum optimizer_kind { OPTIMIZER_SGD, OPTIMIZER_ADAM, OPTIMIZER_ADAMW };
enum schedule_kind { SCHEDULE_CONSTANT, SCHEDULE_STEP, SCHEDULE_COSINE, SCHEDULE_ONECYCLE };
enum initialisation_kind { INITIALISATION_HE, INITIALISATION_XAVIER, INITIALISATION_SMALL };
/* Of products; everything else is float32. float64: tests, CPU only. tf32, bf16: CUDA only; bf16 rounds the factors and
 * keeps float32 weights and sums. */
enum precision_kind { PRECISION_FLOAT32, PRECISION_FLOAT64, PRECISION_TF32, PRECISION_BF16 };

struct recipe {
    enum optimizer_kind optimizer;
    double learning_rate, momentum, beta1, beta2, epsilon, weight_decay;
    bool nesterov;
    int64_t batch_size, epochs;
    int64_t epoch_images; /* images of one epoch, pass after pass; the training share where the key is 0 */
    double label_smoothing, clip_norm;
    enum schedule_kind schedule;
    double warmup_epochs, step_epochs, step_factor, final_rate;
    enum initialisation_kind initialisation;
    int shift, erase; /* pixels */
    double flip;      /* probability */
    enum precision_kind precision;
};

void recipe_from_point(const struct study *study, const double *point, int64_t training_images, struct recipe *out);
int64_t recipe_steps_per_epoch(const struct recipe *recipe); /* the last batch of an epoch may be short */

/* Learning rate of optimizer step t (0-based) of T over the whole trial. It rises linearly over w steps (warmup_epochs,
 * rounded), the share of learning_rate being (t + 1) / w; then, with s = t - w of the S = T - w steps that are left:
 *   constant  1
 *   step      step_factor ^ floor(t / steps of step_epochs), counted from the start, which warm-up multiplies
 *   cosine    f + (1 - f) (1 + cos(pi s / S)) / 2, f = final_rate (Loshchilov and Hutter 2017, one period)
 *   onecycle  (Smith 2018) warm-up of 30 % of T where warmup_epochs is 0, then as cosine; momentum is not cycled
 * `epochs` is the horizon, fixed when the trial is created: a resumed trial has the same rates. */
double recipe_learning_rate(const struct recipe *recipe, int64_t step);
/* Vectors of state per parameter: 0 (plain sgd), 1 (momentum) or 2 (Adam's moments). */
int64_t recipe_optimizer_slots(const struct recipe *recipe);
/* What makes two trainings of one network the same, as bytes to compare or to digest: equal where nothing that has an
 * effect differs. Not text: the search makes some thousand of them per suggestion. */
enum { RECIPE_IDENTITY_BYTES = 32 * 8 };
struct recipe_identity {
    size_t length;
    uint8_t bytes[RECIPE_IDENTITY_BYTES];
};
void recipe_identify(const struct recipe *recipe, struct recipe_identity *out);

#endif
