/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcp.h"

/* For each address, the greeting included. */
#define DIAL_TIMEOUT_NS (5 * HR_NS_PER_S)

static void try_next(hr_dial *dial);

static void finish(hr_dial *dial, hr_status status)
{
    hr_loop_timer_clear(dial->tcp->base.loop, &dial->timer);
    if (dial->found != NULL)
        freeaddrinfo(dial->found);
    dial->found = NULL;
    if (status != HR_OK && dial->fd >= 0) {
        close(dial->fd);
        dial->fd = -1;
    }
    dial->done(dial, status);
}

static void give_up_address(hr_dial *dial, hr_status status)
{
    dial->failure = status;
    if (dial->fd >= 0)
        close(dial->fd);
    dial->fd = -1;
    try_next(dial);
}

static void greeting_sent(hr_op *op)
{
    hr_dial *dial = HR_CONTAINER(op, hr_dial, op);
    dial->is_op_under_way = false;
    if (op->result == HR_GREETING_LEN)
        finish(dial, HR_OK);
    else
        give_up_address(dial, HR_UNREACHABLE);
}

static void connected(hr_op *op)
{
    hr_dial *dial = HR_CONTAINER(op, hr_dial, op);
    dial->is_op_under_way = false;
    if (dial->canceled) {
        finish(dial, HR_CANCELED);
        return;
    }
    if (op->result < 0) {
        hr_status status = hr_status_from_errno(-op->result);
        /* Canceled is the timer, lost is a peer that does not answer: both mean the same here. */
        bool silent = status == HR_CANCELED || status == HR_PEER_LOST;
        give_up_address(dial, silent ? HR_UNREACHABLE : status);
        return;
    }
    hr_tcp_tune(dial->tcp, dial->fd);
    if (dial->is_silent) {
        finish(dial, HR_OK);
        return;
    }
    dial->iov = (struct iovec){.iov_base = dial->greeting, .iov_len = HR_GREETING_LEN};
    *op = (hr_op){
        .kind = HR_OP_SEND,
        .fd = dial->fd,
        .iov = &dial->iov,
        .iov_count = 1,
        .done = greeting_sent,
    };
    dial->is_op_under_way = true;
    hr_loop_submit(dial->tcp->base.loop, op);
}

static void too_late(hr_timer *timer)
{
    hr_dial *dial = HR_CONTAINER(timer, hr_dial, timer);
    if (dial->is_op_under_way)
        hr_loop_cancel(dial->tcp->base.loop, &dial->op);
}

static void try_next(hr_dial *dial)
{
    hr_loop *loop = dial->tcp->base.loop;
    const struct addrinfo *at = dial->next;
    if (dial->canceled || at == NULL) {
        finish(dial, dial->canceled ? HR_CANCELED : dial->failure);
        return;
    }
    dial->next = at->ai_next;
    int protocol = at->ai_family == AF_UNIX ? 0 : IPPROTO_TCP;
    dial->fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
    hr_status status = dial->fd < 0 ? hr_status_from_errno(errno) : HR_OK;
    if (status == HR_OK)
        status = hr_loop_timer_set(loop, &dial->timer, hr_loop_now_ns(loop) + DIAL_TIMEOUT_NS);
    if (status != HR_OK) {
        give_up_address(dial, status);
        return;
    }
    dial->op = (hr_op){
        .kind = HR_OP_CONNECT,
        .fd = dial->fd,
        .data = at->ai_addr,
        .len = at->ai_addrlen,
        .done = connected,
    };
    dial->is_op_under_way = true;
    hr_loop_submit(loop, &dial->op);
}

static int look_up(hr_dial *dial, int flags)
{
    const struct addrinfo hints = {
        .ai_flags = flags | AI_NUMERICSERV,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    return getaddrinfo(dial->address.host, dial->address.port, &hints, &dial->found);
}

static void resolve(hr_job *job)
{
    hr_dial *dial = HR_CONTAINER(job, hr_dial, job);
    dial->resolve_result = look_up(dial, 0);
}

static void resolved(hr_job *job)
{
    hr_dial *dial = HR_CONTAINER(job, hr_dial, job);
    if (dial->resolve_result != 0)
        dial->found = NULL;
    dial->failure = dial->resolve_result == EAI_NONAME ? HR_NOT_FOUND : HR_UNREACHABLE;
    dial->next = dial->found;
    try_next(dial);
}

static void dial_file(hr_task *task)
{
    hr_dial *dial = HR_CONTAINER(task, hr_dial, task);
    dial->failure = HR_UNREACHABLE;
    dial->file_info = (struct addrinfo){
        .ai_family = AF_UNIX,
        .ai_addr = (struct sockaddr *)&dial->file_address,
        .ai_addrlen = sizeof dial->file_address,
    };
    dial->next = &dial->file_info;
    try_next(dial);
}

static void start_task(hr_task *task)
{
    resolved(&HR_CONTAINER(task, hr_dial, task)->job);
}

hr_status hr_dial_start(hr_dial *dial, hr_tcp *tcp, const char *address,
                        const hr_greeting *greeting)
{
    bool is_file = hr_unix_is(address);
    hr_status status = is_file ? hr_unix_parse(address, &dial->file_address)
                               : hr_tcp_address_parse(address, &dial->address);
    if (status != HR_OK)
        return status;
    if (!is_file && dial->address.host[0] == '\0')
        return HR_INVALID;
    dial->tcp = tcp;
    dial->fd = -1;
    dial->timer.fire = too_late;
    dial->task.run = start_task;
    dial->is_silent = greeting->kind == HR_GREETING_TLS;
    hr_greeting_pack(greeting, dial->greeting);
    if (is_file) {
        dial->task.run = dial_file;
        hr_loop_defer(tcp->base.loop, &dial->task);
        return HR_OK;
    }
    dial->resolve_result = look_up(dial, AI_NUMERICHOST);
    if (dial->resolve_result == 0) {
        hr_loop_defer(tcp->base.loop, &dial->task);
        return HR_OK;
    }
    /* A name: asking for it may take seconds, so a thread of its own does. */
    if (tcp->resolver == NULL) {
        status = hr_helpers_create(hr_loop_env(tcp->base.loop), 1, &tcp->resolver);
        if (status != HR_OK)
            return status;
    }
    dial->job = (hr_job){.run = resolve, .done = resolved, .loop = tcp->base.loop};
    hr_helpers_submit(tcp->resolver, &dial->job);
    return HR_OK;
}

void hr_dial_cancel(hr_dial *dial)
{
    dial->canceled = true;
    if (dial->is_op_under_way)
        hr_loop_cancel(dial->tcp->base.loop, &dial->op);
}
