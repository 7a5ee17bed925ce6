/* SPDX-License-Identifier: Apache-2.0 */
/* The fake's connection manager. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "verbs_fake_parts.h"

enum {
    REJECTED_NOBODY = 8,
    REJECTED_BY_CONSUMER = 28,
};

typedef struct fake_event {
    struct rdma_cm_event event;
    hr_list node;
} fake_event;

static fake_id *id_of(struct rdma_cm_id *id)
{
    return HR_CONTAINER(id, fake_id, id);
}

static fake_channel *channel_of(struct rdma_event_channel *channel)
{
    return HR_CONTAINER(channel, fake_channel, channel);
}

static fake_qp *qp_of(const fake_id *id)
{
    return id->id.qp == NULL ? NULL : HR_CONTAINER(id->id.qp, fake_qp, qp);
}

/* ---- events ---- */

static fake_event *tell(fake_id *id, enum rdma_cm_event_type type, int status)
{
    fake_channel *channel = channel_of(id->id.channel);
    fake_event *event = fake_alloc(sizeof *event);
    event->event = (struct rdma_cm_event){.id = &id->id, .event = type, .status = status};
    hr_list_append(&channel->events, &event->node);
    eventfd_write(channel->channel.fd, 1);
    return event;
}

struct rdma_event_channel *fake_cm_create_event_channel(void)
{
    if (fake_fails("cm_create_event_channel"))
        return NULL;
    fake_channel *channel = fake_alloc(sizeof *channel);
    channel->channel.fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    hr_list_init(&channel->events);
    fake_lock();
    hr_fake.channels++;
    fake_unlock();
    return &channel->channel;
}

void fake_cm_destroy_event_channel(struct rdma_event_channel *base)
{
    fake_channel *channel = channel_of(base);
    fake_lock();
    if (channel->ids > 0)
        fake_complain("an event channel was destroyed before its identifiers");
    hr_fake.channels--;
    fake_unlock();
    close(base->fd);
    free(channel);
}

int fake_cm_get_event(struct rdma_event_channel *base, struct rdma_cm_event **event_out)
{
    fake_channel *channel = channel_of(base);
    eventfd_t count;
    if (fake_fails("cm_get_event"))
        return -1;
    fake_lock();
    if ((fcntl(base->fd, F_GETFL) & O_NONBLOCK) == 0)
        fake_complain("an event channel is read that could block its reader");
    if (eventfd_read(base->fd, &count) != 0) {
        fake_unlock();
        return -1;
    }
    fake_event *event = HR_CONTAINER(hr_list_take_first(&channel->events), fake_event, node);
    fake_id *id = id_of(event->event.id);
    id->unacked++;
    if (event->event.event == RDMA_CM_EVENT_CONNECT_REQUEST)
        id_of(event->event.listen_id)->pending--;
    *event_out = &event->event;
    fake_unlock();
    return 0;
}

int fake_cm_ack_event(struct rdma_cm_event *base)
{
    fake_event *event = HR_CONTAINER(base, fake_event, event);
    fake_lock();
    id_of(base->id)->unacked--;
    fake_unlock();
    free(event);
    return 0;
}

/* Takes the events of an identifier out of its channel; what is not moved is dropped. */
static void move_events(fake_id *id, fake_channel *to)
{
    fake_channel *from = channel_of(id->id.channel);
    eventfd_t one;
    for (hr_list *node = from->events.next, *next; node != &from->events; node = next) {
        fake_event *event = HR_CONTAINER(node, fake_event, node);
        next = node->next;
        if (event->event.id != &id->id)
            continue;
        hr_list_remove(node);
        if (eventfd_read(from->channel.fd, &one) != 0)
            fake_complain("the fake lost an event");
        if (to == NULL) {
            free(event);
            continue;
        }
        hr_list_append(&to->events, node);
        eventfd_write(to->channel.fd, 1);
    }
}

/* ---- identifiers ---- */

static fake_id *add_id(fake_channel *channel, void *context)
{
    fake_id *id = fake_alloc(sizeof *id);
    id->id =
        (struct rdma_cm_id){.channel = &channel->channel, .context = context, .ps = RDMA_PS_TCP};
    channel->ids++;
    hr_list_append(&hr_fake.ids, &id->node);
    return id;
}

int fake_cm_create_id(struct rdma_event_channel *channel, struct rdma_cm_id **id_out, void *context,
                      enum rdma_port_space port_space)
{
    if (fake_fails("cm_create_id"))
        return -1;
    fake_lock();
    if (port_space != RDMA_PS_TCP)
        fake_complain("an identifier that is not for connections");
    *id_out = &add_id(channel_of(channel), context)->id;
    fake_unlock();
    return 0;
}

/* The other side learns of an end, whatever it was in the middle of. */
static void leave_peer(fake_id *id)
{
    fake_id *peer = id->peer;
    if (peer == NULL)
        return;
    if (id->is_connected)
        (void)tell(peer, RDMA_CM_EVENT_DISCONNECTED, 0);
    else if (id->is_passive && !id->is_answered)
        (void)tell(peer, RDMA_CM_EVENT_REJECTED, REJECTED_BY_CONSUMER);
    peer->is_connected = false;
    peer->peer = NULL;
    id->peer = NULL;
}

int fake_cm_destroy_id(struct rdma_cm_id *base)
{
    fake_id *id = id_of(base);
    fake_lock();
    if (base->qp != NULL)
        fake_complain("an identifier was destroyed before its queue pair");
    if (id->unacked > 0)
        fake_complain("an identifier was destroyed with events that nobody acknowledged");
    leave_peer(id);
    move_events(id, NULL);
    channel_of(base->channel)->ids--;
    hr_list_remove(&id->node);
    fake_unlock();
    free(id);
    return 0;
}

int fake_cm_migrate_id(struct rdma_cm_id *base, struct rdma_event_channel *channel)
{
    fake_id *id = id_of(base);
    if (fake_fails("cm_migrate_id"))
        return -1;
    fake_lock();
    if (id->unacked > 0)
        fake_complain("an identifier is moved while an event of it is not acknowledged: that waits "
                      "for ever");
    move_events(id, channel_of(channel));
    channel_of(base->channel)->ids--;
    channel_of(channel)->ids++;
    base->channel = channel;
    fake_unlock();
    return 0;
}

int fake_cm_set_option(struct rdma_cm_id *base, int level, int name, void *value, size_t len)
{
    if (fake_fails("cm_set_option"))
        return -1;
    fake_lock();
    if (level != RDMA_OPTION_ID || name != RDMA_OPTION_ID_ACK_TIMEOUT || len != 1)
        fake_complain("option %d of level %d with %zu bytes", name, level, len);
    if (id_of(base)->is_requested)
        fake_complain("the ACK timeout was set after the connect");
    memcpy(&id_of(base)->ack_timeout, value, 1);
    fake_unlock();
    return 0;
}

/* ---- addresses ---- */

/* 127.0.0.N is the device N - 1; NULL: another host, or any. */
static struct ibv_context *device_at(const struct sockaddr *address)
{
    struct sockaddr_in in;
    memcpy(&in, address, sizeof in);
    uint32_t number = ntohl(in.sin_addr.s_addr) - 0x7F000001;
    return address->sa_family == AF_INET && number < hr_fake.device_count ? hr_fake.contexts[number]
                                                                          : NULL;
}

/* One, and what it points to. */
typedef struct fake_address {
    struct ifaddrs base;
    struct sockaddr_in address, mask;
} fake_address;

static struct sockaddr_in make_address(uint32_t number)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(number)};
}

int fake_get_addresses(struct ifaddrs **addresses_out)
{
    struct ifaddrs *first = NULL;
    if (fake_fails("get_addresses"))
        return -1;
    for (uint32_t i = hr_fake.device_count; i-- > 0;) {
        fake_address *own = fake_alloc(sizeof *own);
        own->address = make_address(0x7F000001 + i);
        own->mask = make_address(0xFFFFFF00);
        own->base.ifa_flags = IFF_UP | (hr_fake.setup.has_network ? 0 : IFF_LOOPBACK);
        own->base.ifa_addr = (struct sockaddr *)&own->address;
        own->base.ifa_netmask = (struct sockaddr *)&own->mask;
        own->base.ifa_next = first;
        first = &own->base;
    }
    *addresses_out = first;
    return 0;
}

void fake_free_addresses(struct ifaddrs *addresses)
{
    while (addresses != NULL) {
        struct ifaddrs *next = addresses->ifa_next;
        free(addresses);
        addresses = next;
    }
}

static uint16_t port_of(const struct sockaddr *address)
{
    struct sockaddr_in in; /* IPv6 has its port in the same place */
    memcpy(&in, address, sizeof in);
    return in.sin_port;
}

static fake_id *find_listener(const struct sockaddr *target)
{
    for (hr_list *node = hr_fake.ids.next; node != &hr_fake.ids; node = node->next) {
        fake_id *id = HR_CONTAINER(node, fake_id, node);
        const struct sockaddr *own = &id->id.route.addr.src_addr;
        if (id->is_listening && port_of(own) == port_of(target) &&
            (id->id.verbs == NULL || id->id.verbs == device_at(target)))
            return id;
    }
    return NULL;
}

static bool is_taken(uint16_t port)
{
    for (hr_list *node = hr_fake.ids.next; node != &hr_fake.ids; node = node->next) {
        fake_id *id = HR_CONTAINER(node, fake_id, node);
        if (id->is_bound && port_of(&id->id.route.addr.src_addr) == port)
            return true;
    }
    return false;
}

int fake_cm_bind_addr(struct rdma_cm_id *base, struct sockaddr *address)
{
    fake_id *id = id_of(base);
    struct sockaddr_in in;
    if (fake_fails("cm_bind_addr"))
        return -1;
    memcpy(&in, address, sizeof in);
    fake_lock();
    struct ibv_context *device = device_at(address);
    int error = 0;
    if (address->sa_family != AF_INET || (device == NULL && in.sin_addr.s_addr != INADDR_ANY))
        error = ENODEV;
    else if (in.sin_port != 0 && is_taken(in.sin_port))
        error = EADDRINUSE;
    if (error == 0) {
        if (in.sin_port == 0)
            in.sin_port = htons(hr_fake.next_port++);
        memcpy(&base->route.addr.src_addr, &in, sizeof in);
        base->verbs = device;
        id->is_bound = true;
    }
    fake_unlock();
    errno = error;
    return error == 0 ? 0 : -1;
}

int fake_cm_listen(struct rdma_cm_id *base, int backlog)
{
    if (fake_fails("cm_listen"))
        return -1;
    fake_lock();
    if (!id_of(base)->is_bound || backlog <= 0)
        fake_complain("listening without an address, or without an end to those who wait");
    id_of(base)->is_listening = true;
    id_of(base)->backlog = backlog;
    fake_unlock();
    return 0;
}

int fake_cm_resolve_addr(struct rdma_cm_id *base, struct sockaddr *source, struct sockaddr *target,
                         int timeout_ms)
{
    if (fake_fails("cm_resolve_addr"))
        return -1;
    fake_lock();
    if (timeout_ms <= 0 || (source != NULL && device_at(source) == NULL))
        fake_complain("an address is resolved within a time, and from one of ours");
    /* Without a source the system takes the device that answers for the target itself. */
    base->verbs = device_at(target) == NULL ? NULL : device_at(source != NULL ? source : target);
    memcpy(&base->route.addr.dst_addr, target, sizeof(struct sockaddr_in));
    memcpy(&base->route.addr.src_addr, source != NULL ? source : target,
           sizeof(struct sockaddr_in));
    if (base->verbs != NULL)
        (void)tell(id_of(base), RDMA_CM_EVENT_ADDR_RESOLVED, 0);
    else
        (void)tell(id_of(base), RDMA_CM_EVENT_ADDR_ERROR, -ENODEV);
    fake_unlock();
    return 0;
}

int fake_cm_resolve_route(struct rdma_cm_id *base, int timeout_ms)
{
    if (fake_fails("cm_resolve_route"))
        return -1;
    fake_lock();
    if (base->verbs == NULL || timeout_ms <= 0)
        fake_complain("a route without an address, or without an end");
    (void)tell(id_of(base), RDMA_CM_EVENT_ROUTE_RESOLVED, 0);
    fake_unlock();
    return 0;
}

/* ---- connecting ---- */

static void check_parameters(const fake_id *id, const struct rdma_conn_param *param)
{
    if (param->rnr_retry_count != 0 || param->retry_count == 0 || param->retry_count > 7)
        fake_complain("retries: %u, and %u for want of a receive", param->retry_count,
                      param->rnr_retry_count);
    if (param->responder_resources != 0 || param->initiator_depth != 0)
        fake_complain("a peer was offered to read");
    if (id->id.qp == NULL)
        fake_complain("a connect without a queue pair");
    if (id->ack_timeout == 0 && !hr_fake.has_failed)
        fake_complain("a connect before the ACK timeout was set");
}

static void request(fake_id *id, fake_id *listener)
{
    if (listener->pending == listener->backlog)
        return; /* dropped without a word */
    listener->pending++;
    fake_id *child = add_id(channel_of(listener->id.channel), listener->id.context);
    child->id.verbs = device_at(&id->id.route.addr.dst_addr);
    child->id.route.addr.src_addr = id->id.route.addr.dst_addr;
    child->id.route.addr.dst_addr = id->id.route.addr.src_addr;
    child->is_passive = true;
    child->peer = id;
    id->peer = child;
    memcpy(child->private_data, id->private_data, sizeof child->private_data);
    fake_event *event = tell(child, RDMA_CM_EVENT_CONNECT_REQUEST, 0);
    event->event.listen_id = &listener->id;
    event->event.param.conn.private_data = child->private_data;
    event->event.param.conn.private_data_len = sizeof child->private_data;
}

int fake_cm_connect(struct rdma_cm_id *base, struct rdma_conn_param *param)
{
    fake_id *id = id_of(base);
    if (fake_fails("cm_connect"))
        return -1;
    fake_lock();
    check_parameters(id, param);
    if (param->private_data_len != sizeof id->private_data)
        fake_complain("a connect with %u bytes of private data", param->private_data_len);
    else
        memcpy(id->private_data, param->private_data, sizeof id->private_data);
    if (qp_of(id) != NULL && qp_of(id)->receives != qp_of(id)->cap.max_recv_wr)
        fake_complain("a connect before the receives were posted");
    hr_fake.counters.retry = param->retry_count;
    hr_fake.counters.ack_timeout = id->ack_timeout;
    id->is_requested = true;
    fake_id *listener = find_listener(&base->route.addr.dst_addr);
    if (listener != NULL)
        request(id, listener);
    else
        (void)tell(id, RDMA_CM_EVENT_REJECTED, REJECTED_NOBODY);
    fake_unlock();
    return 0;
}

int fake_cm_accept(struct rdma_cm_id *base, struct rdma_conn_param *param)
{
    fake_id *id = id_of(base);
    if (fake_fails("cm_accept"))
        return -1;
    fake_lock();
    check_parameters(id, param);
    fake_id *peer = id->peer;
    id->is_requested = id->is_answered = true;
    if (peer == NULL || qp_of(peer) == NULL) {
        fake_unlock();
        errno = EINVAL; /* it has left meanwhile */
        return -1;
    }
    fake_qp *own = qp_of(id), *other = qp_of(peer);
    own->peer = other;
    other->peer = own;
    own->state = other->state = FAKE_READY;
    id->is_connected = peer->is_connected = true;
    (void)tell(id, RDMA_CM_EVENT_ESTABLISHED, 0);
    (void)tell(peer, RDMA_CM_EVENT_ESTABLISHED, 0);
    fake_unlock();
    return 0;
}

int fake_cm_reject(struct rdma_cm_id *base, const void *private_data, uint8_t len)
{
    fake_id *id = id_of(base);
    (void)private_data;
    fake_lock();
    if (len != 0)
        fake_complain("a stranger was told something");
    if (id->is_passive && !id->is_answered && id->peer != NULL) {
        (void)tell(id->peer, RDMA_CM_EVENT_REJECTED, REJECTED_BY_CONSUMER);
        id->is_answered = true;
    }
    fake_unlock();
    return 0;
}

int fake_cm_disconnect(struct rdma_cm_id *base)
{
    fake_id *id = id_of(base);
    if (fake_fails("cm_disconnect"))
        return -1;
    fake_lock();
    if (qp_of(id) != NULL)
        fake_qp_break(qp_of(id));
    if (id->is_connected) {
        (void)tell(id, RDMA_CM_EVENT_DISCONNECTED, 0);
        if (id->peer != NULL)
            (void)tell(id->peer, RDMA_CM_EVENT_DISCONNECTED, 0);
        id->is_connected = false;
        if (id->peer != NULL)
            id->peer->is_connected = false;
    }
    fake_unlock();
    return 0;
}

void hr_verbs_fake_knock(struct rdma_cm_id *base)
{
    fake_id *id = id_of(base);
    fake_lock();
    memset(id->private_data, 0x16, sizeof id->private_data);
    request(id, find_listener(&base->route.addr.dst_addr));
    fake_unlock();
}

void hr_verbs_fake_event(unsigned device, enum rdma_cm_event_type type)
{
    fake_lock();
    for (hr_list *node = hr_fake.ids.next; node != &hr_fake.ids; node = node->next) {
        fake_id *id = HR_CONTAINER(node, fake_id, node);
        if (id->id.verbs != hr_fake.contexts[device] || id->is_listening)
            continue;
        if (type == RDMA_CM_EVENT_DEVICE_REMOVAL && qp_of(id) != NULL)
            fake_qp_break(qp_of(id));
        (void)tell(id, type, 0);
    }
    fake_unlock();
}
