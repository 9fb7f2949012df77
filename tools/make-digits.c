/* make-digits: writes a data set of drawn digits, the four IDX files, into a folder. What tests and data/tiny use. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "digits.h"

struct options {
    int64_t images[2]; /* training, test */
    int64_t seed, height, width, channels;
    bool raw;
    const char *folder;
};

static const char usage[] =
    "usage: make-digits [options] FOLDER\n"
    "Draws digit-like images (random slant, thickness, shift, noise; ten classes) and writes\n"
    "{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz into FOLDER.\n"
    "  --train N        training images (1000)\n"
    "  --test N         test images (400)\n"
    "  --seed N         another seed, other images (1); the same one, the same bytes\n"
    "  --size HxW       pixels (28x28)\n"
    "  --channels N     colours; more than 1 gives idx4 files (1)\n"
    "  --raw            not compressed, without .gz\n";

static void put_big_endian(uint8_t *out, int64_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A gzip file without a time stamp; NULL when out of memory or over 4 GiB. */
static uint8_t *compress_gzip(const uint8_t *data, size_t length, size_t *out_length)
{
    enum { GZIP_WINDOW = 31, MOST_MEMORY = 9, UNKNOWN_SYSTEM = 255 };
    z_stream stream = {0};
    gz_header header = {.os = UNKNOWN_SYSTEM};
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, MOST_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    uLong most = deflateBound(&stream, length) + 64;
    uint8_t *packed = mem_array(most, 1);
    if (packed) {
        deflateSetHeader(&stream, &header);
        stream.next_in = (Bytef *)(uintptr_t)data; /* zlib only reads it */
        stream.avail_in = (uInt)length;
        stream.next_out = packed;
        stream.avail_out = (uInt)most;
        if (length == stream.avail_in && most == stream.avail_out && deflate(&stream, Z_FINISH) == Z_STREAM_END) {
            *out_length = stream.total_out;
        } else { /* zlib counts in 32 bits */
            free(packed);
            packed = NULL;
        }
    }
    deflateEnd(&stream);
    return packed;
}

static nr_status write_idx(const struct options *options, const char *name, const uint8_t *data, size_t length,
                           struct log *log)
{
    struct text path = {0};
    text_format(&path, "%s/%s%s", options->folder, name, options->raw ? "" : ".gz");
    uint8_t *packed = options->raw ? NULL : compress_gzip(data, length, &length);
    nr_status status;
    if (path.failed || (!packed && !options->raw))
        status = log_no_memory(log, "packing a file");
    else
        status = file_replace(path.data, packed ? packed : data, length, false, log);
    free(packed);
    text_clear(&path);
    return status;
}

static nr_status write_part(const struct options *options, uint32_t part, struct log *log)
{
    static const char *const prefix[] = {"train", "t10k"};
    struct digits digits = {.seed = (uint64_t)options->seed, .part = part, .channels = (uint32_t)options->channels,
                            .height = (uint32_t)options->height, .width = (uint32_t)options->width};
    int64_t count = options->images[part], size[] = {count, options->channels, options->height, options->width};
    bool coloured = options->channels > 1;
    size_t header = coloured ? 20 : 16, image = (size_t)(size[1] * size[2] * size[3]), at = 4;
    uint8_t *images = mem_array(header + (size_t)count * image, 1), *labels = mem_array(8 + (size_t)count, 1);
    nr_status status = NR_OK;
    if (!images || !labels) {
        status = log_no_memory(log, "drawing digits");
        goto out;
    }
    put_big_endian(images, coloured ? 0x804 : 0x803);
    for (int i = 0; i < 4; i++)
        if (coloured || i != 1) {
            put_big_endian(images + at, size[i]);
            at += 4;
        }
    put_big_endian(labels, 0x801);
    put_big_endian(labels + 4, count);
    for (uint32_t i = 0; i < count; i++) {
        digits_draw(&digits, i, images + header + i * image);
        labels[8 + i] = digits_label(&digits, i);
    }
    char name[64];
    snprintf(name, sizeof name, "%s-images-idx%d-ubyte", prefix[part], coloured ? 4 : 3);
    status = write_idx(options, name, images, header + (size_t)count * image, log);
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte", prefix[part]);
    if (status == NR_OK)
        status = write_idx(options, name, labels, 8 + (size_t)count, log);
out:
    free(images);
    free(labels);
    return status;
}

static bool read_number(const char *text, int64_t low, int64_t high, int64_t *out)
{
    int64_t value;
    if (!text_to_int(text, &value) || value < low || value > high)
        return false;
    *out = value;
    return true;
}

static bool read_size(char *text, struct options *options)
{
    enum { MOST_PIXELS = 4096 };
    char *parts[2];
    return text_split(text, 'x', parts, 2) == 2 && read_number(parts[0], 1, MOST_PIXELS, &options->height) &&
           read_number(parts[1], 1, MOST_PIXELS, &options->width);
}

static bool read_option(int option, char *value, struct options *options)
{
    enum { MOST_IMAGES = 1000000, MOST_CHANNELS = 64 };
    switch (option) {
    case 't':
        return read_number(value, 1, MOST_IMAGES, &options->images[0]);
    case 'T':
        return read_number(value, 1, MOST_IMAGES, &options->images[1]);
    case 's':
        return read_number(value, 0, INT64_MAX, &options->seed);
    case 'z':
        return read_size(value, options);
    case 'c':
        return read_number(value, 1, MOST_CHANNELS, &options->channels);
    case 'r':
        options->raw = true;
        return true;
    default:
        return false;
    }
}

int main(int count, char **arguments)
{
    static const struct option known[] = {
        {"train", required_argument, NULL, 't'}, {"test", required_argument, NULL, 'T'},
        {"seed", required_argument, NULL, 's'},  {"size", required_argument, NULL, 'z'},
        {"channels", required_argument, NULL, 'c'}, {"raw", no_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    struct options options = {.images = {1000, 400}, .seed = 1, .height = 28, .width = 28, .channels = 1};
    int option;
    while ((option = getopt_long(count, arguments, "h", known, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        }
        if (!read_option(option, optarg, &options)) {
            if (option != '?')
                fprintf(stderr, "make-digits: \"%s\" is no value for that option\n", optarg);
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind + 1 != count) {
        fputs(usage, stderr);
        return 2;
    }
    options.folder = arguments[optind];
    struct log *log = NULL;
    nr_status status = log_create(stderr, LOG_ERROR, &log);
    if (status == NR_OK)
        status = file_make_folder(options.folder, log);
    for (uint32_t part = 0; part < 2 && status == NR_OK; part++)
        status = write_part(&options, part, log);
    log_destroy(log);
    return status_exit(status);
}
