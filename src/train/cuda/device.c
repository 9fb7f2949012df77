/* One GPU: opening it, waiting for it, its lanes and its group. */
#include "train/cuda/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"

static const double usual_patience = 120; /* seconds; the longest graph takes well under one */
enum { USUAL_STEPS_PER_GRAPH = 16 };
/* cuBLAS asks for 32 MiB on Hopper and for 4 elsewhere; cuDNN's deterministic algorithms for gradients in float32 may
 * want more than 4 on any device, and a convolution for which none is left fails its trial. */
static const size_t usual_workspace = (size_t)32 << 20;

/* ---- failures and waiting ---- */

nr_status device_report(struct device *device, nr_status status, const char *doing)
{
    struct failure *failure = &device->failure;
    log_error(device->log, "%s, %s: %s", device->name, doing, failure->text[0] ? failure->text : status_text(status));
    if (!failure->sticky && !device->hung)
        failure_clear(failure);
    return status;
}

nr_status device_check(const struct device *device)
{
    return device->failure.sticky || device->hung ? NR_DEVICE : NR_OK;
}

nr_status device_hangs(struct device *device, const char *what)
{
    device->hung = true;
    return failure_note(&device->failure, NR_DEVICE, "%s: nothing came back from the device for %g s", what,
                        device->options.patience);
}

nr_status device_wait(struct device *device, cudaStream_t stream)
{
    const struct timespec pause = {.tv_nsec = 20000};
    double start = clock_monotonic();
    for (;;) {
        cudaError_t code = failure_query(cudaStreamQuery(stream));
        if (code == cudaSuccess)
            return NR_OK;
        nr_status status = code == cudaErrorNotReady ? (device->group ? collective_check(device->group) : NR_OK)
                                                     : failure_cuda(&device->failure, "cudaStreamQuery(stream)", code);
        if (status != NR_OK)
            return status;
        if (clock_monotonic() - start > device->options.patience)
            return device_hangs(device, "cudaStreamQuery(stream)");
        nanosleep(&pause, NULL);
    }
}

/* ---- lanes and groups ---- */

size_t device_workspace(const struct device *device)
{
    return device->options.workspace;
}

int device_lanes(const struct device *device)
{
    (void)device;
    return DEVICE_MOST_LANES;
}

nr_status device_lane(struct device *device, int number, struct lane **out)
{
    if (!device->lane[number]) {
        nr_status status = lane_create(device_workspace(device), &device->failure, &device->lane[number]);
        if (status != NR_OK)
            return status;
    }
    *out = device->lane[number];
    return NR_OK;
}

nr_status device_make_room(struct device *device, int number, size_t bytes)
{
    size_t available, total, needed = device->lane[number] ? 0 : device_workspace(device);
    if (!reserve_fits(&device->reserve[number], bytes)) {
        reserve_release(&device->reserve[number]);
        needed += bytes;
    }
    for (int i = 0; i < DEVICE_MOST_LANES; i++) {
        TRY_CUDA(&device->failure, cudaMemGetInfo(&available, &total));
        if (available >= needed)
            return NR_OK;
        if (i == number || device->trainers[i] > 0)
            continue;
        reserve_release(&device->reserve[i]);
        lane_destroy(device->lane[i]);
        device->lane[i] = NULL;
    }
    return NR_OK; /* it may do all the same: the allocation tells */
}

static double mebibytes(size_t bytes)
{
    return (double)bytes / (1 << 20);
}

nr_status device_take_memory(struct device *device, int lane, size_t arena_bytes, size_t pinned_bytes,
                             struct reserve *out)
{
    size_t available = 0, total = 0;
    nr_status status = reserve_take(&device->reserve[lane], arena_bytes, pinned_bytes, &device->failure, out);
    if (status != NR_NO_MEMORY || device->failure.status != NR_OK)
        return status;
    if (cudaMemGetInfo(&available, &total) != cudaSuccess)
        (void)cudaGetLastError();
    return failure_note(&device->failure, NR_NO_MEMORY, "the trial needs %.1f MiB, %.1f MiB are free",
                        mebibytes(arena_bytes), mebibytes(available));
}

void device_return_memory(struct device *device, int lane, struct reserve *reserve)
{
    if (device_check(device) == NR_OK && !device->reserve[lane].arena) {
        device->reserve[lane] = *reserve;
        *reserve = (struct reserve){0};
    }
    reserve_release(reserve);
}

/* What lanes without a trainer keep counts as free: memory() counts a workspace with each trainer. */
int64_t device_available(struct device *device)
{
    size_t available = 0, total;
    if (device_check(device) != NR_OK)
        return 0;
    if (cudaMemGetInfo(&available, &total) != cudaSuccess) {
        (void)cudaGetLastError(); /* or the next launch would report it */
        return 0;
    }
    for (int i = 0; i < DEVICE_MOST_LANES; i++) {
        available += device->reserve[i].arena_bytes;
        if (device->lane[i] && device->trainers[i] == 0)
            available += device->lane[i]->workspace_size;
    }
    return (int64_t)available;
}

nr_status device_invite(struct device *device, char invitation[INVITATION_SIZE])
{
    nr_status status = device_check(device);
    if (status == NR_OK)
        status = collective_invite(&device->failure, invitation);
    return status == NR_OK ? NR_OK : device_report(device, status, "inviting the ranks of a group");
}

nr_status device_join(struct device *device, const char *invitation, int rank, int ranks)
{
    nr_status status = device_check(device);
    collective_destroy(device->group);
    device->group = NULL;
    device->rank = 0;
    device->ranks = 1;
    if (status == NR_OK)
        status = collective_join(invitation, rank, ranks, device->options.patience, &device->failure, &device->group);
    if (status != NR_OK)
        return device_report(device, status, "joining a group");
    device->rank = rank;
    device->ranks = ranks;
    return NR_OK;
}

/* ---- opening ---- */

/* A kernel of ours, to see that this program has code for the device. */
static nr_status run_probe(struct device *device)
{
    float *value;
    TRY_CUDA(&device->failure, cudaMalloc((void **)&value, sizeof *value));
    cudaError_t code = cudaMemsetAsync(value, 0, sizeof *value, device->stream);
    if (code == cudaSuccess)
        code = k_scale(value, 1, 1, device->stream);
    if (code == cudaSuccess)
        code = cudaStreamSynchronize(device->stream);
    cudaError_t freed = cudaFree(value);
    if (code == cudaErrorNoKernelImageForDevice || code == cudaErrorUnsupportedPtxVersion ||
        code == cudaErrorInvalidPtx) {
        (void)cudaGetLastError();
        return failure_note(&device->failure, NR_DEVICE, "this program has no code for compute capability %d.%d",
                            device->capability / 10, device->capability % 10);
    }
    if (code != cudaSuccess)
        return failure_cuda(&device->failure, "a first kernel", code);
    TRY_CUDA(&device->failure, freed);
    return NR_OK;
}

static nr_status start(struct device *device)
{
    struct cudaDeviceProp properties;
    struct failure *failure = &device->failure;
    TRY_CUDA(failure, cudaGetDeviceProperties(&properties, device->number));
    snprintf(device->name, sizeof device->name, "%.95s", properties.name);
    device->capability = 10 * properties.major + properties.minor;
    device->multiprocessors = properties.multiProcessorCount;
    TRY_CUDA(failure, cudaDeviceGetAttribute(&device->clock_khz, cudaDevAttrClockRate, device->number));
    TRY_CUDA(failure, cudaSetDevice(device->number));
    TRY_CUDA(failure, cudaStreamCreateWithFlags(&device->stream, cudaStreamNonBlocking));
    return run_probe(device);
}

nr_status device_create(int number, struct log *log, struct device **out)
{
    struct device *device = mem_array(1, sizeof *device);
    if (!device)
        return log_no_memory(log, "opening a GPU");
    device->number = number;
    device->log = log;
    device->ranks = 1;
    device->options = (struct cuda_options){.patience = usual_patience,
                                            .steps_per_graph = USUAL_STEPS_PER_GRAPH,
                                            .workspace = usual_workspace,
                                            .epilogues = true};
    snprintf(device->name, sizeof device->name, "GPU %d", number);
    *out = device;
    return start(device);
}

nr_status device_open(int number, struct log *log, struct device **out)
{
    struct device *device = NULL;
    nr_status status = device_create(number, log, &device);
    if (status == NR_OK) {
        *out = device;
        return NR_OK;
    }
    if (device)
        status = device_report(device, status, "opening");
    device_close(device);
    return status;
}

void device_close(struct device *device)
{
    if (!device)
        return;
    if (!device->hung) { /* a hung one is given back by the end of the process */
        collective_destroy(device->group);
        for (int i = 0; i < DEVICE_MOST_LANES; i++) {
            reserve_release(&device->reserve[i]);
            lane_destroy(device->lane[i]);
        }
        if (device->stream)
            cudaStreamDestroy(device->stream);
    }
    free(device);
}

struct cuda_options *cuda_device_options(struct device *device)
{
    return &device->options;
}
