/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_crowd: several clients at once, each a process, here or on other hosts. They begin
 * together; what they tell is added, and their histograms are merged exactly. */
#ifndef HR_BENCH_CROWD_H
#define HR_BENCH_CROWD_H

#include "contender.h"

#define HR_BENCH_CROWD_MAX 64

typedef struct hr_bench_crowd {
    const char *source; /* of all of them */
    unsigned count;
    bool trains, to_gpu;
} hr_bench_crowd;

HR_CHECKED hr_status hr_bench_crowd_run(hr_bench_field *field, const hr_bench_crowd *crowd,
                                        hr_bench_measure *measure_out, hr_error *error);

#endif
