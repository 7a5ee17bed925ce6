/* SPDX-License-Identifier: Apache-2.0 */
/* The faulty wrapper: another transport, with failures drawn from a seed. Listeners are passed
 * through; what fails are connects, sends and writes. */
#include "fault.h"

/* splitmix64: every seed, 0 too, gives a good sequence. */
uint64_t hr_fault_random(hr_fault *fault)
{
    uint64_t value = fault->random += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
    return value ^ (value >> 31);
}

bool hr_fault_happens(hr_fault *fault, uint16_t chance)
{
    return chance != 0 && (hr_fault_random(fault) & 0xFFFF) < chance;
}

bool hr_fault_is_due(hr_fault *fault, const char *name)
{
    if (++fault->calls != fault->faults.fail_nth)
        return false;
    if (fault->faults.failed_out != NULL)
        *fault->faults.failed_out = name;
    return true;
}

uint64_t hr_fault_delayed_until_ns(hr_fault *fault)
{
    uint64_t now_ns = hr_loop_now_ns(fault->base.loop);
    return now_ns + hr_fault_random(fault) % (fault->faults.delay_ns_max + 1);
}

/* ---- the table ---- */

struct hr_listener {
    const hr_env *env;
    const hr_transport_ops *inner_ops;
    hr_listener *inner;
};

static void fault_destroy(hr_transport *transport)
{
    hr_fault *fault = (hr_fault *)transport;
    const hr_env *env = hr_loop_env(transport->loop);
    fault->inner->ops->destroy(fault->inner);
    hr_release(env, fault);
}

static void fault_query(const hr_transport *transport, hr_transport_caps *caps_out)
{
    const hr_transport *inner = ((const hr_fault *)transport)->inner;
    inner->ops->query(inner, caps_out);
}

static hr_status fault_listen(hr_transport *transport, const char *address,
                              const hr_listener_events *events, void *context,
                              hr_listener **listener_out, char bound_out[64])
{
    hr_transport *inner = ((hr_fault *)transport)->inner;
    const hr_env *env = hr_loop_env(transport->loop);
    if (hr_fault_is_due((hr_fault *)transport, "listen"))
        return HR_LIMIT;
    hr_listener *listener = hr_alloc(env, sizeof *listener);
    if (listener == NULL)
        return HR_NO_MEMORY;
    *listener = (hr_listener){.env = env, .inner_ops = inner->ops};
    hr_status status =
        inner->ops->listen(inner, address, events, context, &listener->inner, bound_out);
    if (status != HR_OK) {
        hr_release(env, listener);
        return status;
    }
    *listener_out = listener;
    return HR_OK;
}

static void fault_unlisten(hr_listener *listener)
{
    listener->inner_ops->unlisten(listener->inner);
    hr_release(listener->env, listener);
}

static void fault_refuse(hr_transport *transport, hr_incoming *incoming)
{
    hr_transport *inner = ((hr_fault *)transport)->inner;
    inner->ops->refuse(inner, incoming);
}

static size_t fault_addresses(const hr_listener *listener, hr_rail_address *addresses_out,
                              size_t max)
{
    return listener->inner_ops->addresses(listener->inner, addresses_out, max);
}

static void fault_rail(const hr_transport *transport, unsigned rail, hr_rail_info *info_out)
{
    const hr_transport *inner = ((const hr_fault *)transport)->inner;
    inner->ops->rail(inner, rail, info_out);
}

static hr_status fault_lend(hr_transport *transport, hr_span span)
{
    hr_transport *inner = ((hr_fault *)transport)->inner;
    if (hr_fault_is_due((hr_fault *)transport, "lend"))
        return HR_LIMIT;
    return inner->ops->region->lend(inner, span);
}

static void fault_reclaim(hr_transport *transport, hr_span span)
{
    hr_transport *inner = ((hr_fault *)transport)->inner;
    inner->ops->region->reclaim(inner, span);
}

/* A registration that is refused answers later, as every other does. */
typedef struct refusal {
    hr_task task;
    const hr_env *env;
    hr_region *region;
} refusal;

static void refuse_region(hr_task *task)
{
    refusal *refused = HR_CONTAINER(task, refusal, task);
    hr_region *region = refused->region;
    hr_release(refused->env, refused);
    region->status = HR_LIMIT;
    region->done(region);
}

static bool is_refused(hr_transport *transport, hr_region *region)
{
    if (!hr_fault_is_due((hr_fault *)transport, "expose"))
        return false;
    refusal *refused = hr_alloc(hr_loop_env(transport->loop), sizeof *refused);
    if (refused == NULL)
        return false;
    *refused =
        (refusal){.task.run = refuse_region, .env = hr_loop_env(transport->loop), .region = region};
    hr_loop_defer(transport->loop, &refused->task);
    return true;
}

static void fault_expose(hr_transport *transport, hr_region *region)
{
    hr_transport *inner = ((hr_fault *)transport)->inner;
    if (is_refused(transport, region))
        return;
    inner->ops->region->expose(inner, region);
}

static void fault_withdraw(hr_transport *transport, hr_region *region)
{
    hr_transport *inner = ((hr_fault *)transport)->inner;
    inner->ops->region->withdraw(inner, region);
}

static uint32_t fault_neighbours(hr_transport *transport, const char *address)
{
    hr_transport *inner = ((hr_fault *)transport)->inner;
    return inner->ops->neighbours(inner, address);
}

static const hr_region_ops fault_region_ops = {
    .lend = fault_lend,
    .reclaim = fault_reclaim,
    .expose = fault_expose,
    .withdraw = fault_withdraw,
};

static const hr_transport_ops fault_ops = {
    .name = "fault",
    .destroy = fault_destroy,
    .query = fault_query,
    .listen = fault_listen,
    .unlisten = fault_unlisten,
    .refuse = fault_refuse,
    .addresses = fault_addresses,
    .rail = fault_rail,
    .neighbours = fault_neighbours,
    .region = &fault_region_ops,
    .channel =
        {
            .connect = hr_fault_channel_connect,
            .adopt = hr_fault_channel_adopt,
            .send = hr_fault_channel_send,
            .close = hr_fault_channel_close,
            .destroy = hr_fault_channel_destroy,
        },
    .link =
        {
            .connect = hr_fault_link_connect,
            .adopt = hr_fault_link_adopt,
            .aim = hr_fault_link_aim,
            .write = hr_fault_link_write,
            .arm = hr_fault_link_arm,
            .disarm = hr_fault_link_disarm,
            .peek = hr_fault_link_peek,
            .close = hr_fault_link_close,
            .destroy = hr_fault_link_destroy,
        },
};

hr_status hr_transport_fault_create(hr_transport *inner, const hr_transport_faults *faults,
                                    hr_transport **transport_out)
{
    hr_fault *fault = hr_alloc(hr_loop_env(inner->loop), sizeof *fault);
    if (fault == NULL)
        return HR_NO_MEMORY;
    *fault = (hr_fault){
        .base = {.ops = &fault_ops, .loop = inner->loop},
        .inner = inner,
        .faults = *faults,
        .random = faults->seed,
    };
    *transport_out = &fault->base;
    return HR_OK;
}
