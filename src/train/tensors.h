/* The state of a trial as a list of named tensors, in the order of the plan: what files hold of it. */
#ifndef NASRUN_TRAIN_TENSORS_H
#define NASRUN_TRAIN_TENSORS_H

#include "train/backend.h"

enum { TENSOR_NAME_SIZE = 40, TENSOR_MOST_DIMENSIONS = 4 };

struct tensor {
    char name[TENSOR_NAME_SIZE];
    float *values; /* within the state */
    int64_t shape[TENSOR_MOST_DIMENSIONS];
    size_t dimensions;
    int64_t count; /* product of the shape */
};

struct tensors {
    struct tensor *tensor;
    size_t count;
};

/* "2.conv.weight" [out,in/groups,kh,kw], "5.dense.weight" [in,out], "*.bias" [out], "*.mean" and "*.variance" [C];
 * then, if asked for, "optimizer.0", "optimizer.1" [parameters]: the slots. The list points into `state`. */
nr_status tensors_create(const struct plan *plan, const struct trial_state *state, bool with_optimizer,
                         struct tensors *out) NR_MUST_CHECK;
void tensors_clear(struct tensors *tensors);

#endif
