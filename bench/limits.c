/* SPDX-License-Identifier: Apache-2.0 */
#include "limits.h"

#include <stdio.h>

#include "await.h"
#include "bytes.h"
#include "env.h"
#include "live.h"

#define FIRST_BYTES 20
#define IDLE_NS     (5 * HR_NS_PER_S)
#define MIB         0x1p20

static hr_status first_byte(hr_bench_field *field, hr_bench_limit *limit, hr_error *error)
{
    hr_bench_sample sample = {.count = 0};
    for (int i = 0; i < FIRST_BYTES; i++) {
        hr_bench_measure measure = {.bytes = 0};
        hr_status status = hr_bench_serving_get(&field->serving, "small", "host:", &measure, error);
        if (status != HR_OK)
            return status;
        hr_bench_sample_add(&sample, measure.first_byte_seconds * 1000);
    }
    hr_bench_spread spread = hr_bench_sample_spread(&sample);
    limit->value = spread.median;
    limit->most = 5;
    snprintf(limit->note, sizeof limit->note,
             "%d gets, %.2f .. %.2f ms, from the request to the first whole chunk", FIRST_BYTES,
             spread.min, spread.max);
    return HR_OK;
}

static hr_status idle_cpu(hr_bench_field *field, hr_bench_limit *limit, hr_error *error)
{
    double before = hr_bench_child_cpu_seconds(&field->serving.server);
    uint64_t idle_ns = hr_min_u64(IDLE_NS, 2 * field->settings->duration_ns);
    hr_status status = hr_bench_await(-1, hr_now_ns(hr_env_system()) + idle_ns);
    if (status != HR_DEADLINE)
        return hr_error_set(error, status, "waiting: %s", hr_status_text(status));
    limit->value = (hr_bench_child_cpu_seconds(&field->serving.server) - before) * 1000;
    limit->most = 0;
    snprintf(limit->note, sizeof limit->note, "in %.1f s without a client, by the clock tick",
             (double)idle_ns / 1e9);
    return HR_OK;
}

static hr_status server_memory(hr_bench_field *field, hr_bench_limit *limit, hr_error *error)
{
    hr_bench_measure measure = {.bytes = 0};
    hr_status status = hr_bench_serving_get(&field->serving, "sparse", "host:", &measure, error);
    if (status != HR_OK)
        return status;
    uint64_t peak = hr_bench_serving_peak(&field->serving);
    if (peak == 0)
        return hr_error_set(error, HR_UNSUPPORTED, "/proc does not tell the peak of its memory");
    limit->value = (double)peak / MIB;
    limit->most = (double)field->serving.pool_len / MIB + 64;
    snprintf(limit->note, sizeof limit->note,
             "the most ever held, after all of the above and a shard of %.1f GiB (at %.2f GB/s); "
             "the pool is %.1f MiB",
             (double)measure.bytes / 0x1p30, hr_bench_rate(&measure),
             (double)field->serving.pool_len / MIB);
    return HR_OK;
}

static const struct {
    hr_bench_limit start;
    hr_status (*run)(hr_bench_field *field, hr_bench_limit *limit, hr_error *error);
} rows[HR_BENCH_LIMITS] = {
    [HR_BENCH_FIRST_BYTE] = {{.name = "first_byte", .title = "time to first byte", .unit = "ms"},
                             first_byte},
    [HR_BENCH_IDLE_CPU] = {{.name = "idle_cpu", .title = "CPU of an idle server", .unit = "ms"},
                           idle_cpu},
    [HR_BENCH_SERVER_MEMORY] =
        {{.name = "server_memory", .title = "memory of the server", .unit = "MiB"}, server_memory},
};

hr_status hr_bench_limits_run(hr_bench_limit limits[HR_BENCH_LIMITS], hr_bench_field *field)
{
    hr_status status = HR_OK;
    for (int i = 0; i < HR_BENCH_LIMITS; i++)
        limits[i] = rows[i].start;
    for (int i = 0; i < HR_BENCH_LIMITS && status != HR_INTERRUPTED; i++) {
        hr_bench_live(field->settings, "%s", limits[i].title);
        status = rows[i].run(field, &limits[i], &limits[i].failure);
        limits[i].measured = status == HR_OK;
    }
    hr_bench_live(field->settings, NULL);
    return status == HR_INTERRUPTED ? status : HR_OK;
}

bool hr_bench_limit_is_met(const hr_bench_limit *limit)
{
    return limit->measured && limit->value <= limit->most;
}
