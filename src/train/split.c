#include "train/split.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"

enum { MOST_CLASSES = UINT8_MAX + 1 };

enum use { UNUSED, TRAINS, VALIDATES };

/* Of the `count` images of a class, how many are used at all and how many of these validate. */
static int64_t share_of_class(int64_t count, double fraction, double validation, int64_t *validations)
{
    int64_t used = llround(fraction * (double)count);
    used = used < 2 ? 2 : used > count ? count : used;
    int64_t kept = llround(validation * (double)used);
    *validations = kept < 1 ? 1 : kept > used - 1 ? used - 1 : kept;
    return used;
}

void split_count(const struct dataset_outline *outline, double fraction, double validation, int64_t *trainings,
                 int64_t *validations)
{
    *trainings = *validations = 0;
    for (int64_t c = 0; c < outline->classes; c++) {
        int64_t kept, used = share_of_class(outline->images_of[c], fraction, validation, &kept);
        *trainings += used - kept;
        *validations += kept;
    }
}

/* Marks what the images of class c are for. Every class has a permutation of its own, from which the first images
 * validate, the next train and the rest stay unused: what one class does does not change another's. */
static void mark_class(const uint32_t *images, uint32_t *permutation, int64_t count, double fraction,
                       double validation, uint64_t seed, uint32_t c, uint8_t *use)
{
    int64_t validations, used = share_of_class(count, fraction, validation, &validations);
    for (int64_t i = 0; i < count; i++)
        permutation[i] = images[i];
    struct rng rng = rng_create(seed, 0, RANDOM_SPLIT, c, 0);
    rng_shuffle(&rng, permutation, (size_t)count);
    for (int64_t i = 0; i < used; i++)
        use[permutation[i]] = i < validations ? VALIDATES : TRAINS;
}

static nr_status mark(const struct dataset *dataset, double fraction, double validation, uint64_t seed,
                      struct log *log, uint8_t *use)
{
    size_t count = (size_t)dataset->count;
    int64_t start[MOST_CLASSES + 1] = {0}, next[MOST_CLASSES];
    uint32_t *by_class = mem_array(count, sizeof *by_class), *permutation = mem_array(count, sizeof *permutation);
    nr_status status = NR_OK;
    if (!by_class || !permutation) {
        status = log_no_memory(log, "splitting the data set");
        goto out;
    }
    for (size_t i = 0; i < count; i++)
        start[dataset->labels[i] + 1]++;
    for (int c = 0; c < MOST_CLASSES; c++) {
        start[c + 1] += start[c];
        next[c] = start[c];
    }
    for (size_t i = 0; i < count; i++)
        by_class[next[dataset->labels[i]]++] = (uint32_t)i;
    for (int c = 0; c < dataset->classes && status == NR_OK; c++) {
        int64_t images = start[c + 1] - start[c];
        if (images < 2) {
            log_error(log, "the data set %s has %lld image%s of class %d, expected at least 2: one trains, one "
                      "validates", dataset->name, (long long)images, images == 1 ? "" : "s", c);
            status = NR_INVALID;
            break;
        }
        mark_class(by_class + start[c], permutation, images, fraction, validation, seed, (uint32_t)c, use);
    }
out:
    free(by_class);
    free(permutation);
    return status;
}

static uint32_t *indices_of(const uint8_t *use, int64_t count, enum use wanted, int64_t *length)
{
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++)
        found += use[i] == wanted;
    uint32_t *indices = mem_array((size_t)found, sizeof *indices);
    if (!indices)
        return NULL;
    *length = found;
    for (int64_t i = 0, at = 0; i < count; i++)
        if (use[i] == wanted)
            indices[at++] = (uint32_t)i;
    return indices;
}

/* Sums of whole numbers, so that mean and deviation do not depend on the order of addition. */
static void measure_channel(const struct dataset *dataset, const struct split *split, int64_t channel, float *mean,
                            float *deviation)
{
    int64_t pixels = dataset->shape.height * dataset->shape.width, image = dataset->shape.channels * pixels;
    uint64_t sum = 0, squares = 0;
    for (int64_t i = 0; i < split->trainings; i++) {
        const uint8_t *pixel = dataset->images + split->training[i] * image + channel * pixels;
        for (int64_t p = 0; p < pixels; p++) {
            sum += pixel[p];
            squares += (uint32_t)pixel[p] * pixel[p];
        }
    }
    double n = (double)split->trainings * (double)pixels, average = (double)sum / n;
    double variance = (double)squares / n - average * average;
    bool constant = (double)squares * n == (double)sum * (double)sum || variance <= 0;
    *mean = (float)(average / 255);
    *deviation = constant ? 1.0f : (float)(sqrt(variance) / 255); /* a constant channel becomes 0, not NaN */
}

nr_status split_create(const struct dataset *dataset, double fraction, double validation, uint64_t seed,
                       struct log *log, struct split **out)
{
    struct split *split = mem_array(1, sizeof *split);
    uint8_t *use = mem_array((size_t)dataset->count, 1);
    nr_status status = split && use ? NR_OK : log_no_memory(log, "splitting the data set");
    if (status == NR_OK)
        status = mark(dataset, fraction, validation, seed, log, use);
    if (status != NR_OK)
        goto err_free;
    split->channels = dataset->shape.channels;
    split->training = indices_of(use, dataset->count, TRAINS, &split->trainings);
    split->validation = indices_of(use, dataset->count, VALIDATES, &split->validations);
    split->mean = mem_array((size_t)split->channels, sizeof *split->mean);
    split->deviation = mem_array((size_t)split->channels, sizeof *split->deviation);
    if (!split->training || !split->validation || !split->mean || !split->deviation) {
        status = log_no_memory(log, "splitting the data set");
        goto err_free;
    }
    for (int64_t c = 0; c < split->channels; c++)
        measure_channel(dataset, split, c, &split->mean[c], &split->deviation[c]);
    free(use);
    *out = split;
    return NR_OK;

err_free:
    free(use);
    split_destroy(split);
    return status;
}

void split_destroy(struct split *split)
{
    if (!split)
        return;
    free(split->training);
    free(split->validation);
    free(split->mean);
    free(split->deviation);
    free(split);
}
