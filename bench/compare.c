/* SPDX-License-Identifier: Apache-2.0 */
#include "compare.h"

#include <math.h>
#include <string.h>

#define ROUNDS_MIN 3
#define NOISE_MIN  0.01

/* The standard error of a median, as a part of it: from the median distance to it, which a single
 * wild round does not move. For a normal distribution the deviation is 1.4826 of that distance, and
 * the error of a median 1.2533 of that of a mean. */
static double median_error(const hr_bench_sample *sample, const hr_bench_spread *spread)
{
    hr_bench_sample distances = {.count = 0};
    for (unsigned i = 0; i < sample->count; i++)
        hr_bench_sample_add(&distances, fabs(sample->values[i] - spread->median));
    double distance = hr_bench_sample_spread(&distances).median;
    return 1.2533 * 1.4826 * distance / sqrt(spread->count) / spread->median;
}

hr_bench_change hr_bench_compare(const hr_bench_sample *before, const hr_bench_sample *after)
{
    hr_bench_spread a = hr_bench_sample_spread(before), b = hr_bench_sample_spread(after);
    hr_bench_change change = {.before = a.median, .after = b.median, .kind = HR_BENCH_TOO_FEW};
    if (a.count == 0 || b.count == 0 || !(a.median > 0) || !(b.median > 0))
        return change;
    change.part = b.median / a.median - 1;
    if (a.count < ROUNDS_MIN || b.count < ROUNDS_MIN)
        return change;
    /* Three standard errors: one false alarm in some hundreds of comparisons. */
    change.noise = fmax(NOISE_MIN, 3 * hypot(median_error(before, &a), median_error(after, &b)));
    change.kind = change.part < -change.noise  ? HR_BENCH_SLOWER
                  : change.part > change.noise ? HR_BENCH_FASTER
                                               : HR_BENCH_SAME;
    return change;
}

const hr_bench_result_row *hr_bench_result_find(const hr_bench_result *result, const char *name)
{
    for (unsigned i = 0; i < result->row_count; i++)
        if (strcmp(result->rows[i].name, name) == 0)
            return &result->rows[i];
    return NULL;
}
