/* SPDX-License-Identifier: Apache-2.0 */
/* What both ends of a wire have. As in a transfer, the reader connects and the writer pushes. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>

#include "bytes.h"
#include "crc32c.h"
#include "wire_parts.h"

#define DESCRIPTORS 64 /* more than an end opens */

static uint64_t slot_pitch(const wire_end *end)
{
    return hr_round_up(end->wire.message_len, 4096);
}

hr_status hr_bench_end_open(wire_end *end, const hr_bench_wire *wire, int desk)
{
    const hr_env *env = hr_env_system();
    hr_tcp_options options = {.congestion = wire->congestion};
    hr_page_kind pages;
    unsigned slots = wire->slots / wire->links;
    *end = (wire_end){.wire = *wire, .desk = desk, .slots_per_link = slots};
    for (unsigned i = 0; i < HR_BENCH_LINKS_MAX; i++) {
        end->links[i].end = end;
        for (unsigned k = 0; k < slots; k++)
            end->links[i].slots[k].link = &end->links[i];
    }
    hr_status status = hr_loop_create(env, &end->loop);
    if (status == HR_OK && wire->address != NULL)
        status = hr_bench_rdma_open(end);
    else if (status == HR_OK)
        status = hr_transport_tcp_create(end->loop, &options, &end->transport);
    if (status == HR_OK)
        status = hr_memory_host_create(env, &end->memory);
    if (status == HR_OK)
        status = end->memory->ops->alloc(
            end->memory, (size_t)wire->links * slots * (size_t)slot_pitch(end), &end->pool, &pages);
    return status;
}

void hr_bench_end_close(wire_end *end)
{
    end->is_closing = true;
    for (unsigned i = 0; i < HR_BENCH_LINKS_MAX; i++) {
        if (end->links[i].link != NULL)
            end->transport->ops->link.destroy(end->links[i].link);
    }
    if (end->is_receiving)
        hr_loop_cancel(end->loop, &end->grant_op);
    while (end->is_receiving)
        hr_loop_step(end->loop, HR_NEVER);
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
    return hr_span_host((uint8_t *)end->pool.addr + at * slot_pitch(end),
                        (size_t)end->wire.message_len);
}

/* As the kernel has it. The desk is a connection too, with the system's. */
static void read_congestion(const wire_end *end, char name_out[WIRE_PATH_MAX])
{
    struct sockaddr_storage peer;
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        socklen_t peer_len = sizeof peer, len = WIRE_PATH_MAX;
        if (fd != end->desk && getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
            getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name_out, &len) == 0)
            return;
    }
    snprintf(name_out, WIRE_PATH_MAX, "?");
}

void hr_bench_link_is_up(wire_end *end)
{
    if (++end->up < end->wire.links)
        return;
    end->start = hr_bench_meter_read();
    end->end_ns = end->start.at_ns + end->wire.duration_ns;
    if (end->verbs == NULL)
        read_congestion(end, end->path);
}

/* The writer's other side leaves in the middle of a message, which is the end that was wanted. */
void hr_bench_link_is_down(void *context, hr_status status)
{
    wire_link *link = context;
    wire_end *end = link->end;
    if (end->up < end->wire.links && end->status == HR_OK)
        end->status = status;
    if (end->down == 0)
        end->measure = hr_bench_meter_since(&end->start, end->bytes);
    link->is_down = true;
    end->down++;
}

static hr_status tell_why_not(wire_end *end, const char *what)
{
    const char *why = end->status != HR_OK ? hr_status_text(end->status) : "nothing has moved";
    bool is_congestion = end->status == HR_UNSUPPORTED && end->verbs == NULL;
    if (end->why[0] == '\0' && is_congestion && end->wire.congestion != NULL)
        snprintf(end->why, sizeof end->why,
                 "--congestion %.60s: this kernel does not have it, or does not let us; sysctl "
                 "net.ipv4.tcp_available_congestion_control says what it has",
                 end->wire.congestion);
    fprintf(stderr, "%s: %s\n", what, end->why[0] != '\0' ? end->why : why);
    return end->status != HR_OK ? end->status : HR_STALLED;
}

hr_status hr_bench_end_tell(wire_end *end, const char *what)
{
    const hr_bench_wire *wire = &end->wire;
    bool in_kib = wire->message_len >= 1024;
    if (end->status != HR_OK || end->bytes == 0)
        return tell_why_not(end, what);
    snprintf(end->measure.note, sizeof end->measure.note,
             "%s, %s, %s, %u link%s, %u slots, %llu %s messages%s%s, %s",
             end->verbs == NULL ? "tcp"
             : end->is_software ? "soft-RoCE"
                                : "verbs",
             end->path, hr_loop_name(end->loop), wire->links, wire->links == 1 ? "" : "s",
             wire->slots, (unsigned long long)wire->message_len >> (in_kib ? 10 : 0),
             in_kib ? "KiB" : "byte", wire->is_inline ? " inline" : "",
             wire->asks ? " asked for" : "", wire->digests ? hr_crc32c_name() : "no digest");
    end->measure.items = end->messages;
    if (end->latency.total > 0)
        end->measure.latency = &end->latency;
    hr_bench_measure_tell(&end->measure);
    return HR_OK;
}
