/* The state of a trial as a safetensors file, readable by any safetensors library:
 *
 *   8 bytes   length of the header, little-endian
 *   header    JSON: for each tensor {"dtype":"F32","shape":[...],"data_offsets":[begin,end]}; "__metadata__": strings
 *   data      float32, little-endian, in the order of the header
 *
 * Tensors are those of tensors.h. Metadata, all of it text:
 *   format      CHECKPOINT_FORMAT                 network     identity of the plan
 *   summary     the network in one line           input       "C,H,W"
 *   classes     number of classes                 step        optimizer steps done
 *   epochs      epochs finished                   last, best  "epoch train_loss validation_loss validation_accuracy
 *   mean, deviation  of the channels: a network                learning_rate seconds" of these epochs
 *               reads (pixel / 255 - mean) / deviation
 *   program     what wrote it
 *   digest      SHA-256 of header and data, with zeros in place of this digest */
#ifndef NASRUN_TRAIN_CHECKPOINT_H
#define NASRUN_TRAIN_CHECKPOINT_H

#include "train/backend.h"
#include "train/trial.h"

enum { CHECKPOINT_FORMAT = 1 };

struct checkpoint {
    struct trial_state state;
    struct epoch_metrics last, best;
    int64_t epochs; /* finished */
};

/* `with_optimizer`: for going on; without it: weights of a finished trial. Written in one move; `durable` also survives
 * a power loss. */
nr_status checkpoint_write(const char *path, const struct checkpoint *checkpoint, const struct plan *plan,
                           const struct split *split, bool with_optimizer, bool durable, struct log *log) NR_MUST_CHECK;
/* NR_INVALID for a file of another network, a newer format or a damaged one (and says which); NR_NOT_FOUND when there
 * is none. `state` is allocated here. Optimizer slots that are absent are zero. */
nr_status checkpoint_read(const char *path, const struct plan *plan, int64_t slots, struct log *log,
                          struct checkpoint *out) NR_MUST_CHECK;
void checkpoint_clear(struct checkpoint *checkpoint);

#endif
