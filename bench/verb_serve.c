/* SPDX-License-Identifier: Apache-2.0 */
/* The two sides of a measurement that are on other machines: files that are served, and a client.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "await.h"
#include "bench_verbs.h"
#include "client.h"
#include "env.h"
#include "field.h"
#include "wire.h"

/* Only one that somebody holds the other end of can end: not a terminal, not /dev/null. */
static bool has_starter(void)
{
    struct stat info;
    return fstat(STDIN_FILENO, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode));
}

static hr_status await_end(void)
{
    char line[64];
    hr_status status;
    do {
        status = hr_bench_await(has_starter() ? STDIN_FILENO : -1, HR_NEVER);
    } while (status == HR_OK && read(STDIN_FILENO, line, sizeof line) > 0);
    return status;
}

hr_status hr_bench_verb_serve(const hr_bench_settings *settings, hr_error *error)
{
    static hr_bench_field field;
    field.settings = settings;
    unsigned verb = settings->trains ? HR_BENCH_LOADER : HR_BENCH_FANOUT;
    hr_status status = hr_bench_await_open();
    if (status != HR_OK)
        return hr_error_set(error, status, "taking signals: %s", hr_status_text(status));
    status = hr_bench_field_prepare(&field, verb, settings, error);
    if (status == HR_OK) {
        const char *address = field.serving.address, *colon = strrchr(address, ':');
        printf(
            "{\"type\":\"serving\",\"address\":\"%s\",\"port\":%s,\"source\":\"hr://%s/shards/%s\"}"
            "\n",
            address, colon != NULL ? colon + 1 : "0", address, settings->trains ? "tree" : "small");
        fflush(stdout);
        status = await_end();
        /* To be told to stop is how it ends. */
        status = status == HR_INTERRUPTED ? HR_OK : status;
    }
    hr_bench_field_release(&field);
    return status;
}

hr_status hr_bench_verb_listen(const hr_bench_settings *settings, hr_error *error)
{
    hr_bench_wire wire = {.congestion = settings->congestion, .address = settings->address};
    hr_status status = hr_bench_await_open();
    if (status != HR_OK)
        return hr_error_set(error, status, "taking signals: %s", hr_status_text(status));
    return hr_bench_wire_serve(&wire, settings->listen, settings->once, error);
}

int hr_bench_verb_client(const hr_bench_settings *settings, const char *source)
{
    hr_bench_client_job job = {
        .settings = settings,
        .number = settings->number,
        .trains = settings->trains,
        .to_gpu = settings->to_gpu,
    };
    snprintf(job.source, sizeof job.source, "%s", source);
    return hr_status_exit_code(hr_bench_client_run(&job));
}
