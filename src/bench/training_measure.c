/* The clock of `nasrun bench`: epochs or parts of them, in one lane or in several at once. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "bench/training.h"

enum { EPOCHS = 5, CHUNK_IMAGES = 1280, MOST_CHUNKS = 4096 };

/* One piece of training is timed over and over: so many steps, and which of the times counts. */
struct sampling {
    int64_t steps, images; /* of each trial */
    size_t least, most;    /* pieces */
    double seconds;        /* until which more than the least are taken */
    double quantile;       /* of their times */
};

static struct sampling choose_sampling(const struct bench_place *place, const struct recipe *recipe, double seconds)
{
    if (strcmp(place->backend->name, cpu_backend.name))
        return (struct sampling){.steps = recipe_steps_per_epoch(recipe),
                                 .images = recipe->epoch_images,
                                 .least = EPOCHS,
                                 .most = EPOCHS,
                                 .quantile = 0.5};
    int64_t steps = recipe_steps_per_epoch(recipe), chunk = CHUNK_IMAGES / recipe->batch_size;
    if (chunk >= steps) /* few images */
        return (struct sampling){
            .steps = steps, .images = recipe->epoch_images, .least = EPOCHS, .most = EPOCHS, .quantile = 0.25};
    return (struct sampling){.steps = chunk,
                             .images = chunk * recipe->batch_size,
                             .least = EPOCHS,
                             .most = MOST_CHUNKS,
                             .seconds = seconds,
                             .quantile = 0.25};
}

static nr_status report_failure(const struct bench_place *place, const struct progress *progress)
{
    log_error(place->log, "bench: %s at step %lld", progress->cause ? progress->cause : status_text(progress->status),
              (long long)progress->failed_at);
    return progress->status;
}

/* All lanes train `steps` steps side by side. The device is asked without a pause: nothing else runs here. */
static nr_status train(const struct bench_place *place, struct trainer **trainer, int64_t steps, double *seconds)
{
    double start = clock_monotonic();
    for (int lane = 0; lane < place->lanes; lane++) {
        nr_status status = place->backend->submit(trainer[lane], steps);
        if (status != NR_OK)
            return status;
    }
    for (bool busy = true; busy;) {
        busy = false;
        for (int lane = 0; lane < place->lanes; lane++) {
            struct progress progress;
            place->backend->poll(trainer[lane], &progress);
            if (progress.status != NR_OK)
                return report_failure(place, &progress);
            busy |= progress.busy;
        }
    }
    *seconds = clock_monotonic() - start;
    return NR_OK;
}

static void destroy(const struct bench_place *place, struct trainer **trainer)
{
    for (int lane = 0; lane < place->lanes; lane++) {
        if (trainer[lane])
            place->backend->destroy(trainer[lane]);
        trainer[lane] = NULL;
    }
}

static nr_status create(const struct bench_place *place, const struct bench_candidate *candidate,
                        struct trainer **trainer)
{
    for (int lane = 0; lane < place->lanes; lane++) {
        const struct trainer_setup setup = {.plan = candidate->plan,
                                            .recipe = &candidate->recipe,
                                            .split = place->split,
                                            .seed = 1,
                                            .trial = (uint32_t)lane,
                                            .lane = lane,
                                            .ranks = 1};
        nr_status status = place->backend->create(place->device, place->images, &setup, &trainer[lane]);
        if (status != NR_OK)
            return status;
    }
    return NR_OK;
}

/* What lanes and libraries keep for good was taken by the first trainers, which are given back before the bytes are
 * counted that the second ones take. */
static nr_status create_counted(const struct bench_place *place, const struct bench_candidate *candidate, int64_t steps,
                                struct trainer **trainer, int64_t *memory)
{
    double ignored;
    nr_status status = create(place, candidate, trainer);
    if (status == NR_OK)
        status = train(place, trainer, steps, &ignored);
    int64_t before = INT64_MAX;
    if (status == NR_OK && place->backend->available(place->device) != INT64_MAX) {
        destroy(place, trainer);
        before = place->backend->available(place->device);
        status = create(place, candidate, trainer);
        if (status == NR_OK)
            status = train(place, trainer, steps, &ignored);
    }
    *memory = before == INT64_MAX ? -1 : before - place->backend->available(place->device);
    return status;
}

static int ascending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static nr_status take_samples(const struct bench_place *place, struct trainer **trainer,
                              const struct sampling *sampling, double *out)
{
    double sample[MOST_CHUNKS];
    size_t count = 0;
    nr_status status = NR_OK;
    double end = clock_monotonic() + sampling->seconds;
    while (status == NR_OK && count < sampling->most && (count < sampling->least || clock_monotonic() < end))
        status = train(place, trainer, sampling->steps, &sample[count++]);
    if (status != NR_OK)
        return status;
    qsort(sample, count, sizeof *sample, ascending);
    *out = sample[(size_t)(sampling->quantile * (double)count)];
    return NR_OK;
}

nr_status bench_measure(const struct bench_place *place, const struct bench_candidate *candidate, double seconds,
                        struct bench_figures *out)
{
    const struct recipe *recipe = &candidate->recipe;
    struct sampling sampling = choose_sampling(place, recipe, seconds);
    struct trainer **trainer = mem_array((size_t)place->lanes, sizeof(struct trainer *));
    struct bench_figures figures = {0};
    double piece;
    if (!trainer)
        return log_no_memory(place->log, "measuring");
    nr_status status = create_counted(place, candidate, sampling.steps, trainer, &figures.memory);
    if (status == NR_OK)
        status = take_samples(place, trainer, &sampling, &piece);
    if (status == NR_OK) {
        figures.seconds = piece * (double)recipe->epoch_images / (double)sampling.images / (double)place->lanes;
        figures.nodes = place->backend->nodes ? place->backend->nodes(trainer[0]) : 0;
        *out = figures;
    }
    destroy(place, trainer);
    free(trainer);
    return status;
}
