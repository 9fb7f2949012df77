/* One candidate at one batch size, compiled for the device: a list of nodes, each a kernel or a library's call.
 *
 * network_create() turns the plan's layers into steps over values, several layers to a step where one pass over memory
 * does (compile.c); network_place() gives values and steps their memory (place.c); network_build() makes the
 * libraries' objects and writes down the nodes of a training step, or of an evaluation, in the order in which they run
 * (build.c). From then on shapes and addresses are fixed, and network_enqueue() may be captured.
 *
 * A trainer has up to three: one for full batches, one for the short batch at the end of an epoch, one that evaluates.
 * They share the vectors of `struct vectors`, and, since only one of them works at a time, the memory of their values.
 *
 * An operator is one file, step_*.c: what memory its step takes, and which nodes it is forward and backward. */
#ifndef NASRUN_TRAIN_CUDA_NETWORK_H
#define NASRUN_TRAIN_CUDA_NETWORK_H

#include "base/text.h"
#include "kernels/kernels.h"
#include "train/cuda/collective.h"
#include "train/cuda/convolution.h"
#include "train/cuda/lane.h"
#include "train/cuda/layout.h"
#include "train/cuda/normalisation.h"
#include "train/cuda/product.h"
#include "train/cuda/region.h"
#include "train/recipe.h"

struct network_setup {
    const struct plan *plan;
    const struct recipe *recipe;
    const struct layout *layout;
    uint64_t seed;
    uint32_t trial;
    int64_t rows;  /* that it works on: this rank's share of the batch, perhaps 0 */
    int64_t first; /* the row of the whole batch where the share begins */
    int64_t whole; /* rows of the whole batch */
    int ranks;
    bool training;  /* else forward alone, as in evaluation */
    bool epilogues; /* false: products without */
};

/* Device memory that all networks of a trainer share. */
struct vectors {
    float *parameter, *slot[2];      /* [layout.parameters] each, one behind the other */
    float *gradient, *buffer, *loss; /* [layout.parameters], [layout.buffers], [1]: one behind the other, so that
                                        one mean over the ranks takes them all */
    uint16_t *half;                  /* bf16: the parameters, rounded; made anew in every step */
    struct k_state *state;
    struct k_rate *rates;
    uint32_t *order;      /* the ring of passes (feed.h) */
    int32_t *label;       /* [rows] */
    float *scale, *shift; /* [channels] of the images */
    double *squares;
    unsigned *arrived;
    struct k_evaluation *evaluation;
    uint32_t *index; /* [EVALUATION_INDICES] */
};

struct step;

/* What a layer puts out, or an intermediate result: [rows][features], and its gradient. */
struct value {
    struct shape shape;
    int64_t features; /* C * H * W */
    bool wants_gradient;
    bool kept;                                /* its data are needed in the backward pass */
    bool contributed;                         /* while compiling: a step puts something into the gradient */
    bool wants_half;                          /* somebody reads it as bf16 */
    bool half_made;                           /* while building */
    int readers;                              /* steps */
    struct value *storage, *gradient_storage; /* lies in the same place as that one's; NULL: has a place of its own */
    struct step *producer;
    float *data, *gradient;
    uint16_t *half;
};

struct network;
struct node;
typedef nr_status node_run(const struct network *network, const struct node *node);

/* One launch. What the pointers mean is `run`'s business. */
struct node {
    const char *name;
    node_run *run;
    const struct step *step; /* NULL: of no layer */
    const void *in, *other;
    void *out;
    int64_t count;
};

struct step_kind {
    const char *name;
    /* Takes memory; called twice (region.h). NULL: none. */
    void (*place)(struct network *network, struct step *step, struct region *region);
    nr_status (*forward)(struct network *network, struct step *step) NR_MUST_CHECK;
    /* `target`: where the gradient of the input goes; NULL when nobody wants it. */
    nr_status (*backward)(struct network *network, struct step *step, float *target) NR_MUST_CHECK;
    bool accumulates; /* backward() minds step->accumulate itself; else the target is then scratch memory */
    void (*destroy)(struct step *step); /* NULL: nothing to destroy */
};

/* y = x W + b, with ReLU where it stands behind and a bias before. */
struct dense_step {
    bool relu;
    bool masked;       /* the only reader is a dense layer: its gradient of the input takes ReLU's derivative along */
    bool mask_written; /* while building: the forward product does write the mask */
    bool relu_done, bias_done; /* while building: the reader's product gives the gradient before ReLU; the bias's */
    void *mask;
    struct product *product[3]; /* forward, gradient of the weights, of the input */
};

struct conv_step {
    struct convolution *convolution;
    bool half;                        /* factors are bf16 */
    bool padded;                      /* padding differs from side to side: the difference is put around x first */
    int64_t top, bottom, left, right; /* the difference */
    float *x;                         /* with it */
    uint16_t *x_half;                 /* of the padded x */
};

struct norm_step {
    struct normalisation *norm; /* NULL: a single value per channel */
    float *mean, *inverse;      /* [C] of the batch */
};

/* Several layers that work on single elements: y = dropout(activation(x + bias)), any part may be absent. */
struct pointwise_step {
    const struct plan_layer *bias, *activation, *dropout;
    int bias_layer;
};

struct pool_step {
    bool relu;      /* y = pool(relu(x + bias)) */
    int bias_layer; /* -1: none */
    uint16_t *trace;
};

struct step {
    const struct step_kind *kind;
    const struct plan_layer *layer; /* that the step belongs to, the first of several */
    int index;                      /* its number in the plan */
    struct value *input, *skip, *output;
    bool accumulate;      /* the input's gradient already holds something when this step's backward is run */
    bool accumulate_skip; /* the same for `skip` */
    union {
        struct dense_step dense;
        struct conv_step conv;
        struct norm_step norm;
        struct pointwise_step pointwise;
        struct pool_step pool;
    } own;
};

struct network {
    struct network_setup setup;
    struct value *value; /* in the order of the plan, like the steps */
    size_t values;
    struct step *step;
    size_t steps;
    struct value *input, *logits;
    /* scratch memory, by place(): what several steps use one after the other */
    float *addend; /* a gradient that is to be added to another */
    float *scratch;
    uint16_t *half_scratch[2];
    int64_t scratch_size, half_scratch_size[2];
    size_t bytes; /* that network_place() took */
    /* by build() */
    struct lane *lane;
    const struct vectors *vectors;
    struct collective *group; /* NULL: a single rank */
    struct k_images images;
    struct k_feed feed;
    struct k_update update;
    struct node *node;
    size_t nodes, node_capacity;
};

/* NR_NO_MEMORY is the only error. */
nr_status network_create(const struct network_setup *setup, struct network **out) NR_MUST_CHECK;
/* With region->base NULL it measures. */
void network_place(struct network *network, struct region *region);
/* What network->lane, vectors, group, images, feed, update and the placed memory make possible. What a library refused
 * is in the lane's failure. */
nr_status network_build(struct network *network) NR_MUST_CHECK;
/* All nodes, once, into the lane's stream. */
nr_status network_enqueue(const struct network *network) NR_MUST_CHECK;
/* One line per node: number, layer, what it does. */
void network_list(const struct network *network, struct text *text);
void network_destroy(struct network *network); /* NULL is fine */

/* ---- for the files of this folder that make networks up ---- */

nr_status network_compile(struct network *network) NR_MUST_CHECK;

extern const struct step_kind step_dense, step_conv, step_norm, step_pointwise, step_pool, step_add;

/* For place(): scratch memory has at least so many elements when a step runs. */
void network_scratch(struct network *network, int64_t count);
void network_half_scratch(struct network *network, int which, int64_t count);
static inline int64_t value_count(const struct network *network, const struct value *value)
{
    return network->setup.rows * value->features;
}

/* Where a layer's tensors and their gradients lie. */
float *network_weight(const struct network *network, int layer);
float *network_weight_gradient(const struct network *network, int layer);
float *network_bias(const struct network *network, int layer); /* NULL for layer -1 */
float *network_bias_gradient(const struct network *network, int layer);
const uint16_t *network_half_weight(const struct network *network, int layer);

/* nodes.c: adds a node; the plain ones. */
nr_status node_add(struct network *network, const struct node *node) NR_MUST_CHECK;
nr_status node_product(struct network *network, const struct step *step, enum product_epilogue epilogue,
                       const struct product *product) NR_MUST_CHECK;
nr_status node_sum(struct network *network, const struct step *step, const float *a, const float *b, float *y,
                   int64_t count) NR_MUST_CHECK; /* y = a + b */
nr_status node_copy(struct network *network, const struct step *step, const float *from, float *to,
                    int64_t count) NR_MUST_CHECK;
nr_status node_zero(struct network *network, float *values, int64_t count) NR_MUST_CHECK;
nr_status node_to_half(struct network *network, const struct step *step, const float *from, uint16_t *to,
                       int64_t count) NR_MUST_CHECK;
nr_status node_from_half(struct network *network, const struct step *step, const uint16_t *from, float *to,
                         int64_t count) NR_MUST_CHECK;
/* The gradient of layer `layer`'s bias from that of its output, of `shape`. */
nr_status node_bias_gradient(struct network *network, const struct step *step, int layer, const struct value *value,
                             const float *gradient) NR_MUST_CHECK;
/* The value as bf16, made when first asked for. */
nr_status node_half_value(struct network *network, const struct step *step, struct value *value) NR_MUST_CHECK;

#endif
