/* SPDX-License-Identifier: Apache-2.0 */
#include "receiver.h"

#include <assert.h>
#include <stdio.h>

#include "codec.h"
#include "crc32c.h"
#include "part.h"
#include "probe.h"

/* From connecting to being up, over RDMA: connections take a round trip or two, registrations tens
 * of milliseconds. */
#define PREPARE_NS (4 * HR_NS_PER_S)

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

static void end_probe(hr_receiver *receiver)
{
    if (!hr_list_is_empty(&receiver->probe_waiter.node))
        hr_list_remove(&receiver->probe_waiter.node);
    if (receiver->probe_slot != NULL)
        hr_slots_give(&receiver->worker->slots, receiver->probe_slot);
    receiver->probe_slot = NULL;
}

void hr_receiver_fall(hr_receiver *receiver)
{
    receiver->end_up = false;
    if (receiver->fallen)
        return;
    receiver->fallen = true;
    receiver->fallen_letter.deliver = deliver_fallen;
    hr_loop_post(receiver->home->loop, &receiver->fallen_letter);
}

static void link_down(void *context, hr_status status)
{
    hr_receiver *receiver = context;
    receiver->down = true;
    receiver->status = receiver->probe_failed ? HR_INTEGRITY : status;
    end_probe(receiver);
    while (!hr_list_is_empty(&receiver->armed))
        hr_landing_lost(HR_CONTAINER(receiver->armed.next, hr_landing, armed_node));
    if (receiver->end != NULL)
        receiver->transport->ops->link.destroy(receiver->end);
    receiver->end = NULL;
    hr_receiver_fall(receiver);
    finish_if_over(receiver);
}

static void be_up(hr_receiver *receiver)
{
    if (receiver->state != HR_RECEIVER_CONNECTING || !receiver->connected || !receiver->joined)
        return;
    receiver->state = receiver->uses_regions ? HR_RECEIVER_PREPARING : HR_RECEIVER_UP;
    if (receiver->uses_regions)
        receiver->events->prepare(receiver->context, receiver);
    else
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
    receiver->rail = receiver->end->rail;
    receiver->ring = receiver->end->ring;
    receiver->up_letter.deliver = deliver_up;
    hr_loop_post(receiver->home->loop, &receiver->up_letter);
}

/* ---- the probe ---- */

static void deliver_proved(hr_letter *letter)
{
    hr_receiver *receiver = HR_CONTAINER(letter, hr_receiver, proved_letter);
    if (receiver->state != HR_RECEIVER_PROBING)
        return;
    hr_loop_timer_clear(receiver->home->loop, &receiver->timer);
    receiver->state = HR_RECEIVER_UP;
    receiver->events->up(receiver->context, receiver);
}

static void deliver_probing(hr_letter *letter)
{
    hr_receiver *receiver = HR_CONTAINER(letter, hr_receiver, probing_letter);
    if (receiver->state != HR_RECEIVER_PROBING)
        return;
    hr_grant grant = {
        .transfer = HR_PROBE_TRANSFER,
        .generation = receiver->greeting.link,
        .link = receiver->greeting.link,
        .region = receiver->probe.region,
    };
    receiver->events->probing(receiver->context, receiver, &grant);
}

static void probe_landed(hr_receiver *receiver, const hr_receipt *receipt)
{
    const void *bytes = receiver->probe.span.addr;
    bool right = receipt->codec == HR_CODEC_STORED && receipt->stored_len == HR_PROBE_LEN &&
                 hr_probe_matches(receiver->greeting.link, bytes, HR_PROBE_LEN) &&
                 hr_crc32c(0, bytes, HR_PROBE_LEN) == receipt->stored_crc;
    end_probe(receiver);
    receiver->probe_failed = !right;
    receiver->proved_letter.deliver = deliver_proved;
    if (right)
        hr_loop_post(receiver->home->loop, &receiver->proved_letter);
    else
        receiver->transport->ops->link.close(receiver->end);
}

static void arm_probe(hr_receiver *receiver)
{
    hr_slots *slots = &receiver->worker->slots;
    receiver->probe_slot = hr_slots_take(slots, HR_SLOTS_FOR_STAGING);
    if (receiver->probe_slot == NULL) {
        hr_slots_wait(slots, &receiver->probe_waiter);
        return;
    }
    receiver->probe = (hr_place){
        .transfer = HR_PROBE_TRANSFER,
        .generation = receiver->greeting.link,
        .region = hr_receiver_region(receiver, receiver->probe_slot),
        .span = hr_span_host(receiver->probe_slot->span.addr, HR_PROBE_LEN),
    };
    if (receiver->transport->ops->link.arm(receiver->end, &receiver->probe) != HR_OK)
        return; /* down follows */
    receiver->probing_letter.deliver = deliver_probing;
    hr_loop_post(receiver->home->loop, &receiver->probing_letter);
}

static void probe_slot_ready(hr_slot_waiter *waiter)
{
    arm_probe(HR_CONTAINER(waiter, hr_receiver, probe_waiter));
}

static void deliver_probe(hr_letter *letter)
{
    hr_receiver *receiver = HR_CONTAINER(letter, hr_receiver, probe_letter);
    if (receiver->end_up)
        arm_probe(receiver);
}

static void link_landed(void *context, hr_place *place, const hr_receipt *receipt)
{
    hr_receiver *receiver = context;
    if (place == &receiver->probe)
        probe_landed(receiver, receipt);
    else
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
    receiver->life = receiver->greeting.link;
    receiver->down = receiver->told_to_close = receiver->end_up = receiver->fallen = false;
    receiver->probe_failed = false;
    hr_status status = receiver->transport->ops->link.connect(
        receiver->transport, receiver->address, receiver->out_by, &receiver->greeting, &link_events,
        receiver, &receiver->end);
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

static void prepare_timed_out(hr_timer *timer)
{
    hr_receiver_close(HR_CONTAINER(timer, hr_receiver, timer));
}

void hr_receiver_init(hr_receiver *receiver, hr_worker *worker, hr_worker *home,
                      const hr_receiver_events *events, void *context)
{
    *receiver = (hr_receiver){
        .worker = worker,
        .home = home,
        .events = events,
        .context = context,
        .timer.fire = prepare_timed_out,
        .probe_waiter = {.reserve = HR_SLOTS_FOR_STAGING, .ready = probe_slot_ready},
    };
    hr_list_init(&receiver->armed);
    hr_list_init(&receiver->probe_waiter.node);
}

void hr_receiver_open(hr_receiver *receiver, hr_transport *transport, const char *address,
                      unsigned out_by, const hr_greeting *greeting)
{
    assert(receiver->state == HR_RECEIVER_IDLE);
    hr_transport_caps caps;
    transport->ops->query(transport, &caps);
    receiver->state = HR_RECEIVER_CONNECTING;
    receiver->transport = transport;
    receiver->uses_regions = caps.regions;
    receiver->exposure = NULL;
    receiver->connected = receiver->joined = receiver->moving = false;
    receiver->closing = receiver->unjudged = false;
    receiver->greeting = *greeting;
    receiver->out_by = out_by;
    snprintf(receiver->address, sizeof receiver->address, "%s", address);
    receiver->open_letter.deliver = deliver_open;
    hr_loop_post(receiver->worker->loop, &receiver->open_letter);
    hr_loop *loop = receiver->home->loop;
    if (caps.regions &&
        hr_loop_timer_set(loop, &receiver->timer, hr_loop_now_ns(loop) + PREPARE_NS) != HR_OK)
        hr_receiver_close(receiver);
}

void hr_receiver_probe(hr_receiver *receiver, hr_exposure *exposure)
{
    assert(receiver->state == HR_RECEIVER_PREPARING);
    receiver->state = HR_RECEIVER_PROBING;
    receiver->exposure = exposure;
    receiver->probe_letter.deliver = deliver_probe;
    hr_loop_post(receiver->worker->loop, &receiver->probe_letter);
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
    hr_loop_timer_clear(receiver->home->loop, &receiver->timer);
    receiver->close_letter.deliver = deliver_close;
    hr_loop_post(receiver->worker->loop, &receiver->close_letter);
}
