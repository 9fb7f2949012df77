/* The streams of random numbers of purpose RANDOM_SEARCH (see kernels/math/random.h). Never renumber: recorded studies
 * depend on it. Where a suggestion draws them, `trial` is the suggestion's number. */
#ifndef NASRUN_OPTIM_STREAMS_H
#define NASRUN_OPTIM_STREAMS_H

enum optim_stream {
    STREAM_RANDOM = 1,        /* points of the method `random` */
    STREAM_CANDIDATES = 2,    /* the pool that the acquisition function chooses from */
    STREAM_NEIGHBOURS = 3,    /* perturbations in the local search; step = round */
    STREAM_FIT = 4,           /* starts of the fit of hyper-parameters; step = objective */
    STREAM_PADDING = 5,       /* dimensions beyond the Sobol table */
    STREAM_EVOLUTION = 6,     /* tournaments and mutations */
    STREAM_GRID = 7,          /* where a stage of the grid begins; `trial` is the stage */
    STREAM_REPAIR = 8,        /* changes that make a point allowed; step 1: of candidates */
    STREAM_SCRAMBLE = 0x10000 /* + dimension */
};

#endif
