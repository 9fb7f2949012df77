/* Errors of a program that a device would leave undefined: the double ends the process, and says which call it was. */
#include "double/child.h"

#include <pthread.h>
#include <sanitizer/asan_interface.h>

#include "double/cudadouble.h"
#include "kernels/kernels.h"

/* ---- memory ---- */

static void body_kernel_after_free(void)
{
    cudaStream_t s = new_stream();
    float *x = new_floats();
    DO(cudaFree(x));
    (void)k_scale(x, 2, COUNT, s);
}

static void body_struct_after_free(void)
{
    cudaStream_t s = new_stream();
    float *x = new_floats(), *freed = new_floats();
    void *index;
    DO(cudaMalloc(&index, 4));
    DO(cudaMemsetAsync(index, 0, 4, s));
    DO(cudaFree(freed));
    const struct k_images images = {(const uint8_t *)freed, (const uint8_t *)freed, 1, 1, 1};
    (void)k_gather_indexed(&images, index, 1, x, x, 1, x + 1, (int32_t *)x + 2, s);
    (void)cudaStreamSynchronize(s);
}

static void body_copy_after_free(void)
{
    cudaStream_t s = new_stream();
    float *x = new_floats(), host[COUNT] = {0};
    DO(cudaFree(x));
    (void)cudaMemcpyAsync(x, host, BYTES, cudaMemcpyHostToDevice, s);
}

static void body_graph_after_free(void)
{
    cudaStream_t s = new_stream();
    float *x = new_floats();
    cudaGraphExec_t exec = doubling_graph(s, x, 2);
    DO(cudaFree(x));
    (void)cudaGraphLaunch(exec, s);
}

static void body_double_free(void)
{
    float *x = new_floats();
    DO(cudaFree(x));
    (void)cudaFree(x);
}

static void body_free_inside(void)
{
    (void)cudaFree(new_floats() + 1);
}

static void body_free_pinned_as_device(void)
{
    (void)cudaFree(new_pinned(1));
}

static void body_host_pointer_to_kernel(void)
{
    float host[COUNT] = {0};
    (void)k_scale(host, 2, COUNT, new_stream());
}

static void body_copy_too_long(void)
{
    float host[COUNT + 1] = {0};
    (void)cudaMemcpyAsync(new_floats(), host, BYTES + 4, cudaMemcpyHostToDevice, new_stream());
}

static void body_memset_too_long(void)
{
    (void)cudaMemsetAsync(new_floats() + 1, 0, BYTES, new_stream());
}

static void body_kernel_past_end(void)
{
    cudaStream_t s = new_stream();
    DO(k_scale(new_floats(), 2, COUNT + 1, s));
    (void)cudaStreamSynchronize(s);
}

/* What only a build without AddressSanitizer lets work do. */
static void body_guard_is_written(void)
{
    char *x = (char *)new_floats();
    __asan_unpoison_memory_region(x + BYTES + 9, 1);
    x[BYTES + 9] = 0;
    (void)cudaFree(x);
}

static void body_host_reads_device(void)
{
    volatile float *x = new_floats();
    CHECK(x[0] > 0 || x[0] <= 0 || isnan(x[0]));
}

static void body_wrong_kind(void)
{
    float host[COUNT] = {0};
    (void)cudaMemcpyAsync(new_floats(), host, BYTES, cudaMemcpyDeviceToHost, new_stream());
}

static void body_device_called_host(void)
{
    float *x = new_floats();
    (void)cudaMemcpyAsync(x, new_floats(), BYTES, cudaMemcpyHostToDevice, new_stream());
}

static void body_pinned_freed_early(void)
{
    cudaStream_t s = new_stream();
    float *pinned = new_pinned(1);
    DO(cudaMemcpyAsync(new_floats(), pinned, BYTES, cudaMemcpyHostToDevice, s));
    DO(cudaFreeHost(pinned));
    (void)cudaStreamSynchronize(s);
}

static void body_pinned_too_long(void)
{
    (void)cudaMemcpyAsync(new_pinned(1) + 1, new_floats(), BYTES, cudaMemcpyDeviceToHost, new_stream());
}

static void body_other_devices_memory(void)
{
    float *x = new_floats();
    DO(cudaSetDevice(1));
    (void)cudaMemsetAsync(x, 0, BYTES, new_stream());
}

/* ---- streams and graphs ---- */

static void body_legacy_memset(void)
{
    (void)cudaMemsetAsync(new_floats(), 0, BYTES, NULL);
}

static void body_legacy_kernel(void)
{
    (void)k_scale(new_floats(), 2, COUNT, NULL);
}

static void body_two_streams(void)
{
    cudaStream_t s = new_stream();
    cudaGraphExec_t exec = doubling_graph(s, new_floats(), 1);
    DO(cudaGraphLaunch(exec, s));
    (void)cudaGraphLaunch(exec, new_stream());
}

static void body_capture_pageable(void)
{
    float host[COUNT] = {0}, *x = new_floats();
    cudaStream_t s = new_stream();
    DO(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
    (void)cudaMemcpyAsync(x, host, BYTES, cudaMemcpyHostToDevice, s);
}

static void body_capture_globally(void)
{
    (void)cudaStreamBeginCapture(new_stream(), cudaStreamCaptureModeGlobal);
}

static void body_capture_left_open(void)
{
    cudaStream_t s = new_stream();
    DO(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
    (void)cudaStreamDestroy(s);
}

static void body_destroyed_stream(void)
{
    cudaStream_t s = new_stream();
    DO(cudaStreamDestroy(s));
    (void)cudaStreamSynchronize(s);
}

static void body_event_for_stream(void)
{
    (void)cudaStreamSynchronize((cudaStream_t)(void *)new_event());
}

static void body_reset_with_objects(void)
{
    (void)new_stream();
    (void)cudaDeviceReset();
}

static void *count_devices(void *out)
{
    (void)cudaGetDeviceCount(out);
    return NULL;
}

static void body_second_thread(void)
{
    int count;
    pthread_t thread;
    (void)count_devices(&count);
    CHECK(pthread_create(&thread, NULL, count_devices, &count) == 0);
    pthread_join(thread, NULL);
}

/* ---- the cases ---- */

static void test_memory(void **state)
{
    (void)state;
    caught(body_kernel_after_free, "argument 0, 0x", NULL);
    caught(body_kernel_after_free, "was freed", NULL);
    caught(body_struct_after_free, "use-after-poison", NULL);
    caught(body_copy_after_free, "cudaMemcpyAsync: dst, 0x", NULL);
    caught(body_graph_after_free, "cudaGraphLaunch: node 0, ", NULL);
    caught(body_double_free, "was freed before", NULL);
    caught(body_free_inside, "is not the start of an allocation", NULL);
    caught(body_free_pinned_as_device, "is not the start of an allocation", NULL);
    caught(body_kernel_past_end, "use-after-poison", NULL);
    caught(body_guard_is_written, "cudaFree: work wrote 10 bytes past the end of an allocation of 256", NULL);
    caught(body_host_reads_device, "use-after-poison", NULL);
    caught(body_other_devices_memory, "is memory of device 0, the current one is 1",
           ENVIRONMENT("NASRUN_DOUBLE_DEVICES=2"));
}

static void test_copies(void **state)
{
    (void)state;
    caught(body_copy_too_long, "cudaMemcpyAsync: dst needs 260 bytes, its allocation has 256 left", NULL);
    caught(body_memset_too_long, "cudaMemsetAsync: devPtr needs 256 bytes, its allocation has 252 left", NULL);
    caught(body_wrong_kind, "cudaMemcpyAsync: dst is device memory, the kind says host", NULL);
    caught(body_device_called_host, "cudaMemcpyAsync: src is device memory, the kind says host", NULL);
    caught(body_pinned_freed_early, "cudaMemcpyAsync: src, ", NULL);
    caught(body_pinned_freed_early, "is no pinned memory any more", NULL);
    caught(body_pinned_too_long, "its pinned allocation has 252 left", NULL);
    caught(body_host_pointer_to_kernel, "is not device memory", NULL);
}

static void test_streams(void **state)
{
    (void)state;
    caught(body_legacy_memset, "cudaMemsetAsync: on the legacy stream", NULL);
    caught(body_legacy_kernel, "on the legacy stream", NULL);
    caught(body_two_streams, "cudaGraphLaunch: the graphExec is still queued on another stream", NULL);
    caught(body_capture_pageable, "cudaMemcpyAsync: pageable memory in a capture", NULL);
    caught(body_capture_globally, "cudaStreamBeginCapture: the project captures thread-local only", NULL);
    caught(body_capture_left_open, "cudaStreamDestroy: the stream is capturing", NULL);
    caught(body_destroyed_stream, "cudaStreamSynchronize: 0x", NULL);
    caught(body_event_for_stream, "is no stream but another object: event", NULL);
    caught(body_reset_with_objects, "cudaDeviceReset: 1 objects and allocations are alive", NULL);
    caught(body_second_thread, "cudaGetDeviceCount: called from a second thread", NULL);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(test_memory),
    cmocka_unit_test(test_copies),
    cmocka_unit_test(test_streams),
};

TEST_MAIN(cases)
