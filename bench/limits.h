/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_limit: what a server must not exceed: one number each, not compared with anybody. */
#ifndef HR_BENCH_LIMITS_H
#define HR_BENCH_LIMITS_H

#include "contender.h"
#include "sample.h"

enum {
    HR_BENCH_FIRST_BYTE,
    HR_BENCH_IDLE_CPU,
    HR_BENCH_SERVER_MEMORY,
    HR_BENCH_LIMITS,
};

typedef struct hr_bench_limit {
    const char *name; /* in JSON */
    const char *title;
    const char *unit;
    bool measured;
    double value, most;
    char note[160];
    hr_error failure;
} hr_bench_limit;

/* As hr_bench_race_round. The field has a server and the sparse shard. */
HR_CHECKED hr_status hr_bench_limits_run(hr_bench_limit limits[HR_BENCH_LIMITS],
                                         hr_bench_field *field);
bool hr_bench_limit_is_met(const hr_bench_limit *limit);

#endif
