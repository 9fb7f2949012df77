#include "train/cuda/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Errors that the headers of CUDA 12.0 do not name. */
enum { CONTAINED = 226, TENSOR_MEMORY_LEAK = 721 };

/* Errors after which the process must end: those of which driver_types.h says so ("leaves the process in an
 * inconsistent state"), a lost or broken device, and the unknown, of which nothing better can be assumed. */
static bool is_sticky(cudaError_t code)
{
    switch ((int)code) {
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case CONTAINED:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorContextIsDestroyed:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case TENSOR_MEMORY_LEAK:
    case cudaErrorMpsClientTerminated:
    case cudaErrorExternalDevice:
    case cudaErrorUnknown:
        return true;
    default:
        return false;
    }
}

/* The call as it stands in the source, arguments cut where they are long: "cudaMemcpyAsync(a, b, ...)". */
static void shorten_call(const char *call, char *out, size_t size)
{
    size_t length = strlen(call);
    if (length < size) {
        memcpy(out, call, length + 1);
        return;
    }
    static const char end[] = "...)";
    const size_t room = size - sizeof end, name = strcspn(call, "(") + 1;
    size_t keep = name < room ? name : room;
    for (size_t i = keep + 1; i <= room; i++)
        if (call[i - 1] == ' ' && call[i - 2] == ',')
            keep = i;
    memcpy(out, call, keep);
    memcpy(out + keep, end, sizeof end);
}

static nr_status note(struct failure *failure, nr_status status, const char *call, const char *reason)
{
    char shown[80];
    if (failure->status != NR_OK)
        return status;
    failure->status = status;
    shorten_call(call, shown, sizeof shown);
    snprintf(failure->text, sizeof failure->text, "%s: %s", shown, reason);
    return status;
}

nr_status failure_cuda(struct failure *failure, const char *call, cudaError_t code)
{
    (void)cudaGetLastError(); /* or the next launch would report it again */
    failure->sticky |= is_sticky(code);
    return note(failure, code == cudaErrorMemoryAllocation ? NR_NO_MEMORY : NR_DEVICE, call, cudaGetErrorString(code));
}

/* What the libraries return is coarse ("execution failed"); where the runtime has the error behind it, that is told. */
static nr_status note_library(struct failure *failure, nr_status status, const char *call, const char *reason)
{
    cudaError_t behind = cudaGetLastError();
    char both[160];
    if (is_sticky(behind)) {
        failure->sticky = true;
        status = NR_DEVICE;
    } else if (behind == cudaErrorMemoryAllocation) {
        status = NR_NO_MEMORY;
    }
    if (behind == cudaSuccess)
        return note(failure, status, call, reason);
    snprintf(both, sizeof both, "%s (%s)", reason, cudaGetErrorString(behind));
    return note(failure, status, call, both);
}

nr_status failure_blas(struct failure *failure, const char *call, cublasStatus_t code)
{
    nr_status status = code == CUBLAS_STATUS_ALLOC_FAILED                                           ? NR_NO_MEMORY
                       : code == CUBLAS_STATUS_NOT_SUPPORTED || code == CUBLAS_STATUS_ARCH_MISMATCH ? NR_INFEASIBLE
                                                                                                    : NR_DEVICE;
    return note_library(failure, status, call, cublasLtGetStatusString(code));
}

/* cuDNN 9's codes come in groups of a thousand: 3000 to 3999 are "not supported", each with its reason. */
nr_status failure_dnn(struct failure *failure, const char *call, cudnnStatus_t code)
{
    nr_status status = NR_DEVICE;
    if (code == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
        code == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED)
        status = NR_NO_MEMORY;
    else if (code / 1000 == CUDNN_STATUS_NOT_SUPPORTED / 1000)
        status = NR_INFEASIBLE;
    return note_library(failure, status, call, cudnnGetErrorString(code));
}

nr_status failure_nccl(struct failure *failure, const char *call, ncclResult_t code)
{
    return note_library(failure, NR_DEVICE, call, ncclGetErrorString(code));
}

nr_status failure_note(struct failure *failure, nr_status status, const char *format, ...)
{
    va_list arguments;
    if (failure->status != NR_OK)
        return status;
    failure->status = status;
    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    return status;
}

void failure_clear(struct failure *failure)
{
    failure->status = NR_OK;
    failure->text[0] = '\0';
    (void)cudaGetLastError();
}
