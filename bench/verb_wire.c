/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>

#include "bench_verbs.h"
#include "live.h"
#include "sample.h"
#include "wire.h"

typedef struct wire_rounds {
    hr_bench_measure last;
    hr_bench_sample rates, sender_costs, receiver_costs;
} wire_rounds;

static hr_status run_rounds(const hr_bench_settings *settings, wire_rounds *rounds, hr_error *error)
{
    hr_bench_wire wire = {
        .duration_ns = settings->duration_ns,
        .links = settings->links,
        .digests = settings->digests,
        .congestion = settings->congestion,
    };
    if (!settings->json)
        printf("%5s %15s %8s %7s %22s\n", "round", "bytes", "seconds", "GB/s",
               "CPU-s/GB send receive");
    for (unsigned i = 0; i < settings->rounds; i++) {
        hr_bench_measure *last = &rounds->last;
        hr_bench_live(settings, "round %u of %u", i + 1, settings->rounds);
        hr_status status = hr_bench_wire_run(&wire, last, error);
        hr_bench_live(settings, NULL);
        if (status != HR_OK)
            return status;
        hr_bench_sample_add(&rounds->rates, hr_bench_rate(last));
        hr_bench_sample_add(&rounds->sender_costs, hr_bench_side_cost(last, HR_BENCH_SENDER));
        hr_bench_sample_add(&rounds->receiver_costs, hr_bench_side_cost(last, HR_BENCH_RECEIVER));
        if (settings->json)
            continue;
        printf("%5u %15llu %8.2f %7.2f %14.3f %7.3f\n", i + 1, (unsigned long long)last->bytes,
               last->seconds, hr_bench_rate(last), hr_bench_side_cost(last, HR_BENCH_SENDER),
               hr_bench_side_cost(last, HR_BENCH_RECEIVER));
        fflush(stdout);
    }
    return HR_OK;
}

static void sum_up(const wire_rounds *rounds)
{
    hr_bench_spread rate = hr_bench_sample_spread(&rounds->rates);
    printf(
        "median %.2f GB/s (%.2f .. %.2f), CPU seconds per GB: %.3f sending, %.3f receiving; %s\n",
        rate.median, rate.min, rate.max, hr_bench_sample_spread(&rounds->sender_costs).median,
        hr_bench_sample_spread(&rounds->receiver_costs).median, rounds->last.note);
}

static void sum_up_json(const wire_rounds *rounds)
{
    hr_bench_spread rate = hr_bench_sample_spread(&rounds->rates);
    json_t *rates = json_array();
    for (unsigned i = 0; i < rounds->rates.count; i++)
        json_array_append_new(rates, json_real(rounds->rates.values[i]));
    json_t *object = json_pack(
        "{s:s, s:f, s:f, s:f, s:o, s:f, s:f, s:s}", "type", "wire", "gb_per_second", rate.median,
        "min", rate.min, "max", rate.max, "rounds", rates, "sender_cpu_seconds_per_gb",
        hr_bench_sample_spread(&rounds->sender_costs).median, "receiver_cpu_seconds_per_gb",
        hr_bench_sample_spread(&rounds->receiver_costs).median, "path", rounds->last.note);
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(object);
}

hr_status hr_bench_verb_wire(const hr_bench_settings *settings, hr_error *error)
{
    wire_rounds rounds = {.rates = {.count = 0}};
    hr_status status = run_rounds(settings, &rounds, error);
    if (rounds.rates.count == 0)
        return status;
    if (settings->json)
        sum_up_json(&rounds);
    else
        sum_up(&rounds);
    return status;
}
