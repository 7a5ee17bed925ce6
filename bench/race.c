/* SPDX-License-Identifier: Apache-2.0 */
#include "race.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "await.h"
#include "live.h"

bool hr_bench_race_has(const hr_bench_race *race, int contender)
{
    return (hr_bench_contenders[contender].verbs >> race->verb & 1) != 0 &&
           !race->lanes[contender].unwanted;
}

bool hr_bench_race_misses(const hr_bench_race *race, int contender)
{
    return race->lanes[contender].missing;
}

bool hr_bench_race_asks(const hr_bench_race *race, const hr_bench_goal *goal)
{
    return hr_bench_race_has(race, goal->ours) && hr_bench_race_has(race, goal->peers[0]) &&
           hr_bench_race_has(race, goal->peers[1]);
}

static void note_items(hr_bench_lane *lane, bool ok, const hr_bench_measure *measure)
{
    if (ok && measure->items > 0)
        hr_bench_sample_add(&lane->item_rates, hr_bench_item_rate(measure));
    if (ok && measure->utilisation > 0)
        hr_bench_sample_add(&lane->utilisations, measure->utilisation);
}

static void note_result(hr_bench_lane *lane, hr_status status, const hr_bench_measure *measure,
                        const hr_error *error)
{
    bool ok = status == HR_OK;
    hr_bench_sample_add(&lane->rates, ok ? hr_bench_rate(measure) : NAN);
    for (int side = 0; side < HR_BENCH_SIDES; side++)
        hr_bench_sample_add(&lane->costs[side], ok ? hr_bench_side_cost(measure, side) : NAN);
    note_items(lane, ok, measure);
    if (ok && measure->seconds > 0)
        lane->measuring = fmax(lane->measuring, measure->measuring_seconds / measure->seconds);
    if (ok)
        snprintf(lane->note, sizeof lane->note, "%s", measure->note);
    else if (lane->failure.status == HR_OK)
        lane->failure = *error;
}

/* What no drive and no line can do was not measured, whatever the clock says. */
bool hr_bench_race_is_impossible(const hr_bench_contender *contender, const hr_bench_field *field,
                                 double rate, char text_out[160])
{
    const hr_bench_counters *counters = &field->counters;
    double drive = contender->from_disk ? counters->disk_gb_per_second : 0;
    bool crosses = contender->transport == NULL || strcmp(contender->transport, "none") != 0;
    double line = crosses ? field->line.gb_per_second : 0;
    if (hr_bench_is_impossible(rate, drive)) {
        snprintf(text_out, 160,
                 "%.2f GB/s, but the drive's PCIe link (%s) carries %.2f: it came from a cache",
                 rate, counters->disk_link, drive);
        return true;
    }
    if (hr_bench_is_impossible(rate, line)) {
        snprintf(text_out, 160, "%.2f GB/s, but the line of %s carries %.2f: not all of it crossed",
                 rate, field->line.name, line);
        return true;
    }
    return false;
}

static void note_counted(hr_bench_lane *lane, const hr_bench_contender *contender,
                         const hr_bench_field *field, const hr_bench_counted *before,
                         const hr_bench_measure *measure)
{
    hr_bench_counted counted = hr_bench_counted_since(before, &field->counters);
    hr_bench_counted_add(&lane->counted, &counted);
    lane->bytes += measure->bytes;
    if (lane->impossible[0] == '\0')
        (void)hr_bench_race_is_impossible(contender, field, hr_bench_rate(measure),
                                          lane->impossible);
    if (lane->impossible[0] == '\0')
        snprintf(lane->impossible, sizeof lane->impossible, "%s", measure->impossible);
}

static hr_status run_one(hr_bench_race *race, int index, hr_bench_field *field)
{
    const hr_bench_contender *contender = &hr_bench_contenders[index];
    hr_bench_measure measure = {.latency = &race->lanes[index].latency};
    hr_error error = {0};
    if (!hr_bench_race_has(race, index) || race->lanes[index].missing)
        return HR_OK;
    hr_bench_live(field->settings, "round %u of %u: %s", race->rounds + 1, field->settings->rounds,
                  contender->title);
    hr_bench_material_reset(field->material);
    hr_bench_counted before = hr_bench_counted_read(&field->counters);
    hr_status status = contender->run(field, contender, &measure, &error);
    if (status == HR_INTERRUPTED || hr_bench_interrupted())
        return HR_INTERRUPTED;
    if (status == HR_UNSUPPORTED && contender->there != NULL &&
        race->lanes[index].rates.count == 0) {
        race->lanes[index].missing = true; /* on another host */
        snprintf(race->lanes[index].why, sizeof race->lanes[index].why, "%.190s", error.text);
        hr_bench_live(field->settings, NULL);
        return HR_OK;
    }
    note_result(&race->lanes[index], status, &measure, &error);
    if (status == HR_OK)
        note_counted(&race->lanes[index], contender, field, &before, &measure);
    hr_bench_live(field->settings, NULL);
    if (status == HR_OK && race->measured != NULL)
        race->measured(race, &measure);
    return HR_OK;
}

/* In Debian. */
static const char *package_of(const char *program)
{
    return strcmp(program, "ucx_perftest") == 0  ? "ucx-utils"
           : strcmp(program, "ib_write_bw") == 0 ? "perftest"
           : strcmp(program, "cp") == 0          ? "coreutils"
                                                 : program;
}

static void look_for(hr_bench_lane *lane, const hr_bench_contender *contender,
                     const hr_bench_settings *settings)
{
    if (contender->program != NULL && !hr_bench_is_installed(contender->program)) {
        lane->missing = true;
        snprintf(lane->why, sizeof lane->why, "%s is not installed (apt-get install %s)",
                 contender->program, package_of(contender->program));
    } else if (contender->there != NULL && settings->hosts == NULL &&
               !contender->there(lane->why)) {
        lane->missing = true;
    }
}

void hr_bench_race_begin(hr_bench_race *race, unsigned verb, const hr_bench_settings *settings)
{
    race->verb = verb;
    for (int i = 0; i < HR_BENCH_CONTENDERS; i++) {
        bool (*wanted)(const hr_bench_settings *) = hr_bench_contenders[i].wanted;
        race->lanes[i].unwanted = wanted != NULL && !wanted(settings);
        if (!hr_bench_race_has(race, i))
            continue;
        look_for(&race->lanes[i], &hr_bench_contenders[i], settings);
    }
}

/* Whether a goal compares one up to here with one behind it. */
static bool is_spanned(int index)
{
    bool spanned = false;
    for (unsigned i = 0; i < hr_bench_goal_count; i++) {
        const hr_bench_goal *goal = &hr_bench_goals[i];
        int first = goal->ours < goal->peers[0] ? goal->ours : goal->peers[0];
        int last = goal->ours < goal->peers[0] ? goal->peers[0] : goal->ours;
        bool has_one_peer = goal->peers[0] == goal->peers[1];
        spanned = spanned || (has_one_peer && first <= index && index < last);
    }
    return spanned;
}

void hr_bench_race_order(unsigned round, int order_out[HR_BENCH_CONTENDERS])
{
    for (int first = 0, end; first < HR_BENCH_CONTENDERS; first = end) {
        end = first + 1;
        while (is_spanned(end - 1))
            end++;
        for (int i = first; i < end; i++)
            order_out[i] = round % 2 == 0 ? i : first + end - 1 - i;
    }
}

hr_status hr_bench_race_round(hr_bench_race *race, hr_bench_field *field)
{
    int order[HR_BENCH_CONTENDERS];
    hr_status status = HR_OK;
    hr_bench_race_order(race->rounds, order);
    for (int i = 0; i < HR_BENCH_CONTENDERS && status == HR_OK; i++)
        status = run_one(race, order[i], field);
    if (status == HR_OK)
        race->rounds++;
    hr_bench_live(field->settings, NULL);
    hr_bench_material_reset(field->material);
    return status;
}

bool hr_bench_race_failed(const hr_bench_race *race)
{
    bool failed = false;
    for (int i = 0; i < HR_BENCH_CONTENDERS; i++)
        failed = failed || race->lanes[i].failure.status != HR_OK;
    return failed;
}

hr_bench_verdict hr_bench_race_judge(const hr_bench_race *race, const hr_bench_goal *goal)
{
    hr_bench_sample peer = hr_bench_sample_lower(&race->lanes[goal->peers[0]].rates,
                                                 &race->lanes[goal->peers[1]].rates);
    hr_bench_sample ratio = hr_bench_sample_ratio(&race->lanes[goal->ours].rates, &peer);
    hr_bench_spread spread = hr_bench_sample_spread(&ratio);
    return (hr_bench_verdict){
        .ratio = spread,
        .met = spread.count > 0 && spread.median >= goal->least,
    };
}
