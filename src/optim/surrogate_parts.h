/* The inside of a surrogate, for the files that make it up: surrogate.c (fit, front, state), surrogate_score.c,
 * surrogate_read.c. */
#ifndef NASRUN_OPTIM_SURROGATE_PARTS_H
#define NASRUN_OPTIM_SURROGATE_PARTS_H

#include "optim/acquisition.h"
#include "optim/duration.h"
#include "optim/evidence.h"
#include "optim/outcome.h"
#include "optim/surrogate.h"

enum { SURROGATE_BATCH = 240 }; /* candidates scored at once: ten tiles of optim/linear; in the second cache */

struct surrogate {
    const struct optim_problem *problem;
    struct optim_options options;
    size_t needed; /* results before there is a model */
    struct evidence evidence;
    struct outcome *outcome[OPTIM_MAX_OUTCOMES]; /* NULL where known beforehand */
    struct outcome *success;                     /* of 1 (finished) and -1 (failed) */
    struct duration duration;
    size_t results, full_results; /* ended trials at the last fit, at the last full fit; 0: never */

    /* per suggestion */
    bool success_modelled; /* there are failed trials */
    double success_bound;  /* between failed and finished; this and the following in model units */
    double bound[OPTIM_MAX_CONSTRAINTS];
    double reference[OPTIM_MAX_OBJECTIVES];
    double offset[OPTIM_MAX_OBJECTIVES], scale[OPTIM_MAX_OBJECTIVES]; /* of exact objectives: model unit =
                                                                         (sign * own - offset) * scale */
    size_t *candidate, candidates; /* rows (observed, then awaited) that are believed to be feasible */
    double *value;                 /* [candidates][objectives] as believed */
    size_t *front, front_count;    /* positions in candidate[] */
    double *column, *ended;        /* [rows] work */
    size_t capacity;
    struct boxes *boxes;

    double *batch_x, *whitened, *slopes; /* [features][BATCH], [rows][BATCH]; surrogate_score.c */
    size_t whitened_capacity, slopes_capacity;
};

/* Posterior of every modelled outcome at one point, in model units, and of success. */
struct outlook {
    double mu[OPTIM_MAX_OUTCOMES], sigma[OPTIM_MAX_OUTCOMES];
    double success_mu, success_sigma; /* noise included */
};
/* The parts of a score, each with what its slope by the outlook is made of. */
struct parts {
    double log_improvement; /* NaN while nothing is feasible */
    double log_feasible[OPTIM_MAX_CONSTRAINTS], log_success;
    double by_mu[OPTIM_MAX_OUTCOMES], by_sigma[OPTIM_MAX_OUTCOMES]; /* of their sum */
    double by_success_mu, by_success_sigma;
};

/* surrogate_score.c */
struct kernel_points surrogate_batch(struct surrogate *surrogate, const double *points, size_t count);
nr_status surrogate_outlook(struct surrogate *surrogate, const double *point, const struct optim_admission *admission,
                            struct outlook *out) NR_MUST_CHECK;
/* COARSE: an improvement that underflows counts as none; FINE: its logarithm all the same; SLOPES: derivatives too. */
enum precision { PRECISION_COARSE, PRECISION_FINE, PRECISION_SLOPES };
struct parts surrogate_parts(struct surrogate *surrogate, const struct outlook *outlook, enum precision precision);
struct score surrogate_sum(const struct surrogate *surrogate, const struct outlook *outlook, const struct parts *parts,
                           const struct optim_admission *admission);
/* Predicted; NaN where that is not asked for or unknown. */
double surrogate_log_seconds(const struct surrogate *surrogate, const struct optim_admission *admission);

static inline double surrogate_exact(const struct surrogate *surrogate, size_t j, double own)
{
    return (problem_sign(surrogate->problem, j) * own - surrogate->offset[j]) * surrogate->scale[j];
}

#endif
