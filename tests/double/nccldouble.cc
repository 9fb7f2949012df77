/* The double of NCCL: communicators of one rank per process and device, not blocking, that take the mean of floats over
 * processes that really meet.
 *
 * As with the library: while a call is in progress nothing but a question about it is allowed; the first collective is
 * not in its stream (or capture) before the communicator says success; two ranks on one device are refused; a rank that
 * has died or aborted shows as ncclRemoteError to the others, unless NASRUN_DOUBLE_NCCL=silent, when they just wait;
 * work that waits ends when its communicator is aborted, its result worthless. Finalising and aborting wait for ever
 * while a graph holds a collective of the communicator: misuse here. */
#include "ncclmeeting.h"
#include "runtime.h"

#include <nccl.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <string>
#include <unistd.h>

using namespace cudadouble;

namespace
{

const char kind[] = "NCCL communicator", magic[] = "nasrun double ";
enum { polls_needed = 3 };

enum class phase { initialising, ready, finalising, finished, aborted };

/* What outlives the handle: graphs keep it. */
struct membership {
    meeting met;
    phase now = phase::initialising;
    int polls = 0; /* since the call that is in progress */
    bool connected = false;
    std::function<ncclResult_t()> pending; /* the collective that waits for the connection */
    const void *running = nullptr;         /* the reduction whose turn it is */
    int outstanding = 0;                   /* reductions that were put into a stream, not a graph, and are not over */
    std::shared_ptr<char> captured = std::make_shared<char>(); /* every reduction in a graph has it, too */

    membership(const std::string &name, int rank, int ranks) : met(name, rank, ranks, physical_device())
    {
    }
};

bool is_silent()
{
    const char *value = getenv("NASRUN_DOUBLE_NCCL");
    return value && strcmp(value, "silent") == 0;
}

/* One all-reduce as work of a stream: asked again until the others have come. */
struct reduction {
    std::shared_ptr<membership> group;
    const float *from;
    float *to;
    size_t count;
    bool counted;                   /* as outstanding */
    std::shared_ptr<char> captured; /* the group's, unless it is counted */
    size_t done = 0;

    bool operator()()
    {
        if (group->now == phase::aborted) {
            std::fill(to, to + count, std::nanf(""));
            return finish();
        }
        if (group->now == phase::finished)
            misuse("ncclAllReduce: runs after ncclCommFinalize was over");
        if (group->running && group->running != this)
            return false;
        group->running = this;
        while (done < count) {
            const size_t size = std::min<size_t>(meeting::slot_floats, count - done);
            if (!group->met.put(from + done, size, count) || !group->met.take_mean(to + done, size, count))
                return false;
            done += size;
        }
        return finish();
    }

    bool finish() /* ready to be launched again, in a graph */
    {
        done = 0;
        group->running = nullptr;
        group->outstanding -= counted;
        return true;
    }
};

} // namespace

struct ncclComm {
    std::shared_ptr<membership> group;
};

namespace
{

/* The first lines of a call that can fail. */
ncclResult_t open(ncclComm_t handle, const char *call, ncclResult_t planned_code)
{
    const ncclResult_t code = failure(call, planned_code, ncclUnhandledCudaError);
    if (code != ncclSuccess)
        return code;
    known(handle, kind, call);
    return ncclSuccess;
}

void must_be_idle(const ncclComm_t handle, const char *call)
{
    const membership &group = *handle->group;
    if (group.now != phase::ready || group.pending)
        misuse("%s: a call on this communicator is still in progress, or it is over", call);
}

ncclResult_t poll_initialisation(membership &group)
{
    if (!group.met.all(meeting::presence::attached) || group.polls++ < polls_needed)
        return group.met.anyone_gone() && !is_silent() ? ncclRemoteError : ncclInProgress;
    if (!group.met.agrees())
        return ncclInvalidUsage;
    group.now = phase::ready;
    return ncclSuccess;
}

ncclResult_t poll_pending(membership &group)
{
    if (group.polls++ < polls_needed)
        return ncclInProgress;
    const ncclResult_t result = group.pending();
    group.pending = nullptr;
    return result;
}

/* What is in flight of a graph that was destroyed is let finish. */
void must_be_in_no_graph(const membership &group, const char *call)
{
    const auto released = [&group] { return group.captured.use_count() == 1; };
    advance(released, false);
    if (!released() && lost() == cudaSuccess)
        misuse("%s: waits for ever: a graph holds a collective of this communicator", call);
}

/* What is on its way is brought to its end first: the device does that by itself. */
ncclResult_t poll_end(membership &group)
{
    advance([&group] { return group.outstanding == 0; }, false);
    if (group.outstanding == 0)
        group.met.set(meeting::presence::finalized);
    if (group.polls++ < polls_needed || !group.met.all(meeting::presence::finalized))
        return group.met.anyone_gone() && !is_silent() ? ncclRemoteError : ncclInProgress;
    group.now = phase::finished;
    return ncclSuccess;
}

ncclResult_t poll(membership &group)
{
    switch (group.now) {
    case phase::initialising:
        return poll_initialisation(group);
    case phase::ready:
        if (group.pending)
            return poll_pending(group);
        return group.met.anyone_gone() && !is_silent() ? ncclRemoteError : ncclSuccess;
    case phase::finalising:
        return poll_end(group);
    default:
        return ncclSuccess;
    }
}

ncclResult_t submit(const std::shared_ptr<membership> &group, const float *from, float *to, size_t count,
                    cudaStream_t stream)
{
    need(from, count * sizeof *from, sizeof *from, "ncclAllReduce", "sendbuff");
    need(to, count * sizeof *to, sizeof *to, "ncclAllReduce", "recvbuff");
    const bool counted = !capturing(stream);
    const cudaError_t error = enqueue(stream, "ncclAllReduce",
                                      reduction{group, from, to, count, counted, counted ? nullptr : group->captured});
    if (error != cudaSuccess)
        return ncclUnhandledCudaError;
    group->outstanding += counted;
    return ncclSuccess;
}

} // namespace

ncclResult_t ncclGetVersion(int *version)
{
    *version = NCCL_VERSION_CODE;
    return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t result)
{
    static const char *const texts[] = {
        "no error",
        "unhandled cuda error (run with NCCL_DEBUG=INFO for details)",
        "unhandled system error (run with NCCL_DEBUG=INFO for details)",
        "internal error - please report this issue to the NCCL developers",
        "invalid argument (run with NCCL_DEBUG=WARN for details)",
        "invalid usage (run with NCCL_DEBUG=WARN for details)",
        "remote process exited or there was a network error",
        "NCCL operation in progress",
    };
    return result >= 0 && result < ncclNumResults ? texts[result] : "unknown result code";
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
    static int count;
    const ncclResult_t code = failure("ncclGetUniqueId", ncclSystemError, ncclUnhandledCudaError);
    if (code != ncclSuccess)
        return code;
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *id = {};
    snprintf(id->internal, sizeof id->internal, "%s/nasrun-double-%d-%d-%lld", magic, static_cast<int>(getpid()),
             ++count, static_cast<long long>(now.tv_sec) * 1000000000 + now.tv_nsec);
    return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *out, int ranks, ncclUniqueId id, int rank, ncclConfig_t *config)
{
    const char *call = "ncclCommInitRankConfig";
    const ncclResult_t code = failure(call, ncclSystemError, ncclUnhandledCudaError);
    if (code != ncclSuccess)
        return code;
    const ncclConfig_t fresh = NCCL_CONFIG_INITIALIZER;
    if (!out || !config || config->magic != fresh.magic || config->size != fresh.size || ranks < 1 || rank < 0 ||
        rank >= ranks)
        return ncclInvalidArgument;
    if (config->blocking != 0 || ranks > meeting::max_ranks)
        misuse("%s: the double has communicators that do not block, of %d ranks", call, meeting::max_ranks);
    if (unsafe_in_capture())
        return ncclInvalidUsage;
    if (strncmp(id.internal, magic, strlen(magic)) != 0)
        return ncclInvalidArgument;
    *out = new ncclComm{std::make_shared<membership>(id.internal + strlen(magic), rank, ranks)};
    born(*out, kind);
    return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t handle, ncclResult_t *state)
{
    const ncclResult_t code = open(handle, "ncclCommGetAsyncError", ncclInternalError);
    if (code == ncclSuccess)
        *state = poll(*handle->group);
    return code;
}

ncclResult_t ncclAllReduce(const void *from, void *to, size_t count, ncclDataType_t type, ncclRedOp_t operation,
                           ncclComm_t handle, cudaStream_t stream)
{
    const char *call = "ncclAllReduce";
    const ncclResult_t code = open(handle, call, ncclUnhandledCudaError);
    if (code != ncclSuccess)
        return code;
    must_be_idle(handle, call);
    if (type != ncclFloat || operation != ncclAvg)
        misuse("%s: type %d, operation %d: the double has the mean of floats", call, type, operation);
    const auto group = handle->group;
    const auto *source = static_cast<const float *>(from);
    auto *target = static_cast<float *>(to);
    if (group->connected)
        return submit(group, source, target, count, stream);
    group->connected = true;
    group->polls = 0;
    group->pending = [group, source, target, count, stream] { return submit(group, source, target, count, stream); };
    return ncclInProgress;
}

ncclResult_t ncclCommFinalize(ncclComm_t handle)
{
    const ncclResult_t code = open(handle, "ncclCommFinalize", ncclInternalError);
    if (code != ncclSuccess)
        return code;
    must_be_idle(handle, "ncclCommFinalize");
    must_be_in_no_graph(*handle->group, "ncclCommFinalize");
    handle->group->now = phase::finalising;
    handle->group->polls = 0;
    return ncclInProgress;
}

ncclResult_t ncclCommDestroy(ncclComm_t handle)
{
    died(handle, kind, "ncclCommDestroy");
    if (handle->group->now != phase::finished)
        misuse("ncclCommDestroy: before ncclCommFinalize was over");
    delete handle;
    return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t handle)
{
    died(handle, kind, "ncclCommAbort");
    handle->group->met.forget_name();
    handle->group->met.set(meeting::presence::aborted);
    handle->group->now = phase::aborted;
    handle->group->pending = nullptr;
    must_be_in_no_graph(*handle->group, "ncclCommAbort");
    delete handle;
    return ncclSuccess;
}
