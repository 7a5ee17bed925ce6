/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_report.h"

#include <stdio.h>

#include "env.h"

/* ---- contenders ---- */

static void print_lane(const hr_bench_race *race, int index)
{
    const hr_bench_contender *contender = &hr_bench_contenders[index];
    const hr_bench_lane *lane = &race->lanes[index];
    hr_bench_spread rate = hr_bench_sample_spread(&lane->rates);
    if (lane->missing) {
        printf("%-25s missing: %s is not installed (scripts/setup --bench)\n", contender->title,
               contender->program);
    } else if (rate.count > 0) {
        printf("%-25s %6.2f  %6.2f .. %-6.2f %8.3f %8.3f %6u  %s\n", contender->title, rate.median,
               rate.min, rate.max, hr_bench_sample_spread(&lane->costs[HR_BENCH_SENDER]).median,
               hr_bench_sample_spread(&lane->costs[HR_BENCH_RECEIVER]).median, rate.count,
               lane->note);
    }
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

static void print_latency(const char *title, const hr_bench_histogram *latency)
{
    printf("%-25s", title);
    for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++)
        printf(" %9.1f", (double)hr_bench_histogram_percentile(latency, percents[i]) / 1e3);
    printf(" %9.1f %9llu\n", (double)latency->max / 1e3, (unsigned long long)latency->total);
}

static void print_latencies(const hr_bench_report *report)
{
    bool any = false;
    for (int i = 0; i < HR_BENCH_CONTENDERS; i++) {
        const hr_bench_histogram *latency = &report->race.lanes[i].latency;
        if (latency->total == 0)
            continue;
        if (!any)
            printf("\n%-25s %9s %9s %9s %9s %9s %9s %9s  %s\n", "us a request", "50 %", "90 %",
                   "99 %", "99.9 %", "99.99 %", "most", "requests",
                   report->settings->rate != 0 ? "counted from when each was due" : "");
        any = true;
        print_latency(hr_bench_contenders[i].title, latency);
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
               verdict.ratio.median, verdict.ratio.min, verdict.ratio.max, least, word, peers);
}

static void print_goals(const hr_bench_race *race)
{
    printf("\n%-25s %6s  %-16s %8s  %-8s %s\n", "ratio to the peer's round", "median",
           "   min .. max", "at least", "", "peer");
    for (unsigned i = 0; i < hr_bench_goal_count; i++) {
        if (hr_bench_race_asks(race, &hr_bench_goals[i]))
            print_goal(race, &hr_bench_goals[i]);
    }
}

/* ---- where the time goes ---- */

static void print_where(const hr_bench_where *where)
{
    if (where->failure.status != HR_OK)
        printf("\nwhere the time goes: failed: %s\n", where->failure.text);
    if (!where->measured)
        return;
    printf("\n%-25s %7s %8s %8s %6s %8s\n", "disk to host:, once", "busy", "starved", "blocked",
           "full", "chunks");
    for (size_t i = 0; i < where->count; i++) {
        const hr_stage_time *row = &where->rows[i];
        printf("%-25s %5.1f %% %6.1f %% %6.1f %% %4.0f %% %8llu%s\n", row->stage,
               hr_bench_where_share(row, row->busy_ns), hr_bench_where_share(row, row->starved_ns),
               hr_bench_where_share(row, row->blocked_ns), 100 * row->full,
               (unsigned long long)row->chunks, i == where->bound ? "  <- the bound" : "");
    }
    printf("%s; %.2f GB/s\n", where->text, hr_bench_rate(&where->measure));
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

void hr_bench_report_print(const hr_bench_report *report)
{
    const hr_bench_machine *machine = &report->machine;
    const hr_bench_settings *settings = report->settings;
    printf("%s: %s, %u cores, %.1f GiB, %s; load %.2f before the start\n", machine->utc,
           machine->cpu, machine->cores, (double)machine->memory_len / 0x1p30, machine->kernel,
           machine->load);
    printf("%u of %u rounds, interleaved", report->race.rounds, settings->rounds);
    if (report->has_files)
        printf("; %.2f GB of random bytes in %s, %s", (double)settings->size / 1e9,
               settings->directory,
               settings->buffered ? "through the page cache"
               : report->direct   ? "past the page cache (but for rsync)"
                                  : "which does not take O_DIRECT: the page cache is in all of it");
    printf("\n");
    if (hr_bench_race_has(&report->race, HR_BENCH_WIRE_CUBIC_DIGESTS))
        printf("%.1f s each from memory to memory; the system's congestion control is %s\n",
               (double)settings->duration_ns / 1e9, machine->congestion);
    print_race(&report->race);
    print_latencies(report);
    if (report->has_files)
        print_goals(&report->race);
    print_drift(&report->race);
    print_where(&report->where);
    if (report->has_limits)
        print_limits(report->limits);
}

bool hr_bench_report_misses(const hr_bench_report *report)
{
    bool misses = false;
    for (unsigned i = 0; i < hr_bench_goal_count; i++) {
        hr_bench_verdict verdict = hr_bench_race_judge(&report->race, &hr_bench_goals[i]);
        misses = misses || (verdict.ratio.count > 0 && !verdict.met);
    }
    for (int i = 0; i < HR_BENCH_LIMITS && report->has_limits; i++)
        misses =
            misses || (report->limits[i].measured && !hr_bench_limit_is_met(&report->limits[i]));
    return misses;
}
