/* A small data set that can be learnt and a candidate on it, for tests of the backends. */
#ifndef NASRUN_TESTS_TRAINING_H
#define NASRUN_TESTS_TRAINING_H

#include "support/test.h"

#include "train/backend.h"
#include "train/hand_plan.h"

enum { TRAINING_CLASSES = 4, TRAINING_MOST_CHANNELS = 4 };

struct training {
    uint8_t *pixels, *labels;
    uint32_t *index; /* 0, 1, 2, ...: the first train, the rest validate */
    float mean[TRAINING_MOST_CHANNELS], deviation[TRAINING_MOST_CHANNELS];
    struct dataset dataset;
    struct split split;
    struct hand_plan hand; /* begun */
    struct recipe recipe;  /* Adam, batches of 32, no augmentation, one epoch of all training images */
    uint64_t seed;
    struct log *log;
    const struct backend *backend;
    int number; /* of the device, 0 unless set before it is opened */
    struct device *device;
    struct images *images;
};

/* Images [channels][side][side] of noise; the brightness of one quarter tells the class. An eighth of them validates.
 */
void training_create(struct training *training, int64_t images, int64_t channels, int64_t side);
void training_open(struct training *training, const struct backend *backend); /* and uploads */
void training_clear(struct training *training);                               /* and closes */

/* What trainers are made from: rank 0 of 1 in lane 0. */
struct trainer_setup training_setup(const struct training *training, uint32_t trial);
struct trainer *training_create_trainer(struct training *training, const struct trainer_setup *setup);
struct trainer *training_trainer(struct training *training, uint32_t trial); /* of training_setup() */
/* So many steps, waited for; fails the test unless they succeed. */
void training_steps(struct training *training, struct trainer *trainer, int64_t steps);
/* Waits until nothing runs, and says what came of it. */
void training_wait(struct training *training, struct trainer *trainer, struct progress *progress);
/* The mean loss of each of the next steps. */
void training_losses(struct training *training, struct trainer *trainer, size_t steps, double *loss);

/* All values the same bits, and the same step. */
bool training_same_state(const struct trial_state *a, const struct trial_state *b);

#endif
