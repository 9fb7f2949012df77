#include "train/dataset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "train/dataset_known.h"
#include "train/idx.h"

/* The shared memory: one page of description, then the unpacked label file behind the unpacked image file, so that one
 * digest covers both. The image file begins where its data starts on the second page. */
enum { DATA_AT = 4096, NAME_SIZE = 256, SHARED_VERSION = 1 };

struct shared {
    char magic[8]; /* "nasrun" */
    uint32_t version;
    int64_t channels, height, width, classes, count;
    uint64_t labels_at, bytes;
    char digest[FILE_DIGEST_SIZE];
    char name[NAME_SIZE];
};
_Static_assert(sizeof(struct shared) <= DATA_AT - IDX_MOST_HEADER, "the description shares its page with a header");

/* The two files of one part, opened. */
struct part_files {
    char *images_path, *labels_path;
    struct idx *images, *labels;
};

static const char *const part_prefix[] = {[DATASET_TRAIN] = "train", [DATASET_TEST] = "t10k"};

/* The path of a part's file in the first form that exists. */
static nr_status locate(const char *folder, enum dataset_part part, enum idx_content content, struct log *log,
                        char **out)
{
    static const char *const image_forms[] = {"idx3-ubyte", "idx3-ubyte.gz", "idx4-ubyte", "idx4-ubyte.gz", NULL};
    static const char *const label_forms[] = {"idx1-ubyte", "idx1-ubyte.gz", NULL};
    const char *kind = content == IDX_IMAGES ? "images" : "labels";
    const char *const *forms = content == IDX_IMAGES ? image_forms : label_forms;
    for (size_t i = 0; forms[i]; i++) {
        struct text path = {0};
        text_format(&path, "%s/%s-%s-%s", folder, part_prefix[part], kind, forms[i]);
        char *candidate = text_take(&path);
        if (!candidate)
            return log_no_memory(log, "looking for a data set");
        if (file_exists(candidate)) {
            *out = candidate;
            return NR_OK;
        }
        free(candidate);
    }
    log_error(log, "%s: holds no %s-%s-%s, raw or with .gz behind its name", folder, part_prefix[part], kind, forms[0]);
    return NR_NOT_FOUND;
}

static void part_close(struct part_files *files)
{
    idx_close(files->images);
    idx_close(files->labels);
    free(files->images_path);
    free(files->labels_path);
    *files = (struct part_files){0};
}

static nr_status part_open(const char *folder, enum dataset_part part, struct log *log, struct part_files *out)
{
    struct part_files files = {0};
    nr_status status = locate(folder, part, IDX_IMAGES, log, &files.images_path);
    if (status == NR_OK)
        status = locate(folder, part, IDX_LABELS, log, &files.labels_path);
    if (status == NR_OK)
        status = idx_open(files.images_path, IDX_IMAGES, log, &files.images);
    if (status == NR_OK)
        status = idx_open(files.labels_path, IDX_LABELS, log, &files.labels);
    if (status == NR_OK) {
        uint32_t images = *idx_dimensions(files.images, NULL), labels = *idx_dimensions(files.labels, NULL);
        if (images != labels) {
            log_error(log, "%s: holds %u images, but %s %u labels: expected equal numbers", files.images_path, images,
                      files.labels_path, labels);
            status = NR_INVALID;
        }
    }
    if (status != NR_OK) {
        part_close(&files);
        return status;
    }
    *out = files;
    return NR_OK;
}

static struct shape part_shape(const struct part_files *files)
{
    int dimensions;
    const uint32_t *size = idx_dimensions(files->images, &dimensions);
    if (dimensions == 3)
        return (struct shape){1, size[1], size[2]};
    return (struct shape){size[1], size[2], size[3]};
}

/* Labels of a training part: every class from 0 on occurs, so that a stray label (255 among digits) is noticed rather
 * than taken for 246 more classes. */
static nr_status count_classes(const char *path, const uint8_t *labels, int64_t count, struct log *log, int64_t *out)
{
    int64_t images_of[UINT8_MAX + 1] = {0}, classes = 0, gap = 0;
    for (int64_t i = 0; i < count; i++)
        images_of[labels[i]]++;
    for (int64_t c = 0; c <= UINT8_MAX; c++)
        if (images_of[c])
            classes = c + 1;
    if (classes > count) {
        log_error(log, "%s: %lld images for %lld classes (its largest label is %lld): expected at least one of each",
                  path, (long long)count, (long long)classes, (long long)classes - 1);
        return NR_INVALID;
    }
    while (gap < classes && images_of[gap])
        gap++;
    if (gap < classes) {
        log_error(log, "%s: label %lld is out of range: no image is labelled %lld, expected labels from 0 on without a "
                  "gap", path, (long long)classes - 1, (long long)gap);
        return NR_INVALID;
    }
    if (classes < 2) {
        log_error(log, "%s: every label is 0, expected at least two classes", path);
        return NR_INVALID;
    }
    *out = classes;
    return NR_OK;
}

static nr_status check_test_labels(const char *path, const uint8_t *labels, int64_t count, int64_t classes,
                                   struct log *log)
{
    for (int64_t i = 0; i < count; i++)
        if (labels[i] >= classes) {
            log_error(log, "%s: label %d of image %lld is out of range, expected 0..%lld as in the training part", path,
                      labels[i], (long long)i, (long long)classes - 1);
            return NR_INVALID;
        }
    return NR_OK;
}

nr_status dataset_outline_read(const char *folder, struct log *log, struct dataset_outline *out)
{
    struct part_files files = {0};
    struct dataset_outline outline = {0};
    nr_status status = part_open(folder, DATASET_TRAIN, log, &files);
    if (status != NR_OK)
        return status;
    size_t header = idx_header_bytes(files.labels), count = idx_data_bytes(files.labels);
    uint8_t *labels = mem_array(header + count, 1);
    status = labels ? idx_read(files.labels, labels, log) : log_no_memory(log, files.labels_path);
    if (status == NR_OK)
        status = count_classes(files.labels_path, labels + header, (int64_t)count, log, &outline.classes);
    if (status == NR_OK) {
        outline.shape = part_shape(&files);
        outline.count = (int64_t)count;
        for (size_t i = 0; i < count; i++)
            outline.images_of[labels[header + i]]++;
        *out = outline;
    }
    free(labels);
    part_close(&files);
    return status;
}

/* What the training part says about a test part: its classes; and a shape that must be the same. */
static nr_status classes_of_training(const char *folder, const struct part_files *test, struct log *log, int64_t *out)
{
    struct dataset_outline outline;
    nr_status status = dataset_outline_read(folder, log, &outline);
    if (status != NR_OK)
        return status;
    struct shape train = outline.shape, shape = part_shape(test);
    if (memcmp(&train, &shape, sizeof shape)) {
        log_error(log, "%s: images of %lldx%lldx%lld, expected %lldx%lldx%lld as in the training part",
                  test->images_path, (long long)shape.channels, (long long)shape.height, (long long)shape.width,
                  (long long)train.channels, (long long)train.height, (long long)train.width);
        return NR_INVALID;
    }
    *out = outline.classes;
    return NR_OK;
}

/* Writable memory of `bytes`, really there: a sparse one would end us with SIGBUS where memory runs out. */
static nr_status shared_create(size_t bytes, struct log *log, int *descriptor, void **mapping)
{
    int memory = memfd_create("nasrun-data", MFD_ALLOW_SEALING); /* not close-on-exec: workers inherit it */
    if (memory < 0)
        goto err_log;
    int code = posix_fallocate(memory, 0, (off_t)bytes);
    if (code != 0) {
        errno = code;
        goto err_close;
    }
    void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (address == MAP_FAILED)
        goto err_close;
    *descriptor = memory;
    *mapping = address;
    return NR_OK;

err_close:;
    int cause = errno;
    close(memory);
    errno = cause;
err_log:
    log_error(log, "no shared memory of %zu bytes for the data set: %s", bytes, strerror(errno));
    return NR_NO_MEMORY;
}

/* Unpacks both files behind the description and checks what they say. */
static nr_status fill(struct shared *shared, struct part_files *files, const char *folder, enum dataset_part part,
                      struct log *log)
{
    uint8_t *base = (uint8_t *)shared, *images_file = base + DATA_AT - idx_header_bytes(files->images);
    uint8_t *labels_file = base + DATA_AT + idx_data_bytes(files->images);
    size_t labels_bytes = idx_header_bytes(files->labels) + idx_data_bytes(files->labels);
    nr_status status = idx_read(files->images, images_file, log);
    if (status == NR_OK)
        status = idx_read(files->labels, labels_file, log);
    if (status != NR_OK)
        return status;
    const uint8_t *labels = base + shared->labels_at;
    if (part == DATASET_TRAIN) {
        status = count_classes(files->labels_path, labels, shared->count, log, &shared->classes);
    } else {
        status = classes_of_training(folder, files, log, &shared->classes);
        if (status == NR_OK)
            status = check_test_labels(files->labels_path, labels, shared->count, shared->classes, log);
    }
    if (status != NR_OK)
        return status;
    digest_bytes(images_file, (size_t)(labels_file + labels_bytes - images_file), shared->digest);
    return dataset_check_known(shared->name, part, shared->digest, files->images_path, files->labels_path, labels_file,
                               labels_bytes, log);
}

static nr_status load_part(const char *name, const char *folder, enum dataset_part part, struct part_files *files,
                           struct log *log, int *out)
{
    size_t labels = idx_data_bytes(files->labels), bytes = DATA_AT + idx_header_bytes(files->labels);
    if (__builtin_add_overflow(bytes, idx_data_bytes(files->images), &bytes) ||
        __builtin_add_overflow(bytes, labels, &bytes))
        return log_no_memory(log, files->images_path);
    int descriptor;
    void *mapping;
    nr_status status = shared_create(bytes, log, &descriptor, &mapping);
    if (status != NR_OK)
        return status;
    struct shape shape = part_shape(files);
    struct shared *shared = mapping;
    *shared = (struct shared){.magic = "nasrun", .version = SHARED_VERSION, .channels = shape.channels,
                              .height = shape.height, .width = shape.width, .count = (int64_t)labels,
                              .labels_at = bytes - labels, .bytes = bytes};
    strcpy(shared->name, name); /* its length was checked */
    status = fill(shared, files, folder, part, log);
    munmap(mapping, bytes);
    if (status == NR_OK && fcntl(descriptor, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)) {
        log_error(log, "the data set's shared memory cannot be sealed: %s", strerror(errno));
        status = NR_IO;
    }
    if (status != NR_OK) {
        close(descriptor);
        return status;
    }
    *out = descriptor;
    return NR_OK;
}

nr_status dataset_read(const char *name, const char *folder, enum dataset_part part, struct log *log,
                       struct dataset **out)
{
    struct part_files files;
    int descriptor = -1;
    if (strlen(name) >= NAME_SIZE) {
        log_error(log, "the name of the data set has %zu bytes, expected fewer than %d", strlen(name), NAME_SIZE);
        return NR_INVALID;
    }
    nr_status status = part_open(folder, part, log, &files);
    if (status != NR_OK)
        return status;
    status = load_part(name, folder, part, &files, log, &descriptor);
    part_close(&files);
    if (status != NR_OK)
        return status;
    status = dataset_map(descriptor, log, out);
    if (status != NR_OK)
        close(descriptor);
    return status;
}

/* Whether a mapping holds what dataset_read() put there; its parts were checked then. */
static bool shared_valid(const struct shared *shared, size_t bytes)
{
    return !memcmp(shared->magic, "nasrun", sizeof "nasrun") && shared->version == SHARED_VERSION &&
           shared->bytes == bytes && shared->labels_at <= bytes && shared->labels_at + (uint64_t)shared->count == bytes;
}

nr_status dataset_map(int descriptor, struct log *log, struct dataset **out)
{
    off_t length = lseek(descriptor, 0, SEEK_END);
    size_t bytes = (size_t)length;
    if (length < DATA_AT) {
        log_error(log, "descriptor %d holds no data set: %s", descriptor, length < 0 ? strerror(errno) : "too short");
        return NR_IO;
    }
    void *mapping = mmap(NULL, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    if (mapping == MAP_FAILED) {
        log_error(log, "the data set's shared memory cannot be mapped: %s", strerror(errno));
        return NR_IO;
    }
    const struct shared *shared = mapping;
    struct dataset *dataset = NULL;
    nr_status status = NR_IO;
    if (!shared_valid(shared, bytes)) {
        log_error(log, "descriptor %d holds no data set of this version of the program", descriptor);
        goto err_unmap;
    }
    dataset = mem_array(1, sizeof *dataset);
    if (!dataset || !(dataset->name = mem_copy_string(shared->name))) {
        status = log_no_memory(log, "mapping the data set");
        goto err_unmap;
    }
    dataset->shape = (struct shape){shared->channels, shared->height, shared->width};
    dataset->classes = shared->classes;
    dataset->count = shared->count;
    dataset->images = (const uint8_t *)mapping + DATA_AT;
    dataset->labels = (const uint8_t *)mapping + shared->labels_at;
    memcpy(dataset->digest, shared->digest, sizeof dataset->digest);
    dataset->descriptor = descriptor;
    dataset->bytes = bytes;
    dataset->mapping = mapping;
    *out = dataset;
    return NR_OK;

err_unmap:
    free(dataset);
    munmap(mapping, bytes);
    return status;
}

void dataset_destroy(struct dataset *dataset)
{
    if (!dataset)
        return;
    munmap(dataset->mapping, dataset->bytes);
    close(dataset->descriptor);
    free(dataset->name);
    free(dataset);
}
