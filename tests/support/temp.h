/* SPDX-License-Identifier: Apache-2.0 */
/* hr_temp: a fresh directory of a test, removed with everything in it, and files with content that
 * is known without being kept. */
#ifndef HR_TEMP_H
#define HR_TEMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define HR_TEMP_PATH_MAX 4096

/* Makes a directory (mode 0755, so that an unprivileged child may enter it) beneath $TMPDIR or
 * /var/tmp: not /tmp, which is often in memory, where O_DIRECT means nothing. */
HR_CHECKED hr_status hr_temp_make(char path_out[HR_TEMP_PATH_MAX]);
/* Removes path and all beneath it, also from directories without rights. What is not there is no
 * failure. */
HR_CHECKED hr_status hr_temp_remove(const char *path);

/* Writes a file of len bytes that follow from seed: no two chunks of it are alike. */
HR_CHECKED hr_status hr_temp_write(const char *path, uint64_t len, uint64_t seed);
/* Whether the file holds exactly these bytes. False too if it cannot be read. */
bool hr_temp_holds(const char *path, uint64_t len, uint64_t seed);

/* How many entries of the directory (not "." and "..") have names that start with prefix. -1: it
 * cannot be read. */
int hr_temp_count(const char *path, const char *prefix);

#endif
