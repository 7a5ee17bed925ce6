/* SPDX-License-Identifier: Apache-2.0 */
/* hr_check: files of a tree whose content is compared with what the target has before it is decided
 * whether they are brought: with --checksum, or where time and size alone could be wrong. A few at
 * a time. Part of an hr_get; on worker 0. */
#ifndef HR_CHECK_H
#define HR_CHECK_H

#include "headrace.h"
#include "list.h"
#include "storage.h"

typedef struct hr_check {
    hr_list waiting, running; /* of files */
    unsigned waiting_count, running_count;
    uint64_t compared; /* bytes, of those that are over */
} hr_check;

/* Files that wait are remembered, and more than so many need not be. */
#define HR_CHECK_FULL 64

static inline bool hr_check_is_full(const hr_check *check)
{
    return check->waiting_count >= HR_CHECK_FULL;
}

static inline bool hr_check_is_over(const hr_check *check)
{
    return check->waiting_count == 0 && check->running_count == 0;
}

void hr_check_init(hr_check *check);
/* One that was counted. It is kept, or goes on as any other. HR_NO_MEMORY. */
HR_CHECKED hr_status hr_check_add(hr_get *get, const char *path, const hr_file_info *listed);
/* Starts what waits, as far as there is room. */
void hr_check_pump(hr_get *get);
/* Those that wait are forgotten, those under way end soon. */
void hr_check_stop(hr_get *get);
uint64_t hr_check_compared(const hr_check *check);

#endif
