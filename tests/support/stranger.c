/* SPDX-License-Identifier: Apache-2.0 */
#include "stranger.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static hr_status last_error(void)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return HR_DEADLINE; /* SO_RCVTIMEO, SO_SNDTIMEO: the watchdog */
    return errno == EPIPE || errno == ECONNRESET ? HR_PEER_LOST : hr_status_from_errno(errno);
}

static hr_status fail_close(int fd)
{
    hr_status status = last_error();
    close(fd);
    return status;
}

/* Takes what socket or accept returned. */
static hr_status set_watchdog(int fd, int *fd_out)
{
    if (fd < 0)
        return last_error();
    struct timeval watchdog = {.tv_sec = HR_STRANGER_WATCHDOG_MS / 1000};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &watchdog, sizeof watchdog) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &watchdog, sizeof watchdog) != 0)
        return fail_close(fd);
    *fd_out = fd;
    return HR_OK;
}

static hr_status open_socket(int *fd_out)
{
    return set_watchdog(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd_out);
}

static hr_status parse(const char *address, struct sockaddr_in *parsed_out)
{
    char host[64];
    const char *colon = strrchr(address, ':');
    if (colon == NULL || (size_t)(colon - address) >= sizeof host)
        return HR_INVALID;
    memcpy(host, address, (size_t)(colon - address));
    host[colon - address] = '\0';
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    struct sockaddr_in parsed = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (*end != '\0' || port == 0 || port > 65535 ||
        inet_pton(AF_INET, host, &parsed.sin_addr) != 1)
        return HR_INVALID;
    *parsed_out = parsed;
    return HR_OK;
}

hr_status hr_stranger_connect(const char *address, int *fd_out)
{
    struct sockaddr_in peer;
    hr_status status = parse(address, &peer);
    int fd;
    if (status == HR_OK)
        status = open_socket(&fd);
    if (status != HR_OK)
        return status;
    if (connect(fd, (struct sockaddr *)&peer, sizeof peer) != 0)
        return fail_close(fd);
    *fd_out = fd;
    return HR_OK;
}

static hr_status bind_free_port(int fd, char address_out[64])
{
    struct sockaddr_in own = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t len = sizeof own;
    if (bind(fd, (struct sockaddr *)&own, sizeof own) != 0 ||
        getsockname(fd, (struct sockaddr *)&own, &len) != 0)
        return last_error();
    snprintf(address_out, 64, "127.0.0.1:%u", ntohs(own.sin_port));
    return HR_OK;
}

hr_status hr_stranger_listen(int *fd_out, char address_out[64])
{
    int fd;
    hr_status status = open_socket(&fd);
    if (status != HR_OK)
        return status;
    status = bind_free_port(fd, address_out);
    if (status == HR_OK && listen(fd, 16) != 0)
        status = last_error();
    if (status != HR_OK) {
        close(fd);
        return status;
    }
    *fd_out = fd;
    return HR_OK;
}

hr_status hr_stranger_accept(int listener, int *fd_out)
{
    int fd;
    do /* whoever waits with a watchdog is interrupted when he was stopped and goes on */
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    return set_watchdog(fd, fd_out);
}

hr_status hr_stranger_unused(char address_out[64])
{
    int fd;
    hr_status status = open_socket(&fd);
    if (status != HR_OK)
        return status;
    status = bind_free_port(fd, address_out);
    if (status != HR_OK)
        close(fd);
    return status;
}

hr_status hr_stranger_send(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return last_error();
        at += sent;
        len -= (size_t)sent;
    }
    return HR_OK;
}

hr_status hr_stranger_receive(int fd, void *bytes, size_t len)
{
    char *at = bytes;
    while (len > 0) {
        ssize_t got = recv(fd, at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 ? HR_PEER_LOST : last_error();
        at += got;
        len -= (size_t)got;
    }
    return HR_OK;
}

bool hr_stranger_wait_closed(int fd)
{
    char thrown_away[4096];
    for (;;) {
        ssize_t got = recv(fd, thrown_away, sizeof thrown_away, 0);
        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            return errno == ECONNRESET;
    }
}

void hr_stranger_reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}
