/* A plan while it is built: the value that the next layer reads, and the sizes that are checked. Inside of net/ only.
 */
#ifndef NASRUN_NET_BUILDER_H
#define NASRUN_NET_BUILDER_H

#include "net/attribute.h"
#include "net/plan.h"

enum { BUILDER_MOST_RESIDUALS = 16, BUILDER_MOST_LAYERS = 10000 };
/* Values that one layer may read, give or train: what fits the 32-bit counters of the random numbers. */
#define BUILDER_MOST_VALUES ((int64_t)1 << 31)

struct residual {
    int source;   /* the layer (or PLAN_INPUT) whose output is the skip */
    size_t count; /* layers before it */
    struct shape shape;
    bool project, present;
};

struct builder {
    struct plan *plan;
    struct text *reason; /* may be NULL */
    struct scope scope;
    const struct layer_spec *spec; /* at hand, for reasons */
    double value[ATTR_COUNT];      /* its attributes, NaN where they are neither given nor preset */
    int last;                      /* the layer whose output is at hand, or PLAN_INPUT */
    struct shape shape;            /* of that output */
    bool flattened; /* it counts as a vector, but no layer says so yet: dense layers and functions of single values
                       need none */
    struct residual residual[BUILDER_MOST_RESIDUALS];
    size_t residuals;
    uint32_t weight_streams, dropout_streams;
};

/* Appends why to the reason; always NR_INFEASIBLE, so that callers can return it. */
nr_status builder_refuse(struct builder *builder, const char *format, ...) NR_PRINTF(2, 3) NR_MUST_CHECK;
/* Appends a layer that reads what is at hand, after checking its size and placing its parameters; its `in`, `input`,
 * offsets and stream are filled in here, `out`, `weights`, `biases`, `buffers` by the caller. */
nr_status builder_add(struct builder *builder, struct plan_layer layer, int64_t macs) NR_MUST_CHECK;
/* Makes a pending flatten a layer. For operators that tell images from vectors. */
nr_status builder_settle(struct builder *builder) NR_MUST_CHECK;
/* What the template says of an attribute, NULL where it says nothing. */
const char *builder_given(const struct layer_spec *spec, const char *name);
/* a * b * c, INT64_MAX when that is too large; all of them >= 0. */
int64_t size_product(int64_t a, int64_t b, int64_t c);
int64_t shape_size(struct shape shape);

/* layers.c: one layer of the template. */
nr_status layer_build(struct builder *builder, enum operator_row row) NR_MUST_CHECK;
/* identity.c: fills in the plan's identity from its layers. */
void plan_identify(struct plan *plan);

#endif
