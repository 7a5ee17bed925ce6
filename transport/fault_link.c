/* SPDX-License-Identifier: Apache-2.0 */
/* A faulty link. Each write is passed on as a write of our own, so that its payload can be spoiled,
 * and so that it can still land after its owner was told that the link is dead. */
#include <assert.h>
#include <string.h>

#include "fault.h"

typedef struct fault_link {
    hr_link base;
    hr_fault *fault;
    hr_link *inner; /* NULL: the connect was refused */
    hr_list held;   /* delayed: not given to inner yet */
    hr_list failed; /* to be told */
    hr_timer delay; /* of held; once dying, until inner is closed whatever is still late */
    hr_task settle;
    uint32_t writes;    /* so far */
    unsigned late_left; /* writes under way that their owners do not know of */
    bool lost;          /* by us */
    bool closed, is_dying, inner_is_down, is_down;
    hr_status status;
} fault_link;

/* A write given to inner. */
typedef struct passed {
    hr_link_write inner;
    fault_link *link;
    hr_link_write *outer; /* NULL: late, its owner was told already */
    uint8_t *flipped;     /* byte to be put right when it is done, or NULL */
    uint8_t flipped_bit;
    uint8_t copy[]; /* of a late one: its owner may use the memory again */
} passed;

static const hr_link_ops *inner_ops(const fault_link *link)
{
    return &link->fault->inner->ops->link;
}

static const hr_env *env_of(const fault_link *link)
{
    return hr_loop_env(link->fault->base.loop);
}

/* ---- passing on ---- */

static void close_inner(fault_link *link)
{
    hr_loop_timer_clear(link->fault->base.loop, &link->delay);
    if (link->inner != NULL)
        inner_ops(link)->close(link->inner);
}

static void passed_done(hr_link_write *inner)
{
    passed *write = HR_CONTAINER(inner, passed, inner);
    fault_link *link = write->link;
    hr_link_write *outer = write->outer;
    hr_status status = inner->status;
    if (write->flipped != NULL)
        *write->flipped ^= write->flipped_bit;
    hr_release(env_of(link), write);
    if (outer == NULL) {
        if (--link->late_left == 0 && !link->inner_is_down)
            close_inner(link);
        return;
    }
    outer->status = status;
    outer->done(outer);
}

/* The span that the reader gave the writer to fill: what is spoiled there stays spoiled. */
static bool is_in_place(const fault_link *link, const hr_link_write *write)
{
    hr_span span;
    const hr_receipt *receipt = &write->receipt;
    return inner_ops(link)->peek(link->inner, receipt->transfer, receipt->chunk,
                                 receipt->generation, &span) &&
           span.addr == write->payload.addr;
}

static void spoil(fault_link *link, passed *write)
{
    uint64_t random = hr_fault_random(link->fault);
    uint8_t *at = (uint8_t *)write->inner.payload.addr + (random >> 3) % write->inner.payload.len;
    write->flipped_bit = (uint8_t)(1u << (random & 7));
    *at ^= write->flipped_bit;
    write->flipped = is_in_place(link, &write->inner) ? NULL : at;
}

static passed *wrap(fault_link *link, const hr_link_write *outer, size_t copy_len)
{
    passed *write = hr_alloc(env_of(link), sizeof *write + copy_len);
    if (write == NULL)
        return NULL;
    write->link = link;
    write->inner = (hr_link_write){
        .payload = outer->payload,
        .receipt = outer->receipt,
        .region = outer->region,
        .offset = outer->offset,
        .address = outer->address,
        .key = outer->key,
        .done = passed_done,
    };
    return write;
}

static void fail(fault_link *link, hr_link_write *outer)
{
    hr_list_append(&link->failed, &outer->node);
    hr_loop_defer(link->fault->base.loop, &link->settle);
}

static void die(fault_link *link, hr_link_write *last);

static void pass(fault_link *link, hr_link_write *outer)
{
    passed *write = wrap(link, outer, 0);
    if (write == NULL) { /* a write fails only when its link does */
        die(link, outer);
        return;
    }
    write->outer = outer;
    if (outer->payload.len > 0 && hr_fault_happens(link->fault, link->fault->faults.corrupted))
        spoil(link, write);
    inner_ops(link)->write(link->inner, &write->inner);
}

/* The owner is told that it failed, and it lands all the same. */
static void pass_late(fault_link *link, hr_link_write *outer)
{
    passed *write = wrap(link, outer, outer->payload.len);
    if (write != NULL) {
        memcpy(write->copy, outer->payload.addr, outer->payload.len);
        write->inner.payload = hr_span_host(write->copy, outer->payload.len);
        link->late_left++;
        inner_ops(link)->write(link->inner, &write->inner);
    }
    fail(link, outer);
}

/* ---- the end ---- */

/* last: a write that comes too late for anything but this; or NULL. */
static void die(fault_link *link, hr_link_write *last)
{
    hr_fault *fault = link->fault;
    if (last != NULL)
        hr_list_append(&link->held, &last->node);
    bool late = !link->is_dying && link->inner != NULL && !link->inner_is_down &&
                hr_fault_happens(fault, fault->faults.late);
    link->is_dying = true;
    for (hr_list *node; (node = hr_list_take_first(&link->held)) != NULL;) {
        hr_link_write *write = HR_CONTAINER(node, hr_link_write, node);
        if (late)
            pass_late(link, write);
        else
            fail(link, write);
    }
    uint64_t until_ns = hr_loop_now_ns(fault->base.loop) + fault->faults.delay_ns_max;
    if (link->late_left == 0 ||
        hr_loop_timer_set(fault->base.loop, &link->delay, until_ns) != HR_OK)
        close_inner(link);
}

static void settle(hr_task *task)
{
    fault_link *link = HR_CONTAINER(task, fault_link, settle);
    for (hr_list *node; (node = hr_list_take_first(&link->failed)) != NULL;) {
        hr_link_write *write = HR_CONTAINER(node, hr_link_write, node);
        write->status = link->closed ? HR_CANCELED : HR_PEER_LOST;
        write->done(write);
    }
    if (!link->inner_is_down || link->is_down || link->settle.queued)
        return;
    hr_loop_timer_clear(link->fault->base.loop, &link->delay);
    link->is_down = true;
    hr_status status = link->closed ? HR_OK : link->lost ? HR_PEER_LOST : link->status;
    link->base.events->down(link->base.context, status);
}

static void delay_over(hr_timer *timer)
{
    fault_link *link = HR_CONTAINER(timer, fault_link, delay);
    if (link->is_dying)
        close_inner(link);
    for (hr_list *node; (node = hr_list_take_first(&link->held)) != NULL;)
        pass(link, HR_CONTAINER(node, hr_link_write, node));
}

/* ---- the inner link's events ---- */

static void inner_up(void *context)
{
    fault_link *link = context;
    memcpy(link->base.peer, link->inner->peer, sizeof link->base.peer);
    link->base.rail = link->inner->rail;
    link->base.ring = link->inner->ring;
    if (!link->is_dying)
        link->base.events->up(link->base.context);
}

static void inner_landed(void *context, hr_place *place, const hr_receipt *receipt)
{
    fault_link *link = context;
    link->base.events->landed(link->base.context, place, receipt);
}

static void inner_down(void *context, hr_status status)
{
    fault_link *link = context;
    link->inner_is_down = true;
    link->status = status;
    for (hr_list *node; (node = hr_list_take_first(&link->held)) != NULL;)
        hr_list_append(&link->failed, node);
    hr_loop_defer(link->fault->base.loop, &link->settle);
}

static const hr_link_events inner_events = {
    .up = inner_up,
    .landed = inner_landed,
    .down = inner_down,
};

/* ---- the table ---- */

static fault_link *link_create(hr_transport *transport, const hr_link_events *events, void *context)
{
    fault_link *link = hr_alloc(hr_loop_env(transport->loop), sizeof *link);
    if (link == NULL)
        return NULL;
    link->base = (hr_link){.transport = transport, .events = events, .context = context};
    link->fault = (hr_fault *)transport;
    link->settle.run = settle;
    link->delay.fire = delay_over;
    hr_list_init(&link->held);
    hr_list_init(&link->failed);
    return link;
}

hr_status hr_fault_link_connect(hr_transport *transport, const char *address, unsigned rail,
                                const hr_greeting *greeting, const hr_link_events *events,
                                void *context, hr_link **link_out)
{
    if (hr_fault_is_due((hr_fault *)transport, "connect a link"))
        return HR_LIMIT;
    fault_link *link = link_create(transport, events, context);
    if (link == NULL)
        return HR_NO_MEMORY;
    hr_fault *fault = link->fault;
    hr_status status = HR_OK;
    if (hr_fault_happens(fault, fault->faults.refused))
        inner_down(link, HR_UNREACHABLE);
    else
        status = inner_ops(link)->connect(fault->inner, address, rail, greeting, &inner_events,
                                          link, &link->inner);
    if (status != HR_OK) {
        hr_release(env_of(link), link);
        return status;
    }
    *link_out = &link->base;
    return HR_OK;
}

hr_status hr_fault_link_adopt(hr_transport *transport, hr_incoming *incoming,
                              const hr_link_events *events, void *context, hr_link **link_out)
{
    bool fails = hr_fault_is_due((hr_fault *)transport, "adopt a link");
    fault_link *link = fails ? NULL : link_create(transport, events, context);
    if (link == NULL) {
        transport->ops->refuse(transport, incoming);
        return fails ? HR_LIMIT : HR_NO_MEMORY;
    }
    memcpy(link->base.peer, incoming->peer, sizeof link->base.peer);
    hr_status status =
        inner_ops(link)->adopt(link->fault->inner, incoming, &inner_events, link, &link->inner);
    if (status != HR_OK) {
        hr_release(env_of(link), link);
        return status;
    }
    link->base.rail = link->inner->rail;
    *link_out = &link->base;
    return HR_OK;
}

void hr_fault_link_aim(hr_link *base, const hr_link_ring *ring)
{
    fault_link *link = (fault_link *)base;
    if (!link->is_dying && !link->inner_is_down)
        inner_ops(link)->aim(link->inner, ring);
}

static bool dies_of(fault_link *link)
{
    uint32_t every = link->fault->faults.flap_every;
    bool fails = hr_fault_is_due(link->fault, "write");
    return fails || (every != 0 && ++link->writes >= every) ||
           hr_fault_happens(link->fault, link->fault->faults.lost);
}

void hr_fault_link_write(hr_link *base, hr_link_write *write)
{
    fault_link *link = (fault_link *)base;
    hr_fault *fault = link->fault;
    hr_loop *loop = fault->base.loop;
    assert(!link->is_down);
    if (link->is_dying || link->inner_is_down) {
        fail(link, write);
    } else if (dies_of(link)) {
        link->lost = true;
        die(link, write);
    } else if (!hr_list_is_empty(&link->held) ||
               (hr_fault_happens(fault, fault->faults.delayed) &&
                hr_loop_timer_set(loop, &link->delay, hr_fault_delayed_until_ns(fault)) == HR_OK)) {
        hr_list_append(&link->held, &write->node);
    } else {
        pass(link, write);
    }
}

hr_status hr_fault_link_arm(hr_link *base, hr_place *place)
{
    fault_link *link = (fault_link *)base;
    if (link->inner == NULL || link->inner_is_down)
        return HR_PEER_LOST;
    if (hr_fault_is_due(link->fault, "arm"))
        return HR_AGAIN;
    return inner_ops(link)->arm(link->inner, place);
}

bool hr_fault_link_disarm(hr_link *base, hr_place *place)
{
    fault_link *link = (fault_link *)base;
    return link->inner != NULL && inner_ops(link)->disarm(link->inner, place);
}

bool hr_fault_link_peek(hr_link *base, uint64_t transfer, uint32_t chunk, uint32_t generation,
                        hr_span *span_out)
{
    fault_link *link = (fault_link *)base;
    return link->inner != NULL && !link->inner_is_down &&
           inner_ops(link)->peek(link->inner, transfer, chunk, generation, span_out);
}

void hr_fault_link_close(hr_link *base)
{
    fault_link *link = (fault_link *)base;
    if (link->closed || link->is_down)
        return;
    link->closed = true;
    if (!link->is_dying)
        die(link, NULL);
}

void hr_fault_link_destroy(hr_link *base)
{
    fault_link *link = (fault_link *)base;
    assert(link->is_down);
    if (link->inner != NULL)
        inner_ops(link)->destroy(link->inner);
    hr_release(env_of(link), link);
}
