/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_output.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static hr_status refuse(hr_error *error, const char *program, const char *what)
{
    return hr_error_set(error, HR_PROTOCOL, "%s: its report %s", program, what);
}

/* Some versions of fio write remarks before the JSON, and some after it. */
static json_t *load(const char *text)
{
    const char *start = strchr(text, '{');
    return start != NULL ? json_loads(start, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
}

/* ---- iperf3 ---- */

hr_status hr_bench_iperf3_read(const char *text, hr_bench_measure *measure_out, hr_error *error)
{
    json_t *report = load(text);
    const char *said = NULL;
    const char *congestion = "?";
    double bytes = 0, seconds = 0, host = 0, remote = 0, back = 0;
    hr_status status = HR_OK;
    (void)json_unpack(report, "{s:s}", "error", &said);
    if (said != NULL)
        status = hr_error_set(error, HR_PROTOCOL, "iperf3: %.200s", said);
    else if (json_unpack(report, "{s:{s:{s:F, s:F}, s:{s:F, s:F}}}", "end", "sum_received", "bytes",
                         &bytes, "seconds", &seconds, "cpu_utilization_percent", "host_total",
                         &host, "remote_total", &remote) != 0)
        status = refuse(error, "iperf3", "lacks the sums at its end");
    (void)json_unpack(report, "{s:{s:{s:F}}}", "end", "sum_received_bidir_reverse", "bytes", &back);
    bytes += back;
    if (status == HR_OK &&
        (bytes <= 0 || bytes >= 0x1p63 || seconds <= 0 || host < 0 || remote < 0 || back < 0))
        status = refuse(error, "iperf3", "says that nothing was received");
    if (status == HR_OK) {
        (void)json_unpack(report, "{s:{s:s}}", "end", "sender_tcp_congestion", &congestion);
        *measure_out = (hr_bench_measure){
            .bytes = (uint64_t)bytes,
            .seconds = seconds,
            .cpu_seconds = {host / 100 * seconds, remote / 100 * seconds},
        };
        snprintf(measure_out->note, sizeof measure_out->note, "%.100s", congestion);
    }
    json_decref(report);
    return status;
}

/* ---- fio ---- */

/* Adds one job to the sum. False: it is not as expected. */
static bool add_job(json_t *job, hr_bench_measure *sum, double *written_bytes)
{
    double read_bytes, wrote = 0, read_ms, written_ms, user, system, job_ms;
    int failed = 0;
    if (json_unpack(job, "{s:{s:F, s:F}, s:{s?F, s:F}, s:F, s:F, s:F, s?i}", "read", "io_bytes",
                    &read_bytes, "runtime", &read_ms, "write", "io_bytes", &wrote, "runtime",
                    &written_ms, "usr_cpu", &user, "sys_cpu", &system, "job_runtime", &job_ms,
                    "error", &failed) != 0 ||
        failed != 0 || read_bytes < 0 || read_bytes >= 0x1p62 || wrote < 0 || wrote >= 0x1p62)
        return false;
    *written_bytes += wrote;
    sum->bytes += (uint64_t)read_bytes;
    sum->seconds = fmax(sum->seconds, fmax(read_ms, written_ms) / 1000);
    sum->cpu_seconds[0] += (user + system) / 100 * job_ms / 1000;
    return true;
}

hr_status hr_bench_fio_read(const char *text, hr_bench_measure *measure_out, hr_error *error)
{
    json_t *report = load(text), *job;
    json_t *jobs = json_object_get(report, "jobs");
    const char *version = json_string_value(json_object_get(report, "fio version"));
    hr_bench_measure sum = {.bytes = 0};
    hr_status status = HR_OK;
    double written_bytes = 0;
    size_t i;
    json_array_foreach(jobs, i, job)
    {
        if (!add_job(job, &sum, &written_bytes))
            status = refuse(error, "fio", "names a job that failed or that lacks its sums");
    }
    if (json_array_size(jobs) == 1 && sum.bytes == 0) /* it only wrote */
        sum.bytes = (uint64_t)written_bytes;
    if (status == HR_OK && (sum.bytes == 0 || sum.seconds <= 0))
        status = refuse(error, "fio", "says that nothing was moved");
    if (status == HR_OK) {
        snprintf(sum.note, sizeof sum.note, "%.100s", version != NULL ? version : "fio");
        *measure_out = sum;
    }
    json_decref(report);
    return status;
}

/* ---- headrace ---- */

void hr_bench_path_class(const char *path, char class_out[HR_BENCH_CLASS_MAX])
{
    static const char soft[] = "soft-RoCE";
    /* Of the devices, and not of what else a path tells: why there is no RDMA, where it has none.
     */
    size_t devices_len = strncmp(path, "verbs (", 7) == 0 ? strcspn(path, ")") : 0;
    const char *found = strstr(path, soft);
    bool is_soft = found != NULL && (found == path || found < path + devices_len);
    size_t len = is_soft ? strlen(soft) : strcspn(path, " ,;");
    snprintf(class_out, HR_BENCH_CLASS_MAX, "%.*s", len < HR_BENCH_CLASS_MAX ? (int)len : 0,
             is_soft ? soft : path);
}

static bool is_type(const json_t *object, const char *type)
{
    const char *found = json_string_value(json_object_get(object, "type"));
    return found != NULL && strcmp(found, type) == 0;
}

static hr_status take_summary(json_t *summary, hr_bench_measure *measure_out, hr_error *error)
{
    json_int_t bytes;
    double seconds, cpu_seconds, first_byte;
    const char *path;
    if (json_unpack(summary, "{s:I, s:F, s:F, s:F, s:s}", "bytes_moved", &bytes, "seconds",
                    &seconds, "cpu_seconds", &cpu_seconds, "first_byte_seconds", &first_byte,
                    "path", &path) != 0 ||
        bytes <= 0 || seconds <= 0)
        return refuse(error, "headrace get", "says that nothing has moved");
    *measure_out = (hr_bench_measure){
        .bytes = (uint64_t)bytes,
        .seconds = seconds,
        .cpu_seconds = {[HR_BENCH_RECEIVER] = cpu_seconds},
        .first_byte_seconds = first_byte,
    };
    snprintf(measure_out->note, sizeof measure_out->note, "%.380s", path);
    return HR_OK;
}

hr_status hr_bench_get_read(const char *text, hr_bench_measure *measure_out, hr_error *error)
{
    for (const char *line = text; line != NULL && line[0] != '\0';) {
        json_t *object = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
        if (is_type(object, "summary")) {
            hr_status status = take_summary(object, measure_out, error);
            json_decref(object);
            return status;
        }
        json_decref(object);
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return refuse(error, "headrace get", "has no summary");
}

hr_status hr_bench_listening_read(const char *line, char address_out[64], hr_error *error)
{
    json_t *object = json_loads(line, 0, NULL);
    const char *address = json_string_value(json_object_get(object, "address"));
    hr_status status = HR_OK;
    if (!is_type(object, "listening") || address == NULL || strlen(address) >= 64)
        status = refuse(error, "headrace serve", "does not say where it listens");
    else
        snprintf(address_out, 64, "%s", address);
    json_decref(object);
    return status;
}

hr_status hr_bench_footprint_read(const char *line, uint64_t *slots_len_out, hr_error *error)
{
    json_t *object = json_loads(line, 0, NULL), *row;
    json_t *rows = json_object_get(object, "rows");
    json_int_t len = 0;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        const char *what = json_string_value(json_object_get(row, "what"));
        if (what != NULL && strcmp(what, "slots") == 0)
            len = json_integer_value(json_object_get(row, "bytes"));
    }
    json_decref(object);
    if (len <= 0)
        return refuse(error, "headrace serve", "does not say what its slots take");
    *slots_len_out = (uint64_t)len;
    return HR_OK;
}

hr_status hr_bench_port_read(const char *line, const char *type, unsigned *port_out,
                             hr_error *error)
{
    json_t *object = json_loads(line, 0, NULL);
    json_int_t port = json_integer_value(json_object_get(object, "port"));
    bool listens = is_type(object, type) && port > 0 && port <= UINT16_MAX;
    json_decref(object);
    if (!listens)
        return hr_error_set(error, HR_PROTOCOL,
                            "it says '%.100s' where it should say where it listens", line);
    *port_out = (unsigned)port;
    return HR_OK;
}

/* ---- UCX, perftest: tables for people, since they have nothing else that can be relied upon ----
 */

enum { TABLE_COLUMNS = 4 };

/* The numbers that a line begins with. */
static bool take_columns(const char *line, double columns_out[TABLE_COLUMNS])
{
    for (int i = 0; i < TABLE_COLUMNS; i++) {
        char *end;
        columns_out[i] = strtod(line, &end);
        if (end == line || !(columns_out[i] >= 0 && columns_out[i] < 0x1p53))
            return false;
        line = end;
    }
    return true;
}

hr_status hr_bench_ucx_read(const char *text, uint64_t message_len, hr_bench_measure *measure_out,
                            hr_error *error)
{
    double row[TABLE_COLUMNS]; /* messages, and us each: the median, of late, of all */
    const char *line = strstr(text, "Final:");
    if (line == NULL || !take_columns(line + strlen("Final:"), row))
        return refuse(error, "ucx_perftest", "has no final line");
    if (row[0] < 1 || !(row[3] > 0) || row[0] * (double)message_len >= 0x1p62)
        return refuse(error, "ucx_perftest", "says that nothing was moved");
    uint64_t messages = (uint64_t)row[0];
    *measure_out = (hr_bench_measure){
        .bytes = messages * message_len,
        .items = messages,
        .seconds = row[0] * row[3] / 1e6,
        .latency = measure_out->latency,
    };
    snprintf(measure_out->note, sizeof measure_out->note, "ucp_put_bw over tcp");
    return HR_OK;
}

/* " Dual-port       : OFF		Device         : mlx5_0" */
static void take_device(const char *text, hr_bench_measure *measure)
{
    const char *at = strstr(text, "Device ");
    at = at != NULL ? strchr(at, ':') : NULL;
    at = at != NULL ? at + 1 + strspn(at + 1, " ") : "?";
    snprintf(measure->note, sizeof measure->note, "%.*s", (int)strcspn(at, " \t\r\n"), at);
}

hr_status hr_bench_ib_read(const char *text, uint64_t message_len, hr_bench_measure *measure_out,
                           hr_error *error)
{
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        double row[TABLE_COLUMNS]; /* length, messages, peak, average */
        line += *line == '\n';
        if (!take_columns(line, row) || row[0] != (double)message_len)
            continue;
        double bytes = row[0] * row[1];
        if (!(row[3] > 0) || bytes <= 0 || bytes >= 0x1p62)
            return refuse(error, "ib_write_bw", "says that nothing was moved");
        *measure_out = (hr_bench_measure){
            .bytes = (uint64_t)bytes,
            .items = (uint64_t)row[1],
            .seconds = bytes / (row[3] * 0x1p20),
            .latency = measure_out->latency,
        };
        take_device(text, measure_out);
        return HR_OK;
    }
    return refuse(error, "ib_write_bw", "has no row for this length");
}
