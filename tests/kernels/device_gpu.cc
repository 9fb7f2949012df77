/* A real device: kernels as nvcc compiled them, memory between guards that are read back. */
#include "kernels/device.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

static void need(const char *doing, cudaError_t code)
{
    if (code == cudaSuccess)
        return;
    fprintf(stderr, "%s: %s\n", doing, cudaGetErrorString(code));
    exit(1);
}
#define NEED(call) need(#call, (call))

static cudaStream_t stream;

void device_open(void)
{
    int devices = 0;
    const cudaError_t code = cudaGetDeviceCount(&devices);
    if (code != cudaSuccess || devices == 0) {
        printf("skipped: no CUDA device (%s)\n", cudaGetErrorString(code));
        exit(77);
    }
    NEED(cudaSetDevice(0));
    NEED(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
}

cudaStream_t device_stream(void)
{
    return stream;
}

unsigned device_schedules(void)
{
    return 1; /* the hardware's own */
}

const char *device_schedule(unsigned)
{
    return "device";
}

void device_wait(void)
{
    NEED(cudaStreamSynchronize(stream));
}

/* In the stream and waited for: the copies of the legacy stream would not wait for a non-blocking one. */
static void copy(void *to, const void *from, size_t bytes)
{
    if (bytes == 0)
        return;
    NEED(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream));
    device_wait();
}

void *device_allocate(size_t bytes)
{
    void *allocation;
    NEED(cudaMalloc(&allocation, DEVICE_GUARD + bytes + DEVICE_GUARD));
    unsigned char *memory = static_cast<unsigned char *>(allocation) + DEVICE_GUARD;
    NEED(cudaMemsetAsync(allocation, DEVICE_PATTERN, DEVICE_GUARD + bytes + DEVICE_GUARD, stream));
    NEED(cudaMemsetAsync(memory, 0xff, bytes, stream));
    device_wait();
    return memory;
}

void device_write(void *to, const void *from, size_t bytes)
{
    copy(to, from, bytes);
}

void device_read(void *to, const void *from, size_t bytes)
{
    copy(to, from, bytes);
}

bool device_guarded(const void *memory, size_t bytes)
{
    unsigned char guard[2][DEVICE_GUARD], pattern[DEVICE_GUARD];
    const unsigned char *data = static_cast<const unsigned char *>(memory);
    memset(pattern, DEVICE_PATTERN, sizeof pattern);
    copy(guard[0], data - DEVICE_GUARD, DEVICE_GUARD);
    copy(guard[1], data + bytes, DEVICE_GUARD);
    return !memcmp(guard[0], pattern, DEVICE_GUARD) && !memcmp(guard[1], pattern, DEVICE_GUARD);
}

void device_free(void *memory, size_t bytes)
{
    (void)bytes;
    NEED(cudaFree(static_cast<unsigned char *>(memory) - DEVICE_GUARD));
}
