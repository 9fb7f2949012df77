/* Where a plan's tensors lie on the device: in the plan's order, but every one begins at a multiple of 64 floats, so
 * that cuBLASLt finds its vectors aligned. What lies between is 0 and stays so: its gradients are 0. */
#ifndef NASRUN_TRAIN_CUDA_LAYOUT_H
#define NASRUN_TRAIN_CUDA_LAYOUT_H

#include "net/plan.h"

enum { LAYOUT_ALIGNMENT = 64 };

struct layout_places {
    int64_t weight, bias;   /* in the vector of parameters */
    int64_t mean, variance; /* in the vector of buffers */
};

struct layout {
    const struct plan *plan;
    struct layout_places *layer; /* [plan->count] */
    int64_t parameters, buffers; /* lengths of the vectors, padding included: multiples of LAYOUT_ALIGNMENT */
};

nr_status layout_create(const struct plan *plan, struct layout *out) NR_MUST_CHECK;
void layout_clear(struct layout *layout);

/* Between a vector as the plan has it and one as the device has it. ..._spread() writes the padding, too. */
void layout_spread_parameters(const struct layout *layout, const float *plan_values, float *device_values);
void layout_collect_parameters(const struct layout *layout, const float *device_values, float *plan_values);
void layout_spread_buffers(const struct layout *layout, const float *plan_values, float *device_values);
void layout_collect_buffers(const struct layout *layout, const float *device_values, float *plan_values);

#endif
