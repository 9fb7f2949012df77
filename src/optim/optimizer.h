/* The search loop's brain: told results, asked for points. Sees points and numbers only.
 *
 * A suggestion is a pure function of the configuration, the seed and the calls made before it in order (tell, pend,
 * fail, suggest, restore). Fitted hyper-parameters and the place in the Sobol sequence leave as text with the
 * suggestion that changed them, are recorded by the caller as part of the event, and come back by optimizer_restore()
 * when a study is resumed: then resume and replay decide alike. Cost: telling is O(1); a suggestion takes milliseconds
 * at 50 results and tens of them at 250, besides the calls of the problem's `admit`, some 2,000 each. */
#ifndef NASRUN_OPTIM_OPTIMIZER_H
#define NASRUN_OPTIM_OPTIMIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "space/space.h"

/* Outcomes are what a trial is told with: the objectives in order, then the constraints. */
enum {
    OPTIM_MAX_OBJECTIVES = 4,
    OPTIM_MAX_CONSTRAINTS = 4,
    OPTIM_MAX_OUTCOMES = OPTIM_MAX_OBJECTIVES + OPTIM_MAX_CONSTRAINTS,
    OPTIM_IDENTITY_SIZE = 65
};

/* In the order of the choices of search.method in space/keys.c. */
enum optim_method { METHOD_BO, METHOD_RANDOM, METHOD_SOBOL, METHOD_EVOLUTION, METHOD_GRID };

/* How an outcome is warped before it is modelled: the worse half by rank to a half normal, or not at all. */
enum optim_transform { TRANSFORM_AUTO, TRANSFORM_NONE, TRANSFORM_HALF_RANK };

struct optim_objective {
    bool maximize;
    bool exact;       /* the problem's callback knows it: never modelled */
    double threshold; /* NaN: none */
    enum optim_transform transform;
};

/* A limit on something that only a trial can show (a measured latency, a loss), inclusive. It is modelled; limits on
 * what is known beforehand are `admit`'s business. */
struct optim_constraint {
    bool at_most; /* else at least */
    double bound;
};

/* What the optimiser must ask of the world: is this canonical point allowed, what are its exact objectives, and which
 * network is it (points of equal identity are duplicates)? */
struct optim_admission {
    double exact[OPTIM_MAX_OBJECTIVES]; /* by objective; unused for modelled ones */
    double work;                        /* what a trial's duration grows with, as MACs x images x epochs; 0: unknown */
    char identity[OPTIM_IDENTITY_SIZE];
};
typedef bool optim_admit(void *context, const double *point, struct optim_admission *out);

struct optim_problem {
    const struct space *space; /* outlives the optimizer */
    struct optim_objective objective[OPTIM_MAX_OBJECTIVES];
    size_t objectives;
    struct optim_constraint constraint[OPTIM_MAX_CONSTRAINTS];
    size_t constraints;
    optim_admit *admit; /* called some thousand times per suggestion */
    void *context;
};

/* The prior of the inverse length scales: one for some 20 dimensions of which all may matter, or a sparse one for many
 * of which few do. AUTO takes it by the number of dimensions. */
enum optim_model { MODEL_AUTO, MODEL_DENSE, MODEL_SPARSE };

struct optim_options {
    enum optim_method method;
    uint64_t seed;
    int64_t initial; /* points of the scrambled Sobol start; of `evolution` also the size of the population */
    enum optim_model model;
    bool cost_aware; /* improvement per predicted second, from `work` and the seconds of finished trials */
};

struct optimizer;

nr_status optimizer_create(const struct optim_problem *problem, const struct optim_options *options, struct log *log,
                           struct optimizer **out) NR_MUST_CHECK;
void optimizer_destroy(struct optimizer *optimizer);

struct suggestion {
    double *point;      /* [space->count]; owned by the optimizer, valid until the next call */
    char method[24];    /* "sobol", "random", "bo", "evolution", "grid", "enumerate" */
    const char *fit;    /* what changed of the state that later decisions depend on, as text to record: the next Sobol
                         * or grid point, fitted hyper-parameters; "" when nothing did; owned by the optimizer */
    const char *note;   /* why this point, one line; owned by the optimizer */
    double acquisition; /* log value at the point, NaN where there is none */
};

/* The next point for trial number `trial`. It counts as pending at once. NR_EXHAUSTED when every admissible point is
 * finished or running. */
nr_status optimizer_suggest(struct optimizer *optimizer, int64_t trial, struct suggestion *out) NR_MUST_CHECK;
/* Replays a recorded suggestion instead of making one: same effect on the optimizer's state. */
nr_status optimizer_restore(struct optimizer *optimizer, int64_t trial, const double *point, const char *method,
                            const char *fit) NR_MUST_CHECK;
/* What came of a trial. Entries of exact objectives are ignored. */
struct optim_result {
    double value[OPTIM_MAX_OUTCOMES];    /* by outcome, in the outcomes' own sense and unit */
    double variance[OPTIM_MAX_OUTCOMES]; /* of the measurement where it is known (p(1-p)/m of a validation accuracy),
                                          * NaN where not */
    double seconds;                      /* that the trial took; NaN: unknown */
};
/* A trial finished. */
nr_status optimizer_tell(struct optimizer *optimizer, int64_t trial, const struct optim_result *result) NR_MUST_CHECK;
/* A trial failed for good: no longer pending, never proposed again. */
nr_status optimizer_fail(struct optimizer *optimizer, int64_t trial) NR_MUST_CHECK;

/* For those who look (optim/diagnosis.h): what it knows, and the state of its model as text, empty for a method without
 * one. */
const struct optim_problem *optimizer_problem(const struct optimizer *optimizer);
const struct history *optimizer_history(const struct optimizer *optimizer);
const struct optim_options *optimizer_options(const struct optimizer *optimizer);
void optimizer_append_model(const struct optimizer *optimizer, struct text *text);

#endif
