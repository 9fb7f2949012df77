/* The published check sums of well-known sets, so that a study on "mnist" is one on MNIST. */
#ifndef NASRUN_TRAIN_DATASET_KNOWN_H
#define NASRUN_TRAIN_DATASET_KNOWN_H

#include "train/dataset.h"

/* `digest` as in struct dataset; `labels_file` is the unpacked label file. NR_INVALID, naming the file that differs,
 * when `name` is that of a known set and the contents are others. */
nr_status dataset_check_known(const char *name, enum dataset_part part, const char *digest, const char *images_path,
                              const char *labels_path, const void *labels_file, size_t labels_bytes,
                              struct log *log) NR_MUST_CHECK;

#endif
