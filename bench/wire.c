/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <errno.h>
#include <math.h>
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
#include "wire_parts.h"

#define START_NS  (20 * HR_NS_PER_S) /* memory is taken and filled in it */
#define TICKET_NS (2 * HR_NS_PER_S)  /* it is sent at once */

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

/* What was said at the desk, which stays there for the writing end to hear. */
static bool wants_both(int desk, hr_bench_wire *back_out)
{
    wire_hello hello;
    ssize_t len = recv(desk, &hello, sizeof hello, MSG_DONTWAIT | MSG_PEEK);
    return len == (ssize_t)sizeof hello && hello.both != 0 && hr_bench_hello_read(&hello, back_out);
}

/* Whoever came has the ticket that the first desk was told. */
static bool has_ticket(int desk, uint64_t ticket)
{
    uint64_t shown;
    return hr_bench_await(desk, hr_now_ns(hr_env_system()) + TICKET_NS) == HR_OK &&
           recv(desk, &shown, sizeof shown, MSG_DONTWAIT) == (ssize_t)sizeof shown &&
           shown == ticket;
}

/* -1: nobody came with the ticket, or we were interrupted. */
static int accept_back(int listener, uint64_t ticket)
{
    uint64_t deadline_ns = hr_now_ns(hr_env_system()) + START_NS;
    while (hr_bench_await(listener, deadline_ns) == HR_OK) {
        int desk = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (desk >= 0 && has_ticket(desk, ticket))
            return desk;
        if (desk >= 0)
            close(desk);
    }
    return -1;
}

/* The desk of the other direction, at which we read. */
static hr_status start_back(hr_bench_child *reader, const hr_bench_wire *back, int listener,
                            int *not_ours, hr_error *error)
{
    hr_bench_wire_end end = {.wire = back, .not_ours = *not_ours};
    end.desk = accept_back(listener, back->ticket);
    if (end.desk < 0)
        return hr_error_set(error, hr_bench_interrupted() ? HR_INTERRUPTED : HR_PEER_LOST,
                            "the reader wants both directions and did not come twice");
    send_at_once(end.desk);
    hr_status status =
        hr_bench_child_fork(reader, "the reading end", hr_bench_wire_read, &end, error);
    close(end.desk);
    return status;
}

static hr_status serve_one(const hr_bench_wire *wire, int listener, int desk, hr_error *error)
{
    hr_bench_child ends[2] = {{0}, {0}};
    hr_bench_wire back = *wire;
    hr_bench_wire_end end = {.wire = wire, .desk = desk, .not_ours = -1};
    send_at_once(desk);
    hr_status status = hr_bench_await(desk, hr_now_ns(hr_env_system()) + START_NS);
    bool both = status == HR_OK && wants_both(desk, &back);
    if (status == HR_DEADLINE)
        hr_error_set(error, HR_PEER_LOST, "the reader did not say what it wants");
    if (status == HR_OK)
        status = hr_bench_child_fork(&ends[0], "the writing end", hr_bench_wire_write, &end, error);
    if (status == HR_OK && both)
        status = start_back(&ends[1], &back, listener, &desk, error);
    close(desk);
    /* Its reader decides how long. */
    for (unsigned i = 0; i < (both ? 2 : 1) && status == HR_OK; i++) {
        status = hr_bench_child_wait(&ends[i], HR_NS_PER_S * 7200, error);
        if (status == HR_OK)
            fputs(ends[i].text, stdout);
    }
    fflush(stdout);
    hr_bench_child_stop(&ends[0]);
    hr_bench_child_stop(&ends[1]);
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
            status = serve_one(wire, listener, desk, error);
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

/* The ends of one direction. Back: from here to a machine elsewhere, whose end is started there. */
typedef struct wire_pair {
    const hr_bench_wire *wire;
    bool is_back;
    hr_bench_child writer, reader;
    int desks[2]; /* the reader's, the writer's; -1 */
} wire_pair;

static hr_status open_desks(wire_pair *pair, hr_error *error)
{
    const hr_bench_wire *wire = pair->wire;
    int *ours = &pair->desks[pair->is_back ? 1 : 0];
    if (wire->from != NULL) {
        hr_status status = connect_desk(wire->from, ours, error);
        /* What does not arrive is missed there, and by the writing end here. */
        if (status == HR_OK && pair->is_back)
            (void)send(*ours, &wire->ticket, sizeof wire->ticket, MSG_NOSIGNAL);
        return status;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair->desks) == 0)
        return HR_OK;
    return hr_error_set(error, hr_status_from_errno(errno), "a socket between the two ends: %s",
                        strerror(errno));
}

static hr_status start_pair(wire_pair *pair, hr_error *error)
{
    hr_bench_wire_end end = {.wire = pair->wire};
    hr_status status = open_desks(pair, error);
    end.desk = pair->desks[1];
    end.not_ours = pair->desks[0];
    if (status == HR_OK && end.desk >= 0)
        status =
            hr_bench_child_fork(&pair->writer, "the writing end", hr_bench_wire_write, &end, error);
    end.desk = pair->desks[0];
    end.not_ours = pair->desks[1];
    if (status == HR_OK && end.desk >= 0)
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
static hr_status explain(wire_pair *pair, hr_error *error)
{
    hr_bench_measure ignored = {.bytes = 0};
    hr_error why = {0};
    bool lost = strstr(error->text, hr_status_text(HR_PEER_LOST)) != NULL;
    if (lost && pair->wire->from == NULL && pair->writer.name != NULL &&
        hear(pair->wire, &pair->writer, &ignored, &why) != HR_OK && why.status != HR_INTERRUPTED)
        *error = why;
    return error->status;
}

/* The reader decides when it is over, and what has arrived is what counts; on the way to another
 * machine, what was written. */
static hr_status hear_pair(wire_pair *pair, hr_bench_measure *measure_out, hr_error *error)
{
    hr_bench_measure sent = {.bytes = 0}, received = {.latency = measure_out->latency};
    bool has_reader = pair->reader.name != NULL, has_writer = pair->writer.name != NULL;
    hr_status status = has_reader ? hear(pair->wire, &pair->reader, &received, error) : HR_OK;
    if (status != HR_OK && status != HR_INTERRUPTED)
        status = explain(pair, error);
    if (status == HR_OK && has_writer)
        status = hear(pair->wire, &pair->writer, &sent, error);
    if (status != HR_OK)
        return status;
    received.cpu_seconds[HR_BENCH_RECEIVER] = received.cpu_seconds[0];
    if (!has_reader)
        received = sent;
    received.cpu_seconds[HR_BENCH_SENDER] = sent.cpu_seconds[0];
    if (has_writer)
        snprintf(received.note, sizeof received.note, "%s", sent.note);
    received.latency = measure_out->latency;
    *measure_out = received;
    return HR_OK;
}

static void add_back(hr_bench_measure *sum, const hr_bench_measure *back)
{
    size_t len = strlen(sum->note);
    snprintf(sum->note + len, sizeof sum->note - len, ", both ways: %.2f and %.2f GB/s",
             hr_bench_rate(sum), hr_bench_rate(back));
    sum->bytes += back->bytes;
    sum->items += back->items;
    sum->seconds = fmax(sum->seconds, back->seconds);
    sum->measuring_seconds += back->measuring_seconds;
    for (int side = 0; side < HR_BENCH_SIDES; side++)
        sum->cpu_seconds[side] += back->cpu_seconds[side];
}

hr_status hr_bench_wire_run(const hr_bench_wire *wire, hr_bench_measure *measure_out,
                            hr_error *error)
{
    hr_bench_wire tied = *wire;
    tied.ticket = hr_random_u64(hr_env_system());
    wire_pair pairs[] = {{.wire = &tied, .desks = {-1, -1}},
                         {.wire = &tied, .desks = {-1, -1}, .is_back = true}};
    hr_bench_measure there = {.latency = measure_out->latency}, back = there;
    hr_status status = start_pair(&pairs[0], error);
    if (status == HR_OK && wire->both)
        status = start_pair(&pairs[1], error);
    if (status == HR_OK)
        status = hear_pair(&pairs[0], &there, error);
    if (status == HR_OK && wire->both)
        status = hear_pair(&pairs[1], &back, error);
    if (status == HR_OK && wire->both)
        add_back(&there, &back);
    if (status == HR_OK)
        *measure_out = there;
    for (int i = 0; i < 2; i++) {
        hr_bench_child_stop(&pairs[i].reader);
        hr_bench_child_stop(&pairs[i].writer);
    }
    return status;
}
