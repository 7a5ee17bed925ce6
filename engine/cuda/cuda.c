/* SPDX-License-Identifier: Apache-2.0 */
#include "cuda.h"

#include <dlfcn.h>
#include <string.h>

/* The numbers of CUresult that mean something other than a broken device. */
enum {
    INVALID_VALUE = 1,
    STUB_LIBRARY = 34,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    UNSUPPORTED_PTX = 222,
    NOT_SUPPORTED = 801,
    SYSTEM_DRIVER_MISMATCH = 803,
};

hr_status hr_cuda_status(hr_cuda_result result)
{
    switch (result) {
    case HR_CUDA_SUCCESS:
        return HR_OK;
    case INVALID_VALUE:
        return HR_INVALID;
    case HR_CUDA_OUT_OF_MEMORY:
        return HR_NO_MEMORY;
    case INVALID_DEVICE:
        return HR_NOT_FOUND;
    case STUB_LIBRARY:
    case NO_DEVICE:
    case HR_CUDA_NO_BINARY:
    case UNSUPPORTED_PTX:
    case NOT_SUPPORTED:
    case SYSTEM_DRIVER_MISMATCH:
        return HR_UNSUPPORTED;
    default:
        return HR_IO;
    }
}

const char *hr_cuda_name(const hr_cuda *cuda, hr_cuda_result result)
{
    const char *name = NULL;
    return cuda->get_error_name(result, &name) == HR_CUDA_SUCCESS && name != NULL
               ? name
               : "an unknown error";
}

hr_cuda_result hr_cuda_enter(const hr_cuda *cuda, hr_cuda_context *context)
{
    return cuda->context_push(context);
}

void hr_cuda_leave(const hr_cuda *cuda)
{
    hr_cuda_context *left;
    (void)cuda->context_pop(&left);
}

static const struct {
    const char *name;
    size_t at; /* of its member */
} entries[] = {
/* NOLINTNEXTLINE(bugprone-macro-parentheses): a member is a name */
#define ENTRY(member, name, arguments) {name, offsetof(hr_cuda, member)},
    HR_CUDA_MAP(ENTRY)
#undef ENTRY
};

/* Returns the name that is missing, NULL if all are there. */
static const char *find_entries(hr_cuda *cuda)
{
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        void *entry = dlsym(cuda->library, entries[i].name);
        if (entry == NULL)
            return entries[i].name;
        /* ISO C has no way from an object's pointer to a function's; POSIX has memcpy's. */
        memcpy((char *)cuda + entries[i].at, &entry, sizeof entry);
    }
    return NULL;
}

static hr_status start(const hr_cuda *cuda, hr_error *error)
{
    int version = 0, count = 0;
    hr_cuda_result result = cuda->driver_get_version(&version);
    if (result == HR_CUDA_SUCCESS && version < HR_CUDA_VERSION_MIN)
        return hr_error_set(error, HR_UNSUPPORTED,
                            "the GPU's driver is for CUDA %d.%d, and 12.0 is needed: update it",
                            version / 1000, version % 1000 / 10);
    if (result == HR_CUDA_SUCCESS)
        result = cuda->init(0);
    if (result == HR_CUDA_SUCCESS)
        result = cuda->device_get_count(&count);
    if (result == HR_CUDA_SUCCESS && count == 0)
        result = NO_DEVICE;
    if (result == HR_CUDA_SUCCESS)
        return HR_OK;
    return hr_error_set(error, HR_UNSUPPORTED, "the driver says %s (%d); nvidia-smi may say more",
                        hr_cuda_name(cuda, result), result);
}

hr_status hr_cuda_open(const char *library, hr_cuda *cuda_out, hr_error *error)
{
    hr_cuda cuda = {.library = dlopen(library, RTLD_NOW | RTLD_LOCAL)};
    if (cuda.library == NULL)
        return hr_error_set(error, HR_UNSUPPORTED,
                            "%s cannot be loaded; it comes with NVIDIA's driver", library);
    const char *missing = find_entries(&cuda);
    hr_status status = HR_OK;
    if (missing != NULL)
        status =
            hr_error_set(error, HR_UNSUPPORTED,
                         "the GPU's driver is too old: %s has no %s; update it", library, missing);
    else
        status = start(&cuda, error);
    if (status != HR_OK) {
        hr_cuda_close(&cuda);
        return status;
    }
    *cuda_out = cuda;
    return HR_OK;
}

void hr_cuda_close(hr_cuda *cuda)
{
    if (cuda->library != NULL)
        dlclose(cuda->library);
    memset(cuda, 0, sizeof *cuda);
}

/* cuda.h of CUDA 13.0, cuFlushGPUDirectRDMAWrites. */
hr_cuda_rdma_order hr_cuda_find_rdma_order(const hr_cuda *cuda, hr_cuda_device device)
{
    int ordering = 0, flushes = 0;
    if (cuda->device_get_attribute(&ordering, HR_CUDA_DEVICE_RDMA_ORDERING, device) != 0)
        ordering = 0;
    if (cuda->device_get_attribute(&flushes, HR_CUDA_DEVICE_RDMA_FLUSHES, device) != 0)
        flushes = 0;
    if (ordering >= HR_CUDA_RDMA_OWNER)
        return HR_CUDA_RDMA_ORDERED;
    return (flushes & HR_CUDA_RDMA_FLUSHES_HOST) != 0 ? HR_CUDA_RDMA_FLUSHED
                                                      : HR_CUDA_RDMA_UNORDERED;
}
