/* SPDX-License-Identifier: Apache-2.0 */
/* What an implementation of hr_loop fills in. Timers, tasks and letters are loop.c's. */
#ifndef HR_LOOP_OPS_H
#define HR_LOOP_OPS_H

#include "loop.h"

typedef struct hr_loop_ops {
    const char *name;
    void (*destroy)(hr_loop *loop);
    void (*submit)(hr_loop *loop, hr_op *op);
    void (*cancel)(hr_loop *loop, hr_op *op);
    /* Submits what is queued, waits until deadline_ns for the first completion or wake (not at all
     * if it is 0), calls done for what completed. Returns how many. */
    unsigned (*wait)(hr_loop *loop, uint64_t deadline_ns);
    void (*wake)(hr_loop *loop);
    int (*fd)(hr_loop *loop);
    hr_loop_caps (*query)(const hr_loop *loop);
    hr_status (*register_buffers)(hr_loop *loop, const struct iovec *iov, unsigned count);
    hr_status (*register_file)(hr_loop *loop, int fd, int *index_out);
    void (*unregister_file)(hr_loop *loop, int index);
} hr_loop_ops;

/* To a counter that other threads may read. */
static inline void hr_loop_add(uint64_t *counter, uint64_t count)
{
    __atomic_store_n(counter, *counter + count, __ATOMIC_RELAXED);
}

/* The first member of every implementation. */
struct hr_loop {
    const hr_loop_ops *ops;
    const hr_env *env;
    hr_mailbox mailbox;
    unsigned posting; /* threads inside hr_loop_post, by __atomic */
    hr_task *task_first, *task_last;
    hr_list pollers;
    unsigned resting;     /* pollers */
    unsigned empty_looks; /* in a row */
    bool has_spun;        /* pollers were looked at until now: wait need not spin as well */
    hr_timer **timers;    /* a binary heap from index 1 */
    size_t timer_count, timer_capacity;
    size_t under_way; /* operations submitted and not done */
    bool unflushed;   /* a submit or cancel that no wait has seen yet; wait sets it again where it
                         leaves completions behind */
    hr_loop_counters counters; /* by hr_loop_add */
};

void hr_loop_init(hr_loop *loop, const hr_loop_ops *ops, const hr_env *env);
void hr_loop_fini(hr_loop *loop);
/* Called by wait for each operation that has ended. */
void hr_loop_complete(hr_loop *loop, hr_op *op, int result);
/* Moves the vectors of a SEND past the len bytes that were sent, and past empty ones. */
void hr_op_advance(hr_op *op, size_t len);

#endif
