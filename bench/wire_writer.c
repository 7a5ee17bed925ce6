/* SPDX-License-Identifier: Apache-2.0 */
/* The writing end. Unless each message is asked for it sends without asking: over TCP each place is
 * armed again before the next receipt is looked at, and TCP holds the writer back. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crc32c.h"
#include "env.h"
#include "wire_parts.h"

#define DURATION_MAX_NS (3600 * HR_NS_PER_S) /* the most that --seconds takes */

/* ---- messages ---- */

static void send_slot(wire_slot *slot)
{
    hr_link_write *write = &slot->write;
    if (slot->link->end->wire.digests) {
        write->receipt.stored_crc = hr_crc32c(0, write->payload.addr, write->payload.len);
        write->receipt.content_crc = write->receipt.stored_crc;
    }
    slot->is_writing = true;
    slot->is_granted = false;
    slot->link->link->transport->ops->link.write(slot->link->link, write);
}

static void message_sent(hr_link_write *write)
{
    wire_slot *slot = write->context;
    wire_end *end = slot->link->end;
    slot->is_writing = false;
    if (write->status != HR_OK || slot->link->is_down)
        return;
    if (end->wire.is_inline && write->payload.len > slot->link->link->inline_len) {
        snprintf(end->why, sizeof end->why,
                 "%.60s takes no %zu bytes inline: try a shorter --message", end->path,
                 write->payload.len);
        end->status = HR_UNSUPPORTED;
    }
    end->bytes += write->payload.len;
    end->messages++;
    write->receipt.chunk += end->slots_per_link;
    if (!end->wire.asks || slot->is_granted)
        send_slot(slot);
}

static const hr_link_events writer_events = {.down = hr_bench_link_is_down};

static void begin(wire_link *link)
{
    wire_end *end = link->end;
    uint32_t len = (uint32_t)end->wire.message_len;
    for (unsigned k = 0; k < end->slots_per_link; k++) {
        wire_slot *slot = &link->slots[k];
        slot->write = (hr_link_write){
            .payload = hr_bench_slot_memory(end, slot),
            .receipt = {.transfer = WIRE_TRANSFER,
                        .chunk = k,
                        .stored_len = len,
                        .content_len = len},
            .done = message_sent,
            .context = slot,
        };
        if (!end->wire.asks || slot->is_granted)
            send_slot(slot);
    }
}

/* ---- what is asked for ---- */

static void await_grant(wire_end *end);

/* A link over TCP that nothing is written to does not see its reader leave; the desk does. */
static void desk_is_empty(wire_end *end)
{
    for (unsigned i = 0; i < end->wire.links; i++) {
        wire_link *link = &end->links[i];
        if (link->link != NULL && !link->is_down)
            end->transport->ops->link.close(link->link);
    }
    if (end->up < end->wire.links && end->status == HR_OK)
        end->status = HR_PEER_LOST;
}

static void granted(hr_op *op)
{
    wire_end *end = HR_CONTAINER(op, wire_end, grant_op);
    const wire_grant *grant = &end->grant;
    end->is_receiving = false;
    /* What is said at the desk comes from another machine. */
    bool is_whole = op->result == (int)sizeof *grant && grant->link < end->wire.links &&
                    grant->slot < end->slots_per_link;
    if (!is_whole) {
        if (!end->is_closing)
            desk_is_empty(end);
        return;
    }
    wire_link *link = &end->links[grant->link];
    wire_slot *slot = &link->slots[grant->slot];
    /* Over TCP the reader may ask before its connection was seen here. */
    slot->is_granted = true;
    if (link->link != NULL && end->verbs != NULL)
        hr_bench_rdma_aim(link, grant);
    slot->write.address = grant->address;
    slot->write.key = grant->key;
    if (link->link != NULL && !slot->is_writing && !link->is_down)
        send_slot(slot);
    await_grant(end);
}

static void await_grant(wire_end *end)
{
    end->grant_op = (hr_op){
        .kind = HR_OP_RECV,
        .fd = end->desk,
        .data = &end->grant,
        .len = sizeof end->grant,
        .all = true,
        .done = granted,
    };
    end->is_receiving = true;
    hr_loop_submit(end->loop, &end->grant_op);
}

/* ---- links ---- */

static void writer_incoming(void *context, hr_incoming *incoming)
{
    wire_end *end = context;
    const hr_transport_ops *ops = end->transport->ops;
    wire_link *link = &end->links[incoming->greeting.link % HR_BENCH_LINKS_MAX];
    if (incoming->greeting.link >= end->wire.links || link->link != NULL) {
        ops->refuse(end->transport, incoming);
        return;
    }
    end->status = ops->link.adopt(end->transport, incoming, &writer_events, link, &link->link);
    if (end->status != HR_OK)
        return;
    hr_bench_link_is_up(end);
    begin(link);
}

static void writer_trouble(void *context, hr_status status)
{
    ((wire_end *)context)->status = status;
}

static const hr_listener_events listener_events = {
    .incoming = writer_incoming,
    .trouble = writer_trouble,
};

/* ---- the desk ---- */

bool hr_bench_hello_read(const wire_hello *hello, hr_bench_wire *wire)
{
    if (hello->magic != WIRE_MAGIC || hello->links < 1 || hello->links > HR_BENCH_LINKS_MAX ||
        hello->slots < hello->links || hello->slots > HR_BENCH_WIRE_SLOTS_MAX ||
        hello->message_len < 1 || hello->message_len > HR_CHUNK_LEN ||
        hello->duration_ns > DURATION_MAX_NS)
        return false;
    wire->links = hello->links;
    wire->slots = hello->slots;
    wire->asks = hello->asks != 0 || wire->address != NULL;
    wire->digests = hello->digests != 0;
    wire->is_inline = hello->is_inline != 0;
    wire->ticket = hello->ticket;
    wire->message_len = hello->message_len;
    wire->duration_ns = hello->duration_ns;
    wire->rate = hello->rate;
    return true;
}

static bool hear_hello(int desk, hr_bench_wire *wire)
{
    wire_hello hello;
    return recv(desk, &hello, sizeof hello, MSG_WAITALL) == (ssize_t)sizeof hello &&
           hr_bench_hello_read(&hello, wire);
}

/* Where the reader of this desk reaches us; on a socket without addresses, on loopback. */
static void name_host(const wire_end *end, char address_out[80])
{
    struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof own;
    char host[INET6_ADDRSTRLEN] = "127.0.0.1";
    bool known = getsockname(end->desk, (struct sockaddr *)&own, &len) == 0;
    if (known && own.ss_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *)&own)->sin_addr, host, sizeof host);
    if (known && own.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&own)->sin6_addr, host, sizeof host);
    bool six = strchr(host, ':') != NULL;
    if (end->wire.address != NULL)
        snprintf(address_out, 80, "%.60s:0", end->wire.address);
    else
        snprintf(address_out, 80, "%s%s%s:0", six ? "[" : "", host, six ? "]" : "");
}

static void write_until_left(wire_end *end)
{
    hr_listener *listener;
    char bound[64] = "", address[80];
    const hr_env *env = hr_env_system();
    name_host(end, address);
    env->random(env->context, end->pool.addr, end->pool.len);
    end->status = end->transport->ops->listen(end->transport, address, &listener_events, end,
                                              &listener, bound);
    if (end->status != HR_OK)
        return;
    if (end->verbs != NULL)
        end->status = hr_bench_rdma_lend(end);
    /* Of one that does not ask, its leaving is heard there. */
    if (end->status == HR_OK)
        await_grant(end);
    if (end->status == HR_OK &&
        send(end->desk, bound, sizeof bound, MSG_NOSIGNAL) != (ssize_t)sizeof bound)
        end->status = HR_PEER_LOST;
    while (end->status == HR_OK && end->down < end->wire.links)
        hr_loop_step(end->loop, HR_NEVER);
    end->transport->ops->unlisten(listener);
}

hr_status hr_bench_wire_write(void *context)
{
    static wire_end end;
    const hr_bench_wire_end *given = context;
    hr_bench_wire wire = *given->wire;
    if (given->not_ours >= 0)
        close(given->not_ours);
    if (!hear_hello(given->desk, &wire)) {
        fprintf(stderr, "the reader did not say what it wants; is it another version?\n");
        return HR_PROTOCOL;
    }
    hr_status status = hr_bench_end_open(&end, &wire, given->desk);
    if (status == HR_OK)
        write_until_left(&end);
    else
        end.status = status;
    hr_status result = hr_bench_end_tell(&end, "writing messages");
    if (end.down == end.up)
        hr_bench_end_close(&end);
    return result;
}
