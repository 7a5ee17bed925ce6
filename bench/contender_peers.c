/* SPDX-License-Identifier: Apache-2.0 */
/* The tools that people know, asked for the same: the same congestion control, requests of the size
 * of a chunk, as many under way, past the page cache, and on the disk when it is over. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "child.h"
#include "contender.h"
#include "env.h"
#include "tool_output.h"

#define PORT_MAX 8
#define START_NS (10 * HR_NS_PER_S)
#define FILE_NS  (600 * HR_NS_PER_S)

/* ---- iperf3 ---- */

/* One that was free a moment ago: iperf3 cannot be asked which it took. */
static void find_port(char port_out[PORT_MAX])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        address.sin_port = htons(5201); /* its own */
    if (fd >= 0)
        close(fd);
    snprintf(port_out, PORT_MAX, "%u", ntohs(address.sin_port));
}

static hr_status start_iperf3_server(hr_bench_child *server, const char *port, hr_error *error)
{
    const char *argv[] = {"iperf3", "--server", "--one-off",    "--bind", "127.0.0.1",
                          "--port", port,       "--forceflush", NULL};
    const char *line;
    hr_status status = hr_bench_child_exec(server, argv, error);
    /* A rule of dashes, then "Server listening on ...": then it does. */
    for (int i = 0; i < 2 && status == HR_OK; i++)
        status = hr_bench_child_line(server, START_NS, &line, error);
    return status;
}

static hr_status run_iperf3_client(const char *port, const char *congestion, uint64_t duration_ns,
                                   hr_bench_measure *measure_out, hr_error *error)
{
    char seconds[24];
    hr_bench_child client = {0};
    hr_error ended = {0};
    snprintf(seconds, sizeof seconds, "%llu", (unsigned long long)(duration_ns / HR_NS_PER_S));
    const char *argv[] = {"iperf3", "--client",     "127.0.0.1", "--port", port, "--time",
                          seconds,  "--congestion", congestion,  "--json", NULL};
    hr_status status = hr_bench_child_exec(&client, argv, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&client, duration_ns + START_NS, &ended);
    /* Why it failed stands in the report. */
    if (status == HR_OK || (status == HR_INTERNAL && client.len > 0))
        status = hr_bench_iperf3_read(client.text, measure_out, error);
    else
        hr_error_set(error, status, "%s", ended.text);
    hr_bench_child_stop(&client);
    return status;
}

hr_status hr_bench_run_iperf3(hr_bench_field *field, const hr_bench_contender *contender,
                              hr_bench_measure *measure_out, hr_error *error)
{
    char port[PORT_MAX];
    hr_bench_child server = {0};
    find_port(port);
    hr_status status = start_iperf3_server(&server, port, error);
    if (status == HR_OK)
        status = run_iperf3_client(port, contender->congestion, field->settings->duration_ns,
                                   measure_out, error);
    hr_bench_child_stop(&server);
    return status;
}

/* ---- fio ---- */

static hr_status run_fio(const char *const *argv, hr_bench_measure *measure_out, hr_error *error)
{
    hr_bench_child child = {0};
    hr_status status = hr_bench_child_exec(&child, argv, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&child, FILE_NS, error);
    if (status == HR_OK)
        status = hr_bench_fio_read(child.text, measure_out, error);
    hr_bench_child_stop(&child);
    return status;
}

#define FIO                                                                                        \
    "fio", "--output-format=json", "--ioengine=io_uring", "--direct=1", "--bs=4M", "--iodepth=8",  \
        "--fixedbufs", "--registerfiles"

/* The storage alone, as the settings want it of both. */
hr_status hr_bench_run_fio_storage(hr_bench_field *field, const hr_bench_contender *contender,
                                   hr_bench_measure *measure_out, hr_error *error)
{
    const hr_bench_settings *settings = field->settings;
    const hr_bench_material *material = &field->material;
    char file[HR_BENCH_PATH_MAX + 16], block[32], depth[32], size[40], rate[40];
    snprintf(file, sizeof file, "--filename=%s",
             contender->writes ? material->target : material->large);
    snprintf(block, sizeof block, "--bs=%llu", (unsigned long long)settings->block_len);
    snprintf(depth, sizeof depth, "--iodepth=%u", settings->depth);
    snprintf(size, sizeof size, "--size=%llu", (unsigned long long)material->size);
    snprintf(rate, sizeof rate, "--rate=%llu", (unsigned long long)settings->rate);
    const char *argv[16] = {"fio",
                            "--output-format=json",
                            "--ioengine=io_uring",
                            "--name=storage",
                            "--registerfiles",
                            file,
                            block,
                            depth,
                            size,
                            settings->buffered ? "--direct=0" : "--direct=1",
                            contender->writes ? "--rw=write" : "--rw=read",
                            contender->writes ? "--end_fsync=1" : "--end_fsync=0"};
    unsigned count = 12;
    if (!settings->plain)
        argv[count++] = "--fixedbufs";
    if (settings->rate != 0)
        argv[count++] = rate;
    return run_fio(argv, measure_out, error);
}

/* Both jobs start together, move the same number of bytes, and the slower one counts. */
hr_status hr_bench_run_fio_copy(hr_bench_field *field, const hr_bench_contender *contender,
                                hr_bench_measure *measure_out, hr_error *error)
{
    char source[HR_BENCH_PATH_MAX + 16], target[HR_BENCH_PATH_MAX + 16], size[40];
    (void)contender;
    snprintf(source, sizeof source, "--filename=%s", field->material.large);
    snprintf(target, sizeof target, "--filename=%s", field->material.target);
    snprintf(size, sizeof size, "--size=%llu", (unsigned long long)field->material.size);
    const char *argv[] = {
        FIO,          size,   "--name=read",   "--rw=read", source, "--name=write",
        "--rw=write", target, "--end_fsync=1", NULL};
    return run_fio(argv, measure_out, error);
}

/* ---- rsync ---- */

/* It reads through the page cache, so the file is taken out of it before; --fsync, because what is
 * only in memory is not there yet. */
hr_status hr_bench_run_rsync(hr_bench_field *field, const hr_bench_contender *contender,
                             hr_bench_measure *measure_out, hr_error *error)
{
    const hr_bench_material *material = &field->material;
    const char *argv[] = {"rsync", "-W", "--fsync", material->large, material->target, NULL};
    hr_bench_child child = {0};
    (void)contender;
    hr_bench_material_drop_cache(material);
    hr_status status = hr_bench_child_exec(&child, argv, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&child, FILE_NS, error);
    if (status == HR_OK) {
        *measure_out = (hr_bench_measure){
            .bytes = material->size,
            .seconds = child.seconds,
            .cpu_seconds = {child.cpu_seconds},
            .note = "through the page cache, which held none of it at the start",
        };
    }
    hr_bench_child_stop(&child);
    hr_bench_material_drop_cache(material);
    return status;
}
