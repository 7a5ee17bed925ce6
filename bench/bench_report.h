/* SPDX-License-Identifier: Apache-2.0 */
/* What was measured, as tables for people and as one JSON object for programs. A row that could not
 * be measured says why. */
#ifndef HR_BENCH_REPORT_H
#define HR_BENCH_REPORT_H

#include "limits.h"
#include "machine.h"
#include "race.h"
#include "result.h"
#include "sweep.h"
#include "where.h"

#define HR_BENCH_ACCELERATORS_MAX 64

typedef struct hr_bench_report {
    const hr_bench_settings *settings;
    unsigned verb;
    hr_bench_machine machine;
    hr_bench_sweep sweep;
    hr_bench_race *races;                  /* one a point of the sweep */
    unsigned race_count;                   /* that were begun */
    bool seeks;                            /* a loader: how many accelerators can be kept busy? */
    unsigned largest[HR_BENCH_CONTENDERS]; /* so many, of those that train */
    bool has_limits;                       /* they were begun */
    hr_bench_limit limits[HR_BENCH_LIMITS];
    hr_bench_where wheres[HR_BENCH_WHERES]; /* of transfer and peers */
    bool has_files;                         /* they were made */
    bool direct;                            /* the files were made past the page cache */
} hr_bench_report;

void hr_bench_report_print(const hr_bench_report *report);
/* The object of docs/BENCHMARK.md; NULL: out of memory. */
json_t *hr_bench_report_json(const hr_bench_report *report);
/* A target that was measured is missed, or a rate is above what the hardware can. */
bool hr_bench_report_misses(const hr_bench_report *report);
/* A rate of ours is lower, or more than 1 in 100 requests took longer; 0: no bound. text_out:
 * which.
 */
bool hr_bench_report_breaks(const hr_bench_report *report, uint64_t min_rate,
                            uint64_t max_latency_ns, char *text_out, size_t text_size);
/* "storage_read", and of a sweep "storage_read@block=64K". */
void hr_bench_report_name(const hr_bench_race *race, int contender, char name_out[64]);
void hr_bench_report_title(const hr_bench_race *race, int contender, char title_out[80]);

#endif
