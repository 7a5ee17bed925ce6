/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of this machine: which device answers for one, and from which one a device reaches
 * another machine's. */
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>

#include "tcp.h"
#include "verbs.h"

static size_t len_of(sa_family_t family)
{
    return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

void hr_verbs_address_set_port(struct sockaddr *address, uint16_t port)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    if (address->sa_family == AF_INET) {
        memcpy(&in, address, sizeof in);
        in.sin_port = port;
        memcpy(address, &in, sizeof in);
    } else {
        memcpy(&in6, address, sizeof in6);
        in6.sin6_port = port;
        memcpy(address, &in6, sizeof in6);
    }
}

bool hr_verbs_address_is_usable(const struct ifaddrs *at, sa_family_t family)
{
    if (at->ifa_addr == NULL || at->ifa_addr->sa_family != family ||
        (at->ifa_flags & IFF_LOOPBACK) != 0 || (at->ifa_flags & IFF_UP) == 0)
        return false;
    struct sockaddr_in6 in6;
    memcpy(&in6, at->ifa_addr, len_of(family));
    return family != AF_INET6 || !IN6_IS_ADDR_LINKLOCAL(&in6.sin6_addr);
}

hr_verbs_device *hr_verbs_address_device(hr_verbs *verbs, struct rdma_event_channel *channel,
                                         const struct sockaddr *address)
{
    const hr_verbs_calls *calls = verbs->calls;
    struct sockaddr_storage any_port = {0};
    struct rdma_cm_id *id;
    hr_verbs_device *device = NULL;
    memcpy(&any_port, address, len_of(address->sa_family));
    hr_verbs_address_set_port((struct sockaddr *)&any_port, 0);
    if (calls->cm_create_id(channel, &id, NULL, RDMA_PS_TCP) != 0)
        return NULL;
    if (calls->cm_bind_addr(id, (struct sockaddr *)&any_port) == 0)
        device = hr_verbs_device_of(verbs, id);
    (void)calls->cm_destroy_id(id);
    return device;
}

/* Of IPv4 and IPv6: its bytes as they cross the wire. */
static size_t bytes_of(const struct sockaddr *address, uint8_t bytes_out[16])
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    if (address->sa_family == AF_INET) {
        memcpy(&in, address, sizeof in);
        memcpy(bytes_out, &in.sin_addr, sizeof in.sin_addr);
        return sizeof in.sin_addr;
    }
    memcpy(&in6, address, sizeof in6);
    memcpy(bytes_out, &in6.sin6_addr, sizeof in6.sin6_addr);
    return sizeof in6.sin6_addr;
}

/* As far as the mask of our address goes. */
static bool shares_network(const struct ifaddrs *at, const struct sockaddr *target)
{
    uint8_t own[16], other[16], mask[16];
    if (!hr_verbs_address_is_usable(at, target->sa_family) || at->ifa_netmask == NULL)
        return false;
    size_t len = bytes_of(target, other);
    (void)bytes_of(at->ifa_addr, own);
    struct sockaddr_storage netmask = {0};
    memcpy(&netmask, at->ifa_netmask, len_of(target->sa_family));
    netmask.ss_family = target->sa_family;
    (void)bytes_of((struct sockaddr *)&netmask, mask);
    for (size_t i = 0; i < len; i++)
        if (((own[i] ^ other[i]) & mask[i]) != 0)
            return false;
    return true;
}

bool hr_verbs_source(hr_verbs *verbs, struct rdma_event_channel *channel, unsigned rail,
                     const struct sockaddr *target, struct sockaddr_storage *source_out)
{
    struct ifaddrs *all;
    bool found = false;
    if (rail >= verbs->device_count || verbs->calls->get_addresses(&all) != 0)
        return false;
    for (const struct ifaddrs *at = all; at != NULL && !found; at = at->ifa_next) {
        found = shares_network(at, target) &&
                hr_verbs_address_device(verbs, channel, at->ifa_addr) == &verbs->devices[rail];
        if (!found)
            continue;
        *source_out = (struct sockaddr_storage){0};
        memcpy(source_out, at->ifa_addr, len_of(target->sa_family));
        hr_verbs_address_set_port((struct sockaddr *)source_out, 0);
    }
    verbs->calls->free_addresses(all);
    return found;
}

static uint32_t neighbours_of(hr_verbs *verbs, struct rdma_event_channel *channel,
                              const struct sockaddr *target)
{
    struct ifaddrs *all;
    uint32_t rails = 0;
    if (verbs->calls->get_addresses(&all) != 0)
        return 0;
    for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
        const hr_verbs_device *device = shares_network(at, target)
                                            ? hr_verbs_address_device(verbs, channel, at->ifa_addr)
                                            : NULL;
        if (device != NULL)
            rails |= UINT32_C(1) << (device - verbs->devices);
    }
    verbs->calls->free_addresses(all);
    return rails;
}

/* Servers name their rails by number: nothing is looked up. */
uint32_t hr_verbs_neighbours(hr_transport *transport, const char *address)
{
    hr_verbs *verbs = ((hr_verbs_transport *)transport)->verbs;
    const struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *found;
    hr_tcp_address parsed;
    if (hr_tcp_address_parse(address, &parsed) != HR_OK || parsed.host[0] == '\0' ||
        getaddrinfo(parsed.host, parsed.port, &hints, &found) != 0)
        return 0;
    uint32_t rails = 0;
    struct rdma_event_channel *channel = verbs->calls->cm_create_event_channel();
    if (channel != NULL) {
        rails = neighbours_of(verbs, channel, found->ai_addr);
        verbs->calls->cm_destroy_event_channel(channel);
    }
    freeaddrinfo(found);
    return rails;
}
