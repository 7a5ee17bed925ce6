/* SPDX-License-Identifier: Apache-2.0 */
/* What was measured, as tables for people and as one JSON object for programs. A row that could not
 * be measured says why. */
#ifndef HR_BENCH_REPORT_H
#define HR_BENCH_REPORT_H

#include "limits.h"
#include "machine.h"
#include "race.h"
#include "result.h"
#include "where.h"

typedef struct hr_bench_report {
    const hr_bench_settings *settings;
    hr_bench_machine machine;
    hr_bench_race race;
    bool has_limits; /* they were begun */
    hr_bench_limit limits[HR_BENCH_LIMITS];
    hr_bench_where where; /* of transfer and peers */
    bool has_files;       /* they were made */
    bool direct;          /* the files were made past the page cache */
} hr_bench_report;

void hr_bench_report_print(const hr_bench_report *report);
/* The object of docs/BENCHMARK.md; NULL: out of memory. */
json_t *hr_bench_report_json(const hr_bench_report *report);
/* A target that was measured is missed. */
bool hr_bench_report_misses(const hr_bench_report *report);

#endif
