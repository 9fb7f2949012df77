/* What each compiled variant of the CPU engine offers to the backend: one table per instruction set and precision.
 *
 * The sources of a training step are compiled several times (see vector.h and cpu.cmake); backend.c chooses a table
 * when the device is opened. A network is one candidate with its weights, optimizer state and all memory that a step
 * needs. */
#ifndef NASRUN_TRAIN_CPU_ENGINE_H
#define NASRUN_TRAIN_CPU_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "net/plan.h"
#include "train/backend.h"
#include "train/recipe.h"

struct network; /* its content depends on the variant */

struct network_setup {
    const struct plan *plan;       /* outlives the network */
    const struct recipe *recipe;   /* outlives the network */
    const float *mean, *deviation; /* [channels] of pixel / 255; copied */
    uint64_t seed;
    uint32_t trial;
};

/* Tests put their own dropout masks here: [count][elements per image] bytes of 0 and 1 for a layer's stream, instead
 * of random numbers. */
typedef const uint8_t *dropout_masks(void *context, uint32_t stream);

struct batch {
    const uint8_t *pixels; /* [..][C][H][W], the whole set */
    const uint8_t *labels; /* of the whole set */
    const uint32_t *image; /* [count] indices into the set */
    const uint32_t *pass;  /* [count], for augmentation; unused when evaluating */
    int64_t count;         /* 1 .. network's capacity; 0: a rank without images */
    int64_t first;         /* this rank's first row in the whole batch: dropout counts from there */
    double gradient_scale; /* of the sum over images: 1 / count for the mean */
    int64_t step;          /* of the optimizer, for dropout */
    dropout_masks *masks;  /* NULL: random */
    void *masks_context;
};

/* The network's flat vectors, of the variant's real type. */
enum network_vector { NETWORK_PARAMETERS, NETWORK_GRADIENTS, NETWORK_BUFFERS, NETWORK_SLOT_0, NETWORK_SLOT_1 };

struct cpu_engine {
    const char *name; /* "avx512", "avx2", "plain", "float64" */
    enum precision_kind precision;
    int lanes;
    bool (*supported)(void); /* by the processor this runs on */
    nr_status (*create)(const struct network_setup *setup, struct network **out) NR_MUST_CHECK;
    void (*destroy)(struct network *network);
    int64_t (*bytes)(const struct plan *plan, const struct recipe *recipe); /* -1: out of memory */
    int64_t (*capacity)(const struct network *network);                     /* most images of a batch to evaluate */
    /* Forward and backward: sets NETWORK_GRADIENTS, updates running statistics, returns the sum of the images' losses.
     */
    double (*gradient)(struct network *network, const struct batch *batch);
    /* One optimizer step, 0-based; returns the gradient's norm before clipping. */
    double (*update)(struct network *network, double learning_rate, int64_t step);
    /* Forward in evaluation mode; adds to `out`; `logits` [count][classes] may be NULL. */
    void (*evaluate)(struct network *network, const struct batch *batch, struct evaluation *out, double *logits);
    void *(*vector)(struct network *network, enum network_vector which); /* NULL: the recipe's optimizer has none */
    double (*peak)(double seconds); /* FLOP/s of fused multiply-adds on registers, measured for so long */
    void (*read)(struct network *network, struct trial_state *out);
    void (*write)(struct network *network, const struct trial_state *state);
};

/* The fastest supported variant of a precision, or the one that NASRUN_ISA names; NULL when that one is not supported.
 */
const struct cpu_engine *cpu_engine_choose(enum precision_kind precision);
/* All that were compiled, supported or not. */
const struct cpu_engine *const *cpu_engines(size_t *count);

/* For tests: what a trainer of the CPU backend works with. */
struct network *cpu_trainer_network(struct trainer *trainer, const struct cpu_engine **variant);

#endif
