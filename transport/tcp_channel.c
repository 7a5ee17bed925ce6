/* SPDX-License-Identifier: Apache-2.0 */
/* A channel over TCP. Its end, whatever brings it, goes through settle, which waits until nothing
 * of the channel is in the loop's hands.
 *
 * A close by the owner first lets the queue out, says so to the peer (shutdown) and waits for the
 * peer's end of the stream: closing a socket while the peer still sends would throw away what we
 * have sent last, and that is where the reason for closing stands. */
#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "byte_queue.h"
#include "tcp.h"

enum {
    PIECE_LEN = 16 << 10,
};
#define LINGER_NS (500 * HR_NS_PER_MS) /* for the queue and the peer's end of the stream */

typedef struct tcp_channel {
    hr_channel base;
    hr_tcp *tcp;
    hr_dial dial;
    int fd; /* -1 while dialing */
    hr_op recv, send;
    struct iovec iov;
    bool is_dialing, is_receiving, is_sending;
    bool closed;   /* by our owner */
    bool has_shut; /* our side of the stream has ended */
    bool ending;   /* with status; everything is being canceled */
    bool is_down;
    bool wants_room; /* a send was refused */
    hr_status status;
    hr_byte_queue queue;
    hr_timer linger;
    hr_task settle;
    hr_task hand_on; /* what had come before the channel was one */
    uint8_t *first;
    size_t first_len;
    uint8_t piece[PIECE_LEN];
} tcp_channel;

static void receive(tcp_channel *channel);
static void send_queued(tcp_channel *channel);

/* ---- the end ---- */

static void end_with(tcp_channel *channel, hr_status status)
{
    hr_loop *loop = channel->tcp->base.loop;
    if (channel->ending)
        return;
    channel->ending = true;
    channel->status = channel->closed ? HR_OK : status;
    if (channel->is_dialing)
        hr_dial_cancel(&channel->dial);
    if (channel->is_receiving)
        hr_loop_cancel(loop, &channel->recv);
    if (channel->is_sending)
        hr_loop_cancel(loop, &channel->send);
    hr_loop_defer(loop, &channel->settle);
}

static void close_gently(tcp_channel *channel)
{
    if (channel->is_dialing) {
        end_with(channel, HR_OK);
    } else if (channel->queue.count == 0 && !channel->has_shut) {
        channel->has_shut = true;
        (void)shutdown(channel->fd, SHUT_WR);
    }
}

static void settle(hr_task *task)
{
    tcp_channel *channel = HR_CONTAINER(task, tcp_channel, settle);
    if (channel->is_down)
        return;
    if (channel->closed && !channel->ending)
        close_gently(channel);
    bool in_use = channel->is_dialing || channel->is_receiving || channel->is_sending ||
                  channel->hand_on.queued;
    if (!channel->ending || in_use || channel->settle.queued)
        return;
    hr_loop_timer_clear(channel->tcp->base.loop, &channel->linger);
    if (channel->fd >= 0)
        close(channel->fd);
    channel->is_down = true;
    channel->base.events->down(channel->base.context, channel->status);
}

static void linger_over(hr_timer *timer)
{
    end_with(HR_CONTAINER(timer, tcp_channel, linger), HR_OK);
}

/* ---- bytes ---- */

static void received(hr_op *op)
{
    tcp_channel *channel = HR_CONTAINER(op, tcp_channel, recv);
    channel->is_receiving = false;
    if (op->result <= 0)
        end_with(channel, op->result == 0 ? HR_PEER_LOST : hr_status_from_errno(-op->result));
    else if (!channel->closed && !channel->ending)
        channel->base.events->bytes(channel->base.context, channel->piece, (size_t)op->result);
    receive(channel);
    hr_loop_defer(channel->tcp->base.loop, &channel->settle);
}

static void receive(tcp_channel *channel)
{
    if (channel->ending)
        return;
    channel->recv = (hr_op){
        .kind = HR_OP_RECV,
        .fd = channel->fd,
        .data = channel->piece,
        .len = PIECE_LEN,
        .done = received,
    };
    channel->is_receiving = true;
    hr_loop_submit(channel->tcp->base.loop, &channel->recv);
}

static void say_room(tcp_channel *channel)
{
    if (!channel->wants_room || channel->queue.count > channel->queue.capacity / 2)
        return;
    channel->wants_room = false;
    if (channel->base.events->room != NULL && !channel->closed)
        channel->base.events->room(channel->base.context);
}

static void sent(hr_op *op)
{
    tcp_channel *channel = HR_CONTAINER(op, tcp_channel, send);
    channel->is_sending = false;
    if (op->result < 0) {
        end_with(channel, hr_status_from_errno(-op->result));
    } else {
        hr_byte_queue_drop(&channel->queue, (size_t)op->result);
        say_room(channel);
        send_queued(channel);
    }
    hr_loop_defer(channel->tcp->base.loop, &channel->settle);
}

/* What is queued meanwhile goes behind it: the bytes under way stay where they are. */
static void send_queued(tcp_channel *channel)
{
    uint8_t *front;
    size_t len = hr_byte_queue_front(&channel->queue, &front);
    if (len == 0 || channel->is_sending || channel->is_dialing || channel->ending)
        return;
    channel->iov = (struct iovec){.iov_base = front, .iov_len = len};
    channel->send = (hr_op){
        .kind = HR_OP_SEND,
        .fd = channel->fd,
        .iov = &channel->iov,
        .iov_count = 1,
        .done = sent,
    };
    channel->is_sending = true;
    hr_loop_submit(channel->tcp->base.loop, &channel->send);
}

static void begin(tcp_channel *channel, int fd)
{
    channel->fd = fd;
    hr_tcp_peer(fd, channel->base.peer);
    if (channel->first != NULL)
        hr_loop_defer(channel->tcp->base.loop, &channel->hand_on);
    else
        receive(channel);
    send_queued(channel);
}

static void hand_on(hr_task *task)
{
    tcp_channel *channel = HR_CONTAINER(task, tcp_channel, hand_on);
    if (!channel->closed && !channel->ending)
        channel->base.events->bytes(channel->base.context, channel->first, channel->first_len);
    hr_release(hr_loop_env(channel->tcp->base.loop), channel->first);
    channel->first = NULL;
    receive(channel);
    hr_loop_defer(channel->tcp->base.loop, &channel->settle);
}

static void dialed(hr_dial *dial, hr_status status)
{
    tcp_channel *channel = HR_CONTAINER(dial, tcp_channel, dial);
    channel->is_dialing = false;
    if (status == HR_OK && channel->ending)
        channel->fd = dial->fd;
    else if (status == HR_OK)
        begin(channel, dial->fd);
    else
        end_with(channel, status);
    if (!channel->ending)
        channel->base.events->up(channel->base.context);
    hr_loop_defer(channel->tcp->base.loop, &channel->settle);
}

/* ---- the table ---- */

static hr_status channel_create(hr_transport *transport, const hr_channel_events *events,
                                void *context, tcp_channel **channel_out)
{
    const hr_env *env = hr_loop_env(transport->loop);
    tcp_channel *channel = hr_alloc(env, sizeof *channel);
    if (channel == NULL)
        return HR_NO_MEMORY;
    hr_status status = hr_byte_queue_init(&channel->queue, env, HR_CHANNEL_QUEUE_MAX);
    if (status != HR_OK) {
        hr_release(env, channel);
        return status;
    }
    channel->base = (hr_channel){.transport = transport, .events = events, .context = context};
    channel->tcp = (hr_tcp *)transport;
    channel->fd = -1;
    channel->settle.run = settle;
    channel->linger.fire = linger_over;
    *channel_out = channel;
    return HR_OK;
}

static void channel_release(tcp_channel *channel)
{
    const hr_env *env = hr_loop_env(channel->tcp->base.loop);
    hr_byte_queue_fini(&channel->queue, env);
    hr_release(env, channel);
}

hr_status hr_tcp_channel_connect(hr_transport *transport, const char *address,
                                 const hr_greeting *greeting, const hr_channel_events *events,
                                 void *context, hr_channel **channel_out)
{
    tcp_channel *channel;
    hr_status status = channel_create(transport, events, context, &channel);
    if (status != HR_OK)
        return status;
    channel->dial.done = dialed;
    channel->is_dialing = true;
    status = hr_dial_start(&channel->dial, channel->tcp, address, greeting);
    if (status != HR_OK) {
        channel_release(channel);
        return status;
    }
    *channel_out = &channel->base;
    return HR_OK;
}

hr_status hr_tcp_channel_adopt(hr_transport *transport, hr_incoming *incoming,
                               const hr_channel_events *events, void *context,
                               hr_channel **channel_out)
{
    tcp_channel *channel;
    hr_status status = channel_create(transport, events, context, &channel);
    if (status != HR_OK) {
        hr_tcp_refuse(transport, incoming);
        return status;
    }
    channel->hand_on.run = hand_on;
    begin(channel, hr_tcp_accept(transport, incoming, &channel->first, &channel->first_len));
    *channel_out = &channel->base;
    return HR_OK;
}

hr_status hr_tcp_channel_send(hr_channel *base, const void *bytes, size_t len)
{
    tcp_channel *channel = (tcp_channel *)base;
    if (channel->ending || channel->closed)
        return HR_PEER_LOST;
    if (!hr_byte_queue_put(&channel->queue, bytes, len)) {
        channel->wants_room = true;
        return HR_AGAIN;
    }
    send_queued(channel);
    return HR_OK;
}

void hr_tcp_channel_close(hr_channel *base)
{
    tcp_channel *channel = (tcp_channel *)base;
    hr_loop *loop = channel->tcp->base.loop;
    if (channel->closed || channel->is_down)
        return;
    channel->closed = true;
    if (channel->ending)
        channel->status = HR_OK;
    if (hr_loop_timer_set(loop, &channel->linger, hr_loop_now_ns(loop) + LINGER_NS) != HR_OK)
        end_with(channel, HR_OK);
    hr_loop_defer(loop, &channel->settle);
}

void hr_tcp_channel_destroy(hr_channel *base)
{
    tcp_channel *channel = (tcp_channel *)base;
    assert(channel->is_down);
    channel_release(channel);
}
