/* SPDX-License-Identifier: Apache-2.0 */
/* hr_receiver: the client's end of one link, on one worker. Parts arm places on it. It lives in its
 * client's table and is opened again under a new number after its link died.
 *
 *     idle -open-> connecting -up-> up -(death or close)-> falling -down-> idle
 *
 * Up takes two: the connection stands, and the server has said that the link joined its session. A
 * grant is faster on its channel than a greeting on its link, and must not be there first.
 *
 * Home (worker 0) sees the states; the worker has the link. */
#ifndef HR_RECEIVER_H
#define HR_RECEIVER_H

#include "transport.h"
#include "worker.h"

typedef struct hr_receiver hr_receiver;

typedef enum hr_receiver_state {
    HR_RECEIVER_IDLE,
    HR_RECEIVER_CONNECTING,
    HR_RECEIVER_UP,
    HR_RECEIVER_FALLING,
} hr_receiver_state;

typedef struct hr_receiver_events {
    /* All on home. */
    void (*up)(void *context, hr_receiver *receiver);
    /* The fence is passed: nothing of it will be written any more, every place was given back. */
    void (*down)(void *context, hr_receiver *receiver, hr_status status);
} hr_receiver_events;

struct hr_receiver {
    hr_worker *worker, *home;
    hr_transport *transport; /* the worker's */
    const hr_receiver_events *events;
    void *context;
    hr_receiver_state state; /* home's */
    bool closing;            /* home's: close was posted */
    bool connected, joined;  /* home's */
    hr_greeting greeting;
    char address[256];

    /* the worker's */
    hr_link *end;
    bool end_up, down, told_to_close;
    hr_status status;
    hr_list armed; /* of hr_landing.armed_node */
    hr_letter open_letter, up_letter, close_letter, fallen_letter, down_letter;
};

void hr_receiver_init(hr_receiver *receiver, hr_worker *worker, hr_worker *home,
                      hr_transport *transport, const hr_receiver_events *events, void *context);
/* Home: connects; up or down follows. */
void hr_receiver_open(hr_receiver *receiver, const char *address, const hr_greeting *greeting);
/* Home: the server has taken this link. */
void hr_receiver_join(hr_receiver *receiver);
/* Home: ends it; down follows. Twice is once. */
void hr_receiver_close(hr_receiver *receiver);

#endif
