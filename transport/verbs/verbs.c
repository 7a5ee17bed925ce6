/* SPDX-License-Identifier: Apache-2.0 */
/* The devices of this process: found, opened and asked for their limits once. */
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bytes.h"

#define MESSAGE_LEN (1u << 20)
#define SEND_QUEUE  128
#define ACK_TIMEOUT 14 /* 67 ms */
#define ACK_TIMEOUT_SOFT                                                                           \
    18 /* 1 s: a busy processor answers late, and a repetition makes it busier */
#define RETRY       7
#define SOFT_VENDOR 0xFFFFFF /* what soft-RoCE calls itself */

hr_verbs_device *hr_verbs_device_of(hr_verbs *verbs, const struct rdma_cm_id *id)
{
    for (unsigned i = 0; i < verbs->device_count; i++)
        if (id->verbs != NULL && verbs->devices[i].context == id->verbs)
            return &verbs->devices[i];
    return NULL;
}

hr_status hr_verbs_status(int error)
{
    struct rlimit limit;
    switch (error) {
    case ENOMEM:
    case EAGAIN:
        if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
            return HR_LIMIT;
        return HR_NO_MEMORY;
    case EFAULT: /* "Bad address": the device cannot reach this memory */
        return HR_INVALID;
    case ENODEV:
        return HR_UNREACHABLE;
    default:
        return hr_status_from_errno(error);
    }
}

/* ---- one device ---- */

static uint64_t lanes_of(uint8_t width)
{
    switch (width) {
    case 2:
        return 4;
    case 4:
        return 8;
    case 8:
        return 12;
    case 16:
        return 2;
    default:
        return 1;
    }
}

/* Of one lane. */
static uint64_t bits_per_s_of(uint32_t speed)
{
    static const struct {
        uint32_t code, mbit_per_s;
    } speeds[] = {{1, 2500},   {2, 5000},   {4, 10000},  {8, 10000},
                  {16, 14000}, {32, 25000}, {64, 50000}, {128, 100000}};
    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++)
        if (speeds[i].code == speed)
            return speeds[i].mbit_per_s * UINT64_C(1000000);
    return 0;
}

static hr_site site_of(const char *device)
{
    char path[128];
    hr_site site;
    snprintf(path, sizeof path, "/sys/class/infiniband/%.60s/device", device);
    (void)hr_site_find("", path, &site);
    return site;
}

/* The speed of the first active port. False: none is active. */
static bool find_active_port(const hr_verbs *verbs, struct ibv_context *context, uint8_t ports,
                             uint64_t *bits_per_s_out)
{
    for (uint8_t port = 1; port <= ports; port++) {
        struct ibv_port_attr attr = {0};
        if (verbs->calls->query_port(context, port, &attr) != 0 || attr.state != IBV_PORT_ACTIVE)
            continue;
        *bits_per_s_out = bits_per_s_of(attr.active_speed) * lanes_of(attr.active_width);
        return true;
    }
    return false;
}

static bool is_wanted(const char *devices, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = devices; at != NULL && *at != '\0'; at += strcspn(at, ",") + 1) {
        if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == '\0'))
            return true;
        if (at[strcspn(at, ",")] == '\0')
            break;
    }
    return devices == NULL;
}

/* HR_UNSUPPORTED: no active port; error has the sentence. */
static hr_status add_device(hr_verbs *verbs, struct ibv_context *context,
                            const hr_verbs_options *options, hr_error *error)
{
    struct ibv_device_attr attr;
    const char *name = context->device->name;
    int result = verbs->calls->query_device(context, &attr);
    if (result != 0)
        return hr_error_set(error, HR_UNSUPPORTED, "The RDMA device %s does not answer: %s", name,
                            strerror(result));
    uint64_t bits_per_s;
    if (!find_active_port(verbs, context, attr.phys_port_cnt, &bits_per_s))
        return hr_error_set(error, HR_UNSUPPORTED,
                            "No port of the RDMA device %s is active. Is its cable in, and its "
                            "network interface up ('rdma link', 'ip link set DEV up')?",
                            name);
    struct ibv_pd *pd = verbs->calls->alloc_pd(context);
    if (pd == NULL)
        return hr_error_set(error, hr_verbs_status(errno),
                            "The RDMA device %s gives no protection domain: %s", name,
                            strerror(errno));
    bool soft = attr.vendor_id == SOFT_VENDOR;
    uint8_t timeout = soft ? ACK_TIMEOUT_SOFT : ACK_TIMEOUT;
    uint32_t queue = options->send_queue != 0 ? options->send_queue : SEND_QUEUE;
    hr_verbs_device *device = &verbs->devices[verbs->device_count++];
    *device = (hr_verbs_device){
        .context = context,
        .pd = pd,
        .info = {.software = soft, .site = site_of(name), .bits_per_s = bits_per_s},
        .max_mr_len = attr.max_mr_size,
        .send_queue = (uint32_t)hr_min_u64(queue, (uint64_t)attr.max_qp_wr),
        .ack_timeout = options->ack_timeout != 0 ? options->ack_timeout : timeout,
    };
    snprintf(device->info.device, sizeof device->info.device, "%s", name);
    return HR_OK;
}

/* ---- all of them ---- */

/* libibverbs tries a second way to the device, whose errno hides that of the first. */
static int why_not_opened(const struct ibv_device *device)
{
    int error = errno;
    char path[sizeof device->dev_name + 32];
    snprintf(path, sizeof path, "/dev/infiniband/%s", device->dev_name);
    return access(path, R_OK | W_OK) != 0 && errno == EACCES ? EACCES : error;
}

/* Why librdmacm shows none: asked of the devices one by one. */
static hr_status explain_nothing(const hr_verbs *verbs, hr_error *error)
{
    int count = 0;
    struct ibv_device **list = verbs->calls->get_device_list(&count);
    if (list == NULL || count == 0)
        hr_error_set(error, HR_UNSUPPORTED, "this machine has no RDMA device");
    for (int i = 0; list != NULL && i < count; i++) {
        struct ibv_context *context = verbs->calls->open_device(list[i]);
        if (context != NULL)
            verbs->calls->close_device(context);
        else
            hr_error_set(error, HR_UNSUPPORTED,
                         "/dev/infiniband/%s (%s) cannot be opened: %s; its owner or a udev rule "
                         "can allow it",
                         list[i]->dev_name, list[i]->name, strerror(why_not_opened(list[i])));
    }
    if (list != NULL)
        verbs->calls->free_device_list(list);
    return hr_error_set(error, HR_UNSUPPORTED,
                        "the connection manager (/dev/infiniband/rdma_cm) shows no device: is the "
                        "module rdma_ucm loaded, and may this user open it?");
}

static hr_status open_devices(hr_verbs *verbs, const hr_verbs_options *options, hr_error *error)
{
    int count = 0;
    hr_error first = {0};
    verbs->contexts = verbs->calls->cm_get_devices(&count);
    if (verbs->contexts == NULL || count == 0)
        return explain_nothing(verbs, error);
    for (int i = 0; i < count && verbs->device_count < HR_RAILS_MAX; i++) {
        hr_error why = {0};
        if (!is_wanted(options->devices, verbs->contexts[i]->device->name) ||
            add_device(verbs, verbs->contexts[i], options, &why) == HR_OK)
            continue;
        hr_log(verbs->env, HR_LOG_INFO, "left out: %s", why.text);
        (void)hr_error_set(&first, why.status, "%s", why.text);
    }
    if (verbs->device_count > 0)
        return HR_OK;
    if (first.status != HR_OK)
        return hr_error_set(error, first.status, "%s", first.text);
    return hr_error_set(error, HR_UNSUPPORTED,
                        "none of the devices %s is there; the first one that is: %s",
                        options->devices, verbs->contexts[0]->device->name);
}

/* A chunk's chain goes to the device at once, so the send queue has to hold the longest. */
static uint32_t longest_chain(const hr_verbs *verbs)
{
    return (uint32_t)((HR_SLOT_LEN + (uint64_t)verbs->message_len - 1) / verbs->message_len) + 1;
}

/* Whatever the devices are. */
static hr_status check_options(const hr_verbs *verbs, const hr_verbs_options *options,
                               hr_error *error)
{
    uint32_t queue = options->send_queue != 0 ? options->send_queue : SEND_QUEUE;
    if (longest_chain(verbs) <= queue)
        return HR_OK;
    return hr_error_set(error, HR_INVALID,
                        "RDMA messages of %u bytes make %u work requests of a chunk, and a send "
                        "queue of %u has no room for them; try longer messages",
                        verbs->message_len, longest_chain(verbs), queue);
}

static hr_status check_queues(const hr_verbs *verbs, hr_error *error)
{
    for (unsigned i = 0; i < verbs->device_count; i++) {
        const hr_verbs_device *device = &verbs->devices[i];
        if (longest_chain(verbs) > device->send_queue)
            return hr_error_set(error, HR_UNSUPPORTED,
                                "RDMA messages of %u bytes make %u work requests of a chunk, "
                                "and the send queue of %s has room for %u; try longer messages",
                                verbs->message_len, longest_chain(verbs), device->info.device,
                                device->send_queue);
    }
    return HR_OK;
}

hr_status hr_verbs_create(const hr_env *env, hr_helpers *helpers, const hr_verbs_options *options,
                          hr_verbs **verbs_out, hr_error *error)
{
    const hr_verbs_options defaults = {0};
    if (options == NULL)
        options = &defaults;
    hr_verbs *verbs = hr_alloc(env, sizeof *verbs);
    if (verbs == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "a list of RDMA devices: out of memory");
    *verbs = (hr_verbs){
        .env = env,
        .helpers = helpers,
        .calls = options->calls != NULL ? options->calls : hr_verbs_calls_system(),
        .message_len = options->message_len != 0 ? options->message_len : MESSAGE_LEN,
        .inline_len = options->inline_len,
        .retry = options->retry != 0 ? options->retry : RETRY,
    };
    hr_status status = check_options(verbs, options, error);
    if (status == HR_OK)
        status = open_devices(verbs, options, error);
    if (status == HR_OK)
        status = check_queues(verbs, error);
    if (status != HR_OK) {
        hr_verbs_destroy(verbs);
        return status;
    }
    *verbs_out = verbs;
    return HR_OK;
}

void hr_verbs_destroy(hr_verbs *verbs)
{
    if (verbs == NULL)
        return;
    for (unsigned i = 0; i < verbs->device_count; i++)
        verbs->calls->dealloc_pd(verbs->devices[i].pd);
    if (verbs->contexts != NULL)
        verbs->calls->cm_free_devices(verbs->contexts);
    hr_release(verbs->env, verbs);
}
