/* A backend module that works anywhere: the CPU's engine under another name, with two devices, of which the second
 * cannot be used. Like the CUDA module it has its own copy of the engine. */
#include <stdio.h>
#include <string.h>

#include "train/backend.h"

extern const struct backend *nasrun_cuda_backend(void);

static nr_status count(struct log *log, int *out)
{
    (void)log;
    *out = 2;
    return NR_OK;
}

static nr_status inspect(int number, struct log *log, struct device_summary *out)
{
    (void)log;
    *out = (struct device_summary){.memory = 8000000000, .available = 7000000000, .tf32 = number == 0, .bf16 = false};
    snprintf(out->name, sizeof out->name, "Made-up %c", 'A' + number);
    if (number == 1)
        strcpy(out->problem, "this program has no code for compute capability 3.5");
    return NR_OK;
}

const struct backend *nasrun_cuda_backend(void)
{
    static struct backend backend;
    backend = cpu_backend;
    backend.name = "cuda";
    backend.count = count;
    backend.inspect = inspect;
    return &backend;
}
