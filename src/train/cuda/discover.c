/* Which GPUs there are, what they can do, and what they are called. */
#include <stdio.h>
#include <stdlib.h>

#include "train/cuda/device.h"
#include "train/cuda/limits.h"

enum { AMPERE = 80 }; /* compute capability 8.0: the first with TF32 and bf16 */

static void log_none(struct log *log)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    log_warning(log, "there is no CUDA device%s%s%s", visible ? " (CUDA_VISIBLE_DEVICES is \"" : "",
                visible ? visible : "", visible ? "\")" : "");
}

/* The error's text says that the driver is too old even where there is none at all; the version tells them apart. */
static void log_driver(struct log *log)
{
    int driver = 0, needed = CUDART_VERSION;
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
        log_warning(log, "there is no NVIDIA driver");
    else
        log_warning(log, "the NVIDIA driver is too old: it is for CUDA %d.%d, this program needs CUDA %d.%d",
                    driver / 1000, driver % 1000 / 10, needed / 1000, needed % 1000 / 10);
}

nr_status device_count(struct log *log, int *out)
{
    int count = 0; /* left alone by a call that fails */
    cudaError_t code = cudaGetDeviceCount(&count);
    if (code == cudaSuccess && count > 0) {
        *out = count;
        return NR_OK;
    }
    (void)cudaGetLastError();
    if (code == cudaErrorInsufficientDriver) {
        log_driver(log);
    } else if (code == cudaSuccess || code == cudaErrorNoDevice) {
        log_none(log);
    } else {
        log_error(log, "counting the CUDA devices: %s", cudaGetErrorString(code));
        return NR_DEVICE;
    }
    *out = 0;
    return NR_OK;
}

nr_status device_inspect(int number, struct log *log, struct device_summary *out)
{
    struct device *device = NULL;
    size_t available, total;
    nr_status status = device_create(number, log, &device);
    if (!device)
        return status;
    *out = (struct device_summary){.lane = (int64_t)device_workspace(device),
                                   .tf32 = device->capability >= AMPERE,
                                   .bf16 = device->capability >= AMPERE};
    snprintf(out->name, sizeof out->name, "%s", device->name);
    if (status == NR_OK && cudaMemGetInfo(&available, &total) == cudaSuccess) {
        out->available = (int64_t)available;
        out->memory = (int64_t)total;
    }
    (void)cudaGetLastError(); /* of memory that was not told: or the next launch would report it */
    if (status != NR_OK)
        snprintf(out->problem, sizeof out->problem, "%s", device->failure.text);
    device_close(device);
    return NR_OK;
}

bool device_supports(const struct device *device, enum precision_kind precision)
{
    bool reduced = precision == PRECISION_TF32 || precision == PRECISION_BF16;
    return precision == PRECISION_FLOAT32 || (reduced && device->capability >= AMPERE);
}

double device_peak(const struct device *device, enum precision_kind precision)
{
    return limits_peak(device->capability / 10, device->capability % 10, device->multiprocessors, device->clock_khz,
                       precision);
}

/* "driver 13.0, runtime 13.0, cuBLAS 13.1.0, cuDNN 9.19.0, NCCL 2.28.9": the driver's number is that of the newest CUDA
 * that it runs. */
void device_describe(const struct device *device, struct text *text)
{
    int driver = 0, runtime = 0, nccl = 0;
    size_t blas = cublasLtGetVersion(), dnn = cudnnGetVersion();
    (void)cudaDriverGetVersion(&driver);
    (void)cudaRuntimeGetVersion(&runtime);
    (void)ncclGetVersion(&nccl);
    (void)cudaGetLastError(); /* a version that could not be had is 0 */
    text_format(text, "cuda %s, driver %d.%d, runtime %d.%d", device->name, driver / 1000, driver % 1000 / 10,
                runtime / 1000, runtime % 1000 / 10);
    text_format(text, ", cuBLAS %zu.%zu.%zu, cuDNN %zu.%zu.%zu, NCCL %d.%d.%d", blas / 10000, blas / 100 % 100,
                blas % 100, dnn / 10000, dnn / 100 % 100, dnn % 100, nccl / 10000, nccl / 100 % 100, nccl % 100);
}
