/* Image sets in IDX files, once in memory as uint8 and shared by all workers.
 *
 * The driver loads a set into anonymous shared memory (memfd); workers inherit the descriptor and map it read-only.
 * A set is a folder with these files, each either as it is or with .gz behind its name, idx4 for [N,C,H,W]:
 *   train-images-idx3-ubyte  train-labels-idx1-ubyte  t10k-images-idx3-ubyte  t10k-labels-idx1-ubyte */
#ifndef NASRUN_TRAIN_DATASET_H
#define NASRUN_TRAIN_DATASET_H

#include <stdint.h>

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "net/plan.h"
#include "space/study.h"

enum dataset_part { DATASET_TRAIN, DATASET_TEST };

struct dataset {
    char *name;
    struct shape shape; /* of one image; uint8 [C,H,W] */
    int64_t classes;    /* of the training part: its largest label + 1 */
    int64_t count;
    const uint8_t *images;         /* [count][C][H][W] */
    const uint8_t *labels;         /* [count] */
    char digest[FILE_DIGEST_SIZE]; /* SHA-256 of the unpacked image file followed by the unpacked label file */
    int descriptor;                /* of the shared memory; stays open across exec */
    size_t bytes;                  /* of the mapping */
    void *mapping;                 /* read-only, for everyone: the memory is sealed */
};

/* Reads one part of the study's set (dataset_read): from data.folder, which is the set's folder or the one it lies in,
 * relative to the file that names it; without it from where dataset_find() finds data.dataset. */
nr_status dataset_load(const struct study *study, enum dataset_part part, struct log *log,
                       struct dataset **out) NR_MUST_CHECK;

/* What a training part is like but for its images: its header and labels, read in milliseconds. */
struct dataset_outline {
    struct shape shape;
    int64_t classes, count;
    int64_t images_of[UINT8_MAX + 1]; /* by class */
};
/* Of the study's set; errors as dataset_load(), but check sums are not compared. */
nr_status dataset_outline(const struct study *study, struct log *log, struct dataset_outline *out) NR_MUST_CHECK;
nr_status dataset_outline_read(const char *folder, struct log *log, struct dataset_outline *out) NR_MUST_CHECK;
/* data.folder as a path from here; NULL when the study has none, or out of memory. The caller frees. */
char *dataset_chosen_folder(const struct study *study) NR_MUST_CHECK;
/* The folder of the set: $NASRUN_DATA/NAME, data/NAME here, data/NAME of the project that the program was built in or
 * NAME in the share that it was installed with, NAME where Debian's packages put theirs; the first that exists, so that
 * a damaged set there is an error and never passed over for another copy. NR_NOT_FOUND says where it looked and names
 * tools/get-data. The caller frees *out. */
nr_status dataset_find(const char *name, struct log *log, char **out) NR_MUST_CHECK;
/* Reads one part from a folder. Checks magic, dimensions, truncation, trailing bytes, equal counts, and that the
 * labels of the training part are 0..classes-1 without a gap; the test part must fit the training part in shape and
 * labels. For sets with published check sums (dataset_known.h) these are compared. NR_INVALID names file and cause. */
nr_status dataset_read(const char *name, const char *folder, enum dataset_part part, struct log *log,
                       struct dataset **out) NR_MUST_CHECK;
/* Maps what another process loaded. Takes over the descriptor. */
nr_status dataset_map(int descriptor, struct log *log, struct dataset **out) NR_MUST_CHECK;
void dataset_destroy(struct dataset *dataset);

#endif
