/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the inproc transport share.
 *
 * A wire joins two ends, which may live on the loops of two threads. All that both ends touch is
 * guarded by the wire's lock; an end that changed something notifies the other, whose attend then
 * runs in a step of its own loop and looks at what is there. Callbacks are called without the lock.
 */
#ifndef HR_INPROC_H
#define HR_INPROC_H

#include <pthread.h>

#include "byte_queue.h"
#include "transport.h"

typedef struct hr_wire hr_wire;

typedef struct hr_wire_end {
    hr_wire *wire;
    hr_letter letter;
    bool posted;   /* the letter is on its way */
    hr_loop *loop; /* NULL before attach and after detach */
    void *owner;   /* the channel or link; NULL before attach and after detach */
    void (*attend)(void *owner);
    hr_byte_queue inbox; /* of a channel: bytes for this end; the wire's, so that they outlive a
                            sender that closes */
} hr_wire_end;

struct hr_wire {
    const hr_env *env;
    pthread_mutex_t lock;
    unsigned references; /* ends, letters on their way */
    bool ended;          /* by either end, or because nobody takes it at the other one */
    hr_status reason;    /* what the end that did not end it is told */
    hr_wire_end ends[2]; /* 0 connected, 1 was adopted */
};

/* With a reference for each end. */
HR_CHECKED hr_status hr_wire_create(const hr_env *env, hr_greeting_kind kind, hr_wire **wire_out);
void hr_wire_release(hr_wire *wire);
void hr_wire_attach(hr_wire *wire, unsigned side, hr_loop *loop, void *owner,
                    void (*attend)(void *owner));
/* Gives up the end's reference too. */
void hr_wire_detach(hr_wire *wire, unsigned side);
/* With the lock held. */
void hr_wire_notify(hr_wire *wire, unsigned side);
void hr_wire_end_both(hr_wire *wire, hr_status reason);

/* Of "NAME/2"; 0 where there are no rails. */
unsigned hr_inproc_rail_of(const hr_transport *transport, const char *address);
/* Hands side 1 of the wire to whoever listens at address; nobody: the wire ends with
 * HR_UNREACHABLE. */
void hr_inproc_dial(hr_transport *transport, const char *address, const hr_greeting *greeting,
                    hr_wire *wire);
/* Takes the wire out of an incoming connection. */
hr_wire *hr_inproc_accept(hr_transport *transport, hr_incoming *incoming);
bool hr_inproc_is_shared(const hr_transport *transport);

/* ---- as if NICs were between them: inproc_region.c ---- */

/* 0 in an ordinary transport. */
unsigned hr_inproc_rails(const hr_transport *transport);
extern const hr_region_ops hr_inproc_region_ops;
/* The regions that are exposed, of all transports of a hub; guarded by the hub's lock. */
typedef struct hr_inproc_regions {
    hr_list exposed;
    uint64_t told; /* keys given out */
} hr_inproc_regions;
hr_inproc_regions *hr_inproc_lock_regions(hr_transport *transport);
void hr_inproc_unlock_regions(hr_transport *transport);
/* What a NIC would check: the key is that of a region on this rail that holds the payload. */
bool hr_inproc_may_write(hr_transport *transport, unsigned rail, const hr_link_write *write);

/* ---- the two tables ---- */

hr_status hr_inproc_channel_connect(hr_transport *transport, const char *address,
                                    const hr_greeting *greeting, const hr_channel_events *events,
                                    void *context, hr_channel **channel_out);
hr_status hr_inproc_channel_adopt(hr_transport *transport, hr_incoming *incoming,
                                  const hr_channel_events *events, void *context,
                                  hr_channel **channel_out);
hr_status hr_inproc_channel_send(hr_channel *channel, const void *bytes, size_t len);
void hr_inproc_channel_close(hr_channel *channel);
void hr_inproc_channel_destroy(hr_channel *channel);

hr_status hr_inproc_link_connect(hr_transport *transport, const char *address, unsigned rail,
                                 const hr_greeting *greeting, const hr_link_events *events,
                                 void *context, hr_link **link_out);
hr_status hr_inproc_link_adopt(hr_transport *transport, hr_incoming *incoming,
                               const hr_link_events *events, void *context, hr_link **link_out);
void hr_inproc_link_aim(hr_link *link, const hr_link_ring *ring);
void hr_inproc_link_write(hr_link *link, hr_link_write *write);
hr_status hr_inproc_link_arm(hr_link *link, hr_place *place);
bool hr_inproc_link_disarm(hr_link *link, hr_place *place);
bool hr_inproc_link_peek(hr_link *link, uint64_t transfer, uint32_t chunk, uint32_t generation,
                         hr_span *span_out);
void hr_inproc_link_close(hr_link *link);
void hr_inproc_link_destroy(hr_link *link);

#endif
