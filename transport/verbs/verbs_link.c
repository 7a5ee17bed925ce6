/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a link, on its worker: what waits for events and completions, and the end. The end
 * that dials reads, the one that adopts writes.
 *
 * The fence: down is said only after a helper has destroyed the queue pair. From then on the device
 * writes nothing for this link, and reads nothing either. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "tcp.h"
#include "verbs.h"

#define CONNECT_NS (5 * HR_NS_PER_S)

enum {
    COMPLETIONS_MAX = 16, /* taken at once */
    RECEIPTS_MAX = 1,     /* each of them is a chunk to digest: others of the worker come between */
};

static void watch_events(hr_verbs_link *link);

static const hr_verbs_calls *calls_of(const hr_verbs_link *link)
{
    return link->connection.verbs->calls;
}

static hr_loop *loop_of(const hr_verbs_link *link)
{
    return link->transport->base.loop;
}

/* ---- work for the helpers ---- */

static void work(hr_verbs_link *link, void (*run)(hr_job *job), void (*done)(hr_job *job))
{
    assert(!link->is_working);
    link->is_working = true;
    link->job = (hr_job){.run = run, .done = done, .loop = loop_of(link)};
    hr_helpers_submit(link->connection.verbs->helpers, &link->job);
}

static void run_dial(hr_job *job)
{
    hr_verbs_dial(&HR_CONTAINER(job, hr_verbs_link, job)->connection);
}

static void run_accept(hr_job *job)
{
    hr_verbs_accept(&HR_CONTAINER(job, hr_verbs_link, job)->connection);
}

static void run_attend(hr_job *job)
{
    hr_verbs_attend(&HR_CONTAINER(job, hr_verbs_link, job)->connection);
}

static void run_hang_up(hr_job *job)
{
    hr_verbs_hang_up(&HR_CONTAINER(job, hr_verbs_link, job)->connection);
}

static void hung_up(hr_job *job)
{
    hr_verbs_link *link = HR_CONTAINER(job, hr_verbs_link, job);
    link->is_working = false;
    link->has_hung_up = true;
    hr_loop_defer(loop_of(link), &link->settle);
}

/* ---- the end ---- */

void hr_verbs_link_end(hr_verbs_link *link, hr_status status)
{
    hr_loop *loop = loop_of(link);
    if (link->ending)
        return;
    link->ending = true;
    link->status = link->closed ? HR_OK : status;
    hr_loop_timer_clear(loop, &link->timer);
    hr_loop_poller_remove(loop, &link->poller);
    if (link->is_watching_events)
        hr_loop_cancel(loop, &link->event_watch);
    if (link->is_watching_completions)
        hr_loop_cancel(loop, &link->completion_watch);
    hr_loop_defer(loop, &link->settle);
}

static void settle(hr_task *task)
{
    hr_verbs_link *link = HR_CONTAINER(task, hr_verbs_link, settle);
    if (!link->ending || link->is_down || link->is_working || link->is_watching_events ||
        link->is_watching_completions)
        return;
    if (!link->has_hung_up) {
        work(link, run_hang_up, hung_up);
        return;
    }
    hr_verbs_give_back(link);
    if (link->settle.queued)
        return; /* one of them wrote again: the end is the next run's */
    hr_places_clear(&link->places);
    link->is_down = true;
    link->base.events->down(link->base.context, link->status);
}

/* A peer that leaves is nothing to tell: its session knows why. */
static void log_failure(const hr_verbs_link *link)
{
    const hr_verbs_connection *connection = &link->connection;
    if (connection->is_event)
        hr_log(connection->verbs->env, link->is_up ? HR_LOG_DEBUG : HR_LOG_INFO,
               "link over verbs with %s: %s (%d): %s", link->base.peer, connection->what,
               connection->code, hr_status_text(connection->status));
    else
        hr_log(connection->verbs->env, HR_LOG_WARN, "link over verbs with %s: %s: %s",
               link->base.peer, connection->what, strerror(connection->code));
}

/* ---- completions ---- */

static hr_status status_of_completion(enum ibv_wc_status status)
{
    switch ((int)status) {
    case IBV_WC_RETRY_EXC_ERR:
    case IBV_WC_WR_FLUSH_ERR:
    case IBV_WC_REM_ABORT_ERR:
        return HR_PEER_LOST;
    case IBV_WC_RNR_RETRY_EXC_ERR: /* no receive for a receipt */
    case IBV_WC_REM_ACCESS_ERR:    /* a place that is not there */
    case IBV_WC_REM_INV_REQ_ERR:
    case IBV_WC_REM_OP_ERR:
        return HR_PROTOCOL;
    default:
        return HR_IO;
    }
}

static void take_completion(hr_verbs_link *link, const struct ibv_wc *wc)
{
    if (wc->status == IBV_WC_SUCCESS && link->connection.is_reader) {
        hr_verbs_take_receipt(link, wc);
    } else if (wc->status == IBV_WC_SUCCESS) {
        hr_verbs_take_sent(link, wc);
    } else {
        hr_log(link->connection.verbs->env, HR_LOG_INFO,
               "link over verbs with %s: %s (work completion %d, vendor's code 0x%x)",
               link->base.peer, ibv_wc_status_str(wc->status), (int)wc->status, wc->vendor_err);
        hr_verbs_link_end(link, status_of_completion(wc->status));
    }
}

static unsigned poll_completions(hr_verbs_link *link)
{
    struct ibv_wc wcs[COMPLETIONS_MAX];
    int max = link->connection.is_reader ? RECEIPTS_MAX : COMPLETIONS_MAX;
    int count = calls_of(link)->poll_cq(link->connection.cq, max, wcs);
    if (count < 0)
        hr_verbs_link_end(link, HR_IO);
    for (int i = 0; i < count && !link->ending; i++)
        take_completion(link, &wcs[i]);
    return count > 0 ? (unsigned)count : 0;
}

static unsigned look(hr_poller *poller)
{
    return poll_completions(HR_CONTAINER(poller, hr_verbs_link, poller));
}

/* From here on the descriptor tells. What came just before it does not show there. */
static unsigned rest(hr_poller *poller)
{
    hr_verbs_link *link = HR_CONTAINER(poller, hr_verbs_link, poller);
    if (calls_of(link)->req_notify_cq(link->connection.cq, 0) != 0) {
        hr_verbs_link_end(link, HR_IO);
        return 1;
    }
    unsigned did = poll_completions(link);
    if (did > 0 && !link->ending)
        hr_loop_poller_add(loop_of(link), poller);
    return did;
}

static void watch_completions(hr_verbs_link *link);

static void completion_told(hr_op *op)
{
    hr_verbs_link *link = HR_CONTAINER(op, hr_verbs_link, completion_watch);
    struct ibv_cq *cq;
    void *context;
    link->is_watching_completions = false;
    if (calls_of(link)->get_cq_event(link->connection.completions, &cq, &context) == 0)
        calls_of(link)->ack_cq_events(cq, 1);
    else if (op->result >= 0 && errno != EAGAIN)
        hr_verbs_link_end(link, HR_IO);
    if (link->ending) {
        hr_loop_defer(loop_of(link), &link->settle);
        return;
    }
    hr_loop_poller_add(loop_of(link), &link->poller);
    watch_completions(link);
}

static void watch_completions(hr_verbs_link *link)
{
    link->completion_watch = (hr_op){
        .kind = HR_OP_POLL_IN,
        .fd = link->connection.completions->fd,
        .done = completion_told,
    };
    link->is_watching_completions = true;
    hr_loop_submit(loop_of(link), &link->completion_watch);
}

/* ---- events of the connection ---- */

static void go_up(hr_verbs_link *link)
{
    hr_verbs_connection *connection = &link->connection;
    link->is_up = true;
    link->base.inline_len =
        (uint32_t)hr_min_u64(connection->verbs->inline_len, connection->inline_len);
    hr_loop_timer_clear(loop_of(link), &link->timer);
    hr_loop_poller_add(loop_of(link), &link->poller);
    watch_completions(link);
    if (connection->is_reader) {
        link->base.rail = (unsigned)(connection->device - connection->verbs->devices);
        link->base.ring = (hr_link_ring){
            .address = (uint64_t)(uintptr_t)connection->receipts,
            .key = connection->receipts_mr->rkey,
        };
        hr_tcp_address_print(&connection->id->route.addr.dst_addr, link->base.peer);
        link->base.events->up(link->base.context);
    } else {
        hr_verbs_post_waiting(link);
    }
}

static void worked(hr_job *job)
{
    hr_verbs_link *link = HR_CONTAINER(job, hr_verbs_link, job);
    link->is_working = false;
    if (link->ending) {
        hr_loop_defer(loop_of(link), &link->settle);
        return;
    }
    if (link->connection.is_established && !link->is_up)
        go_up(link);
    if (link->connection.status != HR_OK) {
        log_failure(link);
        /* What arrived before the peer left has arrived. */
        while (link->is_up && !link->ending && poll_completions(link) > 0) {
        }
        hr_verbs_link_end(link, link->connection.status);
    }
    if (!link->ending)
        watch_events(link);
}

static void event_told(hr_op *op)
{
    hr_verbs_link *link = HR_CONTAINER(op, hr_verbs_link, event_watch);
    link->is_watching_events = false;
    if (link->ending)
        hr_loop_defer(loop_of(link), &link->settle);
    else
        work(link, run_attend, worked);
}

static void watch_events(hr_verbs_link *link)
{
    link->event_watch = (hr_op){
        .kind = HR_OP_POLL_IN,
        .fd = link->connection.events->fd,
        .done = event_told,
    };
    link->is_watching_events = true;
    hr_loop_submit(loop_of(link), &link->event_watch);
}

static void too_late(hr_timer *timer)
{
    hr_verbs_link *link = HR_CONTAINER(timer, hr_verbs_link, timer);
    hr_verbs_link_end(link, link->connection.is_reader ? HR_UNREACHABLE : HR_PEER_LOST);
}

/* ---- making and ending ---- */

static void link_free(hr_verbs_link *link)
{
    const hr_env *env = link->connection.verbs->env;
    hr_verbs_writer_fini(link);
    hr_release(env, link->connection.receipts);
    hr_release(env, link);
}

/* The timer is set. */
static hr_status link_create(hr_transport *transport, bool is_reader, const hr_link_events *events,
                             void *context, hr_verbs_link **link_out)
{
    hr_verbs *verbs = ((hr_verbs_transport *)transport)->verbs;
    hr_verbs_link *link = hr_alloc(verbs->env, sizeof *link);
    if (link == NULL)
        return HR_NO_MEMORY;
    link->base = (hr_link){.transport = transport, .events = events, .context = context};
    link->transport = (hr_verbs_transport *)transport;
    link->connection = (hr_verbs_connection){.verbs = verbs, .is_reader = is_reader};
    link->poller = (hr_poller){.look = look, .rest = rest};
    hr_list_init(&link->poller.node);
    link->timer.fire = too_late;
    link->settle.run = settle;
    hr_list_init(&link->waiting);
    hr_list_init(&link->posted);
    hr_places_init(&link->places);
    link->places.gpu = true; /* nothing here touches a place */
    link->connection.receipts = hr_alloc(verbs->env, (size_t)HR_VERBS_RING_LEN * HR_RECEIPT_LEN);
    hr_status status = link->connection.receipts == NULL ? HR_NO_MEMORY : HR_OK;
    if (status == HR_OK)
        status = hr_loop_timer_set(transport->loop, &link->timer,
                                   hr_loop_now_ns(transport->loop) + CONNECT_NS);
    if (status != HR_OK) {
        link_free(link);
        return status;
    }
    *link_out = link;
    return HR_OK;
}

hr_status hr_verbs_link_connect(hr_transport *transport, const char *address, unsigned rail,
                                const hr_greeting *greeting, const hr_link_events *events,
                                void *context, hr_link **link_out)
{
    hr_verbs_link *link;
    hr_tcp_address parsed;
    uint8_t bytes[HR_GREETING_LEN];
    hr_status status = hr_tcp_address_parse(address, &parsed);
    if (status != HR_OK)
        return status;
    if (parsed.host[0] == '\0' || strlen(address) >= sizeof link->connection.address)
        return HR_INVALID;
    status = link_create(transport, true, events, context, &link);
    if (status != HR_OK)
        return status;
    hr_greeting_pack(greeting, bytes);
    memcpy(link->connection.greeting, bytes, HR_VERBS_GREETING_LEN);
    link->connection.rail = rail;
    memcpy(link->connection.address, address, strlen(address) + 1);
    memcpy(link->base.peer, address, strlen(address) + 1);
    work(link, run_dial, worked);
    *link_out = &link->base;
    return HR_OK;
}

hr_status hr_verbs_link_adopt(hr_transport *transport, hr_incoming *incoming,
                              const hr_link_events *events, void *context, hr_link **link_out)
{
    hr_verbs_link *link;
    hr_status status = link_create(transport, false, events, context, &link);
    if (status == HR_OK) {
        status = hr_verbs_writer_init(link);
        if (status != HR_OK) {
            hr_loop_timer_clear(transport->loop, &link->timer);
            link_free(link);
        }
    }
    if (status != HR_OK) {
        hr_verbs_refuse(transport, incoming);
        return status;
    }
    hr_verbs_connection *connection = &link->connection;
    memcpy(link->base.peer, incoming->peer, sizeof link->base.peer);
    hr_verbs_take_incoming(transport, incoming, connection);
    link->free = connection->device->send_queue;
    link->base.rail = (unsigned)(connection->device - connection->verbs->devices);
    work(link, run_accept, worked);
    *link_out = &link->base;
    return HR_OK;
}

void hr_verbs_link_close(hr_link *base)
{
    hr_verbs_link *link = (hr_verbs_link *)base;
    if (link->is_down || link->closed)
        return;
    link->closed = true;
    if (link->ending)
        link->status = HR_OK;
    hr_verbs_link_end(link, HR_OK);
}

void hr_verbs_link_destroy(hr_link *base)
{
    hr_verbs_link *link = (hr_verbs_link *)base;
    assert(link->is_down);
    link_free(link);
}
