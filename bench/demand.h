/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_demand: what an accelerator in training wants of its storage: the profiles of MLPerf
 * Storage, as its configurations have them. Pure. */
#ifndef HR_BENCH_DEMAND_H
#define HR_BENCH_DEMAND_H

#include "bench_settings.h"

typedef struct hr_bench_demand {
    const char *name;
    unsigned batch;      /* samples of a step */
    uint64_t record_len; /* of a sample; the mean where the configuration gives a spread */
    unsigned samples_per_file;
    unsigned readers;    /* files that are read at once: read_threads */
    uint64_t compute_ns; /* of a step: computation_time */
    unsigned threshold;  /* least utilisation, in per cent: metric.au */
    bool is_changed;     /* by other options: no longer MLPerf\'s */
} hr_bench_demand;

extern const char *const hr_bench_profile_names[]; /* for the option; ends with NULL */

/* The profile, with what other options set in its place. */
hr_bench_demand hr_bench_demand_of(const hr_bench_settings *settings);
/* Bytes per second that one accelerator takes when it never waits. */
double hr_bench_demand_rate(const hr_bench_demand *demand);
/* How the set of --size is cut into files. */
uint64_t hr_bench_demand_file_len(const hr_bench_settings *settings);
unsigned hr_bench_demand_files(const hr_bench_settings *settings);

#endif
