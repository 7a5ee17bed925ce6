/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_change: how a rate of one result differs from that of another, and whether that is more
 * than the noise of both. Pure. */
#ifndef HR_BENCH_COMPARE_H
#define HR_BENCH_COMPARE_H

#include "result.h"

typedef enum hr_bench_verdict_kind {
    HR_BENCH_TOO_FEW, /* rounds: three of each are needed to know the noise */
    HR_BENCH_SAME,
    HR_BENCH_FASTER,
    HR_BENCH_SLOWER,
} hr_bench_verdict_kind;

typedef struct hr_bench_change {
    double before, after; /* medians */
    double part;          /* after / before - 1 */
    double noise;         /* a change smaller than this part cannot be told from none */
    hr_bench_verdict_kind kind;
} hr_bench_change;

hr_bench_change hr_bench_compare(const hr_bench_sample *before, const hr_bench_sample *after);
/* NULL: there is none of that name. */
const hr_bench_result_row *hr_bench_result_find(const hr_bench_result *result, const char *name);

#endif
