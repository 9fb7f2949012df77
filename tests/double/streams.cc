/* Streams: queues of work, and who runs it when. */
#include "runtime.h"

#include <algorithm>
#include <map>
#include <unistd.h>

namespace cudadouble
{

namespace
{

std::vector<CUstream_st *> &streams()
{
    static auto &all = *new std::vector<CUstream_st *>; /* in order of creation: addresses differ from run to run */
    return all;
}

bool is_legacy(cudaStream_t stream)
{
    return stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread;
}

void pop(CUstream_st &stream)
{
    const launch first = std::move(stream.work.front());
    stream.work.pop_front();
    if (first.finished)
        first.finished();
}

void discard(CUstream_st &stream)
{
    while (!stream.work.empty())
        pop(stream);
}

/* A node runs for the first time: is it the one that hangs, or takes the device with it? */
bool begin(launch &work, const char *name)
{
    const cudaError_t fault = planned_fault(name);
    work.begun = true;
    work.hung = configuration().hang.due(name);
    if (fault != cudaSuccess)
        lose_device(fault);
    return fault == cudaSuccess;
}

/* Runs the next node of a stream that has one; false: it could not. */
bool step(CUstream_st &stream)
{
    launch &work = stream.work.front();
    const auto nodes = work.nodes; /* a node that loses the device ends the launch it belongs to */
    if (work.next < nodes->size()) {
        const node &n = (*nodes)[work.next];
        if (!work.begun && !begin(work, n.name))
            return true;
        if (work.hung || !n.run())
            return lost() != cudaSuccess;
        if (lost() != cudaSuccess)
            return true;
        work.begun = false;
        work.next++;
    }
    if (work.next == nodes->size())
        pop(stream);
    return true;
}

std::vector<CUstream_st *> runnable(const std::vector<CUstream_st *> &blocked)
{
    std::vector<CUstream_st *> out;
    for (CUstream_st *s : streams())
        if (!s->work.empty() && std::find(blocked.begin(), blocked.end(), s) == blocked.end())
            out.push_back(s);
    return out;
}

bool all_done(int device, bool blocking_alone)
{
    for (const CUstream_st *s : streams())
        if (s->device == device && (s->blocking || !blocking_alone) && !s->work.empty())
            return false;
    return true;
}

} // namespace

void advance(const std::function<bool()> &enough, bool wait)
{
    std::vector<CUstream_st *> blocked;
    open_memory();
    while (!enough() && lost() == cudaSuccess) {
        const std::vector<CUstream_st *> ready = runnable(blocked);
        if (ready.empty() && (blocked.empty() || !wait))
            break;
        if (ready.empty()) {
            usleep(50); /* another process, or nobody, will make it go on */
            blocked.clear();
            continue;
        }
        CUstream_st *chosen = ready[draw(ready.size())];
        if (step(*chosen))
            blocked.clear();
        else
            blocked.push_back(chosen);
    }
    close_memory();
}

void queue(cudaStream_t stream, launch work)
{
    stream->work.push_back(std::move(work));
    if (configuration().eager) {
        uint64_t left = draw(4);
        advance([&left] { return left-- == 0; }, false);
    }
}

/* The legacy stream of a device: cudaMemcpy() alone puts work there. */
cudaStream_t legacy_stream(int device)
{
    static auto &all = *new std::map<int, CUstream_st>;
    const auto [it, fresh] = all.try_emplace(device);
    if (fresh) {
        it->second.device = device;
        streams().push_back(&it->second);
    }
    return &it->second;
}

void drain_device(int device)
{
    advance([device] { return all_done(device, false); }, true);
}

void drain_blocking(int device)
{
    advance([device] { return all_done(device, true); }, true);
}

void drop_work()
{
    for (CUstream_st *s : streams())
        discard(*s);
}

bool spoil_captures()
{
    bool any = false;
    for (CUstream_st *s : streams())
        if (s->capture)
            any = s->spoiled = true;
    return any;
}

bool unsafe_in_capture()
{
    return spoil_captures();
}

cudaError_t use_stream(cudaStream_t stream, const char *call)
{
    if (is_legacy(stream))
        misuse("%s: on the legacy stream", call);
    known(stream, "stream", call);
    return stream->device == current_device() ? cudaSuccess : cudaErrorInvalidResourceHandle;
}

bool capturing(cudaStream_t stream)
{
    return !is_legacy(stream) && stream->capture;
}

int device_of(cudaStream_t stream, const char *call)
{
    known(stream, "stream", call);
    return stream->device;
}

cudaError_t enqueue_work(cudaStream_t stream, const char *name, std::function<bool()> run)
{
    const cudaError_t error = use_stream(stream, name);
    if (error != cudaSuccess || lost() != cudaSuccess)
        return report(error != cudaSuccess ? error : lost());
    node n{name, std::move(run), take_needed()};
    if (stream->spoiled)
        return report(cudaErrorStreamCaptureInvalidated);
    if (stream->capture) {
        stream->capture->nodes.push_back(std::move(n));
        return cudaSuccess;
    }
    if (stream->blocking) {
        const cudaStream_t legacy = legacy_stream(stream->device);
        advance([legacy] { return legacy->work.empty(); }, true);
    }
    queue(stream, {std::make_shared<const std::vector<node>>(1, std::move(n)), nullptr});
    return lost();
}

} // namespace cudadouble

using namespace cudadouble;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags)
{
    const cudaError_t error = enter("cudaStreamCreateWithFlags", cudaErrorMemoryAllocation);
    if (error != cudaSuccess)
        return error;
    if (flags != cudaStreamDefault && flags != cudaStreamNonBlocking)
        return report(cudaErrorInvalidValue);
    auto *stream = new CUstream_st;
    stream->device = current_device();
    stream->blocking = flags == cudaStreamDefault;
    born(stream, "stream");
    streams().push_back(stream);
    *out = stream;
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *out)
{
    return cudaStreamCreateWithFlags(out, cudaStreamDefault);
}

/* Returns at once on a real device, which goes on with the work; what cannot go on is dropped here. */
cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    if (configuration().driver != driver_kind::present)
        return report(cudaErrorInsufficientDriver);
    known(stream, "stream", "cudaStreamDestroy");
    if (stream->capture && lost() == cudaSuccess)
        misuse("cudaStreamDestroy: the stream is capturing");
    advance([stream] { return stream->work.empty(); }, false);
    discard(*stream);
    died(stream, "stream", "cudaStreamDestroy");
    streams().erase(std::find(streams().begin(), streams().end(), stream));
    delete stream;
    return lost();
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    const cudaError_t error = enter_unsafe("cudaStreamSynchronize", cudaErrorIllegalAddress);
    if (error != cudaSuccess)
        return error;
    if (is_legacy(stream))
        misuse("cudaStreamSynchronize: on the legacy stream");
    known(stream, "stream", "cudaStreamSynchronize");
    advance([stream] { return stream->work.empty(); }, true);
    return lost();
}

/* Now and then it says "not ready" of work that could run, so that callers ask again. */
cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    const cudaError_t error = enter("cudaStreamQuery", cudaErrorIllegalAddress);
    if (error != cudaSuccess)
        return error;
    if (is_legacy(stream))
        misuse("cudaStreamQuery: on the legacy stream");
    known(stream, "stream", "cudaStreamQuery");
    if (stream->capture) {
        (void)spoil_captures();
        return report(cudaErrorStreamCaptureUnsupported);
    }
    uint64_t left = draw(2) == 0 ? draw(8) : UINT64_MAX;
    advance([stream, &left] { return stream->work.empty() || left-- == 0; }, false);
    if (lost() != cudaSuccess)
        return lost();
    return stream->work.empty() ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status)
{
    const cudaError_t error = enter("cudaStreamIsCapturing", cudaErrorUnknown);
    if (error != cudaSuccess)
        return error;
    known(stream, "stream", "cudaStreamIsCapturing");
    *status = !stream->capture  ? cudaStreamCaptureStatusNone
              : stream->spoiled ? cudaStreamCaptureStatusInvalidated
                                : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}
