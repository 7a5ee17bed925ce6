/* SPDX-License-Identifier: Apache-2.0 */
/* The transport within one process, and the reference for the others: written to be read. Here are
 * the hub and its listeners; wires, channels and links have files of their own. */
#include "inproc.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct inproc {
    hr_transport base;
    hr_inproc_hub *hub;
    bool shared;
    unsigned rails; /* 0: no NIC is imitated */
} inproc;

struct hr_inproc_hub {
    const hr_env *env;
    pthread_mutex_t lock; /* guards the listeners too */
    hr_list listeners;
    hr_inproc_regions regions;
};

struct hr_listener {
    hr_inproc_hub *hub;
    hr_list node; /* in hub->listeners until unlisten */
    hr_loop *loop;
    const hr_listener_events *events;
    void *context;
    unsigned rails;
    char name[64];
    hr_letter letter;
    bool posted;
    bool closed;
    hr_list pending; /* inproc_incoming */
};

/* An hr_incoming with its place in the listener's queue; connection is the wire. */
typedef struct inproc_incoming {
    hr_incoming base;
    hr_list node;
} inproc_incoming;

static void drop_incoming(const hr_env *env, inproc_incoming *incoming)
{
    hr_wire *wire = incoming->base.connection;
    pthread_mutex_lock(&wire->lock);
    hr_wire_end_both(wire, HR_PEER_LOST);
    pthread_mutex_unlock(&wire->lock);
    hr_wire_release(wire);
    hr_release(env, incoming);
}

static inproc_incoming *take_pending(hr_listener *listener)
{
    pthread_mutex_lock(&listener->hub->lock);
    hr_list *node = listener->closed ? NULL : hr_list_take_first(&listener->pending);
    pthread_mutex_unlock(&listener->hub->lock);
    return node == NULL ? NULL : HR_CONTAINER(node, inproc_incoming, node);
}

/* Unlisten posts the letter once more, and that delivery frees the listener: until then a callback
 * may unlisten, and dialers that hold the hub's lock see a whole listener. */
static void deliver_incoming(hr_letter *letter)
{
    hr_listener *listener = HR_CONTAINER(letter, hr_listener, letter);
    pthread_mutex_lock(&listener->hub->lock);
    listener->posted = false;
    bool closed = listener->closed;
    pthread_mutex_unlock(&listener->hub->lock);
    if (closed) {
        hr_release(listener->hub->env, listener);
        return;
    }
    for (inproc_incoming *incoming; (incoming = take_pending(listener)) != NULL;)
        listener->events->incoming(listener->context, &incoming->base);
}

/* With the hub's lock held. */
static void notify(hr_listener *listener)
{
    if (listener->posted)
        return;
    listener->posted = true;
    hr_loop_post(listener->loop, &listener->letter);
}

/* An address that names a rail is that of the listener before the slash. */
static hr_listener *find_listener(hr_inproc_hub *hub, const char *name, bool rdma)
{
    size_t len = strcspn(name, "/");
    for (hr_list *node = hub->listeners.next; node != &hub->listeners; node = node->next) {
        hr_listener *listener = HR_CONTAINER(node, hr_listener, node);
        if ((listener->rails > 0) == rdma && strncmp(listener->name, name, len) == 0 &&
            listener->name[len] == '\0')
            return listener;
    }
    return NULL;
}

/* ---- the table ---- */

static void inproc_destroy(hr_transport *transport)
{
    hr_release(hr_loop_env(transport->loop), transport);
}

static void inproc_query(const hr_transport *transport, hr_transport_caps *caps_out)
{
    *caps_out = (hr_transport_caps){
        .shared = hr_inproc_is_shared(transport),
        .rdma = hr_inproc_rails(transport) > 0,
        .regions = hr_inproc_rails(transport) > 0,
        .channels = hr_inproc_rails(transport) == 0,
        .rails = hr_inproc_rails(transport) > 0 ? hr_inproc_rails(transport) : 1,
    };
}

static size_t inproc_addresses(const hr_listener *listener, hr_rail_address *addresses_out,
                               size_t max)
{
    size_t count = 0;
    for (; count < listener->rails && count < max; count++) {
        addresses_out[count].rail = (unsigned)count;
        snprintf(addresses_out[count].address, sizeof addresses_out[count].address, "%.50s/%zu",
                 listener->name, count);
    }
    return count;
}

static uint32_t inproc_neighbours(hr_transport *transport, const char *address)
{
    return UINT32_C(1) << hr_inproc_rail_of(transport, address);
}

static void inproc_rail(const hr_transport *transport, unsigned rail, hr_rail_info *info_out)
{
    (void)transport;
    *info_out = (hr_rail_info){.software = true, .site = {.node = -1}};
    snprintf(info_out->device, sizeof info_out->device, "rail%u", rail);
}

static hr_status inproc_listen(hr_transport *transport, const char *address,
                               const hr_listener_events *events, void *context,
                               hr_listener **listener_out, char bound_out[64])
{
    hr_inproc_hub *hub = ((inproc *)transport)->hub;
    hr_listener *listener = hr_alloc(hub->env, sizeof *listener);
    if (listener == NULL)
        return HR_NO_MEMORY;
    *listener = (hr_listener){
        .hub = hub,
        .loop = transport->loop,
        .events = events,
        .context = context,
        .rails = hr_inproc_rails(transport),
        .letter.deliver = deliver_incoming,
    };
    hr_list_init(&listener->pending);
    int len = snprintf(listener->name, sizeof listener->name, "%s", address);
    pthread_mutex_lock(&hub->lock);
    hr_status status = (size_t)len >= sizeof listener->name                       ? HR_INVALID
                       : find_listener(hub, address, listener->rails > 0) != NULL ? HR_BUSY
                                                                                  : HR_OK;
    if (status == HR_OK)
        hr_list_append(&hub->listeners, &listener->node);
    pthread_mutex_unlock(&hub->lock);
    if (status != HR_OK) {
        hr_release(hub->env, listener);
        return status;
    }
    memcpy(bound_out, listener->name, sizeof listener->name);
    *listener_out = listener;
    return HR_OK;
}

static void inproc_unlisten(hr_listener *listener)
{
    hr_inproc_hub *hub = listener->hub;
    hr_list refused;
    hr_list_init(&refused);
    pthread_mutex_lock(&hub->lock);
    hr_list_remove(&listener->node);
    listener->closed = true;
    for (hr_list *node; (node = hr_list_take_first(&listener->pending)) != NULL;)
        hr_list_append(&refused, node);
    notify(listener);
    pthread_mutex_unlock(&hub->lock);
    for (hr_list *node; (node = hr_list_take_first(&refused)) != NULL;)
        drop_incoming(hub->env, HR_CONTAINER(node, inproc_incoming, node));
}

static void inproc_refuse(hr_transport *transport, hr_incoming *incoming)
{
    drop_incoming(((inproc *)transport)->hub->env, (inproc_incoming *)incoming);
}

/* ---- for channels and links ---- */

unsigned hr_inproc_rail_of(const hr_transport *transport, const char *address)
{
    const char *slash = strchr(address, '/');
    unsigned rails = hr_inproc_rails(transport);
    return slash == NULL || rails == 0 ? 0 : (unsigned)strtoul(slash + 1, NULL, 10) % rails;
}

void hr_inproc_dial(hr_transport *transport, const char *address, const hr_greeting *greeting,
                    hr_wire *wire)
{
    inproc *self = (inproc *)transport;
    inproc_incoming *incoming = hr_alloc(self->hub->env, sizeof *incoming);
    hr_status status = HR_NO_MEMORY;
    if (incoming != NULL) {
        incoming->base = (hr_incoming){
            .greeting = *greeting,
            .peer = "inproc",
            .rail = hr_inproc_rail_of(transport, address),
            .connection = wire,
        };
        pthread_mutex_lock(&self->hub->lock);
        hr_listener *listener = find_listener(self->hub, address, self->rails > 0);
        status = listener != NULL ? HR_OK : HR_UNREACHABLE;
        if (listener != NULL) {
            hr_list_append(&listener->pending, &incoming->node);
            notify(listener);
        }
        pthread_mutex_unlock(&self->hub->lock);
    }
    if (status == HR_OK)
        return;
    hr_release(self->hub->env, incoming);
    pthread_mutex_lock(&wire->lock);
    hr_wire_end_both(wire, status);
    pthread_mutex_unlock(&wire->lock);
    hr_wire_release(wire); /* the reference of the end that nobody took */
}

hr_wire *hr_inproc_accept(hr_transport *transport, hr_incoming *incoming)
{
    hr_wire *wire = incoming->connection;
    hr_release(((inproc *)transport)->hub->env, incoming);
    return wire;
}

bool hr_inproc_is_shared(const hr_transport *transport)
{
    return ((const inproc *)transport)->shared;
}

unsigned hr_inproc_rails(const hr_transport *transport)
{
    return ((const inproc *)transport)->rails;
}

hr_inproc_regions *hr_inproc_lock_regions(hr_transport *transport)
{
    hr_inproc_hub *hub = ((inproc *)transport)->hub;
    pthread_mutex_lock(&hub->lock);
    return &hub->regions;
}

void hr_inproc_unlock_regions(hr_transport *transport)
{
    pthread_mutex_unlock(&((inproc *)transport)->hub->lock);
}

/* ---- making one ---- */

hr_status hr_inproc_hub_create(const hr_env *env, hr_inproc_hub **hub_out)
{
    hr_inproc_hub *hub = hr_alloc(env, sizeof *hub);
    if (hub == NULL)
        return HR_NO_MEMORY;
    hub->env = env;
    pthread_mutex_init(&hub->lock, NULL);
    hr_list_init(&hub->listeners);
    hr_list_init(&hub->regions.exposed);
    *hub_out = hub;
    return HR_OK;
}

void hr_inproc_hub_destroy(hr_inproc_hub *hub)
{
    if (hub == NULL)
        return;
    assert(hr_list_is_empty(&hub->listeners));
    pthread_mutex_destroy(&hub->lock);
    hr_release(hub->env, hub);
}

#define LINK_OPS                                                                                   \
    {                                                                                              \
        .connect = hr_inproc_link_connect, .adopt = hr_inproc_link_adopt,                          \
        .aim = hr_inproc_link_aim, .write = hr_inproc_link_write, .arm = hr_inproc_link_arm,       \
        .disarm = hr_inproc_link_disarm, .peek = hr_inproc_link_peek,                              \
        .close = hr_inproc_link_close, .destroy = hr_inproc_link_destroy,                          \
    }

static hr_status create(hr_loop *loop, hr_inproc_hub *hub, const hr_transport_ops *ops,
                        hr_transport **transport_out)
{
    inproc *self = hr_alloc(hr_loop_env(loop), sizeof *self);
    if (self == NULL)
        return HR_NO_MEMORY;
    self->base = (hr_transport){.ops = ops, .loop = loop};
    self->hub = hub;
    *transport_out = &self->base;
    return HR_OK;
}

hr_status hr_transport_inproc_create(hr_loop *loop, hr_inproc_hub *hub, bool shared,
                                     hr_transport **transport_out)
{
    static const hr_transport_ops ops = {
        .name = "inproc",
        .destroy = inproc_destroy,
        .query = inproc_query,
        .listen = inproc_listen,
        .unlisten = inproc_unlisten,
        .refuse = inproc_refuse,
        .channel =
            {
                .connect = hr_inproc_channel_connect,
                .adopt = hr_inproc_channel_adopt,
                .send = hr_inproc_channel_send,
                .close = hr_inproc_channel_close,
                .destroy = hr_inproc_channel_destroy,
            },
        .link = LINK_OPS,
    };
    hr_status status = create(loop, hub, &ops, transport_out);
    if (status == HR_OK)
        ((inproc *)*transport_out)->shared = shared;
    return status;
}

hr_status hr_transport_inproc_rdma_create(hr_loop *loop, hr_inproc_hub *hub, unsigned rails,
                                          hr_transport **transport_out)
{
    static const hr_transport_ops ops = {
        .name = "inproc-rdma",
        .destroy = inproc_destroy,
        .query = inproc_query,
        .listen = inproc_listen,
        .unlisten = inproc_unlisten,
        .refuse = inproc_refuse,
        .addresses = inproc_addresses,
        .rail = inproc_rail,
        .neighbours = inproc_neighbours,
        .region = &hr_inproc_region_ops,
        .link = LINK_OPS,
    };
    assert(rails >= 1 && rails <= HR_RAILS_MAX);
    hr_status status = create(loop, hub, &ops, transport_out);
    if (status == HR_OK)
        ((inproc *)*transport_out)->rails = rails;
    return status;
}
