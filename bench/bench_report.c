/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_report.h"

#include <stdio.h>

#include "demand.h"
#include "env.h"

/* ---- contenders ---- */

void hr_bench_report_name(const hr_bench_race *race, int contender, char name_out[64])
{
    const char *name = hr_bench_contenders[contender].name;
    if (race->parameter != NULL)
        snprintf(name_out, 64, "%.20s@%.20s=%.20s", name, race->parameter, race->value);
    else
        snprintf(name_out, 64, "%s", name);
}

void hr_bench_report_title(const hr_bench_race *race, int contender, char title_out[80])
{
    const char *title = hr_bench_contenders[contender].title;
    if (race->parameter != NULL)
        snprintf(title_out, 80, "%.25s, %.20s %.20s", title, race->parameter, race->value);
    else
        snprintf(title_out, 80, "%s", title);
}

/* What only some contenders have, below their row. */
static void print_extras(const hr_bench_lane *lane)
{
    hr_bench_spread items = hr_bench_sample_spread(&lane->item_rates);
    hr_bench_spread busy = hr_bench_sample_spread(&lane->utilisations);
    if (items.count > 0)
        printf("%-25s %6.0f  %6.0f .. %-6.0f a second: requests, files or samples\n", "",
               items.median, items.min, items.max);
    if (busy.count > 0)
        printf("%-25s %6.1f  %6.1f .. %-6.1f per cent of the accelerators' time they computed\n",
               "", 100 * busy.median, 100 * busy.min, 100 * busy.max);
    if (lane->impossible[0] != '\0')
        printf("%-25s IMPOSSIBLE: %s\n", "", lane->impossible);
}

/* "-": it is elsewhere, and not known. */
static void write_cost(const hr_bench_sample *costs, char out[16])
{
    hr_bench_spread spread = hr_bench_sample_spread(costs);
    if (spread.count > 0)
        snprintf(out, 16, "%.3f", spread.median);
    else
        snprintf(out, 16, "-");
}

static void print_lane(const hr_bench_race *race, int index)
{
    const hr_bench_contender *contender = &hr_bench_contenders[index];
    const hr_bench_lane *lane = &race->lanes[index];
    hr_bench_spread rate = hr_bench_sample_spread(&lane->rates);
    if (lane->missing) {
        printf("%-25s missing: %s\n", contender->title, lane->why);
    } else if (rate.count > 0) {
        int digits = rate.median < 0.1 ? 4 : 2; /* of small files */
        char costs[HR_BENCH_SIDES][16];
        for (int side = 0; side < HR_BENCH_SIDES; side++)
            write_cost(&lane->costs[side], costs[side]);
        printf("%-25s %6.*f  %6.*f .. %-6.*f %8s %8s %6u  %s\n", contender->title, digits,
               rate.median, digits, rate.min, digits, rate.max, costs[HR_BENCH_SENDER],
               costs[HR_BENCH_RECEIVER], rate.count, lane->note);
    }
    print_extras(lane);
    if (lane->failure.status != HR_OK)
        printf("%-25s failed: %s\n", contender->title, lane->failure.text);
}

static void print_race(const hr_bench_race *race)
{
    printf("\n%-25s %6s  %-16s %17s %6s  %s\n", "GB/s, GB being 10^9 bytes", "median",
           "   min .. max", "CPU-s/GB: out, in", "rounds", "what was in use");
    for (int i = 0; i < HR_BENCH_CONTENDERS; i++) {
        if (hr_bench_race_has(race, i))
            print_lane(race, i);
    }
}

/* ---- latencies ---- */

static const double percents[] = {50, 90, 99, 99.9, 99.99};

static void print_latency(const char *title, const hr_bench_lane *lane)
{
    const hr_bench_histogram *latency = &lane->latency;
    printf("%-25s", title);
    for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++)
        printf(" %9.1f", (double)hr_bench_histogram_percentile(latency, percents[i]) / 1e3);
    printf(" %9.1f %9llu %8.3f %%\n", (double)latency->max / 1e3,
           (unsigned long long)latency->total, 100 * lane->measuring);
}

static void print_latencies(const hr_bench_race *race, const hr_bench_settings *settings)
{
    bool any = false;
    for (int i = 0; i < HR_BENCH_CONTENDERS; i++) {
        const hr_bench_histogram *latency = &race->lanes[i].latency;
        if (latency->total == 0)
            continue;
        if (!any)
            printf("\n%-25s %9s %9s %9s %9s %9s %9s %9s %10s  %s\n", "us a request", "50 %", "90 %",
                   "99 %", "99.9 %", "99.99 %", "most", "requests", "measuring",
                   settings->rate != 0 ? "counted from when each was due" : "");
        any = true;
        print_latency(hr_bench_contenders[i].title, &race->lanes[i]);
    }
}

/* ---- steadiness ---- */

static void print_drift(const hr_bench_race *race)
{
    for (int i = 0; i < HR_BENCH_CONTENDERS; i++) {
        double drift = hr_bench_sample_drift(&race->lanes[i].rates);
        if (drift != 0)
            printf("not steady: %s came out %+.0f %% from the first half of the rounds to the "
                   "second\n",
                   hr_bench_contenders[i].title, 100 * drift);
    }
}

/* ---- goals ---- */

static void name_peers(const hr_bench_goal *goal, char out[80])
{
    if (goal->peers[0] == goal->peers[1])
        snprintf(out, 80, "%s", hr_bench_contenders[goal->peers[0]].title);
    else
        snprintf(out, 80, "lower of %s; %s", hr_bench_contenders[goal->peers[0]].title,
                 hr_bench_contenders[goal->peers[1]].title);
}

static void print_goal(const hr_bench_race *race, const hr_bench_goal *goal)
{
    hr_bench_verdict verdict = hr_bench_race_judge(race, goal);
    char peers[80], least[16] = "-";
    const char *word = "";
    name_peers(goal, peers);
    if (goal->least > 0) {
        snprintf(least, sizeof least, "%.2f", goal->least);
        word = verdict.met ? "met" : "MISSED";
    }
    if (verdict.ratio.count == 0)
        printf("%-25s %6s  %-16s %8s  %-8s %s\n", hr_bench_contenders[goal->ours].title, "-", "",
               least, "unknown", peers);
    else
        printf("%-25s %6.2f  %6.2f .. %-6.2f %8s  %-8s %s\n", hr_bench_contenders[goal->ours].title,
               verdict.ratio.median, verdict.ratio.low, verdict.ratio.high, least, word, peers);
}

static void print_goals(const hr_bench_race *race)
{
    bool any = false;
    for (unsigned i = 0; i < hr_bench_goal_count; i++)
        any = any || hr_bench_race_asks(race, &hr_bench_goals[i]);
    if (!any)
        return;
    printf("\n%-25s %6s  %-16s %8s  %-8s %s\n", "ratio to the peer's round", "median",
           "  95 % interval", "at least", "", "peer");
    for (unsigned i = 0; i < hr_bench_goal_count; i++) {
        if (hr_bench_race_asks(race, &hr_bench_goals[i]))
            print_goal(race, &hr_bench_goals[i]);
    }
}

/* ---- where the time goes ---- */

static void print_where(const hr_bench_where *where, const char *title)
{
    if (where->failure.status != HR_OK)
        printf("\nwhere the time goes: failed: %s\n", where->failure.text);
    if (!where->measured)
        return;
    printf("\n%-25s %7s %8s %8s %6s %8s\n", title, "busy", "starved", "blocked", "full", "chunks");
    for (size_t i = 0; i < where->count; i++) {
        const hr_stage_time *row = &where->rows[i];
        printf("%-25s %5.1f %% %6.1f %% %6.1f %% %4.0f %% %8llu%s\n", row->stage,
               hr_bench_where_share(row, row->busy_ns), hr_bench_where_share(row, row->starved_ns),
               hr_bench_where_share(row, row->blocked_ns), 100 * row->full,
               (unsigned long long)row->chunks, i == where->bound ? "  <- the bound" : "");
    }
    printf("%s; %.2f GB/s\n", where->text, hr_bench_rate(&where->measure));
    if (where->sides < HR_BENCH_SIDES) {
        printf("a chunk takes %.1f system calls here, a GB/s %.3f cores, and at most %.1f MiB of "
               "memory; what the server does, serve --stages tells there\n",
               where->calls[HR_BENCH_RECEIVER],
               hr_bench_side_cost(&where->measure, HR_BENCH_RECEIVER),
               (double)where->peaks[HR_BENCH_RECEIVER] / 0x1p20);
        return;
    }
    printf("a chunk takes %.1f system calls at the server, %.1f at the client; a GB/s takes %.3f "
           "cores there, %.3f here",
           where->calls[HR_BENCH_SENDER], where->calls[HR_BENCH_RECEIVER],
           hr_bench_side_cost(&where->measure, HR_BENCH_SENDER),
           hr_bench_side_cost(&where->measure, HR_BENCH_RECEIVER));
    if (where->copies >= 0)
        printf("; processors copy each byte %d times", where->copies);
    printf("\nat most %.1f MiB of memory there, %.1f here\n",
           (double)where->peaks[HR_BENCH_SENDER] / 0x1p20,
           (double)where->peaks[HR_BENCH_RECEIVER] / 0x1p20);
}

/* ---- limits ---- */

static void print_limits(const hr_bench_limit limits[HR_BENCH_LIMITS])
{
    printf("\n%-25s %10s  %10s  %-8s\n", "the server", "measured", "at most", "");
    for (int i = 0; i < HR_BENCH_LIMITS; i++) {
        const hr_bench_limit *limit = &limits[i];
        if (limit->measured)
            printf("%-25s %6.1f %-3s  %6.1f %-3s  %-8s %s\n", limit->title, limit->value,
                   limit->unit, limit->most, limit->unit,
                   hr_bench_limit_is_met(limit) ? "met" : "MISSED", limit->note);
        else if (limit->failure.status != HR_OK)
            printf("%-25s failed: %s\n", limit->title, limit->failure.text);
    }
}

static void print_largest(const hr_bench_report *report)
{
    hr_bench_demand demand = hr_bench_demand_of(report->settings);
    double rate = hr_bench_demand_rate(&demand) / 1e9;
    printf("\n%s%s: %u samples of %.3f MB each %.1f ms, %.2f GB/s an accelerator\n", demand.name,
           demand.is_changed ? ", changed" : "", demand.batch, (double)demand.record_len / 1e6,
           (double)demand.compute_ns / 1e6, rate);
    for (int i = HR_BENCH_LOADER_HOST; i <= HR_BENCH_LOADER_GPU; i++) {
        unsigned largest = report->largest[i];
        const char *where = hr_bench_contenders[i].gpu ? "a GPU's" : "host";
        if (report->race_count == 0 || hr_bench_race_misses(&report->races[0], i))
            printf("with the data in %s memory: not measured\n", where);
        else if (largest == 0)
            printf("with the data in %s memory not one accelerator computed for %u per cent of its "
                   "time\n",
                   where, demand.threshold);
        else
            printf("%u accelerator%s computed for at least %u per cent of their time, %.2f GB/s in "
                   "all, where the data was verified in %s memory\n",
                   largest, largest == 1 ? "" : "s", demand.threshold, largest * rate, where);
    }
}

static void print_how(const hr_bench_report *report)
{
    const hr_bench_settings *settings = report->settings;
    unsigned rounds = report->race_count > 0 ? report->races[0].rounds : 0;
    printf("%u of %u rounds, interleaved", rounds, settings->rounds);
    if (report->has_files && settings->size + settings->shard_len > 0)
        printf("; files of random bytes in %s, %s", settings->directory,
               settings->buffered ? "through the page cache"
               : report->direct   ? "past the page cache (but for rsync and cp)"
                                  : "which does not take O_DIRECT: the page cache is in all of it");
    else if (settings->source != NULL)
        printf("; from %s", settings->source);
    else if (settings->host != NULL)
        printf("; from a server on %s", settings->host);
    printf("\n");
}

static void print_point(const hr_bench_report *report, const hr_bench_race *race)
{
    if (race->parameter != NULL)
        printf("\n%s %s\n", race->parameter, race->value);
    print_race(race);
    print_latencies(race, report->settings);
    print_goals(race);
    print_drift(race);
}

void hr_bench_report_print(const hr_bench_report *report)
{
    const hr_bench_machine *machine = &report->machine;
    const hr_bench_settings *settings = report->settings;
    printf("%s: %s, %u cores, %.1f GiB, %s; load %.2f before the start\n", machine->utc,
           machine->cpu, machine->cores, (double)machine->memory_len / 0x1p30, machine->kernel,
           machine->load);
    print_how(report);
    if (report->race_count > 0 && hr_bench_race_has(&report->races[0], HR_BENCH_WIRE_CUBIC_DIGESTS))
        printf("%.1f s each from memory to memory; the system's congestion control is %s\n",
               (double)settings->duration_ns / 1e9, machine->congestion);
    for (unsigned i = 0; i < report->race_count; i++)
        print_point(report, &report->races[i]);
    print_where(&report->wheres[HR_BENCH_WHERE_HOST], "disk to host:, once");
    print_where(&report->wheres[HR_BENCH_WHERE_FILE], "disk to file, once");
    if (report->has_limits)
        print_limits(report->limits);
    if (report->seeks)
        print_largest(report);
}

/* ---- verdicts ---- */

static bool race_misses(const hr_bench_race *race)
{
    bool misses = false;
    for (unsigned i = 0; i < hr_bench_goal_count; i++) {
        hr_bench_verdict verdict = hr_bench_race_judge(race, &hr_bench_goals[i]);
        misses = misses || (verdict.ratio.count > 0 && !verdict.met);
    }
    for (int i = 0; i < HR_BENCH_CONTENDERS; i++)
        misses = misses || race->lanes[i].impossible[0] != '\0';
    return misses;
}

bool hr_bench_report_misses(const hr_bench_report *report)
{
    bool misses = false;
    for (unsigned i = 0; i < report->race_count; i++)
        misses = misses || race_misses(&report->races[i]);
    for (int i = 0; i < HR_BENCH_LIMITS && report->has_limits; i++)
        misses =
            misses || (report->limits[i].measured && !hr_bench_limit_is_met(&report->limits[i]));
    return misses;
}

static bool race_breaks(const hr_bench_race *race, double min_rate, double max_latency_us,
                        char *text_out, size_t text_size)
{
    for (int i = 0; i < HR_BENCH_CONTENDERS; i++) {
        const hr_bench_lane *lane = &race->lanes[i];
        hr_bench_spread rate = hr_bench_sample_spread(&lane->rates);
        double latency_us = (double)hr_bench_histogram_percentile(&lane->latency, 99) / 1e3;
        char title[80];
        /* Whatever the peers do is not for our bounds. */
        if (rate.count == 0 || hr_bench_contenders[i].program != NULL)
            continue;
        hr_bench_report_title(race, i, title);
        if (rate.median < min_rate) {
            snprintf(text_out, text_size, "%s: %.3f GB/s is below --min-rate, %.3f", title,
                     rate.median, min_rate);
            return true;
        }
        if (max_latency_us > 0 && latency_us > max_latency_us) {
            snprintf(text_out, text_size,
                     "%s: %.1f us for 99 %% of requests is above "
                     "--max-latency, %.1f",
                     title, latency_us, max_latency_us);
            return true;
        }
    }
    return false;
}

bool hr_bench_report_breaks(const hr_bench_report *report, uint64_t min_rate,
                            uint64_t max_latency_ns, char *text_out, size_t text_size)
{
    for (unsigned i = 0; i < report->race_count; i++)
        if (race_breaks(&report->races[i], (double)min_rate / 1e9, (double)max_latency_ns / 1e3,
                        text_out, text_size))
            return true;
    return false;
}
