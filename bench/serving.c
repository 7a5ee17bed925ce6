/* SPDX-License-Identifier: Apache-2.0 */
#include "serving.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env.h"
#include "tool_output.h"

#define START_NS (30 * HR_NS_PER_S)
#define GET_NS   (600 * HR_NS_PER_S)

static hr_status find_program(const char *program, char path_out[HR_BENCH_PROGRAM_MAX],
                              hr_error *error)
{
    char own[HR_BENCH_PROGRAM_MAX];
    if (program == NULL) {
        ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);
        own[len > 0 ? len : 0] = '\0';
        char *slash = strrchr(own, '/');
        snprintf(path_out, HR_BENCH_PROGRAM_MAX, "%.*s/headrace",
                 slash != NULL ? (int)(slash - own) : 0, own);
    } else {
        snprintf(path_out, HR_BENCH_PROGRAM_MAX, "%s", program);
    }
    if (access(path_out, X_OK) == 0)
        return HR_OK;
    return hr_error_set(error, HR_NOT_FOUND,
                        "%s cannot be run: build it, or name another with --program", path_out);
}

static hr_status hear_start(hr_bench_serving *serving, hr_error *error)
{
    const char *line;
    hr_status status = hr_bench_child_line(&serving->server, START_NS, &line, error);
    if (status == HR_OK)
        status = hr_bench_listening_read(line, serving->address, error);
    if (status == HR_OK)
        status = hr_bench_child_line(&serving->server, START_NS, &line, error);
    if (status == HR_OK)
        status = hr_bench_footprint_read(line, &serving->pool_len, error);
    return status;
}

/* How the server is to be reached, and who by. */
static void add_trust(const hr_bench_settings *settings, const char **argv, unsigned *count)
{
    if (settings->insecure)
        argv[(*count)++] = "--insecure";
    if (settings->key != NULL) {
        argv[(*count)++] = "--key";
        argv[(*count)++] = settings->key;
    }
}

/* Over RDMA at the device's address, since the way there is what chooses a device. */
static void name_listen(const hr_bench_settings *settings, char listen_out[80])
{
    const char *address = settings->address;
    if (settings->listen != NULL)
        snprintf(listen_out, 80, "%s", settings->listen);
    else if (address != NULL)
        snprintf(listen_out, 80, strchr(address, ':') != NULL ? "[%.70s]:0" : "%.70s:0", address);
    else
        snprintf(listen_out, 80, "127.0.0.1:0");
}

hr_status hr_bench_serving_start(hr_bench_serving *serving, const hr_bench_settings *settings,
                                 const char *shards, hr_error *error)
{
    *serving = (hr_bench_serving){.settings = settings};
    hr_status status = find_program(settings->program, serving->program, error);
    if (status != HR_OK)
        return status;
    char listen[80];
    name_listen(settings, listen);
    const char *argv[16] = {serving->program, "serve",    shards,     "--footprint",
                            "--json",         "--stages", "--listen", listen};
    unsigned count = 8;
    add_trust(settings, argv, &count);
    status = hr_bench_child_exec_own(&serving->server, argv, error);
    if (status == HR_OK)
        status = hear_start(serving, error);
    if (status != HR_OK)
        hr_bench_serving_stop(serving);
    return status;
}

hr_status hr_bench_serving_join(hr_bench_serving *serving, const hr_bench_settings *settings,
                                const char *source, hr_error *error)
{
    *serving = (hr_bench_serving){.settings = settings, .elsewhere = source};
    return find_program(settings->program, serving->program, error);
}

hr_status hr_bench_serving_pack(const hr_bench_settings *settings, const char *tree,
                                const char *codec, const char *packed, hr_error *error)
{
    char program[HR_BENCH_PROGRAM_MAX];
    hr_bench_child child = {0};
    hr_status status = find_program(settings->program, program, error);
    const char *argv[] = {program, "pack", tree, packed, "--codec", codec, "--quiet", NULL};
    if (status == HR_OK)
        status = hr_bench_child_exec_own(&child, argv, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&child, GET_NS, error);
    hr_bench_child_stop(&child);
    return status;
}

static double server_cpu_seconds(const hr_bench_serving *serving)
{
    return serving->elsewhere != NULL ? NAN : hr_bench_child_cpu_seconds(&serving->server);
}

/* argv without its first two, the program and the verb. */
static hr_status get(hr_bench_serving *serving, const char *const *options,
                     hr_bench_measure *measure_out, char **text_out, hr_error *error)
{
    const char *argv[16] = {serving->program, "get"};
    hr_bench_child client = {0};
    hr_bench_measure measure = {.latency = measure_out->latency};
    unsigned count = 2;
    while (options[count - 2] != NULL) {
        argv[count] = options[count - 2];
        count++;
    }
    add_trust(serving->settings, argv, &count);
    if (serving->settings->address != NULL) {
        argv[count++] = "--require";
        argv[count++] = "rdma";
    }
    double before = server_cpu_seconds(serving);
    hr_status status = hr_bench_child_exec_own(&client, argv, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&client, GET_NS, error);
    if (status == HR_OK)
        status = hr_bench_get_read(client.text, &measure, error);
    if (status == HR_OK) {
        measure.peak = client.peak;
        measure.cpu_seconds[HR_BENCH_SENDER] = server_cpu_seconds(serving) - before;
        *measure_out = measure;
    }
    if (status == HR_OK && text_out != NULL) {
        *text_out = strdup(client.text);
        if (*text_out == NULL)
            status = hr_error_set(error, HR_NO_MEMORY, "reading what headrace says: out of memory");
    }
    hr_bench_child_stop(&client);
    return status;
}

static void name_source(const hr_bench_serving *serving, const char *name,
                        char source_out[HR_BENCH_SOURCE_MAX])
{
    if (serving->elsewhere != NULL)
        snprintf(source_out, HR_BENCH_SOURCE_MAX, "%s", serving->elsewhere);
    else
        snprintf(source_out, HR_BENCH_SOURCE_MAX, "hr://%s/shards/%s", serving->address, name);
}

hr_status hr_bench_serving_get(hr_bench_serving *serving, const char *name, const char *target,
                               hr_bench_measure *measure_out, hr_error *error)
{
    char source[HR_BENCH_SOURCE_MAX];
    name_source(serving, name, source);
    const char *options[] = {source, target, "--json", "--quiet", NULL};
    return get(serving, options, measure_out, NULL, error);
}

hr_status hr_bench_serving_get_stages(hr_bench_serving *serving, const char *name,
                                      const char *target, hr_bench_measure *measure_out,
                                      char **text_out, hr_error *error)
{
    char source[HR_BENCH_SOURCE_MAX];
    name_source(serving, name, source);
    const char *options[] = {source, target, "--json", "--quiet", "--stages", NULL};
    return get(serving, options, measure_out, text_out, error);
}

uint64_t hr_bench_serving_peak(const hr_bench_serving *serving)
{
    char path[64], line[256];
    unsigned long long peak_kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", serving->server.pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0)
            peak_kib = strtoull(line + 6, NULL, 10);
    }
    if (file != NULL)
        fclose(file);
    return (uint64_t)peak_kib << 10;
}

void hr_bench_serving_stop(hr_bench_serving *serving)
{
    hr_bench_child_stop(&serving->server);
}
