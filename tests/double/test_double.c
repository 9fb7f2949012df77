/* What the double of CUDA's runtime promises of memory, copies, order and graphs. Each case is a child process. */
#include "double/child.h"

#include "double/cudadouble.h"
#include "kernels/kernels.h"

/* ---- memory and copies ---- */

static void body_copies(void)
{
    cudaStream_t s = new_stream();
    float *device = new_floats(), *pinned = new_pinned(1), pageable[COUNT];
    DO(cudaMemcpyAsync(pageable, device, BYTES, cudaMemcpyDeviceToHost, s));
    for (int i = 0; i < COUNT; i++)
        CHECK(isnan(pageable[i])); /* fresh memory; a copy to pageable memory has arrived */
    for (int i = 0; i < COUNT; i++)
        pageable[i] = 5;
    DO(cudaMemcpyAsync(device, pageable, BYTES, cudaMemcpyHostToDevice, s));
    pageable[0] = 6; /* too late: staged */
    DO(cudaStreamSynchronize(s));
    CHECK(first_of(device) == 5);
    DO(cudaMemcpyAsync(device, pinned, BYTES, cudaMemcpyHostToDevice, s));
    pinned[0] = 2; /* too early: seen */
    DO(cudaStreamSynchronize(s));
    CHECK(first_of(device) == 2);
    DO(cudaMemsetAsync(device, 0, BYTES, s));
    DO(cudaMemcpyAsync(pinned, device, BYTES, cudaMemcpyDefault, s));
    CHECK(pinned[0] == 2); /* not yet */
    DO(cudaStreamSynchronize(s));
    CHECK(pinned[0] == 0 && pinned[COUNT - 1] == 0);
    CHECK(cudadouble_live() == 3);
    DO(cudaFreeHost(pinned));
    DO(cudaFree(device));
    DO(cudaStreamDestroy(s));
    CHECK(cudadouble_live() == 0);
    DO(cudaDeviceReset());
}

static void body_memory(void)
{
    size_t available, total, less;
    void *large, *more;
    DO(cudaMemGetInfo(&available, &total));
    CHECK(total == 1000000 && available == total);
    DO(cudaMalloc(&large, 600000));
    DO(cudaMemGetInfo(&less, &total));
    CHECK(available - less >= 600000 && available - less < 601024);
    CHECK(cudaMalloc(&more, 600000) == cudaErrorMemoryAllocation);
    CHECK(cudaPeekAtLastError() == cudaErrorMemoryAllocation && cudaGetLastError() == cudaErrorMemoryAllocation);
    CHECK(cudaGetLastError() == cudaSuccess);
    DO(cudaFree(large));
    DO(cudaMalloc(&more, 600000));
    DO(cudaFree(more));
    DO(cudaMalloc(&more, 0));
    CHECK(more == NULL);
    DO(cudaFree(NULL));
    DO(cudaMemGetInfo(&less, &total));
    CHECK(less == available);
}

/* The legacy stream: what it copies to the device arrives some time, and no later than the device is waited for. */
static void body_legacy_copy(void)
{
    float host[COUNT] = {3}, *device = new_floats();
    cudaStream_t blocking;
    DO(cudaMemcpy(device, host, BYTES, cudaMemcpyHostToDevice));
    host[0] = 4;
    DO(cudaDeviceSynchronize());
    CHECK(first_of(device) == 3);
    DO(cudaStreamCreate(&blocking));
    DO(cudaMemcpy(device, host, BYTES, cudaMemcpyHostToDevice));
    float *pinned = new_pinned(0);
    DO(cudaMemcpyAsync(pinned, device, BYTES, cudaMemcpyDeviceToHost, blocking)); /* a blocking stream does wait */
    DO(cudaStreamSynchronize(blocking));
    CHECK(pinned[0] == 4);
    DO(cudaFreeHost(pinned));
    DO(cudaFree(device));
    DO(cudaStreamDestroy(blocking));
}

/* ---- order ---- */

/* One stream writes, the other reads; the number of times, of 64, that the reader came first. */
static int count_early_reads(bool event_between)
{
    cudaStream_t writer = new_stream(), reader = new_stream();
    cudaEvent_t written = new_event();
    float *device = new_floats(), *pinned = new_pinned(0);
    int early = 0;
    for (int round = 0; round < 64; round++) {
        DO(cudaMemsetAsync(device, 0, BYTES, writer));
        DO(cudaStreamSynchronize(writer));
        DO(cudaMemsetAsync(device, 0x40, BYTES, writer));
        DO(cudaEventRecord(written, writer));
        if (event_between)
            DO(cudaStreamWaitEvent(reader, written, 0));
        DO(cudaMemcpyAsync(pinned, device, BYTES, cudaMemcpyDeviceToHost, reader));
        DO(cudaStreamSynchronize(reader));
        DO(cudaStreamSynchronize(writer));
        early += pinned[0] == 0;
    }
    DO(cudaEventDestroy(written));
    DO(cudaFreeHost(pinned));
    DO(cudaFree(device));
    DO(cudaStreamDestroy(writer));
    DO(cudaStreamDestroy(reader));
    return early;
}

static void body_order(void)
{
    const int early = count_early_reads(false);
    CHECK(early >= 4 && early <= 60); /* a fair coin: outside once in 10^13 */
    CHECK(count_early_reads(true) == 0);
}

/* A query says "not ready" now and then, and runs the work in the end. */
static void body_queries(void)
{
    cudaStream_t s = new_stream();
    cudaEvent_t event = new_event(), from, to;
    float *device = new_floats(), milliseconds = -1;
    int not_ready = 0;
    DO(cudaEventQuery(event)); /* never recorded */
    for (int round = 0; round < 64; round++) {
        DO(cudaMemsetAsync(device, 0, BYTES, s));
        DO(cudaEventRecord(event, s));
        cudaError_t code;
        while ((code = round % 2 ? cudaEventQuery(event) : cudaStreamQuery(s)) == cudaErrorNotReady)
            not_ready++;
        CHECK(code == cudaSuccess);
    }
    CHECK(not_ready > 8 && not_ready < 1000);
    CHECK(cudaGetLastError() == cudaSuccess);
    DO(cudaEventCreate(&from));
    DO(cudaEventCreate(&to));
    DO(cudaEventRecord(from, s));
    DO(cudaEventRecord(to, s));
    CHECK(cudaEventElapsedTime(&milliseconds, from, to) == cudaErrorNotReady);
    DO(cudaEventSynchronize(to));
    DO(cudaEventElapsedTime(&milliseconds, from, to));
    CHECK(milliseconds >= 0);
    CHECK(cudaEventElapsedTime(&milliseconds, event, to) == cudaErrorInvalidResourceHandle);
    DO(cudaEventDestroy(from));
    DO(cudaEventDestroy(to));
    DO(cudaEventDestroy(event));
    DO(cudaFree(device));
    DO(cudaStreamDestroy(s));
    CHECK(cudadouble_live() == 0);
}

static void body_eager(void)
{
    cudaStream_t s = new_stream();
    float *device = new_floats(), *pinned = new_pinned(1);
    int seen = 0;
    for (int round = 0; round < 64; round++) {
        pinned[0] = 1;
        DO(cudaMemsetAsync(device, 0, BYTES, s));
        DO(cudaMemcpyAsync(pinned, device, BYTES, cudaMemcpyDeviceToHost, s));
        seen += pinned[0] == 0;
        DO(cudaStreamSynchronize(s));
    }
    CHECK(seen > 4 && seen < 64);
    DO(cudaFreeHost(pinned));
    DO(cudaFree(device));
    DO(cudaStreamDestroy(s));
}

/* ---- graphs ---- */

static void body_graphs(void)
{
    cudaStream_t s = new_stream();
    float *x = new_floats(), *ones = new_pinned(1);
    DO(cudaMemcpyAsync(x, ones, BYTES, cudaMemcpyHostToDevice, s));
    cudaGraphExec_t exec = doubling_graph(s, x, 3);
    DO(cudaGraphLaunch(exec, s));
    DO(cudaGraphLaunch(exec, s));
    DO(cudaStreamSynchronize(s));
    CHECK(first_of(x) == 64);
    DO(cudaGraphLaunch(exec, s));
    DO(cudaGraphExecDestroy(exec)); /* in flight: is let finish */
    DO(cudaStreamSynchronize(s));
    CHECK(first_of(x) == 512);
    exec = doubling_graph(s, x, 0);
    DO(cudaGraphLaunch(exec, s));
    DO(cudaStreamSynchronize(s));
    DO(cudaGraphExecDestroy(exec));
    DO(cudaFreeHost(ones));
    DO(cudaFree(x));
    DO(cudaStreamDestroy(s));
    CHECK(cudadouble_live() == 0);
}

/* Calls that may not be made while this thread captures. */
static cudaError_t unsafe_call(int number, cudaStream_t s, cudaEvent_t event, float *x)
{
    void *memory;
    float host;
    switch (number) {
    case 0:
        return cudaMalloc(&memory, 4);
    case 1:
        return cudaFree(x);
    case 2:
        return cudaStreamSynchronize(s);
    case 3:
        return cudaStreamQuery(s);
    case 4:
        return cudaEventQuery(event);
    case 5:
        return cudaDeviceSynchronize();
    case 6:
        return cudaMallocHost(&memory, 4);
    default:
        return cudaMemcpy(&host, x, sizeof host, cudaMemcpyDeviceToHost);
    }
}

static void body_spoiled_capture(void)
{
    cudaStream_t s = new_stream();
    cudaEvent_t event = new_event();
    float *x = new_floats();
    for (int call = 0; call < 8; call++) {
        cudaGraph_t graph = (cudaGraph_t)(void *)x;
        enum cudaStreamCaptureStatus status;
        DO(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
        CHECK(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal) == cudaErrorIllegalState);
        (void)cudaGetLastError();
        DO(k_scale(x, 2, COUNT, s));
        CHECK(unsafe_call(call, s, event, x) == cudaErrorStreamCaptureUnsupported);
        (void)cudaGetLastError();
        DO(cudaStreamIsCapturing(s, &status));
        CHECK(status == cudaStreamCaptureStatusInvalidated);
        CHECK(k_scale(x, 2, COUNT, s) == cudaErrorStreamCaptureInvalidated);
        CHECK(cudaStreamEndCapture(s, &graph) == cudaErrorStreamCaptureInvalidated && graph == NULL);
        CHECK(cudaStreamEndCapture(s, &graph) == cudaErrorIllegalState);
        (void)cudaGetLastError();
        DO(k_scale(x, 2, COUNT, s));
        DO(cudaStreamSynchronize(s));
    }
    DO(cudaEventDestroy(event));
    DO(cudaFree(x));
    DO(cudaStreamDestroy(s));
}

/* ---- the cases ---- */

static void test_copies(void **state)
{
    (void)state;
    passes(body_copies, NULL);
    passes(body_legacy_copy, NULL);
}

static void test_memory(void **state)
{
    (void)state;
    passes(body_memory, ENVIRONMENT("NASRUN_DOUBLE_MEMORY=1000000"));
}

static void test_order(void **state)
{
    (void)state;
    passes(body_order, NULL);
    passes(body_order, ENVIRONMENT("NASRUN_DOUBLE_SEED=7"));
    passes(body_queries, NULL);
    passes(body_eager, ENVIRONMENT("NASRUN_DOUBLE_EAGER=1"));
}

static void test_graphs(void **state)
{
    (void)state;
    passes(body_graphs, NULL);
    passes(body_graphs, ENVIRONMENT("NASRUN_DOUBLE_EAGER=1"));
    passes(body_spoiled_capture, NULL);
}

static const struct CMUnitTest cases[] = {
    cmocka_unit_test(test_copies),
    cmocka_unit_test(test_memory),
    cmocka_unit_test(test_order),
    cmocka_unit_test(test_graphs),
};

TEST_MAIN(cases)
