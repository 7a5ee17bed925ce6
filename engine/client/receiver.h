/* SPDX-License-Identifier: Apache-2.0 */
/* hr_receiver: the client's end of one link, on one worker. Parts arm places on it. It lives in its
 * client's table and is opened again under a new number after its link died.
 *
 *     idle -open-> connecting ------------------------> up -(death or close)-> falling -down-> idle
 *                      `-> preparing -probe-> probing -->'
 *
 * Up takes two: the connection stands, and the server has said that the link joined its session. A
 * grant is faster on its channel than a greeting on its link, and must not be there first. Over
 * RDMA it takes two more: the slots are exposed on the link's rail, and bytes that both ends know
 * have come over it and were right (probe.h).
 *
 * Home (worker 0) sees the states; the worker has the link. */
#ifndef HR_RECEIVER_H
#define HR_RECEIVER_H

#include "exposure.h"
#include "message.h"
#include "transport.h"
#include "worker.h"

typedef struct hr_receiver hr_receiver;

typedef enum hr_receiver_state {
    HR_RECEIVER_IDLE,
    HR_RECEIVER_CONNECTING,
    HR_RECEIVER_PREPARING,
    HR_RECEIVER_PROBING,
    HR_RECEIVER_UP,
    HR_RECEIVER_FALLING,
} hr_receiver_state;

typedef struct hr_receiver_events {
    /* All on home. */
    /* Over RDMA: the keys of its memory are to be told, and hr_receiver_probe to be called. */
    void (*prepare)(void *context, hr_receiver *receiver);
    /* The place of the probe is armed: its grant is to be sent. */
    void (*probing)(void *context, hr_receiver *receiver, const hr_grant *grant);
    void (*up)(void *context, hr_receiver *receiver);
    /* The fence is passed: nothing of it will be written any more, every place was given back. */
    void (*down)(void *context, hr_receiver *receiver, hr_status status);
} hr_receiver_events;

struct hr_receiver {
    hr_worker *worker, *home;
    hr_transport *transport; /* the worker's, while it is not idle */
    bool uses_regions;
    const hr_receiver_events *events;
    void *context;
    hr_receiver_state state; /* home's */
    bool closing;            /* home's: close was posted */
    bool connected, joined;  /* home's */
    bool moving;             /* home's: closed for a better rail, not for a failure */
    bool unjudged;           /* home's: it died before it joined, and may have been refused */
    bool refused;            /* home's: the server had no room for it the last time */
    bool retried;            /* home's: refused, and to be asked for again now */
    uint32_t server_rail;    /* home's: of hr_rails, or HR_RAIL_NONE */
    hr_timer timer;          /* home's: until it is up, over RDMA */
    hr_exposure *exposure;   /* home's before the probe, then the worker's to read */
    unsigned out_by;         /* the rail of ours that was asked for, or HR_RAIL_ANY */
    unsigned rail;           /* from connected on: the transport's */
    hr_link_ring ring;       /* from connected on, over RDMA */
    hr_greeting greeting;
    char address[256];

    /* the worker's */
    hr_link *end;
    uint32_t life; /* the number of the link that it is, or was the last time */
    bool end_up, fallen, down, told_to_close;
    hr_status status;
    hr_list armed; /* of hr_landing.armed_node */
    hr_slot *probe_slot;
    hr_place probe;
    hr_slot_waiter probe_waiter;
    bool probe_failed;
    hr_letter open_letter, up_letter, close_letter, fallen_letter, down_letter;
    hr_letter probe_letter, probing_letter, proved_letter;
};

void hr_receiver_init(hr_receiver *receiver, hr_worker *worker, hr_worker *home,
                      const hr_receiver_events *events, void *context);
/* Home: connects through this transport of the worker's, and over RDMA by this rail of ours or
 * HR_RAIL_ANY; up or down follows. */
void hr_receiver_open(hr_receiver *receiver, hr_transport *transport, const char *address,
                      unsigned out_by, const hr_greeting *greeting);
/* Home, once after prepare: its landing slots lie in this exposure, whose keys are told. */
void hr_receiver_probe(hr_receiver *receiver, hr_exposure *exposure);
/* Worker: the number of the region that a slot of its is, for places and grants; 0 where places
 * need no region. */
static inline uint32_t hr_receiver_region(const hr_receiver *receiver, const hr_slot *slot)
{
    if (receiver->exposure == NULL)
        return 0;
    return receiver->exposure->first + (uint32_t)(slot - receiver->worker->slots.slots);
}
/* Home: the server has taken this link. */
void hr_receiver_join(hr_receiver *receiver);
/* Home: ends it; down follows. Twice is once. */
void hr_receiver_close(hr_receiver *receiver);
/* On its worker: the link takes no more places, though its down may wait long behind the fence.
 * Home learns it at once, and gives it no more chunks. */
void hr_receiver_fall(hr_receiver *receiver);

#endif
