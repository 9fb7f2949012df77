/* The double reads its environment once and ends the process at misuse: each of its cases runs in a child. */
#ifndef DOUBLE_CHILD_H
#define DOUBLE_CHILD_H

#include "support/test.h"

#include <cuda_runtime_api.h>
#include <sanitizer/lsan_interface.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/kernels.h"

/* In a child: cmocka's assertions would go back to the parent's list of cases. */
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

/* A call of the double's that must succeed. */
#define DO(call)                                                                                                       \
    do {                                                                                                               \
        const int code_ = (int)(call);                                                                                 \
        if (code_ != 0) {                                                                                              \
            fprintf(stderr, "%s:%d: %s: %d\n", __FILE__, __LINE__, #call, code_);                                      \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

struct child {
    int status;        /* as of wait() */
    char errors[4000]; /* the beginning of its standard error */
};

static inline void child_errors(int from, struct child *out)
{
    size_t length = 0;
    char rest[512];
    for (;;) {
        const bool full = length == sizeof out->errors - 1;
        const ssize_t got =
            read(from, full ? rest : out->errors + length, full ? sizeof rest : sizeof out->errors - 1 - length);
        if (got <= 0)
            break;
        length += full ? 0 : (size_t)got;
    }
    out->errors[length] = '\0';
}

/* `environment`: "NAME=value", ended by NULL; may be NULL. The child looks for leaks, but leaves the parent's exit
 * handlers alone, which remove its files. */
static inline void child_run(void (*body)(void), const char *const *environment, struct child *out)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        for (; environment && *environment; environment++)
            putenv((char *)(uintptr_t)*environment);
        body();
        __lsan_do_leak_check();
        _exit(0);
    }
    close(ends[1]);
    child_errors(ends[0], out);
    close(ends[0]);
    assert_int_equal(waitpid(child, &out->status, 0), child);
}

/* ---- what the cases begin with; they return only on success ---- */

enum { COUNT = 64, BYTES = COUNT * sizeof(float) };

static inline void passes(void (*body)(void), const char *const *environment)
{
    struct child child;
    child_run(body, environment, &child);
    if (child.status != 0)
        fail_msg("status %d: %s", child.status, child.errors);
}
#define ENVIRONMENT(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The body must be ended by abort() or by AddressSanitizer, with these words. */
static inline void caught(void (*body)(void), const char *words, const char *const *environment)
{
    struct child child;
    child_run(body, environment, &child);
    if (child.status == 0 || !strstr(child.errors, words))
        fail_msg("\"%s\" is not in what was said (status %d): %s", words, child.status, child.errors);
}

static inline cudaStream_t new_stream(void)
{
    cudaStream_t stream;
    DO(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return stream;
}

static inline cudaEvent_t new_event(void)
{
    cudaEvent_t event;
    DO(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    return event;
}

static inline float *new_floats(void)
{
    void *memory;
    DO(cudaMalloc(&memory, BYTES));
    return memory;
}

static inline float *new_pinned(float value)
{
    void *memory;
    DO(cudaMallocHost(&memory, BYTES));
    float *out = memory;
    for (int i = 0; i < COUNT; i++)
        out[i] = value;
    return out;
}

static inline float first_of(const float *device)
{
    float out;
    DO(cudaMemcpy(&out, device, sizeof out, cudaMemcpyDeviceToHost));
    return out;
}

/* Doubles x, `nodes` times. */
static inline cudaGraphExec_t doubling_graph(cudaStream_t s, float *x, size_t nodes)
{
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    size_t count;
    DO(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
    for (size_t i = 0; i < nodes; i++)
        DO(k_scale(x, 2, COUNT, s));
    DO(cudaStreamEndCapture(s, &graph));
    DO(cudaGraphGetNodes(graph, NULL, &count));
    CHECK(count == nodes);
    DO(cudaGraphInstantiate(&exec, graph, 0));
    DO(cudaGraphDestroy(graph));
    return exec;
}

#endif
