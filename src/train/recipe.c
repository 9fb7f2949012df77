#include "train/recipe.h"

#include <math.h>
#include <string.h>

void recipe_from_point(const struct study *study, const double *point, int64_t training_images, struct recipe *out)
{
    int64_t epoch_images = study_int(study, KEY_EPOCH_IMAGES, point);
    *out = (struct recipe){
        .optimizer = (enum optimizer_kind)study_choice(study, KEY_OPTIMIZER, point),
        .learning_rate = study_real(study, KEY_LEARNING_RATE, point),
        .momentum = study_real(study, KEY_MOMENTUM, point),
        .beta1 = study_real(study, KEY_BETA1, point),
        .beta2 = study_real(study, KEY_BETA2, point),
        .epsilon = study_real(study, KEY_EPSILON, point),
        .weight_decay = study_real(study, KEY_WEIGHT_DECAY, point),
        .nesterov = study_bool(study, KEY_NESTEROV, point),
        .batch_size = study_int(study, KEY_BATCH_SIZE, point),
        .epochs = study_int(study, KEY_EPOCHS, point),
        .epoch_images = epoch_images ? epoch_images : training_images,
        .label_smoothing = study_real(study, KEY_LABEL_SMOOTHING, point),
        .clip_norm = study_real(study, KEY_CLIP_NORM, point),
        .schedule = (enum schedule_kind)study_choice(study, KEY_SCHEDULE, point),
        .warmup_epochs = study_real(study, KEY_WARMUP_EPOCHS, point),
        .step_epochs = study_real(study, KEY_STEP_EPOCHS, point),
        .step_factor = study_real(study, KEY_STEP_FACTOR, point),
        .final_rate = study_real(study, KEY_FINAL_RATE, point),
        .initialisation = (enum initialisation_kind)study_choice(study, KEY_INITIALISATION, point),
        .shift = (int)study_int(study, KEY_SHIFT, point),
        .erase = (int)study_int(study, KEY_ERASE, point),
        .flip = study_real(study, KEY_FLIP, point),
        .precision = (enum precision_kind)study_choice(study, KEY_PRECISION, point),
    };
}

int64_t recipe_steps_per_epoch(const struct recipe *recipe)
{
    return (recipe->epoch_images + recipe->batch_size - 1) / recipe->batch_size;
}

static double warmup_steps(const struct recipe *recipe, double total)
{
    double steps = round(recipe->warmup_epochs * (double)recipe_steps_per_epoch(recipe));
    if (recipe->schedule == SCHEDULE_ONECYCLE && steps == 0)
        steps = round(0.3 * total);
    return fmin(steps, total);
}

static double cosine_share(const struct recipe *recipe, double step, double steps)
{
    double height = steps > 0 ? 0.5 * (1 + cos(M_PI * step / steps)) : 1;
    return recipe->final_rate + (1 - recipe->final_rate) * height;
}

double recipe_learning_rate(const struct recipe *recipe, int64_t step)
{
    double t = (double)step, share = 1;
    double per_epoch = (double)recipe_steps_per_epoch(recipe), total = per_epoch * (double)recipe->epochs;
    double warmup = warmup_steps(recipe, total);
    if (recipe->schedule == SCHEDULE_STEP)
        share = pow(recipe->step_factor, floor(t / (recipe->step_epochs * per_epoch)));
    if (t < warmup)
        share *= (t + 1) / warmup;
    else if (recipe->schedule == SCHEDULE_COSINE || recipe->schedule == SCHEDULE_ONECYCLE)
        share = cosine_share(recipe, t - warmup, total - warmup);
    return recipe->learning_rate * share;
}

int64_t recipe_optimizer_slots(const struct recipe *recipe)
{
    if (recipe->optimizer != OPTIMIZER_SGD)
        return 2;
    return recipe->momentum > 0 ? 1 : 0;
}

/* A number as its bits, least significant first: exact, and the same on every machine. */
static void put(struct recipe_identity *identity, double value)
{
    uint64_t bits;
    value += 0.0; /* -0 is 0 */
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++)
        identity->bytes[identity->length++] = (uint8_t)(bits >> (8 * i));
}

static void put_optimizer(const struct recipe *recipe, struct recipe_identity *identity)
{
    /* without decay, AdamW is Adam */
    bool is_adam = recipe->optimizer == OPTIMIZER_ADAMW && recipe->weight_decay == 0;
    put(identity, is_adam ? OPTIMIZER_ADAM : recipe->optimizer);
    put(identity, recipe->learning_rate);
    if (recipe->optimizer == OPTIMIZER_SGD) {
        put(identity, recipe->momentum);
        put(identity, recipe->nesterov && recipe->momentum > 0);
    } else {
        put(identity, recipe->beta1);
        put(identity, recipe->beta2);
        put(identity, recipe->epsilon);
    }
    put(identity, recipe->weight_decay);
    put(identity, recipe->clip_norm);
}

static void put_schedule(const struct recipe *recipe, struct recipe_identity *identity)
{
    put(identity, recipe->schedule);
    put(identity, recipe->warmup_epochs);
    if (recipe->schedule == SCHEDULE_STEP) {
        put(identity, recipe->step_epochs);
        put(identity, recipe->step_factor);
    } else if (recipe->schedule != SCHEDULE_CONSTANT) {
        put(identity, recipe->final_rate);
    }
}

void recipe_identify(const struct recipe *recipe, struct recipe_identity *out)
{
    out->length = 0;
    put_optimizer(recipe, out);
    put(out, (double)recipe->batch_size);
    put(out, (double)recipe->epochs);
    put(out, (double)recipe->epoch_images);
    put_schedule(recipe, out);
    put(out, recipe->label_smoothing);
    put(out, recipe->initialisation);
    put(out, recipe->shift);
    put(out, recipe->flip);
    put(out, recipe->erase);
    put(out, recipe->precision);
}
