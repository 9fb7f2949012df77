/* Events: how streams wait for one another, and the host for a place in a stream. */
#include "runtime.h"

#include <chrono>

namespace
{

/* Outlives the event where queued work still speaks of it. */
struct event_state {
    uint64_t recorded = 0, done = 0; /* how often it was put into a stream; the latest of these that was reached */
    std::chrono::steady_clock::time_point reached;
};

} // namespace

struct CUevent_st {
    std::shared_ptr<event_state> state = std::make_shared<event_state>();
    bool timing = true;
    int device = 0;
    cudaStream_t captured = nullptr; /* the capturing stream that it was last recorded in */
};

using namespace cudadouble;

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags)
{
    const cudaError_t error = enter("cudaEventCreateWithFlags", cudaErrorMemoryAllocation);
    if (error != cudaSuccess)
        return error;
    if (flags > (cudaEventBlockingSync | cudaEventDisableTiming))
        return report(cudaErrorInvalidValue);
    auto *event = new CUevent_st;
    event->timing = (flags & cudaEventDisableTiming) == 0;
    event->device = current_device();
    born(event, "event");
    *out = event;
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *out)
{
    return cudaEventCreateWithFlags(out, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    if (configuration().driver != driver_kind::present)
        return report(cudaErrorInsufficientDriver);
    died(event, "event", "cudaEventDestroy");
    delete event;
    return lost();
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    cudaError_t error = enter("cudaEventRecord", cudaErrorInvalidResourceHandle);
    if (error != cudaSuccess)
        return error;
    known(event, "event", "cudaEventRecord");
    error = use_stream(stream, "cudaEventRecord");
    if (error != cudaSuccess || event->device != stream->device)
        return report(cudaErrorInvalidResourceHandle);
    event->captured = stream->capture ? stream : nullptr;
    if (stream->capture) /* an edge of the graph, no node of it */
        return stream->spoiled ? report(cudaErrorStreamCaptureInvalidated) : cudaSuccess;
    const uint64_t number = ++event->state->recorded;
    return report(enqueue(stream, "cudaEventRecord", [state = event->state, number] {
        state->done = number;
        state->reached = std::chrono::steady_clock::now();
    }));
}

/* A capturing stream may wait for its own events only: graphs of several streams are not in the double. */
static cudaError_t wait_in_capture(cudaStream_t stream, cudaEvent_t event)
{
    if (event->captured != nullptr && event->captured != stream)
        misuse("cudaStreamWaitEvent: joins a second stream to a capture; the double has graphs of one stream only");
    if (event->captured == stream)
        return stream->spoiled ? report(cudaErrorStreamCaptureInvalidated) : cudaSuccess;
    (void)spoil_captures();
    return report(cudaErrorStreamCaptureIsolation);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    cudaError_t error = enter("cudaStreamWaitEvent", cudaErrorInvalidResourceHandle);
    if (error != cudaSuccess)
        return error;
    known(event, "event", "cudaStreamWaitEvent");
    error = use_stream(stream, "cudaStreamWaitEvent");
    if (error != cudaSuccess)
        return report(error);
    if (stream->capture || event->captured != nullptr)
        return wait_in_capture(stream, event);
    const uint64_t number = event->state->recorded; /* as it is now: later records do not count */
    return report(
        enqueue(stream, "cudaStreamWaitEvent", [state = event->state, number] { return state->done >= number; }));
}

/* What both ways to wait for an event check first. */
static cudaError_t use_event(cudaEvent_t event, const char *call)
{
    const cudaError_t error = enter_unsafe(call, cudaErrorIllegalAddress);
    if (error != cudaSuccess)
        return error;
    known(event, "event", call);
    return event->captured != nullptr ? report(cudaErrorCapturedEvent) : cudaSuccess;
}

/* As with cudaStreamQuery(): sometimes later than it could. */
cudaError_t cudaEventQuery(cudaEvent_t event)
{
    const cudaError_t error = use_event(event, "cudaEventQuery");
    if (error != cudaSuccess)
        return error;
    const auto state = event->state;
    uint64_t left = draw(2) == 0 ? draw(8) : UINT64_MAX;
    advance([&] { return state->done == state->recorded || left-- == 0; }, false);
    if (lost() != cudaSuccess)
        return lost();
    return state->done == state->recorded ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    const cudaError_t error = use_event(event, "cudaEventSynchronize");
    if (error != cudaSuccess)
        return error;
    const auto state = event->state;
    advance([&] { return state->done == state->recorded; }, true);
    return lost();
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t from, cudaEvent_t to)
{
    const cudaError_t error = enter("cudaEventElapsedTime", cudaErrorInvalidResourceHandle);
    if (error != cudaSuccess)
        return error;
    known(from, "event", "cudaEventElapsedTime");
    known(to, "event", "cudaEventElapsedTime");
    const event_state &a = *from->state, &b = *to->state;
    if (!from->timing || !to->timing || a.recorded == 0 || b.recorded == 0)
        return report(cudaErrorInvalidResourceHandle);
    if (a.done != a.recorded || b.done != b.recorded)
        return cudaErrorNotReady;
    *milliseconds = std::chrono::duration<float, std::milli>(b.reached - a.reached).count();
    return cudaSuccess;
}
