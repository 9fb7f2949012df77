#include "train/checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "base/memory.h"
#include "train/tensors.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors files are little-endian");

enum { LENGTH_BYTES = 8, DIGEST_DIGITS = FILE_DIGEST_SIZE - 1, DATA_ALIGNMENT = 8 };
static const char digest_key[] = "\"digest\":\"";
static const char no_digest[] = "0000000000000000000000000000000000000000000000000000000000000000";

/* ---- metadata as text ---- */

static void append_metrics(const struct epoch_metrics *metrics, struct text *text)
{
    const double values[] = {metrics->train_loss, metrics->validation_loss, metrics->validation_accuracy,
                             metrics->learning_rate, metrics->seconds};
    text_format(text, "%" PRId64, metrics->epoch);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        text_format(text, " %.17g", values[i]);
}

static bool parse_metrics(const char *string, struct epoch_metrics *out)
{
    struct epoch_metrics metrics;
    int used = 0;
    if (sscanf(string, "%" SCNd64 " %lf %lf %lf %lf %lf%n", &metrics.epoch, &metrics.train_loss,
               &metrics.validation_loss, &metrics.validation_accuracy, &metrics.learning_rate, &metrics.seconds,
               &used) != 6 ||
        string[used] != '\0')
        return false;
    *out = metrics;
    return true;
}

static void append_reals(const float *values, int64_t count, struct text *text)
{
    for (int64_t i = 0; i < count; i++)
        text_format(text, "%s%.9g", i ? "," : "", (double)values[i]);
}

/* Sets one entry and empties the text; jansson remembers nothing of a failure, so the caller looks at the result. */
static bool set_text(json_t *metadata, const char *key, struct text *value)
{
    char *string = text_take(value);
    bool done = string && json_object_set_new(metadata, key, json_string(string)) == 0;
    free(string);
    return done;
}

static bool set_state(json_t *metadata, const struct checkpoint *checkpoint)
{
    struct text text = {0};
    text_format(&text, "%d", CHECKPOINT_FORMAT);
    bool done = set_text(metadata, "format", &text);
    text_format(&text, "%" PRId64, checkpoint->state.step);
    done = set_text(metadata, "step", &text) && done;
    text_format(&text, "%" PRId64, checkpoint->epochs);
    done = set_text(metadata, "epochs", &text) && done;
    append_metrics(&checkpoint->last, &text);
    done = set_text(metadata, "last", &text) && done;
    append_metrics(&checkpoint->best, &text);
    return set_text(metadata, "best", &text) && done;
}

static bool set_network(json_t *metadata, const struct plan *plan, const struct split *split)
{
    struct text text = {0};
    plan_append_summary(plan, &text);
    bool done = set_text(metadata, "summary", &text);
    text_append(&text, plan->identity);
    done = set_text(metadata, "network", &text) && done;
    text_format(&text, "%" PRId64 ",%" PRId64 ",%" PRId64, plan->input.channels, plan->input.height, plan->input.width);
    done = set_text(metadata, "input", &text) && done;
    text_format(&text, "%" PRId64, plan->classes);
    done = set_text(metadata, "classes", &text) && done;
    append_reals(split->mean, split->channels, &text);
    done = set_text(metadata, "mean", &text) && done;
    append_reals(split->deviation, split->channels, &text);
    return set_text(metadata, "deviation", &text) && done;
}

/* ---- writing ---- */

/* NULL when out of memory, as jansson's own constructors. */
static json_t *describe_tensor(const struct tensor *tensor, int64_t *offset)
{
    int64_t begin = *offset;
    *offset += tensor->count * (int64_t)sizeof(float);
    json_t *shape = json_array();
    for (size_t i = 0; i < tensor->dimensions; i++)
        if (json_array_append_new(shape, json_integer(tensor->shape[i])) != 0) {
            json_decref(shape);
            return NULL;
        }
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", "F32", "shape", shape, "data_offsets", (json_int_t)begin,
                     (json_int_t)*offset);
}

static char *format_header(const struct checkpoint *checkpoint, const struct plan *plan, const struct split *split,
                           const struct tensors *tensors, int64_t *data_bytes)
{
    char *header = NULL;
    json_t *metadata = json_pack("{s:s, s:s}", "program", "nasrun " NASRUN_VERSION, "digest", no_digest);
    json_t *root = json_object();
    if (!metadata || !set_state(metadata, checkpoint) || !set_network(metadata, plan, split))
        goto err_root;
    if (json_object_set(root, "__metadata__", metadata) != 0)
        goto err_root;
    *data_bytes = 0;
    for (size_t i = 0; i < tensors->count; i++)
        if (json_object_set_new(root, tensors->tensor[i].name, describe_tensor(&tensors->tensor[i], data_bytes)) != 0)
            goto err_root;
    header = json_dumps(root, JSON_COMPACT); /* in the order of insertion */

err_root:
    json_decref(root);
    json_decref(metadata);
    return header;
}

/* Finds the digest's digits in a header; NULL when there are none. */
static char *find_digest(char *header, size_t length)
{
    char *key = memmem(header, length, digest_key, sizeof digest_key - 1);
    if (!key || (size_t)(header + length - key) < sizeof digest_key - 1 + DIGEST_DIGITS)
        return NULL;
    return key + sizeof digest_key - 1;
}

/* The whole file in memory: length, header (padded with blanks so that the data is aligned), data. */
static char *assemble(const char *header, const struct tensors *tensors, int64_t data_bytes, size_t *length)
{
    char digest[FILE_DIGEST_SIZE];
    size_t header_bytes = strlen(header),
           padded = (header_bytes + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT;
    uint64_t little = padded;
    *length = LENGTH_BYTES + padded + (size_t)data_bytes;
    char *file = mem_array(*length, 1);
    if (!file)
        return NULL;
    memcpy(file, &little, sizeof little);
    memcpy(file + LENGTH_BYTES, header, header_bytes);
    memset(file + LENGTH_BYTES + header_bytes, ' ', padded - header_bytes);
    char *at = file + LENGTH_BYTES + padded;
    for (size_t i = 0; i < tensors->count; i++) {
        size_t bytes = (size_t)tensors->tensor[i].count * sizeof(float);
        memcpy(at, tensors->tensor[i].values, bytes);
        at += bytes;
    }
    digest_bytes(file + LENGTH_BYTES, *length - LENGTH_BYTES, digest);
    memcpy(find_digest(file + LENGTH_BYTES, padded), digest, DIGEST_DIGITS);
    return file;
}

nr_status checkpoint_write(const char *path, const struct checkpoint *checkpoint, const struct plan *plan,
                           const struct split *split, bool with_optimizer, bool durable, struct log *log)
{
    struct tensors tensors;
    int64_t data_bytes;
    size_t length;
    if (tensors_create(plan, &checkpoint->state, with_optimizer, &tensors) != NR_OK)
        return log_no_memory(log, "writing a checkpoint");
    char *header = format_header(checkpoint, plan, split, &tensors, &data_bytes);
    char *file = header ? assemble(header, &tensors, data_bytes, &length) : NULL;
    nr_status status =
        file ? file_replace(path, file, length, durable, log) : log_no_memory(log, "writing a checkpoint");
    free(file);
    free(header);
    tensors_clear(&tensors);
    return status;
}

/* ---- reading ---- */

struct reader {
    const char *path;
    struct log *log;
    char *file; /* all of it */
    size_t header_bytes;
    const char *data;
    size_t data_bytes;
    json_t *root;
};

static nr_status refuse(const struct reader *reader, const char *what)
{
    log_error(reader->log, "%s: the checkpoint is damaged: %s", reader->path, what);
    return NR_INVALID;
}

static const char *metadata_text(const struct reader *reader, const char *key)
{
    const char *value = json_string_value(json_object_get(json_object_get(reader->root, "__metadata__"), key));
    return value ? value : "";
}

/* The digest covers the header with zeros in the digest's place, which is restored afterwards. */
static nr_status check_digest(const struct reader *reader, size_t length)
{
    char found[FILE_DIGEST_SIZE], expected[FILE_DIGEST_SIZE];
    char *digits = find_digest(reader->file + LENGTH_BYTES, reader->header_bytes);
    if (!digits)
        return refuse(reader, "it has no digest");
    memcpy(expected, digits, DIGEST_DIGITS);
    memcpy(digits, no_digest, DIGEST_DIGITS);
    digest_bytes(reader->file + LENGTH_BYTES, length - LENGTH_BYTES, found);
    memcpy(digits, expected, DIGEST_DIGITS);
    if (memcmp(found, expected, DIGEST_DIGITS) != 0)
        return refuse(reader, "its content does not match its digest");
    return NR_OK;
}

static nr_status open_file(struct reader *reader)
{
    size_t length;
    uint64_t header_bytes;
    nr_status status = file_read(reader->path, reader->log, &reader->file, &length);
    if (status != NR_OK)
        return status;
    if (length < LENGTH_BYTES)
        return refuse(reader, "it ends within the first 8 bytes");
    memcpy(&header_bytes, reader->file, sizeof header_bytes);
    if (header_bytes > length - LENGTH_BYTES)
        return refuse(reader, "it ends within the header");
    reader->header_bytes = (size_t)header_bytes;
    reader->data = reader->file + LENGTH_BYTES + reader->header_bytes;
    reader->data_bytes = length - LENGTH_BYTES - reader->header_bytes;
    reader->root = json_loadb(reader->file + LENGTH_BYTES, reader->header_bytes, 0, NULL);
    if (!reader->root)
        return refuse(reader, "its header is no JSON");
    int64_t format;
    if (text_to_int(metadata_text(reader, "format"), &format) && format > CHECKPOINT_FORMAT) {
        log_error(reader->log, "%s: the checkpoint has format %" PRId64 ", this version reads up to %d", reader->path,
                  format, CHECKPOINT_FORMAT);
        return NR_INVALID;
    }
    return check_digest(reader, length);
}

static nr_status read_metadata(const struct reader *reader, const struct plan *plan, struct checkpoint *out)
{
    const char *network = metadata_text(reader, "network");
    if (strcmp(network, plan->identity) != 0) {
        log_error(reader->log, "%s: the checkpoint holds another network (%s, identity %s), expected identity %s",
                  reader->path, metadata_text(reader, "summary"), network, plan->identity);
        return NR_INVALID;
    }
    if (!text_to_int(metadata_text(reader, "step"), &out->state.step) ||
        !text_to_int(metadata_text(reader, "epochs"), &out->epochs) ||
        !parse_metrics(metadata_text(reader, "last"), &out->last) ||
        !parse_metrics(metadata_text(reader, "best"), &out->best))
        return refuse(reader, "its metadata lacks step, epochs, last or best");
    return NR_OK;
}

static bool is_optimizer(const struct tensor *tensor)
{
    return text_starts_with(tensor->name, "optimizer.");
}

static nr_status read_tensor(const struct reader *reader, const struct tensor *tensor)
{
    json_t *entry = json_object_get(reader->root, tensor->name);
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    json_t *offsets = json_object_get(entry, "data_offsets");
    json_int_t begin = json_integer_value(json_array_get(offsets, 0));
    json_int_t end = json_integer_value(json_array_get(offsets, 1));
    json_int_t bytes = tensor->count * (json_int_t)sizeof(float);
    if (!entry && is_optimizer(tensor))
        return NR_OK;
    if (!type || strcmp(type, "F32") || begin < 0 || end - begin != bytes || (uint64_t)end > reader->data_bytes) {
        log_error(reader->log, "%s: the checkpoint is damaged: tensor %s is missing or not %" PRId64 " values of F32",
                  reader->path, tensor->name, tensor->count);
        return NR_INVALID;
    }
    memcpy(tensor->values, reader->data + begin, (size_t)bytes);
    return NR_OK;
}

static nr_status read_tensors(const struct reader *reader, const struct plan *plan, const struct trial_state *state)
{
    struct tensors tensors;
    nr_status status = tensors_create(plan, state, true, &tensors);
    if (status != NR_OK)
        return log_no_memory(reader->log, "reading a checkpoint");
    for (size_t i = 0; i < tensors.count && status == NR_OK; i++)
        status = read_tensor(reader, &tensors.tensor[i]);
    tensors_clear(&tensors);
    return status;
}

nr_status checkpoint_read(const char *path, const struct plan *plan, int64_t slots, struct log *log,
                          struct checkpoint *out)
{
    struct reader reader = {.path = path, .log = log};
    struct checkpoint checkpoint = {0};
    nr_status status = open_file(&reader);
    if (status != NR_OK)
        goto err_reader;
    if (trial_state_create(plan, slots, &checkpoint.state) != NR_OK) {
        status = log_no_memory(log, "reading a checkpoint");
        goto err_reader;
    }
    status = read_metadata(&reader, plan, &checkpoint);
    if (status == NR_OK)
        status = read_tensors(&reader, plan, &checkpoint.state);
    if (status == NR_OK)
        *out = checkpoint;
    else
        checkpoint_clear(&checkpoint);

err_reader:
    json_decref(reader.root);
    free(reader.file);
    return status;
}

void checkpoint_clear(struct checkpoint *checkpoint)
{
    trial_state_clear(&checkpoint->state);
    *checkpoint = (struct checkpoint){0};
}
