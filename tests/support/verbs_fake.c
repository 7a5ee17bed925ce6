/* SPDX-License-Identifier: Apache-2.0 */
/* The fake's devices and memory, and what a test tells and asks it. */
#include "verbs_fake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verbs_fake_parts.h"

fake hr_fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

const char *const hr_verbs_fake_names[] = {
    "get_addresses",
    "cm_get_devices",
    "query_device",
    "query_port",
    "alloc_pd",
    "reg_mr",
    "reg_dmabuf_mr",
    "dereg_mr",
    "create_cq",
    "poll_cq",
    "req_notify_cq",
    "get_cq_event",
    "post_send",
    "post_recv",
    "cm_create_id",
    "cm_migrate_id",
    "cm_bind_addr",
    "cm_listen",
    "cm_resolve_addr",
    "cm_create_qp",
    "cm_set_option",
    "cm_resolve_route",
    "cm_connect",
    "cm_accept",
    "cm_disconnect",
    "cm_get_event",
    "create_comp_channel",
    "cm_create_event_channel",
    NULL,
};

void *fake_alloc(size_t len)
{
    void *memory = calloc(1, len);
    if (memory == NULL)
        abort();
    return memory;
}

void fake_complain(const char *format, ...)
{
    va_list arguments;
    if (hr_fake.complaint[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(hr_fake.complaint, sizeof hr_fake.complaint, format, arguments);
    va_end(arguments);
}

bool fake_fails(const char *name)
{
    fake_lock();
    bool fails = hr_fake.fail_name != NULL && strcmp(hr_fake.fail_name, name) == 0 &&
                 --hr_fake.fail_nth == 0;
    int error = hr_fake.fail_error;
    if (fails) {
        hr_fake.fail_name = NULL;
        hr_fake.has_failed = true;
    }
    fake_unlock();
    if (fails)
        errno = error;
    return fails;
}

/* ---- devices ---- */

static struct ibv_device **fake_get_device_list(int *count_out)
{
    fake_lock();
    hr_fake.lists++;
    fake_unlock();
    *count_out = (int)hr_fake.device_count;
    return hr_fake.list;
}

static void fake_free_device_list(struct ibv_device **list)
{
    fake_lock();
    if (list != hr_fake.list || hr_fake.lists-- == 0)
        fake_complain("a list of devices was freed that was not taken");
    fake_unlock();
}

static struct ibv_context *fake_open_device(struct ibv_device *device)
{
    if (hr_fake.setup.open_error != 0) {
        errno = hr_fake.setup.open_error;
        return NULL;
    }
    return &HR_CONTAINER(device, fake_device, device)->context;
}

static int fake_close_device(struct ibv_context *context)
{
    (void)context;
    return 0;
}

static struct ibv_context **fake_cm_get_devices(int *count_out)
{
    if (fake_fails("cm_get_devices"))
        return NULL;
    bool is_closed = hr_fake.setup.open_error != 0 || hr_fake.device_count == 0;
    *count_out = is_closed ? 0 : (int)hr_fake.device_count;
    if (is_closed) {
        errno = ENODEV;
        return NULL;
    }
    fake_lock();
    hr_fake.lists++;
    fake_unlock();
    return hr_fake.contexts;
}

static void fake_cm_free_devices(struct ibv_context **list)
{
    fake_lock();
    if (list != hr_fake.contexts || hr_fake.lists-- == 0)
        fake_complain("a list of contexts was freed that was not taken");
    if (hr_fake.pds > 0 || !hr_list_is_empty(&hr_fake.ids))
        fake_complain("devices were given back while something stands on them");
    fake_unlock();
}

static int fake_query_device(struct ibv_context *context, struct ibv_device_attr *attr_out)
{
    (void)context;
    if (fake_fails("query_device"))
        return errno;
    *attr_out = (struct ibv_device_attr){
        .vendor_id = hr_fake.setup.is_soft ? 0xFFFFFF : 0x1234,
        .max_qp_wr = hr_fake.setup.max_qp_wr != 0 ? hr_fake.setup.max_qp_wr : 1024,
        .max_mr_size = hr_fake.setup.max_mr_size != 0 ? hr_fake.setup.max_mr_size : UINT64_MAX,
        .max_cqe = 4096,
        .phys_port_cnt = 1,
    };
    return 0;
}

static int fake_query_port(struct ibv_context *context, uint8_t port,
                           struct ibv_port_attr *attr_out)
{
    (void)context;
    if (fake_fails("query_port"))
        return errno;
    if (port != 1)
        return EINVAL;
    *attr_out = (struct ibv_port_attr){
        .state = hr_fake.setup.is_down ? IBV_PORT_DOWN : IBV_PORT_ACTIVE,
        .active_speed = 32, /* 25 Gb/s */
        .active_width = 2,  /* four lanes */
    };
    return 0;
}

/* ---- memory ---- */

static struct ibv_pd *fake_alloc_pd(struct ibv_context *context)
{
    if (fake_fails("alloc_pd"))
        return NULL;
    struct ibv_pd *pd = fake_alloc(sizeof *pd);
    pd->context = context;
    fake_lock();
    hr_fake.pds++;
    fake_unlock();
    return pd;
}

static int fake_dealloc_pd(struct ibv_pd *pd)
{
    fake_lock();
    for (hr_list *node = hr_fake.mrs.next; node != &hr_fake.mrs; node = node->next)
        if (HR_CONTAINER(node, fake_mr, node)->mr.pd == pd)
            fake_complain("a protection domain was freed before its memory regions");
    for (hr_list *node = hr_fake.qps.next; node != &hr_fake.qps; node = node->next)
        if (HR_CONTAINER(node, fake_qp, node)->qp.pd == pd)
            fake_complain("a protection domain was freed before its queue pairs");
    hr_fake.pds--;
    fake_unlock();
    free(pd);
    return 0;
}

fake_mr *fake_mr_of(uint32_t key)
{
    for (hr_list *node = hr_fake.mrs.next; node != &hr_fake.mrs; node = node->next)
        if (HR_CONTAINER(node, fake_mr, node)->mr.lkey == key)
            return HR_CONTAINER(node, fake_mr, node);
    return NULL;
}

static struct ibv_mr *add_mr(struct ibv_pd *pd, void *addr, size_t len, int access, uint64_t gpu)
{
    fake_lock();
    uint64_t max = hr_fake.setup.max_mr_size;
    if (access != IBV_ACCESS_LOCAL_WRITE &&
        access != (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE))
        fake_complain("memory was registered with access 0x%x", (unsigned)access);
    if (max != 0 && len > max)
        fake_complain("%zu bytes were registered at once, the device takes %llu", len,
                      (unsigned long long)max);
    if (hr_fake.setup.locked_max != 0 && hr_fake.locked + len > hr_fake.setup.locked_max) {
        fake_unlock();
        errno = ENOMEM;
        return NULL;
    }
    fake_mr *mr = fake_alloc(sizeof *mr);
    uint32_t key = hr_fake.next_key += 7; /* lkey and rkey differ, so that a mix-up shows */
    mr->mr = (struct ibv_mr){.context = pd->context,
                             .pd = pd,
                             .addr = addr,
                             .length = len,
                             .lkey = key,
                             .rkey = key + 1};
    mr->access = access;
    mr->gpu = gpu;
    hr_list_append(&hr_fake.mrs, &mr->node);
    hr_fake.locked += len;
    hr_fake.counters.regions++;
    hr_fake.counters.registrations++;
    if (len > hr_fake.counters.longest_mr)
        hr_fake.counters.longest_mr = len;
    fake_unlock();
    return &mr->mr;
}

static struct ibv_mr *fake_reg_mr(struct ibv_pd *pd, void *addr, size_t len, int access)
{
    const hr_verbs_fake_gpu *gpu = hr_fake.setup.gpu;
    const uint64_t at = (uint64_t)(uintptr_t)addr;
    if (fake_fails("reg_mr"))
        return NULL;
    bool is_gpus = gpu != NULL && gpu->has(at, len) != 0;
    if (is_gpus && !hr_fake.setup.has_peer_memory) {
        errno = EFAULT;
        return NULL;
    }
    return add_mr(pd, addr, len, access, is_gpus ? at : 0);
}

static struct ibv_mr *fake_reg_dmabuf_mr(struct ibv_pd *pd, uint64_t offset, size_t len,
                                         uint64_t iova, int fd, int access)
{
    if (fake_fails("reg_dmabuf_mr"))
        return NULL;
    if (fcntl(fd, F_GETFD) < 0)
        return NULL; /* EBADF, as the kernel has it */
    const hr_verbs_fake_gpu *gpu = hr_fake.setup.gpu;
    const uint64_t at = gpu != NULL ? gpu->dmabuf(fd, offset) : 0;
    if (gpu != NULL && (at == 0 || gpu->has(at, len) == 0)) {
        errno = EINVAL;
        return NULL;
    }
    fake_lock();
    hr_fake.counters.dmabuf_fd = fd;
    hr_fake.counters.dmabuf_offset = offset;
    if (offset % 4096 != iova % 4096)
        fake_complain("a dma-buf's offset and its address differ within the page");
    fake_unlock();
    return add_mr(pd, (void *)(uintptr_t)iova, len, access, at);
}

static int fake_dereg_mr(struct ibv_mr *base)
{
    fake_mr *mr = HR_CONTAINER(base, fake_mr, mr);
    /* It is gone all the same: nobody could ask again. */
    int error = fake_fails("dereg_mr") ? errno : 0;
    fake_lock();
    if (mr->gpu != 0 && hr_fake.setup.gpu->has(mr->gpu, mr->mr.length) == 0)
        fake_complain("a GPU's memory was released before it was deregistered");
    for (hr_list *node = hr_fake.qps.next; node != &hr_fake.qps; node = node->next) {
        fake_qp *qp = HR_CONTAINER(node, fake_qp, node);
        for (hr_list *at = qp->queue.next; at != &qp->queue; at = at->next) {
            const fake_wr *wr = HR_CONTAINER(at, fake_wr, node);
            if (!wr->is_inline && wr->lkey == mr->mr.lkey)
                fake_complain("memory was deregistered while a work request reads from it");
        }
    }
    hr_list_remove(&mr->node);
    hr_fake.locked -= mr->mr.length;
    hr_fake.counters.regions--;
    fake_unlock();
    free(mr);
    return error;
}

/* ---- opening and closing ---- */

static const hr_verbs_calls calls = {
    .get_device_list = fake_get_device_list,
    .free_device_list = fake_free_device_list,
    .open_device = fake_open_device,
    .close_device = fake_close_device,
    .query_device = fake_query_device,
    .query_port = fake_query_port,
    .alloc_pd = fake_alloc_pd,
    .dealloc_pd = fake_dealloc_pd,
    .reg_mr = fake_reg_mr,
    .reg_dmabuf_mr = fake_reg_dmabuf_mr,
    .dereg_mr = fake_dereg_mr,
    .create_comp_channel = fake_create_comp_channel,
    .destroy_comp_channel = fake_destroy_comp_channel,
    .create_cq = fake_create_cq,
    .destroy_cq = fake_destroy_cq,
    .poll_cq = fake_poll_cq,
    .req_notify_cq = fake_req_notify_cq,
    .get_cq_event = fake_get_cq_event,
    .ack_cq_events = fake_ack_cq_events,
    .post_send = fake_post_send,
    .post_recv = fake_post_recv,
    .get_addresses = fake_get_addresses,
    .free_addresses = fake_free_addresses,
    .cm_get_devices = fake_cm_get_devices,
    .cm_free_devices = fake_cm_free_devices,
    .cm_create_event_channel = fake_cm_create_event_channel,
    .cm_destroy_event_channel = fake_cm_destroy_event_channel,
    .cm_create_id = fake_cm_create_id,
    .cm_destroy_id = fake_cm_destroy_id,
    .cm_migrate_id = fake_cm_migrate_id,
    .cm_set_option = fake_cm_set_option,
    .cm_bind_addr = fake_cm_bind_addr,
    .cm_listen = fake_cm_listen,
    .cm_resolve_addr = fake_cm_resolve_addr,
    .cm_resolve_route = fake_cm_resolve_route,
    .cm_create_qp = fake_cm_create_qp,
    .cm_destroy_qp = fake_cm_destroy_qp,
    .cm_connect = fake_cm_connect,
    .cm_accept = fake_cm_accept,
    .cm_reject = fake_cm_reject,
    .cm_disconnect = fake_cm_disconnect,
    .cm_get_event = fake_cm_get_event,
    .cm_ack_event = fake_cm_ack_event,
};

const hr_verbs_calls *hr_verbs_fake_calls(void)
{
    return &calls;
}

static void make_devices(const hr_verbs_fake_setup *setup)
{
    hr_fake.device_count = setup->devices != 0 ? setup->devices : 1;
    if (setup->has_none)
        hr_fake.device_count = 0;
    for (unsigned i = 0; i < hr_fake.device_count; i++) {
        fake_device *device = &hr_fake.devices[i];
        *device = (fake_device){0};
        snprintf(device->device.name, sizeof device->device.name, "fake%u", i);
        snprintf(device->device.dev_name, sizeof device->device.dev_name, "uverbs%u", i);
        device->context.device = &device->device;
        hr_fake.list[i] = &device->device;
        hr_fake.contexts[i] = &device->context;
    }
}

void hr_verbs_fake_open(const hr_verbs_fake_setup *setup)
{
    if (hr_fake.is_open)
        abort();
    hr_fake = (fake){
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .work = PTHREAD_COND_INITIALIZER,
        .is_open = true,
        .setup = *setup,
        .next_key = 1000,
        .next_port = 40000,
        .counters.dmabuf_fd = -1,
    };
    make_devices(setup);
    hr_list_init(&hr_fake.mrs);
    hr_list_init(&hr_fake.qps);
    hr_list_init(&hr_fake.ids);
    if (pthread_create(&hr_fake.nic, NULL, fake_nic_run, NULL) != 0)
        abort();
}

const char *hr_verbs_fake_close(void)
{
    fake_lock();
    hr_fake.is_stopping = true;
    pthread_cond_signal(&hr_fake.work);
    fake_unlock();
    pthread_join(hr_fake.nic, NULL);
    if (hr_fake.counters.regions + hr_fake.counters.queue_pairs + hr_fake.pds + hr_fake.cqs +
            hr_fake.comp_channels + hr_fake.channels + hr_fake.lists >
        0)
        fake_complain("left behind: %u regions, %u queue pairs, %u domains, %u completion queues, "
                      "%u and %u channels, %u lists",
                      hr_fake.counters.regions, hr_fake.counters.queue_pairs, hr_fake.pds,
                      hr_fake.cqs, hr_fake.comp_channels, hr_fake.channels, hr_fake.lists);
    hr_fake.is_open = false;
    return hr_fake.complaint;
}

/* ---- what a test tells and asks ---- */

void hr_verbs_fake_fail(const char *name, unsigned nth, int error)
{
    fake_lock();
    hr_fake.fail_name = name;
    hr_fake.fail_nth = nth;
    hr_fake.fail_error = error;
    hr_fake.has_failed = false;
    fake_unlock();
}

bool hr_verbs_fake_has_failed(void)
{
    fake_lock();
    bool has_failed = hr_fake.has_failed;
    fake_unlock();
    return has_failed;
}

void hr_verbs_fake_complete_with(enum ibv_wc_status status)
{
    fake_lock();
    hr_fake.next_status = status;
    fake_unlock();
}

void hr_verbs_fake_hold(bool is_held)
{
    fake_lock();
    hr_fake.is_held = is_held;
    pthread_cond_signal(&hr_fake.work);
    fake_unlock();
}

void hr_verbs_fake_hold_at(uint64_t gpu_bytes)
{
    fake_lock();
    hr_fake.hold_at = gpu_bytes;
    fake_unlock();
}

void hr_verbs_fake_cut(bool is_cut)
{
    fake_lock();
    hr_fake.is_cut = is_cut;
    pthread_cond_signal(&hr_fake.work);
    fake_unlock();
}

void hr_verbs_fake_skip_immediate(void)
{
    fake_lock();
    hr_fake.skips_immediate = true;
    fake_unlock();
}

void hr_verbs_fake_complete_at_notify(void)
{
    fake_lock();
    hr_fake.completes_at_notify = true;
    fake_unlock();
}

void hr_verbs_fake_expect_rnr(void)
{
    fake_lock();
    hr_fake.expects_rnr = true;
    fake_unlock();
}

void hr_verbs_fake_fence(const void *addr, size_t len)
{
    fake_lock();
    if (hr_fake.fence_count == sizeof hr_fake.fences / sizeof hr_fake.fences[0])
        abort();
    hr_fake.fences[hr_fake.fence_count].addr = addr;
    hr_fake.fences[hr_fake.fence_count++].len = len;
    fake_unlock();
}

void hr_verbs_fake_unfence(const void *addr)
{
    fake_lock();
    for (unsigned i = 0; i < hr_fake.fence_count; i++)
        if (hr_fake.fences[i].addr == addr)
            hr_fake.fences[i--] = hr_fake.fences[--hr_fake.fence_count];
    fake_unlock();
}

hr_verbs_fake_counters hr_verbs_fake_count(void)
{
    fake_lock();
    hr_verbs_fake_counters counters = hr_fake.counters;
    fake_unlock();
    return counters;
}
