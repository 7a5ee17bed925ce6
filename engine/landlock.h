/* SPDX-License-Identifier: Apache-2.0 */
/* Landlock: from hr_landlock_end on, this thread and those it makes can open, make and remove only
 * what was allowed, connect to nobody over TCP and signal nobody outside, as far as the kernel has
 * it. begin and end return 0 or errno. */
#ifndef HR_LANDLOCK_H
#define HR_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* The values are the kernel's. */
#define HR_LANDLOCK_WRITE       (UINT64_C(1) << 1)                    /* files */
#define HR_LANDLOCK_READ        (UINT64_C(1) << 2 | UINT64_C(1) << 3) /* files and directories */
#define HR_LANDLOCK_REMOVE_FILE (UINT64_C(1) << 5)
#define HR_LANDLOCK_MAKE_FILE   (UINT64_C(1) << 8)
#define HR_LANDLOCK_MAKE_SOCKET (UINT64_C(1) << 9)
#define HR_LANDLOCK_IOCTL       (UINT64_C(1) << 15) /* on devices */

/* Whether the kernel keeps it from connecting (Linux 6.7). */
bool hr_landlock_has_network(void);
int hr_landlock_begin(int *rules_out);
/* path and all beneath it. What is not there needs no right. */
void hr_landlock_allow(int rules, const char *path, uint64_t rights);
/* Closes rules. no_new_privs is set. */
int hr_landlock_end(int rules);

#endif
