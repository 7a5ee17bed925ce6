/* SPDX-License-Identifier: Apache-2.0 */
/* The transport over TCP. It imitates verbs: the reader of a link receives each payload straight
 * into the place that was granted for it. */
#include "tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"

#define USER_TIMEOUT_NS (10 * HR_NS_PER_S)

static void tcp_destroy(hr_transport *transport)
{
    hr_helpers_destroy(((hr_tcp *)transport)->resolver);
    hr_release(hr_loop_env(transport->loop), transport);
}

static void tcp_query(const hr_transport *transport, hr_transport_caps *caps_out)
{
    (void)transport;
    *caps_out = (hr_transport_caps){.channels = true, .rails = 1};
}

static const hr_transport_ops tcp_ops = {
    .name = "tcp",
    .destroy = tcp_destroy,
    .query = tcp_query,
    .listen = hr_tcp_listen,
    .unlisten = hr_tcp_unlisten,
    .refuse = hr_tcp_refuse,
    .channel =
        {
            .connect = hr_tcp_channel_connect,
            .adopt = hr_tcp_channel_adopt,
            .send = hr_tcp_channel_send,
            .close = hr_tcp_channel_close,
            .destroy = hr_tcp_channel_destroy,
        },
    .link =
        {
            .connect = hr_tcp_link_connect,
            .adopt = hr_tcp_link_adopt,
            .write = hr_tcp_link_write,
            .arm = hr_tcp_link_arm,
            .disarm = hr_tcp_link_disarm,
            .peek = hr_tcp_link_peek,
            .close = hr_tcp_link_close,
            .destroy = hr_tcp_link_destroy,
        },
};

/* Named by a person, so a refusal is said at once and not at the first connection. */
static hr_status try_congestion(const char *name)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0)
        return hr_status_from_errno(errno);
    int result = setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
    int error = errno;
    close(fd);
    if (result == 0)
        return HR_OK;
    return error == EPERM ? HR_DENIED : HR_UNSUPPORTED;
}

hr_status hr_transport_tcp_create(hr_loop *loop, const hr_tcp_options *options,
                                  hr_transport **transport_out)
{
    hr_tcp_options defaults = {0};
    if (options == NULL)
        options = &defaults;
    const char *congestion = options->congestion != NULL ? options->congestion : "";
    hr_tcp *tcp = hr_alloc(hr_loop_env(loop), sizeof *tcp);
    if (tcp == NULL)
        return HR_NO_MEMORY;
    hr_status status = HR_UNSUPPORTED;
    if (strlen(congestion) < sizeof tcp->congestion)
        status = congestion[0] == '\0' ? HR_OK : try_congestion(congestion);
    if (status != HR_OK) {
        hr_release(hr_loop_env(loop), tcp);
        return status;
    }
    uint64_t timeout_ns =
        options->user_timeout_ns != 0 ? options->user_timeout_ns : USER_TIMEOUT_NS;
    tcp->base = (hr_transport){.ops = &tcp_ops, .loop = loop};
    snprintf(tcp->congestion, sizeof tcp->congestion, "%s", congestion);
    tcp->send_buffer = options->send_buffer;
    tcp->user_timeout_ms = (unsigned)hr_min_u64(timeout_ns / HR_NS_PER_MS, INT32_MAX);
    *transport_out = &tcp->base;
    return HR_OK;
}
