/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the verbs transport share. */
#ifndef HR_VERBS_H
#define HR_VERBS_H

#include "places.h"
#include "transport.h"
#include "verbs_calls.h"

/* The private data of a connect request has room for this much; the rest of a greeting is reserved
 * and zero. */
#define HR_VERBS_GREETING_LEN 56

/* Receipts that may be under way, places that may be armed and receives that are posted: one
 * number, so there is nothing that could run out of one of them alone. */
#define HR_VERBS_RING_LEN HR_LINK_PLACES_MAX

/* ---- verbs.c ---- */

/* One rail. */
typedef struct hr_verbs_device {
    struct ibv_context *context; /* librdmacm's: each identifier on this device has the same */
    struct ibv_pd *pd;
    hr_rail_info info;
    uint64_t max_mr_len;
    uint32_t send_queue;
    uint8_t ack_timeout;
} hr_verbs_device;

struct hr_verbs {
    const hr_env *env;
    hr_helpers *helpers;
    const hr_verbs_calls *calls;
    struct ibv_context **contexts; /* keeps librdmacm from closing them */
    uint32_t message_len, inline_len;
    uint8_t retry;
    unsigned device_count;
    hr_verbs_device devices[HR_RAILS_MAX];
};

/* The device of an identifier, or NULL if it is none that is used. */
hr_verbs_device *hr_verbs_device_of(hr_verbs *verbs, const struct rdma_cm_id *id);
/* Of an errno of these libraries: ENOMEM mostly means the locked-memory limit. */
hr_status hr_verbs_status(int error);

/* ---- verbs_addresses.c ---- */

/* Not one that only this host or this wire knows, which is of no use to a peer. */
bool hr_verbs_address_is_usable(const struct ifaddrs *at, sa_family_t family);
void hr_verbs_address_set_port(struct sockaddr *address, uint16_t port); /* as on the wire */
/* The device that answers for an address of ours, found by binding to it; NULL: none does. */
hr_verbs_device *hr_verbs_address_device(hr_verbs *verbs, struct rdma_event_channel *channel,
                                         const struct sockaddr *address);
/* The address of a rail in the target's network. False: it has none there. */
bool hr_verbs_source(hr_verbs *verbs, struct rdma_event_channel *channel, unsigned rail,
                     const struct sockaddr *target, struct sockaddr_storage *source_out);
uint32_t hr_verbs_neighbours(hr_transport *transport, const char *address);

/* ---- verbs_transport.c ---- */

typedef struct hr_verbs_transport {
    hr_transport base;
    hr_verbs *verbs;
    hr_list lent;
} hr_verbs_transport;

/* ---- verbs_region.c ---- */

extern const hr_region_ops hr_verbs_region_ops;
/* False: these bytes were not lent as one piece. */
bool hr_verbs_lent_key(const hr_verbs_transport *transport, unsigned rail, const void *addr,
                       size_t len, uint32_t *key_out);

/* ---- verbs_connection.c ---- */

/* What a link stands on in the two libraries. Its functions block: a helper calls them, one at a
 * time, and meanwhile the worker leaves the connection alone (but for posting and polling). */
typedef struct hr_verbs_connection {
    hr_verbs *verbs;
    bool is_reader;    /* it dialed: it owns a ring, which the other side writes into */
    uint8_t *receipts; /* the reader's ring; of the writer what is sent, where inline is refused */
    char address[64];
    unsigned rail; /* to go out by, or HR_RAIL_ANY: of who dials */
    uint8_t greeting[HR_VERBS_GREETING_LEN];

    struct rdma_event_channel *events;
    struct rdma_cm_id *id;
    hr_verbs_device *device; /* from the answer to dialing on, or from the start */
    struct ibv_comp_channel *completions;
    struct ibv_cq *cq;
    struct ibv_mr *receipts_mr; /* NULL of a writer that sends inline */
    uint32_t inline_len;        /* that the queue pair has room for */
    bool has_qp, is_established;

    hr_status status; /* of what went wrong first */
    const char *what; /* the call or the event */
    bool is_event;
    int code; /* errno, or the event's */
} hr_verbs_connection;

/* Begins with an address. */
void hr_verbs_dial(hr_verbs_connection *connection);
/* Begins with an identifier that has asked to be connected. */
void hr_verbs_accept(hr_verbs_connection *connection);
/* Takes one event, if there is one, and does what it asks for. */
void hr_verbs_attend(hr_verbs_connection *connection);
/* Ends all of it. Afterwards the device touches no memory for it any more. */
void hr_verbs_hang_up(hr_verbs_connection *connection);
/* One of the receives that receipts consume; 0 or an errno. Does not block. */
int hr_verbs_post_receive(hr_verbs_connection *connection);
/* A descriptor that is watched must not block who reads from it. */
void hr_verbs_unblock(int fd);

/* ---- verbs_listener.c ---- */

hr_status hr_verbs_listen(hr_transport *transport, const char *address,
                          const hr_listener_events *events, void *context,
                          hr_listener **listener_out, char bound_out[64]);
void hr_verbs_unlisten(hr_listener *listener);
size_t hr_verbs_addresses(const hr_listener *listener, hr_rail_address *addresses_out, size_t max);
void hr_verbs_refuse(hr_transport *transport, hr_incoming *incoming);
/* Moves the identifier and its events into the connection. Consumes incoming. */
void hr_verbs_take_incoming(hr_transport *transport, hr_incoming *incoming,
                            hr_verbs_connection *connection);

/* ---- verbs_link.c: the life of a link ---- */

typedef struct hr_verbs_link {
    hr_link base;
    hr_verbs_transport *transport;
    hr_verbs_connection connection;
    hr_job job;
    hr_op event_watch, completion_watch;
    hr_poller poller;
    hr_timer timer; /* ends a connect that takes too long */
    hr_task settle;
    bool is_working, is_watching_events, is_watching_completions;
    bool is_up;
    bool closed; /* by our owner */
    bool ending; /* with status */
    bool has_hung_up, is_down;
    hr_status status;

    /* the reader's */
    hr_places places;
    uint32_t received; /* receipts */

    /* the writer's */
    hr_list waiting, posted; /* writes, in order */
    hr_link_ring ring;       /* where its receipts go; key and address of the peer's */
    bool is_aimed;
    uint32_t sent; /* receipts */
    uint32_t free; /* work requests that the send queue has room for */
    struct ibv_send_wr *wrs;
    struct ibv_sge *sges;
} hr_verbs_link;

hr_status hr_verbs_link_connect(hr_transport *transport, const char *address, unsigned rail,
                                const hr_greeting *greeting, const hr_link_events *events,
                                void *context, hr_link **link_out);
hr_status hr_verbs_link_adopt(hr_transport *transport, hr_incoming *incoming,
                              const hr_link_events *events, void *context, hr_link **link_out);
void hr_verbs_link_close(hr_link *link);
void hr_verbs_link_destroy(hr_link *link);
/* The first reason counts. Deferred: nothing is called back before it returns. */
void hr_verbs_link_end(hr_verbs_link *link, hr_status status);

/* ---- verbs_reader.c ---- */

hr_status hr_verbs_link_arm(hr_link *link, hr_place *place);
bool hr_verbs_link_disarm(hr_link *link, hr_place *place);
/* A receipt has come: checks it against what was armed, and calls landed. */
void hr_verbs_take_receipt(hr_verbs_link *link, const struct ibv_wc *wc);

/* ---- verbs_writer.c ---- */

/* Memory for the requests of the longest chain. HR_NO_MEMORY. */
HR_CHECKED hr_status hr_verbs_writer_init(hr_verbs_link *link);
void hr_verbs_writer_fini(hr_verbs_link *link);
void hr_verbs_link_aim(hr_link *link, const hr_link_ring *ring);
void hr_verbs_link_write(hr_link *link, hr_link_write *write);
/* As many of the waiting writes as the send queue has room for. */
void hr_verbs_post_waiting(hr_verbs_link *link);
/* The oldest posted write is done. */
void hr_verbs_take_sent(hr_verbs_link *link, const struct ibv_wc *wc);
/* Gives back every write; only after the connection has hung up. */
void hr_verbs_give_back(hr_verbs_link *link);

#endif
