/* Copies and fills. Pageable memory is staged when a copy to the device is queued, and has arrived when a copy to the
 * host returns; pinned memory is read and written when the copy runs. */
#include "runtime.h"

#include <cstring>

namespace cudadouble
{

namespace
{

struct copy {
    void *to;
    const void *from;
    size_t bytes;
    bool to_device, from_device;
    place host; /* of the other side, where there is one */
};

bool is_device(const void *p)
{
    return where_is(p) == place::device;
}

/* The side that the kind calls host memory must not be the device's. */
void need_host(const void *p, size_t bytes, const char *call, const char *argument)
{
    if (is_device(p))
        misuse("%s: %s is device memory, the kind says host", call, argument);
    if (where_is(p) == place::pinned)
        need_pinned(p, bytes, call, argument);
}

copy checked(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, const char *call)
{
    copy c{to, from, bytes, is_device(to), is_device(from), place::pageable};
    if (kind != cudaMemcpyDefault) {
        c.to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
        c.from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    }
    c.to_device ? need(to, bytes, 1, call, "dst") : need_host(to, bytes, call, "dst");
    c.from_device ? need(from, bytes, 1, call, "src") : need_host(from, bytes, call, "src");
    if (c.to_device != c.from_device)
        c.host = where_is(c.to_device ? from : to);
    return c;
}

/* The copy itself; pinned memory must still be there. */
void run(const copy &c)
{
    if (c.host == place::pinned)
        need_pinned(c.to_device ? c.from : c.to, c.bytes, "cudaMemcpyAsync", c.to_device ? "src" : "dst");
    memcpy(c.to, c.from, c.bytes);
}

cudaError_t enqueue_staged(const copy &c, cudaStream_t stream)
{
    const char *bytes = static_cast<const char *>(c.from);
    return enqueue(stream, "cudaMemcpyAsync", [to = c.to, staged = std::vector<char>(bytes, bytes + c.bytes)] {
        memcpy(to, staged.data(), staged.size());
    });
}

cudaError_t enqueue_copy(const copy &c, cudaStream_t stream)
{
    if (c.host == place::pageable && (!c.to_device || !c.from_device) && capturing(stream))
        misuse("cudaMemcpyAsync: pageable memory in a capture");
    if (c.host == place::pageable && c.to_device && !c.from_device)
        return enqueue_staged(c, stream);
    const cudaError_t error = enqueue(stream, "cudaMemcpyAsync", [c] { run(c); });
    if (error == cudaSuccess && c.host == place::pageable && c.from_device && !c.to_device)
        advance([stream] { return stream->work.empty(); }, true);
    return error != cudaSuccess ? error : lost();
}

} // namespace

} // namespace cudadouble

using namespace cudadouble;

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream)
{
    cudaError_t error = enter("cudaMemcpyAsync", cudaErrorInvalidValue);
    if (error == cudaSuccess)
        error = report(use_stream(stream, "cudaMemcpyAsync"));
    if (error != cudaSuccess || bytes == 0)
        return error;
    return report(enqueue_copy(checked(to, from, bytes, kind, "cudaMemcpyAsync"), stream));
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream)
{
    cudaError_t error = enter("cudaMemsetAsync", cudaErrorInvalidValue);
    if (error == cudaSuccess)
        error = report(use_stream(stream, "cudaMemsetAsync"));
    if (error != cudaSuccess || bytes == 0)
        return error;
    need(to, bytes, 1, "cudaMemsetAsync", "devPtr");
    return report(enqueue(stream, "cudaMemsetAsync", [=] { memset(to, value, bytes); }));
}

/* In the legacy stream, which non-blocking streams do not wait for: a copy from pageable memory has been staged when
 * this returns, but it has not arrived. */
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    const cudaError_t error = enter_unsafe("cudaMemcpy", cudaErrorInvalidValue);
    if (error != cudaSuccess || bytes == 0)
        return error;
    const copy c = checked(to, from, bytes, kind, "cudaMemcpy");
    (void)take_needed();
    drain_blocking(current_device());
    if (lost() != cudaSuccess)
        return lost();
    if (c.to_device && !c.from_device && c.host == place::pageable) {
        const char *start = static_cast<const char *>(from);
        const node n{"cudaMemcpy",
                     [to, staged = std::vector<char>(start, start + bytes)] {
                         memcpy(to, staged.data(), staged.size());
                         return true;
                     },
                     {}};
        queue(legacy_stream(current_device()), {std::make_shared<const std::vector<node>>(1, n), nullptr});
        return lost();
    }
    open_memory();
    memcpy(to, from, bytes);
    close_memory();
    return cudaSuccess;
}
