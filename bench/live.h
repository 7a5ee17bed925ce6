/* SPDX-License-Identifier: Apache-2.0 */
/* One line on a terminal's stderr that says what is being measured. */
#ifndef HR_BENCH_LIVE_H
#define HR_BENCH_LIVE_H

#include "bench_settings.h"

/* NULL takes the line away, before anything else is printed. */
void hr_bench_live(const hr_bench_settings *settings, const char *format, ...) HR_PRINTF(2, 3);

#endif
