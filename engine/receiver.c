/* SPDX-License-Identifier: Apache-2.0 */
#include "receiver.h"

#include <assert.h>
#include <stdio.h>

#include "part.h"

/* ---- on the worker ---- */

static void deliver_down(hr_letter *letter)
{
    hr_receiver *receiver = HR_CONTAINER(letter, hr_receiver, down_letter);
    receiver->state = HR_RECEIVER_IDLE;
    receiver->events->down(receiver->context, receiver, receiver->status);
}

/* Home is told once it has said close: its letter must not find the next life of this receiver. */
static void finish_if_over(hr_receiver *receiver)
{
    if (!receiver->down || !receiver->told_to_close)
        return;
    receiver->down_letter.deliver = deliver_down;
    hr_loop_post(receiver->home->loop, &receiver->down_letter);
}

static void deliver_fallen(hr_letter *letter)
{
    hr_receiver_close(HR_CONTAINER(letter, hr_receiver, fallen_letter));
}

static void link_down(void *context, hr_status status)
{
    hr_receiver *receiver = context;
    receiver->down = true;
    receiver->end_up = false;
    receiver->status = status;
    while (!hr_list_is_empty(&receiver->armed))
        hr_landing_lost(HR_CONTAINER(receiver->armed.next, hr_landing, armed_node));
    if (receiver->end != NULL)
        receiver->transport->ops->link.destroy(receiver->end);
    receiver->end = NULL;
    receiver->fallen_letter.deliver = deliver_fallen;
    hr_loop_post(receiver->home->loop, &receiver->fallen_letter);
    finish_if_over(receiver);
}

static void be_up(hr_receiver *receiver)
{
    if (receiver->state != HR_RECEIVER_CONNECTING || !receiver->connected || !receiver->joined)
        return;
    receiver->state = HR_RECEIVER_UP;
    receiver->events->up(receiver->context, receiver);
}

static void deliver_up(hr_letter *letter)
{
    hr_receiver *receiver = HR_CONTAINER(letter, hr_receiver, up_letter);
    receiver->connected = true;
    be_up(receiver);
}

static void link_up(void *context)
{
    hr_receiver *receiver = context;
    receiver->end_up = true;
    receiver->up_letter.deliver = deliver_up;
    hr_loop_post(receiver->home->loop, &receiver->up_letter);
}

static void link_landed(void *context, hr_place *place, const hr_receipt *receipt)
{
    (void)context;
    hr_landing_landed(HR_CONTAINER(place, hr_landing, place), receipt);
}

static const hr_link_events link_events = {
    .up = link_up,
    .landed = link_landed,
    .down = link_down,
};

static void deliver_open(hr_letter *letter)
{
    hr_receiver *receiver = HR_CONTAINER(letter, hr_receiver, open_letter);
    hr_status status = receiver->transport->ops->link.connect(
        receiver->transport, receiver->address, &receiver->greeting, &link_events, receiver,
        &receiver->end);
    if (status != HR_OK)
        link_down(receiver, status);
}

static void deliver_close(hr_letter *letter)
{
    hr_receiver *receiver = HR_CONTAINER(letter, hr_receiver, close_letter);
    receiver->told_to_close = true;
    if (!receiver->down)
        receiver->transport->ops->link.close(receiver->end);
    else
        finish_if_over(receiver);
}

/* ---- at home ---- */

void hr_receiver_init(hr_receiver *receiver, hr_worker *worker, hr_worker *home,
                      hr_transport *transport, const hr_receiver_events *events, void *context)
{
    *receiver = (hr_receiver){
        .worker = worker,
        .home = home,
        .transport = transport,
        .events = events,
        .context = context,
    };
    hr_list_init(&receiver->armed);
}

void hr_receiver_open(hr_receiver *receiver, const char *address, const hr_greeting *greeting)
{
    assert(receiver->state == HR_RECEIVER_IDLE);
    receiver->state = HR_RECEIVER_CONNECTING;
    receiver->connected = receiver->joined = false;
    receiver->closing = receiver->down = receiver->told_to_close = receiver->end_up = false;
    receiver->greeting = *greeting;
    snprintf(receiver->address, sizeof receiver->address, "%s", address);
    receiver->open_letter.deliver = deliver_open;
    hr_loop_post(receiver->worker->loop, &receiver->open_letter);
}

void hr_receiver_join(hr_receiver *receiver)
{
    receiver->joined = true;
    be_up(receiver);
}

void hr_receiver_close(hr_receiver *receiver)
{
    if (receiver->state == HR_RECEIVER_IDLE || receiver->closing)
        return;
    receiver->closing = true;
    receiver->state = HR_RECEIVER_FALLING;
    receiver->close_letter.deliver = deliver_close;
    hr_loop_post(receiver->worker->loop, &receiver->close_letter);
}
