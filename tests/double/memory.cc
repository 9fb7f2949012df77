/* Memory of the devices, and pinned memory of the host. */
#include "runtime.h"

#include <cstdlib>
#include <cstring>
#include <map>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

namespace cudadouble
{

namespace
{

enum { ALIGNMENT = 512, GUARD = 512, FRESH = 0xff /* NaN as float, -1 as index */ };
constexpr size_t KEPT = 64u << 20; /* bytes of freed memory whose use is still known for what it is */

struct allocation {
    size_t bytes;
    int device;
    uint64_t serial;
    bool live;
};

struct memory_book {
    std::map<const char *, allocation> device; /* freed ones stay for a while */
    std::map<const char *, size_t> pinned;
    std::deque<const char *> freed;
    std::map<uint64_t, const char *> serials; /* of the live ones */
    std::map<int, size_t> used;
    std::vector<uint64_t> needed;
    size_t kept = 0;
    uint64_t next_serial = 1;
    int open = 0;
};

memory_book &book()
{
    static auto &b = *new memory_book; /* never destroyed: LeakSanitizer must reach the memory at exit */
    return b;
}

/* What an allocation takes of the device: the guard is the double's own. */
size_t rounded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* The allocation that holds `p` or ends there; NULL: none. */
const std::pair<const char *const, allocation> *find(const void *p)
{
    const char *c = static_cast<const char *>(p);
    const auto &all = book().device;
    auto it = all.upper_bound(c);
    if (it == all.begin())
        return nullptr;
    --it;
    return c <= it->first + it->second.bytes ? &*it : nullptr;
}

/* The same for pinned memory. */
const std::pair<const char *const, size_t> *find_pinned(const void *p)
{
    const char *c = static_cast<const char *>(p);
    const auto &all = book().pinned;
    auto it = all.upper_bound(c);
    if (it == all.begin())
        return nullptr;
    --it;
    return c < it->first + it->second || c == it->first ? &*it : nullptr;
}

/* Work of a build without sanitizers leaves its trace here. */
void check_guard(const char *start, size_t bytes)
{
    const size_t end = rounded(bytes) + GUARD;
    ASAN_UNPOISON_MEMORY_REGION(start, end);
    for (size_t i = bytes; i < end; i++)
        if (static_cast<unsigned char>(start[i]) != FRESH)
            misuse("cudaFree: work wrote %zu bytes past the end of an allocation of %zu", i - bytes + 1, bytes);
    ASAN_POISON_MEMORY_REGION(start, end);
}

void forget_oldest()
{
    memory_book &b = book();
    const char *oldest = b.freed.front();
    const auto it = b.device.find(oldest);
    const size_t bytes = rounded(it->second.bytes) + GUARD;
    b.freed.pop_front();
    b.kept -= bytes;
    b.device.erase(it);
    ASAN_UNPOISON_MEMORY_REGION(oldest, bytes);
    free(const_cast<char *>(oldest));
}

void release(const char *start, allocation &a)
{
    memory_book &b = book();
    check_guard(start, a.bytes);
    b.used[a.device] -= rounded(a.bytes);
    b.serials.erase(a.serial);
    a.live = false;
    b.freed.push_back(start);
    b.kept += rounded(a.bytes) + GUARD;
    while (b.kept > KEPT)
        forget_oldest();
}

} // namespace

void open_memory()
{
    if (book().open++ == 0)
        for (const auto &[start, a] : book().device)
            if (a.live)
                ASAN_UNPOISON_MEMORY_REGION(start, a.bytes);
}

void close_memory()
{
    if (--book().open == 0)
        for (const auto &[start, a] : book().device)
            if (a.live)
                ASAN_POISON_MEMORY_REGION(start, a.bytes);
}

place where_is(const void *p)
{
    const auto *a = find(p);
    if (a != nullptr && static_cast<const char *>(p) < a->first + a->second.bytes)
        return place::device;
    return find_pinned(p) != nullptr ? place::pinned : place::pageable;
}

size_t need_live(const void *p, const char *call, const char *argument)
{
    const auto *found = find(p);
    if (found == nullptr)
        misuse("%s: %s, %p, is not device memory", call, argument, p);
    const auto &[start, a] = *found;
    if (!a.live)
        misuse("%s: %s, %p, was freed", call, argument, p);
    if (a.device != current_device())
        misuse("%s: %s is memory of device %d, the current one is %d", call, argument, a.device, current_device());
    book().needed.push_back(a.serial);
    return static_cast<size_t>(start + a.bytes - static_cast<const char *>(p));
}

bool was_allocated(const void *p)
{
    return find(p) != nullptr;
}

void need(const void *p, size_t bytes, size_t alignment, const char *call, const char *argument)
{
    if (bytes == 0)
        return;
    const size_t left = need_live(p, call, argument);
    if (left < bytes)
        misuse("%s: %s needs %zu bytes, its allocation has %zu left", call, argument, bytes, left);
    if (reinterpret_cast<uintptr_t>(p) % alignment != 0)
        misuse("%s: %s, %p, is not a multiple of %zu", call, argument, p, alignment);
}

void need_pinned(const void *p, size_t bytes, const char *call, const char *argument)
{
    const auto *found = find_pinned(p);
    if (found == nullptr)
        misuse("%s: %s, %p, is no pinned memory any more", call, argument, p);
    const size_t left = static_cast<size_t>(found->first + found->second - static_cast<const char *>(p));
    if (left < bytes)
        misuse("%s: %s needs %zu bytes, its pinned allocation has %zu left", call, argument, bytes, left);
}

std::vector<uint64_t> take_needed()
{
    return std::exchange(book().needed, {});
}

void note_needed(const std::vector<uint64_t> &serials)
{
    book().needed = serials;
}

bool is_live(uint64_t serial)
{
    return book().serials.count(serial) > 0;
}

size_t live_allocations()
{
    return book().serials.size() + book().pinned.size();
}

} // namespace cudadouble

using namespace cudadouble;

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
    const cudaError_t error = enter("cudaMemGetInfo", cudaErrorInitializationError);
    if (error != cudaSuccess)
        return error;
    *total = configuration().memory;
    *available = *total - book().used[current_device()];
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **out, size_t bytes)
{
    const cudaError_t error = enter_unsafe("cudaMalloc", cudaErrorMemoryAllocation);
    if (error != cudaSuccess)
        return error;
    memory_book &b = book();
    size_t &used = b.used[current_device()];
    if (bytes > configuration().memory || rounded(bytes) > configuration().memory - used)
        return report(cudaErrorMemoryAllocation);
    if (bytes == 0) {
        *out = nullptr;
        return cudaSuccess;
    }
    const size_t padded = rounded(bytes) + GUARD;
    char *memory = static_cast<char *>(aligned_alloc(ALIGNMENT, padded));
    if (memory == nullptr)
        misuse("cudaMalloc: this machine has no %zu bytes", padded);
    memset(memory, FRESH, padded);
    ASAN_POISON_MEMORY_REGION(memory, padded);
    b.device[memory] = {bytes, current_device(), b.next_serial, true};
    b.serials[b.next_serial++] = memory;
    used += rounded(bytes);
    *out = memory;
    return cudaSuccess;
}

/* Waits for the device, as the real one does. On a lost device it only says so, but the memory is gone all the same. */
cudaError_t cudaFree(void *p)
{
    if (configuration().driver != driver_kind::present)
        return report(cudaErrorInsufficientDriver);
    if (unsafe_in_capture())
        return report(cudaErrorStreamCaptureUnsupported);
    if (p == nullptr)
        return lost();
    const auto it = book().device.find(static_cast<char *>(p));
    if (it == book().device.end())
        misuse("cudaFree: %p is not the start of an allocation of the device", p);
    if (!it->second.live)
        misuse("cudaFree: %p was freed before", p);
    if (lost() == cudaSuccess)
        drain_device(it->second.device);
    release(it->first, it->second);
    return lost();
}

static cudaError_t allocate_pinned(const char *call, void **out, size_t bytes)
{
    const cudaError_t error = enter_unsafe(call, cudaErrorMemoryAllocation);
    if (error != cudaSuccess)
        return error;
    char *memory = static_cast<char *>(malloc(bytes > 0 ? bytes : 1));
    if (memory == nullptr)
        return report(cudaErrorMemoryAllocation);
    memset(memory, FRESH, bytes);
    book().pinned[memory] = bytes;
    *out = memory;
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **out, size_t bytes)
{
    return allocate_pinned("cudaMallocHost", out, bytes);
}

cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned flags)
{
    if (flags != cudaHostAllocDefault)
        misuse("cudaHostAlloc: flags %u are not in the double", flags);
    return allocate_pinned("cudaHostAlloc", out, bytes);
}

cudaError_t cudaFreeHost(void *p)
{
    if (configuration().driver != driver_kind::present)
        return report(cudaErrorInsufficientDriver);
    if (unsafe_in_capture())
        return report(cudaErrorStreamCaptureUnsupported);
    if (p == nullptr)
        return lost();
    if (book().pinned.erase(static_cast<char *>(p)) == 0)
        misuse("cudaFreeHost: %p is not the start of pinned memory", p);
    free(p);
    return lost();
}
