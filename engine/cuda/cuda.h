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
typedef struct hr_cuda_event hr_cuda_event;
typedef struct hr_cuda_module hr_cuda_module;
typedef struct hr_cuda_function hr_cuda_function;

/* An entry point's member, its name in the library, its result and arguments. */
#define HR_CUDA_MAP(X)                                                                             \
    X(init, "cuInit", (unsigned flags))                                                            \
    X(driver_get_version, "cuDriverGetVersion", (int *version))                                    \
    X(device_get_count, "cuDeviceGetCount", (int *count))                                          \
    X(device_get, "cuDeviceGet", (hr_cuda_device * device, int ordinal))                           \
    X(device_get_name, "cuDeviceGetName", (char *name, int len, hr_cuda_device device))            \
    X(device_get_attribute, "cuDeviceGetAttribute",                                                \
      (int *value, int attribute, hr_cuda_device device))                                          \
    X(device_total_mem, "cuDeviceTotalMem_v2", (size_t * len, hr_cuda_device device))              \
    X(device_get_bus_id, "cuDeviceGetPCIBusId", (char *id, int len, hr_cuda_device device))        \
    X(get_error_name, "cuGetErrorName", (hr_cuda_result result, const char **name))                \
    X(context_retain, "cuDevicePrimaryCtxRetain",                                                  \
      (hr_cuda_context * *context, hr_cuda_device device))                                         \
    X(context_release, "cuDevicePrimaryCtxRelease_v2", (hr_cuda_device device))                    \
    X(context_push, "cuCtxPushCurrent_v2", (hr_cuda_context * context))                            \
    X(context_pop, "cuCtxPopCurrent_v2", (hr_cuda_context * *context))                             \
    X(mem_alloc, "cuMemAlloc_v2", (uint64_t * address, size_t len))                                \
    X(mem_free, "cuMemFree_v2", (uint64_t address))                                                \
    X(mem_get_info, "cuMemGetInfo_v2", (size_t * free_len, size_t * total_len))                    \
    X(mem_get_handle, "cuMemGetHandleForAddressRange",                                             \
      (void *handle, uint64_t address, size_t len, int type, unsigned long long flags))            \
    X(flush_rdma_writes, "cuFlushGPUDirectRDMAWrites", (int target, int scope))                    \
    X(pointer_get_attribute, "cuPointerGetAttribute",                                              \
      (void *value, int attribute, uint64_t pointer))                                              \
    X(host_register, "cuMemHostRegister_v2", (void *address, size_t len, unsigned flags))          \
    X(host_unregister, "cuMemHostUnregister", (void *address))                                     \
    X(host_alloc, "cuMemHostAlloc", (void **address, size_t len, unsigned flags))                  \
    X(host_free, "cuMemFreeHost", (void *address))                                                 \
    X(stream_create, "cuStreamCreate", (hr_cuda_stream * *stream, unsigned flags))                 \
    X(stream_destroy, "cuStreamDestroy_v2", (hr_cuda_stream * stream))                             \
    X(stream_synchronize, "cuStreamSynchronize", (hr_cuda_stream * stream))                        \
    X(stream_wait_event, "cuStreamWaitEvent",                                                      \
      (hr_cuda_stream * stream, hr_cuda_event * event, unsigned flags))                            \
    X(event_create, "cuEventCreate", (hr_cuda_event * *event, unsigned flags))                     \
    X(event_destroy, "cuEventDestroy_v2", (hr_cuda_event * event))                                 \
    X(event_record, "cuEventRecord", (hr_cuda_event * event, hr_cuda_stream * stream))             \
    X(event_query, "cuEventQuery", (hr_cuda_event * event))                                        \
    X(event_synchronize, "cuEventSynchronize", (hr_cuda_event * event))                            \
    X(copy_async, "cuMemcpyAsync",                                                                 \
      (uint64_t target, uint64_t source, size_t len, hr_cuda_stream * stream))                     \
    X(module_load, "cuModuleLoadData", (hr_cuda_module * *module, const void *image))              \
    X(module_unload, "cuModuleUnload", (hr_cuda_module * module))                                  \
    X(module_get_function, "cuModuleGetFunction",                                                  \
      (hr_cuda_function * *function, hr_cuda_module * module, const char *name))                   \
    X(launch, "cuLaunchKernel",                                                                    \
      (hr_cuda_function * function, unsigned grid_x, unsigned grid_y, unsigned grid_z,             \
       unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_len,                  \
       hr_cuda_stream *stream, void **arguments, void **extra))

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
#define HR_CUDA_EVENT_QUIET        3u /* blocking synchronisation, no timing */

/* Of cuDeviceGetAttribute. */
enum {
    HR_CUDA_DEVICE_MULTIPROCESSORS = 16,
    HR_CUDA_DEVICE_MAJOR = 75,
    HR_CUDA_DEVICE_MINOR = 76,
    HR_CUDA_DEVICE_GPU_DIRECT_RDMA = 116,
    HR_CUDA_DEVICE_RDMA_FLUSHES = 117,  /* bits; 1: cuFlushGPUDirectRDMAWrites */
    HR_CUDA_DEVICE_RDMA_ORDERING = 118, /* 0: none; HR_CUDA_RDMA_OWNER; 200: all devices */
    HR_CUDA_DEVICE_DMA_BUF = 124,
};

/* Of cuPointerGetAttribute. */
enum {
    HR_CUDA_POINTER_MEMORY_TYPE = 2, /* u32: 1 the host's, 2 a device's */
    HR_CUDA_POINTER_DEVICE = 9,      /* int: its ordinal */
    HR_CUDA_POINTER_RANGE_START = 11,
    HR_CUDA_POINTER_RANGE_LEN = 12,
};

#define HR_CUDA_HANDLE_DMA_BUF_FD 1 /* of cuMemGetHandleForAddressRange */

/* What a NIC has written is seen by kernels of the GPU that owns the memory: a scope of
 * cuFlushGPUDirectRDMAWrites, and what the platform may order by itself. */
#define HR_CUDA_RDMA_OWNER          100
#define HR_CUDA_RDMA_FLUSHES_HOST   1
#define HR_CUDA_RDMA_TARGET_CURRENT 0

/* Results that callers tell apart. */
enum {
    HR_CUDA_SUCCESS = 0,
    HR_CUDA_OUT_OF_MEMORY = 2,
    HR_CUDA_NO_BINARY = 209, /* nothing in the image for this GPU */
    HR_CUDA_NOT_READY = 600,
};

/* Loads the driver and starts it. HR_UNSUPPORTED: there is none, it is too old, or no GPU; error
 * has the sentence. */
HR_CHECKED hr_status hr_cuda_open(const char *library, hr_cuda *cuda_out, hr_error *error);
void hr_cuda_close(hr_cuda *cuda);

/* What makes a kernel of the GPU see what a NIC wrote into its memory before. */
typedef enum hr_cuda_rdma_order {
    HR_CUDA_RDMA_UNORDERED, /* nothing does */
    HR_CUDA_RDMA_FLUSHED,   /* flush_rdma_writes, up to HR_CUDA_RDMA_OWNER */
    HR_CUDA_RDMA_ORDERED,   /* the platform, by itself */
} hr_cuda_rdma_order;
hr_cuda_rdma_order hr_cuda_find_rdma_order(const hr_cuda *cuda, hr_cuda_device device);

hr_status hr_cuda_status(hr_cuda_result result);
/* "CUDA_ERROR_OUT_OF_MEMORY" */
const char *hr_cuda_name(const hr_cuda *cuda, hr_cuda_result result);
/* The context is current on this thread between the two. */
HR_CHECKED hr_cuda_result hr_cuda_enter(const hr_cuda *cuda, hr_cuda_context *context);
void hr_cuda_leave(const hr_cuda *cuda);

#endif
