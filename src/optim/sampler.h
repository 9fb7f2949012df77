/* Points without a model: Sobol, random, and what is left of a small space. Never an inadmissible point, never one
 * whose network is in the history. */
#ifndef NASRUN_OPTIM_SAMPLER_H
#define NASRUN_OPTIM_SAMPLER_H

#include "base/rng.h"
#include "optim/history.h"
#include "optim/repair.h"
#include "optim/sobol.h"

enum {
    SAMPLER_SMALL = 5000,    /* spaces of at most so many points are held in memory, and scored whole */
    SAMPLER_TRIES = 100000,  /* points before a large space counts as (nearly) exhausted */
    SAMPLER_PLAIN = 2000,    /* draws in vain before further ones are also repaired */
    SAMPLER_VISITS = 2000000 /* points looked at by the last attempt in a large finite space */
};

struct sampler {
    const struct optim_problem *problem;
    const struct history *history;
    struct sobol *sobol;
    uint32_t next_sobol;
    uint64_t seed;
    bool small; /* the pool below is the whole space */
    bool finite;
    bool listed;  /* the pool has been made */
    double *pool; /* [pooled][space->count]: the admissible points of a small space */
    struct optim_admission *pool_admission;
    size_t pooled, pool_capacity, admission_capacity;
    double *unit; /* [space->count] */
    struct repair repair;
};

nr_status sampler_create(const struct optim_problem *problem, const struct history *history, uint64_t seed,
                         struct sampler *out) NR_MUST_CHECK;
void sampler_clear(struct sampler *sampler);

/* All three: NR_EXHAUSTED when nothing is left; `*method` says how the point was found ("sobol", "random",
 * "enumerate"). */
nr_status sampler_sobol(struct sampler *sampler, struct log *log, double *point, struct optim_admission *admission,
                        const char **method) NR_MUST_CHECK;
nr_status sampler_random(struct sampler *sampler, uint32_t suggestion, struct log *log, double *point,
                         struct optim_admission *admission, const char **method) NR_MUST_CHECK;
/* One random point, canonical, admissible or not. */
void sampler_draw(const struct sampler *sampler, struct rng *rng, double *point);

/* Fills the pool of a small space; once. */
nr_status sampler_list(struct sampler *sampler) NR_MUST_CHECK;

#endif
