/* SPDX-License-Identifier: Apache-2.0 */
/* As in a transfer, the reader connects and the writer pushes. Over TCP grants are left out: each
 * place is armed again before the next receipt is looked at, so the writer may send without asking,
 * and TCP holds it back. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "crc32c.h"
#include "loop.h"
#include "memory.h"
#include "transport.h"
#include "wire_parts.h"

#define TRANSFER    1
#define DESCRIPTORS 64 /* more than an end opens */
#define CONNECT_NS  (10 * HR_NS_PER_S)

/* ---- what both ends have ---- */

static hr_status end_open(wire_end *end, const hr_bench_wire *wire, int grants)
{
    const hr_env *env = hr_env_system();
    hr_tcp_options options = {.congestion = wire->congestion};
    hr_page_kind pages;
    unsigned slots = HR_BENCH_WIRE_SLOTS / wire->links;
    *end = (wire_end){.wire = wire, .grants = grants, .slots_per_link = slots};
    hr_status status = hr_loop_create(env, &end->loop);
    if (status == HR_OK && wire->address != NULL)
        status = hr_bench_rdma_open(end);
    else if (status == HR_OK)
        status = hr_transport_tcp_create(end->loop, &options, &end->transport);
    if (status == HR_OK)
        status = hr_memory_host_create(env, &end->memory);
    if (status == HR_OK)
        status = end->memory->ops->alloc(end->memory, (size_t)wire->links * slots * HR_CHUNK_LEN,
                                         &end->pool, &pages);
    for (unsigned i = 0; i < HR_BENCH_LINKS_MAX; i++) {
        end->links[i].end = end;
        for (unsigned k = 0; k < slots; k++)
            end->links[i].slots[k].link = &end->links[i];
    }
    return status;
}

static void end_close(wire_end *end)
{
    for (unsigned i = 0; i < HR_BENCH_LINKS_MAX; i++) {
        if (end->links[i].link != NULL)
            end->transport->ops->link.destroy(end->links[i].link);
    }
    if (end->verbs != NULL)
        hr_bench_rdma_let_go(end);
    while (end->loop != NULL && !hr_loop_is_idle(end->loop))
        hr_loop_step(end->loop, hr_loop_next_due_ns(end->loop));
    if (end->pool.addr != NULL)
        end->memory->ops->release(end->memory, &end->pool);
    hr_memory_destroy(end->memory);
    if (end->transport != NULL)
        end->transport->ops->destroy(end->transport);
    hr_bench_rdma_close(end);
    hr_loop_destroy(end->loop);
}

hr_span hr_bench_slot_memory(wire_end *end, const wire_slot *slot)
{
    size_t link = (size_t)(slot->link - end->links);
    size_t at = link * end->slots_per_link + (size_t)(slot - slot->link->slots);
    return hr_span_host((uint8_t *)end->pool.addr + at * HR_CHUNK_LEN, HR_CHUNK_LEN);
}

/* As the kernel has it. */
static void read_congestion(char name_out[WIRE_PATH_MAX])
{
    struct sockaddr_storage peer;
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        socklen_t peer_len = sizeof peer, len = WIRE_PATH_MAX;
        if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
            getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name_out, &len) == 0)
            return;
    }
    snprintf(name_out, WIRE_PATH_MAX, "?");
}

void hr_bench_link_is_up(wire_end *end)
{
    if (++end->up < end->wire->links)
        return;
    end->start = hr_bench_meter_read();
    end->end_ns = end->start.at_ns + end->wire->duration_ns;
    if (end->verbs == NULL)
        read_congestion(end->path);
}

/* The writer's other side leaves in the middle of a chunk, which is the end that was wanted. */
static void link_is_down(void *context, hr_status status)
{
    wire_link *link = context;
    wire_end *end = link->end;
    if (end->up < end->wire->links && end->status == HR_OK)
        end->status = status;
    if (end->down == 0)
        end->measure = hr_bench_meter_since(&end->start, end->bytes);
    link->is_down = true;
    end->down++;
}

static int end_tell(wire_end *end, const char *what)
{
    if (end->status != HR_OK || end->bytes == 0) {
        fprintf(stderr, "%s: %s\n", what,
                end->status != HR_OK ? hr_status_text(end->status) : "nothing has moved");
        return 1;
    }
    snprintf(end->measure.note, sizeof end->measure.note, "%s, %s, %s, %u link%s, %s",
             end->transport->ops->name, end->path, hr_loop_name(end->loop), end->wire->links,
             end->wire->links == 1 ? "" : "s", end->wire->digests ? hr_crc32c_name() : "no digest");
    hr_bench_measure_tell(&end->measure);
    return 0;
}

/* ---- the writer ---- */

void hr_bench_send_slot(wire_slot *slot)
{
    hr_link_write *write = &slot->write;
    if (slot->link->end->wire->digests) {
        write->receipt.stored_crc = hr_crc32c(0, write->payload.addr, write->payload.len);
        write->receipt.content_crc = write->receipt.stored_crc;
    }
    slot->is_writing = true;
    slot->is_granted = false;
    slot->link->link->transport->ops->link.write(slot->link->link, write);
}

static void chunk_sent(hr_link_write *write)
{
    wire_slot *slot = write->context;
    wire_end *end = slot->link->end;
    slot->is_writing = false;
    if (write->status != HR_OK || slot->link->is_down)
        return;
    end->bytes += write->payload.len;
    write->receipt.chunk += end->slots_per_link;
    if (end->verbs == NULL || slot->is_granted)
        hr_bench_send_slot(slot);
}

static const hr_link_events writer_events = {.down = link_is_down};

/* Over RDMA each waits for its grant. */
static void begin(wire_link *link)
{
    wire_end *end = link->end;
    for (unsigned k = 0; k < end->slots_per_link; k++) {
        wire_slot *slot = &link->slots[k];
        slot->write = (hr_link_write){
            .payload = hr_bench_slot_memory(end, slot),
            .receipt = {.transfer = TRANSFER,
                        .chunk = k,
                        .stored_len = HR_CHUNK_LEN,
                        .content_len = HR_CHUNK_LEN},
            .done = chunk_sent,
            .context = slot,
        };
        if (end->verbs == NULL)
            hr_bench_send_slot(slot);
    }
}

static void writer_incoming(void *context, hr_incoming *incoming)
{
    wire_end *end = context;
    const hr_transport_ops *ops = end->transport->ops;
    wire_link *link = &end->links[incoming->greeting.link % HR_BENCH_LINKS_MAX];
    if (incoming->greeting.link >= end->wire->links || link->link != NULL) {
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

static void write_until_left(wire_end *end)
{
    hr_listener *listener;
    char bound[64], address[72] = "127.0.0.1:0";
    const hr_env *env = hr_env_system();
    if (end->wire->address != NULL)
        snprintf(address, sizeof address, "%.60s:0", end->wire->address);
    env->random(env->context, end->pool.addr, end->pool.len);
    end->status = end->transport->ops->listen(end->transport, address, &listener_events, end,
                                              &listener, bound);
    if (end->status != HR_OK)
        return;
    if (end->verbs != NULL)
        hr_bench_rdma_write(end);
    printf("%s\n", bound);
    fflush(stdout);
    while (end->status == HR_OK && end->down < end->wire->links)
        hr_loop_step(end->loop, HR_NEVER);
    end->transport->ops->unlisten(listener);
}

int hr_bench_wire_write(void *context)
{
    static wire_end end;
    const hr_bench_wire_end *given = context;
    hr_status status = end_open(&end, given->wire, given->grants);
    if (status == HR_OK)
        write_until_left(&end);
    else
        end.status = status;
    int result = end_tell(&end, "writing chunks");
    if (end.down == end.up)
        end_close(&end);
    return result;
}

/* ---- the reader ---- */

static void leave(wire_end *end)
{
    for (unsigned i = 0; i < end->wire->links; i++) {
        if (!end->links[i].is_down)
            end->transport->ops->link.close(end->links[i].link);
    }
}

static void chunk_landed(void *context, hr_place *place, const hr_receipt *receipt)
{
    wire_link *link = context;
    wire_end *end = link->end;
    if (end->wire->digests &&
        hr_crc32c(0, place->span.addr, receipt->stored_len) != receipt->stored_crc)
        end->status = HR_INTEGRITY;
    if (end->up == end->wire->links)
        end->bytes += receipt->stored_len;
    place->chunk += end->slots_per_link;
    hr_status status = link->link->transport->ops->link.arm(link->link, place);
    if (status != HR_OK && end->status == HR_OK && !link->is_down)
        end->status = status;
    if (end->verbs != NULL)
        hr_bench_rdma_grant(HR_CONTAINER(place, wire_slot, place));
    if (end->up == end->wire->links && hr_loop_now_ns(end->loop) >= end->end_ns)
        leave(end);
}

static void reader_up(void *context)
{
    wire_link *link = context;
    if (link->end->verbs != NULL)
        hr_bench_rdma_read(link);
    else
        hr_bench_link_is_up(link->end);
}

static const hr_link_events reader_events = {
    .up = reader_up,
    .landed = chunk_landed,
    .down = link_is_down,
};

static hr_status reader_connect(wire_end *end, unsigned index, const char *address)
{
    wire_link *link = &end->links[index];
    const hr_link_ops *ops = &end->transport->ops->link;
    hr_greeting greeting = {.kind = HR_GREETING_LINK, .major = 1, .session = 1, .link = index};
    hr_status status =
        ops->connect(end->transport, address, &greeting, &reader_events, link, &link->link);
    for (unsigned k = 0; k < end->slots_per_link && status == HR_OK; k++) {
        wire_slot *slot = &link->slots[k];
        slot->place =
            (hr_place){.transfer = TRANSFER, .chunk = k, .span = hr_bench_slot_memory(end, slot)};
        status = ops->arm(link->link, &slot->place);
    }
    return status;
}

static void read_for_a_while(wire_end *end, const char *address)
{
    uint64_t connected_by_ns = hr_loop_now_ns(end->loop) + CONNECT_NS;
    for (unsigned i = 0; i < end->wire->links && end->status == HR_OK; i++)
        end->status = reader_connect(end, i, address);
    while (end->status == HR_OK && end->down < end->wire->links) {
        hr_loop_step(end->loop, end->up < end->wire->links ? connected_by_ns : HR_NEVER);
        if (end->up < end->wire->links && hr_loop_now_ns(end->loop) >= connected_by_ns)
            end->status = HR_DEADLINE;
    }
}

int hr_bench_wire_read(void *context)
{
    static wire_end end;
    const hr_bench_wire_end *given = context;
    hr_status status = end_open(&end, given->wire, given->grants);
    if (status == HR_OK)
        read_for_a_while(&end, given->address);
    else
        end.status = status;
    int result = end_tell(&end, "reading chunks");
    if (end.down == end.wire->links)
        end_close(&end);
    return result;
}
