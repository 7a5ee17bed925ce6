/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_page: results as one HTML file with its charts in it: nothing is fetched when it is
 * opened, and no script runs. */
#ifndef HR_BENCH_PAGE_H
#define HR_BENCH_PAGE_H

#include <stdio.h>

#include "result.h"

#define HR_BENCH_PAGE_RESULTS_MAX 8
#define HR_BENCH_BARS_MAX         32

/* The first result is the one that the others are compared with. */
void hr_bench_page_write(FILE *out, const hr_bench_result *results, unsigned count);

/* ---- charts, by chart.c: each is one <svg> ---- */

/* Bars side by side: a group a row name, a bar a result. values[r][i] of result r, row i; NAN:
 * none. low and high, of the same shape, are drawn as whiskers. */
typedef struct hr_bench_bars {
    const char *title, *unit;
    const char *labels[HR_BENCH_BARS_MAX];
    unsigned label_count, series_count;
    double values[HR_BENCH_PAGE_RESULTS_MAX][HR_BENCH_BARS_MAX];
    double low[HR_BENCH_PAGE_RESULTS_MAX][HR_BENCH_BARS_MAX];
    double high[HR_BENCH_PAGE_RESULTS_MAX][HR_BENCH_BARS_MAX];
} hr_bench_bars;
void hr_bench_chart_bars(FILE *out, const hr_bench_bars *bars);

/* A number at each value of an option, the values at equal distances; a line a contender. */
#define HR_BENCH_CURVES_MAX 8
#define HR_BENCH_VALUES_MAX 32
typedef struct hr_bench_curves {
    const char *title, *unit;
    unsigned value_count, curve_count;
    const char *values[HR_BENCH_VALUES_MAX];
    const char *labels[HR_BENCH_CURVES_MAX];
    double points[HR_BENCH_CURVES_MAX][HR_BENCH_VALUES_MAX]; /* NAN: none */
} hr_bench_curves;
void hr_bench_chart_curves(FILE *out, const hr_bench_curves *curves);

/* One bar a stage, 100 per cent wide: busy, starved, blocked. */
void hr_bench_chart_stages(FILE *out, const hr_bench_result_where *where);

/* Latency against percentile, both logarithmic; a line a row of a result that has one. */
typedef struct hr_bench_lines {
    const char *title;
    unsigned line_count;
    const char *labels[HR_BENCH_BARS_MAX];
    const double *latency_us[HR_BENCH_BARS_MAX]; /* HR_BENCH_PS of them */
} hr_bench_lines;
void hr_bench_chart_latency(FILE *out, const hr_bench_lines *lines);

/* Text that may hold anything. */
void hr_bench_html(FILE *out, const char *text);

#endif
