/* What is checked and loaded before a search, or a command that needs the networks of a study, touches anything:
 * operators, the data set, the split, whether any point is allowed. Bad input ends here, with nothing written. */
#ifndef NASRUN_RUN_PREPARATION_H
#define NASRUN_RUN_PREPARATION_H

#include "run/extremes.h"
#include "run/problem.h"
#include "store/store.h"
#include "train/dataset.h"
#include "train/split.h"

struct preparation {
    struct dataset *dataset; /* the training part */
    struct split *split;
    struct problem problem; /* points into itself: never copied */
    struct extremes extremes;
};

/* NR_INVALID, with a word on what does drive it, for a study with external objectives. */
nr_status preparation_require_training(const struct study *study, struct log *log) NR_MUST_CHECK;
nr_status preparation_create(const struct study *study, struct log *log, struct preparation *out) NR_MUST_CHECK;
/* The images are the ones that the recorded trials saw; NR_INVALID when not. */
nr_status preparation_compare_data(const struct preparation *preparation, const struct store_study *recorded,
                                   const char *folder, struct log *log) NR_MUST_CHECK;
void preparation_clear(struct preparation *preparation);

#endif
