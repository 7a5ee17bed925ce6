/* SPDX-License-Identifier: Apache-2.0 */
#include "loop_sim.h"

#include <errno.h>

#include "bytes.h"
#include "loop_ops.h"

typedef struct sim_loop {
    hr_loop base;
    hr_sim *sim;
    hr_list node;    /* in sim->loops */
    hr_list refused; /* operations */
    bool waiting;
} sim_loop;

/* 0 if any loop has something to do now. */
static uint64_t first_due_ns(hr_sim *sim)
{
    uint64_t due_ns = HR_NEVER;
    for (hr_list *node = sim->loops.next; node != &sim->loops; node = node->next) {
        sim_loop *loop = HR_CONTAINER(node, sim_loop, node);
        due_ns = hr_min_u64(due_ns, hr_loop_next_due_ns(&loop->base));
    }
    return due_ns;
}

static void advance(hr_sim *sim, uint64_t until_ns)
{
    uint64_t target_ns = hr_min_u64(until_ns, first_due_ns(sim));
    if (target_ns != HR_NEVER && target_ns > sim->now_ns)
        sim->now_ns = target_ns;
}

/* While one thread of a real process waits, the others go on. */
static unsigned step_others(sim_loop *waiting)
{
    unsigned did = 0;
    waiting->waiting = true;
    for (hr_list *node = waiting->sim->loops.next; node != &waiting->sim->loops;
         node = node->next) {
        sim_loop *other = HR_CONTAINER(node, sim_loop, node);
        if (!other->waiting)
            did += hr_loop_step(&other->base, 0);
    }
    waiting->waiting = false;
    return did;
}

static unsigned sim_wait(hr_loop *base, uint64_t deadline_ns)
{
    sim_loop *loop = (sim_loop *)base;
    unsigned did = 0;
    hr_list *last = loop->refused.prev;
    for (hr_list *node = NULL; last != &loop->refused && node != last; did++) {
        node = hr_list_take_first(&loop->refused);
        hr_op *op = HR_CONTAINER(node, hr_op, node);
        hr_loop_complete(base, op, op->result);
    }
    if (did == 0 && deadline_ns > 0 && step_others(loop) == 0)
        advance(loop->sim, deadline_ns);
    return did;
}

static void sim_submit(hr_loop *base, hr_op *op)
{
    op->result = -ENOSYS;
    hr_list_append(&((sim_loop *)base)->refused, &op->node);
}

static void sim_cancel(hr_loop *base, hr_op *op)
{
    (void)base;
    op->result = -ECANCELED;
}

static void sim_wake(hr_loop *base)
{
    (void)base; /* one thread: nobody sleeps */
}

static int sim_fd(hr_loop *base)
{
    (void)base;
    return -1;
}

static hr_loop_caps sim_query(const hr_loop *base)
{
    (void)base;
    return (hr_loop_caps){0};
}

static hr_status sim_register_buffers(hr_loop *base, const struct iovec *iov, unsigned count)
{
    (void)base;
    (void)iov;
    (void)count;
    return HR_UNSUPPORTED;
}

static hr_status sim_register_file(hr_loop *base, int fd, int *index_out)
{
    (void)base;
    (void)fd;
    (void)index_out;
    return HR_UNSUPPORTED;
}

static void sim_unregister_file(hr_loop *base, int index)
{
    (void)base;
    (void)index;
}

static void sim_destroy(hr_loop *base)
{
    sim_loop *loop = (sim_loop *)base;
    const hr_env *env = base->env;
    hr_list_remove(&loop->node);
    hr_loop_fini(base);
    hr_release(env, loop);
}

static const hr_loop_ops sim_ops = {
    .name = "sim",
    .destroy = sim_destroy,
    .submit = sim_submit,
    .cancel = sim_cancel,
    .wait = sim_wait,
    .wake = sim_wake,
    .fd = sim_fd,
    .query = sim_query,
    .register_buffers = sim_register_buffers,
    .register_file = sim_register_file,
    .unregister_file = sim_unregister_file,
};

hr_status hr_loop_sim_create(hr_sim *sim, hr_loop **loop_out)
{
    sim_loop *loop = hr_alloc(&sim->env, sizeof *loop);
    if (loop == NULL)
        return HR_NO_MEMORY;
    hr_loop_init(&loop->base, &sim_ops, &sim->env);
    loop->sim = sim;
    hr_list_init(&loop->refused);
    hr_list_append(&sim->loops, &loop->node);
    *loop_out = &loop->base;
    return HR_OK;
}

bool hr_sim_step(hr_sim *sim, uint64_t until_ns)
{
    /* Rotating the list by chance changes who goes first from round to round. */
    if (!hr_list_is_empty(&sim->loops) && (hr_sim_random(sim) & 1) != 0)
        hr_list_append(&sim->loops, hr_list_take_first(&sim->loops));
    unsigned did = 0;
    for (hr_list *node = sim->loops.next; node != &sim->loops; node = node->next)
        did += hr_loop_step(&HR_CONTAINER(node, sim_loop, node)->base, 0);
    uint64_t due_ns = first_due_ns(sim);
    if (did > 0 || due_ns <= sim->now_ns)
        return true;
    advance(sim, until_ns);
    return due_ns != HR_NEVER && due_ns <= until_ns;
}
