/* SPDX-License-Identifier: Apache-2.0 */
/* Takes connect requests. Their private data is the greeting, so a stranger holds nothing but an
 * entry of the kernel's queue, which has 64. Each connection gets an event channel of its own, so
 * that any worker may adopt it. */
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "tcp.h"
#include "verbs.h"

enum {
    BACKLOG = 64,
    EVENTS_PER_STEP = 16,
};
#define RETRY_NS (100 * HR_NS_PER_MS)

/* It may outlive its transport: unlisten lets go of it, and the loop frees it. */
struct hr_listener {
    hr_loop *loop;
    hr_verbs *verbs;
    const hr_listener_events *events;
    void *context;
    struct rdma_event_channel *channel;
    struct rdma_cm_id *id;
    hr_op watch;
    bool is_watching;
    bool closed;
    hr_timer retry;
    hr_task end;
};

/* hr_incoming.connection */
typedef struct request {
    struct rdma_event_channel *channel;
    struct rdma_cm_id *id;
    hr_verbs_device *device;
} request;

static void end(hr_task *task)
{
    hr_listener *listener = HR_CONTAINER(task, hr_listener, end);
    const hr_verbs_calls *calls = listener->verbs->calls;
    (void)calls->cm_destroy_id(listener->id);
    calls->cm_destroy_event_channel(listener->channel);
    hr_release(listener->verbs->env, listener);
}

/* ---- requests ---- */

static void turn_away(const hr_verbs_calls *calls, struct rdma_cm_id *id)
{
    (void)calls->cm_reject(id, NULL, 0);
    (void)calls->cm_destroy_id(id);
}

/* HR_PROTOCOL: no greeting. */
static hr_status read_greeting(const struct rdma_cm_event *event, hr_greeting *greeting_out)
{
    uint8_t bytes[HR_GREETING_LEN] = {0};
    if (event->param.conn.private_data_len < HR_VERBS_GREETING_LEN)
        return HR_PROTOCOL;
    memcpy(bytes, event->param.conn.private_data, HR_VERBS_GREETING_LEN);
    hr_status status = hr_greeting_unpack(bytes, greeting_out);
    return status == HR_OK && greeting_out->kind != HR_GREETING_LINK ? HR_PROTOCOL : status;
}

/* Its events come to a descriptor of its own from now on. */
static hr_status separate(hr_listener *listener, request *from)
{
    const hr_verbs_calls *calls = listener->verbs->calls;
    from->device = hr_verbs_device_of(listener->verbs, from->id);
    if (from->device == NULL)
        return HR_UNREACHABLE;
    from->channel = calls->cm_create_event_channel();
    if (from->channel == NULL)
        return hr_verbs_status(errno);
    hr_verbs_unblock(from->channel->fd);
    if (calls->cm_migrate_id(from->id, from->channel) == 0)
        return HR_OK;
    hr_status status = hr_verbs_status(errno);
    calls->cm_destroy_event_channel(from->channel);
    return status;
}

/* Owns id. */
static void announce(hr_listener *listener, struct rdma_cm_id *id, const hr_greeting *greeting)
{
    const hr_env *env = listener->verbs->env;
    hr_incoming *incoming = hr_alloc(env, sizeof *incoming);
    request *from = hr_alloc(env, sizeof *from);
    hr_status status = incoming == NULL || from == NULL ? HR_NO_MEMORY : HR_OK;
    if (status == HR_OK) {
        from->id = id;
        status = separate(listener, from);
    }
    if (status != HR_OK) {
        hr_release(env, incoming);
        hr_release(env, from);
        turn_away(listener->verbs->calls, id);
        listener->events->trouble(listener->context, status);
        return;
    }
    incoming->greeting = *greeting;
    incoming->connection = from;
    incoming->rail = (unsigned)(from->device - listener->verbs->devices);
    hr_tcp_address_print(&id->route.addr.dst_addr, incoming->peer);
    listener->events->incoming(listener->context, incoming);
}

/* HR_AGAIN: there is none. */
static hr_status take_event(hr_listener *listener)
{
    const hr_verbs_calls *calls = listener->verbs->calls;
    struct rdma_cm_event *event;
    if (calls->cm_get_event(listener->channel, &event) != 0)
        return errno == EAGAIN ? HR_AGAIN : hr_verbs_status(errno);
    hr_greeting greeting;
    struct rdma_cm_id *id = event->id;
    bool is_request = event->event == RDMA_CM_EVENT_CONNECT_REQUEST;
    bool is_good = is_request && read_greeting(event, &greeting) == HR_OK;
    calls->cm_ack_event(event);
    if (is_good)
        announce(listener, id, &greeting);
    else if (is_request)
        turn_away(calls, id);
    return HR_OK;
}

static void watch(hr_listener *listener);

static void retry(hr_timer *timer)
{
    watch(HR_CONTAINER(timer, hr_listener, retry));
}

static void told(hr_op *op)
{
    hr_listener *listener = HR_CONTAINER(op, hr_listener, watch);
    hr_status status = HR_OK;
    listener->is_watching = false;
    for (int i = 0; i < EVENTS_PER_STEP && status == HR_OK && !listener->closed; i++)
        status = take_event(listener);
    if (status != HR_OK && status != HR_AGAIN && !listener->closed) {
        listener->events->trouble(listener->context, status);
        /* The event is still there: trying again at once would only turn the loop. */
        uint64_t due_ns = hr_loop_now_ns(listener->loop) + RETRY_NS;
        if (!listener->closed &&
            hr_loop_timer_set(listener->loop, &listener->retry, due_ns) == HR_OK)
            return;
    }
    if (listener->closed)
        hr_loop_defer(listener->loop, &listener->end);
    else
        watch(listener);
}

static void watch(hr_listener *listener)
{
    listener->watch = (hr_op){.kind = HR_OP_POLL_IN, .fd = listener->channel->fd, .done = told};
    listener->is_watching = true;
    hr_loop_submit(listener->loop, &listener->watch);
}

void hr_verbs_take_incoming(hr_transport *transport, hr_incoming *incoming,
                            hr_verbs_connection *connection)
{
    const hr_env *env = hr_loop_env(transport->loop);
    request *from = incoming->connection;
    connection->id = from->id;
    connection->events = from->channel;
    connection->device = from->device;
    hr_release(env, from);
    hr_release(env, incoming);
}

void hr_verbs_refuse(hr_transport *transport, hr_incoming *incoming)
{
    const hr_verbs_calls *calls = ((hr_verbs_transport *)transport)->verbs->calls;
    hr_verbs_connection connection = {0};
    hr_verbs_take_incoming(transport, incoming, &connection);
    turn_away(calls, connection.id);
    calls->cm_destroy_event_channel(connection.events);
}

/* ---- where it can be reached ---- */

static uint16_t port_of(const struct sockaddr *address)
{
    struct sockaddr_in in; /* IPv6 has its port in the same place */
    memcpy(&in, address, sizeof in);
    return in.sin_port;
}

/* IPv4 first: the first address of a device is the one that stays. */
static size_t list_addresses(const hr_listener *listener, const struct ifaddrs *all,
                             hr_rail_address *addresses_out, size_t max)
{
    static const sa_family_t families[] = {AF_INET, AF_INET6};
    bool has_one[HR_RAILS_MAX] = {0};
    size_t count = 0;
    for (size_t i = 0; i < 2; i++) {
        for (const struct ifaddrs *at = all; at != NULL && count < max; at = at->ifa_next) {
            if (!hr_verbs_address_is_usable(at, families[i]))
                continue;
            hr_verbs_device *device =
                hr_verbs_address_device(listener->verbs, listener->channel, at->ifa_addr);
            size_t rail = device == NULL ? 0 : (size_t)(device - listener->verbs->devices);
            if (device == NULL || has_one[rail])
                continue;
            has_one[rail] = true;
            hr_verbs_address_set_port(at->ifa_addr, port_of(&listener->id->route.addr.src_addr));
            addresses_out[count].rail = (unsigned)rail;
            hr_tcp_address_print(at->ifa_addr, addresses_out[count++].address);
        }
    }
    return count;
}

static bool is_any(const struct sockaddr *address)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    if (address->sa_family == AF_INET) {
        memcpy(&in, address, sizeof in);
        return in.sin_addr.s_addr == INADDR_ANY;
    }
    memcpy(&in6, address, sizeof in6);
    return IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr);
}

size_t hr_verbs_addresses(const hr_listener *listener, hr_rail_address *addresses_out, size_t max)
{
    const struct sockaddr *bound = &listener->id->route.addr.src_addr;
    struct ifaddrs *all;
    if (max == 0)
        return 0;
    if (!is_any(bound)) {
        const hr_verbs_device *device = hr_verbs_device_of(listener->verbs, listener->id);
        addresses_out[0].rail = device == NULL ? 0 : (unsigned)(device - listener->verbs->devices);
        hr_tcp_address_print(bound, addresses_out[0].address);
        return 1;
    }
    if (listener->verbs->calls->get_addresses(&all) != 0)
        return 0;
    size_t count = list_addresses(listener, all, addresses_out, max);
    listener->verbs->calls->free_addresses(all);
    return count;
}

/* ---- the table ---- */

static hr_status open_listening(hr_listener *listener, struct sockaddr *address)
{
    const hr_verbs_calls *calls = listener->verbs->calls;
    int error = 0;
    listener->channel = calls->cm_create_event_channel();
    if (listener->channel == NULL)
        return hr_verbs_status(errno);
    hr_verbs_unblock(listener->channel->fd);
    if (calls->cm_create_id(listener->channel, &listener->id, NULL, RDMA_PS_TCP) != 0) {
        error = errno;
        calls->cm_destroy_event_channel(listener->channel);
        return hr_verbs_status(error);
    }
    if (calls->cm_bind_addr(listener->id, address) != 0 ||
        calls->cm_listen(listener->id, BACKLOG) != 0) {
        error = errno;
        (void)calls->cm_destroy_id(listener->id);
        calls->cm_destroy_event_channel(listener->channel);
        return hr_verbs_status(error);
    }
    return HR_OK;
}

/* A name is looked up here and now: servers say where they listen before they serve. */
static hr_status open_address(hr_listener *listener, const char *text)
{
    hr_tcp_address address;
    const struct addrinfo hints = {
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *found;
    hr_status status = hr_tcp_address_parse(text, &address);
    if (status != HR_OK)
        return status;
    const char *host = address.host[0] == '\0' ? NULL : address.host;
    if (getaddrinfo(host, address.port, &hints, &found) != 0)
        return HR_UNREACHABLE;
    status = open_listening(listener, found->ai_addr);
    freeaddrinfo(found);
    return status;
}

hr_status hr_verbs_listen(hr_transport *transport, const char *address,
                          const hr_listener_events *events, void *context,
                          hr_listener **listener_out, char bound_out[64])
{
    hr_verbs *verbs = ((hr_verbs_transport *)transport)->verbs;
    hr_listener *listener = hr_alloc(verbs->env, sizeof *listener);
    if (listener == NULL)
        return HR_NO_MEMORY;
    *listener = (hr_listener){
        .loop = transport->loop,
        .verbs = verbs,
        .events = events,
        .context = context,
        .retry = {.fire = retry},
        .end = {.run = end},
    };
    hr_status status = open_address(listener, address);
    if (status != HR_OK) {
        hr_release(verbs->env, listener);
        return status;
    }
    hr_tcp_address_print(&listener->id->route.addr.src_addr, bound_out);
    watch(listener);
    *listener_out = listener;
    return HR_OK;
}

void hr_verbs_unlisten(hr_listener *listener)
{
    if (listener->closed)
        return;
    listener->closed = true;
    hr_loop_timer_clear(listener->loop, &listener->retry);
    if (listener->is_watching)
        hr_loop_cancel(listener->loop, &listener->watch);
    else
        hr_loop_defer(listener->loop, &listener->end);
}
