/* Dropout masks as kernels/math/random.h defines them, many Philox blocks at a time. */
#ifndef NASRUN_TRAIN_CPU_DROPOUT_H
#define NASRUN_TRAIN_CPU_DROPOUT_H

#include "kernels/math/random.h"
#include "train/cpu/vector.h"

#define dropout_draw NR_VARIANT(dropout_draw)

struct dropout_stream {
    uint64_t seed;
    uint32_t trial, stream, step;
    uint32_t threshold; /* random_dropout_threshold() */
};

enum { DROPOUT_SLACK = 256 }; /* bytes behind the last element that may be written */

/* keep[i] = 1 where element first + i is kept, else 0. `first` is a multiple of 8. */
void dropout_draw(const struct dropout_stream *stream, size_t first, size_t count, uint8_t *keep);

#endif
