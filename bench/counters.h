/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_counters: where the kernel counts what devices have moved, and what they can move at
 * most. A measurement that they do not confirm was one of a cache, or of nothing. */
#ifndef HR_BENCH_COUNTERS_H
#define HR_BENCH_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HR_BENCH_SYSFS_MAX 512

typedef struct hr_bench_counters {
    char root[64];                 /* "/sys" */
    char disk[HR_BENCH_SYSFS_MAX]; /* the block device's folder; "": the kernel shows none */
    double disk_gb_per_second;     /* of its PCIe link; 0: not known */
    char disk_link[48];            /* "8.0 GT/s x 4" */
} hr_bench_counters;

/* Bytes. The network's are of all interfaces and RDMA ports, of each the larger direction. */
typedef struct hr_bench_counted {
    bool has_disk, has_network;
    uint64_t disk_read, disk_written, network;
} hr_bench_counted;

/* root: "/sys", or a tree like it. directory: whose file system; NULL: none. */
hr_bench_counters hr_bench_counters_find(const char *root, const char *directory);
hr_bench_counted hr_bench_counted_read(const hr_bench_counters *counters);
hr_bench_counted hr_bench_counted_since(const hr_bench_counted *before,
                                        const hr_bench_counters *counters);
void hr_bench_counted_add(hr_bench_counted *sum, const hr_bench_counted *more);

/* The PCIe link of the device in this folder or above it, in GB/s after its encoding; 0: there is
 * none. text_out: as the kernel says it. */
double hr_bench_pcie_rate(const char *folder, char text_out[48]);
/* Above most by more than clocks and framing explain; most 0: nobody knows. */
bool hr_bench_is_impossible(double rate, double most);

#endif
