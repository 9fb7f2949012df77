/* One candidate, compiled for one variant: a list of steps over values, everything placed in one arena.
 *
 * A plan's layers become steps. Values between them have one of two layouts: rows, [images][pitch], for dense layers,
 * and lanes (lanes.h) for everything that knows of channels and pixels; conversions are steps of their own. A step
 * either takes the whole batch at once (rows; the finishing of batch statistics) or one block of LANES images.
 * Consecutive steps of the second sort form a segment, which is run depth first, block by block, so that a block stays
 * in the cache while it goes through several layers; a value that never leaves its segment is stored for one block
 * only. The backward pass runs the same steps and segments in reverse. */
#ifndef NASRUN_TRAIN_CPU_NETWORK_H
#define NASRUN_TRAIN_CPU_NETWORK_H

#include "base/memory.h"
#include "train/cpu/batchnorm.h"
#include "train/cpu/conv.h"
#include "train/cpu/engine.h"
#include "train/cpu/lanes.h"
#include "train/cpu/pool.h"

#define network_compile NR_VARIANT(network_compile)
#define network_place NR_VARIANT(network_place)
#define network_measure NR_VARIANT(network_measure)
#define network_gradient NR_VARIANT(network_gradient)
#define network_evaluate NR_VARIANT(network_evaluate)
#define network_update NR_VARIANT(network_update)
#define loss_gradient NR_VARIANT(loss_gradient)
#define loss_evaluate NR_VARIANT(loss_evaluate)
#define step_input NR_VARIANT(step_input)
#define step_to_rows NR_VARIANT(step_to_rows)
#define step_to_lanes NR_VARIANT(step_to_lanes)
#define step_dense NR_VARIANT(step_dense)
#define step_pointwise NR_VARIANT(step_pointwise)
#define step_add NR_VARIANT(step_add)
#define step_norm_rows NR_VARIANT(step_norm_rows)
#define step_conv NR_VARIANT(step_conv)
#define step_pool NR_VARIANT(step_pool)
#define step_norm_observe NR_VARIANT(step_norm_observe)
#define step_norm_finish NR_VARIANT(step_norm_finish)
#define step_norm_apply NR_VARIANT(step_norm_apply)
#define step_norm_pool NR_VARIANT(step_norm_pool)

struct step;

/* What a layer puts out, or an intermediate result, and its gradient. */
struct value {
    struct shape shape;
    size_t features; /* C * H * W */
    bool lanes;      /* layout */
    bool wants_gradient;
    bool kept;        /* its data are needed in the backward pass */
    bool contributed; /* while compiling: a step puts something into the gradient */
    bool touched;     /* by a step; the first and the last of their segments: */
    int first_segment, last_segment;
    struct value *storage, *gradient_storage; /* lies in the same place as that one's; NULL: has a place of its own */
    struct value *converted;                  /* the same in the other layout, once it has been asked for */
    size_t pitch; /* reals from one row (rows) or block (lanes) to the next; 0: all blocks share one */
    size_t gradient_pitch;
    real *data, *gradient;
};

struct step_kind {
    const char *name;
    /* Takes the step's own memory; called twice, as arena_take() explains. */
    void (*place)(struct network *network, struct step *step, struct arena *arena);
    void (*begin)(struct network *network, struct step *step); /* once per batch, before the first forward */
    void (*forward)(struct network *network, struct step *step, size_t block);
    /* `target`: where the gradient of the input goes; NULL when nobody wants it. */
    void (*backward)(struct network *network, struct step *step, size_t block, real *target);
    void (*end)(struct network *network, struct step *step); /* once per batch, after the last backward */
};

struct input_step {
    uint8_t *changed; /* [C][H][W] of one image after augmentation */
    real *rows;       /* [LANES][pitch]: images of one block on their way to lanes */
};

struct norm_rows_step {
    real *mean, *inverse; /* [pitch]: of the batch, or the running ones: x_hat = (x - mean) * inverse */
    real *scale, *shift;  /* [pitch]: y = x * scale + shift */
    real *sum, *product;  /* [pitch]: sums over the batch of dy and of dy x_hat */
};

/* Several layers that work on single elements, in one pass: y = dropout(activation(x + bias)), any part may be absent.
 */
struct pointwise_step {
    const struct plan_layer *bias, *activation, *dropout; /* layers that the parts come from; NULL: absent */
    real *bias_row, *bias_gradient;                       /* [pitch], padded with 0 */
    bool forwarded; /* the step before does the forward part: ReLU inside a convolution */
    uint8_t *keep;  /* 1 where kept; as the value lies, but without the padding of rows */
    uint8_t *draws; /* lanes: masks of one block in the order of rows, before they are transposed */
};

struct conv_step {
    struct conv conv;
    bool relu; /* in the same pass; its derivative is taken by the pointwise step behind */
    real *packed;
};

struct pool_step {
    struct pool pool;
    uint8_t *trace;
};

/* Batch norm is three steps: `observe` takes in every block, `finish` makes statistics of it, `apply` or, fused with
 * what comes behind, `norm_pool` maps every block. Backward, in this order reversed, they gather, finish, and give the
 * gradient. All share the state. */
struct norm_step {
    struct batchnorm norm;
    bool relu;
    bool pooled;
    struct pool pool;
    uint8_t *trace;
};

struct step {
    const struct step_kind *kind;
    const struct plan_layer *layer; /* NULL: the step belongs to no single layer */
    struct value *input, *skip, *output;
    bool whole;           /* takes the batch at once; else a block at a time */
    bool accumulate;      /* the input's gradient already holds something when this step's backward is run */
    bool accumulate_skip; /* the same for `skip` */
    bool backward;        /* there is something to do in the backward pass */
    int segment;
    void *state; /* of `kind`: in `own`, or shared with another step */
    union {
        struct input_step input;
        struct pointwise_step pointwise;
        struct conv_step conv;
        struct pool_step pool;
        struct norm_step norm;
        struct norm_rows_step norm_rows;
    } own;
};

struct network {
    struct network_setup setup;
    size_t capacity;     /* images; a multiple of LANES */
    struct value *value; /* in the order of the plan, like the steps */
    size_t values;
    struct step *step;
    size_t steps;
    struct value *logits;
    struct arena arena;
    size_t parameters, buffers; /* padded to a multiple of LANES, the padding is 0 */
    size_t slots;
    real *parameter, *gradient, *buffer, *slot[2];
    real *scratch;       /* of steps, within one call */
    real *addend;        /* a gradient that is to be added to another */
    size_t scratch_size; /* reals that steps asked for with network_scratch() */
    real *scale, *shift; /* [channels]: x = pixel * scale + shift */
    /* of the batch at hand */
    const struct batch *batch;
    size_t count;
    bool training;
};

VEC_INLINE size_t round_to_lanes(size_t count)
{
    return (count + LANES - 1) / LANES * LANES;
}

/* Rows of a rows value from image `block * LANES` on; block `block` of a lanes value. */
VEC_INLINE real *value_at(const struct value *value, real *base, size_t pitch, size_t block)
{
    return base + block * pitch * (value->lanes ? 1 : LANES);
}

VEC_INLINE real *value_data(const struct value *value, size_t block)
{
    return value_at(value, value->data, value->pitch, block);
}

VEC_INLINE real *value_gradient(const struct value *value, size_t block)
{
    return value_at(value, value->gradient, value->gradient_pitch, block);
}

/* Reals of one block, padding included. */
VEC_INLINE size_t value_block(const struct value *value)
{
    return value->lanes ? value->features * LANES : round_to_lanes(value->features) * LANES;
}

extern const struct step_kind step_input, step_to_rows, step_to_lanes, step_dense, step_add, step_norm_rows;

/* For a step's place(): `scratch` has at least so many reals when the step runs. */
VEC_INLINE void network_scratch(struct network *network, size_t count)
{
    if (network->scratch_size < count)
        network->scratch_size = count;
}

extern const struct step_kind step_pointwise;

extern const struct step_kind step_conv, step_pool;
extern const struct step_kind step_norm_observe, step_norm_finish, step_norm_apply, step_norm_pool;

/* compile.c: the steps and values of setup.plan. place.c: their memory. */
nr_status network_compile(struct network *network) NR_MUST_CHECK;
nr_status network_place(struct network *network) NR_MUST_CHECK;
/* Bytes that network_place() would take; leaves the network unusable. */
size_t network_measure(struct network *network) NR_MUST_CHECK;
/* execute.c */
double network_gradient(struct network *network, const struct batch *batch);
void network_evaluate(struct network *network, const struct batch *batch, struct evaluation *out, double *logits);
/* optimizer.c */
double network_update(struct network *network, double learning_rate, int64_t step);
/* loss.c: the sum of the images' losses; the gradient of the logits (padding 0). */
double loss_gradient(struct network *network);
void loss_evaluate(struct network *network, struct evaluation *out, double *logits);

#endif
