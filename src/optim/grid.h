/* A full grid over the space, in an order that is spread over it from the first points on: first the middle of every
 * number (and all categories), then quarters, then eighths, until every level was there; within such a stage the points
 * are visited in long strides. A baseline for the model. */
#ifndef NASRUN_OPTIM_GRID_H
#define NASRUN_OPTIM_GRID_H

#include "optim/history.h"

enum {
    GRID_STEPS = 9,          /* levels of a continuous dimension, both ends among them */
    GRID_MOST_LEVELS = 1024, /* a number of more values gets GRID_STEPS levels too */
    GRID_VISITS = 2000000    /* points looked at in vain before the grid counts as exhausted */
};

struct grid;

/* The seed shifts the order, not the points. */
nr_status grid_create(const struct optim_problem *problem, const struct history *history, uint64_t seed,
                      struct grid **out) NR_MUST_CHECK;
void grid_destroy(struct grid *grid);

/* Points of the whole grid, constraints not regarded; an upper bound where dimensions are conditional: *exact (may be
 * NULL). Of more dimensions than fit into 2^62 points, the last ones keep their middle. */
double grid_points(const struct grid *grid, bool *exact);

/* The next admissible new point; NR_EXHAUSTED after the last one. */
nr_status grid_next(struct grid *grid, struct log *log, double *point, struct optim_admission *out) NR_MUST_CHECK;
/* Where it stands, as an entry of the recorded state, "grid=2,17"; and back: false for a text that is none. */
void grid_append_state(const struct grid *grid, struct text *text);
bool grid_restore_entry(struct grid *grid, const char *entry);

#endif
