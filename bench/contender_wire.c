/* SPDX-License-Identifier: Apache-2.0 */
/* The wire as the options want it: between two processes here, or from a writer on another machine,
 * which runs there already or is started by what --ssh names. */
#include <stdio.h>
#include <string.h>

#include "contender.h"
#include "env.h"
#include "launch.h"
#include "tool_output.h"
#include "wire.h"

#define START_NS (60 * HR_NS_PER_S) /* a login */

static hr_bench_wire wire_of(const hr_bench_settings *settings)
{
    return (hr_bench_wire){
        .duration_ns = settings->duration_ns,
        .links = settings->links,
        .slots = settings->slots,
        .message_len = settings->message_len,
        .digests = settings->digests,
        .asks = settings->asks || settings->rate != 0 || settings->address != NULL,
        .rate = settings->rate,
        .both = settings->both,
        .is_inline = settings->is_inline,
        .congestion = settings->congestion,
        .address = settings->address,
        .from = settings->from,
    };
}

/* "user@host" is how ssh is told, and "host" where it is. */
static hr_status start_writer(hr_bench_child *writer, const hr_bench_settings *settings,
                              char from_out[160], hr_error *error)
{
    const char *words[12] = {"wire", "--listen", settings->listen, "--once"};
    const char *host = strrchr(settings->host, '@'), *line;
    unsigned count = 4, port = 0;
    if (settings->listen == NULL)
        words[2] = "0.0.0.0:0";
    if (settings->congestion != NULL) {
        words[count++] = "--congestion";
        words[count++] = settings->congestion;
    }
    if (settings->remote_address != NULL) {
        words[count++] = "--rdma";
        words[count++] = settings->remote_address;
    }
    hr_status status = hr_bench_launch(writer, settings, settings->host, words, error);
    if (status == HR_OK)
        status = hr_bench_child_line(writer, START_NS, &line, error);
    if (status == HR_OK)
        status = hr_bench_port_read(line, "listening", &port, error);
    if (status == HR_OK)
        snprintf(from_out, 160, "%.120s:%u", host != NULL ? host + 1 : settings->host, port);
    return status;
}

/* Why the writer ended says more than that the reader lost it. */
static hr_status ask_why(hr_bench_child *writer, hr_error *error)
{
    hr_error why = {0};
    hr_status status = hr_bench_child_wait(writer, START_NS, &why);
    if (status != HR_OK && status != HR_DEADLINE)
        *error = why;
    return error->status;
}

static hr_status run_from_host(const hr_bench_settings *settings, hr_bench_measure *measure_out,
                               hr_error *error)
{
    hr_bench_wire wire = wire_of(settings);
    char from[160];
    hr_bench_child writer = {0};
    hr_bench_measure sent = {.bytes = 0};
    hr_status status = start_writer(&writer, settings, from, error);
    wire.from = from;
    if (status == HR_OK)
        status = hr_bench_wire_run(&wire, measure_out, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&writer, START_NS, error);
    else if (status == HR_PEER_LOST)
        status = ask_why(&writer, error);
    if (status == HR_OK)
        status = hr_bench_measure_hear(writer.text + writer.taken, &sent, error);
    if (status == HR_OK)
        measure_out->cpu_seconds[HR_BENCH_SENDER] = sent.cpu_seconds[0];
    hr_bench_child_stop(&writer);
    return status;
}

hr_status hr_bench_run_wire(hr_bench_field *field, const hr_bench_contender *contender,
                            hr_bench_measure *measure_out, hr_error *error)
{
    const hr_bench_settings *settings = field->settings;
    hr_bench_wire wire = wire_of(settings);
    (void)contender;
    if (settings->host != NULL)
        return run_from_host(settings, measure_out, error);
    return hr_bench_wire_run(&wire, measure_out, error);
}
