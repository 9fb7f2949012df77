/* A data-parallel group of real processes: forked, joined by shared memory, for tests of what ranks do together. */
#ifndef NASRUN_TESTS_RANKS_H
#define NASRUN_TESTS_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { RANKS_MOST = 8, RANKS_MOST_VALUES = 1 << 16 };

struct rank_group;

struct rank_member {
    struct rank_group *group;
    int rank, ranks;
    bool wide; /* the values of rank_mean() are double, not float */
};

/* An all_reduce whose context is the struct rank_member: the sum in the order of the ranks, in double, divided by their
 * number. NR_DEVICE once a member of the group has ended, in whatever way, or after a minute. */
nr_status rank_mean(void *member, void *values, int64_t count) NR_MUST_CHECK;

/* Rank 0's bytes for all of them. NR_DEVICE as above. */
nr_status rank_tell(struct rank_member *member, void *bytes, size_t count) NR_MUST_CHECK;

/* What a rank does; `result` is its own. A failed assertion ends the process. */
typedef void rank_body(struct rank_member *member, void *context, void *result);

/* Runs `body` in as many processes; fails the test unless those of `failing` (a bit per rank), and only they, end in
 * any other way than by returning. results: [ranks][result_bytes], whatever was written there. */
void ranks_run(int ranks, rank_body *body, void *context, unsigned failing, void *results, size_t result_bytes);

#endif
