/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_starter: who started this process, as its stdin and stdout have it, so that several
 * begin together and none outlives it. */
#ifndef HR_BENCH_STARTER_H
#define HR_BENCH_STARTER_H

#include <stdbool.h>

#include "status.h"

/* Says "ready", and waits for a line. HR_INTERRUPTED: stdin ended. */
HR_CHECKED hr_status hr_bench_starter_await(void);
bool hr_bench_starter_is_gone(void);

#endif
