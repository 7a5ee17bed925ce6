/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

void hr_bench_sample_add(hr_bench_sample *sample, double value)
{
    assert(sample->count < HR_BENCH_ROUNDS_MAX);
    sample->values[sample->count++] = value;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* How many of the sorted numbers at each end lie outside: as many as so few of count tosses of a
 * coin show heads in 5 per cent of all cases, both ends together. */
static unsigned outside(unsigned count)
{
    double term = pow(0.5, count), sum = 0;
    unsigned left_out = 0;
    for (unsigned i = 0; i < count / 2; i++) {
        sum += term;
        if (2 * sum > 0.05)
            break;
        left_out = i;
        term *= (double)(count - i) / (i + 1);
    }
    return left_out;
}

hr_bench_spread hr_bench_sample_spread(const hr_bench_sample *sample)
{
    double sorted[HR_BENCH_ROUNDS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < sample->count; i++) {
        if (!isnan(sample->values[i]))
            sorted[count++] = sample->values[i];
    }
    if (count == 0)
        return (hr_bench_spread){0};
    qsort(sorted, count, sizeof sorted[0], compare);
    /* An even count has no middle number: the mean of the two beside the middle. */
    return (hr_bench_spread){
        .count = count,
        .median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2,
        .min = sorted[0],
        .max = sorted[count - 1],
        .low = sorted[outside(count)],
        .high = sorted[count - 1 - outside(count)],
    };
}

static unsigned common(const hr_bench_sample *a, const hr_bench_sample *b)
{
    return a->count < b->count ? a->count : b->count;
}

hr_bench_sample hr_bench_sample_ratio(const hr_bench_sample *ours, const hr_bench_sample *peer)
{
    hr_bench_sample ratio = {.count = 0};
    for (unsigned i = 0; i < common(ours, peer); i++)
        hr_bench_sample_add(&ratio, peer->values[i] > 0 ? ours->values[i] / peer->values[i] : NAN);
    return ratio;
}

hr_bench_sample hr_bench_sample_lower(const hr_bench_sample *a, const hr_bench_sample *b)
{
    hr_bench_sample lower = {.count = 0};
    for (unsigned i = 0; i < common(a, b); i++) {
        bool both = !isnan(a->values[i]) && !isnan(b->values[i]);
        hr_bench_sample_add(&lower, both ? fmin(a->values[i], b->values[i]) : NAN);
    }
    return lower;
}

double hr_bench_sample_drift(const hr_bench_sample *sample)
{
    hr_bench_sample first = {.count = 0}, second = {.count = 0};
    for (unsigned i = 0; i < sample->count; i++)
        hr_bench_sample_add(i < sample->count / 2 ? &first : &second, sample->values[i]);
    hr_bench_spread a = hr_bench_sample_spread(&first), b = hr_bench_sample_spread(&second);
    /* Halves of three or more that do not overlap: by chance in one of ten at most. */
    bool apart = a.max < b.min || b.max < a.min;
    return a.count >= 3 && b.count >= 3 && apart && a.median > 0 ? b.median / a.median - 1 : 0;
}
