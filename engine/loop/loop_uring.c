/* SPDX-License-Identifier: Apache-2.0 */
/* The loop over io_uring. Operations gather in a list and go to the kernel in one system call per
 * step, which also fetches completions; an idle loop fetches some times more without waiting and
 * then sleeps in the ring.
 *
 * SINGLE_ISSUER and DEFER_TASKRUN tie a ring to the thread that enables it. The ring is therefore
 * made disabled and enabled by the first step, so that one thread may make a loop, register its
 * memory and queue operations, and another may run it. */
#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop.h"
#include "loop_ops.h"
#include "ring.h"

enum {
    FILES_MAX = 256, /* registered files */
    SPINS = 128,     /* about 50 us: worth a quarter of the throughput over loopback TCP */
};

/* hr_op.state */
enum {
    OP_QUEUED = 1 << 0,        /* not in the ring yet */
    OP_CANCELED = 1 << 1,      /* hr_loop_cancel was called */
    OP_CANCEL_QUEUED = 1 << 2, /* node is in the list of cancels */
    OP_BLOCKING = 1 << 3,      /* a file that answered -EAGAIN: tried again from a kernel thread */
};

typedef struct uring_loop {
    hr_loop base;
    struct io_uring ring;
    bool enabled;
    bool restricted;     /* to what a loop submits */
    bool woken;          /* in this wait */
    bool wake_armed;     /* the ring polls wake_fd */
    bool fixed_buffers;  /* registered */
    bool fixed_files;    /* the table is there */
    size_t in_ring;      /* operations, without the poll of wake_fd */
    int wake_fd;         /* written by hr_loop_wake, polled through the ring */
    int event_fd;        /* written by the kernel for each completion; -1 until hr_loop_fd */
    hr_list queued;      /* to be handed to the ring */
    hr_list cancels;     /* in the ring, to be canceled */
    hr_list ended_early; /* canceled before they came into the ring */
    bool file_used[FILES_MAX];
} uring_loop;

/* ---- filling the submission queue ---- */

/* NULL: no room although everything was submitted; the rest waits for the next step. */
static struct io_uring_sqe *take_sqe(uring_loop *loop)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);
    if (sqe != NULL)
        return sqe;
    hr_loop_add(&loop->base.counters.syscalls, 1);
    io_uring_submit(&loop->ring);
    return io_uring_get_sqe(&loop->ring);
}

static void prepare_send(struct io_uring_sqe *sqe, hr_op *op)
{
    /* One request for all of it: the kernel goes on after a short send by itself. */
    const int flags = MSG_WAITALL | MSG_NOSIGNAL;
    if (op->iov_count == 1) {
        io_uring_prep_send(sqe, op->fd, op->iov->iov_base, op->iov->iov_len, flags);
        return;
    }
    op->message = (struct msghdr){.msg_iov = op->iov, .msg_iovlen = op->iov_count};
    io_uring_prep_sendmsg(sqe, op->fd, &op->message, (unsigned)flags);
}

static void prepare_transfer(struct io_uring_sqe *sqe, const hr_op *op)
{
    unsigned len = (unsigned)op->len;
    if (op->kind == HR_OP_READ && op->buffer >= 0)
        io_uring_prep_read_fixed(sqe, op->fd, op->data, len, op->offset, op->buffer);
    else if (op->kind == HR_OP_READ)
        io_uring_prep_read(sqe, op->fd, op->data, len, op->offset);
    else if (op->buffer >= 0)
        io_uring_prep_write_fixed(sqe, op->fd, op->data, len, op->offset, op->buffer);
    else
        io_uring_prep_write(sqe, op->fd, op->data, len, op->offset);
}

static void prepare(struct io_uring_sqe *sqe, hr_op *op)
{
    switch (op->kind) {
    case HR_OP_POLL_IN:
        io_uring_prep_poll_add(sqe, op->fd, POLLIN);
        break;
    case HR_OP_POLL_OUT:
        io_uring_prep_poll_add(sqe, op->fd, POLLOUT);
        break;
    case HR_OP_ACCEPT:
        io_uring_prep_accept(sqe, op->fd, NULL, NULL, SOCK_CLOEXEC);
        break;
    case HR_OP_CONNECT:
        io_uring_prep_connect(sqe, op->fd, op->data, (socklen_t)op->len);
        break;
    case HR_OP_RECV:
        io_uring_prep_recv(sqe, op->fd, (char *)op->data + op->moved, op->len - op->moved,
                           op->all ? MSG_WAITALL : 0);
        break;
    case HR_OP_SEND:
        prepare_send(sqe, op);
        break;
    case HR_OP_READ:
    case HR_OP_WRITE:
        prepare_transfer(sqe, op);
        break;
    case HR_OP_FDATASYNC:
        io_uring_prep_fsync(sqe, op->fd, IORING_FSYNC_DATASYNC);
        break;
    }
    if (op->fixed_file)
        sqe->flags |= IOSQE_FIXED_FILE;
    if ((op->state & OP_BLOCKING) != 0)
        sqe->flags |= IOSQE_ASYNC;
    io_uring_sqe_set_data(sqe, op);
}

static void arm_wake(uring_loop *loop)
{
    struct io_uring_sqe *sqe = loop->wake_armed ? NULL : take_sqe(loop);
    if (sqe == NULL)
        return;
    /* A poll and not a read: when the ring is torn down, no buffer of ours is in it. */
    io_uring_prep_poll_add(sqe, loop->wake_fd, POLLIN);
    io_uring_sqe_set_data(sqe, loop);
    loop->wake_armed = true;
}

/* Cancels come before new operations: one of these may have the address of one that ended. */
static void fill(uring_loop *loop)
{
    struct io_uring_sqe *sqe;
    arm_wake(loop);
    while (!hr_list_is_empty(&loop->cancels) && (sqe = take_sqe(loop)) != NULL) {
        hr_op *op = HR_CONTAINER(hr_list_take_first(&loop->cancels), hr_op, node);
        op->state &= ~(unsigned)OP_CANCEL_QUEUED;
        io_uring_prep_cancel(sqe, op, 0);
        io_uring_sqe_set_data(sqe, NULL);
    }
    while (!hr_list_is_empty(&loop->queued) && (sqe = take_sqe(loop)) != NULL) {
        hr_op *op = HR_CONTAINER(hr_list_take_first(&loop->queued), hr_op, node);
        op->state &= ~(unsigned)OP_QUEUED;
        prepare(sqe, op);
        loop->in_ring++;
    }
}

static void queue_op(uring_loop *loop, hr_op *op)
{
    op->state |= OP_QUEUED;
    hr_list_append(&loop->queued, &op->node);
}

static void uring_submit(hr_loop *base, hr_op *op)
{
    queue_op((uring_loop *)base, op);
}

static void uring_cancel(hr_loop *base, hr_op *op)
{
    uring_loop *loop = (uring_loop *)base;
    if ((op->state & OP_CANCELED) != 0)
        return;
    op->state |= OP_CANCELED;
    if ((op->state & OP_QUEUED) != 0) {
        hr_list_remove(&op->node);
        hr_list_append(&loop->ended_early, &op->node);
        return;
    }
    op->state |= OP_CANCEL_QUEUED;
    hr_list_append(&loop->cancels, &op->node);
}

/* ---- completions ---- */

/* What a SEND, or a RECV of all, still has to move. */
static size_t left_to_move(const hr_op *op)
{
    if (op->kind == HR_OP_RECV)
        return op->all ? op->len - op->moved : 0;
    size_t left = 0;
    for (unsigned i = 0; op->kind == HR_OP_SEND && i < op->iov_count; i++)
        left += op->iov[i].iov_len;
    return left;
}

/* Takes in what a SEND, or a RECV of all, has moved. True: there is more to do. Kernels before 5.19
 * end MSG_WAITALL early, and a signal may end it on any. */
static bool go_on(hr_op *op, int *result)
{
    int moved = *result;
    size_t left = left_to_move(op);
    if (left == 0)
        return false;
    /* The kernel answers a canceled one with what it had moved: that is an early end all the same,
     * unless it was everything. */
    if ((op->state & OP_CANCELED) != 0 && (size_t)moved < left) {
        *result = -ECANCELED;
        return false;
    }
    op->moved += (size_t)moved;
    *result = (int)op->moved;
    if (op->kind == HR_OP_SEND)
        hr_op_advance(op, (size_t)moved);
    return moved > 0 && (size_t)moved < left;
}

/* True: the operation goes into the ring again. */
static bool wants_more(hr_op *op, int *result)
{
    if (*result >= 0)
        return go_on(op, result);
    if ((op->state & OP_CANCELED) != 0)
        return false;
    if (*result == -EAGAIN && (op->kind == HR_OP_READ || op->kind == HR_OP_WRITE)) {
        /* Legal even without NOWAIT (liburing issue 766); a second one is an answer. */
        bool first = (op->state & OP_BLOCKING) == 0;
        op->state |= OP_BLOCKING;
        return first;
    }
    return *result == -EINTR && op->kind != HR_OP_CONNECT;
}

static void drain(int fd)
{
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof count);
    (void)got; /* -EAGAIN: nothing was there */
}

static unsigned handle(uring_loop *loop, void *data, int result)
{
    if (data == NULL)
        return 0; /* the answer to a cancel: the operation itself answers too */
    if (data == loop) {
        drain(loop->wake_fd);
        loop->wake_armed = false;
        loop->woken = true;
        return 0;
    }
    hr_op *op = data;
    loop->in_ring--;
    if ((op->state & OP_CANCEL_QUEUED) != 0)
        hr_list_remove(&op->node);
    if (wants_more(op, &result)) {
        queue_op(loop, op);
        return 1;
    }
    hr_loop_complete(&loop->base, op, result);
    return 1;
}

/* What is there now; what its callbacks cause is for the next step. */
static unsigned reap(uring_loop *loop)
{
    unsigned did = 0;
    for (unsigned left = io_uring_cq_ready(&loop->ring); left > 0; left--) {
        struct io_uring_cqe *cqe;
        if (io_uring_peek_cqe(&loop->ring, &cqe) != 0)
            break;
        void *data = io_uring_cqe_get_data(cqe);
        int result = cqe->res;
        /* First, so that the callback finds a ring in order. */
        io_uring_cqe_seen(&loop->ring, cqe);
        did += handle(loop, data, result);
    }
    return did;
}

static unsigned end_early(uring_loop *loop)
{
    unsigned did = 0;
    hr_list ended;
    hr_list_init(&ended);
    for (hr_list *node; (node = hr_list_take_first(&loop->ended_early)) != NULL;)
        hr_list_append(&ended, node);
    for (hr_list *node; (node = hr_list_take_first(&ended)) != NULL; did++)
        hr_loop_complete(&loop->base, HR_CONTAINER(node, hr_op, node), -ECANCELED);
    return did;
}

/* ---- waiting ---- */

static void fetch(uring_loop *loop)
{
    hr_loop_add(&loop->base.counters.syscalls, 1);
    /* Errors (-EBUSY, -EAGAIN: too much under way) pass as completions are reaped. */
    (void)io_uring_submit_and_get_events(&loop->ring);
}

static void sleep_until(uring_loop *loop, uint64_t deadline_ns)
{
    struct __kernel_timespec wait, *timeout = NULL;
    if (deadline_ns != HR_NEVER) {
        uint64_t now_ns = hr_loop_now_ns(&loop->base);
        if (now_ns >= deadline_ns)
            return;
        wait.tv_sec = (long long)((deadline_ns - now_ns) / HR_NS_PER_S);
        wait.tv_nsec = (long long)((deadline_ns - now_ns) % HR_NS_PER_S);
        timeout = &wait;
    }
    struct io_uring_cqe *cqe;
    hr_loop_add(&loop->base.counters.syscalls, 1);
    hr_loop_add(&loop->base.counters.waits, 1);
    (void)io_uring_submit_and_wait_timeout(&loop->ring, &cqe, 1, timeout, NULL);
}

static void enable(uring_loop *loop)
{
    int result = hr_ring_enable(&loop->ring);
    assert(result == 0); /* try_ring did it before */
    (void)result;
    loop->enabled = true;
}

static unsigned uring_wait(hr_loop *base, uint64_t deadline_ns)
{
    uring_loop *loop = (uring_loop *)base;
    if (!loop->enabled)
        enable(loop);
    /* Before the completions are looked at: those that come later make it readable again. */
    if (loop->event_fd >= 0)
        drain(loop->event_fd);
    loop->woken = false;
    unsigned did = end_early(loop);
    fill(loop);
    if (!hr_list_is_empty(&loop->queued))
        deadline_ns = 0;
    /* A loop that looks at completion queues gets its bytes from there. It spins over these, which
     * costs no system call, and goes to sleep with the next one; also while they rest. */
    bool looks_elsewhere = base->has_spun || base->resting > 0;
    if (deadline_ns == 0 || !looks_elsewhere)
        fetch(loop);
    did += reap(loop);
    bool spin = deadline_ns != 0 && loop->in_ring > 0 && !looks_elsewhere;
    for (unsigned i = 0; spin && i < SPINS && did == 0 && !loop->woken; i++) {
        fetch(loop);
        did += reap(loop);
    }
    if (deadline_ns != 0 && did == 0 && !loop->woken) {
        sleep_until(loop, deadline_ns);
        did += reap(loop);
    }
    if (!hr_list_is_empty(&loop->queued) || !loop->wake_armed || io_uring_cq_ready(&loop->ring) > 0)
        base->unflushed = true;
    return did;
}

static void uring_wake(hr_loop *base)
{
    int error = errno; /* this runs in signal handlers */
    uint64_t one = 1;
    ssize_t written = write(((uring_loop *)base)->wake_fd, &one, sizeof one);
    (void)written; /* -EAGAIN: the counter is full, so it is readable */
    errno = error;
}

static int uring_fd(hr_loop *base)
{
    uring_loop *loop = (uring_loop *)base;
    if (loop->event_fd >= 0)
        return loop->event_fd;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return -1;
    if (io_uring_register_eventfd(&loop->ring, fd) != 0) {
        close(fd);
        return -1;
    }
    loop->event_fd = fd;
    base->unflushed = true; /* what completed before the registration does not show on it */
    return fd;
}

/* ---- registration ---- */

static hr_loop_caps uring_query(const hr_loop *base)
{
    const uring_loop *loop = (const uring_loop *)base;
    return (hr_loop_caps){
        .files = true,
        .fixed_buffers = loop->fixed_buffers,
        .fixed_files = loop->fixed_files,
        .restricted = loop->restricted,
    };
}

static hr_status uring_register_buffers(hr_loop *base, const struct iovec *iov, unsigned count)
{
    uring_loop *loop = (uring_loop *)base;
    int result = io_uring_register_buffers(&loop->ring, iov, count);
    if (result == -ENOMEM || result == -EPERM)
        return HR_LIMIT; /* RLIMIT_MEMLOCK */
    if (result < 0)
        return HR_UNSUPPORTED;
    loop->fixed_buffers = true;
    return HR_OK;
}

static hr_status make_file_table(uring_loop *loop)
{
    int none[FILES_MAX];
    for (unsigned i = 0; i < FILES_MAX; i++)
        none[i] = -1;
    if (io_uring_register_files(&loop->ring, none, FILES_MAX) < 0)
        return HR_UNSUPPORTED;
    loop->fixed_files = true;
    return HR_OK;
}

static hr_status uring_register_file(hr_loop *base, int fd, int *index_out)
{
    uring_loop *loop = (uring_loop *)base;
    hr_status status = loop->fixed_files ? HR_OK : make_file_table(loop);
    if (status != HR_OK)
        return status;
    unsigned index = 0;
    while (index < FILES_MAX && loop->file_used[index])
        index++;
    if (index == FILES_MAX)
        return HR_LIMIT;
    if (io_uring_register_files_update(&loop->ring, index, &fd, 1) != 1)
        return HR_UNSUPPORTED;
    loop->file_used[index] = true;
    *index_out = (int)index;
    return HR_OK;
}

static void uring_unregister_file(hr_loop *base, int index)
{
    uring_loop *loop = (uring_loop *)base;
    assert(index >= 0 && index < FILES_MAX && loop->file_used[index]);
    int none = -1;
    (void)io_uring_register_files_update(&loop->ring, (unsigned)index, &none, 1);
    loop->file_used[index] = false;
}

/* ---- making one ---- */

static void uring_destroy(hr_loop *base)
{
    uring_loop *loop = (uring_loop *)base;
    const hr_env *env = base->env;
    io_uring_queue_exit(&loop->ring);
    close(loop->wake_fd);
    if (loop->event_fd >= 0)
        close(loop->event_fd);
    hr_loop_fini(base);
    hr_release(env, loop);
}

static const hr_loop_ops uring_ops = {
    .name = "io_uring",
    .destroy = uring_destroy,
    .submit = uring_submit,
    .cancel = uring_cancel,
    .wait = uring_wait,
    .wake = uring_wake,
    .fd = uring_fd,
    .query = uring_query,
    .register_buffers = uring_register_buffers,
    .register_file = uring_register_file,
    .unregister_file = uring_unregister_file,
};

/* Descriptors used up are said as they are; anything else means that io_uring cannot be had here.
 */
static hr_status refusal(const hr_env *env, int result)
{
    hr_log(env, HR_LOG_INFO, "no io_uring: %s%s", strerror(-result),
           result == -ENOMEM ? " (its rings count against the locked-memory limit)" : "");
    return result == -EMFILE || result == -ENFILE ? HR_LIMIT : HR_UNSUPPORTED;
}

hr_status hr_loop_uring_create(const hr_env *env, hr_loop **loop_out)
{
    uring_loop *loop = hr_alloc(env, sizeof *loop);
    if (loop == NULL)
        return HR_NO_MEMORY;
    hr_status status = HR_LIMIT;
    loop->event_fd = -1;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0)
        goto fail_release;
    int result = hr_ring_open(&loop->ring);
    if (result < 0) {
        status = refusal(env, result);
        goto fail_close;
    }
    hr_loop_init(&loop->base, &uring_ops, env);
    hr_list_init(&loop->queued);
    hr_list_init(&loop->cancels);
    hr_list_init(&loop->ended_early);
    result = hr_ring_restrict(&loop->ring);
    if (result < 0)
        hr_log(env, HR_LOG_WARN, "the ring's operations cannot be restricted: %s",
               strerror(-result));
    loop->restricted = result >= 0;
    *loop_out = &loop->base;
    return HR_OK;

fail_close:
    close(loop->wake_fd);
fail_release:
    hr_release(env, loop);
    return status;
}
