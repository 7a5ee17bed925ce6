/* SPDX-License-Identifier: Apache-2.0 */
/* compare: two results side by side, or one, against bounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_verbs.h"
#include "compare.h"

/* What was found wrong. */
typedef struct findings {
    unsigned compared, slower, missing, below, above;
    double
        least_caught; /* the largest noise of all: a smaller change could not be seen everywhere */
} findings;

static const char *verdict_text(hr_bench_verdict_kind kind)
{
    static const char *const texts[] = {
        [HR_BENCH_TOO_FEW] = "too few rounds",
        [HR_BENCH_SAME] = "within the noise",
        [HR_BENCH_FASTER] = "faster",
        [HR_BENCH_SLOWER] = "SLOWER",
    };
    return texts[kind];
}

static void compare_rows(const hr_bench_result *before, const hr_bench_result *after,
                         findings *found)
{
    printf("%-28s %8s %8s %9s %9s\n", "GB/s", "before", "after", "change", "noise");
    for (unsigned i = 0; i < before->row_count; i++) {
        const hr_bench_result_row *row = &before->rows[i];
        const hr_bench_result_row *other = hr_bench_result_find(after, row->name);
        if (hr_bench_sample_spread(&row->rates).count == 0)
            continue;
        if (other == NULL || hr_bench_sample_spread(&other->rates).count == 0) {
            printf("%-28s not in %s\n", row->title, after->path);
            found->missing++;
            continue;
        }
        hr_bench_change change = hr_bench_compare(&row->rates, &other->rates);
        printf("%-28s %8.2f %8.2f %+7.1f %% %7.1f %%  %s\n", row->title, change.before,
               change.after, 100 * change.part, 100 * change.noise, verdict_text(change.kind));
        found->compared++;
        found->slower += change.kind == HR_BENCH_SLOWER;
        if (change.noise > found->least_caught)
            found->least_caught = change.noise;
    }
}

static void warn_of_machines(const hr_bench_result *before, const hr_bench_result *after)
{
    if (strcmp(before->fingerprint, after->fingerprint) == 0)
        return;
    printf("warning: measured on machines that differ (%s, %s, drives %s, NICs %s; %s, %s, drives "
           "%s, NICs %s)\n",
           before->cpu, before->kernel, before->drives, before->nics, after->cpu, after->kernel,
           after->drives, after->nics);
}

/* Whatever the peers did is not for our bounds. */
static bool is_peer(const hr_bench_result_row *row)
{
    const char *const peers[] = {"iperf3", "fio", "rsync", "cp_", "ucx", "ib_write"};
    bool is = false;
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++)
        is = is || strncmp(row->name, peers[i], strlen(peers[i])) == 0;
    return is;
}

static void check_bounds(const hr_bench_settings *settings, const hr_bench_result *result,
                         findings *found)
{
    double least = (double)settings->min_rate / 1e9;
    double most_us = (double)settings->max_latency_ns / 1e3;
    for (unsigned i = 0; i < result->row_count; i++) {
        const hr_bench_result_row *row = &result->rows[i];
        hr_bench_spread rate = hr_bench_sample_spread(&row->rates);
        if (is_peer(row) || rate.count == 0)
            continue;
        if (least > 0 && rate.median < least) {
            printf("%-28s %.2f GB/s is below %.2f\n", row->title, rate.median, least);
            found->below++;
        }
        if (most_us > 0 && row->has_latency && row->latency_us[HR_BENCH_P99] > most_us) {
            printf("%-28s %.1f us for 99 %% of requests is above %.1f\n", row->title,
                   row->latency_us[HR_BENCH_P99], most_us);
            found->above++;
        }
    }
}

static hr_status conclude(const hr_bench_settings *settings, const findings *found, hr_error *error)
{
    if (found->below + found->above > 0)
        return hr_error_set(error, HR_PARTIAL, "%u rates are too low, %u latencies too high",
                            found->below, found->above);
    if (settings->gate && found->slower + found->missing > 0)
        return hr_error_set(error, HR_PARTIAL, "%u became slower, %u were not measured again",
                            found->slower, found->missing);
    return HR_OK;
}

static hr_status compare(const hr_bench_settings *settings, char **paths, unsigned count,
                         hr_bench_result *results, hr_error *error)
{
    findings found = {.slower = 0};
    for (unsigned i = 0; i < count; i++) {
        hr_status status = hr_bench_result_read(paths[i], &results[i], error);
        if (status != HR_OK)
            return status;
    }
    if (count == 1 && settings->min_rate == 0 && settings->max_latency_ns == 0)
        return hr_error_set(error, HR_INVALID,
                            "nothing to compare %s with: name another result, --min-rate or "
                            "--max-latency",
                            paths[0]);
    if (count == 2) {
        warn_of_machines(&results[0], &results[1]);
        compare_rows(&results[0], &results[1], &found);
        if (found.least_caught >= 1)
            printf("no regression would have been seen in every row: the rounds differ too much\n");
        else if (found.least_caught > 0)
            printf("the smallest regression that would have been seen in every row: %.1f %%\n",
                   100 * found.least_caught);
    }
    check_bounds(settings, &results[count - 1], &found);
    if (count == 2 && found.compared == 0 && !settings->gate)
        return hr_error_set(error, HR_INVALID,
                            "%.200s and %.200s have no measurement in common: compare results of "
                            "the same command",
                            results[0].path, results[1].path);
    return conclude(settings, &found, error);
}

hr_status hr_bench_verb_compare(const hr_bench_settings *settings, char **paths, unsigned count,
                                hr_error *error)
{
    hr_bench_result *results = calloc(count, sizeof *results);
    if (results == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "comparing: out of memory");
    hr_status status = compare(settings, paths, count, results, error);
    free(results);
    return status;
}
