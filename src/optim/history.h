/* What the optimizer has been told: the trials in the order of their suggestions, and the set of their identities. */
#ifndef NASRUN_OPTIM_HISTORY_H
#define NASRUN_OPTIM_HISTORY_H

#include "optim/optimizer.h"

enum trial_state { TRIAL_PENDING, TRIAL_FINISHED, TRIAL_FAILED };

struct history_trial {
    int64_t id;
    enum trial_state state;
    struct optim_admission admission;
    struct optim_result result; /* of modelled outcomes, once finished; NaN before */
    size_t ended_before;        /* trials that had ended when this one was suggested */
};

struct history {
    size_t dimensions;
    struct history_trial *trial;
    size_t count, capacity;
    size_t ended;   /* finished or failed */
    double *points; /* [count][dimensions] */
    size_t points_capacity;
    uint32_t *slot;    /* open addressing over identities: index + 1 of a trial, 0 where empty */
    uint32_t *id_slot; /* the same over the trials' numbers */
    size_t slots;      /* of each; a power of two, more than twice `count` */
};

nr_status history_add(struct history *history, int64_t id, const double *point,
                      const struct optim_admission *admission) NR_MUST_CHECK;
/* NULL: there is none. The last one where a number was given twice. */
struct history_trial *history_find(const struct history *history, int64_t id);
const double *history_point(const struct history *history, size_t index);
/* The first trial of an identity that the history knows. */
size_t history_first(const struct history *history, const char *identity);
bool history_knows(const struct history *history, const char *identity);
void history_clear(struct history *history);

/* Asks the problem; a problem that names no network gets the point's digest for identity. False also when an exact
 * objective is not a finite number. */
bool problem_admits(const struct optim_problem *problem, const double *point, struct optim_admission *out);
/* Admissible and of no network that is in the history. */
bool history_accepts(const struct history *history, const struct optim_problem *problem, const double *point,
                     struct optim_admission *out);

#endif
