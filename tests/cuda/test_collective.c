/* The mean over ranks on the double of NCCL: real processes, each with a device of its own, that meet in shared memory.
 * The parent makes the invitation and touches nothing else before it forks.
 *
 * Tolerance of a mean: each factor is rounded by 2^-24 when it is divided by the ranks, and so is every sum: 2^-22 of
 * the largest value, which is below 2. */
#include "cuda/lane_device.h"

#include <unistd.h>

#include "base/clock.h"
#include "support/ranks.h"
#include "train/cuda/collective.h"

enum { COUNT = (1 << 16) + 77, STEPS = 3 }; /* more than one piece of what the double exchanges at a time */

static const double patience = 30;

static char invitation[INVITATION_SIZE];

static void invite(void)
{
    struct failure failure = {0};
    assert_ok(collective_invite(&failure, invitation));
    assert_int_equal(strlen(invitation), 256);
}

/* Each rank on the device of its number: NASRUN_DOUBLE_DEVICES is set in main(). */
static struct lane *start_rank(const struct rank_member *member)
{
    struct lane *lane;
    lane_failure = (struct failure){0};
    assert_int_equal(cudaSetDevice(member->rank), cudaSuccess);
    assert_ok(lane_create(LANE_WORKSPACE, &lane_failure, &lane));
    return lane;
}

static struct collective *join_all(const struct rank_member *member)
{
    struct collective *collective;
    assert_ok(collective_join(invitation, member->rank, member->ranks, patience, &lane_failure, &collective));
    return collective;
}

static void make_vector(float *values, size_t count, int rank, int step)
{
    fill_values(values, count, (unsigned)(10 * step + rank + 1), false);
}

/* Repeats the mean over vectors that all ranks know, by calls or by one graph. */
static void check_steps(const struct rank_member *member, struct lane *lane, struct collective *collective,
                        size_t count, bool by_graph)
{
    float *mine = malloc(count * sizeof *mine), *mean = malloc(count * sizeof *mean);
    make_vector(mine, count, member->rank, 0);
    float *vector = device_put(lane, mine, count * sizeof *mine);
    cudaGraph_t graph;
    cudaGraphExec_t exec = NULL;
    if (by_graph) {
        assert_int_equal(cudaStreamSynchronize(lane->stream), cudaSuccess);
        assert_int_equal(cudaStreamBeginCapture(lane->stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
        assert_ok(collective_mean(collective, vector, (int64_t)count, lane->stream));
        assert_int_equal(cudaStreamEndCapture(lane->stream, &graph), cudaSuccess);
        assert_int_equal(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
        assert_int_equal(cudaGraphDestroy(graph), cudaSuccess);
    }
    for (int step = 0; step < STEPS; step++) {
        make_vector(mine, count, member->rank, step);
        assert_int_equal(cudaMemcpyAsync(vector, mine, count * sizeof *mine, cudaMemcpyHostToDevice, lane->stream),
                         cudaSuccess);
        if (by_graph)
            assert_int_equal(cudaGraphLaunch(exec, lane->stream), cudaSuccess);
        else
            assert_ok(collective_mean(collective, vector, (int64_t)count, lane->stream));
        assert_ok(collective_check(collective));
        device_get(lane, vector, mean, count * sizeof *mean);
        double *expected = calloc(count, sizeof *expected);
        for (int rank = 0; rank < member->ranks; rank++) {
            make_vector(mine, count, rank, step);
            for (size_t i = 0; i < count; i++)
                expected[i] += (double)mine[i] / member->ranks;
        }
        for (size_t i = 0; i < count; i++)
            assert_near((double)mean[i], expected[i], 0, 0x1p-21);
        free(expected);
    }
    if (exec)
        assert_int_equal(cudaGraphExecDestroy(exec), cudaSuccess);
    assert_int_equal(cudaFree(vector), cudaSuccess);
    free(mine);
    free(mean);
}

static void mean_body(struct rank_member *member, void *context, void *result)
{
    (void)context;
    struct lane *lane = start_rank(member);
    struct collective *collective = join_all(member);
    check_steps(member, lane, collective, 1, true); /* also the first collective, in a capture */
    check_steps(member, lane, collective, COUNT, false);
    check_steps(member, lane, collective, 1000, true);
    collective_destroy(collective);
    assert_int_equal(lane_failure.status, NR_OK);
    lane_close(lane);
    *(int *)result = 1;
}

static void test_mean(void **state)
{
    (void)state;
    for (int ranks = 1; ranks <= 3; ranks++) {
        int done[3];
        invite();
        ranks_run(ranks, mean_body, NULL, 0, done, sizeof *done);
        for (int rank = 0; rank < ranks; rank++)
            assert_int_equal(done[rank], 1);
    }
}

struct outcome {
    nr_status status, again;
    char text[160];
    bool pending; /* the stream waited for the others until the abort */
};

/* Rank 1 dies after a first mean, so that all have joined; the others have a second one on the way, and look for errors
 * while they wait. */
static void dying_body(struct rank_member *member, void *context, void *result)
{
    const double wait = *(double *)context;
    struct lane *lane = start_rank(member);
    struct collective *collective = join_all(member);
    struct outcome outcome = {.status = NR_OK};
    float *vector = device_make(lane, 8 * sizeof *vector);
    assert_ok(collective_mean(collective, vector, 8, lane->stream));
    assert_int_equal(cudaStreamSynchronize(lane->stream), cudaSuccess);
    if (member->rank == 1)
        _exit(3);
    outcome.status = collective_mean(collective, vector, 8, lane->stream);
    for (double end = clock_monotonic() + wait; outcome.status == NR_OK && clock_monotonic() < end;) {
        outcome.pending = cudaStreamQuery(lane->stream) == cudaErrorNotReady;
        outcome.status = collective_check(collective);
    }
    memcpy(outcome.text, lane_failure.text, sizeof outcome.text);
    collective_abort(collective);
    assert_int_equal(cudaStreamSynchronize(lane->stream), cudaSuccess); /* aborted: it ends */
    failure_clear(&lane_failure);
    outcome.again = collective_mean(collective, vector, 8, lane->stream);
    collective_destroy(collective);
    assert_int_equal(cudaFree(vector), cudaSuccess);
    lane_close(lane);
    *(struct outcome *)result = outcome;
}

static void test_a_rank_dies(void **state)
{
    (void)state;
    struct outcome outcome[3];
    double wait = patience;
    invite();
    ranks_run(3, dying_body, &wait, 1u << 1, outcome, sizeof *outcome);
    for (int rank = 0; rank < 3; rank += 2) {
        assert_int_equal(outcome[rank].status, NR_DEVICE);
        assert_non_null(strstr(outcome[rank].text, "remote process exited"));
        assert_int_equal(outcome[rank].again, NR_DEVICE);
    }
}

/* NCCL need not notice: then its caller's own patience runs out, and the abort still frees the stream. */
static void test_a_rank_dies_unnoticed(void **state)
{
    (void)state;
    struct outcome outcome[2];
    double wait = 0.1;
    invite();
    setenv("NASRUN_DOUBLE_NCCL", "silent", 1);
    ranks_run(2, dying_body, &wait, 1u << 1, outcome, sizeof *outcome);
    unsetenv("NASRUN_DOUBLE_NCCL");
    assert_int_equal(outcome[0].status, NR_OK);
    assert_true(outcome[0].pending);
    assert_int_equal(outcome[0].again, NR_DEVICE);
}

/* Ranks other than the first never come. */
static void alone_body(struct rank_member *member, void *context, void *result)
{
    (void)context;
    struct lane *lane = start_rank(member);
    struct collective *collective = NULL;
    struct outcome *outcome = result;
    outcome->status = collective_join(invitation, 0, 2, 0.05, &lane_failure, &collective);
    memcpy(outcome->text, lane_failure.text, sizeof outcome->text);
    assert_null(collective);
    lane_close(lane);
}

static void test_patience_runs_out(void **state)
{
    (void)state;
    struct outcome outcome;
    invite();
    ranks_run(1, alone_body, NULL, 0, &outcome, sizeof outcome);
    assert_int_equal(outcome.status, NR_DEVICE);
    assert_string_equal(outcome.text, "ncclCommInitRankConfig: rank 0 of 2 waited 0.05 s for the others");
}

static void same_device_body(struct rank_member *member, void *context, void *result)
{
    (void)context;
    struct rank_member first = {.rank = 0};
    struct lane *lane = start_rank(&first);
    struct collective *collective = NULL;
    struct outcome *outcome = result;
    outcome->status = collective_join(invitation, member->rank, member->ranks, patience, &lane_failure, &collective);
    memcpy(outcome->text, lane_failure.text, sizeof outcome->text);
    lane_close(lane);
}

static void test_two_ranks_on_one_device(void **state)
{
    (void)state;
    struct outcome outcome[2];
    bool said = false;
    invite();
    ranks_run(2, same_device_body, NULL, 0, outcome, sizeof *outcome);
    for (int rank = 0; rank < 2; rank++) { /* the second may see that the first has gone */
        assert_int_equal(outcome[rank].status, NR_DEVICE);
        said |= strstr(outcome[rank].text, "invalid usage") != NULL;
    }
    assert_true(said);
}

static void test_no_invitation(void **state)
{
    (void)state;
    static const char digits[] = "0123456789abcdef";
    char wrong[INVITATION_SIZE] = {0};
    struct collective *collective = NULL;
    for (int i = 0; i < 256; i++)
        wrong[i] = digits[i % 16];
    wrong[255] = 'g';
    const char *const rows[] = {"", "12", wrong};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct failure failure = {0};
        assert_int_equal(collective_join(rows[i], 0, 1, patience, &failure, &collective), NR_INVALID);
        assert_non_null(strstr(failure.text, "invitation"));
    }
    wrong[255] = 'f'; /* well formed, but not of this library */
    struct failure failure = {0};
    assert_int_equal(collective_join(wrong, 0, 1, patience, &failure, &collective), NR_DEVICE);
    assert_non_null(strstr(failure.text, "ncclCommInitRankConfig("));
    assert_null(collective);
    collective_destroy(NULL);
}

/* One rank: each call that can fail does, once. */
static void failing_body(struct rank_member *member, void *context, void *result)
{
    (void)context;
    struct lane *lane = start_rank(member);
    float *vector = device_make(lane, 8 * sizeof *vector);
    const size_t before = cudadouble_live();
    for (long n = 1;; n++) {
        struct collective *collective = NULL;
        char fresh[INVITATION_SIZE];
        assert_true(n < 200);
        failure_clear(&lane_failure);
        lane_failure.sticky = false;
        cudadouble_fail_at(n);
        nr_status status = collective_invite(&lane_failure, fresh);
        if (status == NR_OK)
            status = collective_join(fresh, 0, 1, patience, &lane_failure, &collective);
        if (status == NR_OK)
            status = collective_mean(collective, vector, 8, lane->stream);
        if (status == NR_OK)
            status = collective_check(collective);
        const bool failed = *cudadouble_failed() != '\0';
        collective_destroy(collective); /* may be what fails: nobody is told */
        const bool at_end = !failed && *cudadouble_failed() != '\0';
        cudadouble_fail_at(0);
        assert_int_equal(cudaStreamSynchronize(lane->stream), cudaSuccess);
        assert_int_equal(cudadouble_live(), before);
        assert_int_equal(status != NR_OK, failed);
        assert_int_equal(lane_failure.status, status);
        if (!failed && !at_end)
            break;
        *(int *)result = (int)n;
    }
    assert_int_equal(cudaFree(vector), cudaSuccess);
    lane_close(lane);
}

static void test_every_call_fails_once(void **state)
{
    (void)state;
    int calls = 0;
    ranks_run(1, failing_body, NULL, 0, &calls, sizeof calls);
    assert_true(calls > 5);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(test_mean),
    cmocka_unit_test(test_a_rank_dies),
    cmocka_unit_test(test_a_rank_dies_unnoticed),
    cmocka_unit_test(test_patience_runs_out),
    cmocka_unit_test(test_two_ranks_on_one_device),
    cmocka_unit_test(test_no_invitation),
    cmocka_unit_test(test_every_call_fails_once),
};

int main(int count, char **arguments)
{
    setenv("NASRUN_DOUBLE_DEVICES", "3", 1);
    unsetenv("CUDA_VISIBLE_DEVICES");
    return test_main(count, arguments, cases, sizeof cases / sizeof *cases);
}
