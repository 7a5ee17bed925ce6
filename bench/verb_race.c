/* SPDX-License-Identifier: Apache-2.0 */
/* What measures: the same race with other contenders, at each point of a sweep. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_report.h"
#include "bench_verbs.h"
#include "chunk_len.h"
#include "demand.h"
#include "live.h"

static bool has_transfers(unsigned verb)
{
    return verb == HR_BENCH_TRANSFER || verb == HR_BENCH_PEERS;
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

/* ---- points and rounds ---- */

static void begin_point(hr_bench_report *report, unsigned index)
{
    hr_bench_race *race = &report->races[index];
    const hr_bench_sweep *sweep = &report->sweep;
    hr_bench_race_begin(race, report->verb, &sweep->points[index].settings);
    if (sweep->parameter[0] != '\0') {
        race->parameter = sweep->parameter;
        race->value = sweep->points[index].value;
    } else if (report->verb == HR_BENCH_WIRE && !report->settings->json &&
               !report->settings->peers) {
        race->measured = tell_round;
    }
    report->race_count = index + 1;
}

/* What no single option can know. */
static hr_status check(const hr_bench_settings *settings, unsigned verb, hr_error *error)
{
    bool on_disk = verb == HR_BENCH_STORAGE || verb == HR_BENCH_PEERS;
    if (on_disk && settings->block_len % 4096 != 0)
        return hr_error_set(error, HR_INVALID,
                            "--block %llu is no multiple of 4096, which O_DIRECT needs; 64K is "
                            "64000, 64KiB is 65536",
                            (unsigned long long)settings->block_len);
    unsigned files = hr_bench_settings_files(settings, verb);
    if (verb == HR_BENCH_STORAGE &&
        (files > HR_BENCH_PIECES_MAX || settings->size / files < HR_CHUNK_LEN))
        return hr_error_set(error, HR_INVALID,
                            "--files %u: at most %d, each of them 4 MiB or longer; --size is %llu",
                            files, HR_BENCH_PIECES_MAX, (unsigned long long)settings->size);
    if (verb == HR_BENCH_WIRE && settings->slots < settings->links)
        return hr_error_set(error, HR_INVALID, "--slots %u is less than --links %u: each needs one",
                            settings->slots, settings->links);
    if (verb == HR_BENCH_WIRE && settings->is_inline && settings->address == NULL)
        return hr_error_set(
            error, HR_INVALID,
            "--inline is for RDMA: name a device's address by --rdma, or --softroce");
    if (settings->host != NULL && settings->source != NULL)
        return hr_error_set(
            error, HR_INVALID,
            "--host starts a server and --source has one already: name one of them");
    if (on_disk && settings->block_len > settings->size)
        return hr_error_set(error, HR_INVALID, "--block %llu is longer than the file (--size %llu)",
                            (unsigned long long)settings->block_len,
                            (unsigned long long)settings->size);
    return HR_OK;
}

static hr_status run_point(hr_bench_report *report, hr_bench_field *field, unsigned index,
                           hr_error *error)
{
    const hr_bench_settings *settings = &report->sweep.points[index].settings;
    hr_status status = hr_bench_field_prepare(field, report->verb, settings, error);
    if (status != HR_OK)
        return status;
    report->has_files =
        hr_bench_field_has_files(report->verb, settings) && !hr_bench_is_served_elsewhere(settings);
    report->direct = field->material != NULL && field->material->direct;
    return hr_bench_race_round(&report->races[index], field);
}

/* All rounds of the points from first on, in turn. */
static hr_status run_points(hr_bench_report *report, hr_bench_field *field, unsigned first,
                            hr_error *error)
{
    hr_status status = HR_OK;
    for (unsigned i = first; i < report->sweep.count && status == HR_OK; i++) {
        begin_point(report, i);
        status = hr_bench_field_make(field, report->verb, &report->sweep.points[i].settings, error);
    }
    for (unsigned round = 0; round < report->settings->rounds && status == HR_OK; round++)
        for (unsigned i = first; i < report->sweep.count && status == HR_OK; i++)
            status = run_point(report, field, i, error);
    return status;
}

/* ---- how many accelerators ---- */

/* The point at which so many were measured; where none was it is. */
static hr_status try_accelerators(hr_bench_report *report, hr_bench_field *field, unsigned count,
                                  unsigned *point_out, hr_error *error)
{
    char value[16];
    unsigned index = report->sweep.count;
    snprintf(value, sizeof value, "%u", count);
    for (unsigned i = 0; i < index; i++) {
        if (strcmp(report->sweep.points[i].value, value) == 0) {
            *point_out = i;
            return HR_OK;
        }
    }
    *point_out = index;
    hr_status status =
        hr_bench_sweep_add(&report->sweep, report->settings, value, strlen(value), error);
    return status == HR_OK ? run_points(report, field, index, error) : status;
}

static bool is_busy(const hr_bench_report *report, unsigned point, int contender)
{
    hr_bench_spread spread =
        hr_bench_sample_spread(&report->races[point].lanes[contender].utilisations);
    unsigned threshold = hr_bench_demand_of(report->settings).threshold;
    return spread.count > 0 && 100 * spread.median >= threshold;
}

/* Twice as many each time, until it is too many; then between the last two. */
static hr_status find_largest(hr_bench_report *report, hr_bench_field *field, int contender,
                              hr_error *error)
{
    unsigned enough = 0, many = 0, point = 0;
    for (unsigned count = 1; count <= HR_BENCH_ACCELERATORS_MAX;) {
        hr_status status = try_accelerators(report, field, count, &point, error);
        if (status != HR_OK)
            return status;
        if (is_busy(report, point, contender))
            report->largest[contender] = enough = count;
        else
            many = count;
        if (many != 0 && many - enough <= 1)
            break;
        count = many == 0 ? 2 * count : (enough + many) / 2;
    }
    return HR_OK;
}

/* Each point measures both, so that the second search finds most of its own done. */
static hr_status find_accelerators(hr_bench_report *report, hr_bench_field *field, hr_error *error)
{
    report->seeks = true;
    report->sweep.count = 0;
    snprintf(report->sweep.parameter, sizeof report->sweep.parameter, "accelerators");
    hr_status status = find_largest(report, field, HR_BENCH_LOADER_HOST, error);
    if (status == HR_OK && !hr_bench_race_misses(&report->races[0], HR_BENCH_LOADER_GPU))
        status = find_largest(report, field, HR_BENCH_LOADER_GPU, error);
    return status;
}

/* ---- all of it ---- */

static hr_status measure(hr_bench_field *field, hr_bench_report *report, hr_error *error)
{
    bool seeks = report->verb == HR_BENCH_LOADER && report->settings->accelerators == 0 &&
                 report->settings->sweep == NULL;
    hr_status status =
        seeks ? find_accelerators(report, field, error) : run_points(report, field, 0, error);
    if (status == HR_OK && has_transfers(report->verb) && report->settings->sweep == NULL) {
        hr_bench_live(field->settings, "where the time goes");
        for (int i = 0; i < HR_BENCH_WHERES && status == HR_OK; i++)
            status = hr_bench_where_run(&report->wheres[i], field, i);
        hr_bench_live(field->settings, NULL);
    }
    if (status == HR_OK && has_transfers(report->verb) && report->settings->sweep == NULL &&
        !hr_bench_is_served_elsewhere(report->settings)) {
        report->has_limits = true;
        status = hr_bench_limits_run(report->limits, field);
    }
    return status;
}

/* Where all contenders failed in the same way, as a server that is gone makes them, it is that of
 * the verb. */
static const hr_error *common_failure(const hr_bench_report *report)
{
    const hr_error *common = NULL;
    for (unsigned r = 0; r < report->race_count; r++) {
        for (int i = 0; i < HR_BENCH_CONTENDERS; i++) {
            const hr_bench_race *race = &report->races[r];
            const hr_error *failure = &race->lanes[i].failure;
            if (!hr_bench_race_has(race, i) || hr_bench_race_misses(race, i))
                continue;
            if (failure->status == HR_OK || (common != NULL && common->status != failure->status))
                return NULL;
            common = failure;
        }
    }
    return common;
}

static bool any_failed(const hr_bench_report *report)
{
    bool failed = false;
    for (int i = 0; i < HR_BENCH_WHERES; i++)
        failed = failed || report->wheres[i].failure.status != HR_OK;
    for (unsigned r = 0; r < report->race_count; r++)
        failed = failed || hr_bench_race_failed(&report->races[r]);
    for (int i = 0; i < HR_BENCH_LIMITS && report->has_limits; i++)
        failed = failed || (report->limits[i].failure.status != HR_OK &&
                            report->limits[i].failure.status != HR_INTERRUPTED);
    return failed;
}

/* An interruption outweighs a failure, and that a missed target. */
static hr_status conclude(const hr_bench_report *report, hr_status status, hr_error *error)
{
    const hr_bench_settings *settings = report->settings;
    char bound[200];
    if (status == HR_INTERRUPTED)
        return hr_error_set(error, status, "interrupted; this is what was measured until then");
    if (status != HR_OK)
        return status;
    if (common_failure(report) != NULL) {
        *error = *common_failure(report);
        return error->status;
    }
    if (any_failed(report))
        return hr_error_set(error, HR_PARTIAL, "some measurements failed");
    if (hr_bench_report_breaks(report, settings->min_rate, settings->max_latency_ns, bound,
                               sizeof bound))
        return hr_error_set(error, HR_PARTIAL, "%s", bound);
    if (settings->gate && hr_bench_report_misses(report))
        return hr_error_set(error, HR_PARTIAL, "a target is missed, or a rate is impossible");
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

/* Something was measured, in whole or in part, or could have been. */
static bool has_results(const hr_bench_report *report, hr_status status)
{
    return status == HR_OK || status == HR_INTERRUPTED ||
           (report->race_count > 0 && report->races[0].rounds > 0);
}

hr_status hr_bench_verb_race(const hr_bench_settings *settings, unsigned verb, hr_error *error)
{
    static hr_bench_report report;
    static hr_bench_field field;
    field = (hr_bench_field){.settings = settings};
    report =
        (hr_bench_report){.settings = settings, .verb = verb, .machine = hr_bench_machine_read()};
    report.races = calloc(HR_BENCH_POINTS_MAX, sizeof *report.races);
    if (report.races == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "measuring: out of memory");
    hr_status status = hr_bench_sweep_plan(&report.sweep, settings, error);
    for (unsigned i = 0; i < report.sweep.count && status == HR_OK; i++) {
        const hr_bench_settings *point = &report.sweep.points[i].settings;
        field.longest = point->size > field.longest ? point->size : field.longest;
        status = check(point, verb, error);
    }
    if (status == HR_OK && settings->output != NULL)
        status = hr_bench_save_check(settings->output, error);
    if (status == HR_OK)
        status = measure(&field, &report, error);
    if (has_results(&report, status)) {
        hr_error telling = {0};
        hr_status told = tell(&report, &telling);
        status = conclude(&report, status, error);
        if (told != HR_OK && status == HR_OK) {
            *error = telling;
            status = told;
        }
    }
    hr_bench_field_release(&field);
    free(report.races);
    return status;
}
