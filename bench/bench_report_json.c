/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench_report.h"
#include "demand.h"
#include "tool_output.h"

/* A round that failed is null, so that rounds of different contenders stay side by side. */
static json_t *values(const hr_bench_sample *sample)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < sample->count; i++)
        json_array_append_new(list, isnan(sample->values[i]) ? json_null()
                                                             : json_real(sample->values[i]));
    return list;
}

static json_t *spread(const hr_bench_spread *of)
{
    if (of->count == 0)
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:i}", "median", of->median, "min", of->min, "max",
                     of->max, "low", of->low, "high", of->high, "count", (int)of->count);
}

static json_t *microseconds(const hr_bench_histogram *latency)
{
    static const struct {
        const char *name;
        double percent;
    } columns[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99_9", 99.9}, {"p99_99", 99.99}};
    if (latency->total == 0)
        return json_null();
    json_t *object = json_pack("{s:I, s:f, s:f, s:f}", "count", (json_int_t)latency->total, "min",
                               (double)latency->min / 1e3, "max", (double)latency->max / 1e3,
                               "mean", hr_bench_histogram_mean(latency) / 1e3);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        json_object_set_new(
            object, columns[i].name,
            json_real((double)hr_bench_histogram_percentile(latency, columns[i].percent) / 1e3));
    return object;
}

/* Of what a get or a wire says; what a contender takes that has only one way. */
static json_t *transport_class(const hr_bench_contender *of, const hr_bench_lane *lane)
{
    if (of->transport != NULL)
        return json_string(of->transport);
    char name[HR_BENCH_CLASS_MAX];
    hr_bench_path_class(lane->note, name);
    return json_string(name);
}

/* Where the bytes end, and by which way they came into a GPU. */
static const char *memory_class(const hr_bench_contender *of, const hr_bench_lane *lane)
{
    if (of->transport == NULL && of->gpu && strstr(lane->note, "pinned slots") != NULL)
        return "pinned bounce";
    return of->memory != NULL ? of->memory : "host";
}

/* What devices counted beside the program, of bytes that were asked for. */
static json_t *counted(const hr_bench_lane *lane, bool from_disk)
{
    const hr_bench_counted *of = &lane->counted;
    double bytes = (double)lane->bytes;
    if (lane->bytes == 0)
        return json_null();
    json_t *object = json_object();
    if (of->has_disk) {
        json_object_set_new(object, "drive_read_bytes_per_byte",
                            json_real((double)of->disk_read / bytes));
        json_object_set_new(object, "drive_written_bytes_per_byte",
                            json_real((double)of->disk_written / bytes));
    }
    if (of->has_network)
        json_object_set_new(object, "network_bytes_per_byte",
                            json_real((double)of->network / bytes));
    if (of->has_disk && from_disk)
        json_object_set_new(object, "cache_percent",
                            json_real(fmax(0, 100 * (1 - (double)of->disk_read / bytes))));
    return object;
}

/* Members that only some have. */
static void add_extras(json_t *object, const hr_bench_race *race, int index)
{
    const hr_bench_lane *lane = &race->lanes[index];
    const hr_bench_contender *of = &hr_bench_contenders[index];
    hr_bench_spread items = hr_bench_sample_spread(&lane->item_rates);
    hr_bench_spread busy = hr_bench_sample_spread(&lane->utilisations);
    json_object_set_new(object, "counted", counted(lane, of->from_disk && !of->writes));
    if (items.count > 0)
        json_object_set_new(object, "items_per_second", spread(&items));
    if (busy.count > 0)
        json_object_set_new(object, "utilisation", spread(&busy));
    if (lane->measuring > 0)
        json_object_set_new(object, "measuring_percent", json_real(100 * lane->measuring));
    if (lane->impossible[0] != '\0')
        json_object_set_new(object, "impossible", json_string(lane->impossible));
    if (lane->failure.status != HR_OK)
        json_object_set_new(object, "failure", json_string(lane->failure.text));
    if (race->parameter != NULL)
        json_object_set_new(object, "sweep",
                            json_pack("{s:s, s:s, s:s, s:s}", "parameter", race->parameter, "value",
                                      race->value, "contender", of->name, "title", of->title));
}

static json_t *contender(const hr_bench_race *race, int index)
{
    char name[64], title[80];
    hr_bench_report_name(race, index, name);
    hr_bench_report_title(race, index, title);
    const hr_bench_lane *lane = &race->lanes[index];
    const hr_bench_contender *of = &hr_bench_contenders[index];
    hr_bench_spread rate = hr_bench_sample_spread(&lane->rates);
    hr_bench_spread sender = hr_bench_sample_spread(&lane->costs[HR_BENCH_SENDER]);
    hr_bench_spread receiver = hr_bench_sample_spread(&lane->costs[HR_BENCH_RECEIVER]);
    json_t *object = json_pack(
        "{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:s}", "name", name, "title", title,
        "missing", lane->missing, "gb_per_second", spread(&rate), "rounds", values(&lane->rates),
        "sender_cpu_seconds_per_gb", spread(&sender), "receiver_cpu_seconds_per_gb",
        spread(&receiver), "latency_us", microseconds(&lane->latency), "in_use", lane->note,
        "transport_class", transport_class(of, lane), "memory_class", memory_class(of, lane));
    if (lane->missing)
        json_object_set_new(object, "why_missing", json_string(lane->why));
    add_extras(object, race, index);
    return object;
}

static json_t *goal(const hr_bench_race *race, const hr_bench_goal *of)
{
    hr_bench_verdict verdict = hr_bench_race_judge(race, of);
    json_t *peers = json_array();
    for (int i = 0; i < (of->peers[0] == of->peers[1] ? 1 : 2); i++)
        json_array_append_new(peers, json_string(hr_bench_contenders[of->peers[i]].name));
    char name[64];
    hr_bench_report_name(race, of->ours, name);
    json_t *object = json_pack("{s:s, s:o, s:o}", "name", name, "lower_of", peers, "ratio",
                               spread(&verdict.ratio));
    if (of->least > 0) {
        json_object_set_new(object, "at_least", json_real(of->least));
        json_object_set_new(object, "met",
                            verdict.ratio.count > 0 ? json_boolean(verdict.met) : json_null());
    }
    return object;
}

static json_t *limit(const hr_bench_limit *of)
{
    if (!of->measured)
        return json_pack("{s:s, s:n, s:s}", "name", of->name, "value", "failure", of->failure.text);
    return json_pack("{s:s, s:f, s:f, s:s, s:b, s:s}", "name", of->name, "value", of->value,
                     "at_most", of->most, "unit", of->unit, "met", hr_bench_limit_is_met(of),
                     "note", of->note);
}

/* Of the server's side: null where it is elsewhere. */
static json_t *of_server(const hr_bench_where *of, double value)
{
    return of->sides == HR_BENCH_SIDES ? json_real(value) : json_null();
}

static json_t *where(const hr_bench_where *of)
{
    if (!of->measured)
        return json_null();
    json_t *rows = json_array();
    for (size_t i = 0; i < of->count; i++) {
        const hr_stage_time *row = &of->rows[i];
        json_array_append_new(
            rows, json_pack("{s:s, s:f, s:f, s:f, s:f, s:I}", "stage", row->stage, "busy_percent",
                            hr_bench_where_share(row, row->busy_ns), "starved_percent",
                            hr_bench_where_share(row, row->starved_ns), "blocked_percent",
                            hr_bench_where_share(row, row->blocked_ns), "full_percent",
                            100 * row->full, "chunks", (json_int_t)row->chunks));
    }
    const hr_bench_measure *measure = &of->measure;
    return json_pack(
        "{s:f, s:s, s:s, s:o, s:o, s:f, s:o, s:f, s:o, s:o, s:I}", "gb_per_second",
        hr_bench_rate(measure), "bound", of->bound < of->count ? of->rows[of->bound].stage : "",
        "text", of->text, "stages", rows, "server_system_calls_per_chunk",
        of_server(of, of->calls[HR_BENCH_SENDER]), "client_system_calls_per_chunk",
        of->calls[HR_BENCH_RECEIVER], "server_cores_per_gb_per_second",
        of_server(of, hr_bench_side_cost(measure, HR_BENCH_SENDER)),
        "client_cores_per_gb_per_second", hr_bench_side_cost(measure, HR_BENCH_RECEIVER),
        "copies_per_byte", of->copies >= 0 ? json_integer(of->copies) : json_null(),
        "server_memory_bytes",
        of->sides == HR_BENCH_SIDES ? json_integer((json_int_t)of->peaks[HR_BENCH_SENDER])
                                    : json_null(),
        "client_memory_bytes", (json_int_t)of->peaks[HR_BENCH_RECEIVER]);
}

static json_t *machine(const hr_bench_machine *of)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:s, s:s, s:s, s:f, s:s, s:s, s:s}",
                     "kernel", of->kernel, "cpu", of->cpu, "governor", of->governor, "clocks",
                     of->clocks, "settings", of->settings, "cores", (int)of->cores, "memory_bytes",
                     (json_int_t)of->memory_len, "drives", of->drives, "nics", of->nics, "gpu",
                     of->gpu, "load_before", of->load, "default_congestion", of->congestion, "utc",
                     of->utc, "fingerprint", of->fingerprint);
}

static void add_point(const hr_bench_race *race, json_t *contenders, json_t *goals)
{
    for (int i = 0; i < HR_BENCH_CONTENDERS; i++) {
        if (hr_bench_race_has(race, i))
            json_array_append_new(contenders, contender(race, i));
    }
    for (unsigned i = 0; i < hr_bench_goal_count; i++) {
        if (hr_bench_race_asks(race, &hr_bench_goals[i]))
            json_array_append_new(goals, goal(race, &hr_bench_goals[i]));
    }
}

static json_t *loader(const hr_bench_report *report)
{
    if (report->verb != HR_BENCH_LOADER)
        return json_null();
    hr_bench_demand of = hr_bench_demand_of(report->settings);
    json_t *object = json_pack(
        "{s:s, s:i, s:I, s:i, s:f, s:f, s:i}", "profile", of.name, "batch", (int)of.batch,
        "record_bytes", (json_int_t)of.record_len, "samples_per_file", (int)of.samples_per_file,
        "compute_seconds", (double)of.compute_ns / 1e9, "gb_per_second_each",
        hr_bench_demand_rate(&of) / 1e9, "threshold_percent", (int)of.threshold);
    json_object_set_new(object, "changed", json_boolean(of.is_changed));
    if (report->seeks)
        json_object_set_new(object, "accelerators",
                            json_integer(report->largest[HR_BENCH_LOADER_HOST]));
    if (report->seeks && !hr_bench_race_misses(&report->races[0], HR_BENCH_LOADER_GPU))
        json_object_set_new(object, "accelerators_gpu",
                            json_integer(report->largest[HR_BENCH_LOADER_GPU]));
    return object;
}

json_t *hr_bench_report_json(const hr_bench_report *report)
{
    const hr_bench_settings *settings = report->settings;
    json_t *contenders = json_array(), *goals = json_array(), *limits = json_array();
    for (unsigned i = 0; i < report->race_count; i++)
        add_point(&report->races[i], contenders, goals);
    for (int i = 0; i < HR_BENCH_LIMITS && report->has_limits; i++)
        json_array_append_new(limits, limit(&report->limits[i]));
    return json_pack(
        "{s:s, s:i, s:s, s:s, s:s, s:o, s:i, s:i, s:f, s:I, s:b, s:o, s:o, s:o, s:o, s:o, s:o}",
        "type", "bench", "schema", HR_BENCH_SCHEMA, "version", HEADRACE_VERSION, "command",
        settings->command, "verb", hr_bench_syntax.verbs[report->verb].name, "machine",
        machine(&report->machine), "rounds",
        report->race_count > 0 ? (int)report->races[0].rounds : 0, "rounds_asked",
        (int)settings->rounds, "wire_seconds", (double)settings->duration_ns / 1e9, "file_bytes",
        (json_int_t)(report->has_files ? settings->size + settings->shard_len : 0), "direct",
        report->direct, "where", where(&report->wheres[HR_BENCH_WHERE_HOST]), "where_file",
        where(&report->wheres[HR_BENCH_WHERE_FILE]), "contenders", contenders, "goals", goals,
        "limits", limits, "loader", loader(report));
}
