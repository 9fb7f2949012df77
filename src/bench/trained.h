/* A table of networks that were all trained before, replayed as a search problem: each point of a study's space is a
 * row, with its exact number of parameters and the validation accuracies of several seeds. An evaluation draws one of
 * them, so that the noise is that of real training. */
#ifndef NASRUN_BENCH_TRAINED_H
#define NASRUN_BENCH_TRAINED_H

#include "base/rng.h"
#include "space/study.h"

enum { TRAINED_MOST_SEEDS = 8 };

struct trained_row {
    const double *point; /* canonical */
    double parameters;
    double accuracy[TRAINED_MOST_SEEDS]; /* NaN: that training failed */
    double mean;                         /* of those that did not; NaN: all failed */
};

struct trained {
    struct study *study;
    double *points;          /* [rows][dimensions] */
    struct trained_row *row; /* sorted by point */
    size_t rows, seeds;
    double images; /* that validated; NaN: unknown */
};

/* `path` is a study's configuration, "fashion.ini"; the table lies beside it under the same name with ".csv": the
 * dimensions under their own names, `parameters`, `val_accuracy_1`, `val_accuracy_2`, ..., and, if it likes,
 * `validation_images`. */
nr_status trained_open(const char *path, struct log *log, struct trained **out) NR_MUST_CHECK;
void trained_close(struct trained *trained);
/* NULL: no such network in the table. */
const struct trained_row *trained_find(const struct trained *trained, const double *point);
/* The accuracy of one of the seeds; NaN where that training failed. */
double trained_draw(const struct trained *trained, const struct trained_row *row, struct rng *rng);

#endif
