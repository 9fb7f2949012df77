/* What the double of CUDA's runtime promises of errors, devices and drivers. Each case is a child process. */
#include "double/child.h"

#include "double/cudadouble.h"
#include "kernels/kernels.h"

/* ---- errors ---- */

/* An error that was not taken shows at the next launch, as `kernel<<<>>>(), cudaGetLastError()` does. */
static void body_last_error(void)
{
    cudaStream_t s = new_stream();
    float *x = new_floats();
    void *memory;
    CHECK(cudaMalloc(&memory, (size_t)1 << 60) == cudaErrorMemoryAllocation);
    CHECK(k_scale(x, 2, COUNT, s) == cudaErrorMemoryAllocation);
    DO(k_scale(x, 2, COUNT, s));
    DO(cudaStreamSynchronize(s));
    CHECK(strcmp(cudaGetErrorName(cudaErrorMemoryAllocation), "cudaErrorMemoryAllocation") == 0);
    CHECK(strcmp(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory") == 0);
    DO(cudaFree(x));
    DO(cudaStreamDestroy(s));
}

/* After an error of the device every call fails, and what is destroyed is gone all the same. */
static void check_lost(cudaStream_t s, cudaEvent_t event, float *x, float *pinned)
{
    void *memory;
    int device;
    CHECK(cudaGetLastError() == cudaErrorIllegalAddress && cudaGetLastError() == cudaErrorIllegalAddress);
    CHECK(cudaMalloc(&memory, 4) == cudaErrorIllegalAddress);
    CHECK(cudaGetDevice(&device) == cudaErrorIllegalAddress);
    CHECK(k_scale(x, 2, COUNT, s) == cudaErrorIllegalAddress);
    CHECK(cudaStreamQuery(s) == cudaErrorIllegalAddress && cudaEventQuery(event) == cudaErrorIllegalAddress);
    CHECK(cudaMemcpyAsync(x, pinned, BYTES, cudaMemcpyHostToDevice, s) == cudaErrorIllegalAddress);
    CHECK(cudaFree(x) == cudaErrorIllegalAddress && cudaFreeHost(pinned) == cudaErrorIllegalAddress);
    CHECK(cudaEventDestroy(event) == cudaErrorIllegalAddress && cudaStreamDestroy(s) == cudaErrorIllegalAddress);
    CHECK(cudadouble_live() == 0);
    CHECK(strcmp(cudaGetErrorString(cudaErrorIllegalAddress), "an illegal memory access was encountered") == 0);
}

static void body_sticky(void)
{
    cudaStream_t s = new_stream();
    cudaEvent_t event = new_event();
    float *x = new_floats(), *pinned = new_pinned(1);
    DO(k_scale(x, 2, COUNT, s));
    DO(k_scale(x, 2, COUNT, s));
    DO(cudaEventRecord(event, s));
    CHECK(cudaStreamSynchronize(s) == cudaErrorIllegalAddress);
    check_lost(s, event, x, pinned);
}

static void body_planned(void)
{
    void *memory;
    DO(cudaMalloc(&memory, 4));
    DO(cudaFree(memory));
    cudadouble_fail_at(3);
    cudaStream_t s = new_stream();
    cudaEvent_t event = new_event();
    CHECK(cudadouble_calls() == 2 && *cudadouble_failed() == '\0');
    CHECK(cudaMalloc(&memory, 4) == cudaErrorMemoryAllocation);
    CHECK(strcmp(cudadouble_failed(), "cudaMalloc") == 0);
    DO(cudaMalloc(&memory, 4));
    cudadouble_fail_at(1);
    CHECK(cudaStreamSynchronize(s) == cudaErrorIllegalAddress && cudaGetLastError() == cudaErrorIllegalAddress);
    cudadouble_fail_at(0); /* clears it */
    DO(cudaStreamSynchronize(s));
    DO(cudaFree(memory));
    DO(cudaEventDestroy(event));
    DO(cudaStreamDestroy(s));
}

/* The second cudaMalloc fails, by the environment. */
static void body_fails_second(void)
{
    void *first, *second;
    DO(cudaMalloc(&first, 4));
    CHECK(cudaMalloc(&second, 4) == cudaErrorDevicesUnavailable);
    DO(cudaMalloc(&second, 4));
    DO(cudaFree(first));
    DO(cudaFree(second));
}

static void body_fails_never(void)
{
    void *memory[4];
    for (int i = 0; i < 4; i++)
        DO(cudaMalloc(&memory[i], 4));
    for (int i = 0; i < 4; i++)
        DO(cudaFree(memory[i]));
}

/* The second memset of stream `s` hangs; the other stream goes on. */
static void body_hang(void)
{
    cudaStream_t s = new_stream(), other = new_stream();
    cudaEvent_t event = new_event();
    float *x = new_floats(), *y = new_floats();
    DO(cudaMemsetAsync(x, 0, BYTES, s));
    DO(cudaStreamSynchronize(s));
    DO(cudaMemsetAsync(x, 1, BYTES, s));
    DO(cudaEventRecord(event, s));
    for (int i = 0; i < 100; i++)
        CHECK(cudaStreamQuery(s) == cudaErrorNotReady && cudaEventQuery(event) == cudaErrorNotReady);
    DO(cudaMemsetAsync(y, 0, BYTES, other));
    DO(cudaStreamSynchronize(other));
    DO(cudaStreamDestroy(s)); /* gives up the work */
    DO(cudaEventDestroy(event));
    DO(cudaFree(x));
    DO(cudaFree(y));
    DO(cudaStreamDestroy(other));
    CHECK(cudadouble_live() == 0);
}

/* ---- devices ---- */

static void body_two_devices(void)
{
    int count, device;
    size_t available, total;
    char bus[2][16];
    struct cudaDeviceProp properties;
    DO(cudaGetDeviceCount(&count));
    CHECK(count == 2);
    float *x = new_floats();
    cudaStream_t s = new_stream();
    DO(cudaSetDevice(1));
    DO(cudaGetDevice(&device));
    CHECK(device == 1);
    DO(cudaMemGetInfo(&available, &total));
    CHECK(available == total);
    CHECK(cudaMemsetAsync(x, 0, BYTES, s) == cudaErrorInvalidResourceHandle);
    (void)cudaGetLastError();
    CHECK(cudaSetDevice(2) == cudaErrorInvalidDevice);
    (void)cudaGetLastError();
    DO(cudaDeviceGetPCIBusId(bus[0], 16, 0));
    DO(cudaDeviceGetPCIBusId(bus[1], 16, 1));
    CHECK(strcmp(bus[0], "0000:12:00.0") == 0 &&
          strcmp(bus[1], "0000:10:00.0") == 0); /* as CUDA_VISIBLE_DEVICES says */
    DO(cudaGetDeviceProperties(&properties, 0));
    CHECK(strcmp(properties.name, "Double 2") == 0 && properties.major == 9 && properties.totalGlobalMem == total);
    DO(cudaSetDevice(0));
    DO(cudaFree(x));
    DO(cudaStreamDestroy(s));
}

static void body_one_device(void)
{
    int count;
    DO(cudaGetDeviceCount(&count));
    CHECK(count == 1);
}

static void body_no_device(void)
{
    int count = -7;
    CHECK(cudaGetDeviceCount(&count) == cudaErrorNoDevice && count == -7);
}

static void check_driver(int expected)
{
    int count = -7, version = -7;
    void *memory;
    cudaStream_t s;
    CHECK(cudaGetDeviceCount(&count) == cudaErrorInsufficientDriver && count == -7);
    DO(cudaDriverGetVersion(&version));
    CHECK(version == expected);
    DO(cudaRuntimeGetVersion(&version));
    CHECK(version == CUDART_VERSION);
    CHECK(cudaMalloc(&memory, 4) == cudaErrorInsufficientDriver);
    CHECK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking) == cudaErrorInsufficientDriver);
    CHECK(cudaGetLastError() == cudaErrorInsufficientDriver && cudaGetLastError() == cudaErrorInsufficientDriver);
}

static void body_no_driver(void)
{
    check_driver(0);
}

static void body_old_driver(void)
{
    check_driver(11000);
}

static void body_old_device(void)
{
    int major, minor;
    cudaStream_t s = new_stream();
    float *x = new_floats();
    DO(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
    DO(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0));
    CHECK(major == 6 && minor == 1);
    CHECK(k_scale(x, 2, COUNT, s) == cudaErrorNoKernelImageForDevice);
    DO(cudaFree(x));
    DO(cudaStreamDestroy(s));
}

/* ---- the cases ---- */

static void test_errors(void **state)
{
    (void)state;
    passes(body_last_error, NULL);
    passes(body_planned, NULL);
    passes(body_sticky, ENVIRONMENT("NASRUN_DOUBLE_FAIL=call=cudaStreamSynchronize,nth=1,code=700"));
    passes(body_sticky, ENVIRONMENT("NASRUN_DOUBLE_FAIL=call=cudaEventRecord,nth=1,when=run"));
    passes(body_sticky, ENVIRONMENT("NASRUN_DOUBLE_FAIL=call=*,nth=2,when=run,code=700"));
}

static void test_plans(void **state)
{
    (void)state;
    char plan[400], file[250];
    snprintf(file, sizeof file, "%s/once", test_folder());
    snprintf(plan, sizeof plan, "NASRUN_DOUBLE_FAIL=call=cudaMalloc,nth=2,code=46,once=%s", file);
    passes(body_fails_second, ENVIRONMENT(plan));
    passes(body_fails_never, ENVIRONMENT(plan)); /* the file is there now */
    passes(body_hang, ENVIRONMENT("NASRUN_DOUBLE_HANG=call=cudaMemsetAsync,nth=2"));
}

static void test_devices(void **state)
{
    (void)state;
    passes(body_two_devices, ENVIRONMENT("NASRUN_DOUBLE_DEVICES=3", "CUDA_VISIBLE_DEVICES=2,0"));
    passes(body_one_device, NULL);
    passes(body_one_device, ENVIRONMENT("NASRUN_DOUBLE_DEVICES=2", "CUDA_VISIBLE_DEVICES=1,5,0"));
    passes(body_no_device, ENVIRONMENT("NASRUN_DOUBLE_DEVICES=0"));
    passes(body_no_device, ENVIRONMENT("CUDA_VISIBLE_DEVICES="));
    passes(body_no_device, ENVIRONMENT("CUDA_VISIBLE_DEVICES=-1"));
    passes(body_old_device, ENVIRONMENT("NASRUN_DOUBLE_CAPABILITY=6.1"));
}

static void test_driver(void **state)
{
    (void)state;
    passes(body_no_driver, ENVIRONMENT("NASRUN_DOUBLE_DRIVER=none"));
    passes(body_old_driver, ENVIRONMENT("NASRUN_DOUBLE_DRIVER=old"));
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(test_errors),
    cmocka_unit_test(test_plans),
    cmocka_unit_test(test_devices),
    cmocka_unit_test(test_driver),
};

TEST_MAIN(cases)
