/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_result: a result file: what --output wrote, read again for comparisons and reports. What
 * each member means is in docs/BENCHMARK.md. */
#ifndef HR_BENCH_RESULT_H
#define HR_BENCH_RESULT_H

#include <jansson.h>
#include <stdbool.h>

#include "sample.h"
#include "status.h"

#define HR_BENCH_SCHEMA      1 /* grows when a member changes its meaning */
#define HR_BENCH_ROWS_MAX    256
#define HR_BENCH_STAGES_MAX  32
#define HR_BENCH_RESULT_TEXT 320

enum { HR_BENCH_P50, HR_BENCH_P90, HR_BENCH_P99, HR_BENCH_P99_9, HR_BENCH_P99_99, HR_BENCH_PS };

typedef struct hr_bench_result_row {
    char name[64], title[80], transport[24], memory[24], in_use[480];
    hr_bench_sample rates; /* GB/s, one a round */
    bool has_latency;
    double latency_us[HR_BENCH_PS];
    double utilisation; /* of accelerators, 0 to 1; 0: there are none */
    char impossible[160];
    /* Of a sweep: the contender that was measured at this value of this option; else "". */
    char parameter[24], value[24], base[64], base_title[80];
} hr_bench_result_row;

typedef struct hr_bench_result_stage {
    char name[24];
    double busy, starved, blocked, full; /* per cent */
} hr_bench_result_stage;

typedef struct hr_bench_result_where {
    hr_bench_result_stage stages[HR_BENCH_STAGES_MAX];
    unsigned stage_count;                       /* 0: it was not asked for */
    char bound[24], text[HR_BENCH_RESULT_TEXT]; /* in a sentence */
} hr_bench_result_where;

typedef struct hr_bench_result {
    char path[512]; /* of the file */
    char verb[32], version[32], utc[32], command[HR_BENCH_RESULT_TEXT];
    char kernel[80], cpu[80], drives[200], nics[200], gpu[120], fingerprint[32];
    hr_bench_result_row rows[HR_BENCH_ROWS_MAX];
    unsigned row_count;
    hr_bench_result_where wheres[2]; /* into memory, into a file */
} hr_bench_result;

/* The latency columns: "p50" as the file has them, "50 %" for people. */
extern const char *const hr_bench_latency_keys[HR_BENCH_PS];
extern const char *const hr_bench_latency_titles[HR_BENCH_PS];

/* HR_INVALID: it is none, of another version, or cut short. */
HR_CHECKED hr_status hr_bench_result_read(const char *path, hr_bench_result *result_out,
                                          hr_error *error);
/* Whether a file can be made there: asked before an hour of measuring, and not after it. */
HR_CHECKED hr_status hr_bench_save_check(const char *path, hr_error *error);
/* Writes text beside path and gives it its name when it is whole and synced. */
HR_CHECKED hr_status hr_bench_save(const char *path, const char *text, size_t len, hr_error *error);

#endif
