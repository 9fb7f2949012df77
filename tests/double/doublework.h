/* What the doubles of the libraries (cublasLt, cuDNN, NCCL) ask of the double of the runtime.
 *
 * Two kinds of error are kept apart: what a real library reports is returned with its own code; what a real device
 * would leave undefined ends the test with one line that names the call (misuse()). One thread only. */
#ifndef DOUBLEWORK_H
#define DOUBLEWORK_H

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <type_traits>
#include <utility>

namespace cudadouble
{

/* Says "double: ..." and aborts. */
[[noreturn]] __attribute__((format(printf, 1, 2))) void misuse(const char *format, ...);

/* What a call must return at once; 0: go on. */
int planned(const char *call, int code, int lost);

/* The first line of every call that can fail, by the name of the function: success (0): go on; anything else is
 * returned as it is. `code` is what this call says when a test asks it to fail (unless the test names a code), `lost`
 * what it says on a device that a sticky error has taken. Calls that only destroy do not ask. */
template <class Status> Status failure(const char *call, Status code, Status lost)
{
    return static_cast<Status>(planned(call, static_cast<int>(code), static_cast<int>(lost)));
}

/* `p` must be `bytes` of live memory of the current device, `p` a multiple of `alignment`; else ends the test.
 * `argument`: how the header of the library names it. The next enqueue() takes note: a graph that is launched after the
 * memory was freed is caught. 0 bytes: `p` may be anything. */
void need(const void *p, size_t bytes, size_t alignment, const char *call, const char *argument);

/* Handles and descriptors: `kind` ("cuDNN handle") must be the same literal each time. known() ends the test unless
 * `object` is a live one of that kind; what was born and has not died counts in cudadouble_live(). */
void born(const void *object, const char *kind);
void known(const void *object, const char *kind, const char *call);
void died(const void *object, const char *kind, const char *call);

/* Queues work in the stream, or notes it in the graph that the stream captures; also `name` of a work that is to hang
 * or to fail when it runs (cudadouble.h). The work runs later, when the host waits, in some legal order of all streams.
 * It returns true when it is done, false to be asked again later (other ranks have not arrived). Only the work itself
 * may touch device memory. Returns what a launch would: 0; cudaErrorStreamCaptureInvalidated; a sticky error. */
cudaError_t enqueue_work(cudaStream_t stream, const char *name, std::function<bool()> run);

/* The same for work that returns nothing. */
template <class Work> cudaError_t enqueue(cudaStream_t stream, const char *name, Work work)
{
    if constexpr (std::is_void_v<decltype(work())>)
        return enqueue_work(stream, name, [work = std::move(work)]() mutable {
            work();
            return true;
        });
    else
        return enqueue_work(stream, name, std::move(work));
}

/* For calls that allocate or wait: true when this thread captures; the capture is then spoiled, and the call must fail.
 */
bool unsafe_in_capture();
bool capturing(cudaStream_t stream);
int device_of(cudaStream_t stream, const char *call);
int current_device();
int physical_device(); /* the current one's number among all of the machine */

/* A fault of the device while work runs: every later call of the process fails with it. */
void lose_device(cudaError_t code);

} // namespace cudadouble

#endif
