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

enum { OPTIM_MAX_OBJECTIVES = 4, OPTIM_IDENTITY_SIZE = 65 };

enum optim_method { METHOD_BO, METHOD_RANDOM, METHOD_SOBOL };

struct optim_objective {
    bool maximize;
    bool exact;       /* the problem's callback knows it: never modelled */
    double threshold; /* NaN: none */
    bool half_rank;   /* half-rank transform before modelling: for trained metrics */
};

/* What the optimiser must ask of the world: is this canonical point allowed, what are its exact objectives, and which
 * network is it (points of equal identity are duplicates)? */
struct optim_admission {
    double exact[OPTIM_MAX_OBJECTIVES]; /* by objective; unused for modelled ones */
    char identity[OPTIM_IDENTITY_SIZE];
};
typedef bool optim_admit(void *context, const double *point, struct optim_admission *out);

struct optim_problem {
    const struct space *space; /* outlives the optimizer */
    struct optim_objective objective[OPTIM_MAX_OBJECTIVES];
    size_t objectives;
    optim_admit *admit; /* called some thousand times per suggestion */
    void *context;
};

struct optim_options {
    enum optim_method method;
    uint64_t seed;
    int64_t initial; /* points of the scrambled Sobol start */
};

struct optimizer;

nr_status optimizer_create(const struct optim_problem *problem, const struct optim_options *options, struct log *log,
                           struct optimizer **out) NR_MUST_CHECK;
void optimizer_destroy(struct optimizer *optimizer);

struct suggestion {
    double *point;      /* [space->count]; owned by the optimizer, valid until the next call */
    char method[24];    /* "sobol", "random", "bo", "enumerate", ... */
    const char *fit;    /* what changed of the state that later decisions depend on, as text to record: the next Sobol
                         * point, fitted hyper-parameters; "" when nothing did; owned by the optimizer */
    const char *note;   /* why this point, one line; owned by the optimizer */
    double acquisition; /* log value at the point, NaN where there is none */
};

/* The next point for trial number `trial`. It counts as pending at once. NR_EXHAUSTED when every admissible point is
 * finished or running. */
nr_status optimizer_suggest(struct optimizer *optimizer, int64_t trial, struct suggestion *out) NR_MUST_CHECK;
/* Replays a recorded suggestion instead of making one: same effect on the optimizer's state. */
nr_status optimizer_restore(struct optimizer *optimizer, int64_t trial, const double *point, const char *method,
                            const char *fit) NR_MUST_CHECK;
/* A trial finished: `value` by objective, in the objectives' own sense and unit; `variance` of the measurement where it
 * is known (p(1-p)/m of a validation accuracy), NaN where not. Entries of exact objectives are ignored. */
nr_status optimizer_tell(struct optimizer *optimizer, int64_t trial, const double *value,
                         const double *variance) NR_MUST_CHECK;
/* A trial failed for good: no longer pending, never proposed again. */
nr_status optimizer_fail(struct optimizer *optimizer, int64_t trial) NR_MUST_CHECK;

#endif
