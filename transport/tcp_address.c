/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tcp.h"

/* True if text[0, len) is a port number. */
static bool is_port(const char *text, size_t len)
{
    unsigned value = 0;
    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    return value <= 65535;
}

hr_status hr_tcp_address_parse(const char *text, hr_tcp_address *address_out)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !is_port(colon + 1, strlen(colon + 1)))
        return HR_INVALID;
    const char *host = text;
    size_t len = (size_t)(colon - text);
    if (len > 0 && host[0] == '[') {
        if (len < 3 || host[len - 1] != ']')
            return HR_INVALID;
        host++;
        len -= 2;
    } else if (memchr(host, ':', len) != NULL) {
        return HR_INVALID; /* an IPv6 address without brackets: which colon is the port's? */
    }
    if (len >= sizeof address_out->host)
        return HR_INVALID;
    memcpy(address_out->host, host, len);
    address_out->host[len] = '\0';
    snprintf(address_out->port, sizeof address_out->port, "%s", colon + 1);
    return HR_OK;
}

void hr_tcp_address_print(const struct sockaddr *address, char text_out[64])
{
    char host[INET6_ADDRSTRLEN];
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
        snprintf(text_out, 64, "%s:%u", host, ntohs(in.sin_port));
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
        snprintf(text_out, 64, "[%s]:%u", host, ntohs(in6.sin6_port));
    } else {
        snprintf(text_out, 64, "?");
    }
}

void hr_tcp_peer(int fd, char text_out[64])
{
    uint32_t uid;
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    if (hr_unix_peer(fd, &uid, text_out))
        return;
    (void)getpeername(fd, (struct sockaddr *)&address, &len);
    hr_tcp_address_print((const struct sockaddr *)&address, text_out);
}

/* Both ends on this machine, whatever the address is called. */
static bool is_local(const struct sockaddr_storage *peer, const struct sockaddr_storage *own)
{
    if (peer->ss_family == AF_INET) {
        struct sockaddr_in p, o;
        memcpy(&p, peer, sizeof p);
        memcpy(&o, own, sizeof o);
        return (ntohl(p.sin_addr.s_addr) >> 24) == 127 || p.sin_addr.s_addr == o.sin_addr.s_addr;
    }
    if (peer->ss_family == AF_INET6) {
        struct sockaddr_in6 p, o;
        memcpy(&p, peer, sizeof p);
        memcpy(&o, own, sizeof o);
        return IN6_IS_ADDR_LOOPBACK(&p.sin6_addr) ||
               memcmp(&p.sin6_addr, &o.sin6_addr, sizeof p.sin6_addr) == 0;
    }
    return false;
}

static bool set_congestion(int fd, const char *name)
{
    return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0;
}

static void choose_congestion(const hr_tcp *tcp, int fd)
{
    if (tcp->congestion[0] != '\0') {
        (void)set_congestion(fd, tcp->congestion);
        return;
    }
    struct sockaddr_storage peer = {0}, own = {0};
    socklen_t peer_len = sizeof peer, own_len = sizeof own;
    if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0 ||
        getsockname(fd, (struct sockaddr *)&own, &own_len) != 0 || !is_local(&peer, &own))
        return;
    /* bbr paces even loopback, to less than half of what these two reach. */
    if (!set_congestion(fd, "cubic"))
        (void)set_congestion(fd, "reno");
}

void hr_tcp_tune(const hr_tcp *tcp, int fd)
{
    int on = 1;
    /* Messages and chunks are handed over whole: there is nothing to wait for. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &tcp->user_timeout_ms,
                     sizeof tcp->user_timeout_ms);
    if (tcp->send_buffer > 0) {
        int len = tcp->send_buffer > INT32_MAX ? INT32_MAX : (int)tcp->send_buffer;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &len, sizeof len);
    }
    choose_congestion(tcp, fd);
}
