/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_sweep: the settings of each point that is measured: as the command line has them, with
 * one option at a time set to each value of --sweep NAME=VALUE,VALUE... The rounds of all points
 * are interleaved, so that a drift meets them all. */
#ifndef HR_BENCH_SWEEP_H
#define HR_BENCH_SWEEP_H

#include "bench_settings.h"

#define HR_BENCH_POINTS_MAX 32
#define HR_BENCH_VALUE_MAX  40

typedef struct hr_bench_point {
    char value[HR_BENCH_VALUE_MAX]; /* "64KiB"; "": there is no sweep */
    hr_bench_settings settings;
} hr_bench_point;

typedef struct hr_bench_sweep {
    char parameter[HR_BENCH_VALUE_MAX]; /* "block"; "": there is no sweep */
    unsigned count;
    hr_bench_point points[HR_BENCH_POINTS_MAX];
} hr_bench_sweep;

/* One point for each value, or the only one. HR_INVALID: there is no such option, or a value is
 * none of its. */
HR_CHECKED hr_status hr_bench_sweep_plan(hr_bench_sweep *sweep, const hr_bench_settings *settings,
                                         hr_error *error);
/* One more point, as if that value had been named. */
HR_CHECKED hr_status hr_bench_sweep_add(hr_bench_sweep *sweep, const hr_bench_settings *settings,
                                        const char *value, size_t value_len, hr_error *error);

#endif
