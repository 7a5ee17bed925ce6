/* SPDX-License-Identifier: Apache-2.0 */
/* What all loops share: the heap of timers, the queue of tasks, the mailbox, and the order of one
 * step. How operations are carried out and how a thread sleeps is the implementation's. */
#include "loop.h"

#include <assert.h>
#include <sched.h>
#include <string.h>

#include "bytes.h"
#include "loop_ops.h"

enum {
    SPINS = 128, /* looks at the pollers before a sleep: some microseconds */
};

void hr_loop_init(hr_loop *loop, const hr_loop_ops *ops, const hr_env *env)
{
    memset(loop, 0, sizeof *loop);
    loop->ops = ops;
    loop->env = env;
    hr_list_init(&loop->pollers);
}

void hr_loop_fini(hr_loop *loop)
{
    assert(loop->under_way == 0 && loop->timer_count == 0);
    assert(hr_list_is_empty(&loop->pollers) && loop->resting == 0);
    hr_release(loop->env, loop->timers);
}

/* ---- operations ---- */

void hr_loop_submit(hr_loop *loop, hr_op *op)
{
    assert(op->done != NULL);
    hr_list_init(&op->node);
    op->moved = 0;
    op->state = 0;
    op->result = 0;
    loop->under_way++;
    loop->unflushed = true;
    loop->ops->submit(loop, op);
}

void hr_loop_cancel(hr_loop *loop, hr_op *op)
{
    loop->unflushed = true;
    loop->ops->cancel(loop, op);
}

void hr_loop_complete(hr_loop *loop, hr_op *op, int result)
{
    loop->under_way--;
    hr_loop_add(&loop->counters.operations, 1);
    op->result = result;
    op->done(op);
}

void hr_op_advance(hr_op *op, size_t len)
{
    while (op->iov_count > 0 && len >= op->iov->iov_len) {
        len -= op->iov->iov_len;
        op->iov++;
        op->iov_count--;
    }
    if (op->iov_count > 0) {
        op->iov->iov_base = (char *)op->iov->iov_base + len;
        op->iov->iov_len -= len;
    }
}

/* ---- timers ---- */

static void heap_put(hr_loop *loop, size_t index, hr_timer *timer)
{
    loop->timers[index] = timer;
    timer->heap_index = index;
}

/* Finds the place of timer, starting at the free index. */
static void heap_sift(hr_loop *loop, size_t index, hr_timer *timer)
{
    while (index > 1 && loop->timers[index / 2]->due_ns > timer->due_ns) {
        heap_put(loop, index, loop->timers[index / 2]);
        index /= 2;
    }
    for (size_t child = index * 2; child <= loop->timer_count; child = index * 2) {
        if (child < loop->timer_count &&
            loop->timers[child + 1]->due_ns < loop->timers[child]->due_ns)
            child++;
        if (loop->timers[child]->due_ns >= timer->due_ns)
            break;
        heap_put(loop, index, loop->timers[child]);
        index = child;
    }
    heap_put(loop, index, timer);
}

static hr_status heap_reserve(hr_loop *loop, size_t count)
{
    if (count < loop->timer_capacity)
        return HR_OK;
    size_t capacity = loop->timer_capacity > 0 ? loop->timer_capacity * 2 : 64;
    hr_timer **timers = hr_alloc(loop->env, capacity * sizeof(hr_timer *));
    if (timers == NULL)
        return HR_NO_MEMORY;
    if (loop->timers != NULL)
        memcpy(timers, loop->timers, loop->timer_capacity * sizeof(hr_timer *));
    hr_release(loop->env, loop->timers);
    loop->timers = timers;
    loop->timer_capacity = capacity;
    return HR_OK;
}

hr_status hr_loop_timer_set(hr_loop *loop, hr_timer *timer, uint64_t due_ns)
{
    assert(timer->fire != NULL);
    if (timer->heap_index == 0) {
        hr_status status = heap_reserve(loop, loop->timer_count + 1);
        if (status != HR_OK)
            return status;
        timer->heap_index = ++loop->timer_count;
    }
    timer->due_ns = due_ns;
    heap_sift(loop, timer->heap_index, timer);
    return HR_OK;
}

void hr_loop_timer_clear(hr_loop *loop, hr_timer *timer)
{
    if (timer->heap_index == 0)
        return;
    size_t index = timer->heap_index;
    hr_timer *last = loop->timers[loop->timer_count--];
    timer->heap_index = 0;
    if (last != timer)
        heap_sift(loop, index, last);
}

static uint64_t first_due_ns(const hr_loop *loop)
{
    return loop->timer_count > 0 ? loop->timers[1]->due_ns : HR_NEVER;
}

/* At most as many as were set when it began, so that a timer which sets itself again for a time
 * that has passed cannot hold up the rest. */
static unsigned fire_timers(hr_loop *loop)
{
    if (loop->timer_count == 0)
        return 0;
    uint64_t now_ns = hr_loop_now_ns(loop);
    unsigned fired = 0;
    for (size_t left = loop->timer_count; left > 0 && first_due_ns(loop) <= now_ns; left--) {
        hr_timer *timer = loop->timers[1];
        hr_loop_timer_clear(loop, timer);
        timer->fire(timer);
        fired++;
    }
    return fired;
}

/* ---- tasks ---- */

void hr_loop_defer(hr_loop *loop, hr_task *task)
{
    if (task->queued)
        return;
    task->queued = true;
    task->next = NULL;
    if (loop->task_last != NULL)
        loop->task_last->next = task;
    else
        loop->task_first = task;
    loop->task_last = task;
}

/* Those that were queued when it began; what they defer runs in the next step. */
static unsigned run_tasks(hr_loop *loop)
{
    hr_task *last = loop->task_last;
    unsigned count = 0;
    for (hr_task *task = NULL; task != last; count++) {
        task = loop->task_first;
        assert(task != NULL); /* last is still in the queue */
        loop->task_first = task->next;
        if (loop->task_first == NULL)
            loop->task_last = NULL;
        task->queued = false;
        task->run(task);
    }
    return count;
}

/* ---- pollers ---- */

static void end_rest(hr_loop *loop, hr_poller *poller)
{
    loop->resting -= poller->rests ? 1 : 0;
    poller->rests = false;
}

void hr_loop_poller_add(hr_loop *loop, hr_poller *poller)
{
    end_rest(loop, poller);
    if (hr_list_is_empty(&poller->node))
        hr_list_append(&loop->pollers, &poller->node);
}

void hr_loop_poller_remove(hr_loop *loop, hr_poller *poller)
{
    end_rest(loop, poller);
    hr_list_remove(&poller->node);
}

/* What any of them does may add and remove others. */
static unsigned look(hr_loop *loop)
{
    unsigned did = 0;
    hr_list round;
    hr_list_init(&round);
    for (hr_list *node; (node = hr_list_take_first(&loop->pollers)) != NULL;)
        hr_list_append(&round, node);
    for (hr_list *node; (node = hr_list_take_first(&round)) != NULL;) {
        hr_list_append(&loop->pollers, node);
        hr_poller *poller = HR_CONTAINER(node, hr_poller, node);
        did += poller->look(poller);
    }
    return did;
}

static unsigned let_rest(hr_loop *loop)
{
    unsigned did = 0;
    while (did == 0 && !hr_list_is_empty(&loop->pollers)) {
        hr_poller *poller = HR_CONTAINER(hr_list_take_first(&loop->pollers), hr_poller, node);
        poller->rests = true;
        loop->resting++;
        did += poller->rest(poller);
    }
    return did;
}

/* Goes on until something is found, or all of them rest. A step that may not wait looks once: those
 * who wait elsewhere make 128 such steps. */
static unsigned look_again(hr_loop *loop, bool may_wait)
{
    unsigned did = 0;
    loop->has_spun = true;
    do
        did += look(loop);
    while (++loop->empty_looks < SPINS && did == 0 && may_wait);
    if (did == 0 && loop->empty_looks >= SPINS)
        did = let_rest(loop);
    return did;
}

/* ---- the loop itself ---- */

static unsigned do_what_is_ready(hr_loop *loop)
{
    unsigned did = hr_mailbox_deliver(&loop->mailbox);
    did += run_tasks(loop);
    did += fire_timers(loop);
    return did;
}

unsigned hr_loop_step(hr_loop *loop, uint64_t deadline_ns)
{
    unsigned did = do_what_is_ready(loop) + look(loop);
    loop->has_spun = false;
    if (did > 0 || hr_list_is_empty(&loop->pollers))
        loop->empty_looks = 0;
    else if (loop->task_first == NULL)
        did = look_again(loop, deadline_ns != 0);
    bool stay_awake = did > 0 || loop->task_first != NULL;
    uint64_t until_ns = stay_awake ? 0 : hr_min_u64(deadline_ns, first_due_ns(loop));
    loop->unflushed = false;
    did += loop->ops->wait(loop, until_ns);
    if (did == 0 && until_ns != 0)
        did = do_what_is_ready(loop);
    return did;
}

uint64_t hr_loop_next_due_ns(hr_loop *loop)
{
    if (loop->unflushed || loop->task_first != NULL || !hr_mailbox_is_empty(&loop->mailbox) ||
        !hr_list_is_empty(&loop->pollers))
        return 0;
    return first_due_ns(loop);
}

bool hr_loop_is_idle(hr_loop *loop)
{
    return loop->under_way == 0 && hr_loop_next_due_ns(loop) == HR_NEVER;
}

/* Once the letter is in, whoever waits for it may destroy the loop: not before this thread has left
 * it. */
void hr_loop_post(hr_loop *loop, hr_letter *letter)
{
    __atomic_fetch_add(&loop->posting, 1, __ATOMIC_RELAXED);
    /* Whoever found the mailbox empty wakes; the others know that somebody does. */
    if (hr_mailbox_post(&loop->mailbox, letter))
        loop->ops->wake(loop);
    __atomic_fetch_sub(&loop->posting, 1, __ATOMIC_RELEASE);
}

void hr_loop_wake(hr_loop *loop)
{
    loop->ops->wake(loop);
}

int hr_loop_fd(hr_loop *loop)
{
    return loop->ops->fd(loop);
}

const hr_env *hr_loop_env(const hr_loop *loop)
{
    return loop->env;
}

uint64_t hr_loop_now_ns(const hr_loop *loop)
{
    return hr_now_ns(loop->env);
}

const char *hr_loop_name(const hr_loop *loop)
{
    return loop->ops->name;
}

void hr_loop_destroy(hr_loop *loop)
{
    if (loop == NULL)
        return;
    while (__atomic_load_n(&loop->posting, __ATOMIC_ACQUIRE) != 0)
        sched_yield();
    loop->ops->destroy(loop);
}

hr_loop_counters hr_loop_count(const hr_loop *loop)
{
    /* From any thread: a reading may be some calls older in one than in another. */
    return (hr_loop_counters){
        .syscalls = __atomic_load_n(&loop->counters.syscalls, __ATOMIC_RELAXED),
        .operations = __atomic_load_n(&loop->counters.operations, __ATOMIC_RELAXED),
        .waits = __atomic_load_n(&loop->counters.waits, __ATOMIC_RELAXED),
    };
}

/* ---- what only some loops can ---- */

hr_loop_caps hr_loop_query(const hr_loop *loop)
{
    return loop->ops->query(loop);
}

hr_status hr_loop_register_buffers(hr_loop *loop, const struct iovec *iov, unsigned count)
{
    return loop->ops->register_buffers(loop, iov, count);
}

hr_status hr_loop_register_file(hr_loop *loop, int fd, int *index_out)
{
    return loop->ops->register_file(loop, fd, index_out);
}

void hr_loop_unregister_file(hr_loop *loop, int index)
{
    loop->ops->unregister_file(loop, index);
}
