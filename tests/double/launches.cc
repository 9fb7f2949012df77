/* Launches of kernels: what tests/blockexec asks of whoever stands for the device. */
#include "runtime.h"
#include "blockexec/blockexec.h"

#include <cstdio>

using namespace cudadouble;

/* As in `kernel<<<>>>(), cudaGetLastError()`: an error of an earlier call that nobody took is reported here. */
cudaError_t bx_submit(cudaStream_t stream, const char *kernel, std::function<void()> task)
{
    const std::vector<uint64_t> uses = take_needed(); /* by the arguments, which were checked before the call began */
    cudaError_t error = enter(kernel, cudaErrorLaunchOutOfResources);
    if (error == cudaSuccess && configuration().major * 10 + configuration().minor < 75)
        error = report(cudaErrorNoKernelImageForDevice); /* 7.5 is the oldest that the project builds for */
    note_needed(uses);
    if (error == cudaSuccess)
        (void)report(enqueue(stream, kernel, std::move(task)));
    return take_last();
}

/* Pointers within structs are left to AddressSanitizer, when the kernel runs: a word of a struct that looks like one
 * may be a number and what happened to be in the padding beside it. */
void bx_check_argument(const char *kernel, int position, const void *pointer)
{
    char argument[24];
    snprintf(argument, sizeof argument, "argument %d", position);
    if (pointer != nullptr)
        (void)need_live(pointer, kernel, argument);
}
