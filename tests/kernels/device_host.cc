#include "kernels/device.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "blockexec/blockexec.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) ((void)(address), (void)(bytes))
#endif

void device_open(void)
{
}

cudaStream_t device_stream(void)
{
    return nullptr;
}

static const struct {
    const char *name;
    bx_schedule schedule;
    uint64_t seed;
} schedules[] = {
    {"forward", BX_FORWARD, 0}, {"backward", BX_BACKWARD, 0}, {"random 1", BX_RANDOM, 1}, {"random 2", BX_RANDOM, 2}};

unsigned device_schedules(void)
{
#ifdef __SANITIZE_THREAD__
    return 1; /* whether two accesses are ordered does not hang on who comes first */
#else
    return sizeof schedules / sizeof *schedules;
#endif
}

const char *device_schedule(unsigned i)
{
    bx_set_schedule(schedules[i].schedule, schedules[i].seed);
    return schedules[i].name;
}

void device_wait(void)
{
}

/* Under ASan the guards are poisoned besides: a kernel's read of them is found too, at its line. */
static void set_poison(unsigned char *memory, size_t bytes, bool poison)
{
    if (poison) {
        ASAN_POISON_MEMORY_REGION(memory - DEVICE_GUARD, DEVICE_GUARD);
        ASAN_POISON_MEMORY_REGION(memory + bytes, DEVICE_GUARD);
    } else {
        ASAN_UNPOISON_MEMORY_REGION(memory - DEVICE_GUARD, DEVICE_GUARD + bytes + DEVICE_GUARD);
    }
}

void *device_allocate(size_t bytes)
{
    void *allocation;
    if (posix_memalign(&allocation, DEVICE_GUARD, DEVICE_GUARD + bytes + DEVICE_GUARD) != 0) {
        fprintf(stderr, "no memory for %zu bytes\n", bytes);
        exit(1);
    }
    unsigned char *memory = static_cast<unsigned char *>(allocation) + DEVICE_GUARD;
    memset(allocation, DEVICE_PATTERN, DEVICE_GUARD + bytes + DEVICE_GUARD);
    memset(memory, 0xff, bytes);
    set_poison(memory, bytes, true);
    return memory;
}

void device_write(void *to, const void *from, size_t bytes)
{
    if (bytes > 0)
        memcpy(to, from, bytes);
}

void device_read(void *to, const void *from, size_t bytes)
{
    if (bytes > 0)
        memcpy(to, from, bytes);
}

static bool is_pattern(const unsigned char *bytes)
{
    for (size_t i = 0; i < DEVICE_GUARD; i++)
        if (bytes[i] != DEVICE_PATTERN)
            return false;
    return true;
}

bool device_guarded(const void *memory, size_t bytes)
{
    unsigned char *data = static_cast<unsigned char *>(const_cast<void *>(memory));
    set_poison(data, bytes, false);
    const bool intact = is_pattern(data - DEVICE_GUARD) && is_pattern(data + bytes);
    set_poison(data, bytes, true);
    return intact;
}

void device_free(void *memory, size_t bytes)
{
    unsigned char *data = static_cast<unsigned char *>(memory);
    set_poison(data, bytes, false);
    free(data - DEVICE_GUARD);
}
