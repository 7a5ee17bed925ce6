/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <stdio.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "child.h"
#include "env.h"

#define START_NS (20 * HR_NS_PER_S) /* memory is taken and filled in it */

/* grants[0] is the reader's end, grants[1] the writer's. */
static hr_status start_both(const hr_bench_wire *wire, const int grants[2], hr_bench_child *writer,
                            hr_bench_child *reader, hr_error *error)
{
    const char *address;
    hr_bench_wire_end end = {.wire = wire, .grants = grants[1]};
    hr_status status =
        hr_bench_child_fork(writer, "the writing end", hr_bench_wire_write, &end, error);
    if (status == HR_OK)
        status = hr_bench_child_line(writer, START_NS, &address, error);
    if (status != HR_OK)
        return status;
    end.address = address;
    end.grants = grants[0];
    return hr_bench_child_fork(reader, "the reading end", hr_bench_wire_read, &end, error);
}

static hr_status hear(const hr_bench_wire *wire, hr_bench_child *child,
                      hr_bench_measure *measure_out, hr_error *error)
{
    hr_status status = hr_bench_child_wait(child, wire->duration_ns + START_NS, error);
    return status != HR_OK ? status
                           : hr_bench_measure_hear(child->text + child->taken, measure_out, error);
}

hr_status hr_bench_wire_run(const hr_bench_wire *wire, hr_bench_measure *measure_out,
                            hr_error *error)
{
    hr_bench_child writer = {0}, reader = {0};
    hr_bench_measure sent = {.bytes = 0}, received = {.bytes = 0};
    int grants[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, grants) != 0)
        return hr_error_set(error, hr_status_from_errno(errno),
                            "A socket between the two ends: %m");
    hr_status status = start_both(wire, grants, &writer, &reader, error);
    /* The reader decides when it is over, and what has arrived is what counts. */
    if (status == HR_OK)
        status = hear(wire, &reader, &received, error);
    if (status == HR_OK)
        status = hear(wire, &writer, &sent, error);
    if (status == HR_OK) {
        received.cpu_seconds[HR_BENCH_RECEIVER] = received.cpu_seconds[0];
        received.cpu_seconds[HR_BENCH_SENDER] = sent.cpu_seconds[0];
        snprintf(received.note, sizeof received.note, "%s", sent.note);
        *measure_out = received;
    }
    hr_bench_child_stop(&reader);
    hr_bench_child_stop(&writer);
    close(grants[0]);
    close(grants[1]);
    return status;
}
