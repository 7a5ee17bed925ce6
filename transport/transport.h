/* SPDX-License-Identifier: Apache-2.0 */
/* The transport seam: how bytes cross. Two tables: a channel is ordered bytes between two peers
 * (control), a link is one connection that writes chunks into remote places (data).
 *
 * A worker has one hr_transport of each family in use, bound to its loop. Everything that takes
 * time answers through the callbacks of hr_channel_events and hr_link_events, from a step of the
 * loop and never from inside a call.
 *
 * Implementations: inproc.c (within one process; the reference), tcp.c, verbs/, fault.c (wraps
 * another and by seed refuses, delays, corrupts, loses). */
#ifndef HR_TRANSPORT_H
#define HR_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk_len.h"
#include "greeting.h"
#include "helpers.h"
#include "list.h"
#include "loop.h"
#include "receipt.h"
#include "site.h"
#include "span.h"
#include "status.h"

typedef struct hr_transport hr_transport;
typedef struct hr_listener hr_listener;
typedef struct hr_incoming hr_incoming;
typedef struct hr_channel hr_channel;
typedef struct hr_link hr_link;

#define HR_SLOT_LEN        (HR_CHUNK_LEN + (64u << 10)) /* bytes of a staging or landing slot */
#define HR_LINK_PLACES_MAX 256                          /* places armed on one link at once */
/* Bytes that a channel queues for sending. A fuzzer has fewer, but more than a message. */
#ifndef HR_CHANNEL_QUEUE_MAX
#define HR_CHANNEL_QUEUE_MAX (1u << 20)
#endif

/* ---- listening ---- */

/* A connection whose greeting has come, or the first record of TLS, whole. The owner of the
 * listener must adopt or refuse it, once, in the callback or later. */
struct hr_incoming {
    hr_greeting greeting;
    uint8_t *first; /* with HR_GREETING_TLS: the record, which an adopted channel hands on first */
    size_t first_len;
    char peer[64]; /* printable address */
    unsigned rail; /* that it came by, where there are some */
    bool is_user;  /* it comes from this machine, and the kernel says from whom: */
    uint32_t uid;
    void *connection; /* the transport's */
};

typedef struct hr_listener_events {
    void (*incoming)(void *context, hr_incoming *incoming);
    /* Accepting failed in a way that may pass (descriptors used up): for the log. */
    void (*trouble)(void *context, hr_status status);
} hr_listener_events;

/* ---- channels ---- */

typedef struct hr_channel_events {
    /* A connect succeeded. Not called for adopted channels. */
    void (*up)(void *context);
    /* Bytes came, in order; they are the channel's and gone after the call. */
    void (*bytes)(void *context, const uint8_t *bytes, size_t len);
    /* The end, once, whatever the reason: HR_OK after close, HR_PEER_LOST at the end of
     * the stream, HR_UNREACHABLE and the like for a failed connect. Nothing follows it; the owner
     * may destroy the channel in it or later. */
    void (*down)(void *context, hr_status status);
    /* The send queue went from full to half empty. May be NULL. */
    void (*room)(void *context);
} hr_channel_events;

struct hr_channel {
    const hr_transport *transport;
    const hr_channel_events *events;
    void *context;
    char peer[64];
};

/* ---- memory that a NIC reaches ---- */

/* Where caps.regions is set, and nowhere else, a NIC reads payloads from and writes them into
 * registered memory only. The reader exposes each landing slot, or the target, on each rail that
 * its links use, tells the peer address and key over the channel, and withdraws it at the end. */
typedef struct hr_region hr_region;
struct hr_region {
    hr_span span;
    unsigned rail;                   /* of the transport */
    void (*done)(hr_region *region); /* of expose and of withdraw, from a step of the loop */
    void *context;                   /* the caller's */
    hr_status status; /* of expose: HR_LIMIT: the locked-memory limit; HR_INVALID: memory that this
                         NIC cannot reach. HR_OK of withdraw: nothing can be written any more */
    uint64_t address; /* set by expose: what a peer writes to for the first byte of span */
    uint32_t key;     /* set by expose */

    void *scratch[8]; /* the transport's own */
};

/* Where the receipts of one link land: the reader's, told to the writer before the first grant. */
typedef struct hr_link_ring {
    uint64_t address;
    uint32_t key;
} hr_link_ring;

#define HR_RAILS_MAX 8
#define HR_RAIL_ANY                                                                                \
    UINT32_MAX /* of a connect: how the address is reached is for the system to say */

/* One NIC that links go through. */
typedef struct hr_rail_info {
    char device[64]; /* "mlx5_0", "rxe0" */
    bool software;   /* soft-RoCE: no hardware moves the bytes */
    hr_site site;    /* its own device */
    uint64_t bits_per_s;
} hr_rail_info;

/* Where a listener can be reached over one of them. */
typedef struct hr_rail_address {
    char address[64];
    unsigned rail;
} hr_rail_address;

/* ---- links ---- */

/* The writer's request: payload into the place, then the receipt, in one order that nobody can
 * observe otherwise. The caller's again when done is called; until then neither the payload nor the
 * request may change. */
typedef struct hr_link_write hr_link_write;
struct hr_link_write {
    hr_span payload; /* payload.len == the receipt's stored_len */
    hr_receipt receipt;
    uint32_t region;  /* of the grant: which of the reader's regions */
    uint64_t offset;  /* of the grant: where in it */
    uint64_t address; /* where caps.regions: of the place itself, the region's and the offset */
    uint32_t key;     /* where caps.regions: of the region */
    void (*done)(hr_link_write *write);
    void *context;    /* the caller's */
    hr_status status; /* HR_OK: the payload memory is free again, no more. That it arrived is
                         for the reader to say. */

    /* the link's own while under way */
    hr_list node;
    uint8_t bytes[HR_RECEIPT_LEN];
    void *scratch[2];
};

/* The reader's place for one granted chunk. Armed before its grant is sent; the caller's again
 * when landed is called for it, when disarm returns true, or when the link is down. */
typedef struct hr_place hr_place;
struct hr_place {
    uint64_t transfer;
    uint32_t chunk;
    uint32_t generation;
    uint32_t region; /* as in the grant */
    uint64_t offset;
    hr_span span;  /* where the payload goes: its len is the most that is taken */
    void *context; /* the caller's */

    /* the link's own while armed */
    hr_list node;
    bool peeked; /* the writer holds span */
};

typedef struct hr_link_events {
    void (*up)(void *context); /* a connect succeeded; not for adopted links */
    /* The payload lies in place->span and the receipt matches it in transfer, chunk, generation and
     * length. Nothing else is checked yet: the digest is the reader's to compute. */
    void (*landed)(void *context, hr_place *place, const hr_receipt *receipt);
    /* The end, once. THE FENCE: when it is called nothing of this link will be written into any
     * place any more, and done was called for every write. Places still armed are the caller's
     * again. The owner may destroy the link in it or later. */
    void (*down)(void *context, hr_status status);
} hr_link_events;

struct hr_link {
    const hr_transport *transport;
    const hr_link_events *events;
    void *context;
    char peer[64];
    unsigned rail;     /* from up, or adopt, on: which NIC it goes through; 0 where there is none */
    hr_link_ring ring; /* the reader's end, from up on, where caps.regions */
    /* The writer's, once it has written, where caps.regions: payloads up to it go inline. */
    uint32_t inline_len;
};

/* ---- the tables ---- */

typedef struct hr_channel_ops {
    /* Address: "host:port", "[v6]:port" (tcp) or a name (inproc). Failures come through down. With
     * HR_GREETING_TLS no greeting is sent: the owner's first bytes are the record. */
    hr_status (*connect)(hr_transport *transport, const char *address, const hr_greeting *greeting,
                         const hr_channel_events *events, void *context, hr_channel **channel_out);
    /* Makes an incoming connection a channel of this transport's loop. Consumes incoming. */
    hr_status (*adopt)(hr_transport *transport, hr_incoming *incoming,
                       const hr_channel_events *events, void *context, hr_channel **channel_out);
    /* Copies the bytes into the send queue, all or nothing. HR_AGAIN: the queue is full
     * (HR_CHANNEL_QUEUE_MAX), events->room will be called. HR_PEER_LOST: it is down. */
    hr_status (*send)(hr_channel *channel, const void *bytes, size_t len);
    /* What is queued is still sent where that can be done at once; then down(HR_OK). */
    void (*close)(hr_channel *channel);
    /* Only after down. */
    void (*destroy)(hr_channel *channel);
} hr_channel_ops;

typedef struct hr_link_ops {
    /* Where caps.regions, the end that connects reads and the one that adopts writes; rail is the
     * NIC of ours that the link goes out by, or HR_RAIL_ANY. */
    hr_status (*connect)(hr_transport *transport, const char *address, unsigned rail,
                         const hr_greeting *greeting, const hr_link_events *events, void *context,
                         hr_link **link_out);
    hr_status (*adopt)(hr_transport *transport, hr_incoming *incoming, const hr_link_events *events,
                       void *context, hr_link **link_out);
    /* Writer's side, where caps.regions, once and before the first write. */
    void (*aim)(hr_link *link, const hr_link_ring *ring);
    /* Queues a write. Fails only through done. Completes in order. */
    void (*write)(hr_link *link, hr_link_write *write);
    /* Reader's side. HR_AGAIN: HR_LINK_PLACES_MAX are armed. HR_PEER_LOST: it is down. */
    hr_status (*arm)(hr_link *link, hr_place *place);
    /* Takes back a place whose grant the peer says it will not use, peeked at or not. False: its
     * payload is on its way in already, landed (or down) will come. */
    bool (*disarm)(hr_link *link, hr_place *place);
    /* Writer's side, only where both ends share memory (caps.shared): the reader's span for a
     * grant, so that the writer can produce the payload where it is wanted; a write whose payload
     * is that span copies nothing. The fence holds for it too: the reader's down waits until the
     * writer has written every place that it peeked at (done may say that it failed), has told the
     * reader that it will not (disarm), or has destroyed its link. So a writer destroys its link
     * only when nothing of its own is still on its way into such a span. False: it is not armed. */
    bool (*peek)(hr_link *link, uint64_t transfer, uint32_t chunk, uint32_t generation,
                 hr_span *span_out);
    /* Ends it, from either side; down follows once it is safe. */
    void (*close)(hr_link *link);
    /* Only after down. */
    void (*destroy)(hr_link *link);
} hr_link_ops;

typedef struct hr_transport_caps {
    bool shared;    /* peek works */
    bool rdma;      /* the payload lands without the reader's CPU */
    bool regions;   /* payloads and places lie in memory that was lent or exposed */
    bool channels;  /* channels work; else it carries only links */
    unsigned rails; /* at least 1; more than 1 only over RDMA */
    bool gpu;       /* places may be in a GPU's memory (HR_MEMORY_CUDA) */
} hr_transport_caps;

/* Only where caps.regions is set. */
typedef struct hr_region_ops {
    /* Writer's side: payloads will lie in this memory, on any rail. Registers it for all of them
     * and waits for that: at the start, before there are links. HR_LIMIT: more than may be locked.
     */
    hr_status (*lend)(hr_transport *transport, hr_span span);
    /* No write from it is under way. */
    void (*reclaim)(hr_transport *transport, hr_span span);
    /* Reader's side. Both take their time and answer through region->done; until then, and from the
     * done of expose to the call of withdraw, the region belongs to the transport. */
    void (*expose)(hr_transport *transport, hr_region *region);
    void (*withdraw)(hr_transport *transport, hr_region *region);
} hr_region_ops;

typedef struct hr_transport_ops {
    const char *name;                         /* "tcp", "inproc", "verbs" */
    void (*destroy)(hr_transport *transport); /* all channels, links and listeners must be gone */
    void (*query)(const hr_transport *transport, hr_transport_caps *caps_out);
    /* bound_out: the address in use (the port of ":0"), at least 64 bytes. */
    hr_status (*listen)(hr_transport *transport, const char *address,
                        const hr_listener_events *events, void *context, hr_listener **listener_out,
                        char bound_out[64]);
    /* Stops listening and frees the listener when the loop has let go of it; no callback follows.
     */
    void (*unlisten)(hr_listener *listener);
    /* Drops an incoming connection that is not wanted. */
    void (*refuse)(hr_transport *transport, hr_incoming *incoming);
    /* Only where caps.regions is set: the addresses, one a rail, at which a listener can be
     * reached; returns their number. */
    size_t (*addresses)(const hr_listener *listener, hr_rail_address *addresses_out, size_t max);
    /* Only where caps.regions is set. */
    void (*rail)(const hr_transport *transport, unsigned rail, hr_rail_info *info_out);
    /* Only where caps.regions is set: the rails of ours that share a network with an address, a bit
     * each, as things are now. 0: how it is reached only the system knows. Blocks; any thread. */
    uint32_t (*neighbours)(hr_transport *transport, const char *address);
    const hr_region_ops *region;
    hr_channel_ops channel;
    hr_link_ops link;
} hr_transport_ops;

/* The first member of every implementation. */
struct hr_transport {
    const hr_transport_ops *ops;
    hr_loop *loop;
};

/* ---- making one ---- */

typedef struct hr_tcp_options {
    const char *congestion; /* TCP_CONGESTION; NULL: on loopback the fastest of cubic and reno that
                               is there, elsewhere the system's */
    size_t send_buffer;     /* SO_SNDBUF; 0: the system tunes it by itself */
    uint64_t user_timeout_ns; /* TCP_USER_TIMEOUT; 0: 10 s */
} hr_tcp_options;

HR_CHECKED hr_status hr_transport_tcp_create(hr_loop *loop, const hr_tcp_options *options,
                                             hr_transport **transport_out);

/* RDMA over libibverbs and librdmacm: links only. One for a process: its devices and protection
 * domains are shared by the transports of all workers. The slow calls (registration, connecting,
 * teardown) are made on the helpers. */
typedef struct hr_verbs hr_verbs;
typedef struct hr_verbs_calls hr_verbs_calls; /* verbs_calls.h: the system's, or a test's */

/* Zero is the value of the design (section 4), which the comments give. */
typedef struct hr_verbs_options {
    uint32_t message_len; /* bytes of one RDMA write: 1 MiB */
    uint32_t send_queue;  /* work requests: 128 */
    uint8_t ack_timeout;  /* 4.096 us << it: 14, on soft-RoCE 18 */
    uint8_t retry;        /* 7 */
    uint32_t inline_len;  /* payloads up to it are copied into their work request, if the device
                             takes so many bytes: 0, none */
    const char *devices;  /* comma-separated names; NULL: all */
    const hr_verbs_calls *calls;
} hr_verbs_options;

/* HR_UNSUPPORTED, and a sentence that says what is missing: built without it, no device, no
 * permission on the device node, no active port. */
HR_CHECKED hr_status hr_verbs_create(const hr_env *env, hr_helpers *helpers,
                                     const hr_verbs_options *options, hr_verbs **verbs_out,
                                     hr_error *error);
void hr_verbs_destroy(hr_verbs *verbs);
HR_CHECKED hr_status hr_transport_verbs_create(hr_loop *loop, hr_verbs *verbs,
                                               hr_transport **transport_out);

/* Within one process: transports of one hub reach each other, also across threads. */
typedef struct hr_inproc_hub hr_inproc_hub;
HR_CHECKED hr_status hr_inproc_hub_create(const hr_env *env, hr_inproc_hub **hub_out);
void hr_inproc_hub_destroy(hr_inproc_hub *hub);
/* shared: whether links offer peek (the simulator also runs without). */
HR_CHECKED hr_status hr_transport_inproc_create(hr_loop *loop, hr_inproc_hub *hub, bool shared,
                                                hr_transport **transport_out);
/* As if NICs were between them: links only, on so many rails, into places that are exposed. A link
 * goes through the rail that its address names, "NAME/2". */
HR_CHECKED hr_status hr_transport_inproc_rdma_create(hr_loop *loop, hr_inproc_hub *hub,
                                                     unsigned rails, hr_transport **transport_out);

/* Chances in 1/65536. */
typedef struct hr_transport_faults {
    uint64_t seed;
    uint16_t refused;   /* connect: down(HR_UNREACHABLE) */
    uint16_t lost;      /* write or send: the connection dies instead */
    uint16_t corrupted; /* write: one bit of the payload is wrong where it lands */
    uint16_t delayed;   /* write or send: happens up to delay_ns_max later, order kept */
    uint64_t delay_ns_max;
    uint16_t late;       /* on death of a link: queued writes still land after the writer was told
                            (done), and until the reader's down: the reason for the fence */
    uint32_t flap_every; /* so many writes a link lives, each of them; 0: it does not die of that */
    uint64_t fail_nth;   /* the nth call (from 1) that can fail does; 0: none */
    const char **failed_out; /* set to its name; may be NULL */
} hr_transport_faults;

/* Wraps inner (owns it). Works on the writer's side of links and on both sides of channels. */
HR_CHECKED hr_status hr_transport_fault_create(hr_transport *inner,
                                               const hr_transport_faults *faults,
                                               hr_transport **transport_out);

#endif
