/* SPDX-License-Identifier: Apache-2.0 */
/* hr_sender: the server's end of one link. Grants go in, chunks go out:
 *
 *     shipment -> slot (or the reader's own place) -> read -> digest -> write -> shipment back
 *
 * The session (worker 0) owns the shipments and posts them; the sender (on its worker) carries them
 * out and posts each one back exactly once, with its outcome. A shipment is its own letter, in both
 * directions, so nothing is allocated and what one link can hold is bounded. */
#ifndef HR_SENDER_H
#define HR_SENDER_H

#include "rate.h"
#include "source.h"
#include "transport.h"
#include "worker.h"

/* Reads under way at once: 16 MiB is past the knee of a drive (design, section 4), and with more of
 * them the first chunks come later and none comes sooner. */
#define HR_SENDER_READS 4

typedef struct hr_sender hr_sender;
typedef struct hr_shipment hr_shipment;

struct hr_shipment {
    hr_letter letter;
    hr_sender *sender;
    hr_source *source;
    uint32_t chunk, generation, region;
    uint64_t offset;  /* in the region */
    uint64_t address; /* over RDMA: of the place */
    uint32_t key;     /* over RDMA: of its region */
    bool paid;        /* the rate has let it go */
    bool complain;    /* what came before was wrong: stored digests are checked here */
    /* HR_OK: written to the link. HR_PEER_LOST: the link died, nobody needs to be told. Anything
     * else: the grant goes back with this status. */
    hr_status status;
    hr_list node; /* in the session's free list, or in the sender's queue */

    /* the sender's */
    hr_gauge_stage stage;
    hr_slot *slot;    /* NULL: straight into the reader's place */
    hr_span span;     /* what is read, in whole pages */
    hr_extent extent; /* what crosses of it */
    uint32_t skip;    /* bytes of span before the extent */
    hr_io io;
    hr_link_write write;
};

typedef struct hr_sender_events {
    /* On worker 0. */
    void (*shipped)(void *context, hr_shipment *shipment);
    /* On worker 0, once: the link is down and every shipment is back. */
    void (*down)(void *context, hr_sender *sender, hr_status status);
} hr_sender_events;

struct hr_sender {
    hr_worker *worker, *home;
    const hr_sender_events *events;
    void *context;
    uint32_t link; /* the client's number for it */
    hr_incoming *incoming;
    hr_transport *transport;
    hr_shipment shipments[HR_LINK_PLACES_MAX];
    hr_list free;                     /* home's */
    bool closing;                     /* home's */
    bool uses_regions, aimed;         /* home's */
    hr_link_ring ring;                /* home's before it is aimed, then the worker's */
    uint64_t bytes_sent, chunks_sent; /* home's */

    /* the worker's */
    hr_link *end;
    bool down, told_to_close, over;
    hr_status status;
    hr_list queue;
    unsigned under_way, reading;
    unsigned reads_max;   /* grows from 1, so that the first chunk has the drive for itself */
    hr_share *share;      /* the tenant's, of the worker's slots */
    hr_common_rate *rate; /* the tenant's */
    hr_timer pause;       /* until the rate lets the next one go */
    hr_sealer *sealer;    /* NULL: no source of this session is sealed; the session's to destroy */
    hr_slot_waiter waiter;
    hr_letter open_letter, aim_letter, close_letter, fallen_letter, down_letter;
};

/* Adopts the connection on worker. Everything is told through events, on home. */
void hr_sender_init(hr_sender *sender, hr_worker *worker, hr_worker *home, hr_transport *transport,
                    hr_incoming *incoming, const hr_sender_events *events, void *context);
/* Home, once, where it uses regions: before the first shipment is posted. */
void hr_sender_aim(hr_sender *sender, const hr_link_ring *ring);
/* Home: a free shipment, NULL if the client has granted more than a link can hold. */
hr_shipment *hr_sender_take(hr_sender *sender);
/* Home: gives back what was taken or shipped. */
void hr_sender_give(hr_sender *sender, hr_shipment *shipment);
/* Home: sends it on its way. */
void hr_sender_post(hr_sender *sender, hr_shipment *shipment);
/* Home: ends the link, once; events->down follows. */
void hr_sender_close(hr_sender *sender);

#endif
