/* SPDX-License-Identifier: Apache-2.0 */
/* What measures: the same race with other contenders. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_report.h"
#include "bench_verbs.h"
#include "live.h"

static bool needs_server(unsigned verb)
{
    return verb == HR_BENCH_TRANSFER || verb == HR_BENCH_PEERS;
}

static bool needs_files(unsigned verb)
{
    return verb == HR_BENCH_STORAGE || needs_server(verb);
}

static hr_status prepare(hr_bench_field *field, unsigned verb, hr_error *error)
{
    const hr_bench_settings *settings = field->settings;
    if (!needs_files(verb))
        return HR_OK;
    hr_bench_live(settings, "making files in %s", settings->directory);
    hr_status status = hr_bench_material_make(&field->material, settings->directory, settings->size,
                                              needs_server(verb) ? settings->big_size : 0, error);
    if (status == HR_OK && needs_server(verb))
        status = hr_bench_serving_start(&field->serving, settings->program, field->material.shards,
                                        error);
    hr_bench_live(settings, NULL);
    return status;
}

/* A wire is watched, as it were: its rounds are told as they come. */
static void tell_round(const hr_bench_race *race, const hr_bench_measure *measure)
{
    if (race->rounds == 0)
        printf("%5s %15s %8s %7s %22s\n", "round", "bytes", "seconds", "GB/s",
               "CPU-s/GB send receive");
    printf("%5u %15llu %8.2f %7.2f %14.3f %7.3f\n", race->rounds + 1,
           (unsigned long long)measure->bytes, measure->seconds, hr_bench_rate(measure),
           hr_bench_side_cost(measure, HR_BENCH_SENDER),
           hr_bench_side_cost(measure, HR_BENCH_RECEIVER));
    fflush(stdout);
}

static hr_status measure(hr_bench_field *field, unsigned verb, hr_bench_report *report)
{
    if (verb == HR_BENCH_WIRE && !field->settings->json)
        report->race.measured = tell_round;
    hr_status status = hr_bench_race_run(&report->race, verb, field);
    if (status == HR_OK && needs_server(verb)) {
        hr_bench_live(field->settings, "where the time goes");
        status = hr_bench_where_run(&report->where, field);
        hr_bench_live(field->settings, NULL);
    }
    if (status == HR_OK && needs_server(verb)) {
        report->has_limits = true;
        status = hr_bench_limits_run(report->limits, field);
    }
    return status;
}

/* The failure of the only contender is that of the verb. */
static const hr_error *only_failure(const hr_bench_race *race)
{
    const hr_error *failure = NULL;
    unsigned count = 0;
    for (int i = 0; i < HR_BENCH_CONTENDERS; i++) {
        if (!hr_bench_race_has(race, i))
            continue;
        failure = &race->lanes[i].failure;
        count++;
    }
    return count == 1 && failure->status != HR_OK ? failure : NULL;
}

/* An interruption outweighs a failure, and that a missed target. */
static hr_status conclude(const hr_bench_report *report, hr_status status, hr_error *error)
{
    bool failed = hr_bench_race_failed(&report->race) || report->where.failure.status != HR_OK;
    for (int i = 0; i < HR_BENCH_LIMITS && report->has_limits; i++)
        failed = failed || (report->limits[i].failure.status != HR_OK &&
                            report->limits[i].failure.status != HR_INTERRUPTED);
    if (status == HR_INTERRUPTED)
        return hr_error_set(error, status, "interrupted; this is what was measured until then");
    if (only_failure(&report->race) != NULL) {
        *error = *only_failure(&report->race);
        return error->status;
    }
    if (failed)
        return hr_error_set(error, HR_PARTIAL, "some measurements failed");
    if (report->settings->gate && hr_bench_report_misses(report))
        return hr_error_set(error, HR_PARTIAL, "a target is missed");
    return HR_OK;
}

/* On stdout, and where --output wants it. */
static hr_status tell(const hr_bench_report *report, hr_error *error)
{
    const hr_bench_settings *settings = report->settings;
    json_t *object = hr_bench_report_json(report);
    char *text = object != NULL ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(object);
    if (text == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "writing the result: out of memory");
    if (settings->json)
        puts(text);
    else
        hr_bench_report_print(report);
    hr_status status = HR_OK;
    if (settings->output != NULL)
        status = hr_bench_save(settings->output, text, strlen(text), error);
    free(text);
    return status;
}

hr_status hr_bench_verb_race(const hr_bench_settings *settings, unsigned verb, hr_error *error)
{
    static hr_bench_report report;
    hr_bench_field field = {.settings = settings};
    report = (hr_bench_report){.settings = settings, .machine = hr_bench_machine_read()};
    hr_status status = prepare(&field, verb, error);
    if (status == HR_OK) {
        report.has_files = needs_files(verb);
        report.direct = field.material.direct;
        status = measure(&field, verb, &report);
        hr_status told = tell(&report, error);
        status = told != HR_OK ? told : conclude(&report, status, error);
    }
    hr_bench_serving_stop(&field.serving);
    hr_bench_material_remove(&field.material);
    return status;
}
