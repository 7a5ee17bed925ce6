/* SPDX-License-Identifier: Apache-2.0 */
/* A connection in the two libraries: rdma_cm's steps from an address to a queue pair that is ready,
 * and the way back. librdmacm changes the queue pair while it hands out events, and firmware may
 * take its time for that, so even taking an event is a helper's work. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <string.h>

#include "tcp.h"
#include "verbs.h"

enum {
    RESOLVE_MS = 3000,
    REFUSED = 28, /* a rejection by the other program, and not for want of a listener */
};

static void fail_with(hr_verbs_connection *connection, hr_status status, const char *what, int code)
{
    if (connection->status != HR_OK)
        return;
    connection->status = status;
    connection->what = what;
    connection->code = code;
}

static void fail_by_event(hr_verbs_connection *connection, hr_status status, const char *name,
                          int code)
{
    connection->is_event = connection->is_event || connection->status == HR_OK;
    fail_with(connection, status, name, code);
}

/* A call of the libraries: true if it went well. */
static bool check(hr_verbs_connection *connection, bool went_well, const char *what)
{
    if (!went_well)
        fail_with(connection, hr_verbs_status(errno), what, errno);
    return went_well;
}

void hr_verbs_unblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0)
        (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int hr_verbs_post_receive(hr_verbs_connection *connection)
{
    struct ibv_recv_wr wr = {0}, *bad; /* a receipt is written; the receive is only counted */
    return connection->verbs->calls->post_recv(connection->id->qp, &wr, &bad);
}

/* ---- the queue pair and what belongs to it ---- */

static bool make_completions(hr_verbs_connection *connection)
{
    const hr_verbs_calls *calls = connection->verbs->calls;
    hr_verbs_device *device = connection->device;
    /* The sum of the queues: a flush completes what was not signalled too. */
    int entries = connection->is_reader ? HR_VERBS_RING_LEN + 1 : (int)device->send_queue + 1;
    connection->completions = calls->create_comp_channel(device->context);
    if (!check(connection, connection->completions != NULL, "ibv_create_comp_channel"))
        return false;
    hr_verbs_unblock(connection->completions->fd);
    connection->cq = calls->create_cq(device->context, entries, NULL, connection->completions, 0);
    return check(connection, connection->cq != NULL, "ibv_create_cq");
}

static bool register_receipts(hr_verbs_connection *connection)
{
    int access = IBV_ACCESS_LOCAL_WRITE | (connection->is_reader ? IBV_ACCESS_REMOTE_WRITE : 0);
    connection->receipts_mr =
        connection->verbs->calls->reg_mr(connection->device->pd, connection->receipts,
                                         (size_t)HR_VERBS_RING_LEN * HR_RECEIPT_LEN, access);
    return check(connection, connection->receipts_mr != NULL, "ibv_reg_mr of the receipts");
}

static bool make_qp(hr_verbs_connection *connection, uint32_t inline_len)
{
    struct ibv_qp_init_attr attr = {
        .send_cq = connection->cq,
        .recv_cq = connection->cq,
        .cap =
            {
                .max_send_wr = connection->is_reader ? 1 : connection->device->send_queue,
                .max_recv_wr = connection->is_reader ? HR_VERBS_RING_LEN : 1,
                .max_send_sge = 1,
                .max_recv_sge = 1,
                .max_inline_data = inline_len,
            },
        .qp_type = IBV_QPT_RC,
    };
    connection->has_qp =
        connection->verbs->calls->cm_create_qp(connection->id, connection->device->pd, &attr) == 0;
    connection->inline_len = connection->has_qp ? inline_len : 0;
    return connection->has_qp;
}

/* With room for what is to go inline, or for a receipt; where the device has none, without. */
static bool make_writer_qp(hr_verbs_connection *connection)
{
    uint32_t wanted = connection->verbs->inline_len;
    return (wanted > HR_RECEIPT_LEN && make_qp(connection, wanted)) ||
           make_qp(connection, HR_RECEIPT_LEN) ||
           (register_receipts(connection) &&
            check(connection, make_qp(connection, 0), "rdma_create_qp"));
}

static bool make_reader_qp(hr_verbs_connection *connection)
{
    return register_receipts(connection) &&
           check(connection, make_qp(connection, 0), "rdma_create_qp");
}

static bool make_ends(hr_verbs_connection *connection)
{
    if (!make_completions(connection))
        return false;
    if (!(connection->is_reader ? make_reader_qp(connection) : make_writer_qp(connection)))
        return false;
    for (unsigned i = 0; connection->is_reader && i < HR_VERBS_RING_LEN; i++) {
        errno = hr_verbs_post_receive(connection);
        if (!check(connection, errno == 0, "ibv_post_recv"))
            return false;
    }
    /* Kernels that do not know the option keep their own value. */
    uint8_t timeout = connection->device->ack_timeout;
    (void)connection->verbs->calls->cm_set_option(
        connection->id, RDMA_OPTION_ID, RDMA_OPTION_ID_ACK_TIMEOUT, &timeout, sizeof timeout);
    return true;
}

/* Nothing is ever read or added remotely. A receipt without a receive is a broken promise, so it is
 * not tried again. */
static struct rdma_conn_param parameters(const hr_verbs_connection *connection)
{
    return (struct rdma_conn_param){.retry_count = connection->verbs->retry, .rnr_retry_count = 0};
}

/* ---- the steps ---- */

static void resolve_address(hr_verbs_connection *connection, struct sockaddr *target)
{
    const hr_verbs_calls *calls = connection->verbs->calls;
    connection->events = calls->cm_create_event_channel();
    if (!check(connection, connection->events != NULL, "rdma_create_event_channel"))
        return;
    hr_verbs_unblock(connection->events->fd);
    struct sockaddr_storage source;
    bool is_bound =
        connection->rail != HR_RAIL_ANY &&
        hr_verbs_source(connection->verbs, connection->events, connection->rail, target, &source);
    if (check(connection,
              calls->cm_create_id(connection->events, &connection->id, NULL, RDMA_PS_TCP) == 0,
              "rdma_create_id"))
        (void)check(connection,
                    calls->cm_resolve_addr(connection->id,
                                           is_bound ? (struct sockaddr *)&source : NULL, target,
                                           RESOLVE_MS) == 0,
                    "rdma_resolve_addr");
}

void hr_verbs_dial(hr_verbs_connection *connection)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    hr_tcp_address address;
    hr_status status = hr_tcp_address_parse(connection->address, &address);
    assert(status == HR_OK); /* it was checked before */
    (void)status;
    if (getaddrinfo(address.host, address.port, &hints, &found) != 0) {
        fail_with(connection, HR_UNREACHABLE, "looking up the address", EHOSTUNREACH);
        return;
    }
    resolve_address(connection, found->ai_addr);
    freeaddrinfo(found);
}

static void resolve_route(hr_verbs_connection *connection)
{
    connection->device = hr_verbs_device_of(connection->verbs, connection->id);
    if (connection->device == NULL)
        fail_with(connection, HR_UNREACHABLE, "a device that is not used here", ENODEV);
    else
        (void)check(connection,
                    connection->verbs->calls->cm_resolve_route(connection->id, RESOLVE_MS) == 0,
                    "rdma_resolve_route");
}

static void request(hr_verbs_connection *connection)
{
    if (!make_ends(connection))
        return;
    struct rdma_conn_param param = parameters(connection);
    param.private_data = connection->greeting;
    param.private_data_len = HR_VERBS_GREETING_LEN;
    (void)check(connection, connection->verbs->calls->cm_connect(connection->id, &param) == 0,
                "rdma_connect");
}

void hr_verbs_accept(hr_verbs_connection *connection)
{
    if (!make_ends(connection))
        return;
    struct rdma_conn_param param = parameters(connection);
    (void)check(connection, connection->verbs->calls->cm_accept(connection->id, &param) == 0,
                "rdma_accept");
}

static void act_on(hr_verbs_connection *connection, enum rdma_cm_event_type event, int code)
{
    const char *name = rdma_event_str(event);
    switch ((int)event) {
    case RDMA_CM_EVENT_ADDR_RESOLVED:
        resolve_route(connection);
        break;
    case RDMA_CM_EVENT_ROUTE_RESOLVED:
        request(connection);
        break;
    case RDMA_CM_EVENT_ESTABLISHED:
        connection->is_established = true;
        break;
    case RDMA_CM_EVENT_ADDR_ERROR:
    case RDMA_CM_EVENT_ROUTE_ERROR:
    case RDMA_CM_EVENT_CONNECT_ERROR:
    case RDMA_CM_EVENT_UNREACHABLE:
        fail_by_event(connection, HR_UNREACHABLE, name, code);
        break;
    case RDMA_CM_EVENT_REJECTED:
        fail_by_event(connection, code == REFUSED ? HR_PEER_LOST : HR_UNREACHABLE, name, code);
        break;
    case RDMA_CM_EVENT_DISCONNECTED:
    case RDMA_CM_EVENT_DEVICE_REMOVAL:
        fail_by_event(connection, HR_PEER_LOST, name, code);
        break;
    default: /* TIMEWAIT_EXIT and the like: nothing follows from them */
        break;
    }
}

void hr_verbs_attend(hr_verbs_connection *connection)
{
    const hr_verbs_calls *calls = connection->verbs->calls;
    struct rdma_cm_event *event;
    if (calls->cm_get_event(connection->events, &event) != 0) {
        (void)check(connection, errno == EAGAIN, "rdma_get_cm_event");
        return;
    }
    enum rdma_cm_event_type type = event->event;
    int code = event->status;
    calls->cm_ack_event(event);
    act_on(connection, type, code);
}

/* In this order: the queue pair first, because the rest is what it uses. Once it is destroyed the
 * device has let go of every request, completed or not, and nobody writes through it. */
void hr_verbs_hang_up(hr_verbs_connection *connection)
{
    const hr_verbs_calls *calls = connection->verbs->calls;
    if (connection->has_qp) {
        (void)calls->cm_disconnect(connection->id); /* tells the peer; it may know already */
        calls->cm_destroy_qp(connection->id);
    }
    if (connection->receipts_mr != NULL)
        (void)calls->dereg_mr(connection->receipts_mr);
    if (connection->cq != NULL)
        (void)calls->destroy_cq(connection->cq);
    if (connection->completions != NULL)
        (void)calls->destroy_comp_channel(connection->completions);
    if (connection->id != NULL)
        (void)calls->cm_destroy_id(connection->id);
    if (connection->events != NULL)
        calls->cm_destroy_event_channel(connection->events);
}
