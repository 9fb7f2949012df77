/* What a device must do to train candidates: one table of functions, the same for CPU and CUDA.
 *
 * submit() and poll() never wait for one another, so that one thread can keep many lanes and many devices busy; the
 * CPU's submit() simply does the work. A trainer belongs to one thread. Failures inside a step (NaN, a sticky device
 * error) come out of poll(). */
#ifndef NASRUN_TRAIN_BACKEND_H
#define NASRUN_TRAIN_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#include "net/plan.h"
#include "train/dataset.h"
#include "train/recipe.h"
#include "train/split.h"

struct device;  /* one opened device */
struct images;  /* a data set where the device can reach it */
struct trainer; /* one candidate in training */

/* The mean of a vector over the ranks of a data-parallel trial, in place: the gradients, the running statistics, the
 * loss; every rank calls it as often, in the same order, and gets the same bits. The values are float, or double where
 * the recipe's precision is float64. NULL for a single rank, and for a device that joined a group. */
typedef nr_status all_reduce(void *context, void *values, int64_t count);

/* What brings the ranks of a group together, as text. */
enum { INVITATION_SIZE = 512 };

struct trainer_setup {
    const struct plan *plan;
    const struct recipe *recipe;
    const struct split *split;
    uint64_t seed;
    uint32_t trial; /* with the seed: the key of all its random numbers */
    int lane;
    int rank, ranks;
    all_reduce *reduce;
    void *reduce_context;
};

struct progress {
    int64_t step;      /* optimizer steps done since the start of the trial */
    double loss_sum;   /* of the images trained since the last progress_reset(), before each update */
    int64_t images;    /* their number */
    bool busy;         /* submitted steps are still running */
    nr_status status;  /* NR_OK, NR_DIVERGED (loss or gradient not finite), NR_DEVICE, NR_NO_MEMORY */
    int64_t failed_at; /* the step of the failure */
    const char *cause; /* NR_DEVICE, NR_NO_MEMORY: the call that failed and what it said; the trainer's; else NULL */
};

struct evaluation {
    int64_t images, correct;
    double loss_sum; /* cross-entropy without smoothing */
};

/* Everything needed to go on: the values are float32 in the plan's layout, whatever the device keeps. */
struct trial_state {
    int64_t step;
    int64_t parameters, buffers, slots;
    float *parameter; /* [parameters] */
    float *buffer;    /* [buffers] */
    float *slot;      /* [slots][parameters]: momentum, or Adam's first and second moments */
};

nr_status trial_state_create(const struct plan *plan, int64_t slots, struct trial_state *out) NR_MUST_CHECK;
void trial_state_clear(struct trial_state *state);
/* Initial weights by the recipe, from (seed, trial); biases and beta 0, gamma 1, running mean 0, variance 1. */
void trial_state_initialise(struct trial_state *state, const struct plan *plan, const struct recipe *recipe,
                            uint64_t seed, uint32_t trial);

/* One device, as a person would be told of it. */
struct device_summary {
    char name[96];
    int64_t memory, available; /* bytes; 0 where they do not matter */
    int64_t lane;              /* bytes that a lane takes beside its trial */
    bool tf32, bf16;
    char problem[160]; /* why it cannot be used: "this program has no code for compute capability 6.1"; empty: it can */
};

/* Changes with every change of this header, so that a module of another build is refused. */
enum { BACKEND_INTERFACE = 4 };

struct backend {
    int interface;    /* BACKEND_INTERFACE */
    const char *name; /* "cpu", "cuda" */
    /* Devices that are there, usable or not; what is wrong when there are none or the libraries fail is logged. */
    nr_status (*count)(struct log *log, int *out) NR_MUST_CHECK;
    nr_status (*inspect)(int number, struct log *log, struct device_summary *out) NR_MUST_CHECK;
    /* `number` of the device (CUDA); describe: name, instruction set, library versions, recorded with every trial. */
    nr_status (*open)(int number, struct log *log, struct device **out) NR_MUST_CHECK;
    void (*describe)(const struct device *device, struct text *text);
    void (*close)(struct device *device);
    nr_status (*upload)(struct device *device, const struct dataset *dataset, struct images **out) NR_MUST_CHECK;
    void (*unload)(struct images *images);
    /* Trials that may train at once (trainer_setup.lane is below that), and the bytes that are free for trainers now;
     * INT64_MAX where the system decides. */
    int (*lanes)(const struct device *device);
    int64_t (*available)(struct device *device);
    bool (*supports)(const struct device *device, enum precision_kind precision);
    /* FLOP per second of products in this precision that the device could do at the most, a multiply-add counting two;
     * 0: not known. A yardstick for benchmarks: the CPU takes half a second to measure it. */
    double (*peak)(const struct device *device, enum precision_kind precision);
    /* Data-parallel groups: rank 0 writes an invitation, then every rank joins, which blocks until all have. NULL where
     * there is no such thing: the CPU's ranks are given a `reduce`. */
    nr_status (*invite)(struct device *device, char invitation[INVITATION_SIZE]) NR_MUST_CHECK;
    nr_status (*join)(struct device *device, const char *invitation, int rank, int ranks) NR_MUST_CHECK;
    /* Bytes that a trainer would take beside the data; -1: out of memory while counting. */
    int64_t (*memory)(const struct device *device, const struct plan *plan, const struct recipe *recipe);
    /* Starts from trial_state_initialise(); write_state() replaces that. The setup's pointers outlive the trainer.
     * NR_INFEASIBLE: a network that the plan allows and a library of the device lacks; the device is as good as before.
     */
    nr_status (*create)(struct device *device, struct images *images, const struct trainer_setup *setup,
                        struct trainer **out) NR_MUST_CHECK;
    void (*destroy)(struct trainer *trainer);
    /* Pieces of work that the device starts one after another for a step (nodes of a graph). NULL: the CPU starts none.
     */
    int64_t (*nodes)(const struct trainer *trainer);
    nr_status (*submit)(struct trainer *trainer, int64_t steps) NR_MUST_CHECK;
    void (*poll)(struct trainer *trainer, struct progress *out);
    void (*reset_progress)(struct trainer *trainer); /* loss_sum and images start at 0 again */
    /* Evaluation mode over `indices` of `images` (which may be another set of the same shape: the test part). */
    nr_status (*evaluate)(struct trainer *trainer, const struct images *images, const uint32_t *indices, int64_t count,
                          struct evaluation *out) NR_MUST_CHECK;
    /* Logits [count][classes] in evaluation mode; for exports, predictions and tests. */
    nr_status (*predict)(struct trainer *trainer, const struct images *images, const uint32_t *indices, int64_t count,
                         float *logits) NR_MUST_CHECK;
    nr_status (*read_state)(struct trainer *trainer, struct trial_state *out) NR_MUST_CHECK; /* creates *out */
    nr_status (*write_state)(struct trainer *trainer, const struct trial_state *state) NR_MUST_CHECK;
};

extern const struct backend cpu_backend;

#endif
