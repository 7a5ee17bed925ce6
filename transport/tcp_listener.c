/* SPDX-License-Identifier: Apache-2.0 */
/* Accepts connections and waits for what each says first: a greeting of 64 bytes, or a record of
 * TLS, whole. A stranger gets one of 64 seats for at most 5 seconds. When all are taken, who has
 * had one for a quarter of a second leaves it to the next, so that silent ones do not keep the door
 * shut and a crowd of honest ones across a long wire is not sent away. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcp.h"

enum {
    SEATS = 64,
    BACKLOG = 128,
    RECORD_HEADER_LEN = 5,
    FIRST_MAX = 16 << 10, /* of all that is read before anybody looks at it */
    TLS_HANDSHAKE = 0x16,
};
#define GREETING_TIMEOUT_NS (5 * HR_NS_PER_S)
#define PATIENCE_NS         (250 * HR_NS_PER_MS) /* while others wait for a seat */
#define RETRY_NS            (100 * HR_NS_PER_MS)

typedef struct seat {
    hr_listener *listener;
    bool is_taken;
    hr_op recv;
    hr_timer timer;
    uint64_t since_ns;
    size_t len; /* of what is wanted; what is known of it before the header has come */
    uint8_t bytes[FIRST_MAX];
} seat;

/* It may outlive its transport: unlisten lets go of it, and the loop frees it. */
struct hr_listener {
    hr_loop *loop;
    const hr_listener_events *events;
    void *context;
    int fd;
    struct sockaddr_un file; /* what was bound; of no family: nothing of the file system */
    hr_op accept;
    bool is_accepting;
    bool closed;
    unsigned taken; /* seats */
    hr_timer retry, vacate;
    hr_task end;
    seat seats[SEATS];
};

static void accept_next(hr_listener *listener);

/* Deferred: whoever is below us on the stack may still look at the listener. */
static void end_if_unused(hr_listener *listener)
{
    if (listener->closed && !listener->is_accepting && listener->taken == 0)
        hr_loop_defer(listener->loop, &listener->end);
}

static void end(hr_task *task)
{
    hr_listener *listener = HR_CONTAINER(task, hr_listener, end);
    close(listener->fd);
    if (listener->file.sun_family == AF_UNIX)
        unlink(listener->file.sun_path);
    hr_release(hr_loop_env(listener->loop), listener);
}

/* ---- what a stranger says first ---- */

/* Owns fd. */
static void announce(hr_listener *listener, int fd, const hr_greeting *greeting,
                     const uint8_t *first, size_t first_len)
{
    const hr_env *env = hr_loop_env(listener->loop);
    hr_incoming *incoming = hr_alloc(env, sizeof *incoming);
    if (incoming != NULL && first_len > 0 && (incoming->first = hr_alloc(env, first_len)) == NULL) {
        hr_release(env, incoming);
        incoming = NULL;
    }
    if (incoming == NULL) {
        close(fd);
        listener->events->trouble(listener->context, HR_NO_MEMORY);
        return;
    }
    if (first_len > 0)
        memcpy(incoming->first, first, first_len);
    incoming->first_len = first_len;
    incoming->greeting = *greeting;
    incoming->connection = (void *)(intptr_t)fd;
    hr_tcp_peer(fd, incoming->peer);
    incoming->is_user = hr_unix_peer(fd, &incoming->uid, incoming->peer);
    listener->events->incoming(listener->context, incoming);
}

static void leave_seat(seat *from)
{
    hr_listener *listener = from->listener;
    hr_loop_timer_clear(listener->loop, &from->timer);
    from->is_taken = false;
    listener->taken--;
    accept_next(listener);
    end_if_unused(listener);
}

static void heard_all(seat *from)
{
    hr_greeting greeting = {.kind = HR_GREETING_TLS};
    if (from->bytes[0] == TLS_HANDSHAKE)
        announce(from->listener, from->recv.fd, &greeting, from->bytes, from->len);
    else if (hr_greeting_unpack(from->bytes, &greeting) == HR_OK)
        announce(from->listener, from->recv.fd, &greeting, NULL, 0);
    else
        close(from->recv.fd);
}

/* How long it is, after its first five bytes; 0: nothing that is spoken here. */
static size_t expected_len(const uint8_t header[RECORD_HEADER_LEN])
{
    if (header[0] == 'H')
        return HR_GREETING_LEN;
    size_t record_len = (size_t)(header[3] << 8 | header[4]);
    bool is_record = header[0] == TLS_HANDSHAKE && header[1] == 3 && record_len > 0 &&
                     record_len <= FIRST_MAX - RECORD_HEADER_LEN;
    return is_record ? RECORD_HEADER_LEN + record_len : 0;
}

static void heard(hr_op *op)
{
    seat *from = HR_CONTAINER(op, seat, recv);
    hr_listener *listener = from->listener;
    size_t have = (size_t)((uint8_t *)op->data - from->bytes) + op->len;
    bool good = op->result == (int)op->len && !listener->closed;
    if (good && have == RECORD_HEADER_LEN) {
        from->len = expected_len(from->bytes);
        good = from->len > 0;
    }
    if (good && have < from->len) {
        op->data = from->bytes + have;
        op->len = from->len - have;
        hr_loop_submit(listener->loop, op);
        return;
    }
    if (good)
        heard_all(from);
    else
        close(op->fd);
    leave_seat(from);
}

static void too_late(hr_timer *timer)
{
    seat *from = HR_CONTAINER(timer, seat, timer);
    hr_loop_cancel(from->listener->loop, &from->recv);
}

static void take_seat(hr_listener *listener, int fd)
{
    seat *free_seat = listener->seats;
    while (free_seat->is_taken)
        free_seat++;
    free_seat->listener = listener;
    free_seat->timer.fire = too_late;
    free_seat->since_ns = hr_loop_now_ns(listener->loop);
    uint64_t due_ns = free_seat->since_ns + GREETING_TIMEOUT_NS;
    if (hr_loop_timer_set(listener->loop, &free_seat->timer, due_ns) != HR_OK) {
        close(fd);
        return;
    }
    free_seat->is_taken = true;
    listener->taken++;
    free_seat->recv = (hr_op){
        .kind = HR_OP_RECV,
        .fd = fd,
        .data = free_seat->bytes,
        .len = RECORD_HEADER_LEN,
        .all = true,
        .done = heard,
    };
    hr_loop_submit(listener->loop, &free_seat->recv);
}

static seat *oldest_seat(hr_listener *listener)
{
    seat *oldest = listener->seats;
    for (unsigned i = 1; i < SEATS; i++)
        if (listener->seats[i].since_ns < oldest->since_ns)
            oldest = &listener->seats[i];
    return oldest;
}

/* All seats are taken: without memory for a timer the five seconds decide. */
static void vacate_in_time(hr_listener *listener)
{
    uint64_t due_ns = oldest_seat(listener)->since_ns + PATIENCE_NS;
    if (hr_loop_timer_set(listener->loop, &listener->vacate, due_ns) != HR_OK)
        listener->events->trouble(listener->context, HR_NO_MEMORY);
}

static void vacate(hr_timer *timer)
{
    hr_listener *listener = HR_CONTAINER(timer, hr_listener, vacate);
    if (listener->taken < SEATS)
        return;
    seat *oldest = oldest_seat(listener);
    if (oldest->since_ns + PATIENCE_NS <= hr_loop_now_ns(listener->loop))
        hr_loop_cancel(listener->loop, &oldest->recv);
    else
        vacate_in_time(listener);
}

/* ---- accepting ---- */

static void retry(hr_timer *timer)
{
    accept_next(HR_CONTAINER(timer, hr_listener, retry));
}

static void accepted(hr_op *op)
{
    hr_listener *listener = HR_CONTAINER(op, hr_listener, accept);
    listener->is_accepting = false;
    if (op->result >= 0 && listener->closed) {
        close(op->result);
    } else if (op->result >= 0) {
        take_seat(listener, op->result);
        if (listener->taken == SEATS)
            vacate_in_time(listener);
    } else if (op->result != -ECONNABORTED && !listener->closed) {
        listener->events->trouble(listener->context, hr_status_from_errno(-op->result));
        /* Descriptors used up: trying again at once would only turn the loop. */
        uint64_t due_ns = hr_loop_now_ns(listener->loop) + RETRY_NS;
        if (!listener->closed &&
            hr_loop_timer_set(listener->loop, &listener->retry, due_ns) == HR_OK)
            return;
    }
    accept_next(listener);
    end_if_unused(listener);
}

static void accept_next(hr_listener *listener)
{
    if (listener->closed || listener->is_accepting || listener->taken == SEATS ||
        listener->retry.heap_index != 0)
        return;
    listener->accept = (hr_op){.kind = HR_OP_ACCEPT, .fd = listener->fd, .done = accepted};
    listener->is_accepting = true;
    hr_loop_submit(listener->loop, &listener->accept);
}

/* ---- the table ---- */

/* 0 or errno; fd_out is bound and listens. */
static int open_listening(const struct addrinfo *at, int *fd_out)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return errno;
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        close(fd);
        return error;
    }
    *fd_out = fd;
    return 0;
}

/* A name is looked up here and now: servers say where they listen before they serve. */
static hr_status open_address(const char *text, int *fd_out, char bound_out[64])
{
    hr_tcp_address address;
    hr_status status = hr_tcp_address_parse(text, &address);
    if (status != HR_OK)
        return status;
    const struct addrinfo hints = {
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *found;
    const char *host = address.host[0] == '\0' ? NULL : address.host;
    if (getaddrinfo(host, address.port, &hints, &found) != 0)
        return HR_UNREACHABLE;
    int error = EADDRNOTAVAIL;
    for (const struct addrinfo *at = found; at != NULL && error != 0; at = at->ai_next)
        error = open_listening(at, fd_out);
    freeaddrinfo(found);
    if (error != 0)
        return hr_status_from_errno(error);
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof bound;
    (void)getsockname(*fd_out, (struct sockaddr *)&bound, &len);
    hr_tcp_address_print((const struct sockaddr *)&bound, bound_out);
    return HR_OK;
}

static hr_status open_file(hr_listener *listener, const char *text, char bound_out[64])
{
    struct sockaddr_un address;
    hr_status status = hr_unix_parse(text, &address);
    if (status != HR_OK)
        return status;
    int error = hr_unix_listen(&address, BACKLOG, &listener->fd);
    if (error != 0)
        return hr_status_from_errno(error);
    listener->file = address;
    snprintf(bound_out, 64, "unix:");
    return HR_OK;
}

hr_status hr_tcp_listen(hr_transport *transport, const char *address,
                        const hr_listener_events *events, void *context, hr_listener **listener_out,
                        char bound_out[64])
{
    hr_listener *listener = hr_alloc(hr_loop_env(transport->loop), sizeof *listener);
    if (listener == NULL)
        return HR_NO_MEMORY;
    hr_status status = hr_unix_is(address) ? open_file(listener, address, bound_out)
                                           : open_address(address, &listener->fd, bound_out);
    if (status != HR_OK) {
        hr_release(hr_loop_env(transport->loop), listener);
        return status;
    }
    listener->loop = transport->loop;
    listener->events = events;
    listener->context = context;
    listener->retry.fire = retry;
    listener->vacate.fire = vacate;
    listener->end.run = end;
    accept_next(listener);
    *listener_out = listener;
    return HR_OK;
}

void hr_tcp_unlisten(hr_listener *listener)
{
    listener->closed = true;
    hr_loop_timer_clear(listener->loop, &listener->retry);
    hr_loop_timer_clear(listener->loop, &listener->vacate);
    if (listener->is_accepting)
        hr_loop_cancel(listener->loop, &listener->accept);
    for (unsigned i = 0; i < SEATS; i++)
        if (listener->seats[i].is_taken)
            hr_loop_cancel(listener->loop, &listener->seats[i].recv);
    end_if_unused(listener);
}

int hr_tcp_accept(hr_transport *transport, hr_incoming *incoming, uint8_t **first_out,
                  size_t *first_len_out)
{
    const hr_env *env = hr_loop_env(transport->loop);
    int fd = (int)(intptr_t)incoming->connection;
    hr_tcp_tune((const hr_tcp *)transport, fd);
    if (first_out != NULL) {
        *first_out = incoming->first;
        *first_len_out = incoming->first_len;
    } else {
        hr_release(env, incoming->first);
    }
    hr_release(env, incoming);
    return fd;
}

void hr_tcp_refuse(hr_transport *transport, hr_incoming *incoming)
{
    close((int)(intptr_t)incoming->connection);
    hr_release(hr_loop_env(transport->loop), incoming->first);
    hr_release(hr_loop_env(transport->loop), incoming);
}
