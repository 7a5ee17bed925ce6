/* SPDX-License-Identifier: Apache-2.0 */
/* What a file system makes of a time that is finer than its own: vfat knows every second second,
 * exfat every hundredth, others seconds, microseconds, or the 100 ns of Windows. Linux cuts off. */
#ifndef HR_GRANULARITY_H
#define HR_GRANULARITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The target's time is the source's, as far as the target's file system can tell. */
static inline bool hr_is_time_of(int64_t target_ns, int64_t source_ns)
{
    static const int64_t steps_ns[] = {2000000000, 1000000000, 10000000, 1000, 100};
    if (target_ns == source_ns)
        return true;
    for (size_t i = 0; i < sizeof steps_ns / sizeof steps_ns[0]; i++)
        if (target_ns % steps_ns[i] == 0 && source_ns > target_ns &&
            (uint64_t)source_ns - (uint64_t)target_ns < (uint64_t)steps_ns[i])
            return true;
    return false;
}

#endif
