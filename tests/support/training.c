#include "support/training.h"

#include <time.h>

#include "base/rng.h"

static const struct recipe adam = {.optimizer = OPTIMIZER_ADAM,
                                   .learning_rate = 3e-3,
                                   .beta1 = 0.9,
                                   .beta2 = 0.999,
                                   .epsilon = 1e-8,
                                   .batch_size = 32,
                                   .epochs = 4};

static void draw_image(struct rng *rng, uint8_t label, int64_t channels, int64_t side, uint8_t *pixel)
{
    for (int64_t i = 0; i < channels * side * side; i++) {
        int64_t y = i / side % side, x = i % side, quarter = 2 * (2 * y / side) + 2 * x / side;
        pixel[i] = (uint8_t)(rng_below(rng, 150) + (quarter == label ? 90 : 0));
    }
}

void training_create(struct training *t, int64_t images, int64_t channels, int64_t side)
{
    struct rng rng = rng_create(21, 0, RANDOM_TEST, 0, 0);
    int64_t size = channels * side * side, validations = images / 8;
    assert_true(channels <= TRAINING_MOST_CHANNELS);
    *t = (struct training){.recipe = adam, .seed = 77, .log = test_log()};
    t->pixels = malloc((size_t)(images * size));
    t->labels = malloc((size_t)images);
    t->index = malloc((size_t)images * sizeof *t->index);
    assert_true(t->pixels && t->labels && t->index);
    for (int64_t i = 0; i < images; i++) {
        t->index[i] = (uint32_t)i;
        t->labels[i] = (uint8_t)(i % TRAINING_CLASSES);
        draw_image(&rng, t->labels[i], channels, side, t->pixels + i * size);
    }
    for (int64_t i = 0; i < channels; i++) {
        t->mean[i] = 0.35f;
        t->deviation[i] = 0.2f;
    }
    t->dataset = (struct dataset){.shape = {channels, side, side},
                                  .classes = TRAINING_CLASSES,
                                  .count = images,
                                  .images = t->pixels,
                                  .labels = t->labels};
    t->split = (struct split){.training = t->index,
                              .trainings = images - validations,
                              .validation = t->index + images - validations,
                              .validations = validations,
                              .mean = t->mean,
                              .deviation = t->deviation,
                              .channels = channels};
    t->recipe.epoch_images = t->split.trainings;
    hand_begin(&t->hand, channels, side, TRAINING_CLASSES);
}

void training_open(struct training *t, const struct backend *backend)
{
    t->backend = backend;
    assert_ok(backend->open(t->number, t->log, &t->device));
    assert_ok(backend->upload(t->device, &t->dataset, &t->images));
}

void training_clear(struct training *t)
{
    if (t->images)
        t->backend->unload(t->images);
    if (t->device)
        t->backend->close(t->device);
    free(t->pixels);
    free(t->labels);
    free(t->index);
    log_destroy(t->log);
    *t = (struct training){0};
}

struct trainer_setup training_setup(const struct training *t, uint32_t trial)
{
    return (struct trainer_setup){
        .plan = &t->hand.plan, .recipe = &t->recipe, .split = &t->split, .seed = t->seed, .trial = trial, .ranks = 1};
}

struct trainer *training_create_trainer(struct training *t, const struct trainer_setup *setup)
{
    struct trainer *trainer;
    if (t->backend->create(t->device, t->images, setup, &trainer) != NR_OK) {
        print_error("no trainer: %s\n", log_text(t->log));
        fail();
    }
    return trainer;
}

struct trainer *training_trainer(struct training *t, uint32_t trial)
{
    const struct trainer_setup setup = training_setup(t, trial);
    return training_create_trainer(t, &setup);
}

void training_wait(struct training *t, struct trainer *trainer, struct progress *progress)
{
    const struct timespec pause = {.tv_nsec = 20000};
    for (t->backend->poll(trainer, progress); progress->busy; t->backend->poll(trainer, progress))
        nanosleep(&pause, NULL);
}

void training_steps(struct training *t, struct trainer *trainer, int64_t steps)
{
    struct progress progress;
    assert_ok(t->backend->submit(trainer, steps));
    training_wait(t, trainer, &progress);
    if (progress.status != NR_OK)
        print_error("step %lld: %s\n", (long long)progress.failed_at,
                    progress.cause ? progress.cause : status_text(progress.status));
    assert_ok(progress.status);
}

void training_losses(struct training *t, struct trainer *trainer, size_t steps, double *loss)
{
    for (size_t i = 0; i < steps; i++) {
        struct progress progress;
        t->backend->reset_progress(trainer);
        training_steps(t, trainer, 1);
        t->backend->poll(trainer, &progress);
        assert_true(progress.images > 0);
        loss[i] = progress.loss_sum / (double)progress.images;
    }
}

bool training_same_state(const struct trial_state *a, const struct trial_state *b)
{
    assert_true(a->parameters == b->parameters && a->buffers == b->buffers && a->slots == b->slots);
    return a->step == b->step && !memcmp(a->parameter, b->parameter, (size_t)a->parameters * sizeof(float)) &&
           !memcmp(a->buffer, b->buffer, (size_t)a->buffers * sizeof(float)) &&
           !memcmp(a->slot, b->slot, (size_t)(a->slots * a->parameters) * sizeof(float));
}
