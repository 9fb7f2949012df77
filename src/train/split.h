/* Which images train and which validate: stratified by label, from the study's seed alone (all trials share it). */
#ifndef NASRUN_TRAIN_SPLIT_H
#define NASRUN_TRAIN_SPLIT_H

#include <stdint.h>

#include "train/dataset.h"

struct split {
    uint32_t *training, *validation; /* indices into the set, ascending */
    int64_t trainings, validations;
    float *mean, *deviation; /* [C], of pixel / 255 over the training share: x = (pixel / 255 - mean) / deviation */
    int64_t channels;
};

/* `fraction` of the set is used at all; of that, `validation` validates; both per class, rounded, at least one image of
 * each class on either side (NR_INVALID when a class has too few). */
nr_status split_create(const struct dataset *dataset, double fraction, double validation, uint64_t seed,
                       struct log *log, struct split **out) NR_MUST_CHECK;
/* How many images the split of such a set has, without making it. */
void split_count(const struct dataset_outline *outline, double fraction, double validation, int64_t *trainings,
                 int64_t *validations);
void split_destroy(struct split *split);

#endif
