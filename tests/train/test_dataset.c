/* train/dataset: IDX files good and damaged, known sets, where sets are sought, sharing with another process. */
#include "support/test.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/text.h"
#include "train/dataset.h"

/* A folder of its own per call, below the test's. */
static const char *fresh_folder(void)
{
    static char path[256];
    static int number;
    snprintf(path, sizeof path, "%s/set%d", test_folder(), number++);
    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

static void write_file(const char *folder, const char *name, const void *data, size_t length)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    size_t ending = strlen(name) - 3;
    if (!strcmp(name + ending, ".gz")) {
        gzFile file = gzopen(path, "wb");
        assert_int_equal(gzwrite(file, data, (unsigned)length), length);
        assert_int_equal(gzclose(file), Z_OK);
    } else {
        assert_ok(file_replace(path, data, length, false, NULL));
    }
}

enum { IMAGES = 6, PIXELS = 4 * 3 };

/* Six images of 4x3 pixels and of three classes; pixel p of image i is 20 i + p. */
static size_t make_images(uint8_t out[16 + IMAGES * PIXELS])
{
    static const uint8_t header[16] = {0, 0, 8, 3, 0, 0, 0, IMAGES, 0, 0, 0, 4, 0, 0, 0, 3};
    memcpy(out, header, sizeof header);
    for (int i = 0; i < IMAGES * PIXELS; i++)
        out[16 + i] = (uint8_t)(20 * (i / PIXELS) + i % PIXELS);
    return 16 + IMAGES * PIXELS;
}

static const uint8_t good_labels[] = {0, 0, 8, 1, 0, 0, 0, IMAGES, 0, 1, 2, 2, 1, 0};

static const char *write_set(const char *ending)
{
    const char *folder = fresh_folder();
    uint8_t images[16 + IMAGES * PIXELS];
    size_t length = make_images(images);
    char name[64];
    static const char *const prefix[] = {"train", "t10k"};
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s-images-idx3-ubyte%s", prefix[i], ending);
        write_file(folder, name, images, length);
        snprintf(name, sizeof name, "%s-labels-idx1-ubyte%s", prefix[i], ending);
        write_file(folder, name, good_labels, sizeof good_labels);
    }
    return folder;
}

static void check_good(const struct dataset *dataset)
{
    assert_string_equal(dataset->name, "mine");
    assert_int_equal(dataset->shape.channels, 1);
    assert_int_equal(dataset->shape.height, 4);
    assert_int_equal(dataset->shape.width, 3);
    assert_int_equal(dataset->count, IMAGES);
    assert_int_equal(dataset->classes, 3);
    for (int i = 0; i < IMAGES * PIXELS; i++)
        assert_int_equal(dataset->images[i], 20 * (i / PIXELS) + i % PIXELS);
    assert_memory_equal(dataset->labels, good_labels + 8, IMAGES);
    uint8_t both[16 + IMAGES * PIXELS + sizeof good_labels];
    size_t length = make_images(both);
    memcpy(both + length, good_labels, sizeof good_labels);
    char digest[FILE_DIGEST_SIZE];
    digest_bytes(both, sizeof both, digest);
    assert_string_equal(dataset->digest, digest);
}

static void raw_and_gzip(void **state)
{
    (void)state;
    static const char *const endings[] = {"", ".gz"};
    for (int i = 0; i < 2; i++)
        for (int part = DATASET_TRAIN; part <= DATASET_TEST; part++) {
            struct dataset *dataset = NULL;
            assert_ok(dataset_read("mine", write_set(endings[i]), (enum dataset_part)part, NULL, &dataset));
            check_good(dataset);
            dataset_destroy(dataset);
        }
    dataset_destroy(NULL);
}

static void colours_are_idx4(void **state)
{
    (void)state;
    const char *folder = fresh_folder();
    uint8_t images[20 + IMAGES * PIXELS] = {0, 0, 8, 4, 0, 0, 0, IMAGES, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2};
    for (int i = 0; i < IMAGES * PIXELS; i++)
        images[20 + i] = (uint8_t)i;
    write_file(folder, "train-images-idx4-ubyte.gz", images, sizeof images);
    write_file(folder, "train-labels-idx1-ubyte", good_labels, sizeof good_labels);
    struct dataset *dataset = NULL;
    assert_ok(dataset_read("mine", folder, DATASET_TRAIN, NULL, &dataset));
    assert_int_equal(dataset->shape.channels, 3);
    assert_int_equal(dataset->shape.height, 2);
    assert_int_equal(dataset->shape.width, 2);
    assert_memory_equal(dataset->images, images + 20, IMAGES * PIXELS);
    dataset_destroy(dataset);
}

/* A gzip file of two members is their contents in sequence. */
static void gzip_in_members(void **state)
{
    (void)state;
    const char *folder = write_set("");
    char path[512];
    uint8_t images[16 + IMAGES * PIXELS];
    size_t length = make_images(images);
    snprintf(path, sizeof path, "%s/train-images-idx3-ubyte", folder);
    for (int i = 0; i < 2; i++) {
        gzFile file = gzopen(path, i ? "ab" : "wb");
        assert_int_equal(gzwrite(file, images + (i ? 30 : 0), i ? (unsigned)length - 30 : 30), i ? length - 30 : 30);
        assert_int_equal(gzclose(file), Z_OK);
    }
    struct dataset *dataset = NULL;
    assert_ok(dataset_read("mine", folder, DATASET_TRAIN, NULL, &dataset));
    check_good(dataset);
    dataset_destroy(dataset);
}

/* What is done to a good set before it is read: some bytes of one file replaced, its end cut or grown. */
struct damage {
    const char *file; /* without what follows the prefix's kind: "train-images" */
    enum { RAW, GZIP } form;
    bool packed; /* damage the compressed bytes rather than the content */
    int at;      /* where `bytes` go, -1: nowhere */
    int count;
    uint8_t bytes[8];
    int grow;         /* bytes added (0xa5) or cut (negative); -1000: all cut */
    const char *says; /* in the error */
};

static const struct damage damages[] = {
    {"train-images", RAW, false, 2, 1, {9}, 0, "starts with 00000903, expected 00000803"},
    {"train-images", RAW, false, 0, 4, {0, 0, 8, 1}, 0, "starts with 00000801, expected 00000803"},
    {"train-labels", RAW, false, 0, 4, {0, 0, 8, 3}, 0, "starts with 00000803, expected 00000801"},
    {"train-images", RAW, false, 4, 4, {0}, 0, "dimension 1 of 3 is 0"},
    {"train-images", RAW, false, 12, 4, {0}, 0, "dimension 3 of 3 is 0"},
    {"train-labels", RAW, false, 4, 4, {0}, 0, "dimension 1 of 1 is 0"},
    {"train-images",
     RAW,
     false,
     4,
     8,
     {255, 255, 255, 255, 255, 255, 255, 255},
     0,
     "multiply to more than memory can address"},
    {"train-images", RAW, false, 4, 4, {255, 255, 255, 255}, 0, "announces 51539607540 bytes, a file of 88 bytes"},
    {"train-images", GZIP, false, 4, 2, {255, 255}, 0, "holds fewer"},
    {"train-images", RAW, false, -1, 0, {0}, -40, "truncated"},
    {"train-images", RAW, false, -1, 0, {0}, -80, "truncated: it ends within its header"},
    {"train-images", RAW, false, -1, 0, {0}, -1000, "truncated: it ends within its header"},
    {"train-images", RAW, false, -1, 0, {0}, 1, "goes on after the 88 bytes that its header announces"},
    {"train-labels", RAW, false, -1, 0, {0}, -1, "truncated: it ends after 13 of 14 bytes"},
    {"train-labels", RAW, false, -1, 0, {0}, 3, "goes on after the 14 bytes"},
    {"train-images", GZIP, false, -1, 0, {0}, -1, "truncated: it ends after 87 of 88 bytes"},
    {"train-images", GZIP, false, -1, 0, {0}, 1, "goes on after the 88 bytes"},
    {"train-images", GZIP, true, -1, 0, {0}, -1, "the end of the gzip data is missing"},
    {"train-images", GZIP, true, -1, 0, {0}, -30, "truncated"},
    {"train-images", GZIP, true, -1, 0, {0}, 1, "the end of the gzip data is missing"},
    {"train-images", GZIP, true, -1, 0, {0}, 9, "the gzip data is wrong (incorrect header check)"},
    {"train-images", GZIP, true, -8, 4, {1, 2, 3, 4}, 0, "the gzip data is wrong (incorrect data check)"},
    {"train-images", GZIP, true, 10, 1, {0xff}, 0, "the gzip data is wrong (invalid block type)"},
    {"train-labels", RAW, false, 4, 4, {0, 0, 0, 5}, -1, "holds 6 images, but"},
    {"train-labels", RAW, false, 9, 1, {255}, 0, "6 images for 256 classes (its largest label is 255)"},
    {"train-labels", RAW, false, 9, 1, {5}, 0, "label 5 is out of range: no image is labelled 3"},
    {"train-labels", RAW, false, 8, 6, {1, 1, 2, 2, 1, 1}, 0, "no image is labelled 0"},
    {"train-labels", RAW, false, 8, 6, {0, 0, 0, 0, 0, 0}, 0, "every label is 0, expected at least two classes"},
    {"t10k-labels", RAW, false, 12, 1, {3}, 0, "label 3 of image 4 is out of range, expected 0..2"},
    {"t10k-images", RAW, false, 8, 8, {0, 0, 0, 3, 0, 0, 0, 4}, 0, "images of 1x3x4, expected 1x4x3"},
};

static void apply(const struct damage *damage, uint8_t *data, size_t *length)
{
    for (int i = 0; i < damage->count; i++)
        data[(size_t)((damage->at < -1 ? (int)*length : 0) + damage->at + i)] = damage->bytes[i];
    if (damage->grow > 0)
        memset(data + *length, damage->packed && damage->grow < 8 ? 0x1f : 0xa5, (size_t)damage->grow);
    *length = damage->grow == -1000 ? 0 : (size_t)((int)*length + damage->grow);
}

static void damaged_files(void **state)
{
    (void)state;
    struct log *log = test_log();
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        const struct damage *damage = &damages[i];
        const char *folder = write_set(damage->form == GZIP ? ".gz" : "");
        char name[64], path[512];
        snprintf(name, sizeof name, "%s-idx%d-ubyte%s", damage->file, strstr(damage->file, "images") ? 3 : 1,
                 damage->form == GZIP ? ".gz" : "");
        snprintf(path, sizeof path, "%s/%s", folder, name);
        uint8_t data[512];
        char *content = NULL;
        size_t length;
        if (damage->packed) {
            assert_ok(file_read(path, NULL, &content, &length));
            memcpy(data, content, length);
            free(content);
            apply(damage, data, &length);
            assert_ok(file_replace(path, data, length, false, NULL));
        } else {
            length = make_images(data);
            if (strstr(damage->file, "labels"))
                memcpy(data, good_labels, length = sizeof good_labels);
            apply(damage, data, &length);
            write_file(folder, name, data, length);
        }
        enum dataset_part part = damage->file[1] == '1' ? DATASET_TEST : DATASET_TRAIN;
        struct dataset *dataset = NULL;
        nr_status status = dataset_read("mine", folder, part, log, &dataset);
        if (status != NR_INVALID || dataset)
            print_error("case %zu: %s, expected \"%s\"\n", i, status_text(status), damage->says);
        assert_int_equal(status, NR_INVALID);
        if (!strstr(log_text(log), damage->file))
            print_error("case %zu: the message names no file: %s\n", i, log_text(log));
        assert_non_null(strstr(log_text(log), damage->file));
        assert_ptr_equal(strchr(log_text(log), '\n') + 1, log_text(log) + strlen(log_text(log))); /* one line */
        test_log_has(log, damage->says);
    }
    log_destroy(log);
}

static void missing_files(void **state)
{
    (void)state;
    struct log *log = test_log();
    struct dataset *dataset = NULL;
    char path[512];
    const char *folder = write_set("");
    snprintf(path, sizeof path, "%s/train-labels-idx1-ubyte", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(dataset_read("mine", folder, DATASET_TRAIN, log, &dataset), NR_NOT_FOUND);
    test_log_has(log, "holds no train-labels-idx1-ubyte, raw or with .gz");
    snprintf(path, sizeof path, "%s/train-images-idx3-ubyte", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/train-labels-idx1-ubyte", folder);
    write_file(folder, "train-labels-idx1-ubyte", good_labels, sizeof good_labels);
    assert_int_equal(dataset_read("mine", folder, DATASET_TRAIN, log, &dataset), NR_IO);
    test_log_has(log, "train-images-idx3-ubyte: reading failed: Is a directory");
    assert_null(dataset);
    log_destroy(log);
}

/* Sets are sought in NASRUN_DATA first, and what is found there is not passed over. */
static void first_place_counts(void **state)
{
    (void)state;
    struct log *log = test_log();
    struct dataset *dataset = NULL;
    char *folder = NULL, path[512], *before = getenv("NASRUN_DATA") ? strdup(getenv("NASRUN_DATA")) : NULL;
    snprintf(path, sizeof path, "%s/places", test_folder());
    assert_int_equal(mkdir(path, 0777), 0);
    assert_int_equal(setenv("NASRUN_DATA", path, 1), 0);
    assert_ok(dataset_find("tiny", log, &folder)); /* not there, but the project has it */
    assert_non_null(strstr(folder, "data/tiny"));
    free(folder);
    strcat(path, "/tiny");
    assert_int_equal(mkdir(path, 0777), 0);
    assert_ok(dataset_find("tiny", log, &folder));
    assert_string_equal(folder, path);
    assert_int_equal(dataset_read("tiny", folder, DATASET_TRAIN, log, &dataset), NR_NOT_FOUND);
    test_log_has(log, "holds no train-images-idx3-ubyte");
    free(folder);
    folder = NULL;
    assert_int_equal(dataset_find("no-such-set", log, &folder), NR_NOT_FOUND);
    assert_non_null(strstr(log_text(log), "/places/no-such-set"));
    assert_non_null(strstr(log_text(log), "data/no-such-set"));
    test_log_has(log, "tools/get-data no-such-set");
    assert_int_equal(dataset_find("../tiny", log, &folder), NR_INVALID);
    test_log_has(log, "data.dataset = \"../tiny\": expected the name of a set");
    assert_null(folder);
    assert_int_equal(before ? setenv("NASRUN_DATA", before, 1) : unsetenv("NASRUN_DATA"), 0);
    free(before);
    log_destroy(log);
}

static nr_status load_study(const char *folder, const char *file, struct log *log, struct dataset **out)
{
    static const char rest[] = "[network]\nlayer = dense units=classes\n[space]\nrate = real 0.1..0.2\n"
                               "[training]\nlearning_rate = $rate\n[objectives]\nval_accuracy = maximize\n";
    struct text content = {0};
    struct study *study = NULL;
    text_format(&content, "[study]\nname = x\ntrials = 1\n[data]\ndataset = mine\nfolder = %s\n%s", folder, rest);
    nr_status status = study_read_text(content.data, file, NULL, 0, log, &study);
    if (status != NR_OK)
        print_error("%s\n", log_text(log));
    assert_ok(status);
    status = dataset_load(study, DATASET_TRAIN, log, out);
    study_destroy(study);
    text_clear(&content);
    return status;
}

/* data.folder: the set's folder or the one it lies in, relative to the file that names it. */
static void folder_of_a_study(void **state)
{
    (void)state;
    struct log *log = test_log();
    const char *folder = write_set("");
    char file[512], link[512];
    const char *base = strrchr(folder, '/') + 1;
    snprintf(file, sizeof file, "%s/study.ini", test_folder());
    snprintf(link, sizeof link, "%s/mine", test_folder());
    const char *const folders[] = {folder, base, "."};
    for (int i = 0; i < 3; i++) {
        struct dataset *dataset = NULL;
        if (i == 2)
            assert_int_equal(symlink(base, link), 0); /* "./mine" */
        nr_status status = load_study(folders[i], file, log, &dataset);
        if (status != NR_OK)
            print_error("folder = %s: %s\n", folders[i], log_text(log));
        assert_ok(status);
        check_good(dataset);
        dataset_destroy(dataset);
    }
    struct dataset *none = NULL;
    assert_int_equal(load_study("no/such", file, log, &none), NR_INVALID);
    test_log_has(log, "study.ini:6: [data] folder: \"no/such\": no such folder");
    assert_null(none);
    log_destroy(log);
}

/* A set under a known name must be that set. */
static void known_sets(void **state)
{
    (void)state;
    struct log *log = test_log();
    struct dataset *dataset = NULL;
    assert_int_equal(dataset_read("mnist", write_set(".gz"), DATASET_TRAIN, log, &dataset), NR_INVALID);
    assert_non_null(strstr(log_text(log), "train-labels-idx1-ubyte.gz: is not the published file of mnist"));
    test_log_has(log, "tools/get-data mnist");
    log_destroy(log);
}

static void check_full(const char *name, int64_t test_images_of_3)
{
    struct log *log = test_log();
    char *folder = NULL;
    if (dataset_find(name, log, &folder) != NR_OK) {
        print_message("skipped: %s", log_text(log));
        log_destroy(log);
        skip();
    }
    struct dataset *train = NULL, *test = NULL;
    assert_ok(dataset_read(name, folder, DATASET_TRAIN, log, &train));
    assert_ok(dataset_read(name, folder, DATASET_TEST, log, &test));
    assert_int_equal(train->count, 60000);
    assert_int_equal(test->count, 10000);
    assert_int_equal(train->classes, 10);
    assert_int_equal(test->classes, 10);
    assert_int_equal(test->shape.height, 28);
    int64_t threes = 0;
    for (int64_t i = 0; i < test->count; i++)
        threes += test->labels[i] == 3;
    assert_int_equal(threes, test_images_of_3);
    dataset_destroy(train);
    dataset_destroy(test);
    free(folder);
    log_destroy(log);
}

static void full_mnist(void **state)
{
    (void)state;
    check_full("mnist", 1010);
}

static void full_fashion_mnist(void **state)
{
    (void)state;
    check_full("fashion-mnist", 1000);
}

/* Run by shared_with_a_worker in another process, which knows nothing but the descriptor's number. */
static void worker_maps(void **state)
{
    (void)state;
    const char *descriptor = getenv("NASRUN_TEST_DESCRIPTOR");
    if (!descriptor)
        skip();
    struct dataset *dataset = NULL;
    assert_ok(dataset_map(atoi(descriptor), NULL, &dataset));
    check_good(dataset);
    dataset_destroy(dataset);
}

static void shared_with_a_worker(void **state)
{
    (void)state;
    struct dataset *dataset = NULL;
    assert_ok(dataset_read("mine", write_set(".gz"), DATASET_TRAIN, NULL, &dataset));
    char number[16];
    snprintf(number, sizeof number, "%d", dataset->descriptor);
    pid_t worker = fork();
    assert_true(worker >= 0);
    if (worker == 0) {
        setenv("NASRUN_TEST_DESCRIPTOR", number, 1);
        execl("/proc/self/exe", "test_dataset", "worker_maps", (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(worker, &status, 0), worker);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    check_good(dataset);
    /* nobody can write into it */
    assert_ptr_equal(mmap(NULL, dataset->bytes, PROT_WRITE, MAP_SHARED, dataset->descriptor, 0), MAP_FAILED);
    assert_int_equal(ftruncate(dataset->descriptor, 0), -1);
    dataset_destroy(dataset);
}

static void mapping_of_something_else(void **state)
{
    (void)state;
    struct log *log = test_log();
    struct dataset *dataset = NULL;
    int pipes[2], memory = memfd_create("other", 0);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(dataset_map(pipes[0], log, &dataset), NR_IO);
    test_log_has(log, "holds no data set");
    assert_int_equal(ftruncate(memory, 100), 0);
    assert_int_equal(dataset_map(memory, log, &dataset), NR_IO);
    test_log_has(log, "too short");
    assert_int_equal(ftruncate(memory, 8192), 0);
    assert_int_equal(dataset_map(memory, log, &dataset), NR_IO);
    test_log_has(log, "holds no data set of this version");
    assert_null(dataset);
    close(memory);
    close(pipes[0]);
    close(pipes[1]);
    log_destroy(log);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(raw_and_gzip),
    cmocka_unit_test(colours_are_idx4),
    cmocka_unit_test(gzip_in_members),
    cmocka_unit_test(damaged_files),
    cmocka_unit_test(missing_files),
    cmocka_unit_test(first_place_counts),
    cmocka_unit_test(folder_of_a_study),
    cmocka_unit_test(known_sets),
    cmocka_unit_test(full_mnist),
    cmocka_unit_test(full_fashion_mnist),
    cmocka_unit_test(worker_maps),
    cmocka_unit_test(shared_with_a_worker),
    cmocka_unit_test(mapping_of_something_else),
};

TEST_MAIN(cases)
