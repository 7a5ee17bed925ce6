/* SPDX-License-Identifier: Apache-2.0 */
#include "crowd.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "demand.h"
#include "env.h"
#include "launch.h"

#define START_NS (60 * HR_NS_PER_S) /* a login, a connection, a first fetch */
#define GRACE_NS (60 * HR_NS_PER_S)

typedef struct crowd_member {
    hr_bench_client_job job;
    hr_bench_child child;
} crowd_member;

/* ---- on another host ---- */

static hr_status start_there(crowd_member *member, hr_error *error)
{
    const hr_bench_client_job *job = &member->job;
    const hr_bench_settings *settings = job->settings;
    char host[128];
    hr_bench_launch_words words = {.count = 0};
    hr_bench_words_add(&words, "client", job->source);
    hr_bench_words_add_number(&words, "--seconds", settings->duration_ns / HR_NS_PER_MS, "ms");
    hr_bench_words_add_number(&words, "--number", job->number, "");
    hr_bench_words_add_trust(&words, settings);
    if (job->trains) {
        uint64_t compute_ns = hr_bench_demand_of(settings).compute_ns;
        hr_bench_words_add(&words, "--trains", NULL);
        hr_bench_words_add_demand(&words, settings);
        hr_bench_words_add_number(&words, "--compute", compute_ns / HR_NS_PER_US, "us");
        hr_bench_words_add_number(&words, "--gpu", settings->gpu, "");
        if (job->to_gpu)
            hr_bench_words_add(&words, "--to-gpu", NULL);
    }
    hr_bench_launch_host(settings, job->number, host);
    return hr_bench_launch(&member->child, settings, host, words.list, error);
}

/* ---- all of them ---- */

static hr_status start(crowd_member *member, hr_error *error)
{
    if (member->job.settings->hosts != NULL)
        return start_there(member, error);
    return hr_bench_child_fork(&member->child, "a client", hr_bench_client_run, &member->job,
                               error);
}

static hr_status await_ready(crowd_member *member, hr_error *error)
{
    const char *line;
    hr_status status = hr_bench_child_line(&member->child, START_NS, &line, error);
    if (status == HR_UNSUPPORTED) { /* what a machine lacks is told in its own words */
        *error = (hr_error){0};
        return hr_error_set(error, status, "%s", hr_bench_child_last_words(&member->child));
    }
    if (status != HR_OK || strcmp(line, "ready") == 0)
        return status;
    return hr_error_set(error, HR_PROTOCOL, "client %u says '%.100s' where it should be ready",
                        member->job.number + 1, line);
}

static hr_status begin(crowd_member *members, const hr_bench_crowd *crowd, hr_error *error)
{
    hr_status status = HR_OK;
    for (unsigned i = 0; i < crowd->count && status == HR_OK; i++)
        status = start(&members[i], error);
    for (unsigned i = 0; i < crowd->count && status == HR_OK; i++)
        status = await_ready(&members[i], error);
    for (unsigned i = 0; i < crowd->count && status == HR_OK; i++)
        hr_bench_child_say(&members[i].child, "go\n");
    return status;
}

/* What each host took in by its line, and of what was served here what went out by ours. */
static void add_loads(hr_bench_loads *loads, const hr_bench_field *field, unsigned number,
                      const hr_bench_measure *one)
{
    char host[128] = "this machine";
    double rate = hr_bench_rate(one);
    if (field->settings->hosts != NULL)
        hr_bench_launch_host(field->settings, number, host);
    hr_bench_loads_add(loads, host, &one->line, rate);
    if (field->settings->hosts == NULL || field->serving.server.pid == 0)
        return;
    hr_bench_line out = hr_bench_line_to("/sys", host);
    hr_bench_loads_add(loads, "this machine", &out, rate);
}

typedef struct rate_range {
    double least, most; /* of the clients' rates */
} rate_range;

/* The slowest clock counts for the rate of all. */
static void add_measure(hr_bench_measure *sum, const hr_bench_measure *one, rate_range *rates)
{
    double rate = hr_bench_rate(one);
    rates->least = sum->bytes == 0 ? rate : fmin(rates->least, rate);
    rates->most = fmax(rates->most, rate);
    sum->bytes += one->bytes;
    sum->items += one->items;
    sum->seconds = fmax(sum->seconds, one->seconds);
    sum->cpu_seconds[HR_BENCH_RECEIVER] += one->cpu_seconds[0];
    sum->utilisation += one->utilisation;
    sum->measuring_seconds = fmax(sum->measuring_seconds, one->measuring_seconds);
}

static hr_status hear(crowd_member *members, const hr_bench_crowd *crowd,
                      const hr_bench_field *field, hr_bench_measure *sum, hr_error *error)
{
    static hr_bench_loads loads;
    uint64_t duration_ns = field->settings->duration_ns;
    rate_range rates = {0};
    hr_bench_measure one = {.latency = sum->latency};
    loads = (hr_bench_loads){.count = 0};
    for (unsigned i = 0; i < crowd->count; i++) {
        hr_bench_child *child = &members[i].child;
        hr_status status = hr_bench_child_wait(child, duration_ns + GRACE_NS, error);
        if (status == HR_OK)
            status = hr_bench_measure_hear(child->text + child->taken, &one, error);
        if (status != HR_OK)
            return status;
        add_measure(sum, &one, &rates);
        add_loads(&loads, field, i, &one);
    }
    (void)hr_bench_loads_are_impossible(&loads, sum->impossible);
    sum->utilisation /= crowd->count;
    snprintf(sum->note, sizeof sum->note, "%.380s; %u %s, the slowest %.3f GB/s, the fastest %.3f",
             one.note, crowd->count, crowd->trains ? "accelerators" : "clients", rates.least,
             rates.most);
    return HR_OK;
}

/* NAN: it is elsewhere. */
static double server_cpu_seconds(const hr_bench_field *field)
{
    return field->serving.server.pid != 0 ? hr_bench_child_cpu_seconds(&field->serving.server)
                                          : NAN;
}

hr_status hr_bench_crowd_run(hr_bench_field *field, const hr_bench_crowd *crowd,
                             hr_bench_measure *measure_out, hr_error *error)
{
    static crowd_member members[HR_BENCH_CROWD_MAX];
    hr_bench_measure sum = {.latency = measure_out->latency};
    memset(members, 0, sizeof members);
    for (unsigned i = 0; i < crowd->count; i++) {
        hr_bench_client_job *job = &members[i].job;
        *job = (hr_bench_client_job){
            .settings = field->settings,
            .number = i,
            .trains = crowd->trains,
            .to_gpu = crowd->to_gpu,
        };
        snprintf(job->source, sizeof job->source, "%s", crowd->source);
    }
    hr_status status = begin(members, crowd, error);
    double before = server_cpu_seconds(field);
    if (status == HR_OK)
        status = hear(members, crowd, field, &sum, error);
    sum.cpu_seconds[HR_BENCH_SENDER] = server_cpu_seconds(field) - before;
    for (unsigned i = 0; i < crowd->count; i++)
        hr_bench_child_stop(&members[i].child);
    if (status == HR_OK)
        *measure_out = sum;
    return status;
}
