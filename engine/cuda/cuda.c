/* SPDX-License-Identifier: Apache-2.0 */
#include "cuda.h"

#include <dlfcn.h>
#include <string.h>

/* The numbers of CUresult that mean something other than a broken device. */
enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    STUB_LIBRARY = 34,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    NOT_SUPPORTED = 801,
    SYSTEM_DRIVER_MISMATCH = 803,
};

hr_status hr_cuda_status(hr_cuda_result result)
{
    switch (result) {
    case SUCCESS:
        return HR_OK;
    case INVALID_VALUE:
        return HR_INVALID;
    case OUT_OF_MEMORY:
        return HR_NO_MEMORY;
    case INVALID_DEVICE:
        return HR_NOT_FOUND;
    case STUB_LIBRARY:
    case NO_DEVICE:
    case NOT_SUPPORTED:
    case SYSTEM_DRIVER_MISMATCH:
        return HR_UNSUPPORTED;
    default:
        return HR_IO;
    }
}

/* Returns the name that is missing, NULL if all are there. */
static const char *find_entries(hr_cuda *cuda)
{
    /* ISO C has no way from an object's pointer to a function's; POSIX has memcpy's. */
#define FIND(member, name, arguments)                                                              \
    do {                                                                                           \
        void *entry = dlsym(cuda->library, name);                                                  \
        if (entry == NULL)                                                                         \
            return name;                                                                           \
        memcpy(&cuda->member, &entry, sizeof entry);                                               \
    } while (0);
    HR_CUDA_MAP(FIND)
#undef FIND
    return NULL;
}

static hr_status start(const hr_cuda *cuda, hr_error *error)
{
    int version = 0, count = 0;
    const char *name = "?";
    hr_cuda_result result = cuda->driver_get_version(&version);
    if (result == SUCCESS && version < HR_CUDA_VERSION_MIN)
        return hr_error_set(error, HR_UNSUPPORTED,
                            "the GPU's driver is for CUDA %d.%d, and 12.0 is needed: update it",
                            version / 1000, version % 1000 / 10);
    if (result == SUCCESS)
        result = cuda->init(0);
    if (result == SUCCESS)
        result = cuda->device_get_count(&count);
    if (result == SUCCESS && count == 0)
        result = NO_DEVICE;
    if (result == SUCCESS)
        return HR_OK;
    (void)cuda->get_error_name(result, &name);
    return hr_error_set(error, HR_UNSUPPORTED,
                        "no GPU: the driver says %s (%d); nvidia-smi may say more", name, result);
}

hr_status hr_cuda_open(const char *library, hr_cuda *cuda_out, hr_error *error)
{
    hr_cuda cuda = {.library = dlopen(library, RTLD_NOW | RTLD_LOCAL)};
    if (cuda.library == NULL)
        return hr_error_set(error, HR_UNSUPPORTED,
                            "no GPU: %s cannot be loaded; it comes with NVIDIA's driver", library);
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
