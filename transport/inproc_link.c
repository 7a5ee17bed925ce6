/* SPDX-License-Identifier: Apache-2.0 */
/* A link within the process. The reader copies each payload into its place, on its own thread, so
 * nothing is ever written behind its back, but for places that the writer has peeked at: those it
 * fills itself, and the reader's end waits for them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "inproc.h"
#include "places.h"

enum {
    WRITES_PER_STEP = 8, /* 32 MiB of copying */
};

typedef struct inproc_link {
    hr_link base;
    hr_transport *transport;
    hr_wire *wire;
    unsigned side;
    bool up_is_due; /* connected and not said */
    bool aimed;     /* the writer knows the ring of the reader, where there are rails */
    bool is_down;

    /* Guarded by the wire's lock, as the peer looks at them. */
    bool closed;          /* by our owner */
    bool broke_protocol;  /* the peer did */
    hr_list outgoing;     /* writes that the peer has not taken */
    hr_link_write *taken; /* the one that the peer is copying */
    hr_list returned;     /* writes that the peer is done with */
    hr_places places;
    unsigned peeked; /* places whose spans the peer holds */
} inproc_link;

/* The peer's link; NULL before it is adopted and after it was destroyed. With the lock held. */
static inproc_link *peer_of(const inproc_link *link)
{
    return link->wire->ends[1 - link->side].owner;
}

static void lock(inproc_link *link)
{
    pthread_mutex_lock(&link->wire->lock);
}

static void unlock(inproc_link *link)
{
    pthread_mutex_unlock(&link->wire->lock);
}

static void notify_peer(inproc_link *link)
{
    hr_wire_notify(link->wire, 1 - link->side);
}

/* ---- the reader ---- */

/* With rails between them, the peer names the place by its address and shows the key to it. */
static bool may_land(inproc_link *link, const hr_link_write *write, const hr_place *place)
{
    hr_transport *transport = link->transport;
    if (hr_inproc_rails(transport) == 0)
        return true;
    return write->address == (uintptr_t)place->span.addr &&
           hr_inproc_may_write(transport, link->base.rail, write);
}

/* The peer's next write and its place. NULL: there is none, or the wire has ended. */
static hr_link_write *take_write(inproc_link *link, hr_place **place_out)
{
    inproc_link *peer = peer_of(link);
    if (link->wire->ended || peer == NULL || hr_list_is_empty(&peer->outgoing))
        return NULL;
    hr_link_write *write = HR_CONTAINER(peer->outgoing.next, hr_link_write, node);
    if (hr_places_take(&link->places, &write->receipt, place_out) != HR_OK ||
        !may_land(link, write, *place_out)) {
        link->broke_protocol = true;
        hr_wire_end_both(link->wire, HR_PEER_LOST);
        return NULL;
    }
    hr_list_remove(&write->node);
    peer->taken = write;
    return write;
}

static void land(inproc_link *link, hr_link_write *write, hr_place *place)
{
    hr_receipt receipt = write->receipt;
    if (write->payload.addr != place->span.addr && write->payload.len > 0)
        memcpy(place->span.addr, write->payload.addr, write->payload.len);
    lock(link);
    inproc_link *peer = peer_of(link);
    write->status = HR_OK;
    peer->taken = NULL;
    hr_list_append(&peer->returned, &write->node);
    notify_peer(link);
    unlock(link);
    link->base.events->landed(link->base.context, place, &receipt);
}

static void read_writes(inproc_link *link)
{
    for (int i = 0; i < WRITES_PER_STEP; i++) {
        hr_place *place;
        lock(link);
        hr_link_write *write = take_write(link, &place);
        unlock(link);
        if (write == NULL)
            return;
        land(link, write, place);
    }
    lock(link);
    hr_wire_notify(link->wire, link->side); /* the rest in the next step */
    unlock(link);
}

/* ---- the writer ---- */

static void give_back(inproc_link *link)
{
    for (;;) {
        lock(link);
        hr_list *node = hr_list_take_first(&link->returned);
        if (node == NULL && link->wire->ended) {
            /* Nobody takes these any more. */
            node = hr_list_take_first(&link->outgoing);
            if (node != NULL)
                HR_CONTAINER(node, hr_link_write, node)->status =
                    link->closed ? HR_CANCELED : HR_PEER_LOST;
        }
        unlock(link);
        if (node == NULL)
            return;
        hr_link_write *write = HR_CONTAINER(node, hr_link_write, node);
        write->done(write);
    }
}

/* ---- both ---- */

static void say_up(inproc_link *link)
{
    lock(link);
    bool due = link->up_is_due && peer_of(link) != NULL;
    unlock(link);
    if (!due)
        return;
    link->up_is_due = false;
    link->base.events->up(link->base.context);
}

/* The fence: the peer copies nothing of ours and holds no span of ours. */
static bool may_go_down(inproc_link *link)
{
    bool safe = link->taken == NULL && hr_list_is_empty(&link->outgoing) &&
                hr_list_is_empty(&link->returned);
    bool let_go = link->peeked == 0 || peer_of(link) == NULL;
    return link->wire->ended && safe && let_go;
}

static void attend(void *owner)
{
    inproc_link *link = owner;
    if (link->is_down)
        return;
    say_up(link);
    read_writes(link);
    give_back(link);
    lock(link);
    bool down = may_go_down(link);
    hr_status status = link->closed           ? HR_OK
                       : link->broke_protocol ? HR_PROTOCOL
                                              : link->wire->reason;
    if (down)
        hr_places_clear(&link->places);
    unlock(link);
    if (!down)
        return;
    link->is_down = true;
    link->base.events->down(link->base.context, status);
}

void hr_inproc_link_aim(hr_link *base, const hr_link_ring *ring)
{
    inproc_link *link = (inproc_link *)base;
    lock(link);
    inproc_link *peer = peer_of(link);
    link->aimed = true;
    /* A NIC finds nothing at an address that a peer made up. */
    if (peer != NULL &&
        (ring->key != peer->base.ring.key || ring->address != peer->base.ring.address))
        hr_wire_end_both(link->wire, HR_PEER_LOST);
    unlock(link);
}

void hr_inproc_link_write(hr_link *base, hr_link_write *write)
{
    inproc_link *link = (inproc_link *)base;
    assert(!link->is_down && write->payload.len == write->receipt.stored_len);
    assert(link->aimed || hr_inproc_rails(base->transport) == 0);
    lock(link);
    inproc_link *peer = peer_of(link);
    hr_place *place = peer == NULL
                          ? NULL
                          : hr_places_find(&peer->places, write->receipt.transfer,
                                           write->receipt.chunk, write->receipt.generation);
    if (place != NULL && place->peeked) {
        place->peeked = false;
        peer->peeked--;
    }
    hr_list_append(&link->outgoing, &write->node);
    notify_peer(link);
    if (link->wire->ended)
        hr_wire_notify(link->wire, link->side); /* to be given back */
    unlock(link);
}

hr_status hr_inproc_link_arm(hr_link *base, hr_place *place)
{
    inproc_link *link = (inproc_link *)base;
    lock(link);
    hr_status status = link->wire->ended ? HR_PEER_LOST : hr_places_arm(&link->places, place);
    unlock(link);
    return status;
}

bool hr_inproc_link_disarm(hr_link *base, hr_place *place)
{
    inproc_link *link = (inproc_link *)base;
    lock(link);
    bool disarmed = hr_places_disarm(&link->places, place);
    if (disarmed && place->peeked) {
        place->peeked = false;
        link->peeked--;
        if (link->wire->ended)
            hr_wire_notify(link->wire, link->side);
    }
    unlock(link);
    return disarmed;
}

bool hr_inproc_link_peek(hr_link *base, uint64_t transfer, uint32_t chunk, uint32_t generation,
                         hr_span *span_out)
{
    inproc_link *link = (inproc_link *)base;
    if (!hr_inproc_is_shared(base->transport))
        return false;
    lock(link);
    inproc_link *peer = peer_of(link);
    hr_place *place = link->wire->ended || peer == NULL
                          ? NULL
                          : hr_places_find(&peer->places, transfer, chunk, generation);
    if (place != NULL) {
        peer->peeked += !place->peeked;
        place->peeked = true;
        *span_out = place->span;
    }
    unlock(link);
    return place != NULL;
}

void hr_inproc_link_close(hr_link *base)
{
    inproc_link *link = (inproc_link *)base;
    lock(link);
    link->closed = true;
    hr_wire_end_both(link->wire, HR_PEER_LOST);
    unlock(link);
}

/* ---- making and ending ---- */

static inproc_link *link_create(hr_transport *transport, const hr_link_events *events,
                                void *context)
{
    inproc_link *link = hr_alloc(hr_loop_env(transport->loop), sizeof *link);
    if (link == NULL)
        return NULL;
    link->base = (hr_link){
        .transport = transport,
        .events = events,
        .context = context,
        .peer = "inproc",
    };
    link->transport = transport;
    hr_list_init(&link->outgoing);
    hr_list_init(&link->returned);
    hr_places_init(&link->places);
    return link;
}

hr_status hr_inproc_link_connect(hr_transport *transport, const char *address, unsigned rail,
                                 const hr_greeting *greeting, const hr_link_events *events,
                                 void *context, hr_link **link_out)
{
    inproc_link *link = link_create(transport, events, context);
    if (link == NULL)
        return HR_NO_MEMORY;
    hr_status status = hr_wire_create(hr_loop_env(transport->loop), HR_GREETING_LINK, &link->wire);
    if (status != HR_OK) {
        hr_release(hr_loop_env(transport->loop), link);
        return status;
    }
    (void)rail; /* each rail reaches its like, and no other */
    link->up_is_due = true;
    link->base.rail = hr_inproc_rail_of(transport, address);
    link->base.ring = (hr_link_ring){.address = (uintptr_t)link, .key = greeting->link};
    hr_wire_attach(link->wire, 0, transport->loop, link, attend);
    hr_inproc_dial(transport, address, greeting, link->wire);
    *link_out = &link->base;
    return HR_OK;
}

hr_status hr_inproc_link_adopt(hr_transport *transport, hr_incoming *incoming,
                               const hr_link_events *events, void *context, hr_link **link_out)
{
    assert(incoming->greeting.kind == HR_GREETING_LINK);
    inproc_link *link = link_create(transport, events, context);
    if (link == NULL) {
        transport->ops->refuse(transport, incoming);
        return HR_NO_MEMORY;
    }
    link->base.rail = incoming->rail;
    link->wire = hr_inproc_accept(transport, incoming);
    link->side = 1;
    hr_wire_attach(link->wire, 1, transport->loop, link, attend);
    *link_out = &link->base;
    return HR_OK;
}

void hr_inproc_link_destroy(hr_link *base)
{
    inproc_link *link = (inproc_link *)base;
    assert(link->is_down);
    const hr_env *env = link->wire->env;
    hr_wire_detach(link->wire, link->side);
    hr_release(env, link);
}
