/* The plan of one network: layers in order, shapes, where parameters lie, and what it costs; sees no device.
 *
 * Built from a study's template and a point by plan_build(); constant afterwards; read by the optimiser's callback
 * (exact objectives), by the backends (which compile it) and by the reports. Building takes microseconds: the search
 * does it for thousands of points per suggestion. */
#ifndef NASRUN_NET_PLAN_H
#define NASRUN_NET_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "space/study.h"

enum operator_kind {
    OP_DENSE,
    OP_CONV,
    OP_BATCHNORM,
    OP_ACTIVATION,
    OP_MAXPOOL,
    OP_AVGPOOL,
    OP_GLOBALAVGPOOL,
    OP_DROPOUT,
    OP_FLATTEN,
    OP_ADD, /* the end of a residual: input + skip */
    OP_KINDS
};

enum activation_kind { ACT_RELU, ACT_LEAKY_RELU, ACT_GELU, ACT_SILU, ACT_TANH, ACT_SIGMOID, ACT_KINDS };

/* [channels][height][width]; a vector has height = width = 1. A dense layer may read an image: its `in` is then the
 * image's shape, its inputs are the values in the order C, H, W (no OP_FLATTEN stands before it). Activations and
 * dropout keep the shape of what they read. */
struct shape {
    int64_t channels, height, width;
};

enum { PLAN_INPUT = -1 }; /* "reads the network's input" */

struct plan_layer {
    enum operator_kind kind;
    int input; /* the layer whose output this one reads, or PLAN_INPUT; always earlier */
    int skip;  /* OP_ADD: the other one; else PLAN_INPUT */
    struct shape in, out;
    /* dense, conv */
    bool bias;
    int64_t kernel_height, kernel_width, stride, groups; /* conv; pools: kernel and stride */
    int64_t pad_top, pad_bottom, pad_left, pad_right;    /* conv, pools */
    /* activation, dropout */
    enum activation_kind activation;
    double slope;    /* leaky_relu */
    double rate;     /* dropout */
    uint32_t stream; /* of the random numbers of this layer (initial weights, dropout): counted per purpose from 0, so
                        that it does not depend on layers without randomness */
    /* In the flat parameter vector; counts are 0 where there are none.
     *   dense: weight [in features][out features], bias [out]
     *   conv:  weight [out][in / groups][kernel_height][kernel_width], bias [out]
     *   batchnorm: weight = gamma [C], bias = beta [C]; buffer = running mean [C], running variance [C] */
    int64_t weight, weights;
    int64_t bias_at, biases;
    int64_t buffer, buffers; /* in the flat vector of buffers */
};

struct plan {
    struct shape input;
    int64_t classes;
    struct plan_layer *layer; /* the last one's output is the logits, [classes] */
    size_t count, capacity;
    int64_t parameters;  /* trainable, exact */
    int64_t buffers;     /* values that are kept but not trained */
    int64_t macs;        /* multiply-accumulates of dense and conv layers, forward, one image */
    int64_t activations; /* values kept per image for the backward pass, as documented in plan.c */
    char identity[33];   /* canonical: the same for the same network written two ways; 32 hexadecimal digits */
};

/* Checks what needs no point: operators, attributes, the values that parameters can give them, begin/end of residuals.
 * Once, after study_read(). NR_INVALID with file and line. */
nr_status template_check(const struct study *study, struct log *log) NR_MUST_CHECK;
/* NR_INFEASIBLE when the point gives no network (kernel larger than its input, size shrunk to nothing, groups that do
 * not divide, a residual whose ends differ, a last layer that does not give one value per class); `reason` (may be
 * NULL, is not cleared) then says why, with the layer's file and line. */
nr_status plan_build(const struct study *study, const double *point, struct shape input, int64_t classes,
                     struct text *reason, struct plan **out) NR_MUST_CHECK;
void plan_destroy(struct plan *plan);

/* Bytes needed to train: parameters, gradients, optimizer state (slots: vectors of that many values per parameter),
 * activations and their gradients at a batch size, float32. What `memory` means as objective or constraint. */
int64_t plan_training_bytes(const struct plan *plan, int64_t batch_size, int64_t slots);
/* One line: "784-64-relu-32-relu-10", "conv32k3 bn relu maxpool2 ... fc10"; dropout with its rate. */
void plan_append_summary(const struct plan *plan, struct text *text);
/* "2.conv.weight" and the like for files: layer's number, kind, part ("weight", "bias", "mean", "variance"). */
void plan_append_tensor_name(const struct plan *plan, size_t layer, const char *part, struct text *text);

const char *operator_name(enum operator_kind kind);
const char *activation_name(enum activation_kind kind);

#endif
