/* The networks and the images of `nasrun bench`. tools/bench/networks has the same four as configurations. */
#include "bench/training.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"

const struct bench_network bench_networks[BENCH_NETWORKS] = {
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

enum { PIXELS = BENCH_SIDE * BENCH_SIDE, EPOCHS = 64 /* more than are measured */ };

static void draw_image(struct rng *rng, uint8_t label, uint8_t *pixels)
{
    for (size_t pixel = 0; pixel < PIXELS; pixel += 4) {
        uint32_t word = rng_word(rng), noise = rng_word(rng);
        bool bright = pixel / BENCH_SIDE / 3 == label;
        for (size_t i = 0; i < 4; i++, word >>= 8, noise >>= 8)
            if ((noise & 7) == 0 || (bright && (noise & 8)))
                pixels[pixel + i] = (uint8_t)word;
    }
}

nr_status bench_data_create(int64_t images, struct log *log, struct bench_data *out)
{
    struct rng rng = rng_create(1, 0, RANDOM_TEST, 0, 0);
    *out = (struct bench_data){.mean = {0.15f}, .deviation = {0.3f}};
    out->pixels = mem_array((size_t)images, PIXELS);
    out->labels = mem_array((size_t)images, 1);
    out->indices = mem_array((size_t)images, sizeof *out->indices);
    if (!out->pixels || !out->labels || !out->indices) {
        bench_data_clear(out);
        return log_no_memory(log, "drawing images");
    }
    for (int64_t i = 0; i < images; i++) {
        out->indices[i] = (uint32_t)i;
        out->labels[i] = (uint8_t)rng_below(&rng, BENCH_CLASSES);
        draw_image(&rng, out->labels[i], out->pixels + i * PIXELS);
    }
    out->dataset = (struct dataset){.shape = {1, BENCH_SIDE, BENCH_SIDE},
                                    .classes = BENCH_CLASSES,
                                    .count = images,
                                    .images = out->pixels,
                                    .labels = out->labels};
    out->split = (struct split){
        .training = out->indices, .trainings = images, .mean = out->mean, .deviation = out->deviation, .channels = 1};
    return NR_OK;
}

void bench_data_clear(struct bench_data *data)
{
    free(data->pixels);
    free(data->labels);
    free(data->indices);
    *data = (struct bench_data){0};
}

/* Forward, gradient of the weights, and of the input but for layers that read the image. */
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

static nr_status read_study(const struct bench_network *network, struct log *log, struct study **out)
{
    struct text text = {0};
    text_format(&text,
                "[study]\nname = bench\ntrials = 1\n[data]\ndataset = synthetic\n[space]\nrate = real 1e-4..1e-2\n"
                "[network]\n%s[training]\noptimizer = adam\nlearning_rate = $rate\n"
                "batch_size = %lld\nepochs = %d\n[objectives]\nval_accuracy = maximize\n[search]\nmethod = random\n",
                network->layers, (long long)network->batch, EPOCHS);
    nr_status status =
        text.failed ? log_no_memory(log, "preparing") : study_read_text(text.data, network->name, NULL, 0, log, out);
    text_clear(&text);
    return status;
}

nr_status bench_candidate_create(const struct bench_network *network, int64_t images, enum precision_kind precision,
                                 struct log *log, struct bench_candidate *out)
{
    const double point[1] = {1e-3}; /* the learning rate: a space has one parameter at least */
    struct text reason = {0};
    *out = (struct bench_candidate){0};
    nr_status status = read_study(network, log, &out->study);
    if (status != NR_OK)
        return status;
    const struct shape shape = {1, BENCH_SIDE, BENCH_SIDE};
    status = plan_build(out->study, point, shape, BENCH_CLASSES, &reason, &out->plan);
    if (status != NR_OK) {
        log_error(log, "bench %s: %s", network->name, reason.data ? reason.data : status_text(status));
        bench_candidate_clear(out);
    } else {
        recipe_from_point(out->study, point, images, &out->recipe);
        out->recipe.precision = precision;
        out->flops = flops_per_image(out->plan);
    }
    text_clear(&reason);
    return status;
}

void bench_candidate_clear(struct bench_candidate *candidate)
{
    plan_destroy(candidate->plan);
    study_destroy(candidate->study);
    *candidate = (struct bench_candidate){0};
}
