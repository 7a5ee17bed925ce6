/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

#include "env.h"

double hr_bench_rate(const hr_bench_measure *measure)
{
    return measure->seconds > 0 ? (double)measure->bytes / 1e9 / measure->seconds : 0;
}

double hr_bench_item_rate(const hr_bench_measure *measure)
{
    return measure->seconds > 0 ? (double)measure->items / measure->seconds : 0;
}

double hr_bench_side_cost(const hr_bench_measure *measure, int side)
{
    return measure->bytes > 0 ? measure->cpu_seconds[side] / ((double)measure->bytes / 1e9) : 0;
}

hr_bench_meter hr_bench_meter_read(void)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    return (hr_bench_meter){
        .at_ns = hr_now_ns(hr_env_system()),
        .cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
    };
}

hr_bench_measure hr_bench_meter_since(const hr_bench_meter *start, uint64_t bytes)
{
    hr_bench_meter now = hr_bench_meter_read();
    return (hr_bench_measure){
        .bytes = bytes,
        .seconds = (double)(now.at_ns - start->at_ns) / 1e9,
        .cpu_seconds = {now.cpu_seconds - start->cpu_seconds},
    };
}

/* What it takes to know how long a request took, here and now. */
static double seconds_of_one(void)
{
    enum { TIMES = 4096 };
    static hr_bench_histogram scratch;
    uint64_t start_ns = hr_now_ns(hr_env_system()), now_ns = start_ns;
    for (int i = 0; i < TIMES; i++) {
        now_ns = hr_now_ns(hr_env_system());
        hr_bench_histogram_add(&scratch, now_ns - start_ns);
    }
    return (double)(now_ns - start_ns) / 1e9 / TIMES;
}

void hr_bench_measure_tell(const hr_bench_measure *measure)
{
    static char latency[32 * HR_BENCH_BUCKETS];
    double measuring =
        measure->latency != NULL ? (double)measure->latency->total * seconds_of_one() : 0;
    json_t *object =
        json_pack("{s:I, s:f, s:f, s:I, s:f, s:f, s:s, s:f, s:s}", "bytes",
                  (json_int_t)measure->bytes, "seconds", measure->seconds, "cpu_seconds",
                  measure->cpu_seconds[0], "items", (json_int_t)measure->items, "utilisation",
                  measure->utilisation, "measuring_seconds", measuring, "line", measure->line.name,
                  "line_gb_per_second", measure->line.gb_per_second, "note", measure->note);
    if (measure->latency != NULL) {
        hr_bench_histogram_tell(measure->latency, latency, sizeof latency);
        json_object_set_new(object, "latency", json_string(latency));
    }
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(object);
}

static bool hear_latency(const json_t *object, hr_bench_histogram *latency)
{
    const char *text = json_string_value(json_object_get(object, "latency"));
    return text == NULL || latency == NULL || hr_bench_histogram_hear(text, latency);
}

hr_status hr_bench_measure_hear(const char *text, hr_bench_measure *measure, hr_error *error)
{
    json_int_t bytes, items;
    double seconds, cpu_seconds, utilisation, measuring, carries;
    const char *note, *line;
    hr_bench_histogram *latency = measure->latency;
    json_t *object = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
    if (json_unpack(object, "{s:I, s:F, s:F, s:I, s:F, s:F, s:s, s:F, s:s}", "bytes", &bytes,
                    "seconds", &seconds, "cpu_seconds", &cpu_seconds, "items", &items,
                    "utilisation", &utilisation, "measuring_seconds", &measuring, "line", &line,
                    "line_gb_per_second", &carries, "note", &note) != 0 ||
        bytes < 0 || items < 0 || !(seconds >= 0) || !hear_latency(object, latency)) {
        json_decref(object);
        return hr_error_set(error, HR_INTERNAL,
                            "a measuring process did not tell its result, but: %.100s", text);
    }
    *measure = (hr_bench_measure){
        .bytes = (uint64_t)bytes,
        .seconds = seconds,
        .cpu_seconds = {cpu_seconds},
        .items = (uint64_t)items,
        .utilisation = utilisation,
        .measuring_seconds = measuring,
        .line = {.gb_per_second = carries},
        .latency = latency,
    };
    snprintf(measure->line.name, sizeof measure->line.name, "%s", line);
    snprintf(measure->note, sizeof measure->note, "%s", note);
    json_decref(object);
    return HR_OK;
}
