#include "run/selftest.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"
#include "run/problem.h"
#include "train/trial.h"

enum { IMAGES = 640, SIDE = 12, PIXELS = SIDE * SIDE };

static const char configuration[] = "[study]\nname = doctor\ntrials = 1\n"
                                    "[data]\ndataset = made-up\n"
                                    "[space]\nunits = int 8..9\n"
                                    "[network]\n"
                                    "layer = conv channels=4 kernel=3 padding=same activation=relu\n"
                                    "layer = maxpool size=2\n"
                                    "layer = dense units=$units activation=relu\n"
                                    "layer = dense units=classes\n"
                                    "[training]\nlearning_rate = 0.01\nbatch_size = 32\nepochs = 2\n"
                                    "[objectives]\nval_accuracy = maximize\n";

/* Noise with a bright upper half (class 0) or lower half (class 1). */
static void draw(uint8_t *images, uint8_t *labels)
{
    struct rng rng = rng_create(1, 0, RANDOM_TEST, 0, 0);
    for (int i = 0; i < IMAGES; i++) {
        labels[i] = (uint8_t)(i % 2);
        for (int p = 0; p < PIXELS; p++) {
            int bright = (p >= PIXELS / 2) == labels[i] ? 96 : 0;
            images[i * PIXELS + p] = (uint8_t)((int)rng_below(&rng, 128) + bright);
        }
    }
}

static nr_status train(const struct study *study, const struct dataset *dataset, const struct backend *backend,
                       int number, struct log *log, double *accuracy)
{
    struct split *split;
    struct problem problem;
    struct plan *plan;
    struct recipe recipe;
    struct device *device;
    struct images *images;
    struct trial_result result = {0};
    double point[1] = {8};
    nr_status status = split_create(dataset, 1, 0.2, 1, log, &split);
    if (status != NR_OK)
        return status;
    problem_init(&problem, study, dataset->shape, dataset->classes, split->trainings);
    status = problem_plan(&problem, point, NULL, &plan, &recipe);
    if (status != NR_OK)
        goto err_split;
    status = backend->open(number, log, &device);
    if (status != NR_OK)
        goto err_plan;
    status = backend->upload(device, dataset, &images);
    if (status != NR_OK)
        goto err_device;
    struct trial_setup trial = {.backend = backend,
                                .device = device,
                                .images = images,
                                .split = split,
                                .plan = plan,
                                .recipe = &recipe,
                                .seed = 1,
                                .trial = 1};
    status = trial_run(&trial, log, &result);
    if (status == NR_OK)
        status = result.status;
    if (status == NR_OK)
        *accuracy = result.last.validation_accuracy;
    backend->unload(images);
err_device:
    backend->close(device);
err_plan:
    plan_destroy(plan);
err_split:
    split_destroy(split);
    return status;
}

nr_status selftest_training(const struct backend *backend, int number, struct log *log, double *accuracy)
{
    struct study *study;
    uint8_t *images = mem_array(IMAGES, PIXELS), *labels = mem_array(IMAGES, 1);
    nr_status status = images && labels ? NR_OK : log_no_memory(log, "the self-test");
    if (status == NR_OK)
        status = study_read_text(configuration, "doctor", NULL, 0, log, &study);
    if (status == NR_OK) {
        draw(images, labels);
        struct dataset dataset = {.name = "made-up",
                                  .shape = {1, SIDE, SIDE},
                                  .classes = 2,
                                  .count = IMAGES,
                                  .images = images,
                                  .labels = labels,
                                  .descriptor = -1};
        status = template_check(study, log);
        if (status == NR_OK)
            status = train(study, &dataset, backend, number, log, accuracy);
        study_destroy(study);
    }
    free(labels);
    free(images);
    return status;
}
