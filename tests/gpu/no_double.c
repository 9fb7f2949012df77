/* Where tests of tests/cuda run on NVIDIA's own libraries: no call is made to fail, what is left on the device is not
 * known, and without a device there is nothing to test. */
#include "double/cudadouble.h"

#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>

/* Before main(), which knows the double alone. 77 is "skipped" to CTest. */
__attribute__((constructor)) static void need_device(void)
{
    int devices = 0;
    cudaError_t code = cudaGetDeviceCount(&devices);
    if (code == cudaSuccess && devices > 0)
        return;
    printf("skipped: no CUDA device (%s)\n", cudaGetErrorString(code));
    exit(77);
}

void cudadouble_fail_at(long call)
{
    (void)call;
}

long cudadouble_calls(void)
{
    return 0;
}

const char *cudadouble_failed(void)
{
    return "";
}

int cudadouble_failed_code(void)
{
    return 0;
}

size_t cudadouble_live(void)
{
    return 0;
}

void cudadouble_print_live(void)
{
}
