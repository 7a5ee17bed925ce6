/* SPDX-License-Identifier: Apache-2.0 */
#include "launch.h"

#include <string.h>

#include "interrupt.h"
#include "output.h"
#include "units.h"

#define FOOTPRINT_ROWS 32

hr_status hr_cli_engine_create(const hr_cli_settings *settings, unsigned workers, bool serves,
                               hr_engine **engine_out, hr_error *error)
{
    hr_engine_options options = {
        .workers = workers != 0 ? workers : settings->workers,
        .worker_pool_len = settings->pool_len,
        .pool_on_demand = !serves,
        .io = (hr_io_choice)settings->io,
        .transport = (hr_transport_choice)settings->transport,
        .rdma =
            {
                .devices = settings->rdma_devices,
                .message_len = (uint32_t)settings->rdma_message_len,
                .send_queue = settings->rdma_queue,
                .ack_timeout = settings->rdma_timeout,
                .retries = settings->rdma_retries,
            },
        .congestion = settings->congestion,
        .log_level = settings->quiet         ? 0
                     : settings->verbose < 2 ? (int)settings->verbose
                                             : 2,
        .log = hr_cli_log,
    };
    hr_engine *engine = NULL;
    hr_status status = hr_engine_create(&options, &engine, error);
    if (status == HR_OK)
        status = hr_engine_start(engine, error);
    if (status != HR_OK) {
        hr_engine_destroy(engine);
        return status;
    }
    hr_cli_interrupt_wakes(engine);
    *engine_out = engine;
    return HR_OK;
}

void hr_cli_engine_destroy(hr_engine *engine)
{
    if (engine == NULL)
        return;
    hr_cli_interrupt_wakes(NULL);
    hr_engine_destroy(engine);
}

hr_trust hr_cli_trust(const hr_cli_settings *settings)
{
    return (hr_trust){
        .insecure = settings->insecure,
        .key_path = settings->key,
        .ca_path = settings->ca,
        .crl_path = settings->crl,
    };
}

hr_status hr_cli_client_open(const hr_cli_settings *settings, hr_engine *engine,
                             const hr_cli_source *source, const char *target,
                             hr_client **client_out, hr_error *error)
{
    hr_client_options options = {
        .address = source->local ? NULL : source->address,
        .local_path = source->local ? source->root : NULL,
        .trust = hr_cli_trust(settings),
        .links = settings->links,
        .require = settings->require,
        .target = target,
    };
    return hr_client_open(engine, &options, client_out, error);
}

static void print_rows(const hr_footprint_row *rows, size_t count)
{
    char text[HR_CLI_UNIT_MAX];
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += rows[i].bytes;
        hr_cli_print("%10s  %-24s %s\n", hr_cli_bytes(text, rows[i].bytes), rows[i].what,
                     rows[i].why);
    }
    hr_cli_print("%10s  in all\n", hr_cli_bytes(text, sum));
}

static void print_rows_json(const hr_footprint_row *rows, size_t count)
{
    uint64_t sum = 0;
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        sum += rows[i].bytes;
        json_array_append_new(list, json_pack("{s:s, s:I, s:s}", "what", rows[i].what, "bytes",
                                              (json_int_t)rows[i].bytes, "why", rows[i].why));
    }
    hr_cli_print_json(json_pack("{s:s, s:I, s:o}", "type", "footprint", "bytes_total",
                                (json_int_t)sum, "rows", list));
}

void hr_cli_print_footprint(const hr_cli_settings *settings, const hr_engine *engine, bool gpu)
{
    hr_footprint_row rows[FOOTPRINT_ROWS];
    if (!settings->footprint)
        return;
    size_t count = hr_engine_footprint(engine, rows, FOOTPRINT_ROWS);
    if (gpu)
        count += hr_gpu_footprint(rows + count, FOOTPRINT_ROWS - count);
    if (settings->json)
        print_rows_json(rows, count);
    else
        print_rows(rows, count);
}
