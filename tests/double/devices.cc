/* Devices: how many, what they are, which is current. */
#include "runtime.h"

#include <cstdio>
#include <cstring>

namespace cudadouble
{

namespace
{

int &current()
{
    static int device = 0;
    return device;
}

cudaError_t check_device(int device)
{
    const bool there = device >= 0 && device < static_cast<int>(configuration().visible.size());
    return there ? cudaSuccess : report(cudaErrorInvalidDevice);
}

/* Of an H100; what the project asks for and nothing else. */
int attribute_of(cudaDeviceAttr attribute)
{
    switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor:
        return configuration().major;
    case cudaDevAttrComputeCapabilityMinor:
        return configuration().minor;
    case cudaDevAttrMultiProcessorCount:
        return 132;
    case cudaDevAttrClockRate:
        return 1980000; /* kHz */
    case cudaDevAttrMaxThreadsPerBlock:
        return 1024;
    case cudaDevAttrWarpSize:
        return 32;
    case cudaDevAttrMaxSharedMemoryPerBlock:
        return 48 << 10;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        return 227 << 10;
    case cudaDevAttrIntegrated:
        return 0;
    default:
        misuse("cudaDeviceGetAttribute: attribute %d is not in the double", static_cast<int>(attribute));
    }
}

} // namespace

int current_device()
{
    return current();
}

int physical_device()
{
    const auto &visible = configuration().visible;
    return visible.empty() ? -1 : visible[static_cast<size_t>(current())];
}

} // namespace cudadouble

using namespace cudadouble;

cudaError_t cudaGetDeviceCount(int *count)
{
    const cudaError_t error = enter("cudaGetDeviceCount", cudaErrorInitializationError);
    if (error != cudaSuccess)
        return error;
    if (configuration().visible.empty())
        return report(cudaErrorNoDevice);
    *count = static_cast<int>(configuration().visible.size());
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    const driver_kind driver = configuration().driver;
    *version = driver == driver_kind::none ? 0 : driver == driver_kind::old ? 11000 : CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    cudaError_t error = enter("cudaSetDevice", cudaErrorDevicesUnavailable);
    if (error == cudaSuccess)
        error = check_device(device);
    if (error == cudaSuccess)
        current() = device;
    return error;
}

cudaError_t cudaGetDevice(int *device)
{
    const cudaError_t error = enter("cudaGetDevice", cudaErrorInitializationError);
    if (error == cudaSuccess)
        *device = current();
    return error;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
    cudaError_t error = enter("cudaDeviceGetAttribute", cudaErrorInitializationError);
    if (error == cudaSuccess)
        error = check_device(device);
    if (error == cudaSuccess)
        *value = attribute_of(attribute);
    return error;
}

cudaError_t cudaDeviceGetPCIBusId(char *id, int bytes, int device)
{
    cudaError_t error = enter("cudaDeviceGetPCIBusId", cudaErrorInitializationError);
    if (error == cudaSuccess)
        error = check_device(device);
    if (error != cudaSuccess)
        return error;
    if (bytes < 13)
        return report(cudaErrorInvalidValue);
    snprintf(id, static_cast<size_t>(bytes), "0000:%02x:00.0",
             16 + configuration().visible[static_cast<size_t>(device)]);
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
    cudaError_t error = enter("cudaGetDeviceProperties", cudaErrorInitializationError);
    if (error == cudaSuccess)
        error = check_device(device);
    if (error != cudaSuccess)
        return error;
    cudaDeviceProp p{};
    const int number = configuration().visible[static_cast<size_t>(device)];
    snprintf(p.name, sizeof p.name, "Double %d", number);
    memset(p.uuid.bytes, number + 1, sizeof p.uuid.bytes);
    p.totalGlobalMem = configuration().memory;
    p.major = attribute_of(cudaDevAttrComputeCapabilityMajor);
    p.minor = attribute_of(cudaDevAttrComputeCapabilityMinor);
    p.multiProcessorCount = attribute_of(cudaDevAttrMultiProcessorCount);
    p.maxThreadsPerBlock = attribute_of(cudaDevAttrMaxThreadsPerBlock);
    p.warpSize = attribute_of(cudaDevAttrWarpSize);
    p.sharedMemPerBlock = static_cast<size_t>(attribute_of(cudaDevAttrMaxSharedMemoryPerBlock));
    p.sharedMemPerBlockOptin = static_cast<size_t>(attribute_of(cudaDevAttrMaxSharedMemoryPerBlockOptin));
    p.pciBusID = 16 + number;
    *properties = p;
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void)
{
    const cudaError_t error = enter_unsafe("cudaDeviceSynchronize", cudaErrorIllegalAddress);
    if (error != cudaSuccess)
        return error;
    drain_device(current());
    return lost();
}

/* The project destroys what it makes: a reset is for a device that has nothing left. */
cudaError_t cudaDeviceReset(void)
{
    const cudaError_t error = enter_unsafe("cudaDeviceReset", cudaErrorUnknown);
    if (error == cudaSuccess && live_objects() + live_allocations() > 0)
        misuse("cudaDeviceReset: %zu objects and allocations are alive", live_objects() + live_allocations());
    return error;
}

cudaError_t cudaFuncSetAttribute(const void *, cudaFuncAttribute attribute, int value)
{
    const cudaError_t error = enter("cudaFuncSetAttribute", cudaErrorInvalidDeviceFunction);
    if (error != cudaSuccess)
        return error;
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize)
        misuse("cudaFuncSetAttribute: attribute %d is not in the double", static_cast<int>(attribute));
    const bool fits = value >= 0 && value <= attribute_of(cudaDevAttrMaxSharedMemoryPerBlockOptin);
    return fits ? cudaSuccess : report(cudaErrorInvalidValue);
}
