#include "run/devices.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run/pool.h"
#include "run/probe.h"
#include "train/backends.h"

/* Every trial that is under way when a suggestion is made is one whose result it does without: so a model-based search
 * keeps at most a sixth of its trials under way, and eight lanes fill a GPU with small networks. */
enum { MOST_AUTOMATIC_LANES = 8, TRIALS_PER_LANE = 6 };

/* In the order of the key's choices in space/keys.c. */
enum wanted { WANTED_AUTO, WANTED_ALL, WANTED_CPU, WANTED_NUMBERS };

struct choice {
    const struct study *study;
    struct log *log;
    struct probe probe;
    enum wanted wanted;
    int ranks;
    enum precision_kind precision;
    struct devices devices;
};

static nr_status refuse(const struct choice *choice, enum key_id id, const char *format, ...) NR_PRINTF(3, 4);

/* "small.ini:12: [run] devices: ..." */
static nr_status refuse(const struct choice *choice, enum key_id id, const char *format, ...)
{
    const struct setting *setting = &choice->study->setting[id];
    struct text text = {0};
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (setting->file)
        config_append_place(&text, setting->file, setting->line, keys[id].section, keys[id].name);
    else
        text_format(&text, "%s: [%s] %s = %s", choice->study->config.path, keys[id].section, keys[id].name,
                    setting->text);
    log_error(choice->log, "%s: %s", text.data ? text.data : keys[id].name, message);
    text_clear(&text);
    return NR_INVALID;
}

static enum wanted wanted_devices(const struct study *study)
{
    const char *text = study_text(study, KEY_DEVICES);
    for (int i = 0; keys[KEY_DEVICES].choices[i]; i++)
        if (!strcmp(text, keys[KEY_DEVICES].choices[i]))
            return (enum wanted)i;
    return WANTED_NUMBERS;
}

static const char *precision_name(enum precision_kind precision)
{
    return keys[KEY_PRECISION].choices[precision];
}

/* Why a device cannot train this study; NULL: it can. */
static const char *problem_of(const struct choice *choice, const struct device_summary *summary)
{
    if (*summary->problem)
        return summary->problem;
    if (choice->precision == PRECISION_TF32 && !summary->tf32)
        return "it has no tf32";
    if (choice->precision == PRECISION_BF16 && !summary->bf16)
        return "it has no bf16";
    return NULL;
}

/* "found: 0 (NVIDIA H100), 1 (NVIDIA GTX 750: this program has no code for compute capability 5.0)" */
static char *list_found(const struct choice *choice)
{
    struct text text = {0};
    if (!choice->probe.count)
        text_format(&text, "found no GPU: %s", choice->probe.error ? choice->probe.error : "there is none");
    for (size_t i = 0; i < choice->probe.count; i++) {
        const struct probed_device *device = &choice->probe.device[i];
        const char *problem = problem_of(choice, &device->summary);
        text_format(&text, "%s%d (%s%s%s)", i ? ", " : "found ", device->number, device->summary.name,
                    problem ? ": " : "", problem ? problem : "");
    }
    return text_take(&text);
}

static nr_status refuse_found(const struct choice *choice, enum key_id id, const char *why)
{
    char *found = list_found(choice);
    bool instead = id == KEY_DEVICES && !choice->probe.count;
    nr_status status = refuse(choice, id, "%s; %s%s", why, found ? found : "found what no memory is left to tell",
                              instead ? "; auto or cpu trains on the CPU" : "");
    free(found);
    return status;
}

/* Entry `number` of this process's CUDA_VISIBLE_DEVICES, which may be a number, a UUID or a MIG name; without one
 * devices are numbered as they are. NULL: out of memory. */
static char *visible_name(int number)
{
    const char *list = getenv("CUDA_VISIBLE_DEVICES");
    struct text text = {0};
    for (int i = 0; list && i < number; i++) {
        list = strchr(list, ',');
        if (list)
            list++;
    }
    if (list)
        text_append_bytes(&text, list, strcspn(list, ","));
    else
        text_format(&text, "%d", number);
    return text_take(&text);
}

static nr_status take(struct choice *choice, const struct probed_device *device)
{
    struct gpu *gpu = &choice->devices.gpu[choice->devices.gpus];
    *gpu = (struct gpu){.number = device->number,
                        .visible = visible_name(device->number),
                        .memory = device->summary.available,
                        .lane = device->summary.lane};
    memcpy(gpu->name, device->summary.name, sizeof gpu->name);
    if (!gpu->visible)
        return log_no_memory(choice->log, "choosing devices");
    choice->devices.gpus++;
    return NR_OK;
}

/* Every device that can be used; `all` asks that every one can. */
static nr_status take_all(struct choice *choice)
{
    nr_status status = NR_OK;
    for (size_t i = 0; i < choice->probe.count && status == NR_OK; i++) {
        const struct probed_device *device = &choice->probe.device[i];
        const char *problem = problem_of(choice, &device->summary);
        if (!problem)
            status = take(choice, device);
        else if (choice->wanted == WANTED_ALL)
            return refuse_found(choice, KEY_DEVICES, "not every device can be used; name those that can");
        else
            log_warning(choice->log, "device %d (%s) is left out: %s", device->number, device->summary.name, problem);
    }
    return status;
}

static nr_status take_numbers(struct choice *choice)
{
    int numbers[KEY_MOST_NUMBERS];
    const struct key *key = &keys[KEY_DEVICES];
    size_t count = key_numbers(key, study_text(choice->study, KEY_DEVICES), numbers);
    nr_status status = NR_OK;
    for (size_t i = 0; i < count && status == NR_OK; i++) {
        char why[64];
        if ((size_t)numbers[i] >= choice->probe.count) {
            snprintf(why, sizeof why, "there is no device %d", numbers[i]);
            return refuse_found(choice, KEY_DEVICES, why);
        }
        const struct probed_device *device = &choice->probe.device[numbers[i]];
        if (problem_of(choice, &device->summary)) {
            snprintf(why, sizeof why, "device %d cannot be used", numbers[i]);
            return refuse_found(choice, KEY_DEVICES, why);
        }
        status = take(choice, device);
    }
    return status;
}

/* The CPU does float32 and float64, one process per trial. */
static nr_status use_cpu(struct choice *choice)
{
    bool narrow = choice->precision == PRECISION_TF32 || choice->precision == PRECISION_BF16;
    int64_t workers = study_int(choice->study, KEY_WORKERS, NULL);
    if (narrow && choice->wanted == WANTED_CPU)
        return refuse(choice, KEY_PRECISION, "%s is of GPUs only; the CPU has float32 and float64",
                      precision_name(choice->precision));
    if (narrow)
        return refuse_found(choice, KEY_PRECISION, "it needs a GPU; the CPU has float32 and float64");
    if (choice->ranks > 1 && choice->wanted == WANTED_CPU)
        return refuse(choice, KEY_GPUS_PER_TRIAL, "on the CPU a trial has one process; expected 1");
    if (choice->ranks > 1)
        return refuse_found(choice, KEY_GPUS_PER_TRIAL, "on the CPU a trial has one process");
    choice->devices.backend = "cpu";
    choice->devices.workers = (size_t)(workers ? workers : pool_automatic_size());
    choice->devices.lanes = choice->devices.ranks = 1;
    return NR_OK;
}

/* Fewest images that a batch may have in this study. */
static int64_t least_batch(const struct study *study)
{
    const struct setting *setting = &study->setting[KEY_BATCH_SIZE];
    int64_t value, least = INT64_MAX;
    if (!setting->searched)
        return study_int(study, KEY_BATCH_SIZE, NULL);
    const struct dimension *dimension = &study->space.dimension[setting->dimension];
    for (size_t i = 0; i < dimension->levels; i++)
        if (text_to_int(dimension->level[i], &value) && value < least)
            least = value;
    if (dimension->condition && text_to_int(keys[KEY_BATCH_SIZE].preset, &value) && value < least)
        least = value; /* where the parameter does not exist */
    return dimension->levels || least < (int64_t)dimension->low ? least : (int64_t)dimension->low;
}

/* Whole groups only: `auto` leaves the rest out, who named devices is told. */
static nr_status form_groups(struct choice *choice)
{
    struct devices *devices = &choice->devices;
    int ranks = choice->ranks;
    int rest = (int)(devices->gpus % (size_t)ranks);
    if ((size_t)ranks > devices->gpus)
        return refuse_found(choice, KEY_GPUS_PER_TRIAL, "that is more than there are devices to use");
    if (rest && choice->wanted != WANTED_AUTO)
        return refuse(choice, KEY_GPUS_PER_TRIAL,
                      "%zu devices do not divide into groups of %d: %d would be left over; name a multiple of %d",
                      devices->gpus, ranks, rest, ranks);
    if (ranks > 1 && study_int(choice->study, KEY_LANES, NULL) > 1)
        return refuse(choice, KEY_LANES,
                      "a group of GPUs trains one trial at a time; expected 1 or auto where "
                      "gpus_per_trial is more than 1");
    if (least_batch(choice->study) < ranks)
        return refuse(choice, KEY_GPUS_PER_TRIAL,
                      "batch_size can be %" PRId64 ", less than one image for each of %d GPUs",
                      least_batch(choice->study), ranks);
    for (; rest; rest--) {
        struct gpu *gpu = &devices->gpu[--devices->gpus];
        log_warning(choice->log, "device %d (%s) is left out: gpus_per_trial is %d", gpu->number, gpu->name, ranks);
        free(gpu->visible);
    }
    return NR_OK;
}

static double smallest_bytes(const struct preparation *preparation)
{
    struct plan *plan;
    struct recipe recipe;
    if (problem_plan(&preparation->problem, preparation->extremes.smallest, NULL, &plan, &recipe) != NR_OK)
        return 0;
    double bytes = problem_exact("memory", plan, &recipe);
    plan_destroy(plan);
    return bytes;
}

/* `lanes = auto`: as many candidates of medium size as fit into the smallest device, within the limits above. A
 * candidate that does not fit beside the others waits in its worker (run/lanes.h). */
static int automatic_lanes(const struct choice *choice, const struct preparation *preparation, double most_bytes)
{
    double medium = (smallest_bytes(preparation) + most_bytes) / 2, lanes = MOST_AUTOMATIC_LANES;
    for (size_t i = 0; i < choice->devices.gpus; i++)
        lanes = fmin(lanes, (double)choice->devices.gpu[i].memory / (medium + (double)choice->devices.gpu[i].lane));
    if (study_choice(choice->study, KEY_METHOD, NULL) == 0) /* bo */
        lanes = fmin(lanes, (double)study_int(choice->study, KEY_TRIALS, NULL) /
                                (TRIALS_PER_LANE * (double)choice->devices.gpus));
    return choice->ranks > 1 || lanes < 1 ? 1 : (int)lanes;
}

/* The plan's bytes are a little less than a device takes, so this refuses only what cannot be. */
static nr_status check_lanes(const struct choice *choice, double most_bytes, int lanes)
{
    for (size_t i = 0; i < choice->devices.gpus && lanes > 1; i++) {
        const struct gpu *gpu = &choice->devices.gpu[i];
        double bytes = most_bytes + (double)gpu->lane, fit = floor((double)gpu->memory / bytes);
        if (fit < lanes)
            return refuse(
                choice, KEY_LANES,
                "%d candidates of the largest kind, %.0f MiB each, do not fit into the %.0f MiB that are free "
                "on device %d (%s): %.0f do; expected at most that, or auto",
                lanes, ceil(bytes / 1048576), (double)gpu->memory / 1048576, gpu->number, gpu->name, fit);
    }
    return NR_OK;
}

static nr_status set_lanes(struct choice *choice, struct preparation *preparation)
{
    const struct dataset *dataset = preparation->dataset;
    double most_bytes;
    int lanes = (int)study_int(choice->study, KEY_LANES, NULL);
    int64_t pixels = dataset->shape.channels * dataset->shape.height * dataset->shape.width;
    for (size_t i = 0; i < choice->devices.gpus; i++)
        choice->devices.gpu[i].memory -= dataset->count * (pixels + 1);
    nr_status status = extremes_most_bytes(&preparation->problem, &preparation->extremes, choice->log, &most_bytes);
    if (status == NR_OK)
        status = check_lanes(choice, most_bytes, lanes);
    choice->devices.lanes = lanes ? lanes : status == NR_OK ? automatic_lanes(choice, preparation, most_bytes) : 1;
    return status;
}

static nr_status use_gpus(struct choice *choice, struct preparation *preparation)
{
    struct devices *devices = &choice->devices;
    nr_status status = form_groups(choice);
    if (status == NR_OK)
        status = set_lanes(choice, preparation);
    devices->backend = "cuda";
    devices->workers = devices->gpus;
    devices->ranks = choice->ranks;
    memcpy(devices->driver, choice->probe.driver, sizeof devices->driver);
    return status;
}

/* Nobody expects a GPU where there is no driver; where there is one that is of no use, a person wants to know. */
static nr_status fall_back(struct choice *choice)
{
    nr_status status = use_cpu(choice);
    const char *error = choice->probe.error ? choice->probe.error : "no device can be used";
    if (status == NR_OK && (choice->probe.asked || getenv("NASRUN_CUDA_MODULE")))
        log_warning(choice->log, "no GPU trains, but the CPU: %s", error);
    return status;
}

static nr_status find_gpus(struct choice *choice, const char *program)
{
    nr_status status = probe_devices(program, false, choice->log, &choice->probe);
    if (status != NR_OK)
        return status;
    choice->devices.gpu = mem_array(choice->probe.count, sizeof *choice->devices.gpu);
    if (!choice->devices.gpu)
        return log_no_memory(choice->log, "choosing devices");
    if (choice->wanted == WANTED_NUMBERS)
        return take_numbers(choice);
    if (choice->wanted == WANTED_ALL && !choice->probe.count)
        return refuse_found(choice, KEY_DEVICES, "there is none to use");
    return take_all(choice);
}

nr_status devices_choose(const struct study *study, struct preparation *preparation, const char *program,
                         struct log *log, struct devices *out)
{
    struct choice choice = {.study = study,
                            .log = log,
                            .wanted = wanted_devices(study),
                            .ranks = (int)study_int(study, KEY_GPUS_PER_TRIAL, NULL),
                            .precision = (enum precision_kind)study_choice(study, KEY_PRECISION, NULL)};
    bool needs_cpu = choice.precision == PRECISION_FLOAT64;
    nr_status status = NR_OK;
    if (needs_cpu && choice.wanted != WANTED_AUTO && choice.wanted != WANTED_CPU)
        return refuse(&choice, KEY_PRECISION, "GPUs have float32, tf32 and bf16; float64 needs devices = cpu");
    if (choice.wanted == WANTED_CPU || needs_cpu) {
        choice.wanted = WANTED_CPU;
        status = use_cpu(&choice);
    } else {
        status = find_gpus(&choice, program);
        if (status == NR_OK)
            status = choice.devices.gpus ? use_gpus(&choice, preparation) : fall_back(&choice);
    }
    probe_clear(&choice.probe);
    if (status == NR_OK)
        *out = choice.devices;
    else
        devices_clear(&choice.devices);
    return status;
}

void devices_clear(struct devices *devices)
{
    for (size_t i = 0; i < devices->gpus; i++)
        free(devices->gpu[i].visible);
    free(devices->gpu);
    *devices = (struct devices){0};
}

nr_status devices_describe(const struct devices *devices, struct log *log, struct text *out)
{
    const struct backend *backend;
    struct device *device;
    if (devices->gpus) {
        text_format(out, "%s: ", devices->backend);
        for (size_t i = 0; i < devices->gpus; i++)
            text_format(out, "%s%s (%d)", i ? ", " : "", devices->gpu[i].name, devices->gpu[i].number);
        if (*devices->driver)
            text_format(out, "; driver %s", devices->driver);
    } else {
        nr_status status = backend_load(devices->backend, log, &backend);
        if (status == NR_OK)
            status = backend->open(0, log, &device);
        if (status != NR_OK)
            return status;
        backend->describe(device, out);
        backend->close(device);
    }
    return out->failed ? log_no_memory(log, "describing the devices") : NR_OK;
}

void devices_append_summary(const struct devices *devices, struct text *out)
{
    if (!devices->gpus) {
        text_format(out, "%zu worker%s", devices->workers, devices->workers == 1 ? "" : "s");
        return;
    }
    text_append(out, devices->workers == 1 ? "GPU " : "GPUs ");
    for (size_t i = 0; i < devices->workers; i++)
        text_format(out, "%s%d", i ? ", " : "", devices->gpu[i].number);
    if (devices->ranks > 1)
        text_format(out, " in groups of %d", devices->ranks);
    else
        text_format(out, " with %d lane%s%s", devices->lanes, devices->lanes == 1 ? "" : "s",
                    devices->workers == 1 ? "" : " each");
}
