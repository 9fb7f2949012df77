/* Whole trials through train/trial.h, on the CPU and on the GPU: they learn as well, metric by metric; a trial that was
 * interrupted ends with the bits of one that was not. */
#include "support/gpu.h"

#include <unistd.h>

#include "train/trial.h"

enum { SEEDS = 5, EPOCHS = 4 };

/* data/tiny on a GPU; fewer and smaller images where that takes too long. */
struct study_data {
    struct dataset *dataset; /* NULL: of training.h */
    struct split *split;
};

static void layers(struct hand_plan *hand)
{
    hand_conv(hand, 6, 3, 1, 1, 1, false);
    hand_norm(hand);
    hand_act(hand, ACT_RELU);
    hand_pool(hand, OP_MAXPOOL, 2);
    hand_dropout(hand, 0.1);
    hand_dense(hand, 32);
    hand_act(hand, ACT_RELU);
    hand_dense(hand, (int64_t)hand->plan.classes);
}

static void load(struct study_data *data, struct training *training)
{
    training_create(training, 192, 1, 8);
    *data = (struct study_data){0};
    if (!gpu_is_slow()) {
        assert_ok(dataset_read("tiny", test_source("data/tiny"), DATASET_TRAIN, training->log, &data->dataset));
        assert_ok(split_create(data->dataset, 1, 0.2, 1, training->log, &data->split));
        free(training->pixels);
        free(training->labels);
        training->pixels = training->labels = NULL;
        training->dataset = *data->dataset;
        training->split = *data->split;
        hand_begin(&training->hand, data->dataset->shape.channels, data->dataset->shape.height, data->dataset->classes);
    }
    layers(&training->hand);
    training->recipe.epochs = EPOCHS;
    training->recipe.learning_rate = 2e-3;
    training->recipe.epoch_images = (gpu_is_slow() ? 1 : 5) * training->split.trainings;
    training->recipe.shift = 1;
}

static void unload(struct study_data *data, struct training *training)
{
    training_clear(training);
    if (data->dataset)
        dataset_destroy(data->dataset);
    if (data->split)
        split_destroy(data->split);
}

static struct trial_setup trial_setup(const struct training *training, uint32_t trial)
{
    return (struct trial_setup){.backend = training->backend,
                                .device = training->device,
                                .images = training->images,
                                .split = &training->split,
                                .plan = &training->hand.plan,
                                .recipe = &training->recipe,
                                .seed = training->seed,
                                .trial = trial};
}

/* Accuracies after the last epoch, one trial per seed. */
static void accuracies(const struct backend *backend, double accuracy[SEEDS], int64_t *validations)
{
    for (uint32_t trial = 0; trial < SEEDS; trial++) {
        struct study_data data;
        struct training training;
        struct trial_result result;
        load(&data, &training);
        training_open(&training, backend);
        const struct trial_setup setup = trial_setup(&training, trial);
        assert_ok(trial_run(&setup, training.log, &result));
        assert_int_equal(result.status, NR_OK);
        assert_int_equal(result.epochs, EPOCHS);
        accuracy[trial] = result.last.validation_accuracy;
        *validations = training.split.validations;
        unload(&data, &training);
    }
}

static void moments(const double values[SEEDS], double *mean, double *variance)
{
    *mean = *variance = 0;
    for (size_t i = 0; i < SEEDS; i++)
        *mean += values[i] / SEEDS;
    for (size_t i = 0; i < SEEDS; i++)
        *variance += (values[i] - *mean) * (values[i] - *mean) / (SEEDS - 1);
}

/* The same initial weights, images and masks: what differs is rounding, of which training makes as much as of another
 * seed. So the means over the seeds may differ by three standard errors of their difference, and by one image. */
static void learns_as_the_cpu_does(void **state)
{
    (void)state;
    double got[SEEDS], expected[SEEDS], mean, variance, cpu_mean, cpu_variance;
    int64_t validations;
    accuracies(gpu_backend(), got, &validations);
    accuracies(&cpu_backend, expected, &validations);
    moments(got, &mean, &variance);
    moments(expected, &cpu_mean, &cpu_variance);
    print_message("accuracy %.4f (deviation %.4f), CPU %.4f (%.4f), %d seeds\n", mean, sqrt(variance), cpu_mean,
                  sqrt(cpu_variance), SEEDS);
    assert_true(cpu_mean > 0.8); /* it learns */
    assert_near(mean, cpu_mean, 0, 3 * sqrt((variance + cpu_variance) / SEEDS) + 1 / (double)validations);
}

struct seen {
    struct epoch_metrics metrics[EPOCHS + 1];
    size_t count;
    int64_t stop_after;
};

static bool on_epoch(void *context, const struct epoch_metrics *metrics)
{
    struct seen *seen = context;
    assert_true(seen->count <= EPOCHS);
    seen->metrics[seen->count] = *metrics;
    seen->metrics[seen->count++].seconds = 0;
    return metrics->epoch != seen->stop_after;
}

static void run(struct training *training, const char *checkpoint, struct seen *seen)
{
    struct trial_result result;
    struct trial_setup setup = trial_setup(training, 9);
    setup.checkpoint = checkpoint;
    setup.on_epoch = on_epoch;
    setup.context = seen;
    seen->count = 0;
    assert_ok(trial_run(&setup, training->log, &result));
    assert_int_equal(result.status, NR_OK);
}

/* Ends in the checkpoint of an epoch, goes on in another process' place: a device that was opened anew. */
static void resumes_with_the_same_bits(void **state)
{
    (void)state;
    struct seen whole = {0}, first = {.stop_after = 2}, second = {0};
    struct study_data data;
    struct training training;
    char path[256];
    snprintf(path, sizeof path, "%s/trial", test_folder());
    load(&data, &training);
    training_open(&training, gpu_backend());
    run(&training, NULL, &whole);
    run(&training, path, &first);
    assert_int_equal(first.count, 2);
    unload(&data, &training);
    load(&data, &training);
    training_open(&training, gpu_backend());
    run(&training, path, &second);
    assert_int_equal(second.count, EPOCHS - 1); /* the second epoch is told again */
    assert_memory_equal(whole.metrics, first.metrics, 2 * sizeof *whole.metrics);
    assert_memory_equal(whole.metrics + 1, second.metrics, (EPOCHS - 1) * sizeof *whole.metrics);
    unload(&data, &training);
    unlink(path);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(learns_as_the_cpu_does),
    cmocka_unit_test(resumes_with_the_same_bits),
};

GPU_MAIN(cases)
