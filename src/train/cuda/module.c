/* The one name that libnasrun-cuda.so gives to the program. */
#include "train/cuda/cuda.h"

__attribute__((visibility("default"))) const struct backend *nasrun_cuda_backend(void)
{
    return &cuda_backend;
}
