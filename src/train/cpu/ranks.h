/* Data parallelism on the CPU: which rows of a batch a rank takes, and what makes its step that of the whole batch.
 *
 * After ranks_reduce() gradients, running statistics and loss have the same bits on every rank, so that updates,
 * metrics and the sight of a divergence are the same as well, and nothing else has to be told. */
#ifndef NASRUN_TRAIN_CPU_RANKS_H
#define NASRUN_TRAIN_CPU_RANKS_H

#include "base/log.h"
#include "train/backend.h"
#include "train/cpu/engine.h"

/* NR_INVALID for a rank that is not of the group, or several ranks without a `reduce`. */
nr_status ranks_check(const struct trainer_setup *setup, struct log *log) NR_MUST_CHECK;
/* Sets first, count and gradient_scale of the rank's share of `rows` rows: [rows * rank / ranks, rows * (rank + 1) /
 * ranks), none perhaps where there are fewer rows than ranks. */
void ranks_share(const struct trainer_setup *setup, int64_t rows, struct batch *batch);
/* Between gradient and update: the network's gradients and running statistics and *loss (the sum over the share, then
 * over the whole batch) from all ranks. Does nothing without a `reduce`; its status if that fails. */
nr_status ranks_reduce(const struct trainer_setup *setup, const struct cpu_engine *engine, struct network *network,
                       const struct batch *batch, double *loss) NR_MUST_CHECK;

#endif
