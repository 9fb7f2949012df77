#include "support/ranks.h"

#include "support/test.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

static const double patience = 60; /* seconds */

struct rank_group {
    int ranks;
    atomic_uint arrived;    /* at barriers, all of them together */
    atomic_bool incomplete; /* a member has ended */
    double value[RANKS_MOST][RANKS_MOST_VALUES];
};

/* False: a member is missing for good. Whoever ended may have come here before, so the order of the two looks counts.
 */
static bool barrier(struct rank_group *group)
{
    unsigned ranks = (unsigned)group->ranks;
    unsigned together = (atomic_fetch_add(&group->arrived, 1) / ranks + 1) * ranks;
    for (double end = clock_monotonic() + patience; clock_monotonic() < end; sched_yield()) {
        bool incomplete = atomic_load(&group->incomplete);
        if (atomic_load(&group->arrived) >= together)
            return true;
        if (incomplete)
            return false;
    }
    return false;
}

nr_status rank_mean(void *context, void *values, int64_t count)
{
    const struct rank_member *member = context;
    struct rank_group *group = member->group;
    double *wide = values;
    float *narrow = values;
    assert_true(count <= RANKS_MOST_VALUES);
    for (int64_t i = 0; i < count; i++)
        group->value[member->rank][i] = member->wide ? wide[i] : (double)narrow[i];
    if (!barrier(group))
        return NR_DEVICE;
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int rank = 0; rank < member->ranks; rank++)
            sum += group->value[rank][i];
        if (member->wide)
            wide[i] = sum / member->ranks;
        else
            narrow[i] = (float)(sum / member->ranks);
    }
    return barrier(group) ? NR_OK : NR_DEVICE; /* nobody overwrites what another still reads */
}

nr_status rank_tell(struct rank_member *member, void *bytes, size_t count)
{
    struct rank_group *group = member->group;
    assert_true(count <= sizeof group->value[0]);
    if (member->rank == 0)
        memcpy(group->value[0], bytes, count);
    if (!barrier(group))
        return NR_DEVICE;
    memcpy(bytes, group->value[0], count);
    return barrier(group) ? NR_OK : NR_DEVICE;
}

static void *shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

static pid_t start(struct rank_group *group, int rank, rank_body *body, void *context, void *result)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    setenv("CMOCKA_TEST_ABORT", "1", 1); /* a failed assertion must not go on as a second test program */
    struct rank_member member = {.group = group, .rank = rank, .ranks = group->ranks};
    body(&member, context, result);
    atomic_store(&group->incomplete, true);
    fflush(NULL);
    _exit(0);
}

static void gather(struct rank_group *group, const pid_t *child, unsigned failing)
{
    unsigned failed = 0;
    for (int left = group->ranks; left > 0; left--) {
        int status, rank = 0;
        pid_t ended = wait(&status);
        assert_true(ended > 0);
        while (rank < group->ranks && child[rank] != ended)
            rank++;
        assert_true(rank < group->ranks);
        if (status != 0) {
            failed |= 1u << rank;
            atomic_store(&group->incomplete, true);
        }
    }
    assert_int_equal(failed, failing);
}

void ranks_run(int ranks, rank_body *body, void *context, unsigned failing, void *results, size_t result_bytes)
{
    pid_t child[RANKS_MOST];
    assert_true(ranks <= RANKS_MOST);
    struct rank_group *group = shared(sizeof *group);
    char *result = shared((size_t)ranks * result_bytes);
    group->ranks = ranks;
    for (int rank = 0; rank < ranks; rank++)
        child[rank] = start(group, rank, body, context, result + (size_t)rank * result_bytes);
    gather(group, child, failing);
    memcpy(results, result, (size_t)ranks * result_bytes);
    munmap(group, sizeof *group);
    munmap(result, (size_t)ranks * result_bytes);
}
