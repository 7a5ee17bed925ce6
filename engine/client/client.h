/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of hr_client: a session as its client sees it. On worker 0.
 *
 *   starting -(embedded server ready)-> connecting -up-> greeting -welcome-> ticketing -tickets->
 *   linking -(first link up)-> ready -> ... -> failed or closing -> gone
 *
 * A link that dies is opened again under a new number, with a new ticket. */
#ifndef HR_CLIENT_H
#define HR_CLIENT_H

#include "ask.h"
#include "control.h"
#include "engine.h"
#include "rails.h"
#include "receiver.h"
#include "region_numbers.h"
#include "routes.h"
#include "server.h"
#include "survey.h"

#define HR_CLIENT_LINKS_MAX 64

typedef struct hr_transfer hr_transfer;

/* Somebody who wants to know when the client is ready or has failed. */
typedef struct hr_client_waiter {
    hr_list node;
    void (*settled)(struct hr_client_waiter *waiter);
} hr_client_waiter;

/* A server has no more than these opening. */
#define HR_ABANDONED_MAX 256
typedef struct hr_abandoned {
    uint64_t transfer;
    bool is_bundles; /* else it is open as a file only */
} hr_abandoned;

struct hr_client {
    hr_engine *engine;
    const hr_env *env;
    hr_server *embedded;
    bool embedded_closing;
    bool network;
    char address[256];
    hr_control control;
    bool control_open;     /* fini is due */
    hr_identity *identity; /* NULL: in clear */
    bool asked_again;      /* the first connection ended without a welcome */
    bool welcomed, destroying, requires_aead, requires_gpu, requires_gpudirect;
    hr_status status; /* HR_AGAIN, HR_OK, or why not */
    hr_error error;
    hr_timer timer; /* for connecting */
    hr_timer again; /* for asking once more */
    uint64_t connect_timeout_ns;
    uint64_t session, features; /* that both sides have */

    hr_receiver receivers[HR_CLIENT_LINKS_MAX];
    unsigned link_count; /* wanted */
    bool placed;         /* each has its worker */
    unsigned links_up;
    uint32_t next_link;   /* its number */
    uint32_t asked_first; /* of the tickets that are under way, or wait for the survey */
    unsigned asked_count;
    hr_ticket tickets[HR_CLIENT_LINKS_MAX];
    unsigned rebuilds; /* over the network, since */
    uint64_t rebuild_since_ns;
    unsigned refusals;      /* rounds of them, since one was taken that had been refused */
    hr_timer refused_timer; /* those that were refused are asked for again */
    bool asks_later;        /* it is set */
    bool rdma_required;
    char no_rdma[200]; /* why RDMA is not used; "" while it may be */
    hr_rails rails;    /* of the server, for RDMA */
    hr_timer rails_timer;
    hr_survey survey;          /* of the ways to the server's rails */
    hr_routes routes;          /* our NICs, and where the data goes from them */
    hr_rail_info rail_info;    /* of ours that was used last */
    char rail_why[160];        /* it was that one; "" where there is but one */
    hr_list exposures;         /* of landing slots: one a worker and rail */
    hr_region_numbers numbers; /* of what is exposed, of slots and of targets */

    hr_list waiters;   /* of hr_client_waiter */
    hr_list transfers; /* of hr_transfer.node */
    uint64_t next_transfer;
    hr_abandoned abandoned[HR_ABANDONED_MAX]; /* transfers that ended before they were opened */
    unsigned abandoned_count;
    hr_list listing;        /* of hr_listing: whose page is under way */
    hr_list listings;       /* that wait for their turn */
    unsigned listing_count; /* under way */
    uint32_t next_request;
    hr_list asked, asking;  /* of hr_question: sent, and waiting to be */
    unsigned asked_digests; /* that were not answered, */
    unsigned given_up;      /* of these: for nobody any more */

    hr_grant grants[HR_MESSAGE_GRANTS_MAX]; /* collected for one message */
    size_t grant_count;
    hr_task grant_task;
};

/* Calls back at once (from a later step it would be, if it is not settled yet). */
void hr_client_wait(hr_client *client, hr_client_waiter *waiter);
/* Once settled: whether the server takes a path of len bytes. HR_UNSUPPORTED: it is too old. */
HR_CHECKED hr_status hr_client_check_path(const hr_client *client, size_t len, hr_error *error);
void hr_client_send(hr_client *client, const hr_message *message);
/* Nobody waits any more for the server's opened: what it says is open by then is closed. */
void hr_client_abandon(hr_client *client, uint64_t transfer, bool is_bundles);
/* Collects grants: they leave together at the end of the round. */
void hr_client_grant(hr_client *client, const hr_grant *grant);
/* The session is of no more use; everything in it fails. */
void hr_client_fail(hr_client *client, hr_status status, const char *format, ...) HR_PRINTF(3, 4);
/* From links.c: one is up, or one is down while the client is failing. */
void hr_client_link_up(hr_client *client);
void hr_client_link_over(hr_client *client);
/* Closes every link: the last resort to get places back from a peer that does not answer. */
void hr_client_drop_links(hr_client *client);

/* Of listing.c: a page, or that there will be none of any. */
void hr_listing_take(hr_client *client, const hr_message_entries *page);
void hr_listing_fail_all(hr_client *client, hr_status status, const char *text);
/* Where a listing starts: behind a page, with the cookie of it. One of many directories brings a
 * page, of the first of them; where one of them is at its end, hr_listing_turn goes on with the
 * next. */
typedef struct hr_listing_place {
    const char *path;
    uint64_t cookie; /* of the first of many */
    bool xattrs;
    const char *names; /* of many directories: below path, each with a 0 behind it */
    size_t names_len, name_count;
} hr_listing_place;

HR_CHECKED hr_status hr_listing_open_at(hr_client *client, const hr_listing_place *place,
                                        hr_listing **listing_out, hr_error *error);
/* How many more of many the page has, and: goes on with the next of them. False: there is none. */
size_t hr_listing_turns(const hr_listing *listing);
bool hr_listing_turn(hr_listing *listing);
/* Of the page that was taken last; of many that of the last of them. */
uint64_t hr_listing_cookie(const hr_listing *listing);
/* All of a page was taken, and there are more: hr_listing_next would ask for the next one, but not
 * of many. */
bool hr_listing_is_at_page_end(const hr_listing *listing);
/* The page is there, and what of it was not told of yet is no directory. */
bool hr_listing_is_past_folders(const hr_listing *listing);
/* changed is called when a page has come, or that there will be none. */
void hr_listing_watch(hr_listing *listing, void (*changed)(void *context), void *context);

#endif
