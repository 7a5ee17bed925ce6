/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "await.h"
#include "child.h"
#include "env.h"

#define START_NS (20 * HR_NS_PER_S) /* memory is taken and filled in it */

/* ---- the desk, between machines ---- */

/* "host:port", "[v6]:port". */
static hr_status resolve(const char *address, int flags, struct addrinfo **found_out,
                         hr_error *error)
{
    char host[256];
    const char *colon = strrchr(address, ':');
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
    if (colon == NULL || colon == address || (size_t)(colon - address) >= sizeof host)
        return hr_error_set(error, HR_INVALID, "%s is no HOST:PORT", address);
    bool six = address[0] == '[' && colon[-1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(colon - address) - (six ? 2 : 0), address + six);
    int failure = getaddrinfo(host, colon + 1, &hints, found_out);
    if (failure != 0)
        return hr_error_set(error, HR_NOT_FOUND, "%s: %s", address, gai_strerror(failure));
    return HR_OK;
}

/* Grants are short and must not wait for each other. */
static void send_at_once(int desk)
{
    int on = 1;
    (void)setsockopt(desk, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static hr_status connect_desk(const char *address, int *desk_out, hr_error *error)
{
    struct addrinfo *found = NULL;
    hr_status status = resolve(address, 0, &found, error);
    if (status != HR_OK || found == NULL)
        return status;
    int desk = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int cause = desk < 0 || connect(desk, found->ai_addr, found->ai_addrlen) != 0 ? errno : 0;
    freeaddrinfo(found);
    if (cause == 0) {
        send_at_once(desk);
        *desk_out = desk;
        return HR_OK;
    }
    if (desk >= 0)
        close(desk);
    return hr_error_set(error, HR_UNREACHABLE,
                        "connecting to %s: %s; does headrace-bench wire --listen run there?",
                        address, strerror(cause));
}

static hr_status open_desk(const char *address, int *listener_out, hr_error *error)
{
    struct addrinfo *found = NULL;
    int on = 1;
    hr_status status = resolve(address, AI_PASSIVE, &found, error);
    if (status != HR_OK || found == NULL)
        return status;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool open = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 8) == 0;
    int cause = errno;
    freeaddrinfo(found);
    if (open) {
        *listener_out = fd;
        return HR_OK;
    }
    if (fd >= 0)
        close(fd);
    return hr_error_set(error, hr_status_from_errno(cause), "listening on %s: %s", address,
                        strerror(cause));
}

static void print_desk(int listener)
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    char host[64] = "?", port[16] = "?";
    if (getsockname(listener, (struct sockaddr *)&bound, &len) == 0)
        (void)getnameinfo((struct sockaddr *)&bound, len, host, sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV);
    bool six = strchr(host, ':') != NULL;
    printf("{\"type\":\"listening\",\"address\":\"%s%s%s:%s\",\"port\":%s}\n", six ? "[" : "", host,
           six ? "]" : "", port, port);
    fflush(stdout);
}

static hr_status serve_one(const hr_bench_wire *wire, int desk, hr_error *error)
{
    hr_bench_child writer = {0};
    hr_bench_wire_end end = {.wire = wire, .desk = desk, .not_ours = -1};
    send_at_once(desk);
    hr_status status =
        hr_bench_child_fork(&writer, "the writing end", hr_bench_wire_write, &end, error);
    close(desk);
    /* Its reader decides how long. */
    if (status == HR_OK)
        status = hr_bench_child_wait(&writer, HR_NS_PER_S * 7200, error);
    if (status == HR_OK)
        fputs(writer.text, stdout);
    fflush(stdout);
    hr_bench_child_stop(&writer);
    return status;
}

hr_status hr_bench_wire_serve(const hr_bench_wire *wire, const char *listen, bool once,
                              hr_error *error)
{
    int listener = -1;
    hr_status status = open_desk(listen, &listener, error);
    if (status != HR_OK)
        return status;
    print_desk(listener);
    do {
        status = hr_bench_await(listener, HR_NEVER);
        int desk = status == HR_OK ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (desk >= 0)
            status = serve_one(wire, desk, error);
        /* A reader that fails is told there, and the next may do better. */
        if (!once && desk >= 0 && status != HR_OK && status != HR_INTERRUPTED) {
            fprintf(stderr, "headrace-bench: %s\n", error->text);
            *error = (hr_error){0};
            status = HR_OK;
        }
    } while (status == HR_OK && !once);
    close(listener);
    return status == HR_INTERRUPTED && !once ? HR_OK : status;
}

/* ---- both ends ---- */

typedef struct wire_pair {
    hr_bench_child writer, reader;
    int desks[2]; /* the reader's, the writer's; -1 */
} wire_pair;

static hr_status start_pair(wire_pair *pair, const hr_bench_wire *wire, hr_error *error)
{
    hr_bench_wire_end end = {.wire = wire};
    hr_status status = HR_OK;
    if (wire->from != NULL)
        status = connect_desk(wire->from, &pair->desks[0], error);
    else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair->desks) != 0)
        return hr_error_set(error, hr_status_from_errno(errno), "a socket between the two ends: %s",
                            strerror(errno));
    end.desk = pair->desks[1];
    end.not_ours = pair->desks[0];
    if (status == HR_OK && wire->from == NULL)
        status =
            hr_bench_child_fork(&pair->writer, "the writing end", hr_bench_wire_write, &end, error);
    end.desk = pair->desks[0];
    end.not_ours = pair->desks[1];
    if (status == HR_OK)
        status =
            hr_bench_child_fork(&pair->reader, "the reading end", hr_bench_wire_read, &end, error);
    /* Each of the two has its own; an end that fails is seen by the other. */
    for (int i = 0; i < 2; i++) {
        if (pair->desks[i] >= 0)
            close(pair->desks[i]);
    }
    return status;
}

static hr_status hear(const hr_bench_wire *wire, hr_bench_child *child,
                      hr_bench_measure *measure_out, hr_error *error)
{
    hr_status status = hr_bench_child_wait(child, wire->duration_ns + START_NS, error);
    return status != HR_OK ? status
                           : hr_bench_measure_hear(child->text + child->taken, measure_out, error);
}

/* Why the writer failed says more than that the reader lost it; not where the reader failed first.
 */
static void explain(wire_pair *pair, const hr_bench_wire *wire, hr_error *error)
{
    hr_bench_measure ignored = {.bytes = 0};
    hr_error why = {0};
    bool lost = strstr(error->text, hr_status_text(HR_PEER_LOST)) != NULL;
    if (lost && wire->from == NULL && pair->writer.name != NULL &&
        hear(wire, &pair->writer, &ignored, &why) != HR_OK && why.status != HR_INTERRUPTED)
        *error = why;
}

hr_status hr_bench_wire_run(const hr_bench_wire *wire, hr_bench_measure *measure_out,
                            hr_error *error)
{
    wire_pair pair = {.desks = {-1, -1}};
    hr_bench_measure sent = {.bytes = 0}, received = {.latency = measure_out->latency};
    hr_status status = start_pair(&pair, wire, error);
    /* The reader decides when it is over, and what has arrived is what counts. */
    if (status == HR_OK)
        status = hear(wire, &pair.reader, &received, error);
    if (status != HR_OK && status != HR_INTERRUPTED)
        explain(&pair, wire, error);
    if (status == HR_OK && wire->from == NULL)
        status = hear(wire, &pair.writer, &sent, error);
    if (status == HR_OK) {
        received.cpu_seconds[HR_BENCH_RECEIVER] = received.cpu_seconds[0];
        received.cpu_seconds[HR_BENCH_SENDER] = sent.cpu_seconds[0];
        if (wire->from == NULL)
            snprintf(received.note, sizeof received.note, "%s", sent.note);
        *measure_out = received;
    }
    hr_bench_child_stop(&pair.reader);
    hr_bench_child_stop(&pair.writer);
    return status;
}
