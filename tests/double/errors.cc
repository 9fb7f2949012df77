/* The runtime's error codes: names, texts, which of them stay for good, and what the next call reports. */
#include "runtime.h"

namespace cudadouble
{

namespace
{

/* Not in the headers of CUDA 12.0. */
constexpr auto contained = static_cast<cudaError_t>(226), tensor_memory_leak = static_cast<cudaError_t>(721);

struct error_row {
    cudaError_t code;
    const char *name, *text;
};

#define ROW(code, text)                                                                                                \
    {                                                                                                                  \
        code, #code, text                                                                                              \
    }
const error_row rows[] = {
    ROW(cudaSuccess, "no error"),
    ROW(cudaErrorInvalidValue, "invalid argument"),
    ROW(cudaErrorMemoryAllocation, "out of memory"),
    ROW(cudaErrorInitializationError, "initialization error"),
    ROW(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    ROW(cudaErrorInvalidMemcpyDirection, "invalid copy direction for memcpy"),
    ROW(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version"),
    ROW(cudaErrorDevicesUnavailable, "CUDA-capable device(s) is/are busy or unavailable"),
    ROW(cudaErrorInvalidDeviceFunction, "invalid device function"),
    ROW(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    ROW(cudaErrorInvalidDevice, "invalid device ordinal"),
    ROW(cudaErrorNoKernelImageForDevice, "no kernel image is available for execution on the device"),
    ROW(cudaErrorECCUncorrectable, "uncorrectable ECC error encountered"),
    ROW(cudaErrorNvlinkUncorrectable, "uncorrectable NVLink error detected during the execution"),
    {contained, "cudaErrorContained", "Invalid access of peer GPU memory over nvlink or a hardware error"},
    ROW(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    ROW(cudaErrorIllegalState, "the operation cannot be performed in the present state"),
    ROW(cudaErrorNotReady, "device not ready"),
    ROW(cudaErrorIllegalAddress, "an illegal memory access was encountered"),
    ROW(cudaErrorLaunchOutOfResources, "too many resources requested for launch"),
    ROW(cudaErrorLaunchTimeout, "the launch timed out and was terminated"),
    ROW(cudaErrorHardwareStackError, "hardware stack error"),
    ROW(cudaErrorIllegalInstruction, "an illegal instruction was encountered"),
    ROW(cudaErrorMisalignedAddress, "misaligned address"),
    ROW(cudaErrorInvalidAddressSpace, "operation not supported on global/shared address space"),
    ROW(cudaErrorInvalidPc, "invalid program counter"),
    ROW(cudaErrorLaunchFailure, "unspecified launch failure"),
    ROW(cudaErrorAssert, "device-side assert triggered"),
    ROW(cudaErrorNotSupported, "operation not supported"),
    ROW(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing"),
    ROW(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture"),
    ROW(cudaErrorStreamCaptureUnmatched, "capture was not initiated in this stream"),
    ROW(cudaErrorCapturedEvent, "operation not permitted on an event last recorded in a capturing stream"),
    ROW(cudaErrorUnknown, "unknown error"),
};
#undef ROW

struct error_memory {
    cudaError_t last = cudaSuccess, sticky = cudaSuccess;
};

error_memory &errors()
{
    static error_memory e;
    return e;
}

const error_row *row_of(cudaError_t code)
{
    for (const error_row &row : rows)
        if (row.code == code)
            return &row;
    return nullptr;
}

} // namespace

/* Those of which the header says that the process must be terminated and launched anew, and those of a device that is
 * gone. */
bool is_sticky(cudaError_t error)
{
    switch (static_cast<int>(error)) {
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case contained:
    case cudaErrorContextIsDestroyed:
    case cudaErrorMpsClientTerminated:
    case cudaErrorExternalDevice:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorAssert:
    case tensor_memory_leak:
        return true;
    default:
        return false;
    }
}

cudaError_t report(cudaError_t error)
{
    error_memory &e = errors();
    if (error != cudaSuccess && error != cudaErrorNotReady)
        e.last = error;
    if (is_sticky(error) && e.sticky == cudaSuccess) {
        e.sticky = error;
        drop_work();
    }
    return error;
}

cudaError_t lost()
{
    return errors().sticky;
}

void lose_device(cudaError_t code)
{
    if (!is_sticky(code))
        misuse("lose_device(%d): not an error that stays", static_cast<int>(code));
    (void)report(code);
}

cudaError_t take_last()
{
    error_memory &e = errors();
    const cudaError_t out = e.sticky != cudaSuccess ? e.sticky : e.last;
    e.last = cudaSuccess;
    return out;
}

void forget_errors()
{
    errors() = {};
}

cudaError_t enter(const char *call, cudaError_t code)
{
    if (configuration().driver != driver_kind::present)
        return report(cudaErrorInsufficientDriver);
    return report(failure(call, code, lost()));
}

cudaError_t enter_unsafe(const char *call, cudaError_t code)
{
    const cudaError_t error = enter(call, code);
    if (error == cudaSuccess && unsafe_in_capture())
        return report(cudaErrorStreamCaptureUnsupported);
    return error;
}

} // namespace cudadouble

using namespace cudadouble;

const char *cudaGetErrorName(cudaError_t error)
{
    const error_row *row = row_of(error);
    return row != nullptr ? row->name : "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error)
{
    const error_row *row = row_of(error);
    return row != nullptr ? row->text : "unrecognized error code";
}

cudaError_t cudaGetLastError(void)
{
    return configuration().driver != driver_kind::present ? cudaErrorInsufficientDriver : take_last();
}

cudaError_t cudaPeekAtLastError(void)
{
    if (configuration().driver != driver_kind::present)
        return cudaErrorInsufficientDriver;
    return lost() != cudaSuccess ? lost() : errors().last;
}
