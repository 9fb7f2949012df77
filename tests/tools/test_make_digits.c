/* tools/make-digits: the committed set comes from it byte for byte; shapes, seeds, bad options. */
#include "support/test.h"

#include <zlib.h>

#include "base/file.h"
#include "base/text.h"
#include "train/dataset.h"

static int make_digits(const char *options, const char *name, char **errors)
{
    struct text command = {0};
    char *folder = file_folder(test_program());
    text_format(&command, "'%s/make-digits' %s %s/%s", folder, options, test_folder(), name);
    int code = test_run(command.data, NULL, errors);
    text_clear(&command);
    free(folder);
    return code;
}

static const char *made(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    return path;
}

/* zlib may pack the same content in other bytes from version to version, so that the content is compared. */
static size_t unpack(const char *folder, const char *name, uint8_t **out)
{
    enum { MOST = 4 << 20 };
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    gzFile file = gzopen(path, "rb");
    assert_non_null(file);
    *out = malloc(MOST);
    int length = gzread(file, *out, MOST);
    assert_true(length > 0 && length < MOST);
    assert_int_equal(gzclose(file), Z_OK);
    return (size_t)length;
}

static void committed_set_is_reproduced(void **state)
{
    (void)state;
    static const char *const names[] = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
                                        "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"};
    assert_int_equal(make_digits("", "tiny", NULL), 0);
    for (int i = 0; i < 4; i++) {
        uint8_t *got, *expected;
        size_t length = unpack(test_source("data/tiny"), names[i], &expected);
        assert_int_equal(unpack(made("tiny"), names[i], &got), length);
        assert_memory_equal(got, expected, length);
        free(got);
        free(expected);
    }
}

static struct dataset *read_set(const char *folder, enum dataset_part part)
{
    struct log *log = test_log();
    struct dataset *dataset = NULL;
    nr_status status = dataset_read("made", folder, part, log, &dataset);
    if (status != NR_OK)
        print_error("%s", log_text(log));
    assert_ok(status);
    log_destroy(log);
    return dataset;
}

static void other_shapes(void **state)
{
    (void)state;
    assert_int_equal(make_digits("--size 9x13 --channels 3 --train 41 --test 7 --seed 5 --raw", "odd", NULL), 0);
    assert_true(file_exists(made("odd/train-images-idx4-ubyte")));
    struct dataset *train = read_set(made("odd"), DATASET_TRAIN), *test = read_set(made("odd"), DATASET_TEST);
    assert_int_equal(train->count, 41);
    assert_int_equal(test->count, 7);
    assert_int_equal(train->classes, 10);
    assert_int_equal(test->classes, 10);
    assert_int_equal(train->shape.channels, 3);
    assert_int_equal(train->shape.height, 9);
    assert_int_equal(train->shape.width, 13);
    assert_memory_not_equal(train->images, test->images, 7 * 3 * 9 * 13);
    dataset_destroy(train);
    dataset_destroy(test);
}

/* An image depends on seed, part and index: not on how many there are. */
static void seeds_and_numbers(void **state)
{
    (void)state;
    enum { BYTES = 30 * 28 * 28 };
    assert_int_equal(make_digits("--train 30 --test 1 --seed 3", "few", NULL), 0);
    assert_int_equal(make_digits("--train 50 --test 1 --seed 3", "more", NULL), 0);
    assert_int_equal(make_digits("--train 30 --test 1 --seed 4", "others", NULL), 0);
    struct dataset *few = read_set(made("few"), DATASET_TRAIN), *more = read_set(made("more"), DATASET_TRAIN);
    struct dataset *others = read_set(made("others"), DATASET_TRAIN);
    assert_memory_equal(few->images, more->images, BYTES);
    assert_memory_equal(few->labels, more->labels, 30);
    assert_memory_not_equal(few->images, others->images, BYTES);
    for (int c = 0; c < 10; c++) { /* ten in a row have ten labels */
        int found = 0;
        for (int i = 10; i < 20; i++)
            found += few->labels[i] == c;
        assert_int_equal(found, 1);
    }
    dataset_destroy(few);
    dataset_destroy(more);
    dataset_destroy(others);
}

/* The classes can be told apart and are not trivial: the nearest image of the committed training part names 75 % to
 * 99.5 % of the test part rightly. */
static void learnable(void **state)
{
    (void)state;
    enum { PIXELS = 28 * 28 };
    struct dataset *train = read_set(test_source("data/tiny"), DATASET_TRAIN);
    struct dataset *test = read_set(test_source("data/tiny"), DATASET_TEST);
    int right = 0;
    for (int64_t i = 0; i < test->count; i++) {
        int64_t best = 0, nearest = INT64_MAX;
        for (int64_t j = 0; j < train->count; j++) {
            int distance = 0;
            for (int64_t p = 0; p < PIXELS; p++) {
                int difference = test->images[i * PIXELS + p] - train->images[j * PIXELS + p];
                distance += difference * difference;
            }
            if (distance < nearest) {
                nearest = distance;
                best = j;
            }
        }
        right += test->labels[i] == train->labels[best];
    }
    print_message("nearest neighbour: %d of %lld\n", right, (long long)test->count);
    assert_in_range(right, 3 * test->count / 4, test->count - test->count / 200);
    dataset_destroy(train);
    dataset_destroy(test);
}

static void bad_options(void **state)
{
    (void)state;
    static const char *const options[] = {"--train 0", "--train many", "--size 28", "--size 0x3", "--size 3x4x5",
                                          "--channels 65", "--seed -1", "--colour", "one-more"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char *errors = NULL;
        assert_int_equal(make_digits(options[i], "bad", &errors), 2);
        assert_non_null(strstr(errors, "usage: make-digits"));
        assert_false(file_exists(made("bad")));
        free(errors);
    }
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(committed_set_is_reproduced),
    cmocka_unit_test(other_shapes),
    cmocka_unit_test(seeds_and_numbers),
    cmocka_unit_test(learnable),
    cmocka_unit_test(bad_options),
};

TEST_MAIN(cases)
