/* The CPU behind backend.h: choice of the variant, the walk through the epochs, divergence. */
#include "train/backend.h"

#include <cblas.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SSE__
#include <xmmintrin.h>
#endif
#ifdef NASRUN_HAVE_ONEDNN
#include <oneapi/dnnl/dnnl.h>
#endif

#include "base/memory.h"
#include "train/cpu/engine.h"
#include "train/cpu/ranks.h"
#include "train/cpu/variants.h"
#include "train/order.h"

struct device {
    const struct cpu_engine *engine; /* of float32 */
    struct log *log;
};

struct images {
    struct shape shape;
    int64_t count;
    const uint8_t *pixels, *labels; /* the data set's own memory: nothing is copied */
};

struct trainer {
    struct device *device;
    const struct images *images;
    struct trainer_setup setup;
    const struct cpu_engine *engine;
    struct network *network;
    struct order order;
    uint32_t *image, *pass; /* [batch] of the step at hand */
    struct progress progress;
};

/* ---- variants ---- */

#define X(suffix, bytes, type, text) extern const struct cpu_engine cpu_engine_##suffix;
CPU_VARIANTS(X)
#undef X

const struct cpu_engine *const *cpu_engines(size_t *count)
{
    static const struct cpu_engine *const engines[] = {
#define X(suffix, bytes, type, text) &cpu_engine_##suffix,
        CPU_VARIANTS(X)
#undef X
    };
    *count = sizeof engines / sizeof *engines;
    return engines;
}

const struct cpu_engine *cpu_engine_choose(enum precision_kind precision)
{
    size_t count;
    const struct cpu_engine *const *engines = cpu_engines(&count);
    const char *wanted = precision == PRECISION_FLOAT32 ? getenv("NASRUN_ISA") : NULL;
    for (size_t i = 0; i < count; i++)
        if (engines[i]->precision == precision && engines[i]->supported() &&
            (!wanted || !*wanted || !strcmp(wanted, engines[i]->name)))
            return engines[i];
    return NULL;
}

/* ---- device and data ---- */

/* A trial is one thread. oneDNN's OpenMP runtime is whatever the library brought along, so it is asked by name. */
static void one_thread(void)
{
    void *symbol = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    void (*set_threads)(int);
    openblas_set_num_threads(1);
    memcpy(&set_threads, &symbol, sizeof set_threads);
    if (set_threads)
        set_threads(1);
}

static nr_status device_open(int number, struct log *log, struct device **out)
{
    (void)number;
    const struct cpu_engine *engine = cpu_engine_choose(PRECISION_FLOAT32);
    if (!engine) {
        log_error(log,
                  "NASRUN_ISA is \"%s\", which this processor lacks or which does not exist: expected %s, or unset",
                  getenv("NASRUN_ISA"), "avx512, avx2 or plain");
        return NR_INVALID;
    }
    struct device *device = mem_array(1, sizeof *device);
    if (!device)
        return log_no_memory(log, "opening the CPU");
    *device = (struct device){.engine = engine, .log = log};
    one_thread();
    *out = device;
    return NR_OK;
}

static nr_status device_count(struct log *log, int *out)
{
    (void)log;
    *out = 1;
    return NR_OK;
}

static nr_status device_inspect(int number, struct log *log, struct device_summary *out)
{
    const struct cpu_engine *engine = cpu_engine_choose(PRECISION_FLOAT32);
    (void)number;
    (void)log;
    *out = (struct device_summary){0};
    if (engine)
        snprintf(out->name, sizeof out->name, "cpu %s", engine->name);
    else
        snprintf(out->problem, sizeof out->problem, "NASRUN_ISA names what this processor lacks");
    return NR_OK;
}

static int device_lanes(const struct device *device)
{
    (void)device;
    return 1;
}

static int64_t device_available(struct device *device)
{
    (void)device;
    return INT64_MAX;
}

static bool device_supports(const struct device *device, enum precision_kind precision)
{
    (void)device;
    return precision == PRECISION_FLOAT32 || precision == PRECISION_FLOAT64;
}

static const struct cpu_engine *engine_of(const struct device *device, enum precision_kind precision)
{
    return precision == PRECISION_FLOAT32 ? device->engine : cpu_engine_choose(precision);
}

static double device_peak(const struct device *device, enum precision_kind precision)
{
    const struct cpu_engine *engine = engine_of(device, precision);
    return engine ? engine->peak(0.5) : 0;
}

static void device_describe(const struct device *device, struct text *text)
{
    text_format(text, "cpu %s", device->engine->name);
#ifdef NASRUN_HAVE_ONEDNN
    const dnnl_version_t *version = dnnl_version();
    text_format(text, ", oneDNN %d.%d.%d", version->major, version->minor, version->patch);
#else
    text_format(text, ", %s", openblas_get_config());
#endif
}

static void device_close(struct device *device)
{
    free(device);
}

static nr_status upload(struct device *device, const struct dataset *dataset, struct images **out)
{
    struct images *images = mem_array(1, sizeof *images);
    if (!images)
        return log_no_memory(device->log, "handing over the images");
    *images = (struct images){
        .shape = dataset->shape, .count = dataset->count, .pixels = dataset->images, .labels = dataset->labels};
    *out = images;
    return NR_OK;
}

static void unload(struct images *images)
{
    free(images);
}

static int64_t memory(const struct device *device, const struct plan *plan, const struct recipe *recipe)
{
    return engine_of(device, recipe->precision)->bytes(plan, recipe);
}

/* ---- trainer ---- */

static void destroy(struct trainer *trainer)
{
    if (!trainer)
        return;
    trainer->engine->destroy(trainer->network);
    order_clear(&trainer->order);
    free(trainer->image);
    free(trainer->pass);
    free(trainer);
}

static nr_status write_state(struct trainer *trainer, const struct trial_state *state)
{
    trainer->engine->write(trainer->network, state);
    trainer->progress = (struct progress){.step = state->step};
    return NR_OK;
}

static nr_status initialise(struct trainer *trainer)
{
    const struct trainer_setup *setup = &trainer->setup;
    struct trial_state state;
    nr_status status = trial_state_create(setup->plan, recipe_optimizer_slots(setup->recipe), &state);
    if (status)
        return status;
    trial_state_initialise(&state, setup->plan, setup->recipe, setup->seed, setup->trial);
    status = write_state(trainer, &state);
    trial_state_clear(&state);
    return status;
}

static nr_status build(struct trainer *trainer)
{
    const struct trainer_setup *setup = &trainer->setup;
    const struct network_setup network = {.plan = setup->plan,
                                          .recipe = setup->recipe,
                                          .mean = setup->split->mean,
                                          .deviation = setup->split->deviation,
                                          .seed = setup->seed,
                                          .trial = setup->trial};
    trainer->image = mem_array((size_t)setup->recipe->batch_size, sizeof *trainer->image);
    trainer->pass = mem_array((size_t)setup->recipe->batch_size, sizeof *trainer->pass);
    nr_status status = trainer->image && trainer->pass ? NR_OK : NR_NO_MEMORY;
    if (!status)
        status =
            order_create(setup->seed, setup->trial, setup->split->training, setup->split->trainings, &trainer->order);
    if (!status)
        status = trainer->engine->create(&network, &trainer->network);
    return status ? status : initialise(trainer);
}

static nr_status create(struct device *device, struct images *images, const struct trainer_setup *setup,
                        struct trainer **out)
{
    const struct shape *expected = &setup->plan->input, *found = &images->shape;
    if (expected->channels != found->channels || expected->height != found->height || expected->width != found->width) {
        log_error(device->log, "the network reads images of %lldx%lldx%lld, but the data set's are %lldx%lldx%lld",
                  (long long)expected->channels, (long long)expected->height, (long long)expected->width,
                  (long long)found->channels, (long long)found->height, (long long)found->width);
        return NR_INVALID;
    }
    nr_status status = ranks_check(setup, device->log);
    if (status != NR_OK)
        return status;
    struct trainer *trainer = mem_array(1, sizeof *trainer);
    if (!trainer)
        return log_no_memory(device->log, "creating a trainer");
    *trainer = (struct trainer){.device = device, .images = images, .setup = *setup};
    trainer->engine = engine_of(device, setup->recipe->precision);
    status = build(trainer);
    if (status) {
        destroy(trainer);
        return status == NR_NO_MEMORY ? log_no_memory(device->log, "creating a trainer") : status;
    }
    *out = trainer;
    return NR_OK;
}

/* Weights that die out drag their moments through the subnormal numbers, which are a hundred times slower; they are 0
 * to the engine. Double precision, for tests, stays as it is. */
static unsigned flush_subnormals(const struct cpu_engine *engine)
{
#ifdef __SSE__
    unsigned mode = _mm_getcsr();
    if (engine->precision == PRECISION_FLOAT32)
        _mm_setcsr(mode | 0x8040); /* flush to zero, denormals are zero */
    return mode;
#else
    (void)engine;
    return 0;
#endif
}

static void restore_subnormals(unsigned mode)
{
#ifdef __SSE__
    _mm_setcsr(mode);
#else
    (void)mode;
#endif
}

/* This rank's images of the step. */
static struct batch next_batch(struct trainer *trainer, int64_t *rows)
{
    const struct recipe *recipe = trainer->setup.recipe;
    int64_t step = trainer->progress.step, per_epoch = recipe_steps_per_epoch(recipe);
    int64_t within = step % per_epoch * recipe->batch_size, left = recipe->epoch_images - within;
    struct batch batch = {.pixels = trainer->images->pixels,
                          .labels = trainer->images->labels,
                          .image = trainer->image,
                          .pass = trainer->pass,
                          .step = step};
    *rows = left < recipe->batch_size ? left : recipe->batch_size;
    ranks_share(&trainer->setup, *rows, &batch);
    order_take(&trainer->order, step / per_epoch * recipe->epoch_images + within + batch.first, batch.count,
               trainer->image, trainer->pass);
    return batch;
}

static nr_status fail(struct trainer *trainer, nr_status status, const char *cause)
{
    trainer->progress.status = status;
    trainer->progress.failed_at = trainer->progress.step;
    trainer->progress.cause = cause;
    return status;
}

static nr_status train_step(struct trainer *trainer)
{
    const struct cpu_engine *engine = trainer->engine;
    const struct trainer_setup *setup = &trainer->setup;
    int64_t rows, step = trainer->progress.step;
    struct batch batch = next_batch(trainer, &rows);
    double loss = engine->gradient(trainer->network, &batch);
    nr_status status = ranks_reduce(setup, engine, trainer->network, &batch, &loss);
    if (status != NR_OK)
        return fail(trainer, status, "the mean over the ranks failed");
    double norm = engine->update(trainer->network, recipe_learning_rate(setup->recipe, step), step);
    trainer->progress.loss_sum += loss;
    trainer->progress.images += rows;
    if (!isfinite(loss) || !isfinite(norm))
        return fail(trainer, NR_DIVERGED, NULL);
    trainer->progress.step++;
    return NR_OK;
}

static nr_status submit(struct trainer *trainer, int64_t steps)
{
    unsigned mode = flush_subnormals(trainer->engine);
    for (int64_t i = 0; i < steps && trainer->progress.status == NR_OK; i++)
        if (train_step(trainer))
            break; /* poll() tells */
    restore_subnormals(mode);
    return NR_OK;
}

static void poll(struct trainer *trainer, struct progress *out)
{
    *out = trainer->progress;
}

static void reset_progress(struct trainer *trainer)
{
    trainer->progress.loss_sum = 0;
    trainer->progress.images = 0;
}

/* Either of `out` and `logits` may be NULL. */
static nr_status run_evaluation(struct trainer *trainer, const struct images *images, const uint32_t *indices,
                                int64_t count, struct evaluation *out, float *logits)
{
    const struct cpu_engine *engine = trainer->engine;
    int64_t together = engine->capacity(trainer->network), classes = trainer->setup.plan->classes;
    struct evaluation total = {0};
    double *values = logits ? mem_array((size_t)(together * classes), sizeof *values) : NULL;
    if (logits && !values)
        return log_no_memory(trainer->device->log, "predicting");
    unsigned mode = flush_subnormals(engine);
    for (int64_t from = 0; from < count; from += together) {
        struct batch batch = {.pixels = images->pixels,
                              .labels = images->labels,
                              .image = indices + from,
                              .count = count - from < together ? count - from : together};
        engine->evaluate(trainer->network, &batch, &total, values);
        for (int64_t i = 0; logits && i < batch.count * classes; i++)
            logits[from * classes + i] = (float)values[i];
    }
    restore_subnormals(mode);
    free(values);
    if (out)
        *out = total;
    return NR_OK;
}

static nr_status evaluate(struct trainer *trainer, const struct images *images, const uint32_t *indices, int64_t count,
                          struct evaluation *out)
{
    return run_evaluation(trainer, images, indices, count, out, NULL);
}

static nr_status predict(struct trainer *trainer, const struct images *images, const uint32_t *indices, int64_t count,
                         float *logits)
{
    return run_evaluation(trainer, images, indices, count, NULL, logits);
}

static nr_status read_state(struct trainer *trainer, struct trial_state *out)
{
    const struct recipe *recipe = trainer->setup.recipe;
    nr_status status = trial_state_create(trainer->setup.plan, recipe_optimizer_slots(recipe), out);
    if (status)
        return log_no_memory(trainer->device->log, "reading a trainer's state");
    trainer->engine->read(trainer->network, out);
    out->step = trainer->progress.step;
    return NR_OK;
}

struct network *cpu_trainer_network(struct trainer *trainer, const struct cpu_engine **engine)
{
    *engine = trainer->engine;
    return trainer->network;
}

const struct backend cpu_backend = {
    .interface = BACKEND_INTERFACE,
    .name = "cpu",
    .count = device_count,
    .inspect = device_inspect,
    .open = device_open,
    .describe = device_describe,
    .close = device_close,
    .upload = upload,
    .unload = unload,
    .lanes = device_lanes,
    .available = device_available,
    .supports = device_supports,
    .peak = device_peak,
    .memory = memory,
    .create = create,
    .destroy = destroy,
    .submit = submit,
    .poll = poll,
    .reset_progress = reset_progress,
    .evaluate = evaluate,
    .predict = predict,
    .read_state = read_state,
    .write_state = write_state,
};
