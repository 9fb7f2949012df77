/* The loop against a backend made for this test: its "training" is a few lines of arithmetic that depend on every step
 * before, so that a step lost, repeated or out of order shows in the weights. */
#include "support/test.h"

#include <unistd.h>

#include "base/file.h"
#include "train/checkpoint.h"
#include "train/trial.h"

enum { IMAGES = 50, BATCH = 8, STEPS_PER_EPOCH = 7, EPOCHS = 5, VALIDATIONS = 10 };

static const char configuration[] = "[study]\nname = t\ntrials = 1\n[data]\ndataset = tiny\n[space]\n"
                                    "h = int 3..4\n[network]\nlayer = dense units=$h activation=relu\n"
                                    "layer = batchnorm\nlayer = dense units=classes\n"
                                    "[objectives]\nval_accuracy = maximize\n";

/* What the fake device counts and what it is told to do. */
struct device {
    int64_t steps, epochs_evaluated, portions;
    int64_t fail_at; /* step, -1: never */
    nr_status failure;
    double loss; /* of every image, added to the trainer's own */
    int polls;   /* that a portion takes; 0: submit() does it all and is busy for one poll, -1: no portion ever ends */
    int in_flight, most_in_flight;
    int ranks; /* expected of the trainer's setup */
    int created;
};

struct trainer {
    struct device *device;
    int64_t portion[8]; /* in flight, where portions take their time */
    int polled;
    const struct plan *plan;
    struct trial_state state;
    struct progress progress;
};

static nr_status fake_create(struct device *device, struct images *images, const struct trainer_setup *setup,
                             struct trainer **out)
{
    (void)images;
    struct trainer *trainer = calloc(1, sizeof *trainer);
    trainer->device = device;
    trainer->plan = setup->plan;
    assert_ok(trial_state_create(setup->plan, recipe_optimizer_slots(setup->recipe), &trainer->state));
    trial_state_initialise(&trainer->state, setup->plan, setup->recipe, setup->seed, setup->trial);
    assert_int_equal(setup->ranks, device->ranks ? device->ranks : 1);
    device->created++;
    *out = trainer;
    return NR_OK;
}

static void fake_destroy(struct trainer *trainer)
{
    trial_state_clear(&trainer->state);
    free(trainer);
}

static void fake_step(struct trainer *trainer)
{
    struct trial_state *state = &trainer->state;
    int64_t in_epoch = state->step % STEPS_PER_EPOCH;
    int64_t images = in_epoch == STEPS_PER_EPOCH - 1 ? IMAGES - (STEPS_PER_EPOCH - 1) * BATCH : BATCH;
    for (int64_t i = 0; i < state->parameters; i++) {
        for (int64_t k = 0; k < state->slots; k++)
            state->slot[k * state->parameters + i] += state->parameter[i] * (float)(k + 1);
        state->parameter[i] =
            state->parameter[i] * 0.9f + 0.01f * (float)(state->step % 5) + (state->slots ? 1e-3f * state->slot[i] : 0);
    }
    for (int64_t i = 0; i < state->buffers; i++)
        state->buffer[i] = state->buffer[i] * 0.5f + state->parameter[0];
    trainer->progress.loss_sum += (double)images * (fabs((double)state->parameter[1]) + trainer->device->loss);
    trainer->progress.images += images;
    trainer->progress.step = ++state->step;
    trainer->device->steps++;
}

static void do_steps(struct trainer *trainer, int64_t steps)
{
    for (int64_t i = 0; i < steps && trainer->progress.status == NR_OK; i++) {
        if (trainer->state.step == trainer->device->fail_at) {
            trainer->progress.status = trainer->device->failure;
            trainer->progress.failed_at = trainer->state.step;
            break;
        }
        fake_step(trainer);
    }
}

static nr_status fake_submit(struct trainer *trainer, int64_t steps)
{
    struct device *device = trainer->device;
    device->portions++;
    if (device->polls) {
        trainer->portion[device->in_flight++] = steps;
        if (device->in_flight > device->most_in_flight)
            device->most_in_flight = device->in_flight;
    } else {
        do_steps(trainer, steps);
    }
    trainer->progress.busy = true; /* for one poll at least */
    return NR_OK;
}

static void fake_poll(struct trainer *trainer, struct progress *out)
{
    struct device *device = trainer->device;
    if (device->in_flight && ++trainer->polled == device->polls) {
        trainer->polled = 0;
        do_steps(trainer, trainer->portion[0]);
        memmove(trainer->portion, trainer->portion + 1, sizeof trainer->portion - sizeof *trainer->portion);
        device->in_flight--;
    }
    if (device->polls)
        trainer->progress.busy = device->in_flight > 0;
    *out = trainer->progress;
    trainer->progress.busy = false;
}

static void fake_reset(struct trainer *trainer)
{
    trainer->progress.loss_sum = 0;
    trainer->progress.images = 0;
}

static nr_status fake_evaluate(struct trainer *trainer, const struct images *images, const uint32_t *indices,
                               int64_t count, struct evaluation *out)
{
    (void)images;
    assert_non_null(indices);
    int64_t epoch = trainer->state.step / STEPS_PER_EPOCH;
    static const int64_t correct[] = {0, 4, 8, 6, 8, 7}; /* by epoch: the best is the second */
    trainer->device->epochs_evaluated++;
    *out = (struct evaluation){
        .images = count, .correct = correct[epoch], .loss_sum = (double)count / (double)epoch + trainer->device->loss};
    return NR_OK;
}

static nr_status fake_read(struct trainer *trainer, struct trial_state *out)
{
    assert_ok(trial_state_create(trainer->plan, trainer->state.slots, out));
    out->step = trainer->state.step;
    memcpy(out->parameter, trainer->state.parameter, (size_t)out->parameters * sizeof(float));
    memcpy(out->buffer, trainer->state.buffer, (size_t)out->buffers * sizeof(float));
    memcpy(out->slot, trainer->state.slot, (size_t)(out->slots * out->parameters) * sizeof(float));
    return NR_OK;
}

static nr_status fake_write(struct trainer *trainer, const struct trial_state *state)
{
    trainer->progress.step = trainer->state.step = state->step;
    memcpy(trainer->state.parameter, state->parameter, (size_t)state->parameters * sizeof(float));
    memcpy(trainer->state.buffer, state->buffer, (size_t)state->buffers * sizeof(float));
    memcpy(trainer->state.slot, state->slot, (size_t)(state->slots * state->parameters) * sizeof(float));
    return NR_OK;
}

static const struct backend fake = {.name = "fake",
                                    .create = fake_create,
                                    .destroy = fake_destroy,
                                    .submit = fake_submit,
                                    .poll = fake_poll,
                                    .reset_progress = fake_reset,
                                    .evaluate = fake_evaluate,
                                    .read_state = fake_read,
                                    .write_state = fake_write};

struct scene {
    struct study *study;
    struct plan *plan;
    struct recipe recipe;
    struct split split;
    struct device device;
    struct log *log;
    char path[256];
    struct trial_setup setup;
    struct epoch_metrics seen[64];
    size_t seen_count;
    int64_t stop_after_epoch; /* on_epoch says no; -1: never */
    int64_t started_from;     /* what on_start was told */
    bool refuse_start;        /* what it says */
};

static bool on_epoch(void *context, const struct epoch_metrics *metrics)
{
    struct scene *scene = context;
    assert_true(scene->seen_count < 64);
    scene->seen[scene->seen_count++] = *metrics;
    assert_true(!scene->setup.checkpoint || scene->setup.checkpoint_interval > 0 ||
                file_exists(scene->setup.checkpoint));
    return metrics->epoch != scene->stop_after_epoch;
}

static void scene_reset(struct scene *scene)
{
    scene->device = (struct device){.fail_at = -1};
    scene->seen_count = 0;
    scene->stop_after_epoch = -1;
}

static int set_up(void **state)
{
    static uint32_t validation[VALIDATIONS] = {1, 2, 3};
    static float mean[1] = {0.25f}, deviation[1] = {0.5f};
    struct scene *scene = calloc(1, sizeof *scene);
    const double point[1] = {3};
    scene->log = test_log();
    assert_ok(study_read_text(configuration, "t.ini", NULL, 0, scene->log, &scene->study));
    assert_ok(plan_build(scene->study, point, (struct shape){1, 4, 4}, 3, NULL, &scene->plan));
    scene->recipe = (struct recipe){.optimizer = OPTIMIZER_ADAM,
                                    .learning_rate = 0.5,
                                    .batch_size = BATCH,
                                    .epochs = EPOCHS,
                                    .epoch_images = IMAGES};
    scene->split = (struct split){
        .validation = validation, .validations = VALIDATIONS, .mean = mean, .deviation = deviation, .channels = 1};
    snprintf(scene->path, sizeof scene->path, "%s/trial.safetensors", test_folder());
    unlink(scene->path);
    scene_reset(scene);
    scene->setup = (struct trial_setup){.backend = &fake,
                                        .device = &scene->device,
                                        .split = &scene->split,
                                        .plan = scene->plan,
                                        .recipe = &scene->recipe,
                                        .seed = 11,
                                        .trial = 4,
                                        .checkpoint = scene->path,
                                        .on_epoch = on_epoch,
                                        .context = scene};
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    plan_destroy(scene->plan);
    study_destroy(scene->study);
    log_destroy(scene->log);
    free(scene);
    return 0;
}

/* The weights that the checkpoint holds, copied; the caller frees. */
static float *final_weights(struct scene *scene)
{
    struct checkpoint checkpoint;
    assert_ok(checkpoint_read(scene->path, scene->plan, 2, scene->log, &checkpoint));
    assert_int_equal(checkpoint.epochs, EPOCHS);
    assert_int_equal(checkpoint.state.step, EPOCHS * STEPS_PER_EPOCH);
    float *weights = malloc((size_t)checkpoint.state.parameters * sizeof *weights);
    memcpy(weights, checkpoint.state.parameter, (size_t)checkpoint.state.parameters * sizeof *weights);
    checkpoint_clear(&checkpoint);
    return weights;
}

static float *undisturbed(struct scene *scene, struct trial_result *result)
{
    assert_ok(trial_run(&scene->setup, scene->log, result));
    assert_int_equal(result->status, NR_OK);
    float *weights = final_weights(scene);
    unlink(scene->path);
    scene_reset(scene);
    return weights;
}

static void assert_same_metrics(const struct epoch_metrics *a, const struct epoch_metrics *b)
{
    assert_int_equal(a->epoch, b->epoch);
    assert_near(a->train_loss, b->train_loss, 0, 0);
    assert_near(a->validation_loss, b->validation_loss, 0, 0);
    assert_near(a->validation_accuracy, b->validation_accuracy, 0, 0);
    assert_near(a->learning_rate, b->learning_rate, 0, 0);
}

static void runs_all_epochs(void **state)
{
    struct scene *scene = *state;
    struct trial_result result;
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    assert_int_equal(result.status, NR_OK);
    assert_string_equal(result.cause, "");
    assert_int_equal(result.epochs, EPOCHS);
    assert_int_equal(scene->device.steps, EPOCHS * STEPS_PER_EPOCH);
    assert_int_equal(scene->device.epochs_evaluated, EPOCHS);
    assert_int_equal(scene->seen_count, EPOCHS);
    assert_int_equal(result.last.epoch, EPOCHS);
    assert_near(result.last.validation_accuracy, 0.7, 1e-15, 0);
    assert_near(result.last.validation_loss, 0.2, 1e-15, 0);
    assert_near(result.last.learning_rate, 0.5, 0, 0);
    assert_int_equal(result.best.epoch, 2); /* the first of two equals */
    assert_near(result.best.validation_accuracy, 0.8, 1e-15, 0);
    assert_true(result.last.seconds >= 0 && result.last.seconds < 60);
}

static void works_without_callbacks_and_checkpoint(void **state)
{
    struct scene *scene = *state;
    struct trial_result result;
    scene->setup.checkpoint = NULL;
    scene->setup.on_epoch = NULL;
    assert_ok(trial_run(&scene->setup, NULL, &result));
    assert_int_equal(result.epochs, EPOCHS);
    assert_false(file_exists(scene->path));
}

/* Cut off at every step in turn, then run again: the same weights and metrics, and no finished epoch trained twice. */
static void resumes_with_the_same_bits(void **state)
{
    struct scene *scene = *state;
    struct trial_result whole, first, second;
    float *expected = undisturbed(scene, &whole);
    size_t bytes = (size_t)scene->plan->parameters * sizeof *expected;
    for (int64_t cut = 0; cut < EPOCHS * STEPS_PER_EPOCH; cut++) {
        scene_reset(scene);
        scene->device.fail_at = cut;
        scene->device.failure = NR_DEVICE;
        assert_ok(trial_run(&scene->setup, scene->log, &first));
        assert_int_equal(first.status, NR_DEVICE);
        int64_t kept = cut / STEPS_PER_EPOCH;
        assert_int_equal(first.epochs, kept);
        assert_int_equal(scene->seen_count, kept);
        scene_reset(scene);
        assert_ok(trial_run(&scene->setup, scene->log, &second));
        assert_int_equal(second.status, NR_OK);
        assert_int_equal(scene->device.steps, (EPOCHS - kept) * STEPS_PER_EPOCH);
        assert_int_equal(scene->seen_count, EPOCHS - kept + (kept > 0)); /* the last one is told again */
        if (kept > 0)
            assert_same_metrics(&scene->seen[0], &first.last);
        assert_same_metrics(&second.last, &whole.last);
        assert_same_metrics(&second.best, &whole.best);
        float *weights = final_weights(scene);
        assert_memory_equal(weights, expected, bytes);
        free(weights);
        unlink(scene->path);
    }
    free(expected);
}

/* Advances until so many steps are done, then ends it. */
static void run_until(struct scene *scene, int64_t steps, struct trial_result *result)
{
    struct trial *trial;
    assert_ok(trial_begin(&scene->setup, scene->log, result, &trial));
    while (scene->device.steps < steps)
        assert_int_not_equal(trial_advance(trial), TRIAL_ENDED);
    trial_end(trial);
}

/* Epochs that end within the interval leave no checkpoint but the last: a trial that is cut off then starts anew. */
static void spares_checkpoints(void **state)
{
    struct scene *scene = *state;
    struct trial_result whole, result;
    float *expected = undisturbed(scene, &whole);
    scene->setup.checkpoint_interval = 3600;
    run_until(scene, 3 * STEPS_PER_EPOCH, &result);
    assert_false(file_exists(scene->path));
    scene_reset(scene);
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    assert_int_equal(scene->device.steps, EPOCHS * STEPS_PER_EPOCH);
    float *weights = final_weights(scene);
    assert_memory_equal(weights, expected, (size_t)scene->plan->parameters * sizeof *weights);
    free(weights);
    free(expected);
}

static void stops_at_once_when_asked(void **state)
{
    struct scene *scene = *state;
    struct trial_result whole, result;
    float *expected = undisturbed(scene, &whole);
    run_until(scene, 0, &result);
    assert_int_equal(result.status, NR_INTERRUPTED);
    assert_string_equal(result.cause, "interrupted in epoch 1");
    assert_int_equal(scene->device.steps, 0);
    assert_false(file_exists(scene->path));
    run_until(scene, STEPS_PER_EPOCH + 1, &result);
    assert_int_equal(result.status, NR_INTERRUPTED);
    assert_true(result.epochs >= 1 && result.epochs < EPOCHS);
    scene_reset(scene);
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    assert_same_metrics(&result.last, &whole.last);
    float *weights = final_weights(scene);
    assert_memory_equal(weights, expected, (size_t)scene->plan->parameters * sizeof *weights);
    free(weights);
    free(expected);
}

static void a_finished_trial_is_not_trained_again(void **state)
{
    struct scene *scene = *state;
    struct trial_result first, second;
    assert_ok(trial_run(&scene->setup, scene->log, &first));
    scene_reset(scene);
    assert_ok(trial_run(&scene->setup, scene->log, &second));
    assert_int_equal(second.status, NR_OK);
    assert_int_equal(scene->device.steps, 0);
    assert_int_equal(scene->seen_count, 1);
    assert_int_equal(second.epochs, EPOCHS);
    assert_same_metrics(&second.last, &first.last);
    assert_same_metrics(&second.best, &first.best);
}

static void stops_early_when_told(void **state)
{
    struct scene *scene = *state;
    struct trial_result result;
    scene->stop_after_epoch = 3;
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    assert_int_equal(result.status, NR_OK);
    assert_int_equal(result.epochs, 3);
    assert_int_equal(scene->device.steps, 3 * STEPS_PER_EPOCH);
    scene->device.steps = 0; /* asked again after a resume, the answer is the same */
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    assert_int_equal(result.epochs, 3);
    assert_int_equal(scene->device.steps, 0);
}

static void names_the_step_of_a_divergence(void **state)
{
    struct scene *scene = *state;
    struct trial_result result;
    scene->device.fail_at = 2 * STEPS_PER_EPOCH + 3;
    scene->device.failure = NR_DIVERGED;
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    assert_int_equal(result.status, NR_DIVERGED);
    assert_string_equal(result.cause, "loss or gradient not finite at step 17 (epoch 3)");
    assert_int_equal(result.epochs, 2);
    assert_int_equal(result.last.epoch, 2);
    scene_reset(scene); /* resumed from epoch 2: the same step, the same cause */
    scene->device.fail_at = 2 * STEPS_PER_EPOCH + 3;
    scene->device.failure = NR_DIVERGED;
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    assert_string_equal(result.cause, "loss or gradient not finite at step 17 (epoch 3)");
    assert_int_equal(scene->device.steps, 3);
}

static void other_failures_keep_their_status(void **state)
{
    struct scene *scene = *state;
    struct trial_result result;
    scene->device.fail_at = 0;
    scene->device.failure = NR_DEVICE;
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    assert_int_equal(result.status, NR_DEVICE);
    assert_string_equal(result.cause, "a device failed at step 0 (epoch 1)");
}

static void a_huge_loss_is_a_divergence(void **state)
{
    struct scene *scene = *state;
    struct trial_result result;
    scene->device.loss = 2 * TRIAL_MOST_LOSS;
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    assert_int_equal(result.status, NR_DIVERGED);
    assert_string_equal(result.cause, "the training loss is 2e+06 after epoch 1, beyond 1e+06");
    assert_int_equal(result.epochs, 0);
    scene->device.loss = NAN;
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    assert_int_equal(result.status, NR_DIVERGED);
}

static void starts_anew_without_a_usable_checkpoint(void **state)
{
    struct scene *scene = *state;
    struct trial_result result;
    float *expected = undisturbed(scene, &result);
    scene->stop_after_epoch = 2;
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    char *content;
    size_t length;
    assert_ok(file_read(scene->path, NULL, &content, &length));
    content[length - 3] ^= 1;
    assert_ok(file_replace(scene->path, content, length, false, NULL));
    free(content);
    scene_reset(scene);
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    test_log_has(scene->log, "trial 4 starts anew: ");
    assert_int_equal(result.status, NR_OK);
    assert_int_equal(scene->device.steps, EPOCHS * STEPS_PER_EPOCH);
    float *weights = final_weights(scene);
    assert_memory_equal(weights, expected, (size_t)scene->plan->parameters * sizeof *weights);
    free(weights);
    free(expected);
}

static void a_checkpoint_that_cannot_be_written_ends_it(void **state)
{
    struct scene *scene = *state;
    struct trial_result result;
    scene->setup.on_epoch = NULL;
    scene->setup.checkpoint = "/nonexistent/folder/trial.safetensors";
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    assert_int_equal(result.status, NR_IO);
    assert_string_equal(result.cause, "a file or folder failed while the checkpoint of epoch 1 was written");
    test_log_has(scene->log, "/nonexistent/folder/trial.safetensors: cannot be written");
}

/* A device that takes its time is given the next portion before it is done with the last, never a third, and not the
 * next epoch's before this one is measured; what comes out is the same. */
static void keeps_two_portions_in_flight(void **state)
{
    struct scene *scene = *state;
    struct trial_result whole, result;
    float *expected = undisturbed(scene, &whole);
    for (int polls = 2; polls < 5; polls++) {
        scene_reset(scene);
        scene->device.polls = polls;
        assert_ok(trial_run(&scene->setup, scene->log, &result));
        assert_int_equal(result.status, NR_OK);
        assert_int_equal(scene->device.most_in_flight, 2);
        assert_same_metrics(&result.last, &whole.last);
        float *weights = final_weights(scene);
        assert_memory_equal(weights, expected, (size_t)scene->plan->parameters * sizeof *weights);
        free(weights);
        unlink(scene->path);
    }
    free(expected);
}

static void gives_up_a_device_that_hangs(void **state)
{
    struct scene *scene = *state;
    struct trial_result result;
    scene->device.polls = -1;
    scene->setup.patience = 0.02;
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    assert_int_equal(result.status, NR_DEVICE);
    assert_string_equal(result.cause, "no step finished for 0 s after step 0 (epoch 1)");
}

static bool note_start(void *context, int64_t epochs)
{
    struct scene *scene = context;
    assert_int_equal(scene->device.created, 0);
    scene->started_from = epochs;
    return !scene->refuse_start;
}

/* Rank 0 tells where it starts from, before its trainer is made; the others start there or not at all, and write
 * nothing. */
static void ranks_agree_on_the_start(void **state)
{
    struct scene *scene = *state;
    struct trial_result result;
    scene->stop_after_epoch = 2;
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    scene_reset(scene);
    scene->setup.on_start = note_start;
    scene->refuse_start = true;
    assert_int_equal(trial_run(&scene->setup, scene->log, &result), NR_INTERRUPTED);
    assert_int_equal(result.status, NR_INTERRUPTED);
    assert_int_equal(scene->started_from, 2);
    assert_int_equal(scene->device.created, 0);
    scene->setup.on_start = NULL;
    scene->setup.rank = 1;
    scene->setup.ranks = scene->device.ranks = 2;
    scene->setup.follows = true;
    scene->setup.from = 3;
    assert_int_equal(trial_run(&scene->setup, scene->log, &result), NR_IO);
    assert_string_equal(result.cause, "rank 1 finds a checkpoint of 2 epochs where rank 0 has one of 3");
    scene->setup.from = 2;
    char *before, *after;
    size_t length;
    assert_ok(file_read(scene->path, NULL, &before, &length));
    assert_ok(trial_run(&scene->setup, scene->log, &result));
    assert_int_equal(result.epochs, EPOCHS);
    assert_int_equal(scene->device.steps, (EPOCHS - 2) * STEPS_PER_EPOCH);
    assert_ok(file_read(scene->path, NULL, &after, NULL));
    assert_memory_equal(after, before, length);
    free(after);
    free(before);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
static const struct CMUnitTest cases[] = {
    CASE(runs_all_epochs),
    CASE(works_without_callbacks_and_checkpoint),
    CASE(resumes_with_the_same_bits),
    CASE(stops_at_once_when_asked),
    CASE(spares_checkpoints),
    CASE(a_finished_trial_is_not_trained_again),
    CASE(stops_early_when_told),
    CASE(names_the_step_of_a_divergence),
    CASE(other_failures_keep_their_status),
    CASE(a_huge_loss_is_a_divergence),
    CASE(starts_anew_without_a_usable_checkpoint),
    CASE(a_checkpoint_that_cannot_be_written_ends_it),
    CASE(keeps_two_portions_in_flight),
    CASE(gives_up_a_device_that_hangs),
    CASE(ranks_agree_on_the_start),
};
TEST_MAIN(cases)
