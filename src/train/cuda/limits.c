#include "train/cuda/limits.h"

#include <stddef.h>

struct throughput {
    int capability;          /* 10 * major + minor */
    int float32, tf32, bf16; /* FLOP per cycle and multiprocessor */
};

static const struct throughput throughputs[] = {
    {75, 128, 0, 0},       {80, 128, 1024, 2048},  {86, 256, 512, 1024},   {87, 256, 512, 1024},  {89, 256, 512, 1024},
    {90, 256, 2048, 4096}, {100, 256, 4096, 8192}, {103, 256, 4096, 8192}, {120, 256, 512, 1024},
};

static int of_precision(const struct throughput *throughput, enum precision_kind precision)
{
    switch (precision) {
    case PRECISION_FLOAT32:
        return throughput->float32;
    case PRECISION_TF32:
        return throughput->tf32;
    case PRECISION_BF16:
        return throughput->bf16;
    case PRECISION_FLOAT64:
        return 0;
    }
    return 0;
}

double limits_peak(int major, int minor, int multiprocessors, int clock_khz, enum precision_kind precision)
{
    for (size_t i = 0; i < sizeof throughputs / sizeof *throughputs; i++)
        if (throughputs[i].capability == 10 * major + minor)
            return 1e3 * clock_khz * multiprocessors * of_precision(&throughputs[i], precision);
    return 0;
}
