/* A data set on the device: copied once, read by every trial. */
#include <stdlib.h>

#include "base/memory.h"
#include "train/cuda/device.h"

static nr_status copy(struct images *images, const struct dataset *dataset)
{
    struct device *device = images->device;
    struct failure *failure = &device->failure;
    const struct shape *shape = &dataset->shape;
    size_t labels = (size_t)dataset->count;
    size_t pixels = labels * (size_t)(shape->channels * shape->height * shape->width);
    if (labels == 0)
        return NR_OK;
    TRY_CUDA(failure, cudaSetDevice(device->number));
    TRY_CUDA(failure, cudaMalloc(&images->memory, pixels + labels));
    uint8_t *base = images->memory;
    images->view = (struct k_images){.pixels = base,
                                     .labels = base + pixels,
                                     .channels = shape->channels,
                                     .height = shape->height,
                                     .width = shape->width};
    TRY_CUDA(failure, cudaMemcpyAsync(base, dataset->images, pixels, cudaMemcpyHostToDevice, device->stream));
    TRY_CUDA(failure, cudaMemcpyAsync(base + pixels, dataset->labels, labels, cudaMemcpyHostToDevice, device->stream));
    return device_wait(device, device->stream);
}

nr_status images_upload(struct device *device, const struct dataset *dataset, struct images **out)
{
    if (device_check(device) != NR_OK)
        return NR_DEVICE;
    struct images *images = mem_array(1, sizeof *images);
    if (!images)
        return log_no_memory(device->log, "handing over the images");
    *images = (struct images){.device = device, .shape = dataset->shape, .count = dataset->count};
    nr_status status = copy(images, dataset);
    if (status != NR_OK) {
        images_unload(images);
        return device_report(device, status, "copying the images there");
    }
    *out = images;
    return NR_OK;
}

void images_unload(struct images *images)
{
    if (!images)
        return;
    if (images->memory && !images->device->hung)
        cudaFree(images->memory);
    free(images);
}
