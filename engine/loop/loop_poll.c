/* SPDX-License-Identifier: Apache-2.0 */
/* The loop over poll(2), for hosts where io_uring is missing or forbidden. An operation is tried
 * when it comes and again whenever its descriptor is ready. File operations answer -ENOSYS: poll
 * cannot wait for a disk, and storage has its threads for that.
 *
 * Attempts only sort operations into the list of those that ended; callbacks run afterwards, so
 * that what they submit and cancel never meets a walk over the lists. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"
#include "loop_ops.h"

enum {
    POLL_ENDED = 1, /* hr_op.state: the result is there, done has yet to be called */
};

typedef struct poll_loop {
    hr_loop base;
    int wake_fd;
    hr_list fresh;  /* not tried yet */
    hr_list active; /* wait for their descriptors */
    hr_list ended;
    struct pollfd *fds; /* wake_fd, then one for each active operation in the list's order */
    size_t fds_capacity;
} poll_loop;

/* ---- trying ---- */

static int set_nonblocking(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return -errno;
    flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

static bool would_block(ssize_t result)
{
    return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Each of these tries to carry out the operation without blocking. True: op->result is set. */

static bool try_accept(hr_op *op)
{
    /* Another thread may take the connection between the poll and us. */
    op->result = set_nonblocking(op->fd, true);
    if (op->result < 0)
        return true;
    int fd = accept4(op->fd, NULL, NULL, SOCK_CLOEXEC);
    if (would_block(fd))
        return false;
    op->result = fd < 0 ? -errno : fd;
    return true;
}

static bool start_connect(hr_op *op)
{
    op->result = set_nonblocking(op->fd, true);
    if (op->result < 0)
        return true;
    if (connect(op->fd, op->data, (socklen_t)op->len) != 0) {
        if (errno == EINPROGRESS)
            return false;
        op->result = -errno;
    }
    (void)set_nonblocking(op->fd, false);
    return true;
}

static bool finish_connect(hr_op *op)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(op->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    op->result = -error;
    (void)set_nonblocking(op->fd, false);
    return true;
}

static bool try_recv(hr_op *op)
{
    for (;;) {
        ssize_t got = recv(op->fd, (char *)op->data + op->moved, op->len - op->moved, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (would_block(got))
            return false;
        if (got < 0) {
            op->result = -errno;
            return true;
        }
        op->moved += (size_t)got;
        op->result = (int)op->moved;
        if (!op->all || got == 0 || op->moved == op->len)
            return true;
    }
}

static bool try_send(hr_op *op)
{
    for (hr_op_advance(op, 0); op->iov_count > 0;) {
        struct msghdr message = {.msg_iov = op->iov, .msg_iovlen = op->iov_count};
        ssize_t sent = sendmsg(op->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (would_block(sent))
            return false;
        if (sent < 0) {
            op->result = -errno;
            return true;
        }
        op->moved += (size_t)sent;
        hr_op_advance(op, (size_t)sent);
    }
    op->result = (int)op->moved;
    return true;
}

static bool try_op(hr_op *op, short revents)
{
    switch (op->kind) {
    case HR_OP_POLL_IN:
    case HR_OP_POLL_OUT:
        op->result = revents;
        return revents != 0;
    case HR_OP_ACCEPT:
        return try_accept(op);
    case HR_OP_CONNECT:
        return revents == 0 ? start_connect(op) : finish_connect(op);
    case HR_OP_RECV:
        return try_recv(op);
    case HR_OP_SEND:
        return try_send(op);
    case HR_OP_READ:
    case HR_OP_WRITE:
    case HR_OP_FDATASYNC:
        break;
    }
    op->result = -ENOSYS;
    return true;
}

/* ---- the round ---- */

static void end_op(poll_loop *loop, hr_op *op)
{
    op->state = POLL_ENDED;
    hr_list_remove(&op->node);
    hr_list_append(&loop->ended, &op->node);
}

static void try_fresh(poll_loop *loop)
{
    for (hr_list *node; (node = hr_list_take_first(&loop->fresh)) != NULL;) {
        hr_op *op = HR_CONTAINER(node, hr_op, node);
        if (try_op(op, 0))
            end_op(loop, op);
        else
            hr_list_append(&loop->active, &op->node);
    }
}

/* One more than the operations that may be active; without memory for it nobody could be told. */
static bool reserve_fds(poll_loop *loop, size_t count)
{
    if (count <= loop->fds_capacity)
        return true;
    struct pollfd *fds = hr_alloc(loop->base.env, count * 2 * sizeof *fds);
    if (fds == NULL)
        return false;
    hr_release(loop->base.env, loop->fds);
    loop->fds = fds;
    loop->fds_capacity = count * 2;
    return true;
}

static nfds_t list_fds(poll_loop *loop)
{
    nfds_t count = 0;
    loop->fds[count++] = (struct pollfd){.fd = loop->wake_fd, .events = POLLIN};
    for (hr_list *node = loop->active.next; node != &loop->active; node = node->next) {
        const hr_op *op = HR_CONTAINER(node, hr_op, node);
        bool out =
            op->kind == HR_OP_POLL_OUT || op->kind == HR_OP_SEND || op->kind == HR_OP_CONNECT;
        loop->fds[count++] = (struct pollfd){.fd = op->fd, .events = out ? POLLOUT : POLLIN};
    }
    return count;
}

static void try_ready(poll_loop *loop)
{
    if (loop->fds[0].revents != 0) {
        uint64_t count;
        ssize_t got = read(loop->wake_fd, &count, sizeof count);
        (void)got;
    }
    hr_list *next;
    size_t index = 1;
    for (hr_list *node = loop->active.next; node != &loop->active; node = next, index++) {
        next = node->next;
        hr_op *op = HR_CONTAINER(node, hr_op, node);
        if (loop->fds[index].revents != 0 && try_op(op, loop->fds[index].revents))
            end_op(loop, op);
    }
}

static void sleep_until(poll_loop *loop, uint64_t deadline_ns)
{
    struct timespec wait = {0}, *timeout = &wait;
    if (deadline_ns == HR_NEVER) {
        timeout = NULL;
    } else if (deadline_ns != 0) {
        uint64_t now_ns = hr_loop_now_ns(&loop->base);
        uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
        wait.tv_sec = (time_t)(left_ns / HR_NS_PER_S);
        wait.tv_nsec = (long)(left_ns % HR_NS_PER_S);
    }
    nfds_t count = list_fds(loop);
    hr_loop_add(&loop->base.counters.syscalls, 1);
    hr_loop_add(&loop->base.counters.waits, deadline_ns != 0);
    if (ppoll(loop->fds, count, timeout, NULL) > 0)
        try_ready(loop);
}

static unsigned poll_wait(hr_loop *base, uint64_t deadline_ns)
{
    poll_loop *loop = (poll_loop *)base;
    try_fresh(loop);
    sleep_until(loop, hr_list_is_empty(&loop->ended) ? deadline_ns : 0);
    /* Only those that ended until now: their callbacks may end others. */
    unsigned did = 0;
    hr_list *last = loop->ended.prev;
    for (hr_list *node = NULL; last != &loop->ended && node != last; did++) {
        node = hr_list_take_first(&loop->ended);
        hr_op *op = HR_CONTAINER(node, hr_op, node);
        hr_loop_complete(base, op, op->result);
    }
    if (!hr_list_is_empty(&loop->ended))
        base->unflushed = true;
    return did;
}

static void poll_submit(hr_loop *base, hr_op *op)
{
    poll_loop *loop = (poll_loop *)base;
    hr_list_append(&loop->fresh, &op->node);
    if (reserve_fds(loop, base->under_way + 1))
        return;
    op->result = -ENOMEM;
    end_op(loop, op);
}

static void poll_cancel(hr_loop *base, hr_op *op)
{
    if (op->state == POLL_ENDED)
        return;
    op->result = -ECANCELED;
    end_op((poll_loop *)base, op);
}

static void poll_wake(hr_loop *base)
{
    int error = errno; /* this runs in signal handlers */
    uint64_t one = 1;
    ssize_t written = write(((poll_loop *)base)->wake_fd, &one, sizeof one);
    (void)written;
    errno = error;
}

static int poll_fd(hr_loop *base)
{
    (void)base;
    return -1; /* one descriptor cannot stand for a set of them */
}

static hr_loop_caps poll_query(const hr_loop *base)
{
    (void)base;
    return (hr_loop_caps){0};
}

static hr_status poll_register_buffers(hr_loop *base, const struct iovec *iov, unsigned count)
{
    (void)base;
    (void)iov;
    (void)count;
    return HR_UNSUPPORTED;
}

static hr_status poll_register_file(hr_loop *base, int fd, int *index_out)
{
    (void)base;
    (void)fd;
    (void)index_out;
    return HR_UNSUPPORTED;
}

static void poll_unregister_file(hr_loop *base, int index)
{
    (void)base;
    (void)index;
}

static void poll_destroy(hr_loop *base)
{
    poll_loop *loop = (poll_loop *)base;
    const hr_env *env = base->env;
    close(loop->wake_fd);
    hr_release(env, loop->fds);
    hr_loop_fini(base);
    hr_release(env, loop);
}

static const hr_loop_ops poll_ops = {
    .name = "poll",
    .destroy = poll_destroy,
    .submit = poll_submit,
    .cancel = poll_cancel,
    .wait = poll_wait,
    .wake = poll_wake,
    .fd = poll_fd,
    .query = poll_query,
    .register_buffers = poll_register_buffers,
    .register_file = poll_register_file,
    .unregister_file = poll_unregister_file,
};

hr_status hr_loop_poll_create(const hr_env *env, hr_loop **loop_out)
{
    poll_loop *loop = hr_alloc(env, sizeof *loop);
    if (loop == NULL)
        return HR_NO_MEMORY;
    hr_loop_init(&loop->base, &poll_ops, env);
    hr_list_init(&loop->fresh);
    hr_list_init(&loop->active);
    hr_list_init(&loop->ended);
    if (!reserve_fds(loop, 64)) {
        hr_release(env, loop);
        return HR_NO_MEMORY;
    }
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0) {
        hr_release(env, loop->fds);
        hr_release(env, loop);
        return HR_LIMIT;
    }
    *loop_out = &loop->base;
    return HR_OK;
}
