/* SPDX-License-Identifier: Apache-2.0 */
/* hr_session: what a client's channel opens on a server, and all that the client holds there. It
 * lives on worker 0.
 *
 *     greeted --hello--> open --(error, close, death)--> ending --(all links down, all files
 * closed)--> gone
 *
 * greeted  only hello is taken
 * open     list, open, keys, grant, cancel, close; links are adopted
 * ending   the channel is closed or down; shipments are coming back
 */
#ifndef HR_SESSION_H
#define HR_SESSION_H

#include "control.h"
#include "digests.h"
#include "engine.h"
#include "gate.h"
#include "keyring.h"
#include "sender.h"
#include "source.h"
#include "store.h"

#define HR_SESSION_LINKS_MAX   64
#define HR_SESSION_SOURCES_MAX 256 /* shards open at once */
#define HR_SESSION_GATHERS_MAX 8   /* transfers of bundles, which are among them */

typedef struct hr_session hr_session;

/* What a session holds by itself; its send queue is empty as long as the peer reads. */
#define HR_SESSION_HELD_LEN (sizeof(hr_session) + HR_MESSAGE_BODY_MAX + HR_GATE_TLS_LEN)

typedef struct hr_session_link {
    uint8_t ticket[HR_TICKET_LEN];
    bool ticketed;        /* the ticket was not used yet */
    uint64_t ticketed_ns; /* when it was given out */
    uint32_t link;        /* the client's number for it */
    hr_sender *sender;
} hr_session_link;

/* Where links may come in, besides the address of the channel: the server's. */
typedef struct hr_session_rails {
    char addresses[HR_RAILS_MAX][64];
    size_t count;
} hr_session_rails;

typedef struct hr_session_events {
    /* Nothing of the session is under way any more: the owner frees it, in the call or later. */
    void (*gone)(void *context, hr_session *session);
} hr_session_events;

struct hr_session {
    hr_engine *engine;
    hr_store *store;
    const hr_session_events *events;
    void *context;
    hr_list node; /* the server's */
    uint64_t number;
    const uint8_t *boot_id; /* of the server */
    const hr_session_rails *rails;
    hr_gate *gate;     /* the server's */
    hr_tenant *tenant; /* NULL until the peer is known */
    uint64_t since_ns;
    hr_control control;
    bool greeted, ending, control_down, gone;
    uint64_t features; /* that both sides have */
    hr_timer hello_timer;
    hr_transport_caps caps;
    hr_session_link links[HR_SESSION_LINKS_MAX];
    unsigned next_worker;
    hr_keyring keyring;
    hr_source probe;
    hr_list sources;
    unsigned source_count, gather_count;
    hr_store_listing listings[HR_MESSAGE_LISTS_MAX]; /* each one page at a time */
    hr_digests digests;
    hr_server_counters *counters;
};

/* Takes the connection in every case. number, boot_id, gate and counters are set before. identity
 * NULL: in clear. */
HR_CHECKED hr_status hr_session_init(hr_session *session, hr_engine *engine, hr_store *store,
                                     hr_transport *transport, const hr_identity *identity,
                                     hr_incoming *incoming, const hr_session_events *events,
                                     void *context);
/* A link's connection that named this session. HR_POLICY: its ticket is not good; the connection is
 * still the caller's. */
HR_CHECKED hr_status hr_session_admit(hr_session *session, hr_family family, hr_incoming *incoming);
/* Says why and ends it; gone follows. */
void hr_session_end(hr_session *session, hr_status status, const char *why);

#endif
