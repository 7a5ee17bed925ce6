/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "inproc.h"

enum {
    PIECE_LEN = 16 << 10, /* bytes handed to the owner at once */
    PIECES_PER_STEP = 16,
};

typedef struct inproc_channel {
    hr_channel base;
    hr_wire *wire;
    unsigned side;
    bool up_is_due; /* connected and not said */
    bool closed;    /* by our owner */
    bool is_down;
    bool wants_room; /* a send was refused */
} inproc_channel;

static void go_down(inproc_channel *channel, hr_status status)
{
    channel->is_down = true;
    channel->base.events->down(channel->base.context, status);
}

static void say_up(inproc_channel *channel)
{
    pthread_mutex_lock(&channel->wire->lock);
    bool peer_is_there = channel->wire->ends[1 - channel->side].owner != NULL;
    pthread_mutex_unlock(&channel->wire->lock);
    if (!channel->up_is_due || !peer_is_there)
        return;
    channel->up_is_due = false;
    channel->base.events->up(channel->base.context);
}

static void say_room(inproc_channel *channel)
{
    pthread_mutex_lock(&channel->wire->lock);
    const hr_byte_queue *queue = &channel->wire->ends[1 - channel->side].inbox;
    bool room = channel->wants_room && queue->count <= queue->capacity / 2;
    pthread_mutex_unlock(&channel->wire->lock);
    if (!room)
        return;
    channel->wants_room = false;
    if (channel->base.events->room != NULL)
        channel->base.events->room(channel->base.context);
}

/* The copy keeps the sender going while the owner looks at the bytes. */
static size_t take_piece(inproc_channel *channel, uint8_t piece[PIECE_LEN])
{
    hr_wire *wire = channel->wire;
    pthread_mutex_lock(&wire->lock);
    size_t len = hr_byte_queue_take(&wire->ends[channel->side].inbox, piece, PIECE_LEN);
    if (len > 0)
        hr_wire_notify(wire, 1 - channel->side); /* it may wait for room */
    pthread_mutex_unlock(&wire->lock);
    return len;
}

/* False: more is left for the next step. */
static bool hand_over(inproc_channel *channel)
{
    uint8_t piece[PIECE_LEN];
    for (int i = 0; i < PIECES_PER_STEP && !channel->closed; i++) {
        size_t len = take_piece(channel, piece);
        if (len == 0)
            return true;
        channel->base.events->bytes(channel->base.context, piece, len);
    }
    return channel->closed;
}

static void attend(void *owner)
{
    inproc_channel *channel = owner;
    hr_wire *wire = channel->wire;
    if (channel->is_down)
        return;
    say_up(channel);
    /* Asked before the inbox is emptied: what was sent before the end is still delivered. */
    pthread_mutex_lock(&wire->lock);
    bool ended = wire->ended;
    hr_status reason = wire->reason;
    pthread_mutex_unlock(&wire->lock);
    bool emptied = hand_over(channel);
    if (channel->closed) {
        go_down(channel, HR_OK);
    } else if (!emptied) {
        pthread_mutex_lock(&wire->lock);
        hr_wire_notify(wire, channel->side);
        pthread_mutex_unlock(&wire->lock);
    } else if (ended) {
        go_down(channel, reason);
    } else {
        say_room(channel);
    }
}

static inproc_channel *channel_create(hr_transport *transport, const hr_channel_events *events,
                                      void *context)
{
    inproc_channel *channel = hr_alloc(hr_loop_env(transport->loop), sizeof *channel);
    if (channel != NULL)
        channel->base = (hr_channel){
            .transport = transport,
            .events = events,
            .context = context,
            .peer = "inproc",
        };
    return channel;
}

hr_status hr_inproc_channel_connect(hr_transport *transport, const char *address,
                                    const hr_greeting *greeting, const hr_channel_events *events,
                                    void *context, hr_channel **channel_out)
{
    inproc_channel *channel = channel_create(transport, events, context);
    if (channel == NULL)
        return HR_NO_MEMORY;
    hr_status status =
        hr_wire_create(hr_loop_env(transport->loop), HR_GREETING_CHANNEL, &channel->wire);
    if (status != HR_OK) {
        hr_release(hr_loop_env(transport->loop), channel);
        return status;
    }
    channel->up_is_due = true;
    hr_wire_attach(channel->wire, 0, transport->loop, channel, attend);
    hr_inproc_dial(transport, address, greeting, channel->wire);
    *channel_out = &channel->base;
    return HR_OK;
}

hr_status hr_inproc_channel_adopt(hr_transport *transport, hr_incoming *incoming,
                                  const hr_channel_events *events, void *context,
                                  hr_channel **channel_out)
{
    assert(incoming->greeting.kind != HR_GREETING_LINK); /* in clear, or TLS */
    inproc_channel *channel = channel_create(transport, events, context);
    if (channel == NULL) {
        transport->ops->refuse(transport, incoming);
        return HR_NO_MEMORY;
    }
    channel->wire = hr_inproc_accept(transport, incoming);
    channel->side = 1;
    hr_wire_attach(channel->wire, 1, transport->loop, channel, attend);
    *channel_out = &channel->base;
    return HR_OK;
}

hr_status hr_inproc_channel_send(hr_channel *base, const void *bytes, size_t len)
{
    inproc_channel *channel = (inproc_channel *)base;
    hr_wire *wire = channel->wire;
    hr_status status = HR_OK;
    pthread_mutex_lock(&wire->lock);
    if (wire->ended)
        status = HR_PEER_LOST;
    else if (!hr_byte_queue_put(&wire->ends[1 - channel->side].inbox, bytes, len))
        status = HR_AGAIN;
    else
        hr_wire_notify(wire, 1 - channel->side);
    channel->wants_room = channel->wants_room || status == HR_AGAIN;
    pthread_mutex_unlock(&wire->lock);
    return status;
}

void hr_inproc_channel_close(hr_channel *base)
{
    inproc_channel *channel = (inproc_channel *)base;
    channel->closed = true;
    pthread_mutex_lock(&channel->wire->lock);
    hr_wire_end_both(channel->wire, HR_PEER_LOST);
    pthread_mutex_unlock(&channel->wire->lock);
}

void hr_inproc_channel_destroy(hr_channel *base)
{
    inproc_channel *channel = (inproc_channel *)base;
    assert(channel->is_down);
    const hr_env *env = channel->wire->env;
    hr_wire_detach(channel->wire, channel->side);
    hr_release(env, channel);
}
