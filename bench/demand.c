/* SPDX-License-Identifier: Apache-2.0 */
#include "demand.h"

#include "bytes.h"

/* From github.com/mlcommons/storage, configs/dlio/workload/<name>.yaml: batch_size,
 * record_length_bytes (rounded), num_samples_per_file, read_threads, computation_time, metric.au.
 * The spreads of unet3d and cosmoflow (record_length_bytes_stdev) are left out: every sample has
 * the mean. */
static const hr_bench_demand profiles[] = {
    {"unet3d_h100", 7, 146600628, 1, 4, 323000000, 90, false},
    {"resnet50_h100", 400, 114660, 1251, 8, 224000000, 90, false},
    {"cosmoflow_h100", 1, 2828486, 1, 4, 3500000, 70, false},
    {"unet3d_a100", 7, 146600628, 1, 4, 636000000, 90, false},
    {"resnet50_a100", 400, 114660, 1251, 8, 435000000, 90, false},
    {"cosmoflow_a100", 1, 2828486, 1, 4, 5510000, 70, false},
};

const char *const hr_bench_profile_names[] = {"unet3d_h100", "resnet50_h100", "cosmoflow_h100",
                                              "unet3d_a100", "resnet50_a100", "cosmoflow_a100",
                                              NULL};

hr_bench_demand hr_bench_demand_of(const hr_bench_settings *settings)
{
    hr_bench_demand demand = profiles[settings->profile];
    if (settings->batch != 0)
        demand.batch = settings->batch;
    if (settings->record_len != 0)
        demand.record_len = settings->record_len;
    if (settings->samples_per_file != 0)
        demand.samples_per_file = settings->samples_per_file;
    if (settings->compute_ns != 0)
        demand.compute_ns = settings->compute_ns;
    if (settings->threshold != 0)
        demand.threshold = settings->threshold;
    demand.is_changed = settings->batch != 0 || settings->record_len != 0 ||
                        settings->samples_per_file != 0 || settings->compute_ns != 0 ||
                        settings->threshold != 0;
    return demand;
}

double hr_bench_demand_rate(const hr_bench_demand *demand)
{
    return (double)demand->batch * (double)demand->record_len / ((double)demand->compute_ns / 1e9);
}

uint64_t hr_bench_demand_file_len(const hr_bench_settings *settings)
{
    hr_bench_demand demand = hr_bench_demand_of(settings);
    return demand.record_len * demand.samples_per_file;
}

unsigned hr_bench_demand_files(const hr_bench_settings *settings)
{
    enum { LEAST = 4, MOST = 1000 }; /* what one folder holds */
    uint64_t files = settings->size / hr_bench_demand_file_len(settings);
    return (unsigned)hr_min_u64(files > LEAST ? files : LEAST, MOST);
}
