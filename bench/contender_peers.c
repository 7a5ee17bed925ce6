/* SPDX-License-Identifier: Apache-2.0 */
/* The tools that people know, asked for the same: the same congestion control, requests of the size
 * of a chunk, as many under way, past the page cache, and on the disk when it is over. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "await.h"
#include "bytes.h"
#include "child.h"
#include "contender.h"
#include "env.h"
#include "tool_output.h"

#define PORT_MAX 8
#define START_NS (10 * HR_NS_PER_S)
#define FILE_NS  (600 * HR_NS_PER_S)

#define PAIR_TRIES    50
#define PAIR_PAUSE_NS (100 * HR_NS_PER_MS)

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

/* What differs between the races that it takes part in. */
typedef struct iperf3_wish {
    uint64_t duration_ns, message_len; /* 0: its own */
    unsigned links;
    bool both;
    const char *congestion; /* NULL: the system's */
} iperf3_wish;

static hr_status run_iperf3_client(const char *port, const iperf3_wish *wish,
                                   hr_bench_measure *measure_out, hr_error *error)
{
    char seconds[24], links[16], length[24];
    hr_bench_child client = {0};
    hr_error ended = {0};
    /* Whole seconds: 0 is without an end. */
    uint64_t whole = (wish->duration_ns + HR_NS_PER_S - 1) / HR_NS_PER_S;
    snprintf(seconds, sizeof seconds, "%llu", (unsigned long long)whole);
    snprintf(links, sizeof links, "%u", wish->links);
    snprintf(length, sizeof length, "%llu", (unsigned long long)wish->message_len);
    const char *argv[16] = {"iperf3", "--client", "127.0.0.1", "--port",     port,
                            "--time", seconds,    "--json",    "--parallel", links};
    unsigned count = 10;
    if (wish->message_len != 0) {
        argv[count++] = "--length";
        argv[count++] = length;
    }
    if (wish->both)
        argv[count++] = "--bidir";
    if (wish->congestion != NULL) {
        argv[count++] = "--congestion";
        argv[count++] = wish->congestion;
    }
    hr_status status = hr_bench_child_exec(&client, argv, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&client, wish->duration_ns + START_NS, &ended);
    /* Why it failed stands in the report. */
    if (status == HR_OK || (status == HR_INTERNAL && client.len > 0))
        status = hr_bench_iperf3_read(client.text, measure_out, error);
    else
        hr_error_set(error, status, "%s", ended.text);
    hr_bench_child_stop(&client);
    return status;
}

static hr_status run_iperf3(const iperf3_wish *wish, hr_bench_measure *measure_out, hr_error *error)
{
    char port[PORT_MAX];
    hr_bench_child server = {0};
    find_port(port);
    hr_status status = start_iperf3_server(&server, port, error);
    if (status == HR_OK)
        status = run_iperf3_client(port, wish, measure_out, error);
    hr_bench_child_stop(&server);
    return status;
}

hr_status hr_bench_run_iperf3(hr_bench_field *field, const hr_bench_contender *contender,
                              hr_bench_measure *measure_out, hr_error *error)
{
    iperf3_wish wish = {.duration_ns = field->settings->duration_ns,
                        .links = 1,
                        .congestion = contender->congestion};
    return run_iperf3(&wish, measure_out, error);
}

/* As wire was told to. It takes at most 1 MiB at once. */
hr_status hr_bench_run_wire_iperf3(hr_bench_field *field, const hr_bench_contender *contender,
                                   hr_bench_measure *measure_out, hr_error *error)
{
    const hr_bench_settings *settings = field->settings;
    (void)contender;
    iperf3_wish wish = {.duration_ns = settings->duration_ns,
                        .links = settings->links,
                        .both = settings->both,
                        .message_len = hr_min_u64(settings->message_len, 1 << 20),
                        .congestion =
                            settings->congestion != NULL ? settings->congestion : "cubic"};
    return run_iperf3(&wish, measure_out, error);
}

/* ---- ucx_perftest, ib_write_bw: two ends, the second of which tells ---- */

typedef hr_status (*pair_reader)(const char *text, uint64_t message_len,
                                 hr_bench_measure *measure_out, hr_error *error);

static hr_status run_pair(const hr_bench_settings *settings, const char *const *server_argv,
                          const char *const *client_argv, pair_reader read,
                          hr_bench_measure *measure_out, hr_error *error)
{
    hr_bench_child server = {0}, client = {0};
    hr_status status = hr_bench_child_exec(&server, server_argv, error);
    for (int tries = 0; status == HR_OK && tries < PAIR_TRIES; tries++) {
        hr_bench_child_stop(&client);
        status = hr_bench_child_exec(&client, client_argv, error);
        if (status == HR_OK)
            status = hr_bench_child_wait(&client, settings->duration_ns + FILE_NS, error);
        if (status == HR_OK)
            break;
        /* It may not have listened yet, and says nothing when it does. */
        bool again = status == HR_INTERNAL && tries + 1 < PAIR_TRIES;
        if (again && hr_bench_await(-1, hr_now_ns(hr_env_system()) + PAIR_PAUSE_NS) == HR_DEADLINE)
            status = HR_OK;
    }
    if (status == HR_OK)
        status = read(client.text, settings->message_len, measure_out, error);
    hr_bench_child_stop(&client);
    hr_bench_child_stop(&server);
    return status;
}

/* It counts messages, and not seconds. */
static void count_messages(const hr_bench_settings *settings, double bytes_per_s, char out[24])
{
    double wanted = bytes_per_s * (double)settings->duration_ns / 1e9;
    double messages = wanted / (double)settings->message_len;
    snprintf(out, 24, "%.0f", messages < 100 ? 100 : messages > 1e7 ? 1e7 : messages);
}

hr_status hr_bench_run_wire_ucx(hr_bench_field *field, const hr_bench_contender *contender,
                                hr_bench_measure *measure_out, hr_error *error)
{
    const hr_bench_settings *settings = field->settings;
    char port[PORT_MAX], length[24], messages[24];
    (void)contender;
    find_port(port);
    snprintf(length, sizeof length, "%llu", (unsigned long long)settings->message_len);
    count_messages(settings, settings->peer_rate != 0 ? (double)settings->peer_rate : 3e8,
                   messages);
    const char *server[] = {"env", "UCX_TLS=tcp", "UCX_NET_DEVICES=lo", "ucx_perftest", "-p",
                            port,  NULL};
    const char *client[] = {"env",
                            "UCX_TLS=tcp",
                            "UCX_NET_DEVICES=lo",
                            "ucx_perftest",
                            "127.0.0.1",
                            "-p",
                            port,
                            "-t",
                            "ucp_put_bw",
                            "-s",
                            length,
                            "-n",
                            messages,
                            "-w",
                            "10",
                            NULL};
    return run_pair(settings, server, client, hr_bench_ucx_read, measure_out, error);
}

/* Soft-RoCE has an interface for a parent, and no hardware. */
static void note_device(const char *device, hr_bench_measure *measure)
{
    char parent[128];
    snprintf(parent, sizeof parent, "/sys/class/infiniband/%.60s/parent", device);
    snprintf(measure->note, sizeof measure->note, "%s, %.60s, perftest, polling",
             access(parent, F_OK) == 0 ? "soft-RoCE" : "verbs", device);
}

hr_status hr_bench_run_wire_ib(hr_bench_field *field, const hr_bench_contender *contender,
                               hr_bench_measure *measure_out, hr_error *error)
{
    const hr_bench_settings *settings = field->settings;
    char port[PORT_MAX], length[24], messages[24], slots[16], links[16];
    (void)contender;
    find_port(port);
    snprintf(length, sizeof length, "%llu", (unsigned long long)settings->message_len);
    snprintf(slots, sizeof slots, "%u", settings->slots);
    snprintf(links, sizeof links, "%u", settings->links);
    count_messages(settings, settings->peer_rate != 0 ? (double)settings->peer_rate : 1e9,
                   messages);
    /* -R: addresses choose the device, as ours does; -F: whatever the clocks of the cores. */
    const char *server[20] = {"ib_write_bw", "-F",  "-R", "-p",  port, "-s",    length,
                              "-t",          slots, "-q", links, "-n", messages};
    const char *client[20];
    unsigned count = 13;
    if (settings->is_inline) {
        server[count++] = "-I";
        server[count++] = length;
    }
    if (settings->both)
        server[count++] = "-b";
    memcpy(client, server, sizeof server);
    client[count] = settings->address;
    hr_status status = run_pair(settings, server, client, hr_bench_ib_read, measure_out, error);
    if (status == HR_OK) {
        char device[64];
        snprintf(device, sizeof device, "%.60s", measure_out->note);
        note_device(device, measure_out);
    }
    return status;
}

/* ---- fio ---- */

/* Its buffers in huge pages, and aligned to them, as ours are: of small ones a drive with 254
 * segments a request takes two requests for a MiB. By way of env, since only a new process looks at
 * it. */
#define FIO                                                                                        \
    "/usr/bin/env", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1", "fio", "--output-format=json",        \
        "--iomem_align=2m"

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

#define FIO_FILES_MAX ((size_t)HR_BENCH_PIECES_MAX * HR_BENCH_PATH_MAX)

/* It takes them in turn, block by block, as ours does; --size is of all of them. */
static void name_files(const hr_bench_material *material, const char *path,
                       char words_out[FIO_FILES_MAX])
{
    char piece[HR_BENCH_PATH_MAX];
    int len = snprintf(words_out, FIO_FILES_MAX, "--filename=%s", path);
    for (unsigned i = 1; i < material->wish.pieces; i++) {
        hr_bench_material_piece(path, i, piece);
        len += snprintf(words_out + len, FIO_FILES_MAX - (size_t)len, ":%s", piece);
    }
}

/* The storage alone, as the settings want it of both. */
hr_status hr_bench_run_fio_storage(hr_bench_field *field, const hr_bench_contender *contender,
                                   hr_bench_measure *measure_out, hr_error *error)
{
    const hr_bench_settings *settings = field->settings;
    const hr_bench_material *material = field->material;
    char file[FIO_FILES_MAX], block[32], depth[32], size[40], rate[40];
    char batch[40], answers[40];
    name_files(material, contender->writes ? material->target : material->large, file);
    snprintf(block, sizeof block, "--bs=%llu", (unsigned long long)settings->block_len);
    snprintf(depth, sizeof depth, "--iodepth=%u", settings->depth);
    snprintf(size, sizeof size, "--size=%llu", (unsigned long long)hr_bench_field_size(field));
    snprintf(rate, sizeof rate, "--rate=%llu", (unsigned long long)settings->rate);
    /* What is ready goes to the kernel at once, as ours does: neighbours become one request. */
    snprintf(batch, sizeof batch, "--iodepth_batch_submit=%u", settings->depth);
    snprintf(answers, sizeof answers, "--iodepth_batch_complete_max=%u", settings->depth);
    const char *argv[24] = {FIO,
                            "--ioengine=io_uring",
                            "--name=storage",
                            "--registerfiles",
                            file,
                            block,
                            depth,
                            size,
                            settings->buffered || !material->direct ? "--direct=0" : "--direct=1",
                            contender->writes ? "--rw=write" : "--rw=read",
                            contender->writes ? "--end_fsync=1" : "--end_fsync=0"};
    unsigned count = 15;
    if (!settings->plain)
        argv[count++] = "--fixedbufs";
    if (settings->rate != 0) {
        argv[count++] = rate;
    } else {
        argv[count++] = batch;
        argv[count++] = answers;
    }
    return run_fio(argv, measure_out, error);
}

/* Both jobs start together, move the same number of bytes, and the slower one counts. */
hr_status hr_bench_run_fio_copy(hr_bench_field *field, const hr_bench_contender *contender,
                                hr_bench_measure *measure_out, hr_error *error)
{
    char source[HR_BENCH_PATH_MAX + 16], target[HR_BENCH_PATH_MAX + 16], size[40];
    (void)contender;
    snprintf(source, sizeof source, "--filename=%s", field->material->large);
    snprintf(target, sizeof target, "--filename=%s", field->material->target);
    snprintf(size, sizeof size, "--size=%llu", (unsigned long long)hr_bench_field_size(field));
    const char *argv[] = {FIO,
                          "--ioengine=io_uring",
                          field->material->direct ? "--direct=1" : "--direct=0",
                          "--bs=4M",
                          "--iodepth=8",
                          "--iodepth_batch_submit=8",
                          "--iodepth_batch_complete_max=8",
                          "--fixedbufs",
                          "--registerfiles",
                          size,
                          "--name=read",
                          "--rw=read",
                          source,
                          "--name=write",
                          "--rw=write",
                          target,
                          "--end_fsync=1",
                          NULL};
    return run_fio(argv, measure_out, error);
}

/* ---- rsync ---- */

/* It reads through the page cache, so the file is taken out of it before; --fsync, because what is
 * only in memory is not there yet. */
hr_status hr_bench_run_rsync(hr_bench_field *field, const hr_bench_contender *contender,
                             hr_bench_measure *measure_out, hr_error *error)
{
    const hr_bench_material *material = field->material;
    const char *argv[] = {"rsync", "-W", "--fsync", material->large, material->target, NULL};
    hr_bench_child child = {0};
    (void)contender;
    hr_bench_material_drop_cache(material);
    hr_status status = hr_bench_child_exec(&child, argv, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&child, FILE_NS, error);
    if (status == HR_OK) {
        *measure_out = (hr_bench_measure){
            .bytes = hr_bench_field_size(field),
            .seconds = child.seconds,
            .cpu_seconds = {child.cpu_seconds},
            .note = "through the page cache, which held none of it at the start",
        };
    }
    hr_bench_child_stop(&child);
    hr_bench_material_drop_cache(material);
    return status;
}
