/* nasrun bench train: seconds per epoch of four networks on this machine, one core, synthetic data in memory. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"
#include "cli/cli.h"
#include "train/backend.h"
#include "train/cpu/engine.h"

enum { IMAGES = 60000, SIDE = 28, CLASSES = 10, LEAST_CHUNKS = 3, MOST_CHUNKS = 4096, CHUNK_IMAGES = 1280 };

struct bench {
    const char *name;
    int64_t batch;
    double seconds; /* measured for so long */
    const char *network;
};

static const struct bench benches[] = {
    {"mlp-s", 64, 6,
     "layer = dense units=128 activation=relu\n"
     "layer = dropout rate=0.2\n"
     "layer = dense units=64 activation=relu\n"
     "layer = dropout rate=0.2\n"
     "layer = dense units=classes\n"},
    {"mlp-l", 256, 9,
     "layer = dense units=512 activation=relu\n"
     "layer = dense units=512 activation=relu\n"
     "layer = dense units=classes\n"},
    {"lenet", 128, 8,
     "layer = conv channels=6 kernel=5 padding=2 activation=relu\n"
     "layer = avgpool size=2\n"
     "layer = conv channels=16 kernel=5 activation=relu\n"
     "layer = avgpool size=2\n"
     "layer = dense units=120 activation=relu\n"
     "layer = dense units=84 activation=relu\n"
     "layer = dense units=classes\n"},
    {"cnn", 128, 16,
     "layer = conv channels=32 kernel=3 padding=same bias=no\n"
     "layer = batchnorm\n"
     "layer = activation kind=relu\n"
     "layer = maxpool size=2\n"
     "layer = conv channels=64 kernel=3 padding=same bias=no\n"
     "layer = batchnorm\n"
     "layer = activation kind=relu\n"
     "layer = maxpool size=2\n"
     "layer = dense units=128 activation=relu\n"
     "layer = dense units=classes\n"},
};
enum { BENCHES = sizeof benches / sizeof *benches };

/* Images that can be learnt: the label decides which rows are bright. */
struct data {
    uint8_t *pixels, *labels;
    uint32_t *indices;
    float mean[1], deviation[1];
    struct dataset dataset;
    struct split split;
};

static nr_status data_create(struct data *data)
{
    struct rng rng = rng_create(1, 0, RANDOM_TEST, 0, 0);
    *data = (struct data){.mean = {0.15f}, .deviation = {0.3f}};
    data->pixels = mem_array(IMAGES, SIDE * SIDE);
    data->labels = mem_array(IMAGES, 1);
    data->indices = mem_array(IMAGES, sizeof *data->indices);
    if (!data->pixels || !data->labels || !data->indices)
        return NR_NO_MEMORY;
    for (uint32_t i = 0; i < IMAGES; i++) {
        data->indices[i] = i;
        data->labels[i] = (uint8_t)rng_below(&rng, CLASSES);
        for (size_t pixel = 0; pixel < SIDE * SIDE; pixel += 4) {
            uint32_t word = rng_word(&rng), noise = rng_word(&rng);
            bool bright = pixel / SIDE / 3 == data->labels[i];
            for (size_t j = 0; j < 4; j++, word >>= 8, noise >>= 8)
                if ((noise & 7) == 0 || (bright && (noise & 8)))
                    data->pixels[i * SIDE * SIDE + pixel + j] = (uint8_t)word;
        }
    }
    data->dataset = (struct dataset){
        .shape = {1, SIDE, SIDE}, .classes = CLASSES, .count = IMAGES, .images = data->pixels, .labels = data->labels};
    data->split = (struct split){.training = data->indices,
                                 .trainings = IMAGES,
                                 .mean = data->mean,
                                 .deviation = data->deviation,
                                 .channels = 1};
    return NR_OK;
}

static void data_clear(struct data *data)
{
    free(data->pixels);
    free(data->labels);
    free(data->indices);
}

static nr_status build(const struct bench *bench, struct log *log, struct study **study, struct plan **plan,
                       struct recipe *recipe)
{
    struct text text = {0}, reason = {0};
    text_format(&text,
                "[study]\nname = bench\ntrials = 1\n[data]\ndataset = synthetic\n[space]\nrate = real 1e-4..1e-2\n"
                "[network]\n%s[training]\noptimizer = adam\nlearning_rate = $rate\n"
                "batch_size = %lld\nepochs = 1\n[objectives]\nval_accuracy = maximize\n[search]\nmethod = random\n",
                bench->network, (long long)bench->batch);
    nr_status status = text.failed ? NR_NO_MEMORY : study_read_text(text.data, bench->name, NULL, 0, log, study);
    text_clear(&text);
    if (status)
        return status;
    const double point[1] = {1e-3}; /* the learning rate: a space has one parameter at least */
    status = plan_build(*study, point, (struct shape){1, SIDE, SIDE}, CLASSES, &reason, plan);
    if (status) {
        log_error(log, "bench %s: %s", bench->name, reason.data ? reason.data : status_text(status));
        study_destroy(*study);
    } else {
        recipe_from_point(*study, point, IMAGES, recipe);
    }
    text_clear(&reason);
    return status;
}

/* Floating-point operations of the matrix products of one image's training: forward, gradient of weights, gradient of
 * the input but for the layers that read the image. */
static double flops_per_image(const struct plan *plan)
{
    double flops = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_layer *layer = &plan->layer[i];
        if (layer->kind != OP_DENSE && layer->kind != OP_CONV)
            continue;
        double positions = layer->kind == OP_CONV ? (double)(layer->out.height * layer->out.width) : 1;
        flops += (layer->input == PLAN_INPUT ? 4 : 6) * (double)layer->weights * positions;
    }
    return flops;
}

static int ascending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Seconds for `IMAGES` images: the lower quartile of chunks, since whatever else runs on the machine only adds. */
static nr_status measure(const struct backend *backend, struct trainer *trainer, const struct bench *bench, double *out)
{
    double chunk[MOST_CHUNKS];
    int64_t steps = CHUNK_IMAGES / bench->batch;
    size_t count = 0;
    struct progress progress;
    nr_status status = backend->submit(trainer, steps); /* warm up */
    double end = clock_monotonic() + bench->seconds;
    while (status == NR_OK && count < MOST_CHUNKS && (count < LEAST_CHUNKS || clock_monotonic() < end)) {
        double start = clock_monotonic();
        status = backend->submit(trainer, steps);
        backend->poll(trainer, &progress);
        chunk[count++] = clock_monotonic() - start;
        if (status == NR_OK)
            status = progress.status;
    }
    qsort(chunk, count, sizeof *chunk, ascending);
    *out = chunk[count / 4] * IMAGES / (double)(steps * bench->batch);
    return status;
}

static nr_status run(const struct backend *backend, struct device *device, struct images *images,
                     const struct data *data, const struct bench *bench, struct log *log, double *seconds,
                     double *flops)
{
    struct study *study;
    struct plan *plan;
    struct recipe recipe;
    struct trainer *trainer;
    nr_status status = build(bench, log, &study, &plan, &recipe);
    if (status)
        return status;
    const struct trainer_setup setup = {.plan = plan, .recipe = &recipe, .split = &data->split, .seed = 1};
    *flops = flops_per_image(plan) * IMAGES;
    status = backend->create(device, images, &setup, &trainer);
    if (status == NR_OK) {
        status = measure(backend, trainer, bench, seconds);
        backend->destroy(trainer);
    }
    plan_destroy(plan);
    study_destroy(study);
    return status;
}

static nr_status add_columns(struct table *table)
{
    nr_status status = table_add_column(table, "network", NULL, COLUMN_TEXT, 0, false);
    if (status == NR_OK)
        status = table_add_column(table, "batch", NULL, COLUMN_INT, 0, false);
    if (status == NR_OK)
        status = table_add_column(table, "device", NULL, COLUMN_TEXT, 0, false);
    if (status == NR_OK)
        status = table_add_column(table, "seconds_per_epoch", NULL, COLUMN_REAL, 3, false);
    if (status == NR_OK)
        status = table_add_column(table, "share_of_peak", NULL, COLUMN_REAL, 2, false);
    return status;
}

static nr_status add_row(struct table *table, const struct bench *bench, const char *device, double seconds,
                         double share)
{
    nr_status status = table_add_row(table);
    if (status == NR_OK)
        status = table_set_text(table, 0, bench->name);
    if (status == NR_OK)
        status = table_set_int(table, 1, bench->batch);
    if (status == NR_OK)
        status = table_set_text(table, 2, device);
    if (status == NR_OK)
        status = table_set_real(table, 3, seconds);
    if (status == NR_OK)
        status = table_set_real(table, 4, share);
    return status;
}

static nr_status fill(struct table *table, struct device *device, const struct data *data, struct log *log)
{
    struct images *images;
    struct text description = {0};
    const struct cpu_engine *engine = cpu_engine_choose(PRECISION_FLOAT32);
    nr_status status = cpu_backend.upload(device, &data->dataset, &images);
    if (status)
        return status;
    cpu_backend.describe(device, &description);
    status = description.failed ? log_no_memory(log, "measuring") : add_columns(table);
    for (size_t i = 0; i < BENCHES && status == NR_OK; i++) {
        double seconds, flops, peak = engine->peak(0.5);
        status = run(&cpu_backend, device, images, data, &benches[i], log, &seconds, &flops);
        if (status == NR_OK)
            status = add_row(table, &benches[i], description.data, seconds, flops / seconds / peak);
    }
    text_clear(&description);
    cpu_backend.unload(images);
    return status;
}

nr_status command_bench(struct cli *cli)
{
    struct data data;
    struct device *device;
    struct table *table = NULL;
    if (strcmp(cli->argument[0], "train")) {
        log_error(cli->log, "bench: \"%s\" is no benchmark; expected: train", cli->argument[0]);
        return NR_INVALID;
    }
    if (cli->device && strcmp(cli->device, cpu_backend.name)) {
        log_error(cli->log, "bench: the device \"%s\" is unknown; expected: %s", cli->device, cpu_backend.name);
        return NR_INVALID;
    }
    nr_status status = cpu_backend.open(0, cli->log, &device);
    if (status)
        return status;
    status = data_create(&data);
    if (status == NR_OK)
        status = table_create(&table);
    if (status)
        log_error(cli->log, "out of memory while preparing %d images", IMAGES);
    else
        status = fill(table, device, &data, cli->log);
    if (status == NR_OK)
        status = table_write(table, cli->format, cli->out);
    table_destroy(table);
    data_clear(&data);
    cpu_backend.close(device);
    return status;
}
