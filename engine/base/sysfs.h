/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of itself in small files, below a root that tests replace. */
#ifndef HR_SYSFS_H
#define HR_SYSFS_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

#define HR_SYSFS_PATH_MAX  512
#define HR_SYSFS_NAMES_MAX 64
#define HR_SYSFS_NAME_MAX  64

/* Names in a directory, sorted, at most HR_SYSFS_NAMES_MAX of them. */
typedef struct hr_sysfs_names {
    char names[HR_SYSFS_NAMES_MAX][HR_SYSFS_NAME_MAX];
    unsigned count;
} hr_sysfs_names;

/* Reads the file at root and path, cut to size, without spaces at its end. False and "" if it
 * cannot be read. */
bool hr_sysfs_read(const char *root, const char *path, char *out, size_t size);
/* -1 if there is no number. */
long hr_sysfs_number(const char *root, const char *path);
bool hr_sysfs_has(const char *root, const char *path);
void hr_sysfs_list(const char *root, const char *path, hr_sysfs_names *names_out);
/* Where the links of path lead in the end. */
bool hr_sysfs_resolve(const char *root, const char *path, char out[HR_SYSFS_PATH_MAX]);
/* Whether the running kernel has the module: loaded, built in, or there to be loaded. */
bool hr_sysfs_has_module(const char *root, const char *module);

#endif
