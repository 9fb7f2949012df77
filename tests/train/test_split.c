/* train/split: stratified, disjoint, the same for the same seed; means and deviations of the training share alone. */
#include "support/test.h"

#include "train/split.h"

enum { CLASSES = 3, PIXELS = 2 * 3, CHANNELS = 2, COUNT = 230 };

/* Classes of 100, 100 and 30 images in mixed order; channel 0 counts up, channel 1 is constant. */
static void make_set(struct dataset *out, uint8_t labels[COUNT], uint8_t images[COUNT * CHANNELS * PIXELS])
{
    for (int i = 0; i < COUNT; i++) {
        labels[i] = (uint8_t)(i < 90 ? i % 3 : i % 2);
        for (int p = 0; p < CHANNELS * PIXELS; p++)
            images[i * CHANNELS * PIXELS + p] = (uint8_t)(p < PIXELS ? (i * 7 + p * 31) % 256 : 77);
    }
    *out = (struct dataset){.name = "made", .shape = {CHANNELS, 2, 3}, .classes = CLASSES, .count = COUNT,
                            .images = images, .labels = labels};
}

static void count_labels(const struct dataset *dataset, const uint32_t *indices, int64_t count, int64_t *out)
{
    memset(out, 0, CLASSES * sizeof *out);
    for (int64_t i = 0; i < count; i++)
        out[dataset->labels[indices[i]]]++;
}

/* Ascending, inside the set, disjoint; the numbers per class as documented. */
static void check_shares(const struct dataset *dataset, const struct split *split, double fraction, double validation)
{
    int use[COUNT] = {0};
    int64_t trains[CLASSES], validates[CLASSES], all[CLASSES];
    uint32_t every[COUNT];
    for (uint32_t i = 0; i < COUNT; i++)
        every[i] = i;
    for (int64_t i = 0; i < split->trainings; i++) {
        assert_true(split->training[i] < COUNT && (i == 0 || split->training[i] > split->training[i - 1]));
        use[split->training[i]]++;
    }
    for (int64_t i = 0; i < split->validations; i++) {
        assert_true(split->validation[i] < COUNT && (i == 0 || split->validation[i] > split->validation[i - 1]));
        use[split->validation[i]]++;
    }
    for (int i = 0; i < COUNT; i++)
        assert_true(use[i] <= 1);
    count_labels(dataset, every, COUNT, all);
    count_labels(dataset, split->training, split->trainings, trains);
    count_labels(dataset, split->validation, split->validations, validates);
    for (int c = 0; c < CLASSES; c++) {
        double used = fmax(2, round(fraction * (double)all[c]));
        double expected = fmin(used - 1, fmax(1, round(validation * used)));
        assert_int_equal(validates[c], (int64_t)expected);
        assert_int_equal(trains[c], (int64_t)(used - expected));
    }
}

static void stratified_and_disjoint(void **state)
{
    (void)state;
    static const double fractions[] = {1, 0.5, 0.37, 0.001}, validations[] = {0.1, 0.25, 0.5, 0.99, 0.001};
    struct dataset dataset;
    uint8_t labels[COUNT], images[COUNT * CHANNELS * PIXELS];
    make_set(&dataset, labels, images);
    for (size_t f = 0; f < 4; f++)
        for (size_t v = 0; v < 5; v++) {
            struct split *split = NULL;
            assert_ok(split_create(&dataset, fractions[f], validations[v], 11, NULL, &split));
            check_shares(&dataset, split, fractions[f], validations[v]);
            split_destroy(split);
        }
    split_destroy(NULL);
}

static void seeds(void **state)
{
    (void)state;
    struct dataset dataset;
    uint8_t labels[COUNT], images[COUNT * CHANNELS * PIXELS];
    make_set(&dataset, labels, images);
    struct split *a = NULL, *b = NULL, *c = NULL;
    assert_ok(split_create(&dataset, 1, 0.2, 5, NULL, &a));
    assert_ok(split_create(&dataset, 1, 0.2, 5, NULL, &b));
    assert_ok(split_create(&dataset, 1, 0.2, 6, NULL, &c));
    assert_int_equal(a->validations, b->validations);
    assert_memory_equal(a->validation, b->validation, (size_t)a->validations * sizeof *a->validation);
    assert_memory_equal(a->training, b->training, (size_t)a->trainings * sizeof *a->training);
    assert_int_equal(a->validations, c->validations);
    assert_memory_not_equal(a->validation, c->validation, (size_t)a->validations * sizeof *a->validation);
    split_destroy(a);
    split_destroy(b);
    split_destroy(c);
}

/* A share of the set is a share of any larger share: raising `fraction` only adds images. */
static void fractions_are_nested(void **state)
{
    (void)state;
    struct dataset dataset;
    uint8_t labels[COUNT], images[COUNT * CHANNELS * PIXELS];
    bool used[COUNT] = {false};
    make_set(&dataset, labels, images);
    struct split *half = NULL, *most = NULL;
    assert_ok(split_create(&dataset, 0.5, 0.2, 5, NULL, &half));
    assert_ok(split_create(&dataset, 0.8, 0.2, 5, NULL, &most));
    for (int64_t i = 0; i < most->trainings; i++)
        used[most->training[i]] = true;
    for (int64_t i = 0; i < most->validations; i++)
        used[most->validation[i]] = true;
    for (int64_t i = 0; i < half->trainings; i++)
        assert_true(used[half->training[i]]);
    for (int64_t i = 0; i < half->validations; i++)
        assert_true(used[half->validation[i]]);
    split_destroy(half);
    split_destroy(most);
}

static double pixel(const struct dataset *dataset, size_t image, size_t p)
{
    return dataset->images[image * CHANNELS * PIXELS + p] / 255.0;
}

/* By the definition, in two passes; float32 results, hence 1e-6. */
static void normalisation(void **state)
{
    (void)state;
    struct dataset dataset;
    uint8_t labels[COUNT], images[COUNT * CHANNELS * PIXELS];
    make_set(&dataset, labels, images);
    struct split *split = NULL;
    assert_ok(split_create(&dataset, 0.9, 0.3, 3, NULL, &split));
    assert_int_equal(split->channels, CHANNELS);
    double mean = 0, variance = 0, n = (double)split->trainings * PIXELS;
    for (int64_t i = 0; i < split->trainings; i++)
        for (size_t p = 0; p < PIXELS; p++)
            mean += pixel(&dataset, split->training[i], p) / n;
    for (int64_t i = 0; i < split->trainings; i++)
        for (size_t p = 0; p < PIXELS; p++)
            variance += pow(pixel(&dataset, split->training[i], p) - mean, 2) / n;
    assert_near(split->mean[0], mean, 1e-6, 0);
    assert_near(split->deviation[0], sqrt(variance), 1e-6, 0);
    assert_near(split->mean[1], 77 / 255.0, 1e-6, 0);
    assert_true(split->deviation[1] == 1); /* nothing to scale by */
    split_destroy(split);
}

/* Counting without images says what the split then has. */
static void counted_beforehand(void **state)
{
    (void)state;
    struct log *log = test_log();
    struct dataset dataset;
    uint8_t labels[COUNT], images[COUNT * CHANNELS * PIXELS];
    make_set(&dataset, labels, images);
    struct dataset_outline outline = {.shape = dataset.shape, .classes = dataset.classes, .count = dataset.count};
    for (size_t i = 0; i < COUNT; i++)
        outline.images_of[labels[i]]++;
    for (double fraction = 0.01; fraction <= 1; fraction += 0.09)
        for (double validation = 0.01; validation < 0.95; validation += 0.07) {
            struct split *split = NULL;
            int64_t trainings = -1, validations = -1;
            assert_ok(split_create(&dataset, fraction, validation, 1, log, &split));
            split_count(&outline, fraction, validation, &trainings, &validations);
            assert_int_equal(trainings, split->trainings);
            assert_int_equal(validations, split->validations);
            split_destroy(split);
        }
    log_destroy(log);
}

static void too_few_images(void **state)
{
    (void)state;
    struct log *log = test_log();
    struct dataset dataset;
    uint8_t labels[COUNT], images[COUNT * CHANNELS * PIXELS];
    make_set(&dataset, labels, images);
    struct split *split = NULL;
    dataset.count = 5; /* labels 0 1 2 0 1 */
    assert_int_equal(split_create(&dataset, 1, 0.5, 1, log, &split), NR_INVALID);
    assert_null(split);
    test_log_has(log, "the data set made has 1 image of class 2, expected at least 2");
    log_destroy(log);
}

/* MNIST's published mean and deviation are 0.1307 and 0.3081 over all 60,000 images. */
static void full_mnist(void **state)
{
    (void)state;
    struct log *log = test_log();
    char *folder = NULL;
    if (dataset_find("mnist", log, &folder) != NR_OK) {
        print_message("skipped: %s", log_text(log));
        log_destroy(log);
        skip();
    }
    struct dataset *dataset = NULL;
    struct split *split = NULL;
    assert_ok(dataset_read("mnist", folder, DATASET_TRAIN, log, &dataset));
    assert_ok(split_create(dataset, 1, 0.1, 1, log, &split));
    assert_near((double)split->trainings, 54000, 0, 5); /* rounded per class */
    assert_int_equal(split->trainings + split->validations, 60000);
    assert_near(split->mean[0], 0.1307, 0, 0.0005); /* 54,000 images: within three standard errors */
    assert_near(split->deviation[0], 0.3081, 0, 0.0005);
    split_destroy(split);
    dataset_destroy(dataset);
    free(folder);
    log_destroy(log);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(stratified_and_disjoint),
    cmocka_unit_test(seeds),
    cmocka_unit_test(fractions_are_nested),
    cmocka_unit_test(normalisation),
    cmocka_unit_test(counted_beforehand),
    cmocka_unit_test(too_few_images),
    cmocka_unit_test(full_mnist),
};

TEST_MAIN(cases)
