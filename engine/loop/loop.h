/* SPDX-License-Identifier: Apache-2.0 */
/* hr_loop: where a worker waits. It carries out operations on file descriptors, fires timers, runs
 * deferred tasks and takes letters from other threads. One thread steps a loop; only hr_loop_post
 * and hr_loop_wake may be called from others.
 *
 * Everything completes from hr_loop_step: no function here calls back before it returns, so a
 * caller never finds its own state changed under it.
 *
 * Implementations: loop_uring.c (io_uring; owns the ring), loop_poll.c (poll(2); sockets only, file
 * operations answer -ENOSYS and storage takes its threads), tests/support/loop_sim.c (fake time).
 */
#ifndef HR_LOOP_H
#define HR_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "env.h"
#include "list.h"
#include "mailbox.h"
#include "status.h"

typedef struct hr_loop hr_loop;

/* ---- operations ---- */

typedef enum hr_op_kind {
    HR_OP_POLL_IN,  /* fd is readable (or hung up); result is the revents. A verbs completion
                       channel or an eventfd. Never on the ring's own descriptor. */
    HR_OP_POLL_OUT, /* fd is writable */
    HR_OP_ACCEPT,   /* fd listens; result is the new descriptor (SOCK_CLOEXEC) */
    HR_OP_CONNECT,  /* data, len: the sockaddr, kept by the caller until done; result 0 or -errno */
    HR_OP_RECV,     /* data, len; result: bytes, 0 at the end of the stream. With all set it comes
                       back short only at the end of the stream. */
    HR_OP_SEND,     /* iov, iov_count (the loop may change them); all bytes are sent, result is
                       their sum, or -errno */
    HR_OP_READ,     /* data, len, offset of a file; buffer: index of the registered buffer that data
                       lies in, or -1. May be short. */
    HR_OP_WRITE,
    HR_OP_FDATASYNC,
} hr_op_kind;

/* One operation. The caller's from before submit and again from the call of done on; the loop's in
 * between. fd must stay open until done. Sockets are ordinary, blocking ones: no loop ever blocks
 * in them, and io_uring would answer -EAGAIN for those that carry O_NONBLOCK. */
typedef struct hr_op hr_op;
struct hr_op {
    hr_op_kind kind;
    int fd;
    bool fixed_file; /* fd is an index from hr_loop_register_file (READ, WRITE, FDATASYNC only) */
    bool all;        /* RECV: wait for len bytes */
    int buffer;      /* READ, WRITE: registered buffer or -1 */
    void *data;
    size_t len;
    uint64_t offset;
    struct iovec *iov;
    unsigned iov_count;
    void (*done)(hr_op *op);
    int result; /* bytes or another value as above, or -errno; -ECANCELED after hr_loop_cancel */

    /* the loop's own */
    hr_list node;
    size_t moved; /* of a SEND or a RECV with all set, so far */
    unsigned state;
    struct msghdr message;
};

/* Takes the operation. Never fails: what cannot be started completes with -errno. */
void hr_loop_submit(hr_loop *loop, hr_op *op);
/* Asks for an early end. done still comes, once: with -ECANCELED, or with the result if it was
 * faster. The memory of op is the loop's until then. */
void hr_loop_cancel(hr_loop *loop, hr_op *op);

/* ---- timers and tasks ---- */

typedef struct hr_timer hr_timer;
struct hr_timer {
    void (*fire)(hr_timer *timer);
    uint64_t due_ns;
    size_t heap_index; /* the loop's; 0: not set */
};

/* Sets or moves a timer. It fires once, in a step at or after due_ns. HR_NO_MEMORY only when more
 * timers are set at once than ever before and the heap cannot grow: then nothing is set. */
HR_CHECKED hr_status hr_loop_timer_set(hr_loop *loop, hr_timer *timer, uint64_t due_ns);
void hr_loop_timer_clear(hr_loop *loop, hr_timer *timer);

typedef struct hr_task hr_task;
struct hr_task {
    void (*run)(hr_task *task);
    hr_task *next;
    bool queued; /* deferring a queued task again does nothing */
};

/* Runs the task in the next step (or later in this one, after what is already queued). */
void hr_loop_defer(hr_loop *loop, hr_task *task);

/* ---- pollers ---- */

/* Something that is looked at without a system call, as a completion queue. Added, it is looked at
 * in each step; before the loop sleeps it looks some 128 times more, and then takes the poller out
 * and lets it rest: from there on its own descriptor (HR_OP_POLL_IN) has to wake the loop. The
 * owner adds it again when there is something to look for, and removes it, resting or not, before
 * it goes. */
typedef struct hr_poller hr_poller;
struct hr_poller {
    /* Takes what is there; how many. */
    unsigned (*look)(hr_poller *poller);
    /* Asks to be told, then looks once more, for what came just before; how many. It may add itself
     * again. */
    unsigned (*rest)(hr_poller *poller);
    hr_list node; /* the loop's; initialised by the owner */
    bool rests;   /* the loop's */
};

/* Neither minds being called twice. */
void hr_loop_poller_add(hr_loop *loop, hr_poller *poller);
void hr_loop_poller_remove(hr_loop *loop, hr_poller *poller);

/* ---- the loop itself ---- */

/* One round: letters, tasks, timers, operations; waits for the first of them until deadline_ns
 * (0: does not wait; HR_NEVER: as long as it takes). Work per round is bounded. Returns how many
 * things it did. */
unsigned hr_loop_step(hr_loop *loop, uint64_t deadline_ns);
/* The time at which a step has something to do without any event: 0 (now) while tasks, letters,
 * pollers or operations not yet handed to the kernel wait, else when the first timer is due, else
 * HR_NEVER. */
uint64_t hr_loop_next_due_ns(hr_loop *loop);
/* No operation, timer, task or letter is left: it may be destroyed. */
bool hr_loop_is_idle(hr_loop *loop);
/* Any thread: letter->deliver runs in a step of this loop, which wakes up for it. The loop must
 * outlive the call, not only the delivery. */
void hr_loop_post(hr_loop *loop, hr_letter *letter);
/* Any thread (and signal handlers): ends a wait. */
void hr_loop_wake(hr_loop *loop);
/* An eventfd that is readable when an operation has completed, a letter has come or the loop was
 * woken; a step drains it. For callers with a loop of their own, who wait on it until
 * hr_loop_next_due_ns, asked after the last thing they did: timers and what was started outside a
 * step do not show here. -1 where there is none (poll, sim). Only on the thread that steps, or
 * before the first step. The first call sets it up, so that others do not pay for it. Never the
 * ring's own descriptor. */
int hr_loop_fd(hr_loop *loop);
const hr_env *hr_loop_env(const hr_loop *loop);
uint64_t hr_loop_now_ns(const hr_loop *loop);
/* "io_uring", "poll", "sim" */
const char *hr_loop_name(const hr_loop *loop);
/* Every operation must be done, every timer cleared and every letter delivered; a thread whose
 * letter was the last may still be on its way out of hr_loop_post. NULL is accepted. */
void hr_loop_destroy(hr_loop *loop);

/* Counters for tests and reports: system calls entered and operations completed. */
typedef struct hr_loop_counters {
    uint64_t syscalls;
    uint64_t operations;
    uint64_t waits; /* times it really slept */
} hr_loop_counters;
hr_loop_counters hr_loop_count(const hr_loop *loop);

/* ---- what only some loops can ---- */

typedef struct hr_loop_caps {
    bool files;         /* READ, WRITE, FDATASYNC work */
    bool fixed_buffers; /* hr_loop_register_buffers succeeded */
    bool fixed_files;
    bool restricted; /* io_uring: the ring does what the loop asks of it and nothing else */
} hr_loop_caps;
hr_loop_caps hr_loop_query(const hr_loop *loop);

/* Registers memory for READ and WRITE (buffer = index in iov), once, before the first operation;
 * each entry at most 1 GiB. From any thread before the first step, then only from the one that
 * steps (files too). A refusal (locked-memory limit) is HR_LIMIT or HR_UNSUPPORTED and harmless:
 * operations then use buffer -1. */
HR_CHECKED hr_status hr_loop_register_buffers(hr_loop *loop, const struct iovec *iov,
                                              unsigned count);
/* Registers a file descriptor: index_out for fixed_file operations. */
HR_CHECKED hr_status hr_loop_register_file(hr_loop *loop, int fd, int *index_out);
void hr_loop_unregister_file(hr_loop *loop, int index);

/* ---- making one ---- */

/* A loop belongs to the thread that steps it first, which need not be the one that made it.
 * HR_UNSUPPORTED where io_uring is missing or forbidden: found by doing, never by version. */
HR_CHECKED hr_status hr_loop_uring_create(const hr_env *env, hr_loop **loop_out);
HR_CHECKED hr_status hr_loop_poll_create(const hr_env *env, hr_loop **loop_out);
/* io_uring, else poll, said once in the log. */
HR_CHECKED hr_status hr_loop_create(const hr_env *env, hr_loop **loop_out);

#endif
