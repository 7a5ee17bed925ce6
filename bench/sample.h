/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_sample: one number a round, and what they say together. Pure. A round without a number
 * holds NAN and counts nowhere. */
#ifndef HR_BENCH_SAMPLE_H
#define HR_BENCH_SAMPLE_H

#include <stdbool.h>

#define HR_BENCH_ROUNDS_MAX 99

typedef struct hr_bench_sample {
    double values[HR_BENCH_ROUNDS_MAX];
    unsigned count;
} hr_bench_sample;

typedef struct hr_bench_spread {
    unsigned count; /* of the numbers; 0: nothing else is set */
    double median, min, max;
    double low, high; /* an interval that holds the true median with 95 per cent; below six numbers
                         there is none, and it is from min to max */
} hr_bench_spread;

void hr_bench_sample_add(hr_bench_sample *sample, double value);
hr_bench_spread hr_bench_sample_spread(const hr_bench_sample *sample);
/* Round by round, ours divided by the peer. */
hr_bench_sample hr_bench_sample_ratio(const hr_bench_sample *ours, const hr_bench_sample *peer);
/* Round by round, the lower of both. */
hr_bench_sample hr_bench_sample_lower(const hr_bench_sample *a, const hr_bench_sample *b);
/* From the median of the first half of the rounds to that of the second, as a part; 0 where there
 * are fewer than six rounds, or where it is no more than chance makes of the spread of both halves.
 */
double hr_bench_sample_drift(const hr_bench_sample *sample);

#endif
