/* The smallest and the largest network of a space (of a study with external objectives: the ends of what is exact), and
 * whether any point is allowed at all. Computed once, before a search writes anything, and by `nasrun check`. */
#ifndef NASRUN_RUN_EXTREMES_H
#define NASRUN_RUN_EXTREMES_H

#include "run/problem.h"

struct extremes {
    double *smallest, *largest; /* points, by number of parameters (external: by the first exact objective, any two
                                 * points where none is); [space.count] each */
    int64_t tried, allowed; /* points looked at (all of a small space, else random ones), and how many are allowed */
};

/* All points of a space of up to 2,000, else random ones, then coordinate descent on that quantity from the best of
 * them. NR_INVALID, with a reason, when no allowed point was found: for a space of up to 100,000 points that is
 * a proof, else a very strong hint. */
nr_status extremes_find(struct problem *problem, struct log *log, struct extremes *out) NR_MUST_CHECK;
/* The bytes that training takes at most (problem_exact("memory")), by descent from the largest network: large batches
 * take memory, too. */
nr_status extremes_most_bytes(struct problem *problem, const struct extremes *extremes, struct log *log,
                              double *out) NR_MUST_CHECK;
/* The least and the most of an exact objective over the allowed points of a study with external objectives. */
struct extent {
    double least, most;
    bool proven; /* all points were looked at; else the best that random points and descent from them gave */
};
nr_status extremes_of_objective(struct problem *problem, const struct extremes *extremes, size_t objective,
                                struct log *log, struct extent *out) NR_MUST_CHECK;
void extremes_clear(struct extremes *extremes);

#endif
