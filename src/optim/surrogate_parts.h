/* What a surrogate holds; for surrogate.c, which brings it up to the history, and surrogate_read.c, which only looks.
 */
#ifndef NASRUN_OPTIM_SURROGATE_PARTS_H
#define NASRUN_OPTIM_SURROGATE_PARTS_H

#include "optim/acquisition.h"
#include "optim/features.h"
#include "optim/gp.h"
#include "optim/response.h"
#include "optim/surrogate.h"

enum { SURROGATE_BATCH = 256 }; /* points looked at together: their whitened columns stay in the second cache */

struct surrogate {
    const struct optim_problem *problem;
    uint64_t seed;
    size_t needed; /* results before there is a model */
    struct features features;
    struct gp *gp[OPTIM_MAX_OBJECTIVES]; /* NULL where exact */
    double *theta[OPTIM_MAX_OBJECTIVES]; /* the last fitted hyper-parameters */
    size_t results, full_results;        /* finished trials at the last fit, at the last full fit; 0: never */
    struct boxes *boxes;

    /* per suggestion: usable finished trials first, then those that run */
    size_t *trial, *front;
    size_t observed, total, front_count, capacity;
    double *x;                                     /* [features][capacity] */
    double *value;                                 /* [capacity][objectives] as believed, in the model's units */
    double *column, *modelled, *known;             /* [capacity] */
    struct response_map map[OPTIM_MAX_OBJECTIVES]; /* of modelled objectives */
    double *map_work[OPTIM_MAX_OBJECTIVES];        /* [2 * capacity], what the maps refer to */
    double offset[OPTIM_MAX_OBJECTIVES], scale[OPTIM_MAX_OBJECTIVES]; /* of exact objectives */

    double *batch_x, *whitened; /* [features][BATCH], [total][BATCH] */
    size_t whitened_capacity;
};

/* 1 where more is better, else -1: models and fronts maximise. */
static inline double surrogate_sign(const struct optim_problem *problem, size_t j)
{
    return problem->objective[j].maximize ? 1 : -1;
}

#endif
