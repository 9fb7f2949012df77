/* nasrun probe [train]: the child of run/probe.c. One JSON object on standard output:
 *   {"driver": "580.159.04, CUDA 13.0", "devices": [{"number": 0, "name": ..., "memory": ..., "available": ...,
 *    "lane": ..., "tf32": true, "bf16": true, "problem": ""}], "error": "..."}   error: only where there is no device
 * With `train` also "description", and "accuracy" or "failure" of the self-test, for each device without a problem. */
#include <dlfcn.h>
#include <jansson.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "run/channel.h"
#include "run/selftest.h"
#include "train/backends.h"

/* What was logged since the last call: its first line, without the "CUDA: " that every answer here would begin with. */
static json_t *logged(struct log *log)
{
    const char *text = log_text(log);
    text += text_starts_with(text, "CUDA: ") ? strlen("CUDA: ") : 0;
    json_t *line = json_stringn(text, strcspn(text, "\n"));
    log_clear_text(log);
    return line;
}

/* The driver's release, and the newest CUDA that it serves; "" where neither can be told. */
static json_t *driver_version(void)
{
    char *release = NULL;
    struct text text = {0};
    int version = 0;
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    int (*get_version)(int *) = NULL;
    if (driver)
        *(void **)&get_version = dlsym(driver, "cuDriverGetVersion");
    if (file_read("/sys/module/nvidia/version", NULL, &release, NULL) == NR_OK)
        text_append(&text, text_trim(release));
    if (get_version && get_version(&version) == 0 && version > 0)
        text_format(&text, "%sCUDA %d.%d", text.length ? ", " : "", version / 1000, version % 1000 / 10);
    free(release);
    json_t *string = json_string(text.data ? text.data : "");
    text_clear(&text);
    return string;
}

/* Opening a device makes a context on it, and so tells whether it works at all. */
static void train(const struct backend *backend, int number, struct log *log, json_t *object)
{
    struct device *device;
    struct text text = {0};
    double accuracy;
    nr_status status = backend->open(number, log, &device);
    if (status == NR_OK) {
        backend->describe(device, &text);
        backend->close(device);
        json_object_set_new(object, "description", json_string(text.data ? text.data : ""));
        text_clear(&text);
        status = selftest_training(backend, number, log, &accuracy);
    }
    if (status == NR_OK)
        json_object_set_new(object, "accuracy", json_real(accuracy));
    else
        json_object_set_new(object, "failure", logged(log));
}

static json_t *describe_device(const struct backend *backend, int number, bool with_training, struct log *log)
{
    struct device_summary summary = {0};
    if (backend->inspect(number, log, &summary) != NR_OK) {
        const char *text = log_text(log);
        snprintf(summary.problem, sizeof summary.problem, "%.*s", (int)strcspn(text, "\n"), text);
        log_clear_text(log);
    }
    json_t *object =
        json_pack("{si ss sI sI sI sb sb ss}", "number", number, "name", summary.name, "memory",
                  (json_int_t)summary.memory, "available", (json_int_t)summary.available, "lane",
                  (json_int_t)summary.lane, "tf32", summary.tf32, "bf16", summary.bf16, "problem", summary.problem);
    if (object && with_training && !*summary.problem)
        train(backend, number, log, object);
    return object;
}

static json_t *answer(bool with_training, struct log *log)
{
    const struct backend *backend;
    int count = 0;
    json_t *devices = json_array(), *object = json_pack("{so so}", "driver", driver_version(), "devices", devices);
    nr_status status = backend_load("cuda", log, &backend);
    if (status == NR_OK)
        status = backend->count(log, &count);
    if (status != NR_OK)
        json_object_set_new(object, "error", logged(log));
    else if (count == 0)
        json_object_set_new(object, "error", *log_text(log) ? logged(log) : json_string("no CUDA device"));
    for (int i = 0; i < count && status == NR_OK; i++)
        json_array_append_new(devices, describe_device(backend, i, with_training, log));
    return object;
}

nr_status command_probe(struct cli *cli)
{
    struct log *log;
    bool with_training = cli->arguments == 1 && !strcmp(cli->argument[0], "train");
    nr_status status = log_create(NULL, LOG_ERROR, &log);
    if (status != NR_OK)
        return status;
    log_keep_text(log);
    json_t *object = answer(with_training, log);
    char *text = json_dumps(object, JSON_PRESERVE_ORDER);
    if (text)
        fprintf(cli->out, "%s\n", text);
    free(text);
    json_decref(object);
    log_destroy(log);
    return text ? NR_OK : NR_NO_MEMORY;
}
