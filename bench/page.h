/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_page: results as one HTML file with its charts in it: nothing is fetched when it is
 * opened, and no script runs. */
#ifndef HR_BENCH_PAGE_H
#define HR_BENCH_PAGE_H

#include <stdio.h>

#include "result.h"

#define HR_BENCH_PAGE_RESULTS_MAX 8

/* The first result is the one that the others are compared with. */
void hr_bench_page_write(FILE *out, const hr_bench_result *results, unsigned count);

/* ---- charts, by chart.c: each is one <svg> ---- */

/* Bars side by side: a group a row name, a bar a result. values[r][i] of result r, row i; NAN:
 * none. low and high, of the same shape, are drawn as whiskers. */
typedef struct hr_bench_bars {
    const char *title, *unit;
    const char *labels[HR_BENCH_ROWS_MAX];
    unsigned label_count, series_count;
    double values[HR_BENCH_PAGE_RESULTS_MAX][HR_BENCH_ROWS_MAX];
    double low[HR_BENCH_PAGE_RESULTS_MAX][HR_BENCH_ROWS_MAX];
    double high[HR_BENCH_PAGE_RESULTS_MAX][HR_BENCH_ROWS_MAX];
} hr_bench_bars;
void hr_bench_chart_bars(FILE *out, const hr_bench_bars *bars);

/* One bar a stage, 100 per cent wide: busy, starved, blocked. */
void hr_bench_chart_stages(FILE *out, const hr_bench_result *result);

/* Latency against percentile, both logarithmic; a line a row of a result that has one. */
typedef struct hr_bench_lines {
    const char *title;
    unsigned line_count;
    const char *labels[HR_BENCH_ROWS_MAX];
    const double *latency_us[HR_BENCH_ROWS_MAX]; /* HR_BENCH_PS of them */
} hr_bench_lines;
void hr_bench_chart_latency(FILE *out, const hr_bench_lines *lines);

/* Text that may hold anything. */
void hr_bench_html(FILE *out, const char *text);

#endif
