/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <stdio.h>
#include <string.h>

#include "env.h"
#include "starter.h"

/* ---- its session ---- */

/* "hr://host[:port]/path" */
static hr_status split_source(hr_bench_client *client)
{
    const char *source = client->job->source;
    const char *host = strncmp(source, "hr://", 5) == 0 ? source + 5 : NULL;
    const char *slash = host != NULL ? strchr(host, '/') : NULL;
    if (slash == NULL || slash == host || slash[1] == '\0')
        return hr_error_set(&client->error, HR_INVALID,
                            "%s is no source: it is hr://HOST:PORT/EXPORT/PATH", source);
    int len = (int)(slash - host);
    snprintf(client->address, sizeof client->address, "%.*s", len, host);
    const char *colon = strrchr(client->address, ':');
    if (colon == NULL || strchr(colon, ']') != NULL)
        snprintf(client->address + len, sizeof client->address - (size_t)len, ":%d",
                 HR_PORT_DEFAULT);
    client->path = slash + 1;
    return HR_OK;
}

static hr_status open_client(hr_bench_client *client)
{
    const hr_bench_settings *settings = client->job->settings;
    /* Each stands for a machine: one worker is what it has. */
    hr_engine_options engine_options = {.workers = 1};
    hr_client_options options = {
        .address = client->address,
        .trust = {.insecure = settings->insecure, .key_path = settings->key},
    };
    hr_status status = split_source(client);
    if (status == HR_OK)
        status = hr_engine_create(&engine_options, &client->engine, &client->error);
    if (status == HR_OK)
        status = hr_client_open(client->engine, &options, &client->client, &client->error);
    return status;
}

static hr_status fetch(hr_bench_client *client, uint64_t *bytes_out)
{
    hr_get_options options = {.path = client->path, .target_host = true};
    hr_get *get;
    hr_status status = hr_get_start(client->client, &options, &get, &client->error);
    if (status != HR_OK)
        return status;
    while (hr_get_status(get) == HR_AGAIN)
        hr_engine_step(client->engine, HR_WAIT_FOREVER);
    status = hr_get_status(get);
    *bytes_out = hr_get_count(get).bytes_verified;
    if (status != HR_OK)
        client->error = *hr_get_error(get);
    else if (client->note[0] == '\0')
        snprintf(client->note, sizeof client->note, "%.380s", hr_get_path(get));
    hr_get_destroy(get);
    return status;
}

/* ---- over and over ---- */

static hr_status fetch_for_a_while(hr_bench_client *client, hr_bench_measure *measure_out)
{
    uint64_t bytes = 0, fetched = 0, items = 0;
    hr_status status = fetch(client, &bytes);
    if (status == HR_OK)
        status = hr_bench_starter_await();
    hr_bench_meter start = hr_bench_meter_read();
    uint64_t at_ns = start.at_ns, end_ns = at_ns + client->job->settings->duration_ns;
    while (status == HR_OK && at_ns < end_ns && !hr_bench_starter_is_gone()) {
        uint64_t began_ns = at_ns;
        status = fetch(client, &bytes);
        at_ns = hr_now_ns(hr_env_system());
        hr_bench_histogram_add(&client->latency, at_ns - began_ns);
        fetched += bytes;
        items++;
    }
    *measure_out = hr_bench_meter_since(&start, fetched);
    measure_out->items = items;
    return status;
}

hr_status hr_bench_client_run(void *context)
{
    static hr_bench_client client;
    hr_bench_measure measure = {.bytes = 0};
    client = (hr_bench_client){.job = context};
    hr_status status = open_client(&client);
    if (status == HR_OK)
        status = client.job->trains ? hr_bench_client_train(&client, &measure)
                                    : fetch_for_a_while(&client, &measure);
    if (status == HR_OK) {
        snprintf(measure.note, sizeof measure.note, "%s", client.note);
        measure.line = hr_bench_line_to("/sys", client.job->source);
        measure.latency = &client.latency;
        hr_bench_measure_tell(&measure);
    } else if (status != HR_INTERRUPTED) {
        fprintf(stderr, "headrace-bench: %s\n",
                client.error.text[0] != '\0' ? client.error.text : hr_status_text(status));
    }
    hr_client_destroy(client.client);
    hr_engine_destroy(client.engine);
    return status;
}
