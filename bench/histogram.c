/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define HALF        64u /* buckets of one power of two */
#define FIRST_SHIFT 6   /* of its values the 7 highest bits decide */
#define VALUE_MAX   ((UINT64_C(1) << 41) - 1)

static unsigned bucket_of(uint64_t value)
{
    if (value < UINT64_C(2) * HALF)
        return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - FIRST_SHIFT;
    return shift * HALF + (unsigned)(value >> shift);
}

/* The highest value of a bucket. */
static uint64_t top_of(unsigned bucket)
{
    if (bucket < 2 * HALF)
        return bucket;
    unsigned shift = bucket / HALF - 1;
    return ((uint64_t)(bucket - shift * HALF) + 1) * (UINT64_C(1) << shift) - 1;
}

void hr_bench_histogram_add(hr_bench_histogram *histogram, uint64_t value)
{
    if (value > VALUE_MAX)
        value = VALUE_MAX;
    histogram->min = histogram->total == 0 || value < histogram->min ? value : histogram->min;
    histogram->max = value > histogram->max ? value : histogram->max;
    histogram->counts[bucket_of(value)]++;
    histogram->total++;
    histogram->sum += value;
}

void hr_bench_histogram_merge(hr_bench_histogram *into, const hr_bench_histogram *from)
{
    if (from->total == 0)
        return;
    into->min = into->total == 0 || from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
    for (unsigned i = 0; i < HR_BENCH_BUCKETS; i++)
        into->counts[i] += from->counts[i];
    into->total += from->total;
    into->sum += from->sum;
}

uint64_t hr_bench_histogram_percentile(const hr_bench_histogram *histogram, double percent)
{
    /* A hair less, or 99.9 per cent of a thousand would be one more than 999. */
    double wanted = ceil((double)histogram->total * percent / 100 - 1e-9);
    uint64_t rank = wanted < 1 ? 1 : (uint64_t)wanted, seen = 0;
    for (unsigned i = 0; i < HR_BENCH_BUCKETS && histogram->total > 0; i++) {
        seen += histogram->counts[i];
        if (seen >= rank)
            return top_of(i) < histogram->max ? top_of(i) : histogram->max;
    }
    return histogram->max;
}

double hr_bench_histogram_mean(const hr_bench_histogram *histogram)
{
    return histogram->total > 0 ? (double)histogram->sum / (double)histogram->total : 0;
}

void hr_bench_histogram_tell(const hr_bench_histogram *histogram, char *out, size_t out_size)
{
    size_t len = 0;
    int wrote = snprintf(out, out_size, "%llu %llu %llu", (unsigned long long)histogram->min,
                         (unsigned long long)histogram->max, (unsigned long long)histogram->sum);
    for (unsigned i = 0; i < HR_BENCH_BUCKETS; i++) {
        len += (size_t)wrote;
        if (len >= out_size)
            return;
        wrote = 0;
        if (histogram->counts[i] > 0)
            wrote = snprintf(out + len, out_size - len, " %u:%llu", i,
                             (unsigned long long)histogram->counts[i]);
    }
}

static bool take_number(const char **text, uint64_t *out)
{
    char *end;
    unsigned long long number = strtoull(*text, &end, 10);
    if (end == *text)
        return false;
    *out = number;
    *text = end;
    return true;
}

bool hr_bench_histogram_hear(const char *text, hr_bench_histogram *histogram)
{
    hr_bench_histogram heard = {.total = 0};
    uint64_t bucket, count;
    if (!take_number(&text, &heard.min) || !take_number(&text, &heard.max) ||
        !take_number(&text, &heard.sum))
        return false;
    while (*text == ' ') {
        if (!take_number(&text, &bucket) || bucket >= HR_BENCH_BUCKETS || *text++ != ':' ||
            !take_number(&text, &count))
            return false;
        heard.counts[bucket] += count;
        heard.total += count;
    }
    if (*text != '\0')
        return false;
    hr_bench_histogram_merge(histogram, &heard);
    return true;
}
