#include "train/cuda/collective.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"

_Static_assert(2 * sizeof(ncclUniqueId) < INVITATION_SIZE, "an invitation is the identity in hexadecimal");

struct collective {
    ncclComm_t communicator; /* NULL: aborted */
    bool broken;             /* a call failed, or may still be in progress: only abort is left */
    int rank, ranks;
    double patience; /* seconds */
    struct failure *failure;
};

nr_status collective_invite(struct failure *failure, char invitation[INVITATION_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    ncclUniqueId identity;
    TRY_NCCL(failure, ncclGetUniqueId(&identity));
    for (size_t i = 0; i < sizeof identity.internal; i++) {
        const unsigned char byte = (unsigned char)identity.internal[i];
        invitation[2 * i] = digits[byte >> 4];
        invitation[2 * i + 1] = digits[byte & 15];
    }
    invitation[2 * sizeof identity.internal] = '\0';
    return NR_OK;
}

static int digit_value(char digit)
{
    return digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool read_invitation(const char *invitation, ncclUniqueId *out)
{
    if (strlen(invitation) != 2 * sizeof out->internal)
        return false;
    for (size_t i = 0; i < sizeof out->internal; i++) {
        const int high = digit_value(invitation[2 * i]), low = digit_value(invitation[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out->internal[i] = (char)(high * 16 + low);
    }
    return true;
}

/* A call on a non-blocking communicator is over when its state is no longer "in progress": until then no other call may
 * be made on it, and what was to be enqueued need not be. */
static nr_status wait_for(struct collective *collective, const char *call)
{
    const double start = clock_monotonic();
    for (;;) {
        ncclResult_t state = ncclSuccess;
        TRY_NCCL(collective->failure, ncclCommGetAsyncError(collective->communicator, &state));
        if (state == ncclSuccess)
            return NR_OK;
        if (state != ncclInProgress)
            return failure_nccl(collective->failure, call, state);
        if (clock_monotonic() - start > collective->patience)
            return failure_note(collective->failure, NR_DEVICE, "%s: rank %d of %d waited %g s for the others", call,
                                collective->rank, collective->ranks, collective->patience);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

static nr_status connect_ranks(struct collective *collective, ncclUniqueId identity)
{
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    TRY_NCCL(collective->failure,
             ncclCommInitRankConfig(&collective->communicator, collective->ranks, identity, collective->rank, &config));
    return wait_for(collective, "ncclCommInitRankConfig");
}

nr_status collective_join(const char *invitation, int rank, int ranks, double patience, struct failure *failure,
                          struct collective **out)
{
    ncclUniqueId identity;
    if (!read_invitation(invitation, &identity))
        return failure_note(failure, NR_INVALID, "an invitation of %zu characters that is none", strlen(invitation));
    struct collective *collective = mem_array(1, sizeof *collective);
    if (!collective)
        return failure_note(failure, NR_NO_MEMORY, "out of memory while joining the other ranks");
    *collective = (struct collective){.rank = rank, .ranks = ranks, .patience = patience, .failure = failure};
    nr_status status = connect_ranks(collective, identity);
    if (status != NR_OK) {
        collective->broken = true;
        collective_destroy(collective);
        return status;
    }
    *out = collective;
    return NR_OK;
}

/* An aborted one is refused rather than waited for. */
static nr_status refuse_aborted(const struct collective *collective)
{
    return failure_note(collective->failure, NR_DEVICE, "rank %d of %d has left its group", collective->rank,
                        collective->ranks);
}

static nr_status enqueue_mean(struct collective *collective, float *values, size_t count, cudaStream_t stream)
{
    TRY_NCCL(collective->failure,
             ncclAllReduce(values, values, count, ncclFloat, ncclAvg, collective->communicator, stream));
    return wait_for(collective, "ncclAllReduce");
}

nr_status collective_mean(struct collective *collective, float *values, int64_t count, cudaStream_t stream)
{
    if (!collective->communicator)
        return refuse_aborted(collective);
    nr_status status = enqueue_mean(collective, values, (size_t)count, stream);
    collective->broken |= status != NR_OK;
    return status;
}

static nr_status look_for_errors(struct collective *collective)
{
    ncclResult_t state = ncclSuccess;
    TRY_NCCL(collective->failure, ncclCommGetAsyncError(collective->communicator, &state));
    if (state != ncclSuccess && state != ncclInProgress)
        return failure_nccl(collective->failure, "ncclCommGetAsyncError", state);
    return NR_OK;
}

nr_status collective_check(struct collective *collective)
{
    if (!collective->communicator)
        return refuse_aborted(collective);
    nr_status status = look_for_errors(collective);
    collective->broken |= status != NR_OK;
    return status;
}

void collective_abort(struct collective *collective)
{
    if (collective->communicator)
        ncclCommAbort(collective->communicator);
    collective->communicator = NULL;
}

/* All ranks together; false: not in time. */
static bool finalize(struct collective *collective)
{
    const ncclResult_t code = ncclCommFinalize(collective->communicator);
    return (code == ncclSuccess || code == ncclInProgress) && wait_for(collective, "ncclCommFinalize") == NR_OK;
}

void collective_destroy(struct collective *collective)
{
    struct failure ignored = {0}; /* all was done: what goes wrong at the end is no failure of the device's */
    if (!collective)
        return;
    collective->failure = &ignored;
    if (collective->communicator && !collective->broken && finalize(collective))
        ncclCommDestroy(collective->communicator);
    else
        collective_abort(collective);
    free(collective);
}
