/* SPDX-License-Identifier: Apache-2.0 */
/* The GPU and its driver, which is loaded while the program runs: a machine without one needs
 * nothing of it. The prototypes are those of cuda.h, as far as they are used here. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"
#include "sysfs.h"

#define TOPIC    "gpu"
#define TRY_LEN  ((size_t)2 << 20)
#define GPUS_MAX 16

enum {
    ATTRIBUTE_GPU_DIRECT_RDMA = 116,
    ATTRIBUTE_DMA_BUF = 124,
    HANDLE_DMA_BUF_FD = 1,
};

typedef struct driver {
    void *library;
    int (*init)(unsigned flags);
    int (*version)(int *version);
    int (*count)(int *count);
    int (*name)(char *name, int len, int device);
    int (*total)(size_t *len, int device);
    int (*bus_id)(char *id, int len, int device);
    int (*attribute)(int *value, int attribute, int device);
    int (*error_name)(int error, const char **name);
    int (*retain)(void **context, int device);
    int (*release)(int device);
    int (*set_current)(void *context);
    int (*alloc)(uint64_t *addr, size_t len);
    int (*free)(uint64_t addr);
    int (*to_device)(uint64_t target, const void *source, size_t len);
    int (*to_host)(void *target, uint64_t source, size_t len);
    int (*export)(int *handle, uint64_t addr, size_t len, int type, uint64_t flags);
} driver;

/* Held from hr_doctor_gpu to hr_doctor_gpu_release. */
static driver cuda;

static bool load(driver *into)
{
    const struct {
        const char *name;
        void *function;
    } symbols[] = {
        {"cuInit", &into->init},
        {"cuDriverGetVersion", &into->version},
        {"cuDeviceGetCount", &into->count},
        {"cuDeviceGetName", &into->name},
        {"cuDeviceTotalMem_v2", &into->total},
        {"cuDeviceGetPCIBusId", &into->bus_id},
        {"cuDeviceGetAttribute", &into->attribute},
        {"cuGetErrorName", &into->error_name},
        {"cuDevicePrimaryCtxRetain", &into->retain},
        {"cuDevicePrimaryCtxRelease_v2", &into->release},
        {"cuCtxSetCurrent", &into->set_current},
        {"cuMemAlloc_v2", &into->alloc},
        {"cuMemFree_v2", &into->free},
        {"cuMemcpyHtoD_v2", &into->to_device},
        {"cuMemcpyDtoH_v2", &into->to_host},
        {"cuMemGetHandleForAddressRange", &into->export},
    };
    into->library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    bool complete = into->library != NULL;
    for (size_t i = 0; complete && i < sizeof symbols / sizeof symbols[0]; i++) {
        void *found = dlsym(into->library, symbols[i].name);
        memcpy(symbols[i].function, &found, sizeof found);
        /* The export came with driver 515; without it there is only no dma-buf. */
        complete = found != NULL || symbols[i].function == (void *)&into->export;
    }
    return complete;
}

static const char *error_name(int error)
{
    const char *name = NULL;
    return cuda.error_name(error, &name) == 0 && name != NULL ? name : "an unknown error";
}

/* Display controllers of NVIDIA. */
static unsigned count_cards(const hr_doctor *doctor)
{
    hr_sysfs_names devices;
    unsigned count = 0;
    hr_sysfs_list(doctor->root, "/sys/bus/pci/devices", &devices);
    for (unsigned i = 0; i < devices.count; i++) {
        char path[HR_SYSFS_PATH_MAX];
        snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/vendor", devices.names[i]);
        bool nvidia = hr_sysfs_number(doctor->root, path) == 0x10DE;
        snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/class", devices.names[i]);
        count += nvidia && hr_sysfs_number(doctor->root, path) >> 16 == 0x03;
    }
    return count;
}

static void say_no_driver(const hr_doctor *doctor)
{
    unsigned cards = count_cards(doctor);
    if (cards == 0)
        hr_doctor_lacking(doctor, TOPIC, "devices", "headrace get SOURCE host:",
                          "no NVIDIA GPU on the PCI bus: content can end in host memory and files");
    else
        hr_doctor_lacking(doctor, TOPIC, "driver", "sudo apt-get install nvidia-driver",
                          "%u GPUs on the PCI bus, and no libcuda.so.1: the driver is missing",
                          cards);
}

/* Writes some memory of the current device and reads it back. */
static int try_memory(uint64_t addr)
{
    uint8_t sent[4096], came[4096] = {0};
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (uint8_t)(i * 7);
    int error = cuda.to_device(addr, sent, sizeof sent);
    if (error == 0)
        error = cuda.to_host(came, addr, sizeof came);
    return error != 0 || memcmp(sent, came, sizeof sent) == 0 ? error : -1;
}

static void export_memory(hr_doctor *doctor, int device, const char *name)
{
    int supported = 0, fd = -1;
    (void)cuda.attribute(&supported, ATTRIBUTE_DMA_BUF, device);
    int error =
        supported != 0 && cuda.export != NULL
            ? cuda.export(&fd, (uintptr_t)doctor->gpu_addr, doctor->gpu_len, HANDLE_DMA_BUF_FD, 0)
            : -1;
    if (error == 0) {
        doctor->gpu_dmabuf_fd = fd;
        hr_doctor_ok(doctor, TOPIC, name, "its memory can be handed out as a dma-buf");
        return;
    }
    hr_doctor_lacking(doctor, TOPIC, name, "sudo apt-get install nvidia-open-kernel-dkms",
                      "its memory cannot be handed out as a dma-buf (%s), which needs the open "
                      "kernel modules",
                      supported != 0 && cuda.export != NULL ? error_name(error) : "not supported");
}

/* The memory stays until hr_doctor_gpu_release. */
static void try_device(hr_doctor *doctor, int device, const char *name)
{
    void *context;
    uint64_t addr = 0;
    int error = cuda.retain(&context, device);
    if (error == 0)
        error = cuda.set_current(context);
    if (error == 0)
        error = cuda.alloc(&addr, TRY_LEN);
    if (error == 0) {
        memcpy(&doctor->gpu_addr, &addr, sizeof addr);
        doctor->gpu_len = TRY_LEN;
        error = try_memory(addr);
    }
    if (error != 0)
        hr_doctor_lacking(doctor, TOPIC, name, "nvidia-smi", "writing and reading its memory: %s",
                          error_name(error));
    else
        export_memory(doctor, device, name);
}

static void note_device(hr_doctor *doctor, int device)
{
    char model[80] = "", bus[32] = "", name[32];
    size_t total = 0;
    int direct = 0;
    (void)cuda.name(model, sizeof model, device);
    (void)cuda.bus_id(bus, sizeof bus, device);
    (void)cuda.total(&total, device);
    (void)cuda.attribute(&direct, ATTRIBUTE_GPU_DIRECT_RDMA, device);
    snprintf(name, sizeof name, "GPU %d", device);
    hr_doctor_ok(doctor, TOPIC, name, "%s, %zu GiB, PCI %s, GPUDirect RDMA %s", model, total >> 30,
                 bus, direct != 0 ? "yes" : "no");
    if (device == 0)
        try_device(doctor, device, name);
}

void hr_doctor_gpu(hr_doctor *doctor)
{
    if (!load(&cuda)) {
        say_no_driver(doctor);
        return;
    }
    int count = 0, version = 0, error = cuda.init(0);
    if (error == 0)
        error = cuda.count(&count);
    if (error != 0 || count == 0) {
        hr_doctor_lacking(doctor, TOPIC, "devices", "nvidia-smi", "asking the driver for GPUs: %s",
                          error != 0 ? error_name(error) : "it has none");
        return;
    }
    (void)cuda.version(&version);
    hr_doctor_ok(doctor, TOPIC, "driver", "libcuda.so.1, CUDA %d.%d", version / 1000,
                 version % 1000 / 10);
    doctor->gpus = (unsigned)count;
    for (int device = 0; device < count && device < GPUS_MAX; device++)
        note_device(doctor, device);
}

void hr_doctor_gpu_release(hr_doctor *doctor)
{
    if (doctor->gpu_dmabuf_fd >= 0)
        close(doctor->gpu_dmabuf_fd);
    if (doctor->gpu_addr != NULL) {
        (void)cuda.free((uintptr_t)doctor->gpu_addr);
        (void)cuda.set_current(NULL);
        (void)cuda.release(0);
    }
    if (cuda.library != NULL)
        dlclose(cuda.library);
    cuda = (driver){0};
    doctor->gpu_dmabuf_fd = -1;
    doctor->gpu_addr = NULL;
}
