/* What the double of NCCL promises to catch, and where it is as patient and as silent as the library. */
#include "double/child.h"

#include <nccl.h>

#include "support/ranks.h"

static ncclComm_t start_join(int rank, int ranks, ncclUniqueId id)
{
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    ncclComm_t communicator;
    config.blocking = 0;
    CHECK(ncclCommInitRankConfig(&communicator, ranks, id, rank, &config) == ncclInProgress);
    return communicator;
}

/* Asks until a call is over; how often it was not yet. */
static int wait_for(ncclComm_t communicator)
{
    ncclResult_t state;
    for (int polls = 0;; polls++) {
        DO(ncclCommGetAsyncError(communicator, &state));
        if (state == ncclSuccess)
            return polls;
        CHECK(state == ncclInProgress);
    }
}

static ncclComm_t join_alone(void)
{
    ncclUniqueId id;
    DO(ncclGetUniqueId(&id));
    ncclComm_t communicator = start_join(0, 1, id);
    CHECK(wait_for(communicator) > 0);
    return communicator;
}

static void leave(ncclComm_t communicator)
{
    CHECK(ncclCommFinalize(communicator) == ncclInProgress);
    CHECK(wait_for(communicator) > 0);
    DO(ncclCommDestroy(communicator));
}

static ncclResult_t reduce(ncclComm_t communicator, float *x, cudaStream_t stream)
{
    return ncclAllReduce(x, x, COUNT, ncclFloat, ncclAvg, communicator, stream);
}

static size_t nodes_of(cudaStream_t stream)
{
    cudaGraph_t graph;
    size_t count;
    DO(cudaStreamEndCapture(stream, &graph));
    DO(cudaGraphGetNodes(graph, NULL, &count));
    DO(cudaGraphDestroy(graph));
    return count;
}

/* The first collective is not in the capture before the communicator has said so. */
static void body_first_collective_is_late(void)
{
    cudaStream_t stream = new_stream();
    float *x = new_floats();
    for (int polls = 0; polls < 2; polls++) {
        ncclComm_t communicator = join_alone();
        DO(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        CHECK(reduce(communicator, x, stream) == ncclInProgress);
        if (polls > 0)
            CHECK(wait_for(communicator) > 0);
        CHECK(nodes_of(stream) == (polls > 0 ? 1 : 0));
        if (polls > 0)
            leave(communicator);
        else
            DO(ncclCommAbort(communicator));
    }
    DO(cudaFree(x));
    DO(cudaStreamDestroy(stream));
}

static void body_codes(void)
{
    ncclUniqueId id;
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    ncclComm_t communicator;
    DO(ncclGetUniqueId(&id));
    config.blocking = 0;
    CHECK(ncclCommInitRankConfig(&communicator, 2, id, 2, &config) == ncclInvalidArgument);
    config.magic = 0;
    CHECK(ncclCommInitRankConfig(&communicator, 2, id, 0, &config) == ncclInvalidArgument);
    CHECK(strstr(ncclGetErrorString(ncclRemoteError), "remote process") != NULL);
}

static void test_what_is_returned(void **state)
{
    (void)state;
    passes(body_first_collective_is_late, NULL);
    passes(body_codes, NULL);
}

/* ---- what ends the process ---- */

static void body_too_early(void)
{
    ncclUniqueId id;
    DO(ncclGetUniqueId(&id));
    (void)reduce(start_join(0, 1, id), new_floats(), new_stream());
}

static void body_second_call_in_progress(void)
{
    cudaStream_t stream = new_stream();
    ncclComm_t communicator = join_alone();
    float *x = new_floats();
    CHECK(reduce(communicator, x, stream) == ncclInProgress);
    (void)reduce(communicator, x, stream);
}

static void body_destroyed_early(void)
{
    (void)ncclCommDestroy(join_alone());
}

static void body_used_after_destruction(void)
{
    ncclComm_t communicator = join_alone();
    leave(communicator);
    (void)reduce(communicator, new_floats(), new_stream());
}

/* A communicator, and a graph that holds a collective of it. */
static ncclComm_t join_and_capture(void)
{
    cudaStream_t stream = new_stream();
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    float *x = new_floats();
    ncclComm_t communicator = join_alone();
    DO(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    CHECK(reduce(communicator, x, stream) == ncclInProgress);
    wait_for(communicator);
    DO(cudaStreamEndCapture(stream, &graph));
    DO(cudaGraphInstantiate(&exec, graph, 0));
    DO(cudaGraphDestroy(graph));
    DO(cudaGraphLaunch(exec, stream));
    return communicator;
}

static void body_left_before_its_graph(void)
{
    leave(join_and_capture());
}

static void body_aborted_before_its_graph(void)
{
    (void)ncclCommAbort(join_and_capture());
}

static void body_too_long(void)
{
    ncclComm_t communicator = join_alone();
    CHECK(ncclAllReduce(new_floats(), new_floats(), COUNT + 1, ncclFloat, ncclAvg, communicator, new_stream()) ==
          ncclInProgress);
    wait_for(communicator);
}

static void test_what_ends_the_process(void **state)
{
    (void)state;
    caught(body_too_early, "ncclAllReduce: a call on this communicator is still in progress", NULL);
    caught(body_second_call_in_progress, "ncclAllReduce: a call on this communicator is still in progress", NULL);
    caught(body_destroyed_early, "ncclCommDestroy: before ncclCommFinalize was over", NULL);
    caught(body_used_after_destruction, "ncclAllReduce: 0x", NULL);
    caught(body_left_before_its_graph, "ncclCommFinalize: waits for ever: a graph holds a collective", NULL);
    caught(body_aborted_before_its_graph, "ncclCommAbort: waits for ever: a graph holds a collective", NULL);
    caught(body_too_long, "ncclAllReduce: sendbuff needs 260 bytes", NULL);
}

/* Ranks that do not agree: the library would hang, or mix them up. */
static void body_counts_differ(struct rank_member *member, void *context, void *result)
{
    (void)result;
    DO(cudaSetDevice(member->rank));
    cudaStream_t stream = new_stream();
    float *x = new_floats();
    ncclComm_t communicator = start_join(member->rank, member->ranks, *(ncclUniqueId *)context);
    wait_for(communicator);
    (void)ncclAllReduce(x, x, (size_t)(COUNT - member->rank), ncclFloat, ncclAvg, communicator, stream);
    wait_for(communicator);
    (void)cudaStreamSynchronize(stream);
}

static void test_ranks_that_do_not_agree(void **state)
{
    (void)state;
    ncclUniqueId id;
    char nothing[2];
    setenv("NASRUN_DOUBLE_DEVICES", "2", 1);
    DO(ncclGetUniqueId(&id));
    ranks_run(2, body_counts_differ, &id, 3, nothing, 1);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(test_what_is_returned),
    cmocka_unit_test(test_what_ends_the_process),
    cmocka_unit_test(test_ranks_that_do_not_agree),
};

TEST_MAIN(cases)
