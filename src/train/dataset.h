/* Image sets in IDX files, once in memory as uint8 and shared by all workers.
 *
 * The driver loads a set into anonymous shared memory (memfd); workers inherit the descriptor and map it read-only. */
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
    int64_t classes;    /* largest label + 1 of the training part */
    int64_t count;
    const uint8_t *images; /* [count][C][H][W] */
    const uint8_t *labels; /* [count] */
    char digest[FILE_DIGEST_SIZE]; /* SHA-256 of the unpacked image file followed by the unpacked label file */
    int descriptor;                /* of the shared memory */
    size_t bytes;                  /* of the mapping */
    void *mapping;
};

/* Finds the set (data.folder if given; else NASRUN_DATA, then data/ of the project, then the installed share, each as
 * FOLDER/NAME/) and reads one part: train-images-idx3-ubyte[.gz] and so on, or idx4 for [N,C,H,W]. Checks magic,
 * dimensions, truncation, trailing bytes, equal counts, labels; a damaged set where it is first found is an error and
 * never passed over. For known sets the digest is compared with the published one. NR_NOT_FOUND says where it looked
 * and names tools/get-data. */
nr_status dataset_load(const struct study *study, enum dataset_part part, struct log *log,
                       struct dataset **out) NR_MUST_CHECK;
/* Maps what another process loaded. */
nr_status dataset_map(int descriptor, struct log *log, struct dataset **out) NR_MUST_CHECK;
void dataset_destroy(struct dataset *dataset);

#endif
