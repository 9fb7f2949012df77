/* A module that looks like the CUDA backend and trains on the CPU: devices, lanes, memory and failures are what the
 * environment says, so that the driver and its workers are tested in seconds wherever the program builds.
 *
 *   NASRUN_FAKE_DEVICES   devices, of which CUDA_VISIBLE_DEVICES chooses by number (default 1)
 *   NASRUN_FAKE_NONE      there is none, and this is why
 *   NASRUN_FAKE_PROBLEM   "1:text": device 1 cannot be used
 *   NASRUN_FAKE_BF16      "0": the devices have no bf16
 *   NASRUN_FAKE_MEMORY    bytes of a device (default 1 GiB)
 *   NASRUN_FAKE_UNDERSTATE  memory() tells this part of what create() takes (default 1)
 *   NASRUN_FAKE_SILENT    "1": upload() never returns
 *   NASRUN_FAKE_PLANT     "KIND TRIAL STEP RANK [FILE]": that trial (0: any) fails in that step of that rank (-1: any),
 *                         with FILE only as long as it does not exist, and makes it. KIND: device, memory, hang (no
 *                         step ends), stuck (no call returns), kill; shape (create() lacks one)
 *
 * A rank on which a trial fails has left its group: it trains no other. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "train/backend.h"

enum { LANES = 64, STEPS_PER_POLL = 4, MOST_RANKS = 8, MOST_VALUES = 4096 };

/* Where ranks meet, in shared memory. */
struct meeting {
    atomic_int arrived, round;
    float value[MOST_RANKS][MOST_VALUES];
};

struct device {
    struct device *cpu;
    struct log *log;
    struct meeting *meeting;
    int segment; /* rank 0's descriptor of it, else -1 */
    int rank, ranks;
    bool left; /* its group */
    int64_t memory, taken;
    bool dead; /* as after a sticky error: nothing works any more */
};

struct trainer {
    struct device *device;
    struct trainer *cpu;
    struct recipe recipe;
    uint32_t trial;
    int rank;
    int64_t bytes, queued;
    struct progress progress;
};

static int64_t number_of(const char *name, int64_t preset)
{
    const char *text = getenv(name);
    return text && *text ? strtoll(text, NULL, 10) : preset;
}

/* The devices that this process may see, as numbers of all; a UUID is none of them. */
static int visible(int *out)
{
    int devices = (int)number_of("NASRUN_FAKE_DEVICES", 1), count = 0;
    const char *list = getenv("CUDA_VISIBLE_DEVICES");
    for (int i = 0; !list && i < devices; i++)
        out[count++] = i;
    for (const char *next = list; next && *next; next = strchr(next, ',') ? strchr(next, ',') + 1 : NULL) {
        int number = (int)strtol(next, NULL, 10);
        if (number < 0 || number >= devices)
            break;
        out[count++] = number;
    }
    return count;
}

static nr_status fake_count(struct log *log, int *out)
{
    int numbers[LANES];
    const char *none = getenv("NASRUN_FAKE_NONE");
    if (none) {
        log_error(log, "CUDA: %s", none);
        return NR_DEVICE;
    }
    *out = visible(numbers);
    return NR_OK;
}

static nr_status fake_inspect(int number, struct log *log, struct device_summary *out)
{
    int numbers[LANES];
    const char *problem = getenv("NASRUN_FAKE_PROBLEM"), *text = problem ? strchr(problem, ':') : NULL;
    (void)log;
    (void)visible(numbers);
    *out = (struct device_summary){.memory = number_of("NASRUN_FAKE_MEMORY", 1 << 30),
                                   .available = number_of("NASRUN_FAKE_MEMORY", 1 << 30),
                                   .tf32 = true,
                                   .bf16 = number_of("NASRUN_FAKE_BF16", 1) != 0};
    snprintf(out->name, sizeof out->name, "Fake %d", numbers[number]);
    if (text && strtol(problem, NULL, 10) == numbers[number])
        snprintf(out->problem, sizeof out->problem, "%s", text + 1);
    return NR_OK;
}

static nr_status fake_open(int number, struct log *log, struct device **out)
{
    struct device *device = mem_array(1, sizeof *device);
    int numbers[LANES];
    if (!device || number >= visible(numbers)) {
        log_error(log, "CUDA: there is no device %d", number);
        free(device);
        return NR_DEVICE;
    }
    *device =
        (struct device){.log = log, .segment = -1, .ranks = 1, .memory = number_of("NASRUN_FAKE_MEMORY", 1 << 30)};
    nr_status status = cpu_backend.open(0, log, &device->cpu);
    if (status == NR_OK)
        *out = device;
    else
        free(device);
    return status;
}

static void fake_describe(const struct device *device, struct text *text)
{
    int numbers[LANES] = {0};
    (void)device;
    (void)visible(numbers);
    text_format(text, "Fake %d", numbers[0]);
}

static void fake_close(struct device *device)
{
    if (device->meeting)
        munmap(device->meeting, sizeof *device->meeting);
    if (device->segment >= 0)
        close(device->segment);
    cpu_backend.close(device->cpu);
    free(device);
}

static nr_status fake_upload(struct device *device, const struct dataset *dataset, struct images **out)
{
    while (number_of("NASRUN_FAKE_SILENT", 0))
        pause();
    device->taken += dataset->count * (dataset->shape.channels * dataset->shape.height * dataset->shape.width + 1);
    return cpu_backend.upload(device->cpu, dataset, out);
}

static void fake_unload(struct images *images)
{
    cpu_backend.unload(images);
}

static int fake_lanes(const struct device *device)
{
    (void)device;
    return LANES;
}

static int64_t fake_available(struct device *device)
{
    return device->memory - device->taken;
}

static bool fake_supports(const struct device *device, enum precision_kind precision)
{
    (void)device;
    return precision != PRECISION_FLOAT64;
}

/* --- groups --- */

static void meet(struct device *device)
{
    struct meeting *meeting = device->meeting;
    int round = atomic_load(&meeting->round);
    if (atomic_fetch_add(&meeting->arrived, 1) + 1 == device->ranks) {
        atomic_store(&meeting->arrived, 0);
        atomic_fetch_add(&meeting->round, 1);
    }
    for (int turn = 0; atomic_load(&meeting->round) == round; turn++) {
        if (turn < 50)
            sched_yield();
        else
            nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    }
}

/* In the order of the ranks, so that every rank gets the same bits. */
static nr_status mean(void *context, void *values, int64_t count)
{
    struct device *device = context;
    float *value = values;
    for (int64_t done = 0; done < count; done += MOST_VALUES) {
        int64_t here = count - done < MOST_VALUES ? count - done : MOST_VALUES;
        memcpy(device->meeting->value[device->rank], value + done, (size_t)here * sizeof *value);
        meet(device);
        for (int64_t i = 0; i < here; i++) {
            double sum = 0;
            for (int rank = 0; rank < device->ranks; rank++)
                sum += (double)device->meeting->value[rank][i];
            value[done + i] = (float)(sum / device->ranks);
        }
        meet(device); /* nobody writes before all have read */
    }
    return NR_OK;
}

/* The segment is a descriptor of rank 0, which the others find under its process: nothing is left whoever is killed. */
static nr_status fake_invite(struct device *device, char invitation[INVITATION_SIZE])
{
    device->segment = memfd_create("meeting", MFD_CLOEXEC);
    if (device->segment < 0 || ftruncate(device->segment, sizeof *device->meeting) != 0)
        return NR_DEVICE;
    snprintf(invitation, INVITATION_SIZE, "/proc/%ld/fd/%d", (long)getpid(), device->segment);
    return NR_OK;
}

static nr_status fake_join(struct device *device, const char *invitation, int rank, int ranks)
{
    int descriptor = open(invitation, O_RDWR | O_CLOEXEC);
    if (descriptor < 0 || ranks > MOST_RANKS)
        return NR_DEVICE;
    void *meeting = mmap(NULL, sizeof *device->meeting, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (meeting == MAP_FAILED)
        return NR_DEVICE;
    device->meeting = meeting;
    device->rank = rank;
    device->ranks = ranks;
    meet(device);
    return NR_OK;
}

/* --- training --- */

static int64_t bytes_of(const struct plan *plan, const struct recipe *recipe)
{
    return plan_training_bytes(plan, recipe->batch_size, recipe_optimizer_slots(recipe));
}

static int64_t fake_memory(const struct device *device, const struct plan *plan, const struct recipe *recipe)
{
    (void)device;
    return bytes_of(plan, recipe) / number_of("NASRUN_FAKE_UNDERSTATE", 1);
}

/* Whether the planted failure is due before the next step of the trainer, or, for a shape, while it is made; `kind`
 * gets which. */
static bool planted(const struct trainer *trainer, char kind[16])
{
    unsigned trial;
    long long step;
    int rank;
    char file[256] = "";
    const char *text = getenv("NASRUN_FAKE_PLANT");
    if (!text || sscanf(text, "%15s %u %lld %d %255s", kind, &trial, &step, &rank, file) < 4 ||
        (trial && trial != trainer->trial) || trainer->progress.step < step || (rank >= 0 && rank != trainer->rank) ||
        (trainer->cpu == NULL) != !strcmp(kind, "shape"))
        return false;
    int made = *file ? open(file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600) : 0;
    if (made > 0)
        close(made);
    return made >= 0;
}

static nr_status leave(struct device *device, nr_status status)
{
    device->left = device->ranks > 1;
    return status;
}

static nr_status fake_create(struct device *device, struct images *images, const struct trainer_setup *setup,
                             struct trainer **out)
{
    int64_t bytes = bytes_of(setup->plan, setup->recipe);
    char kind[16];
    if (device->left) {
        log_error(device->log, "CUDA: rank %d of %d has left its group", device->rank, device->ranks);
        return NR_DEVICE;
    }
    if (bytes > device->memory - device->taken) {
        log_error(device->log, "CUDA: fakeMalloc: out of memory");
        return leave(device, NR_NO_MEMORY);
    }
    struct trainer *trainer = mem_array(1, sizeof *trainer);
    if (!trainer)
        return log_no_memory(device->log, "making a trainer");
    *trainer = (struct trainer){.device = device, .recipe = *setup->recipe, .trial = setup->trial, .rank = setup->rank};
    if (planted(trainer, kind)) {
        log_error(device->log, "CUDA: fakeDescriptor: not supported");
        free(trainer);
        return leave(device, NR_INFEASIBLE);
    }
    trainer->recipe.precision = PRECISION_FLOAT32;
    trainer->bytes = bytes;
    struct trainer_setup inner = *setup;
    inner.recipe = &trainer->recipe;
    inner.lane = 0;
    inner.reduce = setup->ranks > 1 ? mean : NULL;
    inner.reduce_context = device;
    nr_status status = cpu_backend.create(device->cpu, images, &inner, &trainer->cpu);
    if (status != NR_OK) {
        free(trainer);
        return status;
    }
    device->taken += bytes;
    *out = trainer;
    return NR_OK;
}

static void fake_destroy(struct trainer *trainer)
{
    trainer->device->taken -= trainer->bytes;
    cpu_backend.destroy(trainer->cpu);
    free(trainer);
}

static void fail(struct trainer *trainer, nr_status status, const char *cause)
{
    trainer->progress.status = leave(trainer->device, status);
    trainer->progress.failed_at = trainer->progress.step;
    trainer->progress.cause = cause;
    trainer->queued = 0;
}

static const char sticky[] = "fakeLaunch(steps): an illegal memory access was encountered";

static void strike(struct trainer *trainer, const char *kind)
{
    if (!strcmp(kind, "kill"))
        raise(SIGKILL);
    while (!strcmp(kind, "stuck"))
        pause();
    if (!strcmp(kind, "hang"))
        trainer->queued = INT64_MAX / 2;
    if (!strcmp(kind, "memory"))
        fail(trainer, NR_NO_MEMORY, "fakeLaunch(steps): out of memory");
    if (!strcmp(kind, "device")) {
        trainer->device->dead = true;
        fail(trainer, NR_DEVICE, sticky);
    }
}

static nr_status fake_submit(struct trainer *trainer, int64_t steps)
{
    trainer->queued += steps;
    return NR_OK;
}

static void work(struct trainer *trainer)
{
    char kind[16];
    int64_t steps = trainer->queued < STEPS_PER_POLL ? trainer->queued : STEPS_PER_POLL;
    if (trainer->device->dead)
        fail(trainer, NR_DEVICE, sticky);
    for (; steps > 0 && trainer->progress.status == NR_OK && trainer->queued < INT64_MAX / 4; steps--) {
        if (planted(trainer, kind)) {
            strike(trainer, kind);
            continue;
        }
        if (cpu_backend.submit(trainer->cpu, 1) != NR_OK)
            fail(trainer, NR_DEVICE, "fakeLaunch(steps): failed");
        cpu_backend.poll(trainer->cpu, &trainer->progress);
        trainer->queued--;
    }
}

static void fake_poll(struct trainer *trainer, struct progress *out)
{
    work(trainer);
    *out = trainer->progress;
    out->busy = trainer->queued > 0 && out->status == NR_OK;
}

static void fake_reset(struct trainer *trainer)
{
    cpu_backend.reset_progress(trainer->cpu);
    cpu_backend.poll(trainer->cpu, &trainer->progress);
}

static nr_status fake_evaluate(struct trainer *trainer, const struct images *images, const uint32_t *indices,
                               int64_t count, struct evaluation *out)
{
    return cpu_backend.evaluate(trainer->cpu, images, indices, count, out);
}

static nr_status fake_predict(struct trainer *trainer, const struct images *images, const uint32_t *indices,
                              int64_t count, float *logits)
{
    return cpu_backend.predict(trainer->cpu, images, indices, count, logits);
}

static nr_status fake_read(struct trainer *trainer, struct trial_state *out)
{
    return cpu_backend.read_state(trainer->cpu, out);
}

static nr_status fake_write(struct trainer *trainer, const struct trial_state *state)
{
    nr_status status = cpu_backend.write_state(trainer->cpu, state);
    cpu_backend.poll(trainer->cpu, &trainer->progress);
    return status;
}

const struct backend *nasrun_cuda_backend(void);

__attribute__((visibility("default"))) const struct backend *nasrun_cuda_backend(void)
{
    static const struct backend fake = {.interface = BACKEND_INTERFACE,
                                        .name = "cuda",
                                        .count = fake_count,
                                        .inspect = fake_inspect,
                                        .open = fake_open,
                                        .describe = fake_describe,
                                        .close = fake_close,
                                        .upload = fake_upload,
                                        .unload = fake_unload,
                                        .lanes = fake_lanes,
                                        .available = fake_available,
                                        .supports = fake_supports,
                                        .invite = fake_invite,
                                        .join = fake_join,
                                        .memory = fake_memory,
                                        .create = fake_create,
                                        .destroy = fake_destroy,
                                        .submit = fake_submit,
                                        .poll = fake_poll,
                                        .reset_progress = fake_reset,
                                        .evaluate = fake_evaluate,
                                        .predict = fake_predict,
                                        .read_state = fake_read,
                                        .write_state = fake_write};
    return &fake;
}
