/* What a plan's layers allow a backend to do in one pass over memory; a table per plan, made while it is compiled.
 *
 * A layer is nothing where its output is its input: a flatten, and in evaluation a dropout. Whoever reads its output
 * counts as a reader of what it reads. */
#ifndef NASRUN_TRAIN_FUSION_H
#define NASRUN_TRAIN_FUSION_H

#include "net/plan.h"

enum { NOBODY = -1 };

struct fusion {
    const struct plan *plan; /* not owned */
    bool keeps_dropout;      /* else a dropout is nothing */
    int *readers;            /* of each layer's output */
};

nr_status fusion_create(const struct plan *plan, bool keeps_dropout, struct fusion *out) NR_MUST_CHECK;
void fusion_clear(struct fusion *fusion);

/* The layer behind `index`, when it is of this kind and alone in reading the output; else NOBODY. */
int fusion_follower(const struct fusion *fusion, int index, enum operator_kind kind);
/* The same for a pool of any kind. */
int fusion_pool_behind(const struct fusion *fusion, int index);
/* Only one reads that layer's output, so that the result may take its place. Never of the images: they may have other
 * readers, and layers that are nothing pass them on. */
bool fusion_alone(const struct fusion *fusion, int index);

bool layer_is_relu(const struct plan_layer *layer);
/* max(f(a), f(b)) = f(max(a, b)): the activation may change places with a maximum pool, after which it has fewer
 * elements to do. */
bool layer_is_monotone(const struct plan_layer *activation);
/* The derivative needs the activation's input (gelu, silu, folded leaky ReLU), not its output. NULL: no. */
bool layer_needs_input(const struct plan_layer *activation);

#endif
