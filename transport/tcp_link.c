/* SPDX-License-Identifier: Apache-2.0 */
/* A link over TCP. The reader has one receive under way: a receipt, or a whole payload straight
 * into its place. The writer has one send under way: a receipt and its payload. One request per
 * chunk and direction is what makes it fast (EXPERIMENTS.md).
 *
 * The fence: the end cancels both requests and waits for their completions; what the kernel was
 * still writing into a place is then over. */
#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frames.h"
#include "tcp.h"

typedef struct tcp_link {
    hr_link base;
    hr_tcp *tcp;
    hr_dial dial;
    int fd; /* -1 while dialing */
    hr_frames frames;
    hr_op recv, send;
    struct iovec iov[2];
    hr_list writes; /* the first one is under way if is_sending */
    bool is_dialing, is_receiving, is_sending;
    bool closed; /* by our owner */
    bool ending; /* with status; everything is being canceled */
    bool is_down;
    hr_status status;
    hr_task settle;
} tcp_link;

static void receive(tcp_link *link);
static void send_next(tcp_link *link);

/* ---- the end ---- */

static void end_with(tcp_link *link, hr_status status)
{
    hr_loop *loop = link->tcp->base.loop;
    if (link->ending)
        return;
    link->ending = true;
    link->status = link->closed ? HR_OK : status;
    if (link->is_dialing)
        hr_dial_cancel(&link->dial);
    if (link->is_receiving)
        hr_loop_cancel(loop, &link->recv);
    if (link->is_sending)
        hr_loop_cancel(loop, &link->send);
    hr_loop_defer(loop, &link->settle);
}

static void settle(hr_task *task)
{
    tcp_link *link = HR_CONTAINER(task, tcp_link, settle);
    if (link->is_down || !link->ending || link->is_dialing || link->is_receiving ||
        link->is_sending)
        return;
    for (hr_list *node; (node = hr_list_take_first(&link->writes)) != NULL;) {
        hr_link_write *write = HR_CONTAINER(node, hr_link_write, node);
        write->status = link->closed ? HR_CANCELED : HR_PEER_LOST;
        write->done(write);
    }
    if (link->settle.queued)
        return; /* one of them wrote again: the end is the next run's */
    if (link->fd >= 0)
        close(link->fd);
    hr_places_clear(&link->frames.places);
    link->is_down = true;
    link->base.events->down(link->base.context, link->status);
}

/* ---- the reader ---- */

static void received(hr_op *op)
{
    tcp_link *link = HR_CONTAINER(op, tcp_link, recv);
    link->is_receiving = false;
    hr_place *landed = NULL;
    if (op->result < 0)
        end_with(link, hr_status_from_errno(-op->result));
    else if ((size_t)op->result < op->len)
        end_with(link, HR_PEER_LOST); /* the end of the stream */
    else if (!link->ending && hr_frames_take(&link->frames, &landed) != HR_OK)
        end_with(link, HR_PROTOCOL);
    if (landed != NULL)
        link->base.events->landed(link->base.context, landed, &link->frames.receipt);
    receive(link);
    if (link->ending)
        hr_loop_defer(link->tcp->base.loop, &link->settle);
}

static void receive(tcp_link *link)
{
    if (link->ending)
        return;
    hr_span next = hr_frames_next(&link->frames);
    link->recv = (hr_op){
        .kind = HR_OP_RECV,
        .fd = link->fd,
        .data = next.addr,
        .len = next.len,
        .all = true,
        .done = received,
    };
    link->is_receiving = true;
    hr_loop_submit(link->tcp->base.loop, &link->recv);
}

/* ---- the writer ---- */

static void sent(hr_op *op)
{
    tcp_link *link = HR_CONTAINER(op, tcp_link, send);
    link->is_sending = false;
    if (op->result < 0) {
        end_with(link, hr_status_from_errno(-op->result));
    } else {
        hr_link_write *write = HR_CONTAINER(hr_list_take_first(&link->writes), hr_link_write, node);
        write->status = HR_OK;
        write->done(write);
        send_next(link);
    }
    if (link->ending)
        hr_loop_defer(link->tcp->base.loop, &link->settle);
}

static void send_next(tcp_link *link)
{
    if (hr_list_is_empty(&link->writes) || link->is_sending || link->is_dialing || link->ending)
        return;
    hr_link_write *write = HR_CONTAINER(link->writes.next, hr_link_write, node);
    hr_receipt_pack(&write->receipt, write->bytes);
    link->iov[0] = (struct iovec){.iov_base = write->bytes, .iov_len = HR_RECEIPT_LEN};
    link->iov[1] = (struct iovec){.iov_base = write->payload.addr, .iov_len = write->payload.len};
    link->send = (hr_op){
        .kind = HR_OP_SEND,
        .fd = link->fd,
        .iov = link->iov,
        .iov_count = write->payload.len > 0 ? 2 : 1,
        .done = sent,
    };
    link->is_sending = true;
    hr_loop_submit(link->tcp->base.loop, &link->send);
}

void hr_tcp_link_write(hr_link *base, hr_link_write *write)
{
    tcp_link *link = (tcp_link *)base;
    assert(!link->is_down && write->payload.len == write->receipt.stored_len);
    hr_list_append(&link->writes, &write->node);
    send_next(link);
    if (link->ending)
        hr_loop_defer(link->tcp->base.loop, &link->settle);
}

/* ---- the table ---- */

hr_status hr_tcp_link_arm(hr_link *base, hr_place *place)
{
    tcp_link *link = (tcp_link *)base;
    return link->ending ? HR_PEER_LOST : hr_places_arm(&link->frames.places, place);
}

bool hr_tcp_link_disarm(hr_link *base, hr_place *place)
{
    return hr_places_disarm(&((tcp_link *)base)->frames.places, place);
}

bool hr_tcp_link_peek(hr_link *base, uint64_t transfer, uint32_t chunk, uint32_t generation,
                      hr_span *span_out)
{
    (void)base;
    (void)transfer;
    (void)chunk;
    (void)generation;
    (void)span_out;
    return false;
}

static void begin(tcp_link *link, int fd)
{
    link->fd = fd;
    hr_tcp_peer(fd, link->base.peer);
    receive(link);
    send_next(link);
}

static void dialed(hr_dial *dial, hr_status status)
{
    tcp_link *link = HR_CONTAINER(dial, tcp_link, dial);
    link->is_dialing = false;
    if (status == HR_OK && link->ending)
        link->fd = dial->fd;
    else if (status == HR_OK)
        begin(link, dial->fd);
    else
        end_with(link, status);
    if (link->ending)
        hr_loop_defer(link->tcp->base.loop, &link->settle);
    else
        link->base.events->up(link->base.context);
}

static tcp_link *link_create(hr_transport *transport, const hr_link_events *events, void *context)
{
    tcp_link *link = hr_alloc(hr_loop_env(transport->loop), sizeof *link);
    if (link == NULL)
        return NULL;
    link->base = (hr_link){.transport = transport, .events = events, .context = context};
    link->tcp = (hr_tcp *)transport;
    link->fd = -1;
    link->settle.run = settle;
    hr_frames_init(&link->frames);
    hr_list_init(&link->writes);
    return link;
}

hr_status hr_tcp_link_connect(hr_transport *transport, const char *address, unsigned rail,
                              const hr_greeting *greeting, const hr_link_events *events,
                              void *context, hr_link **link_out)
{
    tcp_link *link = link_create(transport, events, context);
    if (link == NULL)
        return HR_NO_MEMORY;
    (void)rail;
    link->dial.done = dialed;
    link->is_dialing = true;
    hr_status status = hr_dial_start(&link->dial, link->tcp, address, greeting);
    if (status != HR_OK) {
        hr_release(hr_loop_env(transport->loop), link);
        return status;
    }
    *link_out = &link->base;
    return HR_OK;
}

hr_status hr_tcp_link_adopt(hr_transport *transport, hr_incoming *incoming,
                            const hr_link_events *events, void *context, hr_link **link_out)
{
    tcp_link *link = link_create(transport, events, context);
    if (link == NULL) {
        hr_tcp_refuse(transport, incoming);
        return HR_NO_MEMORY;
    }
    begin(link, hr_tcp_accept(transport, incoming, NULL, NULL));
    *link_out = &link->base;
    return HR_OK;
}

void hr_tcp_link_close(hr_link *base)
{
    tcp_link *link = (tcp_link *)base;
    if (link->is_down || link->closed)
        return;
    link->closed = true;
    if (link->ending)
        link->status = HR_OK;
    end_with(link, HR_OK);
}

void hr_tcp_link_destroy(hr_link *base)
{
    tcp_link *link = (tcp_link *)base;
    assert(link->is_down);
    hr_release(hr_loop_env(link->tcp->base.loop), link);
}
