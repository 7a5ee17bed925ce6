/* SPDX-License-Identifier: Apache-2.0 */
/* The GPU and its driver, by the calls that move shards into its memory. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cuda.h"
#include "doctor.h"
#include "memory.h"
#include "sysfs.h"

#define TOPIC    "gpu"
#define TRY_LEN  ((size_t)2 << 20)
#define GPUS_MAX 16

/* Held from hr_doctor_gpu to hr_doctor_gpu_release: the driver, and memory of the first GPU. */
static hr_cuda cuda;
static hr_memory *memory;
static hr_span tried;

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

static void say_no_driver(const hr_doctor *doctor, const hr_error *why)
{
    unsigned cards = count_cards(doctor);
    if (cards == 0)
        hr_doctor_lacking(
            doctor, TOPIC, "devices", "headrace get SOURCE host:",
            "no NVIDIA GPU on the PCI bus (%s): content can end in host memory and files",
            why->text);
    else
        hr_doctor_lacking(doctor, TOPIC, "driver", "sudo apt-get install nvidia-driver",
                          "%u GPUs on the PCI bus, and their driver cannot be used: %s", cards,
                          why->text);
}

/* Writes some of it and reads it back. HR_INTEGRITY: that was something else. */
static hr_status try_memory(void)
{
    uint8_t sent[4096], came[4096] = {0};
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (uint8_t)(i * 7);
    const hr_span from = hr_span_host(sent, sizeof sent), to = hr_span_host(came, sizeof came);
    hr_span there = tried;
    there.len = sizeof sent;
    hr_status status = memory->ops->copy(memory, &there, &from);
    if (status == HR_OK)
        status = memory->ops->copy(memory, &to, &there);
    return status == HR_OK && memcmp(sent, came, sizeof sent) != 0 ? HR_INTEGRITY : status;
}

static void export_memory(hr_doctor *doctor, const char *name)
{
    hr_span dmabuf;
    hr_status status = memory->ops->dmabuf(memory, &tried, &dmabuf);
    if (status == HR_OK) {
        doctor->gpu_dmabuf_fd = dmabuf.dmabuf_fd;
        hr_doctor_ok(doctor, TOPIC, name, "its memory can be handed out as a dma-buf");
        return;
    }
    hr_doctor_lacking(doctor, TOPIC, name, "sudo apt-get install nvidia-open-kernel-dkms",
                      "its memory cannot be handed out as a dma-buf (%s), which needs the open "
                      "kernel modules",
                      hr_status_text(status));
}

static hr_cuda_result flush_writes(hr_cuda_device device)
{
    hr_cuda_context *context;
    hr_cuda_result result = cuda.context_retain(&context, device);
    if (result != HR_CUDA_SUCCESS)
        return result;
    result = hr_cuda_enter(&cuda, context);
    if (result == HR_CUDA_SUCCESS) {
        result = cuda.flush_rdma_writes(HR_CUDA_RDMA_TARGET_CURRENT, HR_CUDA_RDMA_OWNER);
        hr_cuda_leave(&cuda);
    }
    (void)cuda.context_release(device);
    return result;
}

/* Whether what a NIC writes there can be read at once. */
static void examine_order(const hr_doctor *doctor, const char *name, hr_cuda_device device)
{
    const hr_cuda_rdma_order order = hr_cuda_find_rdma_order(&cuda, device);
    hr_cuda_result result = order == HR_CUDA_RDMA_FLUSHED ? flush_writes(device) : HR_CUDA_SUCCESS;
    if (result != HR_CUDA_SUCCESS)
        hr_doctor_lacking(doctor, TOPIC, name, "nvidia-smi",
                          "flushing what NICs write into its memory: %s; chunks are copied there",
                          hr_cuda_name(&cuda, result));
    else if (order == HR_CUDA_RDMA_UNORDERED)
        hr_doctor_lacking(doctor, TOPIC, name, "headrace get SOURCE cuda:0",
                          "nothing orders what NICs write into its memory before what its kernels "
                          "read: no GPUDirect, chunks are copied there");
    else
        hr_doctor_ok(doctor, TOPIC, name, "what NICs write into its memory is %s",
                     order == HR_CUDA_RDMA_ORDERED ? "ordered by the platform"
                                                   : "flushed by a call of the driver's");
}

/* The memory stays until hr_doctor_gpu_release. */
static void try_device(hr_doctor *doctor, const char *name)
{
    hr_page_kind pages;
    hr_status status = hr_memory_cuda_create(hr_env_system(), &cuda, 0, &memory);
    if (status == HR_OK)
        status = memory->ops->alloc(memory, TRY_LEN, &tried, &pages);
    if (status == HR_OK)
        status = try_memory();
    if (status != HR_OK) {
        hr_doctor_lacking(doctor, TOPIC, name, "nvidia-smi", "writing and reading its memory: %s",
                          hr_status_text(status));
        return;
    }
    doctor->gpu_addr = tried.addr;
    doctor->gpu_len = tried.len;
    export_memory(doctor, name);
}

static void note_device(hr_doctor *doctor, int number)
{
    char model[80] = "", bus[32] = "", name[32];
    size_t total = 0;
    int direct = 0;
    hr_cuda_device device;
    snprintf(name, sizeof name, "GPU %d", number);
    hr_cuda_result result = cuda.device_get(&device, number);
    if (result != HR_CUDA_SUCCESS) {
        hr_doctor_lacking(doctor, TOPIC, name, "nvidia-smi", "asking the driver for it: %s",
                          hr_cuda_name(&cuda, result));
        return;
    }
    (void)cuda.device_get_name(model, sizeof model, device);
    (void)cuda.device_get_bus_id(bus, sizeof bus, device);
    (void)cuda.device_total_mem(&total, device);
    (void)cuda.device_get_attribute(&direct, HR_CUDA_DEVICE_GPU_DIRECT_RDMA, device);
    hr_doctor_ok(doctor, TOPIC, name, "%s, %zu GiB, PCI %s, GPUDirect RDMA %s", model, total >> 30,
                 bus, direct != 0 ? "yes" : "no");
    if (number == 0) {
        try_device(doctor, name);
        examine_order(doctor, name, device);
    }
}

void hr_doctor_gpu(hr_doctor *doctor)
{
    int count = 0, version = 0;
    hr_error why = {.status = HR_OK};
    if (hr_cuda_open(HR_CUDA_LIBRARY, &cuda, &why) != HR_OK) {
        say_no_driver(doctor, &why);
        return;
    }
    (void)cuda.device_get_count(&count);
    (void)cuda.driver_get_version(&version);
    hr_doctor_ok(doctor, TOPIC, "driver", "%s, CUDA %d.%d", HR_CUDA_LIBRARY, version / 1000,
                 version % 1000 / 10);
    doctor->gpus = (unsigned)count;
    for (int number = 0; number < count && number < GPUS_MAX; number++)
        note_device(doctor, number);
}

void hr_doctor_gpu_release(hr_doctor *doctor)
{
    if (doctor->gpu_dmabuf_fd >= 0)
        close(doctor->gpu_dmabuf_fd);
    if (memory != NULL)
        memory->ops->release(memory, &tried);
    hr_memory_destroy(memory);
    hr_cuda_close(&cuda);
    memory = NULL;
    doctor->gpu_dmabuf_fd = -1;
    doctor->gpu_addr = NULL;
}
