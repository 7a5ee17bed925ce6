/* SPDX-License-Identifier: Apache-2.0 */
/* RDMA devices as libibverbs shows them: opened, their ports and addresses asked for, memory
 * registered with them. */
#include "doctor.h"
#include "sysfs.h"

#define TOPIC "rdma"

#ifndef HEADRACE_VERBS

void hr_doctor_verbs(hr_doctor *doctor)
{
    hr_doctor_lacking(doctor, TOPIC, "libibverbs",
                      "sudo apt-get install libibverbs-dev librdmacm-dev # and build it again",
                      "there is an RDMA device, and Headrace was built without libibverbs");
}

#else

#include <arpa/inet.h>
#include <errno.h>
#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GIDS_MAX 64
#define ACCESS   (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE)

static const char *speed_text(const struct ibv_port_attr *port, char *out, size_t size)
{
    /* Per lane, in tenths of Gb/s, by the bits of the InfiniBand specification. */
    static const struct {
        unsigned speed, tenths;
    } lanes[] = {{1, 25},   {2, 50},   {4, 100},  {8, 103},
                 {16, 141}, {32, 258}, {64, 531}, {128, 1062}};
    static const struct {
        unsigned width, count;
    } widths[] = {{1, 1}, {2, 4}, {4, 8}, {8, 12}, {16, 2}};
    unsigned tenths = 0;
    for (size_t i = 0; i < sizeof lanes / sizeof lanes[0]; i++)
        if (lanes[i].speed == port->active_speed)
            tenths = lanes[i].tenths;
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++)
        if (widths[i].width == port->active_width)
            tenths *= widths[i].count;
    snprintf(out, size, "%u.%u Gb/s", tenths / 10, tenths % 10);
    return out;
}

static const char *layer_name(uint8_t layer)
{
    return layer == IBV_LINK_LAYER_ETHERNET ? "RoCE" : "InfiniBand";
}

static void note_port(const hr_doctor *doctor, const char *device, uint8_t number,
                      const struct ibv_port_attr *port)
{
    char name[80], speed[32], remedy[160];
    snprintf(name, sizeof name, "%s port %u", device, number);
    if (port->state == IBV_PORT_ACTIVE) {
        hr_doctor_ok(doctor, TOPIC, name, "active, %s, %s, MTU %d", layer_name(port->link_layer),
                     speed_text(port, speed, sizeof speed), 128 << port->active_mtu);
        return;
    }
    if (port->link_layer == IBV_LINK_LAYER_ETHERNET)
        snprintf(remedy, sizeof remedy,
                 "sudo ip link set $(ls /sys/class/infiniband/%s/device/net) up", device);
    else
        snprintf(remedy, sizeof remedy, "sudo systemctl start opensm");
    hr_doctor_lacking(doctor, TOPIC, name, remedy, "%s: no cable, no peer, or switched off",
                      ibv_port_state_str(port->state));
}

static const char *gid_type(uint32_t type)
{
    return type == IBV_GID_TYPE_ROCE_V2   ? "RoCE v2"
           : type == IBV_GID_TYPE_ROCE_V1 ? "RoCE v1"
                                          : "IB";
}

/* Addresses that rdma_cm can reach: each with its index, which changes as addresses come and go. */
static void note_gids(const hr_doctor *doctor, const char *device, const struct ibv_gid_entry *gids,
                      ssize_t count)
{
    for (ssize_t i = 0; i < count; i++) {
        char name[80], text[INET6_ADDRSTRLEN];
        if (gids[i].gid_type == IBV_GID_TYPE_ROCE_V1)
            continue; /* not routable, and the same address is there as v2 */
        snprintf(name, sizeof name, "%s port %u GID %u", device, gids[i].port_num,
                 gids[i].gid_index);
        inet_ntop(AF_INET6, gids[i].gid.raw, text, sizeof text);
        hr_doctor_ok(doctor, TOPIC, name, "%s, %s", text, gid_type(gids[i].gid_type));
    }
    if (count > 0)
        return;
    char remedy[160];
    snprintf(remedy, sizeof remedy,
             "sudo ip address add 10.0.0.1/24 dev $(ls /sys/class/infiniband/%s/device/net)",
             device);
    hr_doctor_lacking(doctor, TOPIC, device, remedy,
                      "it has no address (GID): nobody can reach it");
}

static void examine_ports(const hr_doctor *doctor, struct ibv_context *context,
                          const struct ibv_device_attr *attributes)
{
    const char *device = ibv_get_device_name(context->device);
    struct ibv_gid_entry gids[GIDS_MAX] = {0};
    for (uint8_t number = 1; number <= attributes->phys_port_cnt; number++) {
        struct ibv_port_attr port = {0};
        if (ibv_query_port(context, number, &port) == 0)
            note_port(doctor, device, number, &port);
    }
    note_gids(doctor, device, gids, ibv_query_gid_table(context, gids, GIDS_MAX, 0));
}

/* The memory that a worker would register: as long as its pool, written by the far end. */
static void register_pool(const hr_doctor *doctor, struct ibv_pd *domain, const char *device)
{
    void *pool =
        mmap(NULL, doctor->pool_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pool == MAP_FAILED)
        return;
    struct ibv_mr *region = ibv_reg_mr(domain, pool, doctor->pool_len, ACCESS);
    char name[80];
    snprintf(name, sizeof name, "%s memory", device);
    if (region != NULL)
        hr_doctor_ok(doctor, TOPIC, name, "%zu MiB registered, writable from afar",
                     doctor->pool_len >> 20);
    else
        hr_doctor_lacking(doctor, TOPIC, name,
                          errno == ENOMEM ? "ulimit -l unlimited" : "sudo dmesg | tail",
                          "registering %zu MiB: %s", doctor->pool_len >> 20, strerror(errno));
    if (region != NULL)
        ibv_dereg_mr(region);
    munmap(pool, doctor->pool_len);
}

/* Where there is no GPU, a descriptor that is none: who has the call complains of the descriptor,
 * who has not, of the call. */
static void register_dmabuf(const hr_doctor *doctor, struct ibv_pd *domain, const char *device)
{
    bool real = doctor->gpu_dmabuf_fd >= 0;
    char name[80];
    snprintf(name, sizeof name, "%s dma-buf", device);
    struct ibv_mr *region =
        ibv_reg_dmabuf_mr(domain, 0, real ? doctor->gpu_len : 4096, (uintptr_t)doctor->gpu_addr,
                          doctor->gpu_dmabuf_fd, ACCESS);
    int error = region != NULL ? 0 : errno;
    if (region != NULL)
        ibv_dereg_mr(region);
    if (error == 0)
        hr_doctor_ok(doctor, TOPIC, name, "memory of GPU 0 registered");
    else if (!real && error == EBADF)
        hr_doctor_ok(doctor, TOPIC, name, "the device takes it (no GPU here to try it with)");
    else
        hr_doctor_lacking(doctor, TOPIC, name, "headrace get SOURCE host:",
                          "registering a dma-buf: %s; GPU memory is reached through host memory",
                          strerror(error));
}

static void register_peer(const hr_doctor *doctor, struct ibv_pd *domain, const char *device)
{
    char name[80];
    snprintf(name, sizeof name, "%s peer memory", device);
    if (doctor->gpu_addr == NULL) {
        bool loaded = hr_sysfs_has(doctor->root, "/sys/module/nvidia_peermem");
        hr_doctor_unknown(doctor, TOPIC, name, "",
                          "no GPU here to try it with; nvidia_peermem is %s",
                          loaded ? "loaded" : "not loaded");
        return;
    }
    struct ibv_mr *region = ibv_reg_mr(domain, doctor->gpu_addr, doctor->gpu_len, ACCESS);
    if (region != NULL)
        hr_doctor_ok(doctor, TOPIC, name, "memory of GPU 0 registered by its address");
    else
        hr_doctor_lacking(doctor, TOPIC, name, "sudo modprobe nvidia_peermem",
                          "registering memory of GPU 0 by its address: %s", strerror(errno));
    if (region != NULL)
        ibv_dereg_mr(region);
}

static void examine_memory(const hr_doctor *doctor, struct ibv_context *context)
{
    const char *device = ibv_get_device_name(context->device);
    struct ibv_pd *domain = ibv_alloc_pd(context);
    if (domain == NULL) {
        hr_doctor_lacking(doctor, TOPIC, device, "sudo dmesg | tail",
                          "making a protection domain: %s", strerror(errno));
        return;
    }
    register_pool(doctor, domain, device);
    register_dmabuf(doctor, domain, device);
    register_peer(doctor, domain, device);
    ibv_dealloc_pd(domain);
}

/* Soft-RoCE knows the interface that it is put upon as its parent. */
static void note_opened(const hr_doctor *doctor, const char *name,
                        const struct ibv_device_attr *attributes)
{
    char path[HR_SYSFS_PATH_MAX], parent[HR_SYSFS_NAME_MAX];
    snprintf(path, sizeof path, "/sys/class/infiniband/%s/parent", name);
    if (hr_sysfs_read(doctor->root, path, parent, sizeof parent))
        hr_doctor_ok(doctor, TOPIC, name, "opened; soft-RoCE over %s: RDMA by the processor",
                     parent);
    else
        hr_doctor_ok(doctor, TOPIC, name, "opened; firmware %s, %d queue pairs", attributes->fw_ver,
                     attributes->max_qp);
}

static void examine_device(hr_doctor *doctor, struct ibv_device *device)
{
    const char *name = ibv_get_device_name(device);
    struct ibv_device_attr attributes;
    struct ibv_context *context = ibv_open_device(device);
    if (context == NULL) {
        hr_doctor_lacking(doctor, TOPIC, name, "sudo chmod 666 /dev/infiniband/uverbs*",
                          "opening it: %s", strerror(errno));
        return;
    }
    int error = ibv_query_device(context, &attributes);
    if (error == 0) {
        doctor->nics++;
        note_opened(doctor, name, &attributes);
        examine_ports(doctor, context, &attributes);
        examine_memory(doctor, context);
    } else {
        hr_doctor_lacking(doctor, TOPIC, name, "sudo dmesg | tail", "asking it what it can do: %s",
                          strerror(error));
    }
    ibv_close_device(context);
}

static void examine_connections(const hr_doctor *doctor)
{
    struct rdma_event_channel *channel = rdma_create_event_channel();
    if (channel != NULL)
        hr_doctor_ok(doctor, TOPIC, "rdma_cm", "makes connections");
    else
        hr_doctor_lacking(doctor, TOPIC, "rdma_cm",
                          errno == EACCES ? "sudo chmod 666 /dev/infiniband/rdma_cm"
                                          : "sudo modprobe rdma_ucm",
                          "opening /dev/infiniband/rdma_cm: %s", strerror(errno));
    if (channel != NULL)
        rdma_destroy_event_channel(channel);
}

void hr_doctor_verbs(hr_doctor *doctor)
{
    int count = 0;
    struct ibv_device **devices = ibv_get_device_list(&count);
    if (devices == NULL || count == 0)
        hr_doctor_lacking(doctor, TOPIC, "libibverbs", "sudo apt-get install ibverbs-providers",
                          "the kernel has an RDMA device for which libibverbs has no driver");
    for (int i = 0; devices != NULL && i < count; i++)
        examine_device(doctor, devices[i]);
    if (devices != NULL)
        ibv_free_device_list(devices);
    examine_connections(doctor);
}

#endif
