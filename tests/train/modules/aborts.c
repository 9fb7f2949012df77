/* A backend module that ends the process when it is asked for devices, as cuDNN does when a part of it is missing. */
#include <stdio.h>
#include <stdlib.h>

#include "train/backend.h"

extern const struct backend *nasrun_cuda_backend(void);

static nr_status count(struct log *log, int *out)
{
    (void)log;
    (void)out;
    fputs("Invalid handle. Cannot load symbol somethingGetVersion\n", stderr);
    abort();
}

const struct backend *nasrun_cuda_backend(void)
{
    static const struct backend backend = {.interface = BACKEND_INTERFACE, .name = "cuda", .count = count};
    return &backend;
}
