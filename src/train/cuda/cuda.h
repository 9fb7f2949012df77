/* The CUDA backend behind train/backend.h. The program reaches it through nasrun_cuda_backend() of the module that
 * train/backends.h loads; tests that are linked to it, by name. */
#ifndef NASRUN_TRAIN_CUDA_CUDA_H
#define NASRUN_TRAIN_CUDA_CUDA_H

#include "train/backend.h"

extern const struct backend cuda_backend;

/* The module's only exported name. */
const struct backend *nasrun_cuda_backend(void);

/* How a device works; set between open() and create(), by tests alone. */
struct cuda_options {
    double patience;         /* seconds without progress after which a device counts as hung */
    int64_t steps_per_graph; /* at least 1 */
    size_t workspace;        /* bytes of a lane */
    bool epilogues;          /* false: products without, kernels of ours instead */
};
struct cuda_options *cuda_device_options(struct device *device);
/* What a full step of the trainer consists of: a line for each node, in their order. */
void cuda_trainer_list(const struct trainer *trainer, struct text *text);

#endif
