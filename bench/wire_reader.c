/* SPDX-License-Identifier: Apache-2.0 */
/* The reading end. Where each message is asked for, its latency counts from when it was asked for,
 * or with a rate from when it was due: a wait for a free slot is part of it. */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crc32c.h"
#include "env.h"
#include "wire_parts.h"

#define CONNECT_NS (10 * HR_NS_PER_S)

/* ---- asking ---- */

static void ask(wire_slot *slot, uint64_t due_ns)
{
    wire_link *link = slot->link;
    wire_end *end = link->end;
    wire_grant grant = {
        .link = (uint32_t)(link - end->links),
        .slot = (uint32_t)(slot - link->slots),
    };
    if (end->verbs != NULL)
        hr_bench_rdma_address(slot, &grant);
    slot->due_ns = due_ns;
    end->asked++;
    if (send(end->desk, &grant, sizeof grant, MSG_NOSIGNAL) != (ssize_t)sizeof grant)
        end->status = HR_PEER_LOST;
}

static uint64_t next_due_ns(const wire_end *end)
{
    return end->start.at_ns + end->asked * end->interval_ns;
}

static void ask_due(wire_end *end)
{
    uint64_t now_ns = hr_now_ns(hr_env_system());
    while (end->up == end->wire.links && !end->is_leaving && end->idle_count > 0 &&
           (end->interval_ns == 0 || next_due_ns(end) <= now_ns)) {
        uint64_t due_ns = end->interval_ns == 0 ? now_ns : next_due_ns(end);
        ask(end->idle[--end->idle_count], due_ns);
    }
}

static void slot_is_idle(wire_slot *slot)
{
    wire_end *end = slot->link->end;
    end->idle[end->idle_count++] = slot;
    ask_due(end);
}

void hr_bench_link_can_ask(wire_link *link)
{
    wire_end *end = link->end;
    hr_bench_link_is_up(end);
    for (unsigned k = 0; k < end->slots_per_link && end->wire.asks; k++)
        slot_is_idle(&link->slots[k]);
}

/* ---- links ---- */

/* The writer may be gone as soon as it sees that. */
static void leave(wire_end *end)
{
    end->is_leaving = true;
    for (unsigned i = 0; i < end->wire.links; i++) {
        if (!end->links[i].is_down)
            end->transport->ops->link.close(end->links[i].link);
    }
}

static void count_landed(wire_slot *slot, uint64_t len)
{
    wire_end *end = slot->link->end;
    if (end->up < end->wire.links)
        return;
    end->bytes += len;
    end->messages++;
    if (end->wire.asks)
        hr_bench_histogram_add(&end->latency, hr_now_ns(hr_env_system()) - slot->due_ns);
}

static void message_landed(void *context, hr_place *place, const hr_receipt *receipt)
{
    wire_link *link = context;
    wire_end *end = link->end;
    wire_slot *slot = HR_CONTAINER(place, wire_slot, place);
    if (end->wire.digests &&
        hr_crc32c(0, place->span.addr, receipt->stored_len) != receipt->stored_crc)
        end->status = HR_INTEGRITY;
    count_landed(slot, receipt->stored_len);
    place->chunk += end->slots_per_link;
    hr_status status = link->link->transport->ops->link.arm(link->link, place);
    if (status != HR_OK && end->status == HR_OK && !link->is_down)
        end->status = status;
    if (end->up == end->wire.links && hr_loop_now_ns(end->loop) >= end->end_ns)
        leave(end);
    if (end->wire.asks)
        slot_is_idle(slot);
}

static void reader_up(void *context)
{
    wire_link *link = context;
    if (link->end->verbs != NULL)
        hr_bench_rdma_expose(link);
    else
        hr_bench_link_can_ask(link);
}

static const hr_link_events reader_events = {
    .up = reader_up,
    .landed = message_landed,
    .down = hr_bench_link_is_down,
};

static hr_status reader_connect(wire_end *end, unsigned index, const char *address)
{
    wire_link *link = &end->links[index];
    const hr_link_ops *ops = &end->transport->ops->link;
    hr_greeting greeting = {.kind = HR_GREETING_LINK, .major = 1, .session = 1, .link = index};
    hr_status status = ops->connect(end->transport, address, HR_RAIL_ANY, &greeting, &reader_events,
                                    link, &link->link);
    for (unsigned k = 0; k < end->slots_per_link && status == HR_OK; k++) {
        wire_slot *slot = &link->slots[k];
        slot->place = (hr_place){
            .transfer = WIRE_TRANSFER, .chunk = k, .span = hr_bench_slot_memory(end, slot)};
        status = ops->arm(link->link, &slot->place);
    }
    return status;
}

/* When there is something to do though no message comes. */
static uint64_t next_step_ns(const wire_end *end, uint64_t connected_by_ns)
{
    if (end->up < end->wire.links)
        return connected_by_ns;
    bool asks = end->interval_ns != 0 && end->idle_count > 0 && !end->is_leaving;
    return asks ? next_due_ns(end) : HR_NEVER;
}

static void read_for_a_while(wire_end *end, const char *address)
{
    uint64_t connected_by_ns = hr_loop_now_ns(end->loop) + CONNECT_NS;
    for (unsigned i = 0; i < end->wire.links && end->status == HR_OK; i++)
        end->status = reader_connect(end, i, address);
    while (end->status == HR_OK && end->down < end->wire.links) {
        hr_loop_step(end->loop, next_step_ns(end, connected_by_ns));
        ask_due(end);
        if (end->up < end->wire.links && hr_loop_now_ns(end->loop) >= connected_by_ns)
            end->status = HR_DEADLINE;
    }
}

/* ---- the desk ---- */

static hr_status say_hello(const wire_end *end, char address_out[64])
{
    const hr_bench_wire *wire = &end->wire;
    wire_hello hello = {
        .magic = WIRE_MAGIC,
        .links = wire->links,
        .slots = wire->slots,
        .asks = wire->asks,
        .digests = wire->digests,
        .is_inline = wire->is_inline,
        .both = wire->both,
        .ticket = wire->ticket,
        .message_len = wire->message_len,
        .duration_ns = wire->duration_ns,
        .rate = wire->rate,
    };
    if (send(end->desk, &hello, sizeof hello, MSG_NOSIGNAL) != (ssize_t)sizeof hello ||
        recv(end->desk, address_out, 64, MSG_WAITALL) != 64)
        return HR_PEER_LOST;
    address_out[63] = '\0';
    return HR_OK;
}

hr_status hr_bench_wire_read(void *context)
{
    static wire_end end;
    const hr_bench_wire_end *given = context;
    char address[64] = "";
    if (given->not_ours >= 0)
        close(given->not_ours);
    hr_status status = hr_bench_end_open(&end, given->wire, given->desk);
    if (given->wire->rate != 0)
        end.interval_ns =
            (uint64_t)((double)given->wire->message_len * 1e9 / (double)given->wire->rate);
    if (status == HR_OK)
        status = say_hello(&end, address);
    if (status == HR_OK)
        read_for_a_while(&end, address);
    else
        end.status = status;
    hr_status result = hr_bench_end_tell(&end, "reading messages");
    if (end.down == end.wire.links)
        hr_bench_end_close(&end);
    return result;
}
