/* SPDX-License-Identifier: Apache-2.0 */
/* CUDA's driver, loaded when it is asked for: a program that was built with this runs where there
 * is no driver, and is told so. Names and numbers are those of the driver's interface; the members
 * stand for cuInit and so on. */
#ifndef HR_CUDA_H
#define HR_CUDA_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef int hr_cuda_result; /* CUresult; 0 is success */
typedef int hr_cuda_device; /* CUdevice */
typedef struct hr_cuda_context hr_cuda_context;
typedef struct hr_cuda_stream hr_cuda_stream;

/* An entry point's member, its name in the library, its result and arguments. */
#define HR_CUDA_MAP(X)                                                                             \
    X(init, "cuInit", (unsigned flags))                                                            \
    X(driver_get_version, "cuDriverGetVersion", (int *version))                                    \
    X(device_get_count, "cuDeviceGetCount", (int *count))                                          \
    X(device_get, "cuDeviceGet", (hr_cuda_device * device, int ordinal))                           \
    X(get_error_name, "cuGetErrorName", (hr_cuda_result result, const char **name))                \
    X(context_retain, "cuDevicePrimaryCtxRetain",                                                  \
      (hr_cuda_context * *context, hr_cuda_device device))                                         \
    X(context_release, "cuDevicePrimaryCtxRelease_v2", (hr_cuda_device device))                    \
    X(context_push, "cuCtxPushCurrent_v2", (hr_cuda_context * context))                            \
    X(context_pop, "cuCtxPopCurrent_v2", (hr_cuda_context * *context))                             \
    X(mem_alloc, "cuMemAlloc_v2", (uint64_t * address, size_t len))                                \
    X(mem_free, "cuMemFree_v2", (uint64_t address))                                                \
    X(host_alloc, "cuMemHostAlloc", (void **address, size_t len, unsigned flags))                  \
    X(host_free, "cuMemFreeHost", (void *address))                                                 \
    X(stream_create, "cuStreamCreate", (hr_cuda_stream * *stream, unsigned flags))                 \
    X(stream_destroy, "cuStreamDestroy_v2", (hr_cuda_stream * stream))                             \
    X(stream_synchronize, "cuStreamSynchronize", (hr_cuda_stream * stream))                        \
    X(copy_async, "cuMemcpyAsync",                                                                 \
      (uint64_t target, uint64_t source, size_t len, hr_cuda_stream * stream))

typedef struct hr_cuda {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration cannot have them */
#define HR_CUDA_MEMBER(member, name, arguments) hr_cuda_result(*member) arguments;
    HR_CUDA_MAP(HR_CUDA_MEMBER)
#undef HR_CUDA_MEMBER
    void *library;
} hr_cuda;

#define HR_CUDA_LIBRARY            "libcuda.so.1"
#define HR_CUDA_VERSION_MIN        12000 /* of the driver: 12.0 */
#define HR_CUDA_PORTABLE           1u    /* CU_MEMHOSTALLOC_PORTABLE: pinned for every device */
#define HR_CUDA_STREAM_NONBLOCKING 1u

/* Loads the driver and starts it. HR_UNSUPPORTED: there is none, it is too old, or no GPU; error
 * has the sentence. */
HR_CHECKED hr_status hr_cuda_open(const char *library, hr_cuda *cuda_out, hr_error *error);
void hr_cuda_close(hr_cuda *cuda);

hr_status hr_cuda_status(hr_cuda_result result);

#endif
