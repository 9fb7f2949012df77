/* Memory that kernels work on, in bytes. device_host.cc has it for kernels that blockexec runs, device_gpu.cc for a
 * real device: the test that is linked with the one runs there, with the other here. */
#ifndef NASRUN_TESTS_KERNELS_DEVICE_H
#define NASRUN_TESTS_KERNELS_DEVICE_H

#include <cuda_runtime_api.h>

#include <cstddef>

enum { DEVICE_GUARD = 256 }; /* bytes on both sides, filled with DEVICE_PATTERN; also the alignment */
enum { DEVICE_PATTERN = 0xa5 };

/* Exits with 77, which CTest takes for "skipped", where there is no device. */
void device_open(void);
/* The stream to launch on, and the schedules it makes sense to run a case in. */
cudaStream_t device_stream(void);
unsigned device_schedules(void);
/* Sets schedule number i; its name. */
const char *device_schedule(unsigned i);
/* Waits for all launches; an error of a kernel ends the test. */
void device_wait(void);

/* `bytes` between two guards, as 0xff bytes: NaN. Ends the test when there is no memory. */
void *device_allocate(size_t bytes);
void device_write(void *to, const void *from, size_t bytes);
void device_read(void *to, const void *from, size_t bytes);
/* Whether both guards are as they were. */
bool device_guarded(const void *memory, size_t bytes);
void device_free(void *memory, size_t bytes);

#endif
