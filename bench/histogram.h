/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_histogram: how often each duration occurred, log-linear: exact up to 127 ns, and within
 * 1 in 64 above, up to 36 minutes. Two histograms merge exactly: what comes out is what would have
 * been counted in one. Pure. */
#ifndef HR_BENCH_HISTOGRAM_H
#define HR_BENCH_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HR_BENCH_BUCKETS 2304

typedef struct hr_bench_histogram {
    uint64_t counts[HR_BENCH_BUCKETS];
    uint64_t total, sum, min, max;
} hr_bench_histogram;

void hr_bench_histogram_add(hr_bench_histogram *histogram, uint64_t value);
void hr_bench_histogram_merge(hr_bench_histogram *into, const hr_bench_histogram *from);
/* The least value that at least percent of all are not above, rounded up within its bucket; 0 if
 * there is none. */
uint64_t hr_bench_histogram_percentile(const hr_bench_histogram *histogram, double percent);
double hr_bench_histogram_mean(const hr_bench_histogram *histogram);
/* "index:count,...,min,max,sum" as processes tell it each other. hear adds to what is there; false:
 * the text is none of tell's. */
void hr_bench_histogram_tell(const hr_bench_histogram *histogram, char *out, size_t out_size);
bool hr_bench_histogram_hear(const char *text, hr_bench_histogram *histogram);

#endif
