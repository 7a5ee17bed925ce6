/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "byte_queue.h"
#include "bytes.h"
#include "fault.h"

enum {
    PIECE_LEN = 16 << 10, /* small, so that it fits whenever the inner channel has room */
};

typedef struct fault_channel {
    hr_channel base;
    hr_fault *fault;
    hr_channel *inner; /* NULL: the connect was refused */
    hr_task refuse;
    hr_byte_queue held; /* delayed: not given to inner yet */
    hr_timer delay;
    bool lost; /* by us */
    bool closed, is_down;
    bool wants_room;
} fault_channel;

static const hr_channel_ops *inner_ops(const fault_channel *channel)
{
    return &channel->fault->inner->ops->channel;
}

static void go_down(fault_channel *channel, hr_status status)
{
    hr_loop_timer_clear(channel->fault->base.loop, &channel->delay);
    channel->is_down = true;
    if (channel->closed)
        status = HR_OK;
    else if (channel->lost)
        status = HR_PEER_LOST;
    channel->base.events->down(channel->base.context, status);
}

static void say_room(fault_channel *channel)
{
    if (!channel->wants_room || channel->held.count > channel->held.capacity / 2)
        return;
    channel->wants_room = false;
    if (channel->base.events->room != NULL)
        channel->base.events->room(channel->base.context);
}

/* What does not fit now goes when inner has room. */
static void let_go(fault_channel *channel)
{
    uint8_t *front;
    for (size_t len; (len = hr_byte_queue_front(&channel->held, &front)) > 0;) {
        len = hr_min_u64(len, PIECE_LEN);
        if (inner_ops(channel)->send(channel->inner, front, len) != HR_OK)
            return;
        hr_byte_queue_drop(&channel->held, len);
    }
}

static void delay_over(hr_timer *timer)
{
    fault_channel *channel = HR_CONTAINER(timer, fault_channel, delay);
    let_go(channel);
    say_room(channel);
}

/* ---- the inner channel's events ---- */

static void inner_up(void *context)
{
    fault_channel *channel = context;
    memcpy(channel->base.peer, channel->inner->peer, sizeof channel->base.peer);
    if (!channel->lost)
        channel->base.events->up(channel->base.context);
}

static void inner_bytes(void *context, const uint8_t *bytes, size_t len)
{
    fault_channel *channel = context;
    if (!channel->lost)
        channel->base.events->bytes(channel->base.context, bytes, len);
}

static void inner_down(void *context, hr_status status)
{
    go_down(context, status);
}

static void inner_room(void *context)
{
    fault_channel *channel = context;
    if (channel->delay.heap_index == 0)
        let_go(channel);
    say_room(channel);
}

static const hr_channel_events inner_events = {
    .up = inner_up,
    .bytes = inner_bytes,
    .down = inner_down,
    .room = inner_room,
};

/* ---- the table ---- */

static void refused(hr_task *task)
{
    go_down(HR_CONTAINER(task, fault_channel, refuse), HR_UNREACHABLE);
}

static void channel_release(fault_channel *channel)
{
    const hr_env *env = hr_loop_env(channel->fault->base.loop);
    hr_byte_queue_fini(&channel->held, env);
    hr_release(env, channel);
}

static fault_channel *channel_create(hr_transport *transport, const hr_channel_events *events,
                                     void *context)
{
    const hr_env *env = hr_loop_env(transport->loop);
    fault_channel *channel = hr_alloc(env, sizeof *channel);
    if (channel == NULL)
        return NULL;
    channel->base = (hr_channel){.transport = transport, .events = events, .context = context};
    channel->fault = (hr_fault *)transport;
    channel->refuse.run = refused;
    channel->delay.fire = delay_over;
    if (hr_byte_queue_init(&channel->held, env, HR_CHANNEL_QUEUE_MAX) == HR_OK)
        return channel;
    hr_release(env, channel);
    return NULL;
}

hr_status hr_fault_channel_connect(hr_transport *transport, const char *address,
                                   const hr_greeting *greeting, const hr_channel_events *events,
                                   void *context, hr_channel **channel_out)
{
    if (hr_fault_is_due((hr_fault *)transport, "connect a channel"))
        return HR_LIMIT;
    fault_channel *channel = channel_create(transport, events, context);
    if (channel == NULL)
        return HR_NO_MEMORY;
    hr_fault *fault = channel->fault;
    hr_status status = HR_OK;
    if (hr_fault_happens(fault, fault->faults.refused))
        hr_loop_defer(transport->loop, &channel->refuse);
    else
        status = inner_ops(channel)->connect(fault->inner, address, greeting, &inner_events,
                                             channel, &channel->inner);
    if (status != HR_OK) {
        channel_release(channel);
        return status;
    }
    *channel_out = &channel->base;
    return HR_OK;
}

hr_status hr_fault_channel_adopt(hr_transport *transport, hr_incoming *incoming,
                                 const hr_channel_events *events, void *context,
                                 hr_channel **channel_out)
{
    bool fails = hr_fault_is_due((hr_fault *)transport, "adopt a channel");
    fault_channel *channel = fails ? NULL : channel_create(transport, events, context);
    if (channel == NULL) {
        transport->ops->refuse(transport, incoming);
        return fails ? HR_LIMIT : HR_NO_MEMORY;
    }
    memcpy(channel->base.peer, incoming->peer, sizeof channel->base.peer);
    hr_status status = inner_ops(channel)->adopt(channel->fault->inner, incoming, &inner_events,
                                                 channel, &channel->inner);
    if (status != HR_OK) {
        channel_release(channel);
        return status;
    }
    *channel_out = &channel->base;
    return HR_OK;
}

static hr_status hold(fault_channel *channel, const void *bytes, size_t len)
{
    if (hr_byte_queue_put(&channel->held, bytes, len))
        return HR_OK;
    channel->wants_room = true;
    return HR_AGAIN;
}

hr_status hr_fault_channel_send(hr_channel *base, const void *bytes, size_t len)
{
    fault_channel *channel = (fault_channel *)base;
    hr_fault *fault = channel->fault;
    if (channel->inner == NULL || channel->lost || channel->closed)
        return HR_PEER_LOST;
    bool fails = hr_fault_is_due(fault, "send");
    if (fails || hr_fault_happens(fault, fault->faults.lost)) {
        channel->lost = true;
        inner_ops(channel)->close(channel->inner);
        return HR_OK;
    }
    if (channel->held.count > 0)
        return hold(channel, bytes, len);
    if (hr_fault_happens(fault, fault->faults.delayed) &&
        hr_loop_timer_set(base->transport->loop, &channel->delay,
                          hr_fault_delayed_until_ns(fault)) == HR_OK)
        return hold(channel, bytes, len);
    hr_status status = inner_ops(channel)->send(channel->inner, bytes, len);
    channel->wants_room = channel->wants_room || status == HR_AGAIN;
    return status;
}

void hr_fault_channel_close(hr_channel *base)
{
    fault_channel *channel = (fault_channel *)base;
    if (channel->closed || channel->is_down)
        return;
    channel->closed = true;
    if (channel->inner == NULL || channel->lost)
        return; /* down is on its way */
    let_go(channel);
    inner_ops(channel)->close(channel->inner);
}

void hr_fault_channel_destroy(hr_channel *base)
{
    fault_channel *channel = (fault_channel *)base;
    assert(channel->is_down);
    if (channel->inner != NULL)
        inner_ops(channel)->destroy(channel->inner);
    channel_release(channel);
}
