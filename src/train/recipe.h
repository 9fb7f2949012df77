/* How a trial is trained: the [training] section at a point, as plain numbers. */
#ifndef NASRUN_TRAIN_RECIPE_H
#define NASRUN_TRAIN_RECIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "space/study.h"

enum optimizer_kind { OPTIMIZER_SGD, OPTIMIZER_ADAM, OPTIMIZER_ADAMW };
enum schedule_kind { SCHEDULE_CONSTANT, SCHEDULE_STEP, SCHEDULE_COSINE, SCHEDULE_ONECYCLE };
enum initialisation_kind { INITIALISATION_HE, INITIALISATION_XAVIER };
enum precision_kind { PRECISION_FLOAT32, PRECISION_FLOAT64 }; /* float64: tests, CPU only */

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
/* Learning rate of optimizer step `step` (0-based, over the whole trial): warm-up, then the schedule. */
double recipe_learning_rate(const struct recipe *recipe, int64_t step);
int64_t recipe_optimizer_slots(const struct recipe *recipe); /* vectors of state per parameter: 0, 1 or 2 */
/* What makes two trainings of one network the same: canonical text for duplicates. */
void recipe_append_identity(const struct recipe *recipe, struct text *text);

#endif
